//! The partner at the far end: what passes at its host, what it is ordered to do, what it reports and when.
//!
//! Owns [`Far`]. It is told which connection of the search a connection of its host is, as the real one learns
//! it from the first octets.

use std::collections::BTreeMap;

use super::flow::origin;
use super::line::{Kind, Line, Seen};
use super::path::Partner;
use crate::search::{Cue, End, Id, Origin};
use crate::segment::{Endpoint, Segment, SeqNum};
use crate::simulate::chance::{Chance, Stream};
use crate::simulate::queue::Queue;
use crate::time::{Span, Timestamp};

/// What is on its way between the search and the partner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Letter {
    /// To the partner: send a try on this connection.
    Send { id: Id, attempt: u8 },
    /// To the partner: whether it is there.
    Ask { asked: Timestamp },
    /// From it: it is.
    Alive { asked: Timestamp },
    /// From it: the try left.
    Sent { id: Id, attempt: u8, at: Timestamp },
    /// From it: the try could not be sent.
    NotSent { id: Id, attempt: u8 },
    /// To ourselves: no report has come for so long that none will.
    NoReport { id: Id, attempt: u8 },
    /// From it: its end was ended.
    Ended { id: Id, at: Timestamp, how: End, origin: Origin },
    /// From it: what belongs to this connection came as part of another.
    NewPort { id: Id, at: Timestamp },
}

/// How much longer than it takes a report is waited for.
const PATIENCE: Span = Span::from_secs(2);

/// One of its connections.
#[derive(Debug)]
struct Known {
    line: Line,
    /// Which of the search; nothing until that is known.
    id: Option<Id>,
    /// The try it was last ordered to send, if that has not left yet.
    ordered: Option<u8>,
    /// It ended it itself.
    ended: bool,
}

/// What a packet at the partner's host means.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Noticed {
    /// The first packet of a new connection, with its ends: ours and theirs.
    pub(super) new: Option<(Endpoint, Endpoint)>,
    /// An octet came on this connection for the first time.
    pub(super) octet: Option<Id>,
    /// It ended this connection.
    pub(super) ends: Option<Id>,
    /// A packet of this connection came as one of another.
    pub(super) moved: Option<Id>,
}

/// The partner.
#[derive(Debug)]
pub(super) struct Far {
    partner: Partner,
    address: std::net::IpAddr,
    known: BTreeMap<(Endpoint, Endpoint), Known>,
    of: BTreeMap<Id, (Endpoint, Endpoint)>,
    letters: Queue<Letter>,
    chance: Chance,
}

impl Far {
    pub(super) fn new(partner: Partner, address: std::net::IpAddr, seed: u64) -> Self {
        let (known, of) = (BTreeMap::new(), BTreeMap::new());
        let chance = Chance::new(seed, Stream::Scenario);
        Self { partner, address, known, of, letters: Queue::default(), chance }
    }

    /// When the next letter arrives.
    pub(super) fn next_letter(&self) -> Option<Timestamp> {
        self.letters.next_time()
    }

    /// A letter that has arrived.
    pub(super) fn letter(&mut self, now: Timestamp) -> Option<Letter> {
        if self.letters.next_time()? > now {
            return None;
        }
        self.letters.pop().map(|(_, letter)| letter)
    }

    /// An order, and what follows if nothing comes back.
    pub(super) fn order(&mut self, now: Timestamp, id: Id, attempt: u8) {
        let delay = self.partner.delay;
        self.letters.push(now.plus(delay), Letter::Send { id, attempt });
        self.letters.push(now.plus(delay.times(2)).plus(PATIENCE), Letter::NoReport { id, attempt });
    }

    /// Whether it is there. On its way nothing is lost for good.
    pub(super) fn ask_sign(&mut self, now: Timestamp) {
        self.letters.push(now.plus(self.partner.delay), Letter::Ask { asked: now });
    }

    /// It is.
    pub(super) fn give_sign(&mut self, now: Timestamp, asked: Timestamp) {
        self.letters.push(now.plus(self.partner.delay), Letter::Alive { asked });
    }

    fn report(&mut self, now: Timestamp, letter: Letter) {
        let lost = self.chance.share() < self.partner.lost;
        if !lost {
            self.letters.push(now.plus(self.partner.delay), letter);
        }
    }

    /// It begins to carry an order out; [`Far::finish`] says whether anything came of it.
    pub(super) fn begin(&mut self, id: Id, attempt: u8) {
        if let Some(known) = self.known_mut(id) {
            known.ordered = Some(attempt);
        }
    }

    /// The order was carried out, as far as it was.
    pub(super) fn finish(&mut self, now: Timestamp, id: Id, attempt: u8) {
        let still_there = self.known_mut(id).is_none_or(|known| known.ordered.take().is_some());
        if still_there {
            self.report(now, Letter::NotSent { id, attempt });
        }
    }

