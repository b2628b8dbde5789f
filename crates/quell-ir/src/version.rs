//! The order of versions: Semantic Versioning, as Elasticsearch's `version` field has it.
//!
//! Source: Elasticsearch's "Version field type" and semver.org. A text that is no version comes after all that are, and
//! such texts stand in the order of their characters.

use std::cmp::Ordering;

/// The order of two versions. Build metadata (`+…`) does not count unless all else is the same.
#[must_use]
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    match (Version::parse(a), Version::parse(b)) {
        (Some(left), Some(right)) => left.order(&right).then_with(|| a.cmp(b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

struct Version<'t> {
    core: &'t str,
    pre_release: Option<&'t str>,
}

impl<'t> Version<'t> {
    /// `1`, `1.2`, `1.2.3.4`, each with `-pre.release` and `+build`.
    fn parse(text: &'t str) -> Option<Self> {
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (core, pre_release) = match text.split_once('-') {
            Some((core, pre_release)) => (core, Some(pre_release)),
            None => (text, None),
        };
        let numeric =
            core.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
        let identifiers = pre_release.is_none_or(|text| text.split('.').all(is_identifier));
        (numeric && identifiers).then_some(Version { core, pre_release })
    }

    fn order(&self, other: &Self) -> Ordering {
        let core = self.core.split('.').zip_longest(other.core.split('.'));
        for (a, b) in core {
            let order = compare_numbers(a.unwrap_or("0"), b.unwrap_or("0"));
            if order.is_ne() {
                return order;
            }
        }
        match (self.pre_release, other.pre_release) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater, // a release comes after its candidates
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => compare_identifiers(a, b),
        }
    }
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn compare_identifiers(a: &str, b: &str) -> Ordering {
    for (a, b) in a.split('.').zip_longest(b.split('.')) {
        let order = match (a, b) {
            (None, _) => Ordering::Less, // fewer identifiers come first
            (_, None) => Ordering::Greater,
            (Some(a), Some(b)) => match (is_number(a), is_number(b)) {
                (true, true) => compare_numbers(a, b),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => a.cmp(b),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// The order of two decimal numbers of any length.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Pairs of two iterators until both end.
trait ZipLongest: Iterator + Sized {
    fn zip_longest<O: Iterator>(
        mut self,
        mut other: O,
    ) -> impl Iterator<Item = (Option<Self::Item>, Option<O::Item>)> {
        std::iter::from_fn(move || match (self.next(), other.next()) {
            (None, None) => None,
            pair => Some(pair),
        })
    }
}

impl<I: Iterator> ZipLongest for I {}

#[cfg(test)]
mod tests {
    use super::compare_versions;
    use std::cmp::Ordering;

    #[test]
    fn versions_stand_in_semantic_order() {
        let ascending = [
            "0.9",
            "1",
            "1.0.1-1",
            "1.0.1-2",
            "1.0.1-10",
            "1.0.1-alpha",
            "1.0.1-alpha.1",
            "1.0.1-alpha.beta",
            "1.0.1-rc.1",
            "1.0.1",
            "1.0.1+build",
            "1.2.0",
            "1.10.0",
            "2.0.0",
            "10.0.0",
            "1..2",
            "10.0.x",
            "abc",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare_versions(a, b), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(compare_versions("1.0.0", "1.0.0"), Ordering::Equal);
        assert_eq!(compare_versions("99999999999999999999.1", "99999999999999999998.2"), Ordering::Greater);
    }
}
