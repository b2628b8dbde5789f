//! The community id of a flow, by which network sensors name the same flow.
//!
//! Source: "Community ID Flow Hashing", version 1, seed 0.

use super::windows::address;
use super::{ArgumentKind, Derivation, Run};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use sha1::{Digest, Sha1};
use std::net::IpAddr;

pub(super) static COMMUNITY_ID: Derivation = Derivation {
    name: "community_id",
    doc: "The community id of `address + port + address + port + protocol`, the protocol by name or number; for TCP, UDP and SCTP alone.",
    argument: ArgumentKind::None,
    run: Run::Each(|input, _, out| {
        if let Some(id) = Flow::parse(input.text).and_then(|flow| flow.id()) {
            out.text(std::str::from_utf8(&id).unwrap_or(""));
        }
    }),
    examples: &[
        ("", "128.232.110.120\t34855\t66.35.250.204\t80\ttcp", &["1:LQU9qZlK+B5F3KDmev6m5PMibrg="]),
        ("", "66.35.250.204\t80\t128.232.110.120\t34855\t6", &["1:LQU9qZlK+B5F3KDmev6m5PMibrg="]),
        ("", "192.168.1.52\t54585\t8.8.8.8\t53\tudp", &["1:d/FP5EW3wiY1vCndhwleRRKHowQ="]),
        ("", "10.0.0.1\t8\t10.0.0.2\t0\ticmp", &[]),
        ("", "10.0.0.1\t99999\t10.0.0.2\t0\ttcp", &[]),
    ],
};

struct Flow {
    from: (IpAddr, u16),
    to: (IpAddr, u16),
    protocol: u8,
}

impl Flow {
    fn parse(text: &str) -> Option<Flow> {
        let mut parts = text.split('\t');
        let mut end = || Some((address(parts.next()?)?, parts.next()?.parse().ok()?));
        let (from, to) = (end()?, end()?);
        let protocol = match parts.next()? {
            "tcp" | "6" => 6,
            "udp" | "17" => 17,
            "sctp" | "132" => 132,
            _ => return None,
        };
        Some(Flow { from, to, protocol })
    }

    /// `1:` and the hash in base 64. `None` where the ends are of different kinds.
    fn id(&self) -> Option<[u8; 30]> {
        // Both directions are the same flow: the lesser end comes first.
        let (low, high) = if self.from <= self.to { (self.from, self.to) } else { (self.to, self.from) };
        if low.0.is_ipv4() != high.0.is_ipv4() {
            return None;
        }
        let mut hash = Sha1::new();
        hash.update(0_u16.to_be_bytes());
        for (address, _) in [low, high] {
            match address {
                IpAddr::V4(address) => hash.update(address.octets()),
                IpAddr::V6(address) => hash.update(address.octets()),
            }
        }
        hash.update([self.protocol, 0]);
        hash.update(low.1.to_be_bytes());
        hash.update(high.1.to_be_bytes());
        let mut id = *b"1:............................";
        let (_, digits) = id.split_at_mut(2);
        BASE64.encode_slice(hash.finalize(), digits).ok()?;
        Some(id)
    }
}
