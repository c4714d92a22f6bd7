//! From segments to connections to keepalive events.
//!
//! Owns the table of connections and the order of work: set copies aside, find the connection, judge the
//! segment, send events. Pure: time comes with the segments; whoever drives it hands in segments and takes
//! events out until there are none. Uses [`crate::segment`], [`crate::frame`] and [`crate::time`].
//!
//! ```text
//! Segment ─ duplicate ─ table ─ connection ─┬─ side      what was sent, what was acknowledged
//!                                           ├─ classify  what the segment is
//!                                           └─ probes    which probes wait for what ─── Event
//! ```

mod ahead;
mod classify;
mod connection;
mod duplicate;
pub mod event;
pub(crate) mod looks;
mod probes;
pub mod repeated;
mod side;
mod table;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub use self::ahead::{AHEAD, Hint};
use self::connection::{Connection, is_first_syn};
use self::duplicate::Duplicates;
use self::event::{AnswerKind, ConnectionId, Event, LookAlike, Party, Summary};
use self::table::{Drain, Slot, Table};
use crate::segment::{Endpoint, IcmpError, Segment};
use crate::time::{Span, Timestamp};

/// How long after its last segment a closed connection may still be spoken of (2 MSL of RFC 9293 is 4
/// minutes; Linux keeps TIME-WAIT for 60 s, which is what late copies and answers need).
const LINGER: Span = Span::from_secs(60);

/// The same for one that was reset: if the other end did not hear of it, it will probe after its idle time,
/// by default 2 hours and what a timer wheel adds.
const LINGER_AFTER_RESET: Span = Span::from_secs(9_000);

/// What a segment was, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The connection.
    pub connection: ConnectionId,
    /// Who sent it.
    pub sender: Party,
    /// What it was, as far as was known when it came; later events may correct that.
    pub class: Class,
    /// SEQ relative to the first of this direction.
    pub seq: i64,
    /// ACK relative to the first of the other direction.
    pub ack: Option<i64>,
    /// Whether octets of the client, and of the server, were acknowledged so far that are not in the capture.
    pub octets_missing: [bool; 2],
}

/// What a segment was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// SYN or SYN,ACK.
    Syn,
    /// New data.
    Data,
    /// Data that had been sent before.
    Retransmission,
    /// An acknowledgment without data.
    Ack,
    /// An empty segment below SND.NXT that is neither a probe nor anything named.
    OldAck,
    /// A FIN, with or without data.
    Fin,
    /// A RST that ends the connection.
    Reset,
    /// A RST that its receiver ignores, or that follows another.
    StaleReset,
    /// A keepalive probe.
    Probe {
        /// Its event number.
        probe: u32,
        /// Its number in the current run of unanswered probes.
        run: u32,
    },
    /// The answer to a probe.
    Answer {
        /// Event number of the probe.
        probe: u32,
        /// What kind of answer.
        kind: AnswerKind,
    },
    /// It may be a probe.
    Candidate {
        /// Its event number.
        candidate: u32,
    },
    /// Something that resembles a probe or an answer.
    LookAlike(LookAlike),
    /// A captured copy of a frame that was read before.
    Copy,
}

/// Follows every connection and finds its keepalives.
///
/// Feed it with [`segment`](Tracker::segment) and [`icmp`](Tracker::icmp), then take events with
/// [`poll_event`](Tracker::poll_event) until there are none; at the end of the input call
/// [`finish`](Tracker::finish) and take the rest. The events of the beginning of an input are the beginning
/// of the events of the whole input, up to the call of `finish`.
#[derive(Debug)]
pub struct Tracker {
    table: Table,
    duplicates: Duplicates,
    log: VecDeque<Event>,
    last_id: u64,
    seen_until: Timestamp,
    /// Closed connections with the time at which to look whether they may be forgotten, soonest first.
    closing: VecDeque<(Timestamp, Slot, ConnectionId)>,
    /// The connections that wait for their last word since the input ended. One at a time, as what is said
    /// of all of them takes more memory than they do.
    ending: Option<Drain>,
}

impl Tracker {
    /// An empty tracker. `hash_seed` should be unpredictable where the input may be hostile; it has no
    /// influence on any result.
    pub fn new(hash_seed: u64) -> Self {
        Self {
            table: Table::new(hash_seed),
            duplicates: Duplicates::default(),
            log: VecDeque::new(),
            last_id: 0,
            seen_until: Timestamp::default(),
            closing: VecDeque::new(),
            ending: None,
        }
    }

    /// Reads a segment.
    ///
    /// Returns nothing only if the table lost an entry it just made, which cannot happen.
    #[inline]
    pub fn segment(&mut self, segment: &Segment) -> Option<Observed> {
        self.segment_hinted(segment, self.table.hint(segment.source, segment.destination))
    }

    /// Reads a segment that was [looked up](Tracker::look_ahead) before.
    #[inline]
    pub fn segment_hinted(&mut self, segment: &Segment, hint: Hint) -> Option<Observed> {
        self.pass_time(segment.time);
        let slot = self.slot_of(segment, hint);
        if self.duplicates.is_copy(segment) {
            return self.table.get_mut(slot).map(|connection| connection.on_copy(segment));
        }
        let (slot, foreign) = self.life_of(slot, segment);
        let log = &mut self.log;
        let connection = self.table.get_mut(slot)?;
        if let Some(syn) = foreign {
            connection.on_any(&syn, log);
        }
        let was_closed = connection.is_closed();
        let observed = connection.on_segment(segment, log);
        if connection.is_closed() && !was_closed {
            self.closing.push_back((segment.time.plus(LINGER), slot, observed.connection));
        }
        Some(observed)
    }

