//! Any text, in each dialect of EQL: parsing never panics, and what parses is formatted to the same tree, stably.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quell_eql::{Dialect, format, format_source, parse};

fuzz_target!(|source: &str| {
    for dialect in Dialect::ALL {
        let Ok(tree) = parse(source, dialect) else { continue };
        let Ok(with_comments) = format_source(source, dialect) else { panic!("parse and format_source disagree") };
        for text in [format(&tree), with_comments] {
            match parse(&text, dialect) {
                Ok(again) => assert!(again.same_as(&tree), "another tree:\n{text}"),
                Err(findings) => panic!("formatted, it is refused: {findings:?}\n{text}"),
            }
            assert_eq!(format_source(&text, dialect).as_deref(), Ok(text.as_str()), "not stable");
        }
    }
});