    fn known_mut(&mut self, id: Id) -> Option<&mut Known> {
        self.known.get_mut(self.of.get(&id)?)
    }

    /// Says of which connection of the search the ends are.
    pub(super) fn is_of(&mut self, ends: (Endpoint, Endpoint), id: Id) {
        self.of.insert(id, ends);
        if let Some(known) = self.known.get_mut(&ends) {
            known.id = Some(id);
        }
    }

    /// The ends of a connection of the search, its own first.
    pub(super) fn ends_of(&self, id: Id) -> Option<(Endpoint, Endpoint)> {
        self.of.get(&id).copied()
    }

    /// Nobody is interested in it any more.
    pub(super) fn forget(&mut self, id: Id) {
        if let Some(ends) = self.of.remove(&id) {
            self.known.remove(&ends);
        }
    }

    /// A packet at its host.
    pub(super) fn on_segment(&mut self, segment: &Segment) -> Noticed {
        let left = segment.source.address == self.address;
        let ends =
            if left { (segment.source, segment.destination) } else { (segment.destination, segment.source) };
        let mut noticed = Noticed::default();
        let is_new = !self.known.contains_key(&ends);
        if is_new && (left || !segment.flags.syn()) {
            noticed.moved = self.on_stranger(segment, left);
            return noticed;
        }
        noticed.new = is_new.then_some(ends);
        let known = self.known.entry(ends).or_insert_with(|| {
            let line = Line::new(ends.0);
            Known { line, id: None, ordered: None, ended: false }
        });
        let seen = known.line.on_segment(segment);
        let Some(id) = known.id else { return noticed };
        let mut letter = None;
        match (seen.left, seen.kind) {
            (true, Kind::Data | Kind::Probe) => {
                letter = known.ordered.take().map(|attempt| Letter::Sent { id, attempt, at: seen.at });
            }
            (true, Kind::Fin | Kind::Reset) => {
                known.ended = true;
                noticed.ends = Some(id);
            }
            (false, Kind::Data) => noticed.octet = Some(id),
            (false, Kind::Fin | Kind::Reset) if !known.ended => letter = Some(ended(id, known, &seen)),
            _ => {}
        }
        if let Some(letter) = letter {
            self.report(segment.time, letter);
        }
        noticed
    }

    /// A segment of no connection that it knows. If it fits one by its numbers, a box made a new mapping for it.
    fn on_stranger(&mut self, segment: &Segment, left: bool) -> Option<Id> {
        if left {
            return None;
        }
        let numbers = (segment.seq.plus(segment.len), segment.ack);
        let fits = |known: &&Known| fits(&known.line, segment, numbers);
        let id = self.known.values().find(fits).and_then(|known| known.id)?;
        self.report(segment.time, Letter::NewPort { id, at: segment.time });
        Some(id)
    }

    /// An ICMP error about a packet of its host.
    pub(super) fn on_icmp(
        &mut self,
        at: Timestamp,
        ends: (Endpoint, Endpoint),
        ttl: u8,
        other_address: bool,
    ) {
        let Some(known) = self.known.get(&ends) else { return };
        let Some(id) = known.id else { return };
        let usual_ttl = known.line.base().ttl;
        let cue = Cue { ttl: Some(ttl), usual_ttl, other_address, ..Cue::default() };
        let origin = if other_address { Origin::Path(cue) } else { Origin::Peer(cue) };
        self.report(at, Letter::Ended { id, at, how: End::Icmp, origin });
    }
}

/// Its end was ended by a packet. Whether the client sent that, the search knows; the packet itself is judged here.
fn ended(id: Id, known: &Known, seen: &Seen) -> Letter {
    let how = if seen.kind == Kind::Reset { End::Reset } else { End::Fin };
    let cue = Cue {
        ttl: Some(seen.ttl),
        usual_ttl: known.line.base().ttl,
        without_timestamps: seen.lacks_timestamps,
        ..Cue::default()
    };
    // The client is ours as well, and did not do it while it waited.
    let origin = origin(cue, Some(false));
    Letter::Ended { id, at: seen.at, how, origin }
}

/// Whether a segment goes on where a connection stopped: its next octet, or a keepalive probe.
fn fits(line: &Line, segment: &Segment, (end, ack): (SeqNum, SeqNum)) -> bool {
    let near = |known: Option<SeqNum>, number: SeqNum, most: i32| {
        known.is_some_and(|known| (-1..=most).contains(&number.distance_from(known)))
    };
    !segment.flags.syn() && near(line.their_end(), end, 3) && near(line.our_end(), ack, 0)
}
