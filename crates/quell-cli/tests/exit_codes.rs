//! How commands end: the one table of exit codes, and what is said when something is wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod support;

use support::{quell, quell_in, quell_with};

#[test]
fn every_command_ends_by_the_table() {
    let cases: &[(&str, i32)] = &[
        // nothing found, or done
        ("scan logs", 1),
        ("scan logs --rules rules --rule Shell* --since 2030-01-01", 0),
        ("scan logs --rules rules --fail-on high", 1),
        ("scan logs --rules rules --fail-on critical", 0),
        ("scan logs --rules rules --fail-on never", 0),
        ("scan logs --rules rules --min-severity critical", 0),
        // building blocks are no findings, shown or not
        ("scan logs --rules rules/shell-block.toml", 0),
        ("scan logs --rules rules/shell-block.toml --show-building-blocks", 0),
        // a rule that cannot run yet is told, a rule that is wrong is an error
        ("scan logs --rules rules/sequence.toml", 0),
        ("scan logs --rules bad/assign.eql", 2),
        ("scan logs --rules rules --rules bad", 2),
        ("scan logs --rules bad/typo.toml", 0),
        ("scan logs --rules bad/typo.toml --strict", 2),
        // inputs
        ("scan missing.evtx", 2),
        ("scan --follow missing.ndjson logs", 3),
        ("scan --follow logs", 3),
        ("scan --stream rules/scanner.toml", 3),
        ("scan --stream --follow missing.ndjson", 3),
        ("scan logs --lateness 5s", 3),
        ("scan logs --max-state 1M", 3),
        ("scan logs --state state", 3),
        ("scan rules/scanner.toml", 2),
        ("query", 3),
        ("query 'any' logs", 2),
        ("check rules", 0),
        ("check bad/typo.toml", 1),
        ("check bad", 2),
        ("check nowhere", 3),
        ("check --explain E9999", 3),
        ("rules list", 0),
        ("rules list --rules bad", 2),
        ("rules show nothing", 3),
        ("rules show *er* --rules rules", 3),
        ("explain Scanner* logs", 3),
        ("explain explain/story.eql explain/stories.ndjson", 0),
        ("explain explain/never.eql explain/stories.ndjson", 0),
        ("explain explain/story.eql explain/stories.ndjson --event b4", 0),
        ("explain explain/story.eql explain/stories.ndjson --event nothing", 2),
        ("explain explain/story.eql explain/stories.ndjson --key process.entity_id=nothing", 0),
        ("explain explain/story.eql explain/stories.ndjson --key process.name=scan.exe", 3),
        ("explain explain/story.eql explain/stories.ndjson --key late", 3),
        ("explain explain/tree.eql explain/stories.ndjson --key process.name=scan.exe", 3),
        ("explain explain/story.eql missing.ndjson", 2),
        ("explain bad/assign.eql explain/stories.ndjson", 2),
        ("explain bad/half.toml explain/stories.ndjson", 2),
        ("explain *er* logs --rules rules", 3),
        ("explain", 3),
        ("decode logs", 0),
        ("decode missing.json", 2),
        ("fmt missing.eql", 3),
        ("fmt --check bad/assign.eql", 2),
        ("completions bash", 0),
        ("completions basch", 3),
        ("--version", 0),
        ("", 3),
        ("scna logs", 3),
        ("scan logs --sinse 2020-01-01", 3),
        ("scan logs --since yesterday", 3),
        ("scan logs --since 2024-01-02 --until 2024-01-01", 3),
        ("scan logs --write csv=no/such/folder/x.csv", 3),
        ("scan logs --rule nothing", 3),
    ];
    for (line, code) in cases {
        let ran = quell(line.split_whitespace());
        assert_eq!(ran.code, *code, "quell {line}\n{}\n{}", ran.stdout, ran.stderr);
        let wrong = *code >= 2;
        assert!(!wrong || !ran.stderr.is_empty(), "quell {line} says nothing");
    }
}

#[test]
fn what_is_nearly_right_is_suggested() {
    let cases = [
        ("scna logs", "'scan'"),
        ("scan logs --sinse 2020-01-01", "'--since'"),
        ("scan logs --min-severity hihg", "'high'"),
        ("scan logs --input-format evtxx", "'evtx'"),
        ("scan logs --rules t1064", "did you mean `t1046`"),
        ("scan logs --write cvs=x", "did you mean `csv`"),
        ("scan logs --rules rules --tag Domain:Endpoint", "`Domain: Endpoint`"),
        ("check --explain E010", "did you mean"),
        ("rules show Scaner-Arguments --rules rules", "no rule has the id or name `Scaner-Arguments`"),
        ("rules show Scaner-Arguments --rules rules", "did you mean `Scanner Arguments`"),
        ("explain shel logs --rules rules", "no rule has the id or name `shel`"),
        ("explain explain/story.eql logs --key host.id=h1", "its join fields are process.entity_id"),
        ("scan logs --since 7d", "logs have no `now`"),
        ("scan logs --timezone Mars", "Europe/Berlin"),
    ];
    for (line, hint) in cases {
        let ran = quell(line.split_whitespace());
        assert_eq!(ran.code, 3, "quell {line}: {}", ran.stderr);
        assert!(ran.stderr.contains(hint), "quell {line}\n{}", ran.stderr);
    }
}

