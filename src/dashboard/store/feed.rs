//! From frames to what the screen keeps, through the one pipeline.
//!
//! Owns [`Feed`] and the [`Batch`]es it fills. Pure: a capture, a wire or the simulator drives it alike.

use crate::analysis::{Collector, ConnectionRecord};
use crate::frame::Frame;
use crate::pipeline::Pipeline;
use crate::report::CaptureReport;
use crate::segment::Segment;
use crate::time::Timestamp;
use crate::track::event::{Answer, AnswerKind, Event, EventKind, Mark, Opened, Party, Start};
use crate::track::looks::Looks;
use crate::track::{Class, Observed};

use super::row::Row;
use super::{MOST_ROWS, Reading};

/// Stands for "when all had been read".
pub const AT_END: u32 = u32::MAX;

/// An event, and how many rows had been read when it was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Rows read; [`AT_END`] for what is said at the end of the input.
    pub after: u32,
    /// The event.
    pub event: Event,
}

/// What the packets of one side look like from some row on.
#[derive(Clone, Copy, Debug)]
pub struct Looked {
    /// Index of the row that changed it.
    pub(super) row: u32,
    pub(super) connection: u32,
    pub(super) party: Party,
    pub(super) looks: Looks,
}

/// What was read in one go.
#[derive(Debug, Default)]
pub struct Batch {
    /// Connections that began, in the order of their numbers.
    pub born: Vec<Opened>,
    /// Segments.
    pub rows: Vec<Row>,
    /// What changed in how they look.
    pub looks: Vec<Looked>,
    /// Events; [`EventKind::Final`] among them.
    pub events: Vec<Told>,
    /// Last words, with how many rows had been read.
    pub records: Vec<(u32, Box<ConnectionRecord>)>,
    /// How far the source has been read.
    pub reading: Reading,
    /// From when to when the source tells what happened, where that is known beside the packets.
    pub covers: Option<(Timestamp, Timestamp)>,
    /// At the end: what was read of each capture.
    pub captures: Option<Vec<CaptureReport>>,
}

/// Frames in, batches out.
#[derive(Debug)]
pub struct Feed {
    pipeline: Pipeline,
    collector: Collector,
    batch: Batch,
    rows: u32,
    connections: u64,
    /// How the packets of the client and of the server of each connection look so far.
    looks: Vec<[Looks; 2]>,
    /// How many segments and events may wait to be taken, and how many connections are followed at once.
    limits: Option<Limits>,
}

/// What a feed of a source without an end keeps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Segments and events that wait to be taken: beyond it ordinary segments are left out and counted, and beyond
    /// eight times as many everything but connections and last words.
    pub waiting: usize,
    /// Connections that are followed at once.
    pub connections: usize,
}

impl Feed {
    /// An empty feed; for `hash_seed` see [`Pipeline::new`].
    pub fn new(hash_seed: u64) -> Self {
        Self {
            pipeline: Pipeline::new(hash_seed),
            collector: Collector::default(),
            batch: Batch::default(),
            rows: 0,
            connections: 0,
            looks: Vec::new(),
            limits: None,
        }
    }

    /// The same for a source without an end, whose batches may not be taken in time.
    pub fn limited(hash_seed: u64, limits: Limits) -> Self {
        let mut feed = Self { limits: Some(limits), ..Self::new(hash_seed) };
        feed.pipeline.keep_at_most(limits.connections);
        feed
    }

    /// Reads a frame.
    pub fn frame(&mut self, frame: &Frame<'_>) {
        self.batch.reading.packets += 1;
        let mut shown: Option<(Row, Opened)> = None;
        let (looks, mut changed) = (&mut self.looks, None);
        self.pipeline.frame_shown(frame, |segment, observed| {
            shown = Some((Row::of(segment, observed), opened_by(segment, observed)));
            changed = look(looks, segment, observed);
        });
        if let Some((row, opened)) = shown {
            while self.connections < u64::from(row.connection) {
                self.connections += 1;
                self.batch.born.push(opened);
            }
            if let Some(looks) = changed {
                let (connection, party) = (row.connection, row.sender);
                self.batch.looks.push(Looked { row: self.rows, connection, party, looks });
            }
            self.keep(row);
        }
        self.take_events(false);
    }

