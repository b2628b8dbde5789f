//! What people see, held by golden files: help, tables, findings. `INSTA_UPDATE=always` writes them anew.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use support::{command, quell, ran, timeless};

fn all(ran: &support::Ran) -> String {
    timeless(&format!("{}--- standard error\n{}--- exit code {}\n", ran.stdout, ran.stderr, ran.code))
}

#[test]
fn help_of_every_command() {
    let commands: [&[&str]; 12] = [
        &[],
        &["scan"],
        &["query"],
        &["explain"],
        &["check"],
        &["fmt"],
        &["rules"],
        &["rules", "list"],
        &["rules", "show"],
        &["decode"],
        &["bench"],
        &["completions"],
    ];
    for path in commands {
        let args = path.iter().chain(&["--help"]);
        let ran = quell(args);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{path:?}");
        insta::assert_snapshot!(format!("help_{}", path.join("_")), ran.stdout);
    }
    insta::assert_snapshot!("help_short", quell(["-h"]).stdout);
}

#[test]
fn scan_as_a_table_in_a_narrow_and_a_wide_window() {
    for columns in ["100", "160"] {
        let mut command = command(["scan", "logs", "--rules", "rules", "--output", "table"]);
        let ran = ran(command.env("COLUMNS", columns));
        let longest =
            ran.stdout.lines().take_while(|line| !line.is_empty()).map(|line| line.chars().count()).max();
        assert!(longest <= columns.parse().ok(), "{}", ran.stdout);
        insta::assert_snapshot!(format!("scan_table_{columns}"), all(&ran));
    }
}

#[test]
fn scan_as_ndjson_and_csv() {
    insta::assert_snapshot!("scan_ndjson", all(&quell(["scan", "logs/ecs.ndjson", "--rules", "rules"])));
    insta::assert_snapshot!("scan_csv", all(&quell(["scan", "logs", "--rules", "rules", "--output", "csv"])));
}

#[test]
fn a_sequence_stands_with_its_events() {
    let query = "sequence by process.entity_id with maxspan=1m [process where process.name == \"nmap.exe\"] ![file where true] [network where true]";
    insta::assert_snapshot!("sequence_query_ndjson", all(&quell(["query", query, "steps.ndjson"])));
    insta::assert_snapshot!(
        "sequence_query_table",
        all(&quell(["query", query, "steps.ndjson", "--output", "table"]))
    );
    for output in ["table", "ndjson", "csv"] {
        let ran = quell(["scan", "steps.ndjson", "--rules", "rules/sequence.toml", "--output", output]);
        insta::assert_snapshot!(format!("sequence_scan_{output}"), all(&ran));
    }
    let ran = quell(["rules", "show", "Scanner Then*", "--rules", "rules"]);
    insta::assert_snapshot!("sequence_rules_show", all(&ran));
}

#[test]
fn an_explanation_tells_what_happened_to_keys() {
    for rule in ["story", "before", "behind", "runs", "sample", "never"] {
        let rule_file = format!("explain/{rule}.eql");
        let args = ["explain", &rule_file, "explain/stories.ndjson", "--output", "table", "--limit", "10"];
        insta::assert_snapshot!(format!("explain_{rule}"), all(&quell(args)));
    }
    let narrow =
        ["explain", "explain/story.eql", "explain/stories.ndjson", "--output", "table", "--limit", "2"];
    let mut narrow = command(narrow);
    let ran = ran(narrow.env("COLUMNS", "100"));
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 100), "{}", ran.stdout);
    insta::assert_snapshot!("explain_narrow", all(&ran));
}

#[test]
fn an_explanation_tells_which_tests_an_event_passes() {
    let explain = |rule: &str, event: &str, output: &str| {
        let rule = format!("explain/{rule}.eql");
        all(&quell(["explain", &rule, "explain/stories.ndjson", "--event", event, "--output", output]))
    };
    insta::assert_snapshot!("explain_event", explain("tree", "d1", "table"));
    insta::assert_snapshot!("explain_event_no_match", explain("tree", "h1", "table"));
    insta::assert_snapshot!("explain_event_of_key", explain("story", "b4", "table"));
    insta::assert_snapshot!("explain_event_ndjson", explain("story", "c2", "ndjson"));
}

