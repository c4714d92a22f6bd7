//! What a source has told so far: segments, events and records, indexed so that any moment of it can be shown.
//!
//! Owns [`Store`]. Nothing in it depends on the moment that is shown, see [`standing`] for that; and nothing is
//! allocated for time that passes, only for what is read. Pure. A segment costs about 80 octets; beyond
//! [`MOST_ROWS`] only segments that concern keepalives are kept.

pub mod feed;
pub mod figures;
pub mod row;
pub mod standing;

use crate::analysis::ConnectionRecord;
use crate::report::CaptureReport;
use crate::time::{Span, Timestamp};
use crate::track::event::{ConnectionId, EventKind, Opened};

use self::feed::{AT_END, Batch, Looked, Told};
use self::row::Row;

/// Segments kept, ordinary ones among them.
pub const MOST_ROWS: usize = 8_000_000;

/// The longest silences of the source that are remembered, for a bar that folds them.
const MOST_GAPS: usize = 256;

/// One connection of the source.
#[derive(Debug)]
pub struct Connection {
    /// Its ends and its first frame, as they looked when it began.
    pub opened: Opened,
    /// Indices of its segments, in reading order.
    pub rows: Vec<u32>,
    /// Indices of its events.
    pub events: Vec<u32>,
    /// Places in `rows` where a long run of ordinary segments begins and ends.
    pub runs: Vec<(u32, u32)>,
    /// How many ordinary segments the run at the end has.
    ordinary: u32,
    /// The last word, and after which segment it was said.
    pub record: Option<(u32, Box<ConnectionRecord>)>,
}

/// How far the source has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Frames of any kind.
    pub packets: u64,
    /// Octets read, and how many there are if that is known.
    pub octets: u64,
    /// See `octets`.
    pub octets_total: Option<u64>,
    /// Ordinary segments that were not kept.
    pub left_out: u64,
    /// Segments and events that came while the screen was too slow for them, and are not shown.
    pub unshown: u64,
    /// There is no more.
    pub done: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Store {
    rows: Vec<Row>,
    /// The latest time read up to each row: never goes back.
    clocks: Vec<Timestamp>,
    connections: Vec<Connection>,
    events: Vec<Told>,
    looks: Vec<Looked>,
    /// Longest gaps between rows: the row after the gap, and its length. Unsorted.
    gaps: Vec<(u32, Span)>,
    shortest_gap: Span,
    reading: Reading,
    captures: Vec<CaptureReport>,
    covers: Option<(Timestamp, Timestamp)>,
}

impl Store {
    /// Takes what was read since the last time.
    pub fn take(&mut self, batch: Batch) {
        for born in batch.born {
            self.connections.push(Connection {
                opened: born,
                rows: Vec::new(),
                events: Vec::new(),
                runs: Vec::new(),
                ordinary: 0,
                record: None,
            });
        }
        for row in batch.rows {
            self.push(row);
        }
        self.looks.extend(batch.looks);
        for told in batch.events {
            let index = self.events.len() as u32;
            if let Some(connection) = self.connection_mut(told.event.connection)
                && !matches!(told.event.kind, EventKind::Final(_))
            {
                connection.events.push(index);
            }
            self.events.push(told);
        }
        for (after, record) in batch.records {
            if let Some(connection) = self.connection_mut(record.id) {
                connection.record = Some((after, record));
            }
        }
        self.reading = batch.reading;
        self.covers = batch.covers.or(self.covers);
        if let Some(captures) = batch.captures {
            self.captures = captures;
        }
    }

    fn push(&mut self, row: Row) {
        let index = self.rows.len() as u32;
        let clock = self.clocks.last().map_or(row.time, |last| row.time.max(*last));
        if let Some(last) = self.clocks.last() {
            self.remember_gap(index, clock.since(*last));
        }
        self.clocks.push(clock);
        if let Some(connection) = self.connection_mut(ConnectionId(u64::from(row.connection))) {
            let place = connection.rows.len() as u32;
            connection.rows.push(index);
            connection.ordinary = if row.is_ordinary() { connection.ordinary + 1 } else { 0 };
            if connection.ordinary > row::SHOWN_OF_RUN * 2 + 1 {
                let begin = place + 1 - connection.ordinary;
                match connection.runs.last_mut() {
                    Some((same, end)) if *same == begin => *end = place + 1,
                    _ => connection.runs.push((begin, place + 1)),
                }
            }
        }
        self.rows.push(row);
    }