    /// Whether what waits is too much for one thing more.
    fn is_full(&self, is_ordinary: bool) -> bool {
        let factor = if is_ordinary { 1 } else { 8 };
        self.limits.is_some_and(|limits| self.waiting() >= limits.waiting.saturating_mul(factor))
    }

    fn keep(&mut self, row: Row) {
        if self.rows as usize >= MOST_ROWS && (row.is_ordinary() || self.rows >= AT_END - 1) {
            self.batch.reading.left_out += 1;
            return;
        }
        if self.is_full(row.is_ordinary()) {
            self.batch.reading.unshown += 1;
            return;
        }
        self.rows += 1;
        self.batch.rows.push(row);
    }

    fn take_events(&mut self, at_end: bool) {
        while let Some(event) = self.pipeline.poll_event() {
            if let EventKind::Answer(answer @ Answer { kind: AnswerKind::Icmp(_), .. }) = &event.kind {
                let prober = self.collector.prober(event.connection, answer.probe);
                self.keep(Row::of_icmp(event.connection.0 as u32, answer, prober.unwrap_or(Party::Client)));
            }
            let after = if at_end { AT_END } else { self.rows };
            if let Some(record) = self.collector.on_event(&event) {
                self.batch.records.push((after, Box::new(record)));
            }
            if self.is_full(false) && !matches!(event.kind, EventKind::Final(_)) {
                self.batch.reading.unshown += 1;
                continue;
            }
            self.batch.events.push(Told { after, event });
        }
    }

    /// Ends the input.
    pub fn finish(&mut self) {
        self.pipeline.finish();
        self.take_events(true);
        self.batch.reading.done = true;
    }

    /// How many segments and events wait to be taken.
    pub fn waiting(&self) -> usize {
        self.batch.rows.len() + self.batch.events.len()
    }

    /// What was read since the last call; the caller adds what it knows of octets and captures.
    pub fn take(&mut self) -> Batch {
        let reading = self.batch.reading;
        // The next one will hold about as much, and need not grow to it.
        let next = Batch {
            born: Vec::with_capacity(self.batch.born.len()),
            rows: Vec::with_capacity(self.batch.rows.len()),
            looks: Vec::with_capacity(self.batch.looks.len()),
            events: Vec::with_capacity(self.batch.events.len()),
            records: Vec::with_capacity(self.batch.records.len()),
            reading,
            covers: None,
            captures: None,
        };
        std::mem::replace(&mut self.batch, next)
    }

    /// The pipeline, for its counts.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }
}

/// Learns how a segment looks; says how those of its sender do now if that is new.
fn look(all: &mut Vec<[Looks; 2]>, segment: &Segment, observed: &Observed) -> Option<Looks> {
    if observed.class == Class::Copy {
        return None;
    }
    let place = usize::try_from(observed.connection.0).ok()?.checked_sub(1)?;
    if all.len() <= place {
        all.resize(place + 1, Default::default());
    }
    let [client, server] = all.get_mut(place)?;
    let looks = if observed.sender == Party::Client { client } else { server };
    let before = *looks;
    looks.learn(segment);
    (*looks != before).then_some(*looks)
}

/// The ends of a connection that begins with this segment.
fn opened_by(segment: &Segment, observed: &Observed) -> Opened {
    let (client, server) = match observed.sender {
        Party::Client => (segment.source, segment.destination),
        Party::Server => (segment.destination, segment.source),
    };
    let start = if segment.flags.syn() { Start::Seen } else { Start::Midstream };
    Opened { client, server, start, first: Mark { frame: segment.id, time: segment.time } }
}
