//! Addresses and address blocks.
//!
//! Source: Elasticsearch's "EQL function reference", cidrMatch. A block and an address of one family compare directly; an
//! IPv4 address lies in an IPv6 block as `::ffff:a.b.c.d`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address block. A single address is a block of its full length; host bits are cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IpBlock {
    network: IpAddr,
    prefix: u8,
}

impl IpBlock {
    /// Reads `10.0.0.0/8`, `fe80::/10`, or one address. `None` where it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (parse_ip(address)?, Some(prefix)),
            None => (parse_ip(text)?, None),
        };
        let longest = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse::<u8>().ok()?,
            Some(_) => return None,
            None => longest,
        };
        (prefix <= longest).then(|| IpBlock { network: masked(address, prefix), prefix })
    }

    /// The block that holds this address alone.
    #[must_use]
    pub fn single(address: IpAddr) -> Self {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        IpBlock { network: address, prefix }
    }

    /// The first address of the block.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// The length of the prefix in bits.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether the address lies in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                masked(address, self.prefix) == self.network
            }
            (IpAddr::V6(_), IpAddr::V4(v4)) => {
                masked(IpAddr::V6(v4.to_ipv6_mapped()), self.prefix) == self.network
            }
            (IpAddr::V4(_), IpAddr::V6(v6)) => {
                v6.to_ipv4_mapped().is_some_and(|v4| masked(IpAddr::V4(v4), self.prefix) == self.network)
            }
        }
    }
}

/// Whether the address lies in one of the blocks, which are sorted. Of many, only those that may hold it are looked at: one for
/// each length of the prefix.
#[must_use]
pub fn in_any_block(blocks: &[IpBlock], address: IpAddr) -> bool {
    const FEW: usize = 200;
    if blocks.len() <= FEW {
        return blocks.iter().any(|block| block.contains(address));
    }
    let among = |address: IpAddr, longest: u8| {
        (0..=longest)
            .any(|prefix| blocks.binary_search(&IpBlock { network: masked(address, prefix), prefix }).is_ok())
    };
    match address {
        IpAddr::V4(v4) => among(address, 32) || among(IpAddr::V6(v4.to_ipv6_mapped()), 128),
        IpAddr::V6(v6) => {
            among(address, 128) || v6.to_ipv4_mapped().is_some_and(|v4| among(IpAddr::V4(v4), 32))
        }
    }
}

impl std::fmt::Display for IpBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// Reads an address; a zone (`%eth0`) is dropped.
#[must_use]
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse().ok()
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{IpBlock, in_any_block, parse_ip};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    #[test]
    fn blocks_hold_their_addresses() {
        let cases = [
            ("10.6.48.157/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("FE80::/10", "fe80::1", true),
            ("::1", "::1", true),
            ("::1", "0:0:0:0:0:0:0:1", true),
            ("::/0", "10.1.2.3", true),
            ("::ffff:0:0/96", "10.1.2.3", true),
            ("2000::/3", "10.1.2.3", false),
            ("0.0.0.0/0", "::1", false),
            ("0.0.0.0/0", "::ffff:1.2.3.4", true),
            ("127.0.0.1", "127.0.0.2", false),
        ];
        for (block, address, expected) in cases {
            let block = IpBlock::parse(block).unwrap();
            assert_eq!(block.contains(parse_ip(address).unwrap()), expected, "{block} {address}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/+8", "x/8", "::/129", "10.0.0.0/"]
        {
            assert_eq!(IpBlock::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn many_blocks_hold_what_each_of_them_holds() {
        let mut blocks: Vec<IpBlock> = (0u32..400)
            .map(|n| {
                IpBlock::parse(&format!("{}/{}", Ipv4Addr::from(n.wrapping_mul(2_654_435_761)), n % 25 + 8))
            })
            .map(Option::unwrap)
            .chain(["::ffff:1.2.3.0/120", "fe80::/10"].map(|text| IpBlock::parse(text).unwrap()))
            .collect();
        blocks.sort_unstable();
        let v4 = (0u32..20_000).map(|n| IpAddr::V4(Ipv4Addr::from(n.wrapping_mul(2_246_822_519))));
        let mapped = v4.clone().map(|address| match address {
            IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
            IpAddr::V6(_) => address,
        });
        let named = ["1.2.3.4", "fe80::1", "::1"].map(|text| parse_ip(text).unwrap());
        for address in v4.chain(mapped).chain(named).chain([IpAddr::V6(Ipv6Addr::LOCALHOST)]) {
            let plain = blocks.iter().any(|block| block.contains(address));
            assert_eq!(in_any_block(&blocks, address), plain, "{address}");
        }
    }
}
