//! What can be told of a segment before anything of its connection is looked up.
//!
//! Owns [`Scanner`]: the hash by which the connection is found, and whether the segment is a copy. It needs nothing that
//! is known of connections, so whoever reads segments ahead of their tracking can scan them ahead too. Uses
//! [`super::hash`], [`super::duplicate`] and [`crate::segment`].

use super::duplicate::Duplicates;
use super::hash::TupleHash;
use crate::segment::{Brief, Has};

/// What was told of one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The hash of its ends.
    pub(super) hash: u32,
    pub(super) is_copy: bool,
}

impl Scan {
    /// Whether the segment is a captured copy of one scanned before.
    #[inline]
    pub const fn is_copy(self) -> bool {
        self.is_copy
    }
}

/// Scans segments, each of them once and in the order in which they are tracked.
#[derive(Debug)]
pub struct Scanner {
    hash: TupleHash,
    duplicates: Duplicates,
}

impl Scanner {
    pub(super) fn new(seed: u64) -> Self {
        Self { hash: TupleHash::new(seed), duplicates: Duplicates::new(seed) }
    }

    /// Scans the next segment; of one that is not brief, what is brief of it.
    #[inline(always)]
    pub fn scan(&mut self, brief: &Brief) -> Scan {
        let hash = self.hash.of(&brief.ends);
        Scan { hash, is_copy: !brief.has.any(Has::NOTHING) && self.duplicates.is_copy(brief, hash) }
    }
}
