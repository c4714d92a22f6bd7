//! The hash by which connections are found.
//!
//! Owns [`TupleHash`], and what keeps it from being foretold ([`salt_of`]). Uses [`crate::segment`].

use std::hash::{BuildHasher, Hasher};

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;

use crate::segment::Ends;

/// Hashes the two ends of a connection, to the same in either order.
#[derive(Clone, Debug)]
pub(super) struct TupleHash {
    state: SeedableRandomState,
    salt: u64,
}

/// What is mixed into octets that foldhash multiplies with a number that everybody knows: whoever sends just that number
/// would make the product 0, and the octets beside it meaningless.
pub(super) fn salt_of(seed: u64) -> u64 {
    SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()).hash_one(seed)
}

impl TupleHash {
    pub(super) fn new(seed: u64) -> Self {
        let state = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self { state, salt: salt_of(seed) }
    }

    /// The hash of two ends. Neither is asked which comes first: that cannot be foretold.
    #[inline(always)]
    pub(super) fn of(&self, ends: &Ends) -> u32 {
        let [one, other] = ends.numbers().map(|(high, low, port)| {
            let mut hasher = self.state.build_hasher();
            hasher.write_u128((u128::from(high ^ self.salt) << 64) | u128::from(low));
            hasher.write_u16(port);
            hasher.finish()
        });
        let mut hasher = self.state.build_hasher();
        hasher.write_u128((u128::from(one ^ other) << 64) | u128::from(one.wrapping_add(other)));
        hasher.finish() as u32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{IpAddr, Ipv6Addr};

    use super::*;
    use crate::segment::Endpoint;

    /// What foldhash multiplies the first half of an address with is no secret: where that is 0, the other half would
    /// not matter.
    #[test]
    fn no_half_of_an_address_makes_the_other_meaningless() {
        const KNOWN: [u64; 6] = [
            0xc0ac_29b7_c97c_50dd,
            0x3f84_d5b5_b547_0917,
            0x9216_d5d9_8979_fb1b,
            0xd131_0ba6_98df_b5ac,
            0x2ffd_72db_d01a_dfb7,
            0xb8e1_afed_6a26_7e96,
        ];
        let server = Endpoint { address: IpAddr::V6(Ipv6Addr::LOCALHOST), port: 443 };
        for known in KNOWN {
            for first in [true, false] {
                let hash = TupleHash::new(7);
                let hashes: BTreeSet<u32> = (0..1_000_u64)
                    .map(|other| {
                        let halves = if first { [known, other] } else { [other, known] };
                        let octets = halves.map(u64::to_ne_bytes).concat();
                        let address = <[u8; 16]>::try_from(octets).map(Ipv6Addr::from).unwrap();
                        let client = Endpoint { address: IpAddr::V6(address), port: 50_000 };
                        hash.of(&Ends::new(client, server))
                    })
                    .collect();
                assert!(hashes.len() > 990, "{known:x}: {} of 1000", hashes.len());
            }
        }
    }
}
