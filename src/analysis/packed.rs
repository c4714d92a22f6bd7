//! The probes of one side, in as few octets as they need while nobody looks at them.
//!
//! Owns [`PackedProbes`]: the latest probe as it is, since its answer is still to come, and those before it in blocks,
//! each of which is read from its beginning ([`record`]). A block that something changes in is written anew.

mod record;

use self::record::Numbers;
use super::prober::{ProbeRecord, ProberRecord};
use crate::track::event::{Answer, Mark};

/// Probes in a block that is full.
const FULL: usize = 64;

/// Probes of one side, in the order of their frames.
#[derive(Clone, Debug, Default)]
pub(super) struct PackedProbes {
    blocks: Vec<Block>,
    /// How many are in blocks.
    packed: usize,
    tip: Option<Box<Tip>>,
}

/// The latest probe.
#[derive(Clone, Debug)]
struct Tip {
    last: ProbeRecord,
    /// The one before it, after which it is written.
    before: Numbers,
}

/// Some probes that follow each other.
#[derive(Clone, Debug)]
struct Block {
    octets: Vec<u8>,
    count: usize,
    /// The least and the greatest of their event numbers.
    events: (u32, u32),
}

impl Block {
    const EMPTY: Self = Self { octets: Vec::new(), count: 0, events: (u32::MAX, 0) };

    fn of(records: &[ProbeRecord]) -> Self {
        let (mut block, mut before) = (Self::EMPTY, Numbers::default());
        records.iter().for_each(|record| block.push(record, &mut before));
        block.octets.shrink_to_fit();
        block
    }

    fn push(&mut self, record: &ProbeRecord, before: &mut Numbers) {
        if self.count == 0 {
            *before = Numbers::default();
        }
        let least = 2 * size_of::<u64>();
        if self.octets.capacity() - self.octets.len() < least {
            // Doubling would waste half of it.
            self.octets.reserve_exact(4 * least + self.octets.len() / 8);
        }
        record::write(record, before, &mut self.octets);
        self.count += 1;
        self.events = (self.events.0.min(record.event), self.events.1.max(record.event));
    }

    fn records(&self) -> impl Iterator<Item = ProbeRecord> {
        let (mut octets, mut before) = (self.octets.as_slice(), Numbers::default());
        (0..self.count).map(move |_| record::read(&mut octets, &mut before))
    }

    fn may_have(&self, event: u32) -> bool {
        (self.events.0..=self.events.1).contains(&event)
    }
}

impl PackedProbes {
    pub(super) fn of(record: &ProberRecord) -> Self {
        let mut packed = Self::default();
        record.probes.iter().for_each(|probe| packed.push(probe.clone()));
        packed
    }

