//! The hash by which connections are found.
//!
//! Owns [`TupleHash`]. Uses [`crate::segment`].

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;

use crate::segment::Endpoint;

/// Hashes the two ends of a connection, to the same in either order.
#[derive(Clone, Debug)]
pub(super) struct TupleHash(SeedableRandomState);

impl TupleHash {
    pub(super) fn new(seed: u64) -> Self {
        Self(SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()))
    }

    /// The hash of two ends. By reference: ends that are copied as a whole, just after they were written in pieces, are
    /// waited for long.
    #[inline(always)]
    pub(super) fn of(&self, one: &Endpoint, other: &Endpoint) -> u32 {
        let (first, second) = match (&one.address, &other.address) {
            (IpAddr::V4(first), IpAddr::V4(second)) => {
                let first = (u64::from(first.to_bits()) << 16) | u64::from(one.port);
                let second = (u64::from(second.to_bits()) << 16) | u64::from(other.port);
                (first, second)
            }
            _ => self.long(one, other),
        };
        let mut hasher = self.0.build_hasher();
        hasher.write_u128((u128::from(first.max(second)) << 64) | u128::from(first.min(second)));
        hasher.finish() as u32
    }

    #[inline(never)]
    fn long(&self, one: &Endpoint, other: &Endpoint) -> (u64, u64) {
        (self.0.hash_one(one), self.0.hash_one(other))
    }
}
