//! Sysmon's registry paths and values.

use super::{ArgumentKind, Derivation, Run};

pub(super) static REGISTRY_HIVE: Derivation = Derivation {
    name: "registry_hive",
    doc: "The first component of a registry path.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        if let Some((hive, _)) = input.text.split_once('\\') {
            out.text(hive);
        }
    }),
    examples: &[("", "HKLM\\SOFTWARE\\Run\\x", &["HKLM"]), ("", "HKLM", &[])],
};

pub(super) static REGISTRY_KEY: Derivation = Derivation {
    name: "registry_key",
    doc: "A registry path without its hive and without its last component, the value's name.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        let behind_hive = input.text.split_once('\\').map(|(_, rest)| rest);
        if let Some((key, _)) = behind_hive.and_then(|rest| rest.rsplit_once('\\')) {
            out.text(key);
        }
    }),
    examples: &[("", "HKLM\\SOFTWARE\\Run\\x", &["SOFTWARE\\Run"]), ("", "HKLM\\x", &[])],
};

/// `DWORD (0x00000001)`: the type and what stands in the brackets.
fn typed(text: &str) -> Option<(&str, &str)> {
    let (kind, rest) = text.split_once(" (")?;
    Some((kind, rest.strip_suffix(')')?)).filter(|(kind, _)| matches!(*kind, "DWORD" | "QWORD"))
}

pub(super) static REGISTRY_DATA: Derivation = Derivation {
    name: "registry_data",
    doc: "The data that was written: numbers as Sysmon writes them in hexadecimal, text as it is; nothing for `Binary Data`.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| match (typed(input.text), input.text) {
        (Some(("QWORD", halves)), _) => out.build(|buffer| {
            // Sysmon writes two halves of 32 bits, both behind `0x`.
            let mut halves = halves.split('-');
            buffer.push_str(halves.next().unwrap_or(""));
            buffer.extend(halves.map(|half| half.trim_start_matches("0x")));
        }),
        (Some((_, number)), _) => out.text(number),
        (None, "Binary Data") => {}
        (None, text) => out.text(text),
    }),
    examples: &[
        ("", "DWORD (0x00000001)", &["0x00000001"]),
        ("", "QWORD (0x01d66aef-0x0bbf6930)", &["0x01d66aef0bbf6930"]),
        ("", "C:\\a (b).exe", &["C:\\a (b).exe"]),
        ("", "Binary Data", &[]),
    ],
};

pub(super) static REGISTRY_DATA_TYPE: Derivation = Derivation {
    name: "registry_data_type",
    doc: "`REG_DWORD`, `REG_QWORD`, `REG_BINARY` or `REG_SZ` by the form in which Sysmon writes the data.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        out.text(match (typed(input.text), input.text) {
            (Some(("QWORD", _)), _) => "REG_QWORD",
            (Some(_), _) => "REG_DWORD",
            (None, "Binary Data") => "REG_BINARY",
            (None, _) => "REG_SZ",
        });
    }),
    examples: &[
        ("", "DWORD (0x00000001)", &["REG_DWORD"]),
        ("", "QWORD (0x01d66aef-0x0bbf6930)", &["REG_QWORD"]),
        ("", "Binary Data", &["REG_BINARY"]),
        ("", "calc.exe", &["REG_SZ"]),
    ],
};
