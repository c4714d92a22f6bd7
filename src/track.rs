//! From segments to connections to keepalive events.
//!
//! Owns the table of connections and the order of work: scan the segment, find the connection, judge the
//! segment, send events. Pure: time comes with the segments; whoever drives it hands in segments and takes
//! events out until there are none. Uses [`crate::segment`], [`crate::frame`] and [`crate::time`].
//!
//! ```text
//! Segment ─ scan ─ table ─ connection ─┬─ side      what was sent, what was acknowledged
//!                                      ├─ classify  what the segment is
//!                                      └─ probes    which probes wait for what ─── Event
//! ```

mod ahead;
mod classify;
mod connection;
mod duplicate;
pub mod event;
mod hash;
mod index;
pub(crate) mod looks;
mod packed;
mod probes;
mod rare;
pub mod repeated;
mod scan;
mod shelf;
mod side;
mod table;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub use self::ahead::{AHEAD, Ahead, Hint};
use self::connection::{Connection, Seen, is_first_syn};
use self::event::{AnswerKind, ConnectionId, Event, LookAlike, Party, Summary};
pub use self::scan::{Scan, Scanner};
use self::shelf::{Care, Shelf, Stage};
use self::table::{Drain, Slot, Table};
use crate::segment::{Brief, Endpoint, Ends, Has, IcmpError, Segment};
use crate::time::{Span, Timestamp};

/// How long after its last segment a closed connection may still be spoken of (2 MSL of RFC 9293 is 4
/// minutes; Linux keeps TIME-WAIT for 60 s, which is what late copies and answers need).
const LINGER: Span = Span::from_secs(60);

/// The same for one that was reset: if the other end did not hear of it, it will probe after its idle time,
/// by default 2 hours and what a timer wheel adds.
const LINGER_AFTER_RESET: Span = Span::from_secs(9_000);

/// How many connections are followed at once where nothing else was said: at no more than 300 octets for each without
/// keepalives, 0.3 GB.
pub const MOST_CONNECTIONS: usize = 1_000_000;

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
    /// A RST that its receiver ignores, or that follows another or the end of both directions.
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

/// Connections that were let go to make room for others, by what they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LetGo {
    /// How many are followed at once.
    pub at_most: u64,
    /// Nothing but SYNs was seen.
    pub half_open: u64,
    /// Closed or reset, with nothing like a keepalive.
    pub closed: u64,
    /// Open, with nothing like a keepalive.
    pub open: u64,
    /// Something was like a keepalive, and nothing certainly one.
    pub doubtful: u64,
    /// With keepalives.
    pub with_keepalives: u64,
}

impl LetGo {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.half_open + self.closed + self.open + self.doubtful + self.with_keepalives
    }

    fn count(&mut self, shelf: Shelf) {
        let count = match (shelf.care(), shelf.stage()) {
            (Care::Little, Stage::HalfOpen) => &mut self.half_open,
            (Care::Little, Stage::Closed | Stage::Reset) => &mut self.closed,
            (Care::Little, Stage::Open) => &mut self.open,
            (Care::Some, _) => &mut self.doubtful,
            (Care::Most, _) => &mut self.with_keepalives,
        };
        *count += 1;
    }
}

/// Follows every connection and finds its keepalives.
///
/// Feed it with [`segment`](Tracker::segment) and [`icmp`](Tracker::icmp), then take events with
/// [`poll_event`](Tracker::poll_event) until there are none; at the end of the input call
/// [`finish`](Tracker::finish) and take the rest. The events of the beginning of an input are the beginning
/// of the events of the whole input, up to the call of `finish`.
#[derive(Debug)]
pub struct Tracker {
    hash_seed: u64,
    table: Table,
    /// For segments that nobody else scanned.
    scanner: Option<Box<Scanner>>,
    log: VecDeque<Event>,
    last_id: u64,
    seen_until: Timestamp,
    /// When to look whether the first connections on the shelves of closed ones may be forgotten.
    next_look: Option<Timestamp>,
    /// How many connections are followed at once.
    most: usize,
    /// How many were let go for that.
    let_go: LetGo,
    /// Connections of which nothing was said get a last word, too.
    silent_too: bool,
    /// The connections that wait for their last word since the input ended. One at a time, as what is said
    /// of all of them takes more memory than they do.
    ending: Option<Drain>,
}

