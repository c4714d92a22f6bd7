//! What is remembered of a connection, and where.
//!
//! Part of [`Connection`]; owns how it begins, how its parts are got at, and its last word.

use super::bits::Bits;
use super::{Connection, ResetSeen, Seen};
use crate::segment::{Endpoint, Ends, Segment, SeqNum};
use crate::time::Timestamp;
use crate::track::ahead::ask_for;
use crate::track::event::{
    ConnectionId, EventKind, LookAlike, LookAlikes, Mark, Opened, Party, SideSummary, Start, Summary,
};
use crate::track::packed::{NEVER, PackedFrame, PackedId};
use crate::track::probes::{Log, Probes};
use crate::track::rare::{More, RareOf};
use crate::track::shelf::{Care, Links, Shelf, Stage};
use crate::track::side::{Side, View};
use crate::track::{Class, Observed};

impl Connection {
    pub(in crate::track) fn new(id: ConnectionId, segment: &Segment, client_sends: bool) -> Self {
        let from_server = Ends::new(segment.destination, segment.source);
        let mut bits = Bits::default();
        bits.set(Bits::V6, segment.source.address.is_ipv6());
        bits.set(Bits::START_SEEN, segment.flags.syn());
        bits.set_last_by(if client_sends { Party::Client } else { Party::Server });
        Self {
            ends: if client_sends { from_server.reversed() } else { from_server },
            id: PackedId::new(id),
            bits,
            shelf: Shelf::new(Care::Little, Stage::HalfOpen),
            sides: Default::default(),
            more: None,
            first_time: segment.time,
            first_frame: PackedFrame::new(segment.id),
            links: Links::default(),
            common: [0; 4],
        }
    }

    /// What stands where no connection is.
    pub(in crate::track) fn vacant() -> Self {
        Self {
            ends: Ends::default(),
            id: PackedId::new(ConnectionId(0)),
            bits: Bits::default(),
            shelf: Shelf::NOWHERE,
            sides: Default::default(),
            more: None,
            first_time: NEVER,
            first_frame: PackedFrame::default(),
            links: Links::default(),
            common: [0; 4],
        }
    }

    /// Whether no connection is here.
    #[inline(always)]
    pub(in crate::track) fn is_vacant(&self) -> bool {
        self.shelf == Shelf::NOWHERE
    }

    pub(in crate::track) fn id(&self) -> ConnectionId {
        self.id.get()
    }

    /// Its ends and its first frame.
    pub(in crate::track) fn opened(&self) -> Opened {
        let is_v6 = self.is_v6();
        let start = if self.bits.has(Bits::START_SEEN) { Start::Seen } else { Start::Midstream };
        let first = self.first_frame.at(self.first_time);
        Opened { client: self.ends.first(is_v6), server: self.ends.second(is_v6), start, first }
    }

    #[inline]
    pub(in crate::track) fn is_v6(&self) -> bool {
        self.bits.has(Bits::V6)
    }

    /// Its ends.
    #[inline]
    pub(in crate::track) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Who of its ends sends from the first of these to the second, if they are its ends. Where both are the same, the
    /// client does.
    #[inline(always)]
    pub(in crate::track) fn sender_of(&self, ends: &Ends, is_v6: bool) -> Option<Party> {
        if self.is_v6() != is_v6 {
            return None;
        }
        let is_server = self.ends.is_reversed(ends)?;
        Some(if is_server { Party::Server } else { Party::Client })
    }

    /// Has what nearly every segment needs of it brought to the processor's cache, without waiting for it.
    #[inline(always)]
    pub(in crate::track) fn ask(&self) {
        ask_for(&self.ends);
        self.sides.iter().for_each(Side::ask);
    }

    /// Who of the two this is.
    #[inline]
    pub(in crate::track) fn party_of(&self, source: Endpoint) -> Party {
        if self.ends.is_first(source) { Party::Client } else { Party::Server }
    }

