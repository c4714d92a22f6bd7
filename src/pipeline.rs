//! The one pipeline: frames become segments, segments become connections and keepalive events.
//!
//! Owns the order of those steps, the IP fragments that wait for others, and the count of what was not read. Pure: the capture reader, the live
//! engine and the simulator drive it alike. Uses [`crate::frame`], [`crate::segment`] and [`crate::track`].
//!
//! Frame by frame ([`Pipeline::frame`]) for who wants each as soon as it is there; or in batches, for who has many:
//! [`Pipeline::halves`] gives the one that reads frames and the one that follows connections, with the same
//! events in the same order.
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

mod batch;

use std::collections::BTreeMap;

use batch::Other;
pub use batch::{BATCH, Batch, Decoder};

use crate::frame::Frame;
use crate::segment::decode::{Decoded, Skip};
use crate::segment::{Brief, Endpoint, Segment};
use crate::track::event::{Event, Summary};
use crate::track::{AHEAD, Ahead, Hint, LetGo, Observed, Scan, Scanner, Tracker};

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
    decoder: Decoder,
    follower: Follower,
}

impl Pipeline {
    /// An empty pipeline; for `hash_seed` see [`Tracker::new`].
    pub fn new(hash_seed: u64) -> Self {
        Self::with(Tracker::new(hash_seed))
    }

    /// An empty pipeline that finds the same connections in the same frames.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self::with(self.follower.tracker.anew())
    }

    fn with(tracker: Tracker) -> Self {
        let scanner = tracker.scanner();
        let follower = Follower { tracker, scanner, scans: Vec::new(), copies: Vec::new() };
        Self { decoder: Decoder::default(), follower }
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
        let decoded = self.decoder.read_one(frame);
        // By reference: a segment that is moved before it is read is in the way of its own octets.
        match &decoded {
            Decoded::Segment(segment) => {
                let observed = self.follower.segment(segment)?;
                show(segment, &observed);
                Some(observed)
            }
            Decoded::Icmp(error) => {
                self.follower.tracker.icmp(error);
                None
            }
            Decoded::Skipped(_) | Decoded::Waiting => {
                self.follower.tracker.pass_time(frame.time);
                None
            }
        }
    }

    /// The half that reads frames into a [`Batch`], and the half that follows connections through it. Every
    /// batch has to be followed before the next, and both halves have to be finished, or [`Pipeline::finish`] called.
    pub fn halves(&mut self) -> (&mut Decoder, &mut Follower) {
        (&mut self.decoder, &mut self.follower)
    }

    /// The next event, if there is one.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.follower.poll_event()
    }

    /// Ends the input: every connection gets its last word.
    pub fn finish(&mut self) {
        self.decoder.finish();
        self.follower.finish();
    }

    /// What was seen until now of the connection between two ends, in either order.
    pub fn summary(&self, one: Endpoint, other: Endpoint) -> Option<Summary> {
        self.follower.tracker.summary(one, other)
    }

    /// Follows no more connections than this at once; see [`Tracker::keep_at_most`].
    pub fn keep_at_most(&mut self, most: usize) {
        self.follower.tracker.keep_at_most(most);
    }

    /// Says no last word about connections of which nothing else was said; see [`Tracker::only_spoken_of`].
    pub fn only_spoken_of(&mut self) {
        self.follower.tracker.only_spoken_of();
    }

    /// How many connections were let go for that.
    pub fn let_go(&self) -> LetGo {
        self.follower.tracker.let_go()
    }

    /// How many connections have been seen.
    pub fn connections(&self) -> u64 {
        self.follower.tracker.connections()
    }

    /// What the frames of one capture turned out to be.
    pub fn counts(&self, capture: usize) -> Counts {
        let copies = self.follower.copies.get(capture).copied().unwrap_or_default();
        Counts { copies, ..self.decoder.counts(capture) }
    }
}

/// The half of the pipeline that follows connections.
#[derive(Debug)]
pub struct Follower {
    tracker: Tracker,
    scanner: Scanner,
    /// What scanning told of each segment of a batch.
    scans: Vec<Scan>,
    /// Segments that were copies of one read before, by capture.
    copies: Vec<u64>,
}

impl Follower {
    /// Ends the input: every connection gets its last word.
    pub fn finish(&mut self) {
        self.tracker.finish();
    }

    /// Reads one segment.
    #[inline]
    fn segment(&mut self, segment: &Segment) -> Option<Observed> {
        let scan = self.scanner.scan(&Brief::of(segment));
        if scan.is_copy() {
            count_copy(&mut self.copies, segment.id.capture);
        }
        self.tracker.segment_scanned(segment, scan)
    }

    /// Scans the segments of a batch, in order.
    fn scan(&mut self, batch: &Batch) {
        self.scans.clear();
        self.scans.extend(batch.briefs().iter().map(|brief| self.scanner.scan(brief)));
        for (brief, scan) in batch.briefs().iter().zip(&self.scans) {
            if scan.is_copy() {
                count_copy(&mut self.copies, brief.capture);
            }
        }
    }

    /// Reads the segments of a batch, in order.
    pub fn follow(&mut self, batch: &Batch) {
        self.scan(batch);
        let mut others = batch.others().iter();
        let mut ahead = Ahead::new(&self.tracker, &self.scans);
        for few in batch.briefs().chunks(AHEAD) {
            let hints = ahead.hints(&self.tracker);
            for (brief, &hint) in few.iter().zip(hints) {
                if brief.is_whole() {
                    self.tracker.segment_hinted(brief, hint);
                } else if let Some(other) = others.next() {
                    follow_other(&mut self.tracker, other, hint);
                }
            }
        }
    }

    /// The next event, if there is one.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.tracker.poll_event()
    }
}

#[cold]
fn count_copy(copies: &mut Vec<u64>, capture: u32) {
    let capture = capture as usize;
    if copies.len() <= capture {
        copies.resize(capture + 1, 0);
    }
    copies.get_mut(capture).into_iter().for_each(|copies| *copies += 1);
}

#[inline(never)]
fn follow_other(tracker: &mut Tracker, other: &Other, hint: Hint) {
    match &other.decoded {
        Decoded::Segment(segment) => {
            tracker.segment_scanned(segment, hint.scan());
        }
        Decoded::Icmp(error) => {
            tracker.icmp(error);
        }
        Decoded::Skipped(_) | Decoded::Waiting => tracker.pass_time(other.time),
    }
}
