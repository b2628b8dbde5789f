//! PowerShell's event 4103: its context lines and its list of what was called.

use super::{ArgumentKind, Derivation, Run};

pub(super) static CONTEXT: Derivation = Derivation {
    name: "context",
    doc: "The value of one line `Name = value` of a PowerShell context.",
    argument: ArgumentKind::Text,
    run: Run::Each(|input, argument, out| {
        let value = input.text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == argument.text()).then_some(value)
        });
        out.text(value.unwrap_or("").trim());
    }),
    examples: &[
        ("Host ID", "   Host Name = ConsoleHost\r\n   Host ID = 91-7c\r\n", &["91-7c"]),
        ("Host Application", "   Host Application = p.exe -a b=c", &["p.exe -a b=c"]),
        ("Command Path", "   Command Path = \r\n", &[]),
        ("Name", "   Host Name = ConsoleHost", &[]),
    ],
};

/// One line of a payload, `Kind(Command): value`, as members of an object. A line of another form is a value.
fn detail(line: &str) -> [(&'static str, &str); 4] {
    let parts = line.split_once("): ").and_then(|(head, value)| Some((head.split_once('(')?, value)));
    let Some(((kind, command), value)) = parts else {
        return [("value", line), ("type", ""), ("related_command", ""), ("name", "")];
    };
    let binding =
        (kind == "ParameterBinding").then(|| value.strip_prefix("name=")?.split_once("; value=")).flatten();
    let (name, value) = binding.unwrap_or(("", value));
    [("type", kind), ("related_command", command), ("name", name), ("value", value)]
}

pub(super) static INVOCATION_DETAILS: Derivation = Derivation {
    name: "invocation_details",
    doc: "The lines of a PowerShell payload as objects of `type`, `related_command`, `name` and `value`; with a name in brackets, that member of each.",
    argument: ArgumentKind::OptionalWord(&["type", "related_command", "name", "value"]),
    run: Run::Each(|input, argument, out| {
        for line in input.text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            out.object(argument.text(), &detail(line));
        }
    }),
    examples: &[
        (
            "",
            "CommandInvocation(Get-Date): \"Get-Date\"\r\nParameterBinding(Get-Date): name=\"Format\"; value=\"o\"\r\n",
            &[
                r#"{"type":"CommandInvocation","related_command":"Get-Date","value":"\"Get-Date\""}"#,
                r#"{"type":"ParameterBinding","related_command":"Get-Date","name":"\"Format\"","value":"\"o\""}"#,
            ],
        ),
        ("related_command", "CommandInvocation(Get-Date): \"Get-Date\"", &["Get-Date"]),
        ("", "second line of a value", &[r#"{"value":"second line of a value"}"#]),
    ],
};
