//! An event that hits nothing allocates nothing, once buffers have grown.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(unsafe_code, reason = "an allocator that counts cannot be written without")]

#[path = "../../../testing/counting_allocator.rs"]
mod counting_allocator;
mod scan;

use counting_allocator::allocations;
use quell_engine::EngineOptions;
use quell_event::{Event, EventState};
use scan::{bare_rule, engine_of, projection, record_ref, with_rule};
/// Every kind of predicate; none matches an event below.
const QUERIES: &[&str] = &[
    r#"process where process.name == "zz""#,
    r#"process where process.name : ("zz.exe", "yy.exe") and event.type == "start""#,
    r#"process where process.command_line like~ ("*-zz *", "*yy*ww*", "vv?") "#,
    r#"process where process.command_line like "*ZZ*""#,
    r#"process where process.executable regex~ "c:.*zz[0-9]+""#,
    r#"process where process.executable > "zzz""#,
    "process where process.pid == 99999",
    "process where process.score > 100",
    "any where file.size < 0",
    r#"any where event.created > "2100-01-01""#,
    r#"any where cidrmatch(source.ip, "192.0.2.0/24")"#,
    r#"any where source.ip == "192.0.2.1""#,
    r#"any where host.os.version > "99""#,
    "process where process.code_signature.trusted == true",
    "any where some.missing.field != null",
    r#"any where my.unknown == "zz" or my.unknown > 77"#,
    "any where length(process.args) > 1000",
    r#"any where concat(process.name, user.name, process.parent.name) == "zz""#,
    r#"any where startsWith~(process.command_line, substring(user.name, 1)) and process.pid < 0"#,
    "any where process.pid * 2 == 1",
    r#"process where not process.name : "cmd*" and not user.name like "*b*""#,
    r#"any where process.name : "zz" or process.pid == 1 or (user.name : "nobody*" and not file.size > 3)"#,
    "network where true",
    "any where false",
];

const ENDPOINT_QUERIES: &[&str] = &[
    r#"process where _arraysearch(process.Ext.frames, $f, $f.module : "zz*" and $f.size > 3)"#,
    "process where _arraysearch(process.Ext.frames, $f, startswith~($f.module, process.name))",
    "process where process.Ext.frames == null",
    r#"process where process.name : "zz" and descendant of [process where process.name : "yy"]"#,
    r#"sequence [process where process.name : "zz"] as event0
       [process where process.pid < 0 and startswith~(process.name, event0.process.name)]"#,
];

const RECORDS: &[&str] = &[
    r#"{"@timestamp":"2024-05-01T10:00:00Z","event":{"category":["process"],"type":["start"],"action":"start","created":"2024-05-01T10:00:01Z","dataset":"endpoint.events.process"},"host":{"name":"ws-17","os":{"type":"windows","version":"10.0"}},"process":{"name":"CMD.exe","executable":"C:\\Windows\\System32\\CMD.exe","command_line":"CMD.exe /c \"net view\" \u00c9","args":["CMD.exe","/c","net view"],"pid":4242,"score":0.5,"parent":{"name":"explorer.exe"},"code_signature":{"trusted":false},"Ext":{"frames":[{"module":"Kernel\u0065l.dll","size":3},{"module":"ntdll.dll","size":[1,2]}]}},"user":{"name":"bob"},"my":{"unknown":["a",7]}}"#,
    r#"{"@timestamp":1714557600000,"event":{"category":"file","type":"creation"},"file":{"size":17},"source":{"ip":["10.0.0.1","::1"]},"user":{"name":"Bob"},"process":{"name":"CmdX","pid":"17"}}"#,
    r#"{"message":"nothing of note"}"#,
    r#"{"event":{"category":["process","file"],"type":"end"},"process":{"name":["CMD","cmd2"],"Ext":{"frames":{"module":"a"}}},"user.name":"xbx"}"#,
];

#[test]
fn an_event_that_hits_nothing_allocates_nothing() {
    let mut rules = Vec::new();
    for (n, eql) in QUERIES.iter().enumerate() {
        let mut plain = bare_rule(&format!("p{n}"));
        rules.push(with_rule(plain.clone(), eql));
        plain.id = format!("i{n}");
        plain.index = Some(vec!["logs-*".to_owned()]);
        rules.push(with_rule(plain, eql));
    }
    for eql in ENDPOINT_QUERIES {
        let mut rule = bare_rule(eql);
        rule.os_list = vec!["windows".to_owned()];
        rules.push(with_rule(rule, eql));
    }
    // True of every event, but for another index.
    let mut elsewhere = bare_rule("elsewhere");
    elsewhere.index = Some(vec!["logs-none-*".to_owned()]);
    let named = r#"any where data_stream.dataset != null or event.dataset != null"#;
    rules.push(with_rule(elsewhere, named));
    assert!(rules.len() > 50);

    let engine = engine_of(rules, &EngineOptions::default());
    let projection = projection(&engine);
    let mut state = EventState::default();
    let mut matcher = engine.matcher();
    let mut hits = Vec::new();
    let mut pass = || {
        for (n, record) in RECORDS.iter().enumerate() {
            state.begin(engine.fields().len(), 0);
            projection.project(record, &mut state).unwrap();
            let mut event = Event::new(record, &mut state, None);
            matcher.match_event(&mut event, &mut || record_ref(n, record), &mut hits);
        }
    };
    pass();
    pass();
    let before = allocations();
    for _ in 0..10 {
        pass();
    }
    let after = allocations();
    let names: Vec<&str> = hits.iter().map(|hit| engine.rule(hit.rule).unwrap().id.as_str()).collect();
    assert!(names.is_empty(), "{names:?}");
    assert_eq!(after - before, 0);
    let stats = matcher.stats();
    assert!(stats.candidates > 0 && stats.other_index > 0 && stats.cut == 0, "{stats:?}");
}