    /// Reads an ICMP error; says whether it answers a probe.
    pub fn icmp(&mut self, error: &IcmpError) -> bool {
        self.pass_time(error.time);
        let slot = self.table.find(error.source, error.destination);
        let log = &mut self.log;
        slot.and_then(|slot| self.table.get_mut(slot))
            .is_some_and(|connection| connection.on_icmp(error, log))
    }

    /// The next event, if there is one.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.log.is_empty() && self.ending.is_some() {
            self.end_next();
        }
        self.log.pop_front()
    }

    /// How many connections have been seen.
    pub fn connections(&self) -> u64 {
        self.last_id
    }

    /// What was seen until now of the connection between two ends, in either order.
    pub fn summary(&self, one: Endpoint, other: Endpoint) -> Option<Summary> {
        let connection = self.table.get(self.table.find(one, other)?)?;
        Some(connection.summary(self.seen_until))
    }

    /// Says the last word about connections until a tenth less than `most` are left, if there are more: first
    /// about those of which nothing was said, and among them about the longest quiet. Returns about how many. For
    /// input without an end.
    pub fn keep_at_most(&mut self, most: usize) -> usize {
        if self.table.len() <= most {
            return 0;
        }
        let excess = self.table.len() - (most - most / 10);
        let mut all: Vec<_> = self
            .table
            .all()
            .map(|(slot, connection)| {
                (connection.is_spoken_of(), connection.last_time(), connection.id, slot)
            })
            .collect();
        all.sort_unstable();
        all.truncate(excess);
        all.iter().for_each(|(.., slot)| self.end_life(*slot));
        excess
    }

    /// Says the last word about every connection that is left.
    pub fn finish(&mut self) {
        // What an earlier call left is earlier.
        while self.ending.is_some() {
            self.end_next();
        }
        self.closing.clear();
        self.ending = Some(self.table.drain());
    }

    /// Says the last word about the next connection that is left at the end.
    #[cold]
    fn end_next(&mut self) {
        match self.ending.as_mut().and_then(Iterator::next) {
            Some(connection) => connection.finish(self.seen_until, &mut self.log),
            None => self.ending = None,
        }
    }

    /// Learns that a frame was captured at this time, whatever it carried. Closed connections that have been
    /// quiet long enough get their last word.
    #[inline]
    pub fn pass_time(&mut self, now: Timestamp) {
        if self.seen_until >= now {
            return;
        }
        self.seen_until = now;
        if self.closing.front().is_some_and(|(due, ..)| *due < now) {
            self.forget_closed(now);
        }
    }

    #[cold]
    fn forget_closed(&mut self, now: Timestamp) {
        while let Some(&(due, slot, id)) = self.closing.front()
            && due < now
        {
            self.closing.pop_front();
            self.look_at_closed(slot, id, now);
        }
    }

    /// Forgets a closed connection that has been quiet long enough; otherwise it is looked at again.
    fn look_at_closed(&mut self, slot: Slot, id: ConnectionId, now: Timestamp) {
        let Some(connection) = self.table.get_mut(slot) else { return };
        if connection.id != id || !connection.is_closed() {
            return;
        }
        let linger = if connection.is_reset() { LINGER_AFTER_RESET } else { LINGER };
        let due = connection.last_time().plus(linger);
        if due < now {
            self.end_life(slot);
        } else {
            self.closing.push_back((now.plus(LINGER), slot, id));
        }
    }

    /// The entry for a segment's 4-tuple, made if there is none.
    #[inline]
    fn slot_of(&mut self, segment: &Segment, hint: Hint) -> Slot {
        match self.table.find_hinted(segment.source, segment.destination, hint) {
            Some(slot) => slot,
            None => self.begin_life(segment),
        }
    }

    /// The entry for the life of the 4-tuple that a segment belongs to: a SYN may begin another one. Also
    /// returns the SYN that began it, where that was read before it was clear.
    #[inline]
    fn life_of(&mut self, slot: Slot, segment: &Segment) -> (Slot, Option<Box<Segment>>) {
        let Some(connection) = self.table.get_mut(slot) else { return (slot, None) };
        if let Some(syn) = connection.foreign_syn_confirmed_by(segment) {
            self.end_life(slot);
            return (self.begin_life(&syn), Some(syn));
        }
        if !segment.flags.syn() || segment.flags.rst() {
            return (slot, None);
        }
        let from = connection.party_of(segment.source);
        if !connection.is_other_life(segment, from) {
            return (slot, None);
        }
        let open = !connection.is_closed() || connection.is_reset_in_doubt();
        if is_first_syn(segment) && open && connection.is_established() {
            // The old life may be alive: its other end will then send a challenge ACK.
            connection.keep_foreign_syn(segment);
            return (slot, None);
        }
        // Where the other direction was not captured, no answer to its SYN can be.
        if is_first_syn(segment) || connection.is_closed() || connection.is_one_way(from) {
            self.end_life(slot);
            return (self.begin_life(segment), None);
        }
        (slot, None)
    }

    fn begin_life(&mut self, segment: &Segment) -> Slot {
        self.last_id += 1;
        let client_sends = if segment.flags.syn() {
            !segment.flags.ack()
        } else {
            // Nobody saw the SYN; servers mostly listen on the lower port.
            segment.source.port >= segment.destination.port
        };
        let connection = Connection::new(ConnectionId(self.last_id), segment, client_sends);
        self.table.insert(connection)
    }

    fn end_life(&mut self, slot: Slot) {
        if let Some(connection) = self.table.remove(slot) {
            connection.finish(self.seen_until, &mut self.log);
        }
    }
}