    /// Keeps the longest gaps; half of a full list goes at once, so that a gap costs little.
    fn remember_gap(&mut self, row: u32, gap: Span) {
        if gap <= self.shortest_gap {
            return;
        }
        self.gaps.push((row, gap));
        if self.gaps.len() >= MOST_GAPS * 2 {
            self.gaps.sort_unstable_by_key(|(_, gap)| std::cmp::Reverse(*gap));
            self.gaps.truncate(MOST_GAPS);
            self.shortest_gap = self.gaps.last().map_or(Span::ZERO, |(_, gap)| *gap);
        }
    }

    fn connection_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(usize::try_from(id.0).ok()?.checked_sub(1)?)
    }

    /// A connection by its number.
    pub fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(usize::try_from(id.0).ok()?.checked_sub(1)?)
    }

    /// All connections with their numbers.
    pub fn connections(&self) -> impl ExactSizeIterator<Item = &Connection> {
        self.connections.iter()
    }

    /// All segments.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// A segment by its index.
    pub fn row(&self, index: u32) -> Option<&Row> {
        self.rows.get(index as usize)
    }

    /// All events, in the order in which they were told.
    pub fn events(&self) -> &[Told] {
        &self.events
    }

    /// What changed in how packets look, in the order of the rows.
    fn looks(&self) -> &[Looked] {
        &self.looks
    }

    /// How far the source has been read.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// What was read of each capture; empty before the end.
    pub fn captures(&self) -> &[CaptureReport] {
        &self.captures
    }

    /// The first and the latest time: of packets, or of what the source is known to cover.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let packets = self.clocks.first().copied().zip(self.clocks.last().copied());
        match (packets, self.covers) {
            (Some((first, last)), Some((from, to))) => Some((first.min(from), last.max(to))),
            (packets, covers) => packets.or(covers),
        }
    }

    /// The clock after so many rows.
    pub fn clock_after(&self, rows: usize) -> Option<Timestamp> {
        self.clocks.get(rows.checked_sub(1)?).copied()
    }

    /// How many rows had been read at a time.
    pub fn rows_until(&self, time: Timestamp) -> usize {
        self.clocks.partition_point(|clock| *clock <= time)
    }

    /// The longest gaps, longest first: from when to when.
    pub fn longest_gaps(&self, most: usize) -> Vec<(Timestamp, Timestamp)> {
        let mut gaps = self.gaps.clone();
        gaps.sort_unstable_by_key(|(row, gap)| (std::cmp::Reverse(*gap), *row));
        let ends = |(row, _): &(u32, Span)| {
            let to = self.clocks.get(*row as usize)?;
            Some((*self.clocks.get((*row as usize).checked_sub(1)?)?, *to))
        };
        let mut longest: Vec<(Timestamp, Timestamp)> = gaps.iter().take(most).filter_map(ends).collect();
        // What is covered before the first packet and after the last is silence too.
        if let (Some((from, to)), Some(first), Some(last)) =
            (self.covers, self.clocks.first(), self.clocks.last())
        {
            longest.extend([(from, *first), (*last, to)].into_iter().filter(|(from, to)| to > from));
            longest.sort_by_key(|(from, to)| std::cmp::Reverse(to.since(*from)));
            longest.truncate(most);
        }
        longest
    }

    /// How many events had been told when so many rows had been read.
    pub fn events_after(&self, rows: usize, at_end: bool) -> usize {
        if at_end && self.reading.done {
            return self.events.len();
        }
        self.events.partition_point(|told| told.after != AT_END && told.after as usize <= rows)
    }

    /// The record of a connection if its last word had been said when so many rows had been read.
    pub fn record_at(&self, id: ConnectionId, rows: usize, at_end: bool) -> Option<&ConnectionRecord> {
        let (after, record) = self.connection(id)?.record.as_ref()?;
        let said = if *after == AT_END { at_end && self.reading.done } else { *after as usize <= rows };
        said.then_some(&**record)
    }
}
