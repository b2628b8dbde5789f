//! Runs the Markdown specs of `specs/` through the library as a user would: queries over JSON lines in a file.
//!
//! Every file must hold cases that pass, and those of `specs/fixme/` cases that fail. `specs/README.md` explains the format.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic, and says what failed"
)]

mod document;
mod events;
mod fault;
mod files;
mod finding;
mod run;
mod scan;

use document::Spec;
use fault::Fault;
use files::files_below;
use std::path::{Path, PathBuf};

/// The folders of specs that pass.
const LANGUAGES: [&str; 4] = ["eql", "kql", "lucene", "counting"];

fn specs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs").canonicalize().unwrap()
}

/// What became of the specs below a folder.
#[derive(Default)]
struct Tally {
    files: usize,
    cases: usize,
    faults: Vec<String>,
}

impl Tally {
    /// Judges each case: it must pass, or fail where `fixme`.
    fn of(folder: &Path, fixme: bool) -> Tally {
        let mut tally = Tally::default();
        for path in files_below(folder) {
            tally.files += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            tally.add(path.strip_prefix(specs()).unwrap_or(&path), &text, fixme);
        }
        tally
    }

    fn add(&mut self, path: &Path, text: &str, fixme: bool) {
        let say = |fault: Fault| format!("specs/{}:{}: {}", path.display(), fault.line, fault.message);
        let spec = match Spec::parse(text) {
            Ok(spec) => spec,
            Err(fault) => return self.faults.push(say(fault)),
        };
        self.cases += spec.cases.len();
        for case in &spec.cases {
            match (run::run(case), fixme) {
                (Ok(()), false) | (Err(_), true) => {}
                (Err(fault), false) => self.faults.push(say(fault)),
                (Ok(()), true) => {
                    self.faults.push(say(Fault::new(case.line, "passes: move it out of fixme")))
                }
            }
        }
    }

    fn assert_sound(&self) {
        eprintln!("{} cases in {} files", self.cases, self.files);
        assert!(self.faults.is_empty(), "\n{}\n{} faults", self.faults.join("\n"), self.faults.len());
    }
}

#[test]
fn every_spec_passes() {
    for language in LANGUAGES {
        let tally = Tally::of(&specs().join(language), false);
        tally.assert_sound();
        assert!(tally.cases > 0, "no cases of {language} were found in {}", specs().display());
    }
}

#[test]
fn every_fixme_fails() {
    Tally::of(&specs().join("fixme"), true).assert_sound();
}

/// A spec elsewhere would not be run.
#[test]
fn specs_are_where_they_are_looked_for() {
    let known: Vec<PathBuf> = LANGUAGES.iter().chain(&["fixme"]).map(|folder| specs().join(folder)).collect();
    let apart: Vec<PathBuf> = files_below(&specs())
        .into_iter()
        .filter(|path| !known.iter().any(|folder| path.starts_with(folder)))
        .map(|path| path.strip_prefix(specs()).unwrap().to_owned())
        .collect();
    assert_eq!(apart, [Path::new("README.md"), Path::new("deviations.md")]);
}

/// Each row of the table of deviations links to the spec that holds it.
#[test]
fn every_deviation_is_held_by_a_spec() {
    let text = std::fs::read_to_string(specs().join("deviations.md")).unwrap();
    let mut rows = 0;
    for (number, line) in (1..).zip(text.lines()) {
        if !line.starts_with('|') || line.starts_with("| matter") || line.starts_with("| ---") {
            continue;
        }
        rows += 1;
        let links: Vec<&str> = line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        assert!(!links.is_empty(), "deviations.md:{number}: no link to a spec");
        for link in links {
            let path = specs().join(link);
            assert!(path.is_file(), "deviations.md:{number}: no such spec: {link}");
            assert!(
                LANGUAGES.iter().chain(&["fixme"]).any(|folder| path.starts_with(specs().join(folder))),
                "deviations.md:{number}: {link} is no spec"
            );
        }
    }
    assert!(rows > 0);
}

const GOOD: &str = "# A name is compared with case\nIt is. Source: a page.\n\n```eql\n\
    process where process.name == \"a\"\n```\n```events\nid | process.name\n1  | a\n2  | A\n```\n```expect\n1\n```\n";

fn judged(text: &str, fixme: bool) -> Tally {
    let mut tally = Tally::default();
    tally.add(Path::new("x.md"), text, fixme);
    tally
}

