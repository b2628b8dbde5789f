//! Sixteen and sixty-four bytes at a time: which of them are a given byte, as bits.

use wide::u8x16;

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub(crate) struct Lanes(u8x16);

impl Lanes {
    #[inline(always)]
    pub(crate) fn load(bytes: &[u8; 16]) -> Self {
        Lanes(u8x16::new(*bytes))
    }

    /// Bit n says that byte n is `byte`.
    #[inline(always)]
    pub(crate) fn equal(self, byte: u8) -> u32 {
        self.0.simd_eq(u8x16::splat(byte)).to_bitmask()
    }

    /// The bytes with bit 5 set, which makes `{` of `[` and `}` of `]`, and of no other byte.
    #[inline(always)]
    pub(crate) fn braces(self) -> Self {
        Lanes(self.0 | u8x16::splat(0x20))
    }
}

/// Sixty-four bytes.
#[derive(Clone, Copy)]
pub(crate) struct Block([Lanes; 4]);

impl Block {
    #[inline(always)]
    pub(crate) fn load(bytes: &[u8; 64]) -> Self {
        let [a, b, c, d] = bytes.as_chunks::<16>().0 else { return Block([Lanes::load(&[0; 16]); 4]) };
        Block([Lanes::load(a), Lanes::load(b), Lanes::load(c), Lanes::load(d)])
    }

    /// Bit n says that byte n is `byte`.
    #[inline(always)]
    pub(crate) fn equal(self, byte: u8) -> u64 {
        let [a, b, c, d] = self.0;
        u64::from(a.equal(byte) | (b.equal(byte) << 16))
            | (u64::from(c.equal(byte) | (d.equal(byte) << 16)) << 32)
    }

    /// The block in which all brackets are braces.
    #[inline(always)]
    pub(crate) fn braces(self) -> Self {
        Block(self.0.map(Lanes::braces))
    }
}

/// Which characters stand behind an escaping backslash, block after block.
#[derive(Clone, Copy, Default)]
pub(crate) struct Escapes {
    /// 1 if the first byte of the next block is escaped.
    carry: u64,
}

impl Escapes {
    /// The escaped bytes of a block with these backslashes. A backslash that is escaped escapes nothing: in a run of
    /// backslashes every second one is escaped, and what follows the run is escaped if the run is odd.
    #[inline(always)]
    pub(crate) fn next(&mut self, backslash: u64) -> u64 {
        if backslash == 0 {
            return std::mem::take(&mut self.carry);
        }
        const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
        // A backslash that is escaped from the block before starts no run; the rest of its run does.
        let runs = backslash & !self.carry;
        // Subtracting a run from the bits behind its members carries to its end: with the odd places filled in, the
        // parity of the run's length comes out at each place of it.
        let alternating = ((runs << 1) | ODD).wrapping_sub(runs) ^ ODD;
        let escaped = alternating ^ (backslash | self.carry);
        self.carry = (alternating & backslash) >> 63;
        escaped
    }
}

/// Bit n is the parity of the bits 0 to n: from quotes, what is inside of a string (its opening quote with it).
#[inline(always)]
pub(crate) fn prefix_parity(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ (bits << 32)
}

#[cfg(test)]
mod tests {
    use super::{Block, Escapes, Lanes, prefix_parity};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lanes_agree_with_the_bytes(bytes: [u8; 16], byte: u8) {
            let expected = (0..16).filter(|n| bytes[*n] == byte).fold(0, |bits, n| bits | 1 << n);
            prop_assert_eq!(Lanes::load(&bytes).equal(byte), expected);
        }

        #[test]
        fn brackets_become_braces_and_nothing_else_does(bytes: [u8; 16]) {
            let lanes = Lanes::load(&bytes).braces();
            for (brace, bracket) in [(b'{', b'['), (b'}', b']')] {
                let is = |byte: u8| byte == brace || byte == bracket;
                let expected = (0..16).filter(|n| is(bytes[*n])).fold(0, |bits, n| bits | 1 << n);
                prop_assert_eq!(lanes.equal(brace), expected);
            }
        }

        #[test]
        fn blocks_number_their_bytes_in_order(bytes in proptest::collection::vec(0u8..4, 64)) {
            let block: [u8; 64] = bytes.clone().try_into().unwrap();
            let expected = (0..64).filter(|n| bytes[*n] == 1).fold(0u64, |bits, n| bits | 1 << n);
            prop_assert_eq!(Block::load(&block).equal(1), expected);
        }

        #[test]
        fn escapes_and_strings_agree_with_a_byte_by_byte_reading(text in r#"[\\"a]{192}"#) {
            let (mut escapes, mut escaped, mut inside, mut carry) = (Escapes::default(), false, false, 0u64);
            for chunk in text.as_bytes().as_chunks::<64>().0 {
                let block = Block::load(chunk);
                let found = escapes.next(block.equal(b'\\'));
                let parity = prefix_parity(block.equal(b'"') & !found) ^ carry;
                carry = 0u64.wrapping_sub(parity >> 63);
                for (n, byte) in chunk.iter().enumerate() {
                    prop_assert_eq!(found >> n & 1 == 1, escaped, "escape at {}", n);
                    inside ^= *byte == b'"' && !escaped;
                    prop_assert_eq!(parity >> n & 1 == 1, inside, "string at {}", n);
                    escaped = *byte == b'\\' && !escaped;
                }
            }
        }
    }
}