    pub(super) fn len(&self) -> usize {
        self.packed + usize::from(self.tip.is_some())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tip.is_none()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = ProbeRecord> {
        self.blocks.iter().flat_map(Block::records).chain(self.last().cloned())
    }

    /// All of them, as they are looked at.
    pub(super) fn unpacked(&self) -> ProberRecord {
        let mut probes = Vec::with_capacity(self.len());
        probes.extend(self.iter());
        ProberRecord { probes }
    }

    /// The latest of them, so many at most.
    pub(super) fn latest(&self, most: usize) -> ProberRecord {
        let (mut left_out, mut from) = (self.len().saturating_sub(most), 0);
        while let Some(block) = self.blocks.get(from).filter(|block| block.count <= left_out) {
            left_out -= block.count;
            from += 1;
        }
        let later = self.blocks.get(from..).unwrap_or_default();
        let all = later.iter().flat_map(Block::records).chain(self.last().cloned());
        ProberRecord { probes: all.skip(left_out).collect() }
    }

    /// All of them, backwards, as far as they are asked for.
    pub(super) fn latest_first(&self) -> impl Iterator<Item = ProbeRecord> {
        let earlier = self.blocks.iter().rev().flat_map(|block| {
            let records: Vec<ProbeRecord> = block.records().collect();
            records.into_iter().rev()
        });
        self.last().cloned().into_iter().chain(earlier)
    }

    fn last(&self) -> Option<&ProbeRecord> {
        self.tip.as_deref().map(|tip| &tip.last)
    }

    /// Adds one after all others.
    pub(super) fn push(&mut self, record: ProbeRecord) {
        let Some(tip) = self.tip.as_deref_mut() else {
            self.tip = Some(Box::new(Tip { last: record, before: Numbers::default() }));
            return;
        };
        let earlier = std::mem::replace(&mut tip.last, record);
        if let Some(full) = self.blocks.last_mut().filter(|block| block.count >= FULL) {
            full.octets.shrink_to_fit();
        }
        if self.blocks.last().is_none_or(|block| block.count >= FULL) {
            self.blocks.reserve_exact(if self.blocks.len() == self.blocks.capacity() {
                1 + self.blocks.len() / 4
            } else {
                0
            });
            self.blocks.push(Block::EMPTY);
        }
        if let Some(block) = self.blocks.last_mut() {
            block.push(&earlier, &mut tip.before);
            self.packed += 1;
        }
    }

    /// Adds one where it belongs: after the last that it does not come before.
    pub(super) fn insert(&mut self, record: ProbeRecord, comes_after: impl Fn(Mark, Mark) -> bool) {
        let later = |other: &ProbeRecord| comes_after(other.segment.at, record.segment.at);
        if !self.last().is_some_and(later) {
            self.push(record);
            return;
        }
        // A probe that was recognised late stands before those after it.
        let mut place = (0, 0);
        for (index, block) in self.blocks.iter().enumerate().rev() {
            let within = block.records().enumerate().filter(|(_, other)| !later(other)).last();
            if let Some((last, _)) = within {
                place = (index, last + 1);
                break;
            }
        }
        if self.blocks.is_empty() {
            self.blocks.push(Block::EMPTY);
        }
        self.packed += 1;
        self.rewrite(place.0, |records| records.insert(place.1.min(records.len()), record));
    }

    /// Gives a probe its answer; returns whether it is here.
    pub(super) fn answer(&mut self, answer: &Answer) -> bool {
        let tip = self.tip.as_deref_mut().filter(|tip| tip.last.event == answer.probe);
        if let Some(tip) = tip {
            tip.last.answer = Some(*answer);
            return true;
        }
        let Some(index) = self.find(answer.probe) else { return false };
        self.rewrite(index, |records| {
            let probe = records.iter_mut().find(|record| record.event == answer.probe);
            probe.into_iter().for_each(|probe| probe.answer = Some(*answer));
        });
        true
    }

    /// Whether the probe of this event number is here.
    pub(super) fn has(&self, event: u32) -> bool {
        self.last().is_some_and(|last| last.event == event) || self.find(event).is_some()
    }

    /// Takes a probe out.
    pub(super) fn remove(&mut self, event: u32) -> Option<ProbeRecord> {
        if self.last().is_some_and(|last| last.event == event) {
            let taken = self.tip.take().map(|tip| tip.last);
            // The one before it is the latest now.
            if let Some(index) = self.blocks.len().checked_sub(1) {
                let mut latest = None;
                self.rewrite(index, |records| latest = records.pop());
                self.packed -= usize::from(latest.is_some());
                let before = self.numbers_of_last();
                self.tip = latest.map(|last| Box::new(Tip { last, before }));
            }
            return taken;
        }
        let index = self.find(event)?;
        let mut taken = None;
        self.rewrite(index, |records| {
            let place = records.iter().position(|record| record.event == event);
            taken = place.map(|place| records.remove(place));
        });
        self.packed -= usize::from(taken.is_some());
        taken
    }

    /// Lets go of the earlier half of them; returns how many.
    pub(super) fn forget_half(&mut self) -> usize {
        let before = self.len();
        *self = Self::of(&self.latest(before - before / 2));
        before - self.len()
    }

    /// The block that has the probe of this event number, the latest first.
    fn find(&self, event: u32) -> Option<usize> {
        let mut blocks = self.blocks.iter().enumerate().rev();
        let has =
            |block: &Block| block.may_have(event) && block.records().any(|record| record.event == event);
        blocks.find(|(_, block)| has(block)).map(|(index, _)| index)
    }

    /// Changes the probes of a block.
    fn rewrite(&mut self, index: usize, change: impl FnOnce(&mut Vec<ProbeRecord>)) {
        let Some(block) = self.blocks.get_mut(index) else { return };
        let mut records: Vec<ProbeRecord> = block.records().collect();
        change(&mut records);
        // One that many were put into becomes two.
        let half = if records.len() > 2 * FULL { records.len() / 2 } else { records.len() };
        let (first, second) = records.split_at_checked(half).unwrap_or_default();
        *block = Block::of(first);
        if !second.is_empty() {
            self.blocks.insert(index + 1, Block::of(second));
        }
        self.blocks.retain(|block| block.count > 0);
        let before = self.numbers_of_last();
        if let Some(tip) = self.tip.as_deref_mut() {
            tip.before = before;
        }
    }

    /// What the next probe is written after.
    fn numbers_of_last(&self) -> Numbers {
        let mut before = Numbers::default();
        if let Some(block) = self.blocks.last() {
            let mut octets = block.octets.as_slice();
            for _ in 0..block.count {
                record::read(&mut octets, &mut before);
            }
        }
        before
    }
}

#[cfg(test)]
mod tests;
