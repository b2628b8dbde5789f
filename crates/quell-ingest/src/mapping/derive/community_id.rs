//! The community id of a flow, by which network sensors name the same flow.
//!
//! Source: "Community ID Flow Hashing", version 1, seed 0. The hashed text is at most 40 bytes, so one block of SHA-1
//! (FIPS 180-4) does.

use super::windows::address;
use super::{ArgumentKind, Derivation, Run};
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
        let mut message = Message::default();
        message.push(&0_u16.to_be_bytes());
        for (address, _) in [low, high] {
            match address {
                IpAddr::V4(address) => message.push(&address.octets()),
                IpAddr::V6(address) => message.push(&address.octets()),
            }
        }
        message.push(&[self.protocol, 0]);
        message.push(&low.1.to_be_bytes());
        message.push(&high.1.to_be_bytes());
        let mut id = [0; 30];
        let (prefix, hash) = id.split_at_mut(2);
        prefix.copy_from_slice(b"1:");
        base64(&message.sha1(), hash);
        Some(id)
    }
}

/// A text of at most 55 bytes: one block of SHA-1 with its padding.
struct Message {
    block: [u8; 64],
    len: usize,
}

impl Default for Message {
    fn default() -> Self {
        Message { block: [0; 64], len: 0 }
    }
}

impl Message {
    fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.block.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    fn sha1(mut self) -> [u8; 20] {
        let bits = (self.len as u64) * 8;
        self.push(&[0x80]);
        if let Some(length) = self.block.last_chunk_mut() {
            *length = bits.to_be_bytes();
        }
        let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (round, word) in schedule(&self.block).into_iter().enumerate() {
            let (mixed, constant) = match round {
                0..20 => ((b & c) | (!b & d), 0x5a82_7999),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let sum = a
                .rotate_left(5)
                .wrapping_add(mixed)
                .wrapping_add(e)
                .wrapping_add(constant)
                .wrapping_add(word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, sum);
        }
        for (word, add) in state.iter_mut().zip([a, b, c, d, e]) {
            *word = word.wrapping_add(add);
        }
        let mut digest = [0; 20];
        for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        digest
    }
}

/// The 80 words of SHA-1's message schedule.
fn schedule(block: &[u8; 64]) -> [u32; 80] {
    let mut words = [0_u32; 80];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for at in 16..80 {
        let earlier = |back: usize| words.get(at - back).copied().unwrap_or(0);
        let word = (earlier(3) ^ earlier(8) ^ earlier(14) ^ earlier(16)).rotate_left(1);
        if let Some(slot) = words.get_mut(at) {
            *slot = word;
        }
    }
    words
}

fn base64(bytes: &[u8], out: &mut [u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (group, digits) in bytes.chunks(3).zip(out.chunks_mut(4)) {
        let bits =
            group.iter().enumerate().fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for (at, digit) in digits.iter_mut().enumerate() {
            let value = bits >> (18 - 6 * at) & 63;
            *digit =
                if at <= group.len() { DIGITS.get(value as usize).copied().unwrap_or(b'=') } else { b'=' };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Message, base64};

    #[test]
    fn sha1_of_short_texts() {
        for (text, expected) in [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ] {
            let mut message = Message::default();
            message.push(text.as_bytes());
            let hex: String = message.sha1().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected);
        }
    }

    #[test]
    fn base64_pads() {
        for (text, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            let mut out = vec![0; text.len().div_ceil(3) * 4];
            base64(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
