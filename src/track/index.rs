//! From the hash of a 4-tuple to the place of its connection.
//!
//! Owns [`Index`]: 32 bits of hash and the place in eight octets, in an array that is a power of two long. What is
//! looked for stands where its hash says or soon behind it, so one look at memory finds nearly everything, and it is
//! known from the hash alone where that look goes: it can be asked for long before it is needed. Knows nothing of
//! connections.

use super::ahead::ask_for;
use super::table::Slot;

/// Nothing stands here.
const FREE: u64 = 0;

/// Hash in the upper half; the slot and one in the lower, so that nothing is [`FREE`].
#[inline(always)]
fn entry(hash: u32, slot: Slot) -> u64 {
    (u64::from(hash) << 32) | (u64::from(slot) + 1)
}

#[inline(always)]
fn hash_of(entry: u64) -> u32 {
    (entry >> 32) as u32
}

#[inline(always)]
fn slot_of(entry: u64) -> Slot {
    (entry as u32).wrapping_sub(1)
}

/// All places, by hash. It comes in parts, so that never the whole of it is there twice while it grows.
#[derive(Debug, Default)]
pub(super) struct Index([Part; Index::PARTS]);

impl Index {
    /// How many parts (a power of two).
    const PARTS: usize = 16;

    /// The highest bits choose the part, as the lowest choose the place in it.
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
        if let Some(entry) = self.part(hash).and_then(|part| part.entries.get(part.home(hash))) {
            ask_for(entry);
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
    /// A power of two of them, or none; never all in use.
    entries: Vec<u64>,
    count: usize,
}

impl Part {
    /// How many there are at first.
    const FIRST: usize = 16;

    /// Where an entry with this hash stands if nothing stood there before.
    #[inline(always)]
    fn home(&self, hash: u32) -> usize {
        hash as usize & self.entries.len().wrapping_sub(1)
    }

    #[inline(always)]
    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.entries.len() - 1)
    }

    #[inline(always)]
    fn find(&self, hash: u32, mut is_it: impl FnMut(Slot) -> bool) -> Option<Slot> {
        let mut at = self.home(hash);
        loop {
            let entry = *self.entries.get(at)?;
            if entry == FREE {
                return None;
            }
            if hash_of(entry) == hash && is_it(slot_of(entry)) {
                return Some(slot_of(entry));
            }
            at = self.after(at);
        }
    }

    fn insert(&mut self, hash: u32, slot: Slot) {
        // At most four fifths are in use: fuller, what is not there would be looked for in many places.
        if (self.count + 1) * 5 > self.entries.len() * 4 {
            self.grow();
        }
        self.put(entry(hash, slot));
        self.count += 1;
    }

    fn put(&mut self, entry: u64) {
        let mut at = self.home(hash_of(entry));
        while let Some(place) = self.entries.get_mut(at) {
            if *place == FREE {
                *place = entry;
                return;
            }
            at = self.after(at);
        }
    }

    #[cold]
    fn grow(&mut self) {
        let size = (self.entries.len() * 2).max(Self::FIRST);
        let before = std::mem::replace(&mut self.entries, vec![FREE; size]);
        before.into_iter().filter(|entry| *entry != FREE).for_each(|entry| self.put(entry));
    }

    fn remove(&mut self, hash: u32, slot: Slot) {
        let wanted = entry(hash, slot);
        let mut at = self.home(hash);
        while let Some(found) = self.entries.get(at).copied().filter(|found| *found != FREE) {
            if found == wanted {
                self.close(at);
                self.count -= 1;
                return;
            }
            at = self.after(at);
        }
    }

    /// Frees an entry, and lets those behind it move up that would not be found behind a free one.
    fn close(&mut self, mut hole: usize) {
        let mut at = self.after(hole);
        while let Some(found) = self.entries.get(at).copied().filter(|found| *found != FREE) {
            let mask = self.entries.len() - 1;
            let way = |from: usize, to: usize| to.wrapping_sub(from) & mask;
            let home = self.home(hash_of(found));
            if way(home, at) >= way(hole, at) {
                self.set(hole, found);
                hole = at;
            }
            at = self.after(at);
        }
        self.set(hole, FREE);
    }

    fn set(&mut self, at: usize, entry: u64) {
        if let Some(place) = self.entries.get_mut(at) {
            *place = entry;
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
