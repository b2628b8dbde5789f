//! Loading: what paths and names mean, what is not read, and what hostile files do not do.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a test may panic")]

mod support;

use proptest::prelude::*;
use quell_rules::{EmbeddedSet, RuleSet, RuleSpec, Selection};
use support::{elastic, folder, load, places, spec};

fn named(id: &str, name: &str, more: &[(&'static str, &'static str)]) -> String {
    let (id, name) = (format!("{id:?}"), format!("{name:?}"));
    let mut lines = vec![("rule_id", id.as_str()), ("name", name.as_str())];
    lines.extend_from_slice(more);
    elastic(&lines)
}

#[test]
fn folders_are_read_in_the_order_of_names() {
    let set = load(&[
        ("b.toml", &named("2", "two", &[])),
        ("a/z.toml", &named("1", "one", &[])),
        ("c/a/a.toml", &named("4", "four", &[])),
        ("c.toml", &named("3", "three", &[])),
    ]);
    let ids: Vec<&str> = set.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "4", "3"]);
    assert_eq!(set.files, 4);
}

#[test]
fn of_two_rules_with_one_id_the_first_stays() {
    let set = load(&[("a.toml", &named("1", "one", &[])), ("b.toml", &named("1", "two", &[]))]);
    assert_eq!(set.rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), ["one"]);
    assert_eq!(places(&set.findings), ["b.toml:11:11 W0320"]);
}

#[test]
fn an_endpoint_rule_may_come_once_for_each_system_and_collides_with_no_other_kind() {
    let endpoint = |os: &str| {
        format!(
            "[rule]\nid = \"1\"\nname = \"N\"\ndescription = \"d\"\nos_list = [{os}]\nquery = \"any where true\"\n"
        )
    };
    let set = load(&[
        ("a.toml", &named("1", "one", &[])),
        ("b.toml", &endpoint("\"linux\", \"windows\"")),
        ("c.toml", &endpoint("\"macos\"")),
        ("d.toml", &endpoint("\"windows\"")),
    ]);
    assert_eq!(set.rules.len(), 3);
    assert_eq!(places(&set.findings), ["d.toml:2:6 W0320"]);
}

#[test]
fn a_file_that_is_given_twice_is_read_once() {
    let folder = folder(&[("a.toml", &named("1", "one", &[]))]);
    let file = folder.path().join("a.toml");
    let set = RuleSet::load(&[spec(&file), spec(folder.path()), spec(&file)]);
    assert_eq!((set.rules.len(), places(&set.findings), set.files), (1, vec![], 1));
    let sets = [RuleSpec::Embedded("t1046".to_owned()), RuleSpec::Embedded("t1046-published".to_owned())];
    let (both, one) = (RuleSet::load(&sets), RuleSet::load(&sets[..1]));
    assert_eq!(
        (both.rules.len(), both.findings.len()),
        (one.rules.len(), 0),
        "one set holds the other's rules"
    );
}

#[test]
fn one_broken_rule_does_not_stop_the_others() {
    let set = load(&[
        ("a.toml", "[rule]\nname = \n"),
        ("b.toml", &named("1", "one", &[])),
        ("c.toml", &named("2", "two", &[("severity", "3")])),
        ("d.ndjson", "{\"rule_id\": \"x\", \"risk_score\""),
    ]);
    assert_eq!(set.rules.len(), 1);
    assert!(set.has_errors());
    let codes: Vec<&str> = set.findings.iter().map(|finding| finding.diagnostic.code.as_str()).collect();
    assert_eq!(codes, ["E0303", "E0306", "E0304"]);
}