    /// Where it is to be listed.
    #[inline]
    pub(in crate::track) fn shelf_now(&self) -> Shelf {
        Shelf::new(self.care(), self.stage())
    }

    /// How far it has come.
    #[inline]
    pub(in crate::track) fn stage(&self) -> Stage {
        let [client, server] = &self.sides;
        if self.bits.has(Bits::IS_RESET) {
            Stage::Reset
        } else if client.finished() && self.is_closed() {
            Stage::Closed
        } else if client.spoke() || server.spoke() {
            Stage::Open
        } else {
            Stage::HalfOpen
        }
    }

    #[inline]
    fn care(&self) -> Care {
        match self.probes_ref() {
            None => Care::Little,
            Some(probes) if probes.has_keepalives() => Care::Most,
            Some(_) => Care::Some,
        }
    }

    /// Whether a segment of it was read since this was last asked.
    pub(in crate::track) fn take_touched(&mut self) -> bool {
        let touched = self.bits.has(Bits::TOUCHED);
        self.bits.set(Bits::TOUCHED, false);
        touched
    }

    /// Whether nothing more can come of this life of the connection: reset, or both FINs acknowledged.
    #[inline]
    pub(in crate::track) fn is_closed(&self) -> bool {
        self.is_reset() || self.sides.iter().all(Side::fin_acked)
    }

    /// Whether it was reset, which the other end may not have heard.
    pub(in crate::track) fn is_reset(&self) -> bool {
        self.bits.has(Bits::IS_RESET)
    }

    /// Whether a RST ended it of which it is not known whether its receiver heeded it.
    pub(in crate::track) fn is_reset_in_doubt(&self) -> bool {
        self.is_reset() && !self.bits.has(Bits::RESET_EXACT)
    }

    /// The RST that ended it.
    pub(super) fn reset(&self) -> Option<ResetSeen> {
        let by = if self.bits.has(Bits::RESET_BY_SERVER) { Party::Server } else { Party::Client };
        let kept = self.more.as_ref().and_then(|more| more.reset);
        let at = kept.or_else(|| self.side(by).last_mark()).filter(|_| self.is_reset())?;
        Some(ResetSeen { by, at, exact: self.bits.has(Bits::RESET_EXACT) })
    }

    /// Keeps frame and time of the RST that ended it before its sender's next segment.
    #[inline]
    pub(super) fn keep_reset_mark(&mut self, sender: Party) {
        if self.is_reset()
            && let Some(reset) = self.reset().filter(|reset| reset.by == sender)
        {
            self.more().reset = Some(reset.at);
        }
    }

    /// The RST had no effect.
    pub(super) fn forget_reset(&mut self) {
        self.bits.set(Bits::IS_RESET, false);
        if let Some(more) = self.more.as_mut() {
            more.reset = None;
            more.went_on = false;
        }
    }

    /// Whether this SYN begins another life of the 4-tuple.
    pub(in crate::track) fn is_other_life(&self, segment: &Segment, from: Party) -> bool {
        let side = self.view(from);
        match side.isn() {
            Some(isn) => SeqNum::at_position(isn) != segment.seq,
            // The server's SYN may come after the client's; any other connection has begun already.
            None => !self.bits.has(Bits::START_SEEN) || side.is_seen(),
        }
    }

    /// Whether data may flow: the client's SYN was acknowledged, or the capture began later.
    pub(in crate::track) fn is_established(&self) -> bool {
        let client = self.view(Party::Client);
        match (client.isn(), client.acked()) {
            (Some(isn), Some(acked)) => acked > isn,
            // Only its own direction may have been captured.
            (Some(_), None) => client.spoke(),
            (None, _) => true,
        }
    }

    /// Whether nothing that this party's peer sent is in the capture.
    pub(in crate::track) fn is_one_way(&self, from: Party) -> bool {
        !self.side(from.peer()).is_seen()
    }

