//! Sysmon's results of a DNS query.

use super::windows::{address, bare};
use super::{ArgumentKind, Derivation, Run};
use std::net::IpAddr;

/// Record types by number (RFC 1035 and its successors).
const TYPES: &[(&str, &str)] = &[
    ("1", "A"),
    ("2", "NS"),
    ("5", "CNAME"),
    ("6", "SOA"),
    ("12", "PTR"),
    ("13", "HINFO"),
    ("15", "MX"),
    ("16", "TXT"),
    ("28", "AAAA"),
    ("33", "SRV"),
    ("35", "NAPTR"),
    ("39", "DNAME"),
    ("43", "DS"),
    ("46", "RRSIG"),
    ("47", "NSEC"),
    ("48", "DNSKEY"),
    ("64", "SVCB"),
    ("65", "HTTPS"),
    ("252", "AXFR"),
    ("255", "ANY"),
];

/// The answers in `type:  5 www.example.net;::ffff:10.0.0.1;`: record type and data.
fn answers(results: &str) -> impl Iterator<Item = (&str, &str)> {
    results.split(';').filter_map(|entry| {
        let entry = entry.trim();
        if let Some(typed) = entry.strip_prefix("type:") {
            let (number, data) =
                typed.trim_start().split_once(char::is_whitespace).unwrap_or((typed.trim(), ""));
            let name = TYPES.iter().find(|(known, _)| *known == number).map_or(number, |(_, name)| *name);
            return Some((name, data.trim()));
        }
        let kind = match address(entry)? {
            IpAddr::V4(_) => "A",
            IpAddr::V6(_) => "AAAA",
        };
        Some((kind, bare(entry)))
    })
}

pub(super) static DNS_ANSWERS: Derivation = Derivation {
    name: "dns_answers",
    doc: "The answers of a DNS query as objects of `type` and `data`; with a name in brackets, that member of each.",
    argument: ArgumentKind::OptionalWord(&["type", "data"]),
    run: Run::Each(|input, argument, out| {
        for (kind, data) in answers(input.text) {
            out.object(argument.text(), &[("type", kind), ("data", data)]);
        }
    }),
    examples: &[
        (
            "",
            "type:  5 www.example.net;::ffff:10.0.0.1;",
            &[r#"{"type":"CNAME","data":"www.example.net"}"#, r#"{"type":"A","data":"10.0.0.1"}"#],
        ),
        ("type", "fe80::1;type: 999 x;", &["AAAA", "999"]),
        ("data", "type:  6 ;172.16.0.1;", &["172.16.0.1"]),
        ("", "type:  6 ;", &[r#"{"type":"SOA"}"#]),
        ("data", "-", &[]),
    ],
};

pub(super) static RESOLVED_IPS: Derivation = Derivation {
    name: "resolved_ips",
    doc: "The addresses among the answers of a DNS query.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        for (kind, data) in answers(input.text) {
            if matches!(kind, "A" | "AAAA") && address(data).is_some() {
                out.text(data);
            }
        }
    }),
    examples: &[
        ("", "type:  5 www.example.net;::ffff:10.0.0.1;fe80::2;", &["10.0.0.1", "fe80::2"]),
        ("", "type:  33 ;10.0.0.5;", &["10.0.0.5"]),
    ],
};
