//! The probes of one side, in as few octets as they need while nobody looks at them.
//!
//! Owns [`PackedProbes`]: probes in blocks, each of which is read from its beginning ([`record`]). What is added or
//! changed is nearly always the last probe; where it is another one, its block is written anew. The last probe of a
//! few is kept as it is ([`recent`]), since its answer comes soon.

mod recent;
mod record;

pub(super) use self::recent::{Recent, Slot};

use self::record::Numbers;
use super::prober::{ProbeRecord, ProberRecord};
use crate::track::event::{Answer, Mark};

/// Probes in a block that is full. More would take fewer octets, and longer to be read when one more comes.
const FULL: usize = 8;

/// Probes of one side, in the order of their frames.
#[derive(Clone, Debug, Default)]
pub(super) struct PackedProbes {
    blocks: Vec<Block>,
    count: usize,
}

/// Some probes that follow each other.
#[derive(Clone, Debug)]
struct Block {
    octets: Vec<u8>,
    count: u32,
    /// The least and the greatest of their event numbers.
    events: (u32, u32),
}

/// The last probe of a side: with it one is added, and answered, without its block being read.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    last: Numbers,
    /// Where its octets begin in its block.
    start: usize,
    /// The one before it in its block.
    earlier: Numbers,
}

impl Block {
    const EMPTY: Self = Self { octets: Vec::new(), count: 0, events: (u32::MAX, 0) };

    fn of(records: &[ProbeRecord]) -> Self {
        let (mut block, mut before) = (Self::EMPTY, Numbers::default());
        records.iter().for_each(|record| before = block.push(record, &before));
        block.octets.shrink_to_fit();
        block
    }

    /// Adds a probe and returns it; `before` is the last one.
    fn push(&mut self, record: &ProbeRecord, before: &Numbers) -> Numbers {
        self.count += 1;
        self.events = (self.events.0.min(record.event), self.events.1.max(record.event));
        record::write(record, before, &mut self.octets)
    }

    fn len(&self) -> usize {
        self.count as usize
    }

    fn records(&self) -> impl Iterator<Item = ProbeRecord> {
        let (mut octets, mut before) = (self.octets.as_slice(), Numbers::default());
        (0..self.count).map(move |_| {
            record::read(&mut octets, &mut before);
            before.record()
        })
    }

    /// The last probe.
    fn last(&self) -> Tail {
        let (mut octets, mut tail) = (self.octets.as_slice(), Tail::default());
        (1..self.count).for_each(|_| record::read(&mut octets, &mut tail.last));
        (tail.start, tail.earlier) = (self.octets.len() - octets.len(), tail.last);
        record::read(&mut octets, &mut tail.last);
        tail
    }

    /// Gives the last probe this answer.
    fn answer_last(&mut self, answer: &Answer, tail: &mut Tail) {
        self.octets.truncate(tail.start);
        record::write_answered(&mut tail.last, answer, &tail.earlier, &mut self.octets);
    }

    fn may_have(&self, event: u32) -> bool {
        (self.events.0..=self.events.1).contains(&event)
    }
}

