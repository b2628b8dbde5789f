//! `cidrMatch(source, block, …)` of the Endgame dialect: false, not null, for what is no text.

use crate::function::{Call, Function, Kind, Missing, Spoken, ex, parameter};
use crate::pattern::{IpBlock, parse_ip};
use crate::value::Datum;

pub const CIDR_MATCH: Function = Function {
    name: "cidrMatch",
    meaning: "true where the address lies in one of the blocks, else false, also for an absent one",
    folds: false,
    spoken: Spoken::Endgame,
    parameters: &[parameter("source", Kind::String), parameter("block", Kind::String).repeated().constant()],
    returns: Kind::Boolean,
    missing: Missing::PropagatesFirst(0),
    eval,
    examples: &[
        ex(r#"cidrMatch("10.1.2.3", "10.0.0.0/8")"#, "true"),
        ex(r#"cidrMatch("11.1.2.3", "10.0.0.0/8", "172.16.0.0/12")"#, "false"),
        ex(r#"cidrMatch("fe80::1", "FE80::/10")"#, "true"),
        ex(r#"cidrMatch("host-7", "10.0.0.0/8")"#, "false"),
        ex(r#"cidrMatch(null, "10.0.0.0/8")"#, "false"),
    ],
};

fn eval<'a>(_: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
    let Some((Datum::Text(address), blocks)) = arguments.split_first() else { return Datum::Boolean(false) };
    let Some(address) = parse_ip(address) else { return Datum::Boolean(false) };
    let mut blocks = blocks.iter().filter_map(|block| block.as_text().and_then(IpBlock::parse));
    Datum::Boolean(blocks.any(|block| block.contains(address)))
}