    /// What is said of a captured copy of a frame that was read before.
    #[cold]
    pub(in crate::track) fn on_copy(&mut self, segment: &Segment) -> Seen {
        self.more().duplicates += 1;
        let sender = self.party_of(segment.source);
        let position = self.side(sender).position(segment.seq);
        let ack = segment.flags.ack().then(|| self.side(sender.peer()).position(segment.ack));
        Seen { sender, class: Class::Copy, position, ack }
    }

    /// What is told of the segment that was read last.
    #[inline]
    pub(in crate::track) fn said(&self, seen: Seen) -> Observed {
        let Seen { sender, class, position, ack } = seen;
        let relative = |party, position| self.side(party).relative(position, self.rare(party));
        let missing = |party| self.side(party).is_missing_octets(self.rare(party));
        Observed {
            connection: self.id(),
            sender,
            class,
            seq: relative(sender, position),
            ack: ack.map(|ack| relative(sender.peer(), ack)),
            octets_missing: [missing(Party::Client), missing(Party::Server)],
        }
    }

    /// Whether what comes next may decide something about what came before.
    pub(super) fn waits(&self) -> bool {
        let Some(more) = self.more.as_deref() else { return false };
        more.foreign_syn.is_some() || more.probes.as_deref().is_some_and(|probes| !probes.is_idle())
    }

    /// Remembers the SYN of what may be another life of this 4-tuple.
    pub(in crate::track) fn keep_foreign_syn(&mut self, syn: &Segment) {
        self.bits.set(Bits::WAITS, true);
        self.more().foreign_syn = Some(Box::new(*syn));
    }

    /// Gives that SYN back if this is the answer to it, or if its sender goes on behind it.
    #[inline]
    pub(in crate::track) fn foreign_syn_confirmed_by(&mut self, segment: &Segment) -> Option<Box<Segment>> {
        self.more.as_mut()?.foreign_syn.take_if(|syn| {
            let next = syn.seq.plus(1);
            let answered = segment.flags.syn() && segment.ack == next && segment.source == syn.destination;
            let went_on = !segment.flags.syn() && segment.seq == next && segment.source == syn.source;
            segment.flags.ack() && (answered || went_on)
        })
    }

    #[cold]
    pub(super) fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    #[inline]
    pub(super) fn rare(&self, party: Party) -> Option<&crate::track::rare::Rare> {
        self.more.as_deref()?.side(party)
    }

    /// Remembers an ICMP error about it: its last frame, for now.
    pub(super) fn keep_icmp(&mut self, at: Mark) {
        let segments = self.segments();
        self.more().icmp = Some((at, segments));
    }

    fn segments(&self) -> u64 {
        let count = |party| self.side(party).summary(self.rare(party)).segments;
        count(Party::Client) + count(Party::Server)
    }

    /// Its last frame.
    fn last(&self) -> Mark {
        if let Some((icmp, before)) = self.more.as_ref().and_then(|more| more.icmp)
            && before == self.segments()
        {
            return icmp;
        }
        let last_by = if self.bits.has(Bits::LAST_BY_SERVER) { Party::Server } else { Party::Client };
        self.side(last_by).last_mark().unwrap_or_else(|| self.first_frame.at(self.first_time))
    }

    /// When the last frame of it was captured.
    pub(in crate::track) fn last_time(&self) -> Timestamp {
        self.last().time
    }

    #[inline]
    pub(super) fn side(&self, party: Party) -> &Side {
        let [client, server] = &self.sides;
        match party {
            Party::Client => client,
            Party::Server => server,
        }
    }

    #[inline]
    pub(super) fn side_mut(&mut self, party: Party) -> &mut Side {
        let [client, server] = &mut self.sides;
        match party {
            Party::Client => client,
            Party::Server => server,
        }
    }

