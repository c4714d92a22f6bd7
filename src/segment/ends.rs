//! Two ends in 36 octets, whichever IP version they are of.
//!
//! Owns how ends are kept and compared: [`Ends`]. Which IP version they are of is kept elsewhere, and both are of one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Endpoint;

/// An address with its octets as they are; that of IPv4 in the first word, and the others 0.
pub(crate) type Words = [u32; 4];

#[inline]
fn words(address: IpAddr) -> Words {
    match address {
        IpAddr::V4(address) => words_v4(address.octets()),
        IpAddr::V6(address) => words_v6(address.octets()),
    }
}

#[inline(always)]
pub(super) fn words_v4(octets: [u8; 4]) -> Words {
    [u32::from_ne_bytes(octets), 0, 0, 0]
}

#[inline(always)]
pub(super) fn words_v6(octets: [u8; 16]) -> Words {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
    [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]].map(u32::from_ne_bytes)
}

#[inline]
fn address(words: Words, is_v6: bool) -> IpAddr {
    let [first, second, third, fourth] = words.map(|word| u128::from(u32::from_be(word)));
    if is_v6 {
        Ipv6Addr::from_bits((first << 96) | (second << 64) | (third << 32) | fourth).into()
    } else {
        Ipv4Addr::from(words[0].to_ne_bytes()).into()
    }
}

/// Two numbers as one.
#[inline(always)]
fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | (u64::from(high) << 32)
}

/// Both halves of an address.
#[inline(always)]
fn halves([first, second, third, fourth]: Words) -> [u64; 2] {
    [pair(first, second), pair(third, fourth)]
}

/// The ends of a connection or of a segment: who sends, or is the client, and the other one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(super) first: Words,
    pub(super) second: Words,
    pub(super) first_port: u16,
    pub(super) second_port: u16,
}

impl Ends {
    pub(super) const NONE: Self = Self { first: [0; 4], second: [0; 4], first_port: 0, second_port: 0 };

    #[inline]
    pub(crate) fn new(first: Endpoint, second: Endpoint) -> Self {
        Self {
            first: words(first.address),
            second: words(second.address),
            first_port: first.port,
            second_port: second.port,
        }
    }

    /// The same ends with their roles changed.
    #[inline]
    pub(crate) fn reversed(self) -> Self {
        let Self { first, second, first_port, second_port } = self;
        Self { first: second, second: first, first_port: second_port, second_port: first_port }
    }

    /// Whether others are these the other way round, if they are these at all. Where both ends are the same, they are not.
    ///
    /// Compared as a whole, as whose turn it is cannot be foretold.
    #[inline(always)]
    pub(crate) fn is_reversed(&self, others: &Self) -> Option<bool> {
        let [[a, b], [c, d]] = [halves(self.first), halves(self.second)];
        let [[e, f], [g, h]] = [halves(others.first), halves(others.second)];
        let (own, theirs) = (self.ports(), others.ports());
        let straight = (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h) | u64::from(own ^ theirs);
        let crossed = (a ^ g) | (b ^ h) | (c ^ e) | (d ^ f) | u64::from(own ^ theirs.rotate_left(16));
        // One of them is 0 if the product is. Two questions would be asked one after the other.
        let either = u128::from(straight) * u128::from(crossed) == 0;
        either.then_some(straight != 0)
    }

    #[inline(always)]
    pub(crate) fn ports(&self) -> u32 {
        u32::from(self.first_port) | (u32::from(self.second_port) << 16)
    }

    /// The octets of the addresses, and the port, of either end.
    #[inline(always)]
    pub(crate) fn numbers(&self) -> [(u64, u64, u16); 2] {
        let [[a, b], [c, d]] = [halves(self.first), halves(self.second)];
        [(a, b, self.first_port), (c, d, self.second_port)]
    }

    /// Whether `end`, which is one of these, is the first.
    #[inline]
    pub(crate) fn is_first(&self, end: Endpoint) -> bool {
        // The port alone tells them apart nearly always, and is quicker to compare.
        end.port == self.first_port
            && (self.first_port != self.second_port || words(end.address) == self.first)
    }

    #[inline]
    pub(crate) fn first(&self, is_v6: bool) -> Endpoint {
        Endpoint { address: address(self.first, is_v6), port: self.first_port }
    }

    #[inline]
    pub(crate) fn second(&self, is_v6: bool) -> Endpoint {
        Endpoint { address: address(self.second, is_v6), port: self.second_port }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Of few, so that many are the same, or nearly.
    fn end(is_v6: bool) -> impl Strategy<Value = Endpoint> {
        let texts = if is_v6 {
            vec!["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db9::1"]
        } else {
            vec!["192.0.2.1", "192.0.2.2", "0.0.0.0", "198.51.100.1"]
        };
        let addresses: Vec<IpAddr> = texts.into_iter().filter_map(|text| text.parse().ok()).collect();
        (select(addresses), 1..3_u16).prop_map(|(address, port)| Endpoint { address, port })
    }

    fn ends() -> impl Strategy<Value = (bool, [Endpoint; 4])> {
        any::<bool>().prop_flat_map(|is_v6| {
            let all = [end(is_v6), end(is_v6), end(is_v6), end(is_v6)];
            (Just(is_v6), all)
        })
    }

    proptest! {
        #[test]
        fn ends_are_told_from_others_and_from_themselves_turned_round((is_v6, [a, b, c, d]) in ends()) {
            let own = Ends::new(a, b);
            prop_assert_eq!((own.first(is_v6), own.second(is_v6)), (a, b));
            for (c, d) in [(c, d), (a, b), (b, a)] {
                let expected = if (a, b) == (c, d) {
                    Some(false)
                } else if (a, b) == (d, c) {
                    Some(true)
                } else {
                    None
                };
                prop_assert_eq!(own.is_reversed(&Ends::new(c, d)), expected);
            }
            prop_assert!(own.is_first(a));
            prop_assert_eq!(own.is_first(b), a == b);
        }
    }
}
