//! From the hash of a 4-tuple to the place of its connection.
//!
//! Owns [`Index`]: 32 bits of hash and the place in eight octets, eight of them to a bucket that is one line of memory. What
//! is looked for stands in the bucket that its hash says or soon behind it, so one look at memory finds nearly
//! everything, and it is known from the hash alone where that look goes: it can be asked for long before it is
//! needed. Knows nothing of connections.

use super::ahead::ask_for;
use super::table::Slot;

/// How many entries share a bucket.
const WIDTH: usize = 8;

/// Entries with the same home, or with one before it that was full. All are compared at once, as which of them it is
/// cannot be foretold.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Bucket {
    hashes: [u32; WIDTH],
    /// [`FREE`] where nothing stands.
    slots: [Slot; WIDTH],
}

/// No place has this number.
const FREE: Slot = Slot::MAX;

impl Bucket {
    const EMPTY: Self = Self { hashes: [0; WIDTH], slots: [FREE; WIDTH] };

    /// Which entries have this hash, a bit for each; what is free may seem to.
    #[inline(always)]
    fn matches(&self, hash: u32) -> u32 {
        const BITS: [u32; WIDTH] = [1, 2, 4, 8, 16, 32, 64, 128];
        let mut found = 0;
        for (own, bit) in self.hashes.iter().zip(BITS) {
            // A choice of numbers, all alike: a processor makes them side by side.
            found |= if *own == hash { bit } else { 0 };
        }
        found
    }

    #[inline(always)]
    fn slot(&self, at: usize) -> Slot {
        self.slots.get(at).copied().unwrap_or(FREE)
    }

    /// The first place with this hash that `is_it`.
    #[inline(always)]
    fn find(&self, hash: u32, mut is_it: impl FnMut(Slot) -> bool) -> Option<Slot> {
        let mut found = self.matches(hash);
        while found != 0 {
            let slot = self.slot(found.trailing_zeros() as usize);
            if slot != FREE && is_it(slot) {
                return Some(slot);
            }
            found &= found - 1;
        }
        None
    }

    /// Where nothing stands, if there is room.
    #[inline]
    fn room(&self) -> Option<usize> {
        self.slots.iter().position(|slot| *slot == FREE)
    }

    /// Where this entry stands, if it does.
    fn position(&self, hash: u32, slot: Slot) -> Option<usize> {
        self.hashes.iter().zip(&self.slots).position(|entry| entry == (&hash, &slot))
    }

    fn entries(&self) -> impl Iterator<Item = (u32, Slot)> + use<> {
        let both = self.hashes.into_iter().zip(self.slots);
        both.filter(|(_, slot)| *slot != FREE)
    }

    fn set(&mut self, at: usize, hash: u32, slot: Slot) {
        if let (Some(own_hash), Some(own_slot)) = (self.hashes.get_mut(at), self.slots.get_mut(at)) {
            (*own_hash, *own_slot) = (hash, slot);
        }
    }
}

/// All places, by hash. It comes in parts, so that never the whole of it is there twice while it grows.
#[derive(Debug, Default)]
pub(super) struct Index([Part; Index::PARTS]);

impl Index {
    /// How many parts (a power of two).
    const PARTS: usize = 16;

    /// The highest bits choose the part, as the lowest choose the bucket in it.
    #[inline(always)]
    fn which(hash: u32) -> usize {
        (hash >> (u32::BITS - Self::PARTS.ilog2())) as usize
    }

    #[inline(always)]
    fn part(&self, hash: u32) -> Option<&Part> {
        self.0.get(Self::which(hash))
    }

    /// The first place with this hash that `is_it`.
    #[inline(always)]
    pub(super) fn find(&self, hash: u32, is_it: impl FnMut(Slot) -> bool) -> Option<Slot> {
        self.part(hash)?.find(hash, is_it)
    }

    /// Has what [`Index::find`] reads first brought to the processor's cache, without waiting for it.
    #[inline(always)]
    pub(super) fn ask(&self, hash: u32) {
        if let Some(bucket) = self.part(hash).and_then(|part| part.buckets.get(part.home(hash))) {
            ask_for(bucket);
        }
    }

    /// Puts in a place that is not there yet. There are fewer than 2³²-1 places.
    pub(super) fn insert(&mut self, hash: u32, slot: Slot) {
        if let Some(part) = self.0.get_mut(Self::which(hash)) {
            part.insert(hash, slot);
        }
    }

    /// Takes a place out.
    pub(super) fn remove(&mut self, hash: u32, slot: Slot) {
        if let Some(part) = self.0.get_mut(Self::which(hash)) {
            part.remove(hash, slot);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|part| part.count).sum()
    }
}

#[derive(Debug, Default)]
struct Part {
    /// A power of two of them, or none; never all full.
    buckets: Vec<Bucket>,
    count: usize,
}

impl Part {
    /// How many there are at first.
    const FIRST: usize = 2;

