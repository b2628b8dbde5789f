//! Plain text: as it is, in lower case, cut at a separator, or looked up.

use super::{Argument, ArgumentKind, Derivation, Run};

/// What a row without derivation does.
pub(crate) static TEXT: Derivation = Derivation {
    name: "text",
    doc: "The value as text, numbers in decimal; this is done where a row names no derivation.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| out.text(input.text)),
    examples: &[("", "4688", &["4688"])],
};

pub(super) static LOWER: Derivation = Derivation {
    name: "lower",
    doc: "The text in lower case.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        if input.text.chars().any(char::is_uppercase) {
            out.build(|buffer| buffer.extend(input.text.chars().flat_map(char::to_lowercase)));
        } else {
            out.text(input.text);
        }
    }),
    examples: &[("", "Information", &["information"]), ("", "tcp", &["tcp"])],
};

pub(super) static BEFORE: Derivation = Derivation {
    name: "before",
    doc: "What stands before the first separator; nothing where there is none.",
    argument: ArgumentKind::Text,
    run: Run::Each(|input, argument, out| {
        if let Some((before, _)) = input.text.split_once(argument.text()) {
            out.text(before);
        }
    }),
    examples: &[("\\", "LAB\\bob", &["LAB"]), ("\\", "bob", &[]), ("\\", "\\bob", &[])],
};

pub(super) static AFTER: Derivation = Derivation {
    name: "after",
    doc: "What stands behind the first separator; all of it where there is none.",
    argument: ArgumentKind::Text,
    run: Run::Each(|input, argument, out| {
        out.text(input.text.split_once(argument.text()).map_or(input.text, |(_, after)| after));
    }),
    examples: &[
        ("\\", "LAB\\bob", &["bob"]),
        ("\\", "bob", &["bob"]),
        ("\\", "NT AUTHORITY\\SYSTEM", &["SYSTEM"]),
    ],
};

pub(super) static LOOKUP: Derivation = Derivation {
    name: "lookup",
    doc: "What the table `[lookup.NAME]` of the file, or of windows.toml, says of the text, compared without case; nothing where it is not listed.",
    argument: ArgumentKind::Lookup,
    run: Run::Each(|input, argument, out| {
        if let Argument::Lookup(lookup) = argument
            && let Some(found) = lookup.get(input.text)
        {
            out.text(found);
        }
    }),
    examples: &[],
};
