//! `quell.toml`: defaults for the options of the command line, under the options' own names.
//!
//! There is no second list of settings: a key is an option's long name, and its value is held to what that option
//! takes. Keys at the top hold for every command that has the option; keys in a table for the command of its name.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::snippet::{Rank, Underlined, render};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use quell::{did_you_mean, near_names};
use std::ops::Range;
use std::path::{Component, MAIN_SEPARATOR, Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The file's name.
pub const FILE_NAME: &str = "quell.toml";
/// A larger file is not one of ours.
const MAX_BYTES: u64 = 1024 * 1024;
/// Options of the command line alone.
const NOT_SETTINGS: [&str; 4] = ["help", "version", "no-config", "explain"];

/// What the help says of the file.
pub const HELP: &str = "\
quell.toml, in the current folder or the nearest one above, sets defaults. A key is an
option's long name; in a table named like a command it holds for that command alone.
Paths are relative to the file, and what it lets write lies below it. The command line
wins: an option replaces the file's value, and --no-OPTION turns off what the file turns on.

  rules = [\"rules/\", \"t1046\"]
  exclude = [\"Noisy rule\"]
  timezone = \"Europe/Berlin\"

  [scan]
  fail-on = \"high\"
  write = [\"ndjson=out/alerts.ndjson\"]";

/// The file that holds for `folder`.
#[must_use]
pub fn find(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| path.is_file())
}

/// The command with, for each flag `--x`, a hidden `--no-x`.
#[must_use]
pub fn with_negations(command: Command) -> Command {
    let flags: Vec<Arg> = command
        .get_arguments()
        .filter(|arg| matches!(arg.get_action(), ArgAction::SetTrue))
        .filter_map(|arg| Some((arg, arg.get_long().filter(|long| !NOT_SETTINGS.contains(long))?)))
        .map(|(arg, long)| {
            let no = negation(long);
            Arg::new(no.clone())
                .long(no)
                .action(ArgAction::SetTrue)
                .hide(true)
                .global(arg.is_global_set())
                .overrides_with(arg.get_id().clone())
        })
        .collect();
    command.args(flags).mut_subcommands(with_negations)
}

/// The command with the defaults of the file at `path`, for the subcommand that `matches` chose, and whether there are
/// any for it.
///
/// # Errors
/// The file cannot be read, is not TOML, or holds a key or a value that no option takes.
pub fn apply(command: Command, matches: &ArgMatches, path: &Path) -> Result<(Command, bool), Failure> {
    let text = read(path)?;
    let file = File { path, text: &text, folder: path.parent().unwrap_or(Path::new("")) };
    let table = DeTable::parse(&text)
        .map_err(|error| file.refuse(error.message(), error.span(), "not TOML", None))?;

    let mut defaults: Vec<Setting> = Vec::new();
    let names = subcommand_names(matches);
    for (key, value) in table.get_ref() {
        let at = key.span();
        let key: &str = key.get_ref();
        if let (DeValue::Table(inner), Some(section)) = (value.get_ref(), command.find_subcommand(key)) {
            for (inner_key, value) in inner {
                let found = file.setting(
                    &[section],
                    inner_key.get_ref(),
                    inner_key.span(),
                    value.get_ref(),
                    value.span(),
                )?;
                if names.first().is_some_and(|name| name == key) {
                    defaults.push(found);
                }
            }
        } else {
            let every: Vec<&Command> = leaves(&command);
            let mut commands = vec![&command];
            commands.extend(every);
            defaults.insert(0, file.setting(&commands, key, at, value.get_ref(), value.span())?);
        }
    }
    let used = leaves(&command)
        .into_iter()
        .find(|command| names.last().is_some_and(|name| name == command.get_name()));
    let takes = |setting: &Setting| {
        used.iter().chain([&&command]).any(|command| option(command, &setting.long).is_some())
    };
    let taken = defaults.iter().any(takes);
    Ok((set_defaults(command, &names, leaf(matches), &defaults), taken))
}

/// An option and what the file sets it to.
struct Setting {
    long: String,
    values: Vec<String>,
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
    folder: &'a Path,
}

impl File<'_> {
    /// The key and its value, after every one of `commands` that has such an option accepts the value.
    fn setting(
        &self,
        commands: &[&Command],
        key: &str,
        key_span: Range<usize>,
        value: &DeValue<'_>,
        span: Range<usize>,
    ) -> Result<Setting, Failure> {
        let options: Vec<(&Command, &Arg)> =
            commands.iter().filter_map(|command| Some((*command, option(command, key)?))).collect();
        let Some((_, first)) = options.first() else {
            let known = commands.iter().flat_map(|command| command.get_arguments()).filter_map(setting_name);
            let near = near_names(key, known);
            let help = did_you_mean(&near)
                .unwrap_or_else(|| String::from("keys are long options of the command line: quell help"));
            return Err(self.refuse(
                &format!("unknown key `{key}`"),
                Some(key_span),
                "no option of this name",
                Some(&help),
            ));
        };
        let values = values_of(first, value).map_err(|wanted| {
            self.refuse(
                &format!("`{key}` takes {wanted}"),
                Some(span.clone()),
                &format!("this is {}", value.type_str()),
                None,
            )
        })?;
        let resolved: Result<Vec<String>, String> =
            values.into_iter().map(|value| self.resolve(first, value)).collect();
        let values = resolved.map_err(|problem| {
            let help = "`--write` on the command line goes anywhere";
            self.refuse(&problem, Some(span.clone()), "outside the folder of the file", Some(help))
        })?;
        for (command, option) in options {
            for value in &values {
                if let Some(problem) = problem(option, value) {
                    let label = match command.get_name() {
                        "quell" => String::from("not for `quell`"),
                        name => format!("not for `quell {name}`"),
                    };
                    let help = (commands.len() > 1)
                        .then_some("a key in a table such as `[scan]` holds for that command alone");
                    return Err(self.refuse(&problem, Some(span), &label, help));
                }
            }
        }
        Ok(Setting { long: key.to_owned(), values })
    }

    /// A path is relative to the file that names it. What is written stays below its folder: the file may have come with
    /// the evidence, and must not be able to overwrite anything else.
    fn resolve(&self, option: &Arg, value: String) -> Result<String, String> {
        let is_path =
            matches!(option.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath);
        if !is_path {
            return Ok(value);
        }
        if option.get_long() == Some("write") {
            let Some((kind, path)) = value.split_once('=') else { return Ok(value) };
            let target = self.folder.join(path);
            return if stays_below(self.folder, Path::new(path)) {
                Ok(format!("{kind}={}", target.display()))
            } else {
                Err(format!("{FILE_NAME} cannot write to `{path}`"))
            };
        }
        // An embedded set of rules has a bare name; what has such a name and exists beside the file is meant, though.
        let joined = self.folder.join(&value);
        let bare = !value.contains(['/', MAIN_SEPARATOR, '.', '*']);
        Ok(if bare && !joined.exists() { value } else { joined.display().to_string() })
    }

    fn refuse(&self, message: &str, span: Option<Range<usize>>, label: &str, help: Option<&str>) -> Failure {
        let path = self.path.display().to_string();
        let finding = Underlined {
            rank: Rank::Error,
            code: None,
            message,
            path: &path,
            source: self.text,
            span,
            label: Some(label),
            help: Some(help.unwrap_or("`--no-config` ignores the file")),
        };
        Failure::Rendered { exit: Exit::Usage, text: render(&finding) }
    }
}

/// Whether the relative `path` leads to a place below `folder`, through no link to elsewhere.
fn stays_below(folder: &Path, path: &Path) -> bool {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let target = folder.join(path);
    let is_link = target.symlink_metadata().is_ok_and(|target| target.file_type().is_symlink());
    // A parent that does not exist leads nowhere: writing will fail and say so.
    let parent_is_below = match (folder.canonicalize(), target.parent().map(Path::canonicalize)) {
        (Ok(folder), Some(Ok(parent))) => parent.starts_with(folder),
        _ => true,
    };
    plain && !is_link && parent_is_below
}

fn read(path: &Path) -> Result<String, Failure> {
    let refuse = |why: String| {
        Failure::usage(format!("cannot read {}: {why}", path.display()))
            .help("`--no-config` ignores the file")
    };
    let size = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(refuse(format!("it is larger than {MAX_BYTES} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))
}

fn negation(long: &str) -> String {
    format!("no-{long}")
}

fn is_negation(arg: &Arg, long: &str) -> bool {
    arg.is_hide_set() && long.starts_with("no-")
}

/// The name under which an option may stand in the file.
fn setting_name(arg: &Arg) -> Option<&str> {
    arg.get_long().filter(|long| !NOT_SETTINGS.contains(long) && !is_negation(arg, long))
}

fn option<'c>(command: &'c Command, key: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|arg| setting_name(arg) == Some(key))
}

/// The commands that have no subcommands.
fn leaves(command: &Command) -> Vec<&Command> {
    command
        .get_subcommands()
        .flat_map(|sub| if sub.has_subcommands() { leaves(sub) } else { vec![sub] })
        .collect()
}

fn subcommand_names(matches: &ArgMatches) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = matches;
    while let Some((name, inner)) = at.subcommand() {
        names.push(name.to_owned());
        at = inner;
    }
    names
}

fn leaf(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| leaf(inner))
}

/// The value as the command line would write it, or what the option takes instead.
fn values_of(option: &Arg, value: &DeValue<'_>) -> Result<Vec<String>, &'static str> {
    match option.get_action() {
        ArgAction::SetTrue => match value.as_bool() {
            Some(on) => Ok(vec![on.to_string()]),
            None => Err("`true` or `false`"),
        },
        ArgAction::Append => match value {
            DeValue::Array(items) => items
                .iter()
                .map(|item| scalar(item.get_ref()))
                .collect::<Option<_>>()
                .ok_or("a list of texts"),
            one => scalar(one).map(|text| vec![text]).ok_or("a list of texts"),
        },
        _ => scalar(value).map(|text| vec![text]).ok_or("one text or number"),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(n) if n.radix() == 10 => Some(n.as_str().to_owned()),
        DeValue::Datetime(time) => Some(time.to_string()),
        _ => None,
    }
}

/// What the option says against the value.
fn problem(option: &Arg, value: &str) -> Option<String> {
    if matches!(option.get_action(), ArgAction::SetTrue) {
        return None;
    }
    let name = option.get_long()?;
    let probe = Command::new("quell.toml")
        .no_binary_name(true)
        .disable_help_flag(true)
        .arg(option.clone().global(false));
    let error = probe.try_get_matches_from([format!("--{name}={value}")]).err()?;
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default();
    Some(first.strip_prefix("error: ").unwrap_or(first).to_owned())
}

fn set_defaults(command: Command, names: &[String], matches: &ArgMatches, defaults: &[Setting]) -> Command {
    let command = defaults.iter().fold(command, |command, setting| set_default(command, setting, matches));
    match names.split_first() {
        Some((name, rest)) => command.mut_subcommand(name, |sub| set_defaults(sub, rest, matches, defaults)),
        None => command,
    }
}

fn set_default(command: Command, setting: &Setting, matches: &ArgMatches) -> Command {
    let Some(arg) = option(&command, &setting.long) else { return command };
    let id = arg.get_id().clone();
    let turned_off = matches!(arg.get_action(), ArgAction::SetTrue)
        && matches.try_get_one::<bool>(&negation(&setting.long)).ok().flatten().copied().unwrap_or(false);
    if turned_off {
        return command;
    }
    let values = setting.values.clone();
    command.mut_arg(id, |arg| arg.default_values(values))
}

#[cfg(test)]
mod tests {
    use super::{apply, with_negations};
    use crate::failure::Failure;
    use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};

    fn command() -> Command {
        let rules = Arg::new("rules").long("rules").action(ArgAction::Append).value_hint(ValueHint::AnyPath);
        let strict = Arg::new("strict").long("strict").action(ArgAction::SetTrue);
        let threads = Arg::new("threads").long("threads").global(true).value_parser(clap::value_parser!(u16));
        let scan_output = Arg::new("output").long("output").value_parser(["table", "ndjson"]);
        let check_output = Arg::new("output").long("output").value_parser(["text", "json"]);
        with_negations(
            Command::new("quell")
                .args_override_self(true)
                .arg(threads)
                .subcommand(Command::new("scan").args([rules.clone(), strict.clone(), scan_output]))
                .subcommand(Command::new("check").args([rules, strict, check_output])),
        )
    }

    fn parse(toml: &str, args: &[&str]) -> Result<ArgMatches, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quell.toml");
        std::fs::write(&path, toml).unwrap();
        let first = command().try_get_matches_from(args).unwrap();
        let text = |failure: Failure| match failure {
            Failure::Rendered { text, .. } => anstream::adapter::strip_str(&text).to_string(),
            other => panic!("{other:?}"),
        };
        let (with_defaults, _) = apply(command(), &first, &path).map_err(text)?;
        Ok(with_defaults.try_get_matches_from(args).unwrap().subcommand().unwrap().1.clone())
    }

    #[test]
    fn the_file_gives_defaults_and_the_command_line_wins() {
        let toml = "strict = true\nthreads = 3\nrules = ['t1046']\n[scan]\noutput = 'ndjson'\n[check]\noutput = 'json'\n";
        let scan = parse(toml, &["quell", "scan"]).unwrap();
        assert!(scan.get_flag("strict"));
        assert_eq!(scan.get_one::<u16>("threads"), Some(&3));
        assert_eq!(scan.get_one::<String>("output").unwrap(), "ndjson");
        assert_eq!(scan.get_many::<String>("rules").unwrap().collect::<Vec<_>>(), ["t1046"]);

        let scan =
            parse(toml, &["quell", "--threads=1", "scan", "--no-strict", "--output=table", "--rules=x"])
                .unwrap();
        assert!(!scan.get_flag("strict"));
        assert_eq!(scan.get_one::<u16>("threads"), Some(&1));
        assert_eq!(scan.get_one::<String>("output").unwrap(), "table");
        assert_eq!(scan.get_many::<String>("rules").unwrap().collect::<Vec<_>>(), ["x"]);

        let check = parse(toml, &["quell", "check"]).unwrap();
        assert_eq!(check.get_one::<String>("output").unwrap(), "json");
    }

    #[test]
    fn a_table_wins_over_the_top_wherever_it_stands() {
        let toml = "threads = 3\n[scan]\nstrict = true\n";
        assert!(parse(toml, &["quell", "scan"]).unwrap().get_flag("strict"));
        assert!(!parse(toml, &["quell", "check"]).unwrap().get_flag("strict"));
        let toml = "strict = true\n[scan]\nstrict = false\n";
        assert!(!parse(toml, &["quell", "scan"]).unwrap().get_flag("strict"));
        assert!(parse(toml, &["quell", "check"]).unwrap().get_flag("strict"));
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let scan = parse("rules = ['my/rules', 'bare', '/abs']", &["quell", "scan"]).unwrap();
        let rules: Vec<_> = scan.get_many::<String>("rules").unwrap().cloned().collect();
        assert!(rules[0].ends_with("my/rules") && rules[0].len() > "my/rules".len(), "{rules:?}");
        assert_eq!(rules[1..], ["bare", "/abs"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_the_file_writes_stays_below_it() {
        use super::stays_below;
        use std::path::Path;
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("out")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("x"), folder.path().join("link")).unwrap();
        let cases = [
            ("a.csv", true),
            ("./sub/a.csv", true),
            ("missing/a.csv", true),
            ("../a.csv", false),
            ("sub/../../a.csv", false),
            ("/tmp/a.csv", false),
            ("out/a.csv", false),
            ("link", false),
        ];
        for (path, expected) in cases {
            assert_eq!(stays_below(folder.path(), Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn what_no_option_takes_is_refused_with_its_place() {
        let cases = [
            ("strikt = true", "unknown key `strikt`", "did you mean `strict`?"),
            ("strict = 'yes'", "`strict` takes `true` or `false`", ":1:10"),
            ("\nthreads = 'x'", "invalid value 'x' for '--threads", ":2:11"),
            ("output = 'ndjson'", "invalid value 'ndjson'", "a key in a table such as `[scan]`"),
            ("[scan]\noutput = 'text'", "invalid value 'text'", ":2:10"),
            ("[skan]\noutput = 'text'", "unknown key `skan`", ":1:2"),
            ("rules = [1.5]", "`rules` takes a list of texts", ":1:9"),
            ("no-config = true", "unknown key `no-config`", ":1:1"),
            ("no-strict = true", "unknown key `no-strict`", ":1:1"),
            ("a = ", "error: ", ":1:5"),
        ];
        for (toml, message, more) in cases {
            let text = parse(toml, &["quell", "scan"]).unwrap_err();
            assert!(text.contains(message) && text.contains(more), "{toml}\n{text}");
        }
    }
}
