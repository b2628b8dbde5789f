//! Value lists: files of one value a line, which exceptions name.
//!
//! Source: Elastic Security's "Create and manage value lists". What the values are (texts, addresses, ranges of addresses)
//! says the entry that names the list.

use crate::limits::{MAX_LIST_BLOCKS, MAX_VALUE_LIST_BYTES};
use quell_ir::Span;
use quell_ir::pattern::{IpBlock, parse_ip};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The values of a file.
#[derive(Clone, Debug)]
pub struct ValueList {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: Arc<str>,
}

impl ValueList {
    /// Reads a file.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn load(path: &Path) -> Result<ValueList, String> {
        let text = crate::load::read_text(path, MAX_VALUE_LIST_BYTES)?;
        Ok(ValueList { path: path.to_owned(), text: text.into() })
    }

    /// The values, each with its place: lines without white space around them, empty ones left out.
    pub fn values(&self) -> impl Iterator<Item = (&str, Span)> {
        let text: &str = &self.text;
        let mut at = 0;
        text.split_inclusive('\n').filter_map(move |line| {
            let start = at + (line.len() - line.trim_start().len());
            at += line.len();
            let value = line.trim().trim_start_matches('\u{feff}');
            (!value.is_empty()).then(|| (value, Span::new(start, start + value.len())))
        })
    }

    /// The addresses and ranges of addresses, or the first value that is neither.
    pub(crate) fn blocks(&self) -> Result<Vec<IpBlock>, (String, Span)> {
        let mut blocks = Vec::new();
        for (value, span) in self.values() {
            if !add_blocks(value, &mut blocks) {
                return Err((format!("`{value}` is no address, block or range of addresses"), span));
            }
            if blocks.len() > MAX_LIST_BLOCKS {
                return Err((format!("its ranges come to more than {MAX_LIST_BLOCKS} blocks"), span));
            }
        }
        blocks.sort_unstable();
        blocks.dedup();
        Ok(blocks)
    }
}

/// Adds what a value covers: `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`.
fn add_blocks(value: &str, blocks: &mut Vec<IpBlock>) -> bool {
    let Some((from, to)) = value.split_once('-') else {
        let block = IpBlock::parse(value);
        blocks.extend(block);
        return block.is_some();
    };
    match (parse_ip(from.trim()), parse_ip(to.trim())) {
        (Some(IpAddr::V4(from)), Some(IpAddr::V4(to))) if from <= to => {
            let (from, to) = (u128::from(u32::from(from)), u128::from(u32::from(to)));
            cover(from, to, 32, &mut |at, prefix| {
                let address = Ipv4Addr::from(u32::try_from(at).unwrap_or(u32::MAX));
                blocks.extend(IpBlock::parse(&format!("{address}/{prefix}")));
            });
            true
        }
        (Some(IpAddr::V6(from)), Some(IpAddr::V6(to))) if from <= to => {
            cover(from.into(), to.into(), 128, &mut |at, prefix| {
                blocks.extend(IpBlock::parse(&format!("{}/{prefix}", Ipv6Addr::from(at))));
            });
            true
        }
        _ => false,
    }
}

/// The fewest blocks that cover a range, both ends included: at each place the largest that starts there and fits.
fn cover(from: u128, to: u128, bits: u32, block: &mut dyn FnMut(u128, u32)) {
    let mut at = from;
    loop {
        let aligned = at.trailing_zeros().min(bits);
        let room = to - at; // one less than the addresses that are left
        let fits = if room == u128::MAX { 128 } else { (room + 1).ilog2() };
        let size = aligned.min(fits);
        block(at, bits - size);
        // The block's last address.
        let last = if size == 128 { u128::MAX } else { at + ((1u128 << size) - 1) };
        if last >= to {
            return;
        }
        at = last + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{ValueList, add_blocks};
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn blocks(value: &str) -> Option<Vec<String>> {
        let mut blocks = Vec::new();
        add_blocks(value, &mut blocks).then(|| blocks.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn ranges_are_covered_by_blocks() {
        let cases: &[(&str, Option<&[&str]>)] = &[
            ("10.0.0.1", Some(&["10.0.0.1/32"])),
            ("10.0.0.9/8", Some(&["10.0.0.0/8"])),
            ("10.0.0.1 - 10.0.0.4", Some(&["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/32"])),
            ("0.0.0.0-255.255.255.255", Some(&["0.0.0.0/0"])),
            ("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some(&["::/0"])),
            ("fe80::1-fe80::1", Some(&["fe80::1/128"])),
            ("10.0.0.4-10.0.0.1", None),
            ("10.0.0.4-::1", None),
            ("nmap", None),
            ("10.0.0.0/33", None),
        ];
        for (value, expected) in cases {
            let expected = expected.map(|blocks| blocks.iter().map(ToString::to_string).collect());
            assert_eq!(blocks(value), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_range_holds_what_lies_between_its_ends(a: u32, b: u32, c: u32) {
            let (from, to) = (a.min(b), a.max(b));
            let mut blocks = Vec::new();
            let range = format!("{}-{}", Ipv4Addr::from(from), Ipv4Addr::from(to));
            prop_assert!(add_blocks(&range, &mut blocks));
            for address in [a, b, c, from.wrapping_sub(1), to.wrapping_add(1)] {
                let holds = blocks.iter().any(|block| block.contains(Ipv4Addr::from(address).into()));
                prop_assert_eq!(holds, from <= address && address <= to);
            }
        }
    }

    #[test]
    fn values_are_lines_with_their_places() {
        let list = ValueList { path: "l".into(), text: "\u{feff}a\r\n\n  b c \nd".into() };
        let values: Vec<(&str, &str)> = list.values().map(|(v, span)| (v, span.text(&list.text))).collect();
        assert_eq!(values.iter().map(|(value, _)| *value).collect::<Vec<_>>(), ["a", "b c", "d"]);
        assert_eq!(values.get(1).map(|(_, there)| *there), Some("b c"));
    }
}
