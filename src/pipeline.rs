//! The one pipeline: frames become segments, segments become connections and keepalive events.
//!
//! Owns the order of those steps, the IP fragments that wait for others, and the count of what was not read. Pure: the capture reader, the live
//! engine and the simulator drive it alike. Uses [`crate::frame`], [`crate::segment`] and [`crate::track`].
//!
//! ```
//! use keepscope::analysis::Collector;
//! use keepscope::capture::Captures;
//! use keepscope::pipeline::Pipeline;
//!
//! # fn main() -> Result<(), keepscope::capture::CaptureError> {
//! let mut captures = Captures::open(&["captures/answered.pcap"])?;
//! let (mut pipeline, mut collector) = (Pipeline::new(0), Collector::default());
//! while let Some(frame) = captures.next_frame() {
//!     pipeline.frame(&frame);
//! }
//! pipeline.finish();
//! while let Some(event) = pipeline.poll_event() {
//!     if let Some(record) = collector.on_event(&event) {
//!         println!("{} {}", record.id, record.verdict.reason);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;

use crate::frame::Frame;
use crate::segment::decode::{Decoded, Fragments, Skip, decode_with};
use crate::segment::{Endpoint, Segment};
use crate::track::event::{Event, Summary};
use crate::track::{Class, LetGo, Observed, Tracker};

/// What the frames of one capture turned out to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// TCP segments, copies included.
    pub segments: u64,
    /// Segments that were copies of one read before.
    pub copies: u64,
    /// ICMP errors about TCP segments.
    pub icmp_errors: u64,
    /// IP fragments that were put together in a later frame, or wait for it.
    pub fragments: u64,
    /// Frames that were not read, by reason.
    pub skipped: BTreeMap<Skip, u64>,
}

/// Frames in, events out.
#[derive(Debug)]
pub struct Pipeline {
    tracker: Tracker,
    fragments: Fragments,
    counts: Vec<Counts>,
}

impl Pipeline {
    /// An empty pipeline; for `hash_seed` see [`Tracker::new`].
    pub fn new(hash_seed: u64) -> Self {
        Self { tracker: Tracker::new(hash_seed), fragments: Fragments::default(), counts: Vec::new() }
    }

    /// Reads a frame. For a TCP segment, returns what it was.
    #[inline]
    pub fn frame(&mut self, frame: &Frame<'_>) -> Option<Observed> {
        self.frame_shown(frame, |_, _| {})
    }

    /// Reads a frame and shows the segment in it, if there is one, with what it was.
    #[inline]
    pub fn frame_shown(
        &mut self,
        frame: &Frame<'_>,
        show: impl FnOnce(&Segment, &Observed),
    ) -> Option<Observed> {
        let decoded = decode_with(frame, &mut self.fragments);
        let capture = frame.id.capture as usize;
        if self.counts.len() <= capture {
            self.counts.resize_with(capture + 1, Counts::default);
        }
        let counts = self.counts.get_mut(capture)?;
        // By reference: a segment that is moved before it is read is in the way of its own octets.
        match &decoded {
            Decoded::Segment(segment) => {
                counts.segments += 1;
                let observed = self.tracker.segment(segment)?;
                counts.copies += u64::from(observed.class == Class::Copy);
                show(segment, &observed);
                Some(observed)
            }
            Decoded::Icmp(error) => {
                counts.icmp_errors += 1;
                self.tracker.icmp(error);
                None
            }
            Decoded::Skipped(reason) => {
                *counts.skipped.entry(*reason).or_default() += 1;
                self.pass(frame);
                None
            }
            Decoded::Waiting => {
                counts.fragments += 1;
                self.pass(frame);
                None
            }
        }
    }

    /// Goes on to the time of a frame that told nothing else, and counts the fragments that no longer wait.
    #[inline(never)]
    fn pass(&mut self, frame: &Frame<'_>) {
        self.tracker.pass_time(frame.time);
        self.count_given_up();
    }

    /// Counts the fragments that no longer wait among what was not read.
    fn count_given_up(&mut self) {
        while let Some(given_up) = self.fragments.take_given_up() {
            let Some(counts) = self.counts.get_mut(given_up.capture as usize) else { continue };
            counts.fragments = counts.fragments.saturating_sub(given_up.frames);
            *counts.skipped.entry(given_up.reason).or_default() += given_up.frames;
        }
    }

    /// The next event, if there is one.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.tracker.poll_event()
    }

    /// Ends the input: every connection gets its last word.
    pub fn finish(&mut self) {
        self.fragments.finish();
        self.count_given_up();
        self.tracker.finish();
    }

    /// What was seen until now of the connection between two ends, in either order.
    pub fn summary(&self, one: Endpoint, other: Endpoint) -> Option<Summary> {
        self.tracker.summary(one, other)
    }

    /// Follows no more connections than this at once; see [`Tracker::keep_at_most`].
    pub fn keep_at_most(&mut self, most: usize) {
        self.tracker.keep_at_most(most);
    }

    /// How many connections were let go for that.
    pub fn let_go(&self) -> LetGo {
        self.tracker.let_go()
    }

    /// How many connections have been seen.
    pub fn connections(&self) -> u64 {
        self.tracker.connections()
    }

    /// What the frames of one capture turned out to be.
    pub fn counts(&self, capture: usize) -> Counts {
        self.counts.get(capture).cloned().unwrap_or_default()
    }
}
