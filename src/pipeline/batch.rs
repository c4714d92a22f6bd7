//! Frames that are read ahead of their tracking, some at a time.
//!
//! Owns [`Batch`] and [`Decoder`], the half of the pipeline that knows no connections: so it may run ahead of the
//! other half, or on another thread. Uses [`crate::segment`], [`crate::frame`] and [`crate::time`].

use super::Counts;
use crate::frame::Frame;
use crate::segment::decode::{Decoded, Fragments, Skip, decode_into, decode_with};
use crate::time::Timestamp;

/// Frames to a batch: enough that handing one over is lost in the noise, few enough that two of them stay in a
/// core's cache.
pub const BATCH: usize = 2048;

/// What some frames in a row turned out to be.
#[derive(Debug)]
pub struct Batch {
    /// As long as a batch gets; what is behind `len` is from an earlier use.
    decoded: Vec<Decoded>,
    len: usize,
    /// When the frames that were not read were captured: time passes with them too.
    passed: Vec<Timestamp>,
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
        Self { decoded: vec![Decoded::Waiting; most], len: 0, passed: Vec::new() }
    }

    /// Whether no frame has a place in it any more.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len >= self.decoded.len()
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
        self.passed.clear();
    }

    /// What the frames were, in order.
    pub(super) fn decoded(&self) -> &[Decoded] {
        self.decoded.get(..self.len).unwrap_or_default()
    }

    /// The times of those that were not read, in order.
    pub(super) fn passed(&self) -> &[Timestamp] {
        &self.passed
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
        let Some(place) = batch.decoded.get_mut(batch.len) else { return };
        batch.len += 1;
        decode_into(frame, &mut self.fragments, place);
        if !self.count(frame, place) {
            batch.passed.push(frame.time);
        }
    }

    /// Reads a frame for now.
    #[inline]
    pub(super) fn read_one(&mut self, frame: &Frame<'_>) -> Decoded {
        let decoded = decode_with(frame, &mut self.fragments);
        self.count(frame, &decoded);
        decoded
    }

    /// Counts what a frame was; false if it told nothing.
    #[inline(always)]
    fn count(&mut self, frame: &Frame<'_>, decoded: &Decoded) -> bool {
        if let Decoded::Segment(_) = decoded
            && let Some(counts) = self.counts.get_mut(frame.id.capture as usize)
        {
            counts.segments += 1;
            return true;
        }
        self.count_any(frame.id.capture as usize, decoded)
    }

    /// The same of any frame, also of the first of its capture.
    #[inline(never)]
    fn count_any(&mut self, capture: usize, decoded: &Decoded) -> bool {
        if self.counts.len() <= capture {
            self.counts.resize_with(capture + 1, Counts::default);
        }
        let Some(counts) = self.counts.get_mut(capture) else { return true };
        match decoded {
            Decoded::Segment(_) => counts.segments += 1,
            Decoded::Icmp(_) => counts.icmp_errors += 1,
            Decoded::Skipped(reason) => {
                counts.skip(*reason, 1);
                self.count_given_up();
                return false;
            }
            Decoded::Waiting => {
                counts.fragments += 1;
                self.count_given_up();
                return false;
            }
        }
        true
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