#[test]
fn words_are_paths_first_and_then_names_of_sets() {
    assert_eq!(RuleSpec::parse("t1046"), Ok(RuleSpec::Embedded("t1046".to_owned())));
    assert!(EmbeddedSet::find(RuleSpec::DEFAULT).is_some());
    let folder = folder(&[("t1046/a.toml", &named("1", "one", &[]))]);
    let path = folder.path().join("t1046");
    assert_eq!(RuleSpec::parse(path.to_str().unwrap()), Ok(RuleSpec::Path(path)));
    let error = RuleSpec::parse("t1064").unwrap_err();
    assert_eq!((error.code.as_str(), error.help.as_deref()), ("E0311", Some("did you mean `t1046`?")));
    assert!(RuleSpec::parse("no/such/thing").unwrap_err().help.unwrap().contains("t1046-published"));
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = folder(&[("empty.eql", ""), ("x.txt", "hello"), ("none/readme.md", "")]);
    std::fs::create_dir(folder.path().join("folder.toml")).unwrap();
    std::fs::write(folder.path().join("latin.toml"), b"[rule]\nname = \"\xe9\"\n").unwrap();
    let large = format!("[rule]\nname = \"{}\"\n", "x".repeat(3 << 20));
    std::fs::write(folder.path().join("large.toml"), large).unwrap();
    let at = |name: &str| spec(&folder.path().join(name));
    let cases = [
        ("gone.toml", "gone.toml E0302"),
        ("x.txt", "x.txt E0301"),
        ("empty.eql", "empty.eql E0301"),
        ("none", "none E0312"),
        ("folder.toml", "folder.toml E0312"),
        ("latin.toml", "latin.toml E0310"),
        ("large.toml", "large.toml E0309"),
    ];
    for (name, expected) in cases {
        let set = RuleSet::load(&[at(name)]);
        assert_eq!(places(&set.findings), [expected]);
        assert!(set.has_errors());
    }
}

#[cfg(unix)]
#[test]
fn link_loops_and_pipes_end() {
    let folder = folder(&[("a/a.toml", &named("1", "one", &[]))]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/loop")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("a/dangling.toml")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("a/a.toml"), folder.path().join("a/link.toml")).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(folder.path().join("a/pipe.toml"))
            .status()
            .unwrap()
            .success()
    );
    let set = RuleSet::load(&[spec(folder.path())]);
    assert_eq!(set.rules.len(), 1);
    assert_eq!(places(&set.findings), ["dangling.toml E0302", "loop E0302"]);
}

#[test]
fn findings_of_one_file_are_bounded_and_the_rest_is_counted() {
    let lines = format!("{}{}", "{\"rule_id\": \"x\"}\n".repeat(50), "{\"a\": }\n".repeat(100_000));
    let set = load(&[("a.ndjson", &lines)]);
    assert_eq!(set.findings.len(), 101);
    let last = &set.findings[100].diagnostic;
    assert_eq!(last.code.as_str(), "W0324");
    assert_eq!(last.message, "100150 more findings are not shown"); // 50 rules lack 5 fields each
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!("{{\"rule_id\": \"a\", \"risk_score\": {}", "[".repeat(200_000));
    assert_eq!(load(&[("a.ndjson", &deep)]).findings[0].diagnostic.message, "nested too deeply");
    let deep = format!("[rule]\nrule_id = {}", "[".repeat(200_000));
    assert_eq!(load(&[("a.toml", &deep)]).findings[0].diagnostic.code.as_str(), "E0303");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any bytes in any file are read to the end, without a panic.
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), start in 0usize..5) {
        let head: &[u8] = [b"[rule]\nid = ".as_slice(), b"{\"rule_id\": ", b"[metadata]\n[rule]\nrule_id=", b"", b"[{\"rule_id\":1},"][start];
        let folder = tempfile::tempdir().unwrap();
        for ending in ["toml", "ndjson", "eql"] {
            std::fs::write(folder.path().join(format!("a.{ending}")), [head, &bytes].concat()).unwrap();
        }
        let set = RuleSet::load(&[spec(folder.path())]);
        prop_assert!(set.rules.len() <= 3);
    }

    /// A rule that is damaged in one place is read or refused, and findings stay inside the file.
    #[test]
    fn a_damaged_rule_is_survived(at in 0usize..400, with in ".{0,3}") {
        let text = elastic(&[("threat", "[{ framework = \"f\", tactic = { id = \"TA1\", name = \"n\" } }]")]);
        let at = text.char_indices().map(|(i, _)| i).take_while(|i| *i <= at).last().unwrap();
        let damaged = format!("{}{with}{}", text.get(..at).unwrap(), text.get(at + 1..).unwrap_or(""));
        let checked = support::check_files(&[("a.toml", &damaged)]);
        for finding in &checked.findings {
            if let Some(span) = finding.diagnostic.span {
                prop_assert!(finding.text.get(span.start as usize..span.end as usize).is_some(), "{:?}", finding);
            }
        }
    }
}

