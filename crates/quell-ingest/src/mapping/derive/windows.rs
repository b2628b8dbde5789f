//! Windows' own notations: GUIDs, SIDs, audit keywords, addresses.

use super::numbers::integer;
use super::{ArgumentKind, Derivation, Run};
use quell_ir::Datum;
use std::net::IpAddr;

pub(super) static GUID: Derivation = Derivation {
    name: "guid",
    doc: "A GUID in braces, as Sysmon's process ids stand in `process.entity_id`; the GUID of zeros is dropped.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        let bare = input.text.trim_start_matches('{').trim_end_matches('}');
        if bare.bytes().all(|byte| byte == b'0' || byte == b'-') {
            return;
        }
        if bare.len() == input.text.len() {
            out.build(|buffer| buffer.extend(["{", bare, "}"]));
        } else {
            out.text(input.text);
        }
    }),
    examples: &[
        ("", "{71b87c12-d9fe-5f84-1701-000000000500}", &["{71b87c12-d9fe-5f84-1701-000000000500}"]),
        ("", "71B87C12-D9FE-5F84-1701-000000000500", &["{71B87C12-D9FE-5F84-1701-000000000500}"]),
        ("", "{00000000-0000-0000-0000-000000000000}", &[]),
    ],
};

pub(super) static SID: Derivation = Derivation {
    name: "sid",
    doc: "A security identifier; `S-1-0-0`, which is nobody's, is dropped.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        if input.text != "S-1-0-0" {
            out.text(input.text);
        }
    }),
    examples: &[("", "S-1-5-18", &["S-1-5-18"]), ("", "S-1-0-0", &[])],
};

/// Keyword bits that mean the same in every provider, and their names.
const KEYWORD_BITS: &[(u32, &str)] = &[
    (48, "Response Time"),
    (49, "WDI Context"),
    (50, "WDI Diag"),
    (51, "SQM"),
    (AUDIT_FAILURE, "Audit Failure"),
    (AUDIT_SUCCESS, "Audit Success"),
    (54, "Correlation Hint"),
    (55, "Classic"),
];
const AUDIT_FAILURE: u32 = 52;
const AUDIT_SUCCESS: u32 = 53;

/// The bits of `0x8020000000000000`, or of the same as a signed or unsigned number.
fn keyword_bits(datum: Datum<'_>) -> Option<u64> {
    match datum {
        Datum::Integer(n) => Some(n.cast_unsigned()),
        Datum::Unsigned(n) => Some(n),
        Datum::Text(text) => match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => integer(text).map(i64::cast_unsigned),
        },
        _ => None,
    }
}

/// The name of a keyword as other recorders write it.
fn keyword_name(text: &str) -> &str {
    match text {
        "AUDIT_SUCCESS" => "Audit Success",
        "AUDIT_FAILURE" => "Audit Failure",
        // NXLog's words for the level stand in the same field.
        "INFO" | "WARNING" | "ERROR" | "CRITICAL" | "VERBOSE" | "DEBUG" => "",
        other => other,
    }
}

pub(super) static KEYWORDS: Derivation = Derivation {
    name: "keywords",
    doc: "The names of an event's keywords: of the bits that mean the same in every provider, or as they are.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| match keyword_bits(input.datum) {
        Some(bits) => {
            for (bit, name) in KEYWORD_BITS {
                if bits >> bit & 1 == 1 {
                    out.text(name);
                }
            }
        }
        None => out.text(keyword_name(input.text)),
    }),
    examples: &[
        ("", "0x8020000000000000", &["Audit Success"]),
        ("", "-9218868437227405312", &["Audit Failure"]),
        ("", "0x80000000000000", &["Classic"]),
        ("", "0x8000000000000000", &[]),
        ("", "AUDIT_SUCCESS", &["Audit Success"]),
        ("", "INFO", &[]),
    ],
};

pub(super) static OUTCOME: Derivation = Derivation {
    name: "outcome",
    doc: "`success` or `failure` by an event's audit keywords.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        let (success, failure) = match keyword_bits(input.datum) {
            Some(bits) => (bits >> AUDIT_SUCCESS & 1 == 1, bits >> AUDIT_FAILURE & 1 == 1),
            None => {
                let name = keyword_name(input.text);
                (name == "Audit Success", name == "Audit Failure")
            }
        };
        if failure {
            out.text("failure");
        } else if success {
            out.text("success");
        }
    }),
    examples: &[
        ("", "0x8020000000000000", &["success"]),
        ("", "-9214364837600034816", &["success"]),
        ("", "0x8010000000000000", &["failure"]),
        ("", "Audit Failure", &["failure"]),
        ("", "0x8000000000000000", &[]),
    ],
};

/// An IP address without its zone; an IPv4 address that is written as IPv6 is IPv4.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let bare = text.split_once('%').map_or(text, |(address, _)| address);
    bare.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

pub(super) static IP: Derivation = Derivation {
    name: "ip",
    doc: "An IP address as it stands, without a zone; `::ffff:10.0.0.1` as IPv4; nothing for other text.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        if address(input.text).is_some() {
            out.text(bare(input.text));
        }
    }),
    examples: &[
        ("", "10.0.0.1", &["10.0.0.1"]),
        ("", "::ffff:10.0.0.1", &["10.0.0.1"]),
        ("", "fe80::1%5", &["fe80::1"]),
        ("", "host", &[]),
    ],
};

/// The text of an address without its zone and without the prefix of mapped IPv4.
pub(super) fn bare(text: &str) -> &str {
    let text = text.split_once('%').map_or(text, |(address, _)| address).trim();
    match text.rsplit_once(':') {
        // A dotted tail behind a mapped prefix is the address itself.
        Some((_, tail)) if tail.contains('.') && address(text).is_some_and(|address| address.is_ipv4()) => {
            tail
        }
        _ => text,
    }
}

pub(super) static IP_VERSION: Derivation = Derivation {
    name: "ip_version",
    doc: "`ipv4` or `ipv6` by the form of an address.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        if let Some(address) = address(input.text) {
            out.text(if address.is_ipv4() { "ipv4" } else { "ipv6" });
        }
    }),
    examples: &[("", "10.0.0.1", &["ipv4"]), ("", "ff02::1:2", &["ipv6"]), ("", "-", &[])],
};
