//! Parts of a path: Windows paths, device paths, and those with forward slashes.

use super::{ArgumentKind, Derivation, Run};

pub(super) static BASENAME: Derivation = Derivation {
    name: "basename",
    doc: "The last component of a path, behind the last backslash or slash.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| out.text(split(input.text).1)),
    examples: &[
        ("", "C:\\Windows\\System32\\cmd.exe", &["cmd.exe"]),
        ("", "\\device\\harddiskvolume2\\windows\\system32\\svchost.exe", &["svchost.exe"]),
        ("", "C:/Tools/nc.exe", &["nc.exe"]),
        ("", "System", &["System"]),
        ("", "C:\\Windows\\", &[]),
    ],
};

pub(super) static DIRECTORY: Derivation = Derivation {
    name: "directory",
    doc: "A path without its last component and the separator before it; nothing where there is only one.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| out.text(split(input.text).0)),
    examples: &[("", "C:\\Temp\\a.txt", &["C:\\Temp"]), ("", "C:\\a.txt", &["C:"]), ("", "a.txt", &[])],
};

pub(super) static EXTENSION: Derivation = Derivation {
    name: "extension",
    doc: "What stands behind the last dot of a path's last component; nothing where there is no dot.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        if let Some((_, extension)) = split(input.text).1.rsplit_once('.') {
            out.text(extension);
        }
    }),
    examples: &[
        ("", "C:\\Temp\\a.tar.gz", &["gz"]),
        ("", "C:\\Temp.d\\file", &[]),
        ("", "C:\\Temp\\file.", &[]),
        ("", "C:\\Temp\\a.txt:Zone.Identifier", &["Identifier"]),
    ],
};

/// The directory and the last component.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once(['\\', '/']).unwrap_or(("", path))
}
