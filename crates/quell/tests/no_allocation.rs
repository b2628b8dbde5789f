//! From the record to the verdict, an event that hits nothing allocates nothing once buffers have grown: on ECS documents,
//! on flat Windows events and on Winlogbeat 6.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(unsafe_code, reason = "an allocator that counts cannot be written without")]

#[path = "../../../testing/counting_allocator.rs"]
mod counting_allocator;

use counting_allocator::allocations;
use quell::{CompileOptions, ExceptionSet, Outcome, Rule, RuleSet, RuleSpec, compile_rule};
use quell_engine::{Engine, EngineOptions, EngineRule};
use quell_event::{EventState, Position, RecordRef, RecordText};
use quell_ingest::{Context, DecodeOptions, Decoder, Layout};
use std::path::Path;
use std::sync::Arc;

/// Beside the embedded rules: what makes derived fields of every kind be read.
const QUERIES: &[&str] = &[
    r#"process where process.args == "--no-such-flag" and process.args_count > 3"#,
    r#"process where process.hash.sha256 : "00*" and process.parent.args : "zz""#,
    r#"any where cidrMatch(source.ip, "233.252.0.0/24") or destination.port == 70000"#,
    r#"file where file.extension : "zz" and file.directory like~ "*nowhere*""#,
    r#"any where powershell.file.script_block_id == "zz" or winlog.event_data.Nothing == "zz""#,
    r#"any where user.name : "zz*" and user.domain != "zz" and event.created > "2100-01-01""#,
    r#"any where concat(host.name, user.name) == "zz" or length(process.name) > 500"#,
    r#"dns where dns.question.name regex~ "zz.*""#,
];

const EXCEPTIONS: &str = r#"
[[item]]
name = "none of them"
rules = ["*"]
entries = [
    { field = "process.command_line.caseless", operator = "included", type = "wildcard", value = "*no such words*" },
    { field = "host.name", operator = "excluded", type = "match_any", value = ["a", "b"] },
]
"#;

#[test]
fn an_event_that_hits_nothing_allocates_nothing() {
    let mut rules = RuleSet::load(&[RuleSpec::Embedded(RuleSpec::DEFAULT.into())]).rules;
    rules.extend(QUERIES.iter().map(|query| Rule::of_query(query)));
    let options = CompileOptions::new(quell::schema());
    let rules = rules.into_iter().map(Arc::new).map(|rule| match compile_rule(&rule, &options) {
        Outcome::Runs { query, .. } => EngineRule { rule, query },
        other => panic!("{}: {other:?}", rule.name),
    });
    // Exceptions are asked of hits alone.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("e.toml");
    std::fs::write(&path, EXCEPTIONS).unwrap();
    let (set, wrong) = ExceptionSet::load(&[path]);
    assert!(wrong.is_empty(), "{wrong:?}");
    let exceptions = set.compile(quell::schema());
    let rules = rules.map(|rule: EngineRule| {
        let held = exceptions.of(&rule.rule);
        assert_eq!(held.len(), 1);
        (rule, held)
    });
    let (engine, refused, not_applied) = Engine::with_exceptions(rules.collect(), &EngineOptions::default());
    assert!(refused.is_empty() && not_applied.is_empty());
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/logs");
    for (folder, layout) in
        [("ecs", Layout::Ecs), ("nxlog", Layout::FlatWindows), ("winlogbeat", Layout::Winlogbeat6)]
    {
        let mut texts = Vec::new();
        for entry in std::fs::read_dir(logs.join(folder)).unwrap() {
            texts.push(std::fs::read_to_string(entry.unwrap().path()).unwrap());
        }
        let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
        let decoder = Decoder::with_subtrees(
            layout,
            engine.fields(),
            &|slot| engine.subtree(slot),
            &DecodeOptions::default(),
        );
        let (context, mut state) = (Context::new(), EventState::default());
        let mut matcher = engine.matcher();
        let mut hits = Vec::new();
        let mut record =
            || RecordRef { source: 0, position: Position::default(), text: RecordText::Reread(0) };
        let mut quiet = 0;
        for pass in 0..3 {
            for line in &lines {
                let before = allocations();
                let mut event = decoder.decode(line, &mut state, &context).unwrap();
                matcher.match_event(&mut event, &mut record, &mut hits);
                let spent = allocations() - before;
                if pass == 2 && hits.is_empty() {
                    quiet += 1;
                    assert_eq!(spent, 0, "{layout:?}: {line}");
                }
                hits.clear();
            }
        }
        assert!(quiet > lines.len() / 2, "{layout:?}: {quiet} of {} events hit nothing", lines.len());
    }
}
