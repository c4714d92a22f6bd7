//! Frames that are read ahead of their tracking, some at a time.
//!
//! Owns [`Batch`] and [`Decoder`], the half of the pipeline that knows no connections: so it may run ahead of the
//! other half, or on another thread. Uses [`crate::segment`], [`crate::frame`] and [`crate::time`].

use super::Counts;
use crate::frame::Frame;
use crate::segment::Brief;
use crate::segment::decode::{Decoded, Fragments, Skip, decode_into, decode_with};
use crate::time::Timestamp;

/// Frames to a batch: enough that handing one over is lost in the noise, few enough that two of them stay in a
/// core's cache.
pub const BATCH: usize = 2048;

/// What some frames in a row turned out to be.
#[derive(Debug)]
pub struct Batch {
    /// One for each frame, and as long as a batch gets; what is behind `len` is from an earlier use.
    briefs: Vec<Brief>,
    len: usize,
    /// What the frames were that are not told by their brief alone, in order.
    others: Vec<Other>,
}

/// What is not brief.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) decoded: Decoded,
    /// When it was captured: time passes with what is not read, too.
    pub(super) time: Timestamp,
}

impl Default for Batch {
    fn default() -> Self {
        Self::with_capacity(BATCH)
    }
}

impl Batch {
    /// An empty batch that is full with so many frames.
    pub fn with_capacity(most: usize) -> Self {
        let most = most.max(1);
        Self { briefs: vec![Brief::BLANK; most], len: 0, others: Vec::new() }
    }

    /// Whether no frame has a place in it any more.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len >= self.briefs.len()
    }

    /// Whether no frame is in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many frames are in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Takes all frames out.
    pub fn clear(&mut self) {
        self.len = 0;
        self.others.clear();
    }

    /// What the frames were, in order; where that is not all, there is one of the [others](Batch::others).
    pub(super) fn briefs(&self) -> &[Brief] {
        self.briefs.get(..self.len).unwrap_or_default()
    }

    /// What they were that are not brief, in order.
    pub(super) fn others(&self) -> &[Other] {
        &self.others
    }
}

/// The half of the pipeline that reads frames: one at a time, but for fragments.
#[derive(Debug, Default)]
pub struct Decoder {
    fragments: Fragments,
    counts: Vec<Counts>,
}

impl Decoder {
    /// Reads a frame into a batch that is not full.
    #[inline(always)]
    pub fn read(&mut self, frame: &Frame<'_>, batch: &mut Batch) {
        let Some(place) = batch.briefs.get_mut(batch.len) else { return };
        batch.len += 1;
        match decode_into(frame, &mut self.fragments, place) {
            None => self.count_segment(frame.id.capture as usize),
            Some(decoded) => {
                self.count(frame.id.capture as usize, &decoded);
                batch.others.push(Other { decoded, time: frame.time });
            }
        }
    }

    /// Reads a frame for now.
    #[inline]
    pub(super) fn read_one(&mut self, frame: &Frame<'_>) -> Decoded {
        let decoded = decode_with(frame, &mut self.fragments);
        self.count(frame.id.capture as usize, &decoded);
        decoded
    }

    #[inline(always)]
    fn count_segment(&mut self, capture: usize) {
        match self.counts.get_mut(capture) {
            Some(counts) => counts.segments += 1,
            None => self.counts_of(capture).into_iter().for_each(|counts| counts.segments += 1),
        }
    }

    /// Counts what a frame was.
    #[inline(never)]
    fn count(&mut self, capture: usize, decoded: &Decoded) {
        let Some(counts) = self.counts_of(capture) else { return };
        match decoded {
            Decoded::Segment(_) => counts.segments += 1,
            Decoded::Icmp(_) => counts.icmp_errors += 1,
            Decoded::Skipped(reason) => counts.skip(*reason, 1),
            Decoded::Waiting => counts.fragments += 1,
        }
        if matches!(decoded, Decoded::Skipped(_) | Decoded::Waiting) {
            self.count_given_up();
        }
    }

    /// The counts of a capture, made if there are none.
    fn counts_of(&mut self, capture: usize) -> Option<&mut Counts> {
        if self.counts.len() <= capture {
            self.counts.resize_with(capture + 1, Counts::default);
        }
        self.counts.get_mut(capture)
    }

    /// Counts the fragments that no longer wait among what was not read.
    #[cold]
    fn count_given_up(&mut self) {
        while let Some(given_up) = self.fragments.take_given_up() {
            let Some(counts) = self.counts.get_mut(given_up.capture as usize) else { continue };
            counts.fragments = counts.fragments.saturating_sub(given_up.frames);
            counts.skip(given_up.reason, given_up.frames);
        }
    }

    /// Ends the input: fragments that still wait for others count as not read.
    pub fn finish(&mut self) {
        self.fragments.finish();
        self.count_given_up();
    }

    pub(super) fn counts(&self, capture: usize) -> Counts {
        self.counts.get(capture).cloned().unwrap_or_default()
    }
}

impl Counts {
    fn skip(&mut self, reason: Skip, frames: u64) {
        *self.skipped.entry(reason).or_default() += frames;
    }
}