    /// One side, with what is rare of it.
    pub(super) fn view(&self, party: Party) -> View<'_> {
        View { side: self.side(party), rare: self.rare(party) }
    }

    /// One side, and the place for what is rare of it.
    #[inline]
    pub(super) fn with_rare(&mut self, party: Party) -> (&mut Side, RareOf<'_>) {
        let (side, _, more) = self.both(party);
        (side, RareOf { more, party })
    }

    /// One side, the other one, and what is rare.
    #[inline]
    pub(super) fn both(&mut self, party: Party) -> (&mut Side, &mut Side, &mut Option<Box<More>>) {
        let [client, server] = &mut self.sides;
        match party {
            Party::Client => (client, server, &mut self.more),
            Party::Server => (server, client, &mut self.more),
        }
    }

    /// What waits for something, if anything ever did.
    #[inline]
    pub(super) fn probes_ref(&self) -> Option<&Probes> {
        self.more.as_deref()?.probes.as_deref()
    }

    /// Whether any event of it was sent.
    pub(in crate::track) fn spoken_of(&self) -> bool {
        self.probes_ref().is_some_and(Probes::spoken_of)
    }

    /// The same, to be changed.
    #[inline]
    pub(super) fn probes_mut(&mut self) -> Option<&mut Probes> {
        self.more.as_deref_mut()?.probes.as_deref_mut()
    }

    /// The same, made if there is none.
    pub(super) fn probes(&mut self) -> &mut Probes {
        let (id, opened) = (self.id(), self.opened());
        self.more().probes.get_or_insert_with(|| Box::new(Probes::new(id, opened)))
    }

    /// Probes that this party sent since its peer was last heard.
    pub(super) fn run(&self, party: Party) -> u32 {
        self.probes_ref().map_or(0, |probes| probes.run(party))
    }

    /// This party heard its peer.
    pub(super) fn end_run(&mut self, party: Party) {
        if let Some(probes) = self.probes_mut() {
            probes.end_run(party);
        }
    }

    /// Counts a look-alike.
    pub(super) fn count(&mut self, party: Party, kind: LookAlike) {
        let [client_updates, client_duplicates, server_updates, server_duplicates] = &mut self.common;
        let common = match (party, kind) {
            (Party::Client, LookAlike::WindowUpdate) => Some(client_updates),
            (Party::Client, LookAlike::DuplicateAck) => Some(client_duplicates),
            (Party::Server, LookAlike::WindowUpdate) => Some(server_updates),
            (Party::Server, LookAlike::DuplicateAck) => Some(server_duplicates),
            _ => None,
        };
        match common {
            Some(common) if *common < u8::MAX => *common += 1,
            _ => {
                let (_, mut rare) = self.with_rare(party);
                rare.make().lookalikes.add(kind, 1);
            }
        }
    }

    /// What was seen of it until now.
    pub(in crate::track) fn summary(&self, seen_until: Timestamp) -> Summary {
        let [client_updates, client_duplicates, server_updates, server_duplicates] = self.common;
        let side = |party, updates: u8, duplicates: u8| {
            let mut side: SideSummary = self.side(party).summary(self.rare(party));
            let lookalikes: &mut LookAlikes = &mut side.lookalikes;
            lookalikes.add(LookAlike::WindowUpdate, u32::from(updates));
            lookalikes.add(LookAlike::DuplicateAck, u32::from(duplicates));
            side
        };
        Summary {
            opened: self.opened(),
            last: self.last(),
            client: side(Party::Client, client_updates, client_duplicates),
            server: side(Party::Server, server_updates, server_duplicates),
            reset: self.reset().map(|reset| (reset.by, reset.at)),
            duplicates: self.more.as_ref().map_or(0, |more| more.duplicates),
            seen_until,
            let_go: false,
        }
    }

    /// Says the last word: what is still open stays unanswered or undecided. It may have to be `let_go` although it
    /// goes on.
    pub(in crate::track) fn finish(mut self, seen_until: Timestamp, let_go: bool, log: &mut Log) {
        let summary = EventKind::Final(Box::new(Summary { let_go, ..self.summary(seen_until) }));
        match self.probes_mut() {
            Some(probes) if probes.spoken_of() => {
                probes.give_up(log);
                probes.emit(log, summary);
            }
            _ => {
                let mut probes = Probes::new(self.id(), self.opened());
                probes.emit(log, summary);
            }
        }
    }
}