    /// Which bucket an entry with this hash stands in if there was room.
    #[inline(always)]
    fn home(&self, hash: u32) -> usize {
        hash as usize & self.buckets.len().wrapping_sub(1)
    }

    #[inline(always)]
    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.buckets.len() - 1)
    }

    #[inline(always)]
    fn find(&self, hash: u32, mut is_it: impl FnMut(Slot) -> bool) -> Option<Slot> {
        let home = self.home(hash);
        let found = self.buckets.get(home)?.find(hash, &mut is_it);
        if found.is_some() { found } else { self.find_behind(home, hash, is_it) }
    }

    /// The same of what found no room in its own bucket.
    #[inline(never)]
    fn find_behind(&self, mut at: usize, hash: u32, mut is_it: impl FnMut(Slot) -> bool) -> Option<Slot> {
        while self.buckets.get(at)?.room().is_none() {
            at = self.after(at);
            if let Some(slot) = self.buckets.get(at)?.find(hash, &mut is_it) {
                return Some(slot);
            }
        }
        None
    }

    fn insert(&mut self, hash: u32, slot: Slot) {
        // At most four fifths are in use: fuller, many would find no room in their own bucket.
        if (self.count + 1) * 5 > self.buckets.len() * WIDTH * 4 {
            self.grow();
        }
        self.put(hash, slot);
        self.count += 1;
    }

    fn put(&mut self, hash: u32, slot: Slot) {
        let mut at = self.home(hash);
        while let Some(bucket) = self.buckets.get_mut(at) {
            if let Some(room) = bucket.room() {
                bucket.set(room, hash, slot);
                return;
            }
            at = self.after(at);
        }
    }

    #[cold]
    fn grow(&mut self) {
        let size = (self.buckets.len() * 2).max(Self::FIRST);
        let before = std::mem::replace(&mut self.buckets, vec![Bucket::EMPTY; size]);
        before.iter().flat_map(Bucket::entries).for_each(|(hash, slot)| self.put(hash, slot));
    }

    fn remove(&mut self, hash: u32, slot: Slot) {
        let mut at = self.home(hash);
        while let Some(bucket) = self.buckets.get_mut(at) {
            let was_full = bucket.room().is_none();
            if let Some(hole) = bucket.position(hash, slot) {
                bucket.set(hole, 0, FREE);
                self.count -= 1;
                if was_full {
                    self.fill(at);
                }
                return;
            }
            if !was_full {
                return;
            }
            at = self.after(at);
        }
    }

    /// Lets an entry move up into a bucket that has become less than full, if it would not be found behind that.
    fn fill(&mut self, mut hole: usize) {
        let mut at = self.after(hole);
        while let Some(bucket) = self.buckets.get(at).copied().filter(|_| at != hole) {
            let mask = self.buckets.len() - 1;
            let way = |from: usize, to: usize| to.wrapping_sub(from) & mask;
            let stranger = bucket.entries().find(|(hash, _)| {
                let home = self.home(*hash);
                way(home, at) >= way(hole, at)
            });
            let is_full = bucket.room().is_none();
            if let Some((hash, slot)) = stranger {
                self.exchange(hole, at, hash, slot);
                hole = at;
            }
            if !is_full {
                return;
            }
            at = self.after(at);
        }
    }

    /// Moves an entry from one bucket to another, which has room.
    fn exchange(&mut self, to: usize, from: usize, hash: u32, slot: Slot) {
        if let Some(bucket) = self.buckets.get_mut(to)
            && let Some(room) = bucket.room()
        {
            bucket.set(room, hash, slot);
        }
        if let Some(bucket) = self.buckets.get_mut(from)
            && let Some(left) = bucket.position(hash, slot)
        {
            bucket.set(left, 0, FREE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is put in and taken out, what is in is found and what is not is not; also where hashes are nearly
        /// all the same, or lie at the end of the array.
        #[test]
        fn it_knows_what_a_set_knows(steps in vec((any::<bool>(), 0..40_u32, 0..4_u32), 0..400)) {
            let hashes = [0, 1, 15, u32::MAX];
            let mut index = Index::default();
            let mut known = BTreeSet::new();
            for (put, slot, which) in steps {
                let hash = hashes[which as usize].wrapping_add(slot & 3);
                if put && known.insert((hash, slot)) {
                    index.insert(hash, slot);
                } else if !put {
                    known.remove(&(hash, slot));
                    index.remove(hash, slot);
                }
                prop_assert_eq!(index.len(), known.len());
                let found = index.find(hash, |other| other == slot);
                prop_assert_eq!(found.is_some(), known.contains(&(hash, slot)));
            }
            for (low, slot) in (0..4).flat_map(|low| (0..40).map(move |slot| (low, slot))) {
                for hash in hashes.map(|hash: u32| hash.wrapping_add(low)) {
                    let found = index.find(hash, |other| other == slot);
                    prop_assert_eq!(found.is_some(), known.contains(&(hash, slot)));
                }
            }
        }
    }
}
