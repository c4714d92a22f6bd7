//! The hash by which connections are found.
//!
//! Owns [`TupleHash`]. Uses [`crate::segment`].

use std::hash::{BuildHasher, Hasher};

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;

use crate::segment::Ends;

/// Hashes the two ends of a connection, to the same in either order.
#[derive(Clone, Debug)]
pub(super) struct TupleHash(SeedableRandomState);

impl TupleHash {
    pub(super) fn new(seed: u64) -> Self {
        Self(SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()))
    }

    /// The hash of two ends. Neither is asked which comes first: that cannot be foretold.
    #[inline(always)]
    pub(super) fn of(&self, ends: &Ends) -> u32 {
        let [one, other] = ends.numbers().map(|(high, low, port)| {
            let mut hasher = self.0.build_hasher();
            hasher.write_u128((u128::from(high) << 64) | u128::from(low));
            hasher.write_u16(port);
            hasher.finish()
        });
        let mut hasher = self.0.build_hasher();
        hasher.write_u128((u128::from(one ^ other) << 64) | u128::from(one.wrapping_add(other)));
        hasher.finish() as u32
    }
}