#[test]
fn lost_records_count_only_when_strict() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.ndjson");
    let good = std::fs::read_to_string(support::fixtures().join("logs/ecs.ndjson")).unwrap();
    std::fs::write(&path, format!("{good}{{\"half\n")).unwrap();
    let path = path.to_str().unwrap();

    let ran = quell(["scan", path, "--rules", "rules"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("lost: 1 record") && ran.stderr.contains("half.ndjson: offset"),
        "{}",
        ran.stderr
    );
    assert_eq!(quell(["scan", path, "--rules", "rules", "--strict-input"]).code, 2);
    assert_eq!(quell(["decode", path]).code, 0);
    assert_eq!(quell(["decode", path, "--strict-input"]).code, 2);
}

#[test]
fn empty_and_odd_inputs_are_told_and_harm_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("empty.json", b"");
    write("binary.bin", &[0, 159, 146, 150, 0, 1, 2, 3]);
    write("readme.md", b"# Notes\n");
    write("deep.json", "[".repeat(100_000).as_bytes());
    write("ok.json", b"{\"@timestamp\":\"2024-01-01T00:00:00Z\",\"event\":{\"category\":\"process\",\"type\":\"start\"},\"process\":{\"name\":\"nmap\"}}\n");
    let ran = quell_in(folder.path(), ["scan", "."]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(ran.stdout.lines().count(), 1);
    assert!(ran.stderr.contains("passed over:"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    for name in ["empty.json", "binary.bin", "deep.json", "readme.md"] {
        let ran = quell_in(folder.path(), ["scan", name]);
        assert!(ran.code == 0 || ran.code == 2, "{name}: {} {}", ran.code, ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{name}: {}", ran.stderr);
    }
}

#[test]
fn standard_input_is_an_input() {
    let logs = std::fs::read(support::fixtures().join("logs/ecs.ndjson")).unwrap();
    let ran = quell_with(&logs, ["scan", "-", "--rules", "rules", "--output", "csv", "--quiet"]);
    assert_eq!((ran.code, ran.stdout.lines().count(), ran.stderr.as_str()), (1, 3, ""));
}

#[test]
fn a_wrong_quell_toml_is_a_usage_error_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("quell.toml"), "strict = true\nfail_on = 'high'\n").unwrap();
    let below = folder.path().join("below");
    std::fs::create_dir(&below).unwrap();
    let ran = quell_in(&below, ["rules", "list"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr.contains("unknown key `fail_on`") && ran.stderr.contains("quell.toml:2:1"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("did you mean `fail-on`?"), "{}", ran.stderr);
    assert_eq!(quell_in(&below, ["rules", "list", "--no-config"]).code, 0);
}

#[test]
fn quell_toml_sets_defaults_from_above_and_paths_are_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("logs/deep");
    std::fs::create_dir_all(&below).unwrap();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    let copy = |from: &str, to: std::path::PathBuf| {
        std::fs::copy(support::fixtures().join(from), to).map(|_| ()).unwrap()
    };
    copy("rules/scanner.toml", folder.path().join("rules/scanner.toml"));
    copy("logs/ecs.ndjson", below.join("ecs.ndjson"));
    let toml =
        "rules = ['rules']\n[scan]\noutput = 'csv'\nfail-on = 'critical'\nwrite = ['ndjson=out.ndjson']\n";
    std::fs::write(folder.path().join("quell.toml"), toml).unwrap();

    let ran = quell_in(&below, ["scan", "."]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("defaults from") && ran.stderr.contains("quell.toml"), "{}", ran.stderr);
    assert!(!quell_in(&below, ["completions", "bash"]).stderr.contains("defaults"));
    assert!(ran.stdout.starts_with("time,severity"), "{}", ran.stdout);
    assert_eq!(ran.stdout.lines().count(), 3);
    assert_eq!(std::fs::read_to_string(folder.path().join("out.ndjson")).unwrap().lines().count(), 2);

    let ran =
        quell_in(&below, ["scan", ".", "--output", "ndjson", "--fail-on", "low", "--write", "csv=own.csv"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.starts_with('{'), "{}", ran.stdout);
    assert!(below.join("own.csv").exists());
}
