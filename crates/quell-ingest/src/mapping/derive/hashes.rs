//! Sysmon's list of hashes.

use super::{ArgumentKind, Derivation, Run};

pub(super) static HASHES: Derivation = Derivation {
    name: "hashes",
    doc: "The hash of this algorithm out of `SHA1=…,MD5=…`, in lower case; without an algorithm all of them. Hashes of zeros alone say that there is none and are dropped.",
    argument: ArgumentKind::OptionalWord(&["md5", "sha1", "sha256", "imphash"]),
    run: Run::Each(|input, argument, out| {
        for entry in input.text.split(',') {
            let Some((name, hash)) = entry.split_once('=') else { continue };
            let (name, hash, wanted) = (name.trim(), hash.trim(), argument.text());
            // All of them are those of files: an import hash names no file.
            let chosen = if wanted.is_empty() {
                !name.eq_ignore_ascii_case("imphash")
            } else {
                name.eq_ignore_ascii_case(wanted)
            };
            if chosen && hash.bytes().any(|byte| byte != b'0') {
                out.build(|buffer| buffer.extend(hash.chars().map(|c| c.to_ascii_lowercase())));
            }
        }
    }),
    examples: &[
        ("md5", "SHA1=AB,MD5=1F,IMPHASH=00", &["1f"]),
        ("sha256", "SHA1=AB,MD5=1F", &[]),
        ("imphash", "MD5=1F,IMPHASH=0000", &[]),
        ("", "SHA1=AB,MD5=1F,IMPHASH=2C", &["ab", "1f"]),
        ("md5", "md5 = 1f", &["1f"]),
    ],
};
