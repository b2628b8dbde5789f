//! `cidrMatch(ip, block, …)`: whether an address lies in one of the blocks.
//!
//! Source: Elasticsearch's "EQL function reference", cidrMatch.

use super::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::pattern::{IpBlock, parse_ip};
use crate::value::Datum;

pub const CIDR_MATCH: Function = Function {
    name: "cidrMatch",
    meaning: "true where the address lies in one of the blocks; an address as a block is that address",
    folds: false,
    spoken: Spoken::Elasticsearch,
    parameters: &[parameter("ip", Kind::Ip), parameter("block", Kind::String).repeated().constant()],
    returns: Kind::Boolean,
    missing: Missing::PropagatesFirst(1),
    eval,
    examples: &[
        ex(r#"cidrMatch("10.1.2.3", "10.0.0.0/8")"#, "true"),
        ex(r#"cidrMatch("11.1.2.3", "10.0.0.0/8", "172.16.0.0/12")"#, "false"),
        ex(r#"cidrMatch("fe80::1", "10.0.0.0/8", "FE80::/10")"#, "true"),
        ex(r#"cidrMatch("10.1.2.3", "10.6.48.157/8")"#, "true"),
        ex(r#"cidrMatch("::1", "::1")"#, "true"),
        ex(r#"cidrMatch("10.1.2.3", "::/0")"#, "true"),
        ex(r#"cidrMatch("host-7", "10.0.0.0/8")"#, "null"),
        ex(r#"cidrMatch(null, "10.0.0.0/8")"#, "null"),
    ],
};

fn eval<'a>(_: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let Some((Datum::Text(address), blocks)) = arguments.split_first() else { return Datum::Null };
    let Some(address) = parse_ip(address) else { return Datum::Null };
    let mut blocks = blocks.iter().filter_map(|block| block.as_text().and_then(IpBlock::parse));
    Datum::Boolean(blocks.any(|block| block.contains(address)))
}