#[test]
fn a_spec_that_does_not_hold_is_a_fault_with_its_line() {
    let good = judged(GOOD, false);
    assert_eq!((good.cases, good.faults), (1, vec![]));
    for (from, to, fault) in [
        ("```expect\n1\n", "```expect\n2\n", "specs/x.md:12: expected 2, found 1"),
        ("```expect\n1\n", "```expect\n1\n2\n", "specs/x.md:12: expected 1; 2, found 1"),
        ("```expect\n1\n", "```expect\n", "specs/x.md:12: expected nothing, found 1"),
        ("```expect\n1\n", "```expect\n1 2\n", "specs/x.md:12: expected 1 2, found 1"),
        ("```expect\n1\n", "```expect\n1 | [\"k\"]\n", "specs/x.md:12: expected 1 | [\"k\"], found 1 | []"),
        ("```expect\n1\n", "```expect cut\n1\n", "no limit was met"),
        ("```expect\n1\n", "```refused\nE0001 `where`\n", "specs/x.md:12: nothing is refused"),
        ("process.name ==", "process.name = =", "specs/x.md:4: refused: E0104 1:28 `=`"),
        ("process.name ==", "process.nme ==", "specs/x.md:4: warned: W0201 1:15 `process.nme`"),
        (
            "```eql\nprocess where process.name == \"a\"",
            "```eql dialect=endpoint\nsequence [any where true] as event0 [any where descendant of [any where process.name == event0.process.name]]",
            "specs/x.md:4: does not run yet",
        ),
    ] {
        assert!(GOOD.contains(from));
        let text = GOOD.replace(from, to);
        let faults = judged(&text, false).faults;
        assert!(faults.len() == 1 && faults[0].contains(fault), "{to}: {faults:?}");
        assert_eq!(judged(&text, true).faults, Vec::<String>::new(), "as a fixme: {to}");
    }
    assert_eq!(judged(GOOD, true).faults, ["specs/x.md:4: passes: move it out of fixme"]);
}

#[test]
fn refusals_and_warnings_are_compared_in_full() {
    let spec = |block: &str| {
        format!("# T\nSource: a page.\n```eql\nany where a.b = 1\n```\n```refused\n{block}\n```\n")
    };
    for (block, fault) in [
        ("E0104 `=`", None),
        ("E0104 1:15 `=` `==`", None),
        ("E0104 1:14 `=`", Some("expected E0104 1:14 `=`, found E0104 1:15 `=`")),
        ("E0105 `=`", Some("found E0104 1:15 `=`")),
        ("E0104 `= 1`", Some("found E0104 1:15 `=`")),
        ("E0104 `=` no such words", Some("`no such words` is not among")),
        ("E0104 `=`\nE0104 `=`", Some("expected 2 findings, found 1")),
    ] {
        let faults = judged(&spec(block), false).faults;
        match fault {
            None => assert_eq!(faults, Vec::<String>::new(), "{block}"),
            Some(fault) => assert!(faults.len() == 1 && faults[0].contains(fault), "{block}: {faults:?}"),
        }
    }
    let warned = GOOD
        .replace("process.name", "process.nme")
        .replace("```events", "```warned\nW0201 `process.nme` `process.name`\n```\n```events");
    assert_eq!(judged(&warned, false).faults, Vec::<String>::new());
}

#[test]
fn nothing_in_a_spec_is_passed_over() {
    for (from, to, fault) in [
        ("```expect", "```expects", "a block `expects` is not known"),
        ("```expect", "  ```expect", "a block must start at the line's start"),
        ("```expect", "~~~expect", "a block must start at the line's start, with ```"),
        ("```events", "```event", "a block `event` is not known"),
        ("```expect\n1\n```\n", "```expect\n1\n", "the block is never closed"),
        ("```expect\n1\n```\n", "", "the query has neither `expect` nor `refused`"),
        ("```eql\n", "```eql dialekt=endpoint\n", "an option `dialekt` is not known"),
        ("```eql\n", "```eql dialect=python\n", "`python` is no dialect"),
        ("```eql\n", "```eql size=x\n", "`x` is no number"),
        ("```eql\n", "```eql result-position=head\n", "`result-position` says nothing without `size`"),
        ("```expect\n", "```expect cat\n", "`expect` knows the word `cut` alone"),
        ("```events\nid | process.name\n1  | a\n2  | A\n```\n", "", "no events stand above"),
        ("2  | A", "1  | A", "the id `1` stands twice"),
        ("2  | A", "2  | A | b", "3 cells for 2 columns"),
        ("2  | A", "2  | \"A", "looks like JSON but is none"),
        ("2  | A", "   | A", "a row needs an id"),
        ("id | process.name", "id | id", "the column `id` stands twice"),
        ("id | process.name", "process.name | process.pid", "the first column must be `id`"),
        ("```expect\n1\n", "```expect\n3\n", "no event has the id `3`"),
        ("# A name", "A name", "the first line must be the title"),
        ("Source: a page.", "", "no `Source:`"),
        ("```eql", "```eql\n\n```\n```eql", "the query is empty"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let faults = judged(&GOOD.replace(from, to), false).faults;
        assert!(faults.len() == 1 && faults[0].contains(fault), "{to}: {faults:?}");
    }
    let faults = judged("# T\nSource: a page.\n", false).faults;
    assert_eq!(faults, ["specs/x.md:1: no case"]);
}