impl PackedProbes {
    pub(super) fn of(record: &ProberRecord) -> Self {
        let blocks: Vec<Block> = record.probes.chunks(FULL).map(Block::of).collect();
        Self { blocks, count: record.probes.len() }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All of them, as they are looked at.
    pub(super) fn unpacked(&self) -> ProberRecord {
        self.latest(usize::MAX)
    }

    /// The latest of them, so many at most.
    pub(super) fn latest(&self, most: usize) -> ProberRecord {
        let (mut left_out, mut from) = (self.count.saturating_sub(most), 0);
        let mut probes = Vec::with_capacity(self.count - left_out);
        while let Some(block) = self.blocks.get(from).filter(|block| block.len() <= left_out) {
            left_out -= block.len();
            from += 1;
        }
        let later = self.blocks.get(from..).unwrap_or_default();
        for block in later {
            probes.extend(block.records().skip(std::mem::take(&mut left_out)));
        }
        ProberRecord { probes }
    }

    /// All of them, backwards, as far as they are asked for.
    pub(super) fn latest_first(&self) -> impl Iterator<Item = ProbeRecord> {
        self.blocks.iter().rev().flat_map(|block| {
            let records: Vec<ProbeRecord> = block.records().collect();
            records.into_iter().rev()
        })
    }

    /// Adds one where it belongs: after the last that it does not come before. `tail` is the last of them, if it is
    /// known, here as well as below; and then it is as they are.
    pub(super) fn insert(
        &mut self,
        record: &ProbeRecord,
        comes_after: impl Fn(Mark, Mark) -> bool,
        tail: &mut Option<Tail>,
    ) {
        let known = tail.get_or_insert_with(|| self.blocks.last().map(Block::last).unwrap_or_default());
        let later = |other: Mark| comes_after(other, record.segment.at);
        if self.count > 0 && later(known.last.mark()) {
            // A probe that was recognised late stands before those after it.
            self.insert_early(record, later);
            *tail = None;
        } else {
            self.push(record, known);
        }
        self.count += 1;
    }

    /// Adds one after all others, `last` being the last of them.
    fn push(&mut self, record: &ProbeRecord, last: &mut Tail) {
        if let Some(block) = self.blocks.last_mut() {
            if block.len() < FULL {
                (last.start, last.earlier) = (block.octets.len(), last.last);
                last.last = block.push(record, &last.earlier);
                return;
            }
            block.octets.shrink_to_fit();
        }
        if self.blocks.len() == self.blocks.capacity() {
            self.blocks.reserve_exact(1 + self.blocks.len() / 8);
        }
        let mut block = Block::EMPTY;
        *last = Tail::default();
        last.last = block.push(record, &last.earlier);
        self.blocks.push(block);
    }

    #[cold]
    fn insert_early(&mut self, record: &ProbeRecord, later: impl Fn(Mark) -> bool) {
        let mut place = (0, 0);
        for (index, block) in self.blocks.iter().enumerate().rev() {
            let earlier = block.records().enumerate().filter(|(_, other)| !later(other.segment.at));
            if let Some((last, _)) = earlier.last() {
                place = (index, last + 1);
                break;
            }
        }
        self.rewrite(place.0, |records| records.insert(place.1.min(records.len()), record.clone()));
    }

    /// Gives a probe its answer; returns whether it is here.
    pub(super) fn answer(&mut self, answer: &Answer, tail: &mut Option<Tail>) -> bool {
        if let Some(block) = self.blocks.last_mut() {
            let tail = tail.get_or_insert_with(|| block.last());
            if tail.last.is_event(answer.probe) {
                block.answer_last(answer, tail);
                return true;
            }
        }
        let Some(index) = self.find(answer.probe) else { return false };
        *tail = None;
        self.rewrite(index, |records| {
            let probe = records.iter_mut().find(|record| record.event == answer.probe);
            probe.into_iter().for_each(|probe| probe.answer = Some(*answer));
        });
        true
    }

    /// Whether the probe of this event number is here.
    pub(super) fn has(&self, event: u32) -> bool {
        self.find(event).is_some()
    }

    /// Takes a probe out; what is known of the last is no longer so.
    pub(super) fn remove(&mut self, event: u32) -> Option<ProbeRecord> {
        let index = self.find(event)?;
        let mut taken = None;
        self.rewrite(index, |records| {
            let place = records.iter().position(|record| record.event == event);
            taken = place.map(|place| records.remove(place));
        });
        self.count -= usize::from(taken.is_some());
        taken
    }

    /// Lets go of the earlier half of them; returns how many. What is known of the last is no longer so.
    pub(super) fn forget_half(&mut self) -> usize {
        let before = self.count;
        *self = Self::of(&self.latest(before - before / 2));
        before - self.count
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
        let half = if records.len() > 2 * FULL { FULL } else { records.len() };
        let (first, second) = records.split_at_checked(half).unwrap_or_default();
        *block = Block::of(first);
        if !second.is_empty() {
            self.blocks.insert(index + 1, Block::of(second));
        }
        self.blocks.retain(|block| block.count > 0);
    }
}

#[cfg(test)]
mod tests;
