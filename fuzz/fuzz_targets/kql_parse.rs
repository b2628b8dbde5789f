//! Any text as KQL: it is refused, or it compiles and means the same once formatted, and the formatter is stable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quell_ir::schema::NoSchema;
use quell_kql::{Language, Options, compile, format_source};

fuzz_target!(|text: &str| {
    let Ok(formatted) = format_source(text, Language::Kql) else { return };
    assert_eq!(format_source(&formatted, Language::Kql).as_ref(), Ok(&formatted), "not stable");
    let options = Options::new(&NoSchema);
    if let Ok(compiled) = compile(text, Language::Kql, &options) {
        let again = compile(&formatted, Language::Kql, &options).map(|again| again.condition);
        assert_eq!(again, Ok(compiled.condition), "means something else: {formatted}");
    }
});
