//! Command lines split into arguments as Windows programs split theirs.
//!
//! Source: Microsoft's "CommandLineToArgvW function" and "Parsing C command-line arguments". As in Elastic's pipelines the
//! rules of the later arguments hold for the first one too: 2n backslashes before a quote are n backslashes, 2n+1 are n
//! and a quote that is text; elsewhere backslashes are text; two quotes within a quoted part are one quote, which ends
//! it. Spaces and tabs outside of quotes separate.

use super::{Argument, ArgumentKind, Derivation, Input, Output, Run};

pub(super) static WINDOWS_ARGS: Derivation = Derivation {
    name: "windows_args",
    doc: "The arguments of a Windows command line, quotes resolved; with `quoted_first` the first one keeps its quotes.",
    argument: ArgumentKind::OptionalWord(&["quoted_first"]),
    run: Run::Each(split),
    examples: &[
        ("", r#""C:\Program Files\a.exe" -o "x y" z"#, &[r"C:\Program Files\a.exe", "-o", "x y", "z"]),
        ("quoted_first", r#""C:\Program Files\a.exe" "x y""#, &[r#""C:\Program Files\a.exe""#, "x y"]),
        ("", r#"a  "" b"#, &["a", "", "b"]),
        ("", r#"a \"b\" c:\d\"#, &["a", r#""b""#, r"c:\d\"]),
        ("", r#"a "c:\d e\\" f"#, &["a", r"c:\d e\", "f"]),
        ("", r#"a "b ""c d"#, &["a", r#"b "c"#, "d"]),
        ("", "", &[]),
    ],
};

fn split(input: &Input<'_>, argument: &Argument, out: &mut Output<'_>) {
    let mut rest = input.text.trim_start_matches(SEPARATORS);
    let mut verbatim = argument.is("quoted_first");
    while !rest.is_empty() {
        let end = end_of_argument(rest);
        let (raw, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
            _ if verbatim || !raw.contains('"') => out.element(raw),
            // The common quoted argument: nothing in it has a meaning of its own.
            Some(inner) if !inner.contains('"') && !inner.ends_with('\\') => out.element(inner),
            _ => out.build(|buffer| unquote(raw, buffer)),
        }
        verbatim = false;
        rest = behind.trim_start_matches(SEPARATORS);
    }
}

const SEPARATORS: [char; 2] = [' ', '\t'];

/// Where the first argument ends.
fn end_of_argument(text: &str) -> usize {
    let (mut quoted, mut backslashes) = (false, 0usize);
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b' ' | b'\t' if !quoted => return at,
            b'"' if backslashes.is_multiple_of(2) => {
                if quoted && bytes.peek().is_some_and(|(_, next)| *next == b'"') {
                    bytes.next();
                }
                quoted = !quoted;
            }
            _ => {}
        }
        backslashes = if byte == b'\\' { backslashes + 1 } else { 0 };
    }
    text.len()
}

/// Appends one argument without its quotes.
fn unquote(raw: &str, out: &mut String) {
    let (mut quoted, mut backslashes) = (false, 0usize);
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => backslashes += 1,
            '"' => {
                out.extend(std::iter::repeat_n('\\', backslashes / 2));
                if !backslashes.is_multiple_of(2) {
                    out.push('"');
                } else {
                    if quoted && chars.peek() == Some(&'"') {
                        chars.next();
                        out.push('"');
                    }
                    quoted = !quoted;
                }
                backslashes = 0;
            }
            c => {
                out.extend(std::iter::repeat_n('\\', backslashes));
                backslashes = 0;
                out.push(c);
            }
        }
    }
    out.extend(std::iter::repeat_n('\\', backslashes));
}

#[cfg(test)]
mod tests {
    use super::WINDOWS_ARGS;
    use crate::mapping::derive::{Argument, values_of};
    use proptest::prelude::*;

    /// The rules once more, as a machine over one list of characters.
    fn by_the_rules(line: &str) -> Vec<String> {
        let chars: Vec<char> = line.chars().collect();
        let (mut args, mut current, mut quoted, mut at) = (Vec::new(), None::<String>, false, 0);
        while at < chars.len() {
            let run = chars[at..].iter().take_while(|c| **c == '\\').count();
            let next = chars.get(at + run).copied();
            if run > 0 {
                let arg = current.get_or_insert_default();
                let kept = if next == Some('"') { run / 2 } else { run };
                arg.push_str(&"\\".repeat(kept));
                at += run;
                if next == Some('"') && run % 2 == 1 {
                    arg.push('"');
                    at += 1;
                }
                continue;
            }
            match chars[at] {
                ' ' | '\t' if !quoted => args.extend(current.take()),
                '"' => {
                    let arg = current.get_or_insert_default();
                    if quoted && chars.get(at + 1) == Some(&'"') {
                        arg.push('"');
                        at += 1;
                    }
                    quoted = !quoted;
                }
                c => current.get_or_insert_default().push(c),
            }
            at += 1;
        }
        args.extend(current);
        args
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn splits_as_the_rules_say(line in r#"[ \t"\\aé]{0,24}"#) {
            prop_assert_eq!(values_of(&WINDOWS_ARGS, &Argument::None, &line), by_the_rules(&line));
        }

        #[test]
        fn arguments_that_are_quoted_come_back(args in prop::collection::vec(r#"[ \t\\a"é-]{0,8}"#, 0..6)) {
            let quoted = args.iter().map(|arg| {
                let mut text = String::from("\"");
                let mut backslashes = 0;
                for c in arg.chars() {
                    if c == '"' {
                        text.push_str(&"\\".repeat(backslashes + 1));
                    }
                    backslashes = if c == '\\' { backslashes + 1 } else { 0 };
                    text.push(c);
                }
                text.push_str(&"\\".repeat(backslashes));
                text + "\""
            });
            let line = quoted.collect::<Vec<_>>().join(" ");
            prop_assert_eq!(values_of(&WINDOWS_ARGS, &Argument::None, &line), args);
        }
    }

    #[test]
    fn the_first_argument_may_keep_its_quotes_and_the_others_do_not() {
        let keep = Argument::Text("quoted_first".into());
        assert_eq!(values_of(&WINDOWS_ARGS, &keep, r#" "a b"c "d e""#), [r#""a b"c"#, "d e"]);
    }
}
