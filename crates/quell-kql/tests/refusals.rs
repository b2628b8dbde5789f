//! The page of each code: its example, the first indented lines, brings forth the code.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test may panic")]

use quell_event::EcsSchema;
use quell_ir::Code;
use quell_ir::codes::Area;
use quell_kql::{Language, Options, compile};

#[test]
fn the_examples_of_the_registry_are_found_with_their_code() {
    let lucene = ["E0163", "W0249", "W0250"];
    let schema = EcsSchema::new();
    for code in Code::of(Area::Kql) {
        let example = code.explanation().lines().find_map(|line| line.strip_prefix("    "));
        let example = example.unwrap_or_else(|| panic!("{code} has no example"));
        let language = if lucene.contains(&code.as_str()) { Language::Lucene } else { Language::Kql };
        let found = match compile(example, language, &Options::new(&schema)) {
            Ok(compiled) => compiled.warnings,
            Err(findings) => findings,
        };
        assert!(found.iter().any(|finding| finding.code == code), "{code} {example}: {found:#?}");
        assert!(found.iter().all(|finding| finding.help.is_some() || finding.label.is_some()), "{found:#?}");
    }
}