fn three() -> Vec<quell_rules::Rule> {
    let threat = |id: &str| {
        format!(
            "[{{ framework = \"f\", tactic = {{ id = \"TA0007\", name = \"n\" }}, technique = [{{ id = \"T1059\", name = \"n\", \
             subtechnique = [{{ id = \"{id}\", name = \"n\" }}] }}] }}]"
        )
    };
    let set = load(&[
        (
            "a.toml",
            &elastic(&[
                ("rule_id", "\"one\""),
                ("name", "\"Port Scan\""),
                ("tags", "[\"OS: Windows\", \"x\"]"),
            ]),
        ),
        (
            "b.toml",
            &elastic(&[("rule_id", "\"two\""), ("name", "\"Net View\""), ("tags", "[\"OS: Linux\"]")]),
        ),
        (
            "c.toml",
            &elastic(&[
                ("rule_id", "\"three\""),
                ("name", "\"Shell\""),
                ("tags", "[\"x\"]"),
                ("threat", &threat("T1059.001")),
            ]),
        ),
    ]);
    assert_eq!(places(&set.findings), [""; 0]);
    set.rules
}

#[test]
fn selections_narrow_the_rules() {
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    // rules, tags, techniques, exclude, what is left
    type Words = &'static [&'static str];
    let table: &[(Words, Words, Words, Words, Words)] = &[
        (&[], &[], &[], &[], &["one", "two", "three"]),
        (&["ONE"], &[], &[], &[], &["one"]),
        (&["port scan", "two"], &[], &[], &[], &["one", "two"]),
        (&["*e*"], &[], &[], &[], &["one", "two", "three"]),
        (&["t?o"], &[], &[], &[], &["two"]),
        (&[], &["os: *"], &[], &[], &["one", "two"]),
        (&[], &["x"], &["t1059"], &[], &["three"]),
        (&[], &[], &["T1059.001"], &[], &["three"]),
        (&[], &[], &["ta0007"], &[], &["three"]),
        (&[], &[], &[], &["net*"], &["one", "three"]),
        (&["*"], &["x"], &[], &["shell"], &["one"]),
    ];
    for (rules, tags, techniques, exclude, left) in table {
        let selection = Selection {
            rules: list(rules),
            tags: list(tags),
            techniques: list(techniques),
            exclude: list(exclude),
        };
        let selected = selection.apply(three()).unwrap();
        assert_eq!(selected.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), *left, "{selection:?}");
    }
}

#[test]
fn a_selection_that_matches_nothing_is_an_error_with_near_names() {
    let with = |selection: Selection| selection.apply(three()).unwrap_err();
    let one = |word: &str| vec![word.to_owned()];
    let errors = with(Selection { rules: one("Port Scn"), tags: one("OS: Linus"), ..Selection::default() });
    let seen: Vec<(&str, &str, &str)> =
        errors.iter().map(|e| (e.code.as_str(), e.message.as_str(), e.help.as_deref().unwrap())).collect();
    assert_eq!(
        seen,
        [
            ("E0313", "`--rule Port Scn` matches no rule", "did you mean `Port Scan`?"),
            ("E0313", "`--tag OS: Linus` matches no tag", "did you mean `OS: Linux`?"),
        ]
    );
    assert_eq!(with(Selection { exclude: one("zzz"), ..Selection::default() })[0].code.as_str(), "E0313");
    assert_eq!(with(Selection { techniques: one("T105"), ..Selection::default() })[0].code.as_str(), "E0313");
    let errors = with(Selection { rules: one("one"), tags: one("OS: Linux"), ..Selection::default() });
    assert_eq!(errors[0].code.as_str(), "E0314");
}