impl Tracker {
    /// An empty tracker. `hash_seed` should be unpredictable where the input may be hostile; it has no
    /// influence on any result.
    ///
    /// Follows up to [`MOST_CONNECTIONS`] at once; see [`Tracker::keep_at_most`].
    pub fn new(hash_seed: u64) -> Self {
        Self {
            hash_seed,
            table: Table::new(hash_seed),
            scanner: None,
            log: VecDeque::new(),
            last_id: 0,
            seen_until: Timestamp::default(),
            next_look: None,
            most: MOST_CONNECTIONS,
            let_go: LetGo::default(),
            silent_too: true,
            ending: None,
        }
    }

    /// An empty tracker that finds the same connections in the same segments.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self { most: self.most, silent_too: self.silent_too, ..Self::new(self.hash_seed) }
    }

    /// Who scans the segments of this tracker in its stead: all of them or none.
    pub fn scanner(&self) -> Scanner {
        Scanner::new(self.hash_seed)
    }

    /// Reads a segment.
    ///
    /// Returns nothing only if the table lost an entry it just made, which cannot happen.
    pub fn segment(&mut self, segment: &Segment) -> Option<Observed> {
        let scanner = self.scanner.get_or_insert_with(|| Box::new(Scanner::new(self.hash_seed)));
        let scan = scanner.scan(&Brief::of(segment));
        self.segment_scanned(segment, scan)
    }

    /// Reads a segment that was [scanned](Tracker::scanner) before.
    ///
    /// Returns nothing only if the table lost an entry it just made, which cannot happen.
    #[inline]
    pub fn segment_scanned(&mut self, segment: &Segment, scan: Scan) -> Option<Observed> {
        self.pass_time(segment.time);
        let (slot, seen) = self.see(segment, scan)?;
        self.table.get(slot).map(|connection| connection.said(seen))
    }

    /// Reads a segment of which this is all and that was [looked up](Ahead) before, and does not say what it was.
    #[inline]
    pub fn segment_hinted(&mut self, brief: &Brief, hint: Hint) {
        self.pass_time(brief.time);
        let Hint { scan, slot } = hint;
        let is_v6 = brief.has.any(Has::V6);
        if !scan.is_copy
            && let Some((connection, from)) = self.table.at_place(slot, &brief.ends, is_v6)
            && connection.on_step(brief, from).is_some()
        {
            if connection.shelf.is_half_open() {
                let shelf = connection.shelf_now();
                self.move_to(slot, shelf);
            }
            return;
        }
        self.see_hinted(brief, scan);
    }

    /// Apart, as what is in the way of the usual segment costs time whether it comes or not.
    #[inline(never)]
    fn see_hinted(&mut self, brief: &Brief, scan: Scan) {
        let _ = self.see(&brief.segment(), scan);
    }

    #[inline(always)]
    fn see(&mut self, segment: &Segment, scan: Scan) -> Option<(Slot, Seen)> {
        let slot = self.slot_of(segment, scan);
        let connection = self.table.get_mut(slot)?;
        if scan.is_copy {
            return Some((slot, connection.on_copy(segment)));
        }
        let Some(seen) = connection.on_plain(segment) else { return self.see_any(segment, slot) };
        if connection.stage() != connection.shelf.stage() {
            let shelf = connection.shelf_now();
            self.move_to(slot, shelf);
        }
        Some((slot, seen))
    }

    /// The same of any segment that is no copy, for which there is an entry.
    fn see_any(&mut self, segment: &Segment, slot: Slot) -> Option<(Slot, Seen)> {
        let (slot, foreign) = self.life_of(slot, segment);
        let log = &mut self.log;
        let connection = self.table.get_mut(slot)?;
        if let Some(syn) = foreign {
            connection.on_any(&syn, log);
        }
        let seen = connection.on_any(segment, log);
        let shelf = connection.shelf_now();
        if shelf != connection.shelf {
            self.move_to(slot, shelf);
        }
        Some((slot, seen))
    }

    /// Lists a connection where it belongs now.
    #[cold]
    fn move_to(&mut self, slot: Slot, shelf: Shelf) {
        self.table.move_to(slot, shelf);
        let Some(connection) = self.table.get_mut(slot) else { return };
        connection.take_touched();
        if let Some(due) = due(connection) {
            self.next_look = Some(self.next_look.map_or(due, |look| look.min(due)));
        }
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

    /// Follows no more connections than this at once, of which there has to be one.
    ///
    /// Where there are more, the last word is said about the one that would be missed least: of all without a
    /// keepalive before any with one, and among them of those of which only SYNs were seen, then of closed ones, then
    /// of open ones; each time of one that has been quiet about the longest. What comes of it later counts as another
    /// connection, whose start was not captured.
    pub fn keep_at_most(&mut self, most: usize) {
        self.most = most.max(1);
        self.make_room(self.most);
    }

    /// Says no last word about connections of which nothing else was said: for who counts them only.
    pub fn only_spoken_of(&mut self) {
        self.silent_too = false;
    }

    /// How many connections were let go before their time, so that there were never too many.
    pub fn let_go(&self) -> LetGo {
        LetGo { at_most: self.most as u64, ..self.let_go }
    }

    /// Lets connections go until there are no more than `most`.
    fn make_room(&mut self, most: usize) {
        while self.table.len() > most
            && let Some(slot) = self.least_missed()
        {
            if let Some(connection) = self.table.remove(slot) {
                self.let_go.count(connection.shelf);
                self.say_last(connection, true);
            }
        }
    }

    /// The connection that would be missed least.
    fn least_missed(&mut self) -> Option<Slot> {
        Shelf::all().find_map(|shelf| self.first_untouched(shelf))
    }

    /// The first connection on a shelf of which nothing came since it was put there; the others before it go to the
    /// end, and each of them at most once for every segment of it.
    fn first_untouched(&mut self, shelf: Shelf) -> Option<Slot> {
        while let Some(slot) = self.table.first(shelf) {
            if !self.table.get_mut(slot)?.take_touched() {
                return Some(slot);
            }
            self.table.move_to(slot, shelf);
        }
        None
    }

    /// Says the last word about every connection that is left.
    pub fn finish(&mut self) {
        // What an earlier call left is earlier.
        while self.ending.is_some() {
            self.end_next();
        }
        self.next_look = None;
        let silent_too = self.silent_too;
        self.ending = Some(self.table.drain(|connection| silent_too || connection.spoken_of()));
    }

    /// Says the last word about the next connection that is left at the end.
    #[cold]
    fn end_next(&mut self) {
        match self.ending.as_mut().and_then(Iterator::next) {
            Some(connection) => self.say_last(connection, false),
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
        if self.next_look.is_some_and(|look| look < now) {
            self.forget_closed(now);
        }
    }

    /// Forgets closed connections that have been quiet long enough, those first of which that is longest.
    #[cold]
    fn forget_closed(&mut self, now: Timestamp) {
        loop {
            let firsts = Shelf::ended().filter_map(|shelf| {
                let slot = self.first_untouched(shelf)?;
                Some((due(self.table.get(slot)?)?, slot))
            });
            let first = firsts.min();
            self.next_look = first.map(|(due, _)| due);
            match first {
                Some((due, slot)) if due < now => self.end_life(slot),
                _ => return,
            }
        }
    }

    /// The entry for a segment's 4-tuple, made if there is none.
    #[inline]
    fn slot_of(&mut self, segment: &Segment, scan: Scan) -> Slot {
        let (ends, is_v6) =
            (Ends::new(segment.source, segment.destination), segment.source.address.is_ipv6());
        match self.table.find_hashed(&ends, is_v6, scan.hash) {
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
        self.make_room(self.most - 1);
        let connection = Connection::new(ConnectionId(self.last_id), segment, client_sends);
        self.table.insert(connection)
    }

    fn end_life(&mut self, slot: Slot) {
        if let Some(connection) = self.table.remove(slot) {
            self.say_last(connection, false);
        }
    }

    fn say_last(&mut self, connection: Connection, let_go: bool) {
        if self.silent_too || connection.spoken_of() {
            connection.finish(self.seen_until, let_go, &mut self.log);
        }
    }
}

/// When a closed connection may be forgotten, if nothing more comes of it.
fn due(connection: &Connection) -> Option<Timestamp> {
    let linger = match connection.shelf.stage() {
        Stage::Closed => LINGER,
        Stage::Reset => LINGER_AFTER_RESET,
        Stage::HalfOpen | Stage::Open => return None,
    };
    Some(connection.last_time().plus(linger))
}
