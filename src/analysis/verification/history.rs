//! What each connection heard and sent, as far as a verdict on its timers needs it.
//!
//! Owns the memory of it, which stays small however much is sent: around probes every segment is kept, of a
//! long exchange between two probes only the end. A connection without probes takes 4 KiB at most; how many there are
//! at once is for the pipeline to bound. Uses [`crate::segment`] and [`crate::track`].

use std::collections::HashMap;

use super::quiet::Silences;
use crate::segment::{Segment, SeqNum};
use crate::time::Span;
use crate::track::event::{ConnectionId, LookAlike, Mark, Party};
use crate::track::{Class, Observed};

/// Segments kept since the last probe before the older half of them is forgotten.
const KEPT: usize = 64;

/// One segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Its frame and time.
    pub at: Mark,
    /// Who sent it.
    pub from: Party,
    /// The sequence number after it.
    pub end: SeqNum,
    /// Its ACK.
    pub ack: SeqNum,
    /// Octets of data.
    pub octets: u32,
    /// It is empty and below what its sender had sent: its receiver drops it.
    pub old: bool,
}

/// The segments of one connection.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub(super) moments: Vec<Moment>,
    /// Where the segments after the last probe begin.
    tail: usize,
    /// Who sent the SYN that waits for its answer, and that of the answer for its own.
    syn: Option<Mark>,
    syn_ack: Option<Mark>,
    /// Silences in which a probe could be expected.
    pub(super) silences: Silences,
    /// Round trips of the handshake on both sides of the point of capture.
    client_trip: Option<Span>,
    server_trip: Option<Span>,
}

impl History {
    /// The round trip from the point of capture to that end and back, as the handshake showed it.
    pub(super) fn trip_to(&self, party: Party) -> Option<Span> {
        match party {
            Party::Client => self.client_trip,
            Party::Server => self.server_trip,
        }
    }

    fn add(&mut self, segment: &Segment, observed: &Observed) {
        let at = Mark { frame: segment.id, time: segment.time };
        self.handshake(segment, observed.sender, at);
        self.silences.segment(segment, observed.sender, observed.class);
        let probe = matches!(observed.class, Class::Probe { .. } | Class::Candidate { .. });
        let old = match observed.class {
            Class::OldAck => true,
            Class::LookAlike(LookAlike::ZeroWindowProbe | LookAlike::ReorderedAck) => segment.len == 0,
            _ => false,
        };
        let space = segment.len + u32::from(segment.flags.syn()) + u32::from(segment.flags.fin());
        if self.moments.len() == self.moments.capacity() {
            // Doubling would waste half of it.
            self.moments.reserve_exact(1 + self.moments.len() / 4);
        }
        self.moments.push(Moment {
            at,
            from: observed.sender,
            end: segment.seq.plus(space),
            ack: segment.ack,
            octets: segment.len,
            old,
        });
        if probe {
            self.tail = self.moments.len();
        } else if self.moments.len() - self.tail > KEPT {
            self.moments.drain(self.tail..self.tail + KEPT / 2);
        }
    }

    fn handshake(&mut self, segment: &Segment, from: Party, at: Mark) {
        match (segment.flags.syn(), segment.flags.ack(), from) {
            (true, false, Party::Client) => self.syn = Some(at),
            (true, true, Party::Server) => {
                let trip = |syn: Mark| at.time.since(syn.time);
                self.server_trip = self.server_trip.or(self.syn.map(trip));
                self.syn_ack = Some(at);
            }
            (false, true, Party::Client) if self.client_trip.is_none() => {
                self.client_trip = self.syn_ack.map(|syn| at.time.since(syn.time));
            }
            _ => {}
        }
    }
}

/// The histories of all connections that still go on.
#[derive(Debug, Default)]
pub struct Histories {
    open: HashMap<ConnectionId, Box<History>>,
}

impl Histories {
    /// Reads a segment with what the pipeline said of it.
    pub fn segment(&mut self, segment: &Segment, observed: &Observed) {
        if matches!(observed.class, Class::Copy | Class::Reset | Class::StaleReset) || segment.flags.rst() {
            return;
        }
        self.open.entry(observed.connection).or_default().add(segment, observed);
    }

    /// Hands out the history of a connection whose last word was said.
    pub fn take(&mut self, connection: ConnectionId) -> History {
        self.open.remove(&connection).map(|history| *history).unwrap_or_default()
    }
}
