//! The one registry of diagnostic codes. A code is never reused and never changes its meaning.
//!
//! E0000-E0099 lexical, E0100-E0199 syntax and structure, E0200-E0299 names and types, E0300-E0399 rules,
//! W0400-W0499 inputs, W0500-W0599 limits that bit at run time. Of the languages' numbers KQL and Lucene have 30-39, 160-179
//! and 240-259.

/// Declares the codes of one area: a constant on [`Code`] each, and the area's part of the registry.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $severity:ident $title:literal $explanation:literal;)*) => {
        pub(super) static ENTRIES: &[crate::codes::Entry] = &[
            $(crate::codes::Entry {
                code: $code, title: $title, severity: crate::Severity::$severity, explanation: $explanation,
            },)*
        ];
        impl crate::Code {
            codes!(@consts 0usize; $($(#[$doc])* $name $title,)*);
        }
    };
    (@consts $at:expr; $(#[$doc:meta])* $name:ident $title:literal, $($rest:tt)*) => {
        $(#[$doc])*
        #[doc = $title]
        #[allow(clippy::indexing_slicing, reason = "the index is the entry's own place, checked when compiled")]
        pub const $name: crate::Code = { static AT: &crate::codes::Entry = &ENTRIES[$at]; crate::Code::from_entry(AT) };
        codes!(@consts $at + 1usize; $($rest)*);
    };
    (@consts $at:expr;) => {};
}
mod eql;
mod input;
mod kql;
mod rules;

use crate::Severity;

/// What codes are about; each has a file of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// EQL, and what all languages share.
    Eql,
    /// KQL and Lucene query strings.
    Kql,
    /// Rules and their files.
    Rules,
    /// Inputs, and limits that bit on them.
    Input,
}

/// One entry of the registry.
#[derive(Debug)]
pub struct Entry {
    /// The stable name, as printed: `E0204`.
    pub code: &'static str,
    /// The short title.
    pub title: &'static str,
    /// The severity unless a finding says otherwise.
    pub severity: Severity,
    /// The page that `quell check --explain` prints: what it means, an example, what to do.
    pub explanation: &'static str,
}

/// A reference into the registry; compared by its stable name.
#[derive(Clone, Copy)]
pub struct Code(&'static Entry);

impl Code {
    /// The stable name: `E0204`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0.code
    }

    /// The short title.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.0.title
    }

    /// The severity unless a finding says otherwise.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.0.severity
    }

    /// The long explanation.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        self.0.explanation
    }

    /// Every code there is, in order.
    pub fn all() -> impl Iterator<Item = Code> {
        [Area::Eql, Area::Kql, Area::Rules, Area::Input].into_iter().flat_map(Code::of)
    }

    /// The codes of one area, in order.
    pub fn of(area: Area) -> impl Iterator<Item = Code> {
        let entries = match area {
            Area::Eql => eql::ENTRIES,
            Area::Kql => kql::ENTRIES,
            Area::Rules => rules::ENTRIES,
            Area::Input => input::ENTRIES,
        };
        entries.iter().map(Code)
    }

    /// The code of that name, in any case.
    #[must_use]
    pub fn find(name: &str) -> Option<Code> {
        Code::all().find(|code| code.as_str().eq_ignore_ascii_case(name))
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.0.code == other.0.code
    }
}

impl Eq for Code {}

impl std::hash::Hash for Code {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.code.hash(state);
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.code)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.code)
    }
}

impl Code {
    const fn from_entry(entry: &'static Entry) -> Code {
        Code(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::Code;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_their_letter_says_their_severity() {
        let mut seen = HashSet::new();
        for code in Code::all() {
            assert!(seen.insert(code.as_str()), "{code} stands twice");
            let letter = if code.severity() == crate::Severity::Error { 'E' } else { 'W' };
            assert!(code.as_str().starts_with(letter), "{code} has the severity {:?}", code.severity());
            assert!(!code.explanation().is_empty(), "{code} explains nothing");
        }
    }
}