/// What rules count and remember, and what their alerts say of it.
#[test]
fn counts_of_rules() {
    let run = |arguments: &[&str]| all(&quell(arguments.iter().copied()));
    let explain = |name: &str| {
        let rule = format!("counting/{name}.toml");
        run(&["explain", &rule, "counting/events.ndjson", "--output", "table"])
    };
    insta::assert_snapshot!("explain_threshold", explain("ports"));
    insta::assert_snapshot!("explain_new_terms", explain("programs"));
    for name in ["ports", "programs", "addresses"] {
        let rule = format!("counting/{name}.toml");
        let indicators = "counting/indicators.csv";
        let scan = ["scan", "counting/events.ndjson", "--rules", &rule, "--indicators", indicators];
        insta::assert_snapshot!(format!("alert_{name}"), run(&[&scan[..], &["--output", "ndjson"]].concat()));
    }
    insta::assert_snapshot!("rules_list_types", run(&["rules", "list", "--rules", "counting"]));
}

#[test]
fn counts_of_the_endgame_dialect() {
    for (name, query) in [
        ("count", "any where true | count event.category, process.name"),
        ("unique_count", "any where true | unique_count event.category | sort count"),
    ] {
        let asked =
            |output| all(&quell(["query", "--dialect", "endgame", query, "logs", "--output", output]));
        insta::assert_snapshot!(format!("{name}_ndjson"), asked("ndjson"));
        insta::assert_snapshot!(format!("{name}_table"), asked("table"));
    }
}

#[test]
fn query_as_elasticsearch_answers_and_as_a_table() {
    let query = "process where process.name : \"nm*\" and process.args == \"-sS\"";
    insta::assert_snapshot!("query_ndjson", all(&quell(["query", query, "logs"])));
    insta::assert_snapshot!(
        "query_table",
        all(&quell(["query", "process where true", "logs", "--output", "table"]))
    );
    insta::assert_snapshot!("query_refused", all(&quell(["query", "process where process.nme = 1", "logs"])));
    insta::assert_snapshot!(
        "query_unknown_field",
        all(&quell(["query", "process where process.nme == \"x\"", "logs"]))
    );
}

#[test]
fn check_in_every_form() {
    for form in ["text", "short", "json"] {
        insta::assert_snapshot!(format!("check_{form}"), all(&quell(["check", "bad", "--output", form])));
    }
    let sarif: serde_json::Value =
        serde_json::from_str(&quell(["check", "bad", "--output", "sarif"]).stdout).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(3), "{sarif}");
    insta::assert_snapshot!("check_strict", all(&quell(["check", "bad/typo.toml", "--strict"])));
    insta::assert_snapshot!("check_clean", all(&quell(["check", "rules"])));
    let page = quell(["check", "--explain", "w0201"]);
    assert!(
        page.code == 0 && page.stdout.starts_with("W0201: ") && page.stdout.lines().count() > 4,
        "{page:?}"
    );
}

#[test]
fn rules_listed_and_shown() {
    insta::assert_snapshot!("rules_list", all(&quell(["rules", "list", "--rules", "rules"])));
    insta::assert_snapshot!(
        "rules_list_ndjson",
        all(&quell(["rules", "list", "--rules", "rules", "--output", "ndjson"]))
    );
    insta::assert_snapshot!(
        "rules_show",
        all(&quell(["rules", "show", "scanner arguments", "--rules", "rules"]))
    );
}

#[test]
fn decode_indented() {
    insta::assert_snapshot!("decode", all(&quell(["decode", "logs/ecs.ndjson", "--limit", "1", "--pretty"])));
}

#[test]
fn colours_are_there_only_when_asked_for() {
    let args = ["scan", "logs", "--rules", "rules", "--output", "table"];
    assert!(!quell(args).stdout.contains('\u{1b}'));
    let coloured = quell(args.into_iter().chain(["--color", "always"]));
    assert!(coloured.stdout.contains("\u{1b}["), "{}", coloured.stdout);
    let mut forced = command(args);
    let forced = ran(forced.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1"));
    assert!(forced.stdout.contains("\u{1b}["));
    let mut never = command(args.into_iter().chain(["--color", "never"]));
    let never = ran(never.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1"));
    assert!(!never.stdout.contains('\u{1b}') && !never.stderr.contains('\u{1b}'));
}
