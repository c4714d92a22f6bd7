//! One connection: both sides, and what their segments say about keepalives.
//!
//! Owns the order in which a segment's SEQ, ACK and header are learnt and turned into events. Uses the rules
//! in [`super::classify`] and the bookkeeping of probes in [`super::probes`].

mod answers;
mod ends;
mod plain;

use super::classify::{self, SETTLED, Verdict};
use super::event::{
    AnswerKind, Basis, ConnectionId, Dismissal, EventKind, LookAlike, LookAlikeSeen, Mark, Opened, Party,
    ProbeSegment, Start, Summary,
};
use super::probes::{IntoWindow, Log, Probes};
use super::side::Side;
use super::{Class, Observed};
use crate::segment::{Endpoint, Flags, Segment, SeqNum};
use crate::time::{Span, Timestamp};

/// A connection and everything remembered of it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) opened: Opened,
    last: Mark,
    client: Side,
    server: Side,
    /// A RST ended it.
    is_reset: bool,
    /// What most connections never need.
    rare: Option<Box<Rare>>,
    /// What only connections with keepalives, or with something like them, need.
    probes: Option<Box<Probes>>,
}

/// A RST that ended the connection, as far as is known.
#[derive(Clone, Copy, Debug)]
struct ResetSeen {
    by: Party,
    at: Mark,
    /// Its SEQ was SND.NXT, as far as is known.
    exact: bool,
}

/// What happens to few connections, or only at their end.
#[derive(Debug, Default)]
struct Rare {
    /// The RST that ended it.
    reset: Option<ResetSeen>,
    /// Captured copies that were set aside.
    duplicates: u64,
    /// A SYN with another initial sequence number than this life of the connection has.
    foreign_syn: Option<Box<Segment>>,
}

/// The parts of a segment's judgment that several steps need.
struct Step {
    from: Party,
    position: u64,
    ack_is_news: bool,
    silence: Option<Span>,
    quiet: Option<Span>,
}

impl Connection {
    pub(super) fn new(id: ConnectionId, segment: &Segment, client_sends: bool) -> Self {
        let (client, server) = if client_sends {
            (segment.source, segment.destination)
        } else {
            (segment.destination, segment.source)
        };
        let start = if segment.flags.syn() { Start::Seen } else { Start::Midstream };
        let first = Mark { frame: segment.id, time: segment.time };
        Self {
            id,
            opened: Opened { client, server, start, first },
            last: first,
            client: Side::default(),
            server: Side::default(),
            is_reset: false,
            rare: None,
            probes: None,
        }
    }

    /// Whether nothing more can come of this life of the connection: reset, or both FINs acknowledged.
    pub(super) fn is_closed(&self) -> bool {
        self.is_reset || (self.client.fin_acked() && self.server.fin_acked())
    }

    /// Whether it was reset, which the other end may not have heard.
    pub(super) fn is_reset(&self) -> bool {
        self.is_reset
    }

    /// Whether a RST ended it of which it is not known whether its receiver heeded it.
    pub(super) fn is_reset_in_doubt(&self) -> bool {
        self.is_reset && self.rare.as_ref().and_then(|rare| rare.reset).is_some_and(|reset| !reset.exact)
    }

    /// Whether this SYN begins another life of the 4-tuple.
    pub(super) fn is_other_life(&self, segment: &Segment, from: Party) -> bool {
        let side = self.side(from);
        match side.isn {
            Some(isn) => SeqNum::at_position(isn) != segment.seq,
            // The server's SYN may come after the client's; any other connection has begun already.
            None => self.opened.start == Start::Midstream || side.segments > 0,
        }
    }

    /// Whether data may flow: the client's SYN was acknowledged, or the capture began later.
    pub(super) fn is_established(&self) -> bool {
        match (self.client.isn, self.client.acked()) {
            (Some(isn), Some(acked)) => acked > isn,
            // Only its own direction may have been captured.
            (Some(_), None) => self.client.spoke,
            (None, _) => true,
        }
    }

    /// Whether nothing that this party's peer sent is in the capture.
    pub(super) fn is_one_way(&self, from: Party) -> bool {
        self.side(from.peer()).segments == 0
    }

    /// What is said of a captured copy of a frame that was read before.
    pub(super) fn on_copy(&mut self, segment: &Segment) -> Observed {
        self.rare().duplicates += 1;
        let sender = self.party_of(segment.source);
        let (side, peer) = (self.side(sender), self.side(sender.peer()));
        Observed {
            connection: self.id,
            sender,
            class: Class::Copy,
            seq: side.relative(side.position(segment.seq)),
            ack: segment.flags.ack().then(|| peer.relative(peer.position(segment.ack))),
            octets_missing: self.octets_missing(),
        }
    }

    /// Remembers the SYN of what may be another life of this 4-tuple.
    pub(super) fn keep_foreign_syn(&mut self, syn: &Segment) {
        self.rare().foreign_syn = Some(Box::new(*syn));
    }

    /// Gives that SYN back if this is the answer to it, or if its sender goes on behind it.
    #[inline]
    pub(super) fn foreign_syn_confirmed_by(&mut self, segment: &Segment) -> Option<Box<Segment>> {
        self.rare.as_mut()?.foreign_syn.take_if(|syn| {
            let next = syn.seq.plus(1);
            let answered = segment.flags.syn() && segment.ack == next && segment.source == syn.destination;
            let went_on = !segment.flags.syn() && segment.seq == next && segment.source == syn.source;
            segment.flags.ack() && (answered || went_on)
        })
    }

    #[cold]
    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// When the last frame of it was captured.
    pub(super) fn last_time(&self) -> Timestamp {
        self.last.time
    }

    /// Whether these are its two ends.
    #[inline]
    pub(super) fn is_between(&self, one: Endpoint, other: Endpoint) -> bool {
        let Opened { client, server, .. } = self.opened;
        (one, other) == (client, server) || (other, one) == (client, server)
    }

    #[inline]
    pub(super) fn party_of(&self, source: Endpoint) -> Party {
        let Opened { client, server, .. } = &self.opened;
        // The port alone tells them apart nearly always, and is quicker to compare.
        let from_client = source.port == client.port && (client.port != server.port || source == *client);
        if from_client { Party::Client } else { Party::Server }
    }

    /// Reads a little of every part, so that all of it is at hand; returns something of it.
    #[inline(always)]
    pub(super) fn touch(&self) -> u64 {
        let own = u64::from(self.opened.client.port) ^ self.last.frame.number ^ self.id.0;
        own ^ self.client.touch() ^ self.server.touch()
    }

    fn side(&self, party: Party) -> &Side {
        match party {
            Party::Client => &self.client,
            Party::Server => &self.server,
        }
    }

    fn side_mut(&mut self, party: Party) -> &mut Side {
        match party {
            Party::Client => &mut self.client,
            Party::Server => &mut self.server,
        }
    }

    /// Reads one segment and says what it was.
    #[inline]
    pub(super) fn on_segment(&mut self, segment: &Segment, log: &mut Log) -> Observed {
        let plain = !segment.flags.any(Flags::SYN.with(Flags::FIN).with(Flags::RST));
        if plain && self.probes.is_none() && !self.is_reset {
            if segment.len > 1 {
                return self.on_plain_data(segment);
            }
            let plain_ack = if segment.len == 0 { self.on_plain_ack(segment) } else { None };
            if let Some(observed) = plain_ack {
                return observed;
            }
        }
        self.on_any(segment, log)
    }

    fn octets_missing(&self) -> [bool; 2] {
        [self.client.is_missing_octets(), self.server.is_missing_octets()]
    }

    /// Any segment.
    #[inline(never)]
    pub(super) fn on_any(&mut self, segment: &Segment, log: &mut Log) -> Observed {
        let from = self.party_of(segment.source);
        let (sender, receiver) = (self.side(from), self.side(from.peer()));
        let position = sender.position(segment.seq);
        let time_of = |side: &Side| side.last.map(|last| last.time);
        let (said, heard) = (time_of(sender), time_of(receiver));
        let step = Step {
            from,
            position,
            ack_is_news: self.ack_is_news(segment, from),
            silence: since(heard, segment.time),
            quiet: since(said.max(heard), segment.time),
        };
        let finished = sender.finished;
        let class = if segment.flags.rst() {
            self.on_rst(segment, &step, log)
        } else if segment.flags.syn() {
            self.on_syn(segment, &step, log)
        } else {
            self.on_ordinary(segment, &step, log)
        };
        let observed = self.observed(segment, &step, class);
        let late = segment.flags.ack() && {
            let receiver = self.side(from.peer());
            receiver.acked().is_some_and(|acked| receiver.position(segment.ack) < acked)
        };
        self.side_mut(from).learn_header(segment, told_nothing(class), late);
        if class.sends_again(finished) {
            let heard = self.side(from.peer()).last.map(|last| last.mark());
            self.side_mut(from).learn_repeated(segment, heard);
        }
        self.last = Mark { frame: segment.id, time: segment.time };
        observed
    }

    fn ack_is_news(&self, segment: &Segment, from: Party) -> bool {
        let peer = self.side(from.peer());
        segment.flags.ack() && peer.acked().is_none_or(|acked| peer.position(segment.ack) > acked)
    }

    fn observed(&self, segment: &Segment, step: &Step, class: Class) -> Observed {
        let peer = self.side(step.from.peer());
        Observed {
            connection: self.id,
            sender: step.from,
            class,
            seq: self.side(step.from).relative(step.position),
            ack: segment.flags.ack().then(|| peer.relative(peer.position(segment.ack))),
            octets_missing: self.octets_missing(),
        }
    }

    fn on_ordinary(&mut self, segment: &Segment, step: &Step, log: &mut Log) -> Class {
        self.doubt_reset(segment, log);
        self.decide_candidates(segment, step, log);
        let (sender, receiver) = (self.side(step.from), self.side(step.from.peer()));
        let verdict = classify::judge(sender, receiver, segment, step.ack_is_news, step.quiet);
        if segment.flags.ack() {
            self.learn_ack(segment, step, log);
        }
        let class = match verdict {
            Verdict::Probe(basis) => return self.on_probe(segment, step, basis, log),
            Verdict::AtZeroWindow => return self.on_zero_window(segment, step, log),
            Verdict::LookAlike(kind, rule) => self.on_look_alike(segment, step, kind, rule, log),
            Verdict::Candidate => self.on_candidate(segment, step, log),
            Verdict::BareAck => self.on_bare_ack(segment, step, log),
            Verdict::Other => self.on_data(segment, step, log),
        };
        if !matches!(verdict, Verdict::LookAlike(..)) {
            self.anchor(segment, step, verdict, log);
        }
        let fin_before = self.side(step.from).finished;
        let sender = self.side_mut(step.from);
        sender.learn_sent(segment, step.position);
        let last = segment.len == 1 && sender.tail.start == step.position;
        if last && matches!(verdict, Verdict::LookAlike(LookAlike::ZeroWindowProbe, _)) {
            sender.learn_window_probe();
        }
        if segment.flags.fin() && !fin_before {
            self.on_first_fin(segment, step, log);
        }
        if segment.len > 0 {
            self.on_sent_after_zero_window(segment, step, log);
        }
        self.side_mut(step.from.peer()).run = 0;
        class
    }

    /// Whether this segment tells where SND.NXT is: every one but an empty candidate does.
    fn anchor(&mut self, segment: &Segment, step: &Step, verdict: Verdict, log: &mut Log) {
        let open = verdict == Verdict::Candidate && segment.len == 0;
        let was_open = std::mem::replace(&mut self.side_mut(step.from).unanchored, open);
        if was_open
            && verdict == Verdict::BareAck
            && let Some(probes) = self.probes.as_deref_mut()
        {
            probes.dismiss_candidates(step.from, Dismissal::Ordinary, log);
        }
    }

    /// Learns the ACK field; it may show that candidates of the peer were probes.
    fn learn_ack(&mut self, segment: &Segment, step: &Step, log: &mut Log) {
        let prober = step.from.peer();
        let position = self.side_mut(prober).on_ack(segment.ack);
        if let Some(probes) = self.probes.as_deref_mut()
            && probes.on_peer_ack(prober, position, segment, log)
        {
            let tail = &mut self.side_mut(prober).tail;
            (tail.probed, tail.probed_with_octet) = (true, true);
        }
    }

    /// Where the sender goes on may show that its candidates were probes, or that they were not.
    fn decide_candidates(&mut self, segment: &Segment, step: &Step, log: &mut Log) {
        let Some(probes) = self.probes.as_deref_mut() else { return };
        if probes.on_own_segment(step.from, step.position, segment, log) {
            let sender = self.side_mut(step.from);
            sender.unanchored = false;
            sender.learn_continued(step.position);
        }
    }

    fn probes(&mut self) -> &mut Probes {
        let (id, opened) = (self.id, self.opened);
        self.probes.get_or_insert_with(|| Box::new(Probes::new(id, opened)))
    }

    fn probe_segment(&self, segment: &Segment, step: &Step) -> ProbeSegment {
        let (sender, receiver) = (self.side(step.from), self.side(step.from.peer()));
        ProbeSegment {
            prober: step.from,
            at: Mark { frame: segment.id, time: segment.time },
            seq: segment.seq,
            ack: segment.ack,
            octets: u8::from(segment.len > 0),
            silence: step.silence,
            quiet: step.quiet,
            run: sender.run.saturating_add(1),
            ttl: segment.ttl,
            timestamps: segment.options.timestamps,
            ip_id: segment.ip_id,
            ip_id_before: segment.ip_id.and(sender.last.map(|last| last.ip_id)),
            dont_fragment: segment.dont_fragment,
            psh: segment.flags.psh(),
            octet: segment.first_octet.filter(|_| segment.len > 0),
            window: segment.window,
            window_before: sender.window,
            ack_lag: receiver
                .next()
                .filter(|_| segment.flags.ack() && !receiver.unanchored)
                .map(|next| next.cast_signed().wrapping_sub(receiver.position(segment.ack).cast_signed())),
            in_flight: sender.in_flight(step.position),
        }
    }

    fn on_probe(&mut self, segment: &Segment, step: &Step, basis: Basis, log: &mut Log) -> Class {
        let shown = self.probe_segment(segment, step);
        let sender = self.side(step.from);
        let in_flight = (basis == Basis::Outstanding)
            .then(|| (sender.acked().unwrap_or(0).min(step.position + 1), sender.next().unwrap_or(u64::MAX)));
        let probes = self.probes();
        probes.settle_unsure(&shown, segment, log);
        let probe = probes.on_probe(shown, basis, step.position, in_flight, None, log);
        self.side_mut(step.from).learn_probe(step.position, segment.len > 0);
        // A zero-length probe is dropped before it counts as heard (Linux tcp_validate_incoming); one octet
        // is taken as a retransmission and does count.
        if segment.len > 0 {
            self.side_mut(step.from.peer()).run = 0;
        }
        self.match_answer_written_before(segment, step, log);
        Class::Probe { probe, run: shown.run }
    }

    fn on_candidate(&mut self, segment: &Segment, step: &Step, log: &mut Log) -> Class {
        let shown = self.probe_segment(segment, step);
        let candidate = self.probes().on_candidate(shown, segment, step.position, log);
        if segment.len == 0 {
            let sender = self.side_mut(step.from);
            sender.run = sender.run.saturating_add(1);
        }
        match candidate {
            Some(candidate) => Class::Candidate { candidate },
            None => Class::Ack,
        }
    }

    fn on_look_alike(
        &mut self,
        segment: &Segment,
        step: &Step,
        kind: LookAlike,
        rule: &'static str,
        log: &mut Log,
    ) -> Class {
        self.side_mut(step.from).count(kind);
        let at = Mark { frame: segment.id, time: segment.time };
        let seen = LookAlikeSeen { sender: step.from, at, kind, rule };
        self.probes().emit(log, EventKind::LookAlike(seen));
        Class::LookAlike(kind)
    }

    /// An empty segment at SND.NXT-1 with the receiver's window closed: see [`Probes::at_zero_window`].
    fn on_zero_window(&mut self, segment: &Segment, step: &Step, log: &mut Log) -> Class {
        let closed = self.side(step.from.peer()).window_closed();
        let rtt = classify::round_trip(&self.client, &self.server);
        let quiet = step.quiet.unwrap_or(Span::ZERO);
        let now = Mark { frame: segment.id, time: segment.time };
        let open = self.side(step.from.peer()).window.is_some_and(|window| window > 0);
        let seen = IntoWindow { closed, open, quiet, silence: step.silence, rtt };
        let waits = self.probes().at_zero_window(step.from, now, seen, log);
        self.side_mut(step.from).probes_window = waits;
        if waits {
            let rule = "window of 0 and gaps that begin short and double";
            return self.on_look_alike(segment, step, LookAlike::ZeroWindowProbe, rule, log);
        }
        let class = self.on_probe(segment, step, Basis::Acknowledged, log);
        if let Class::Probe { probe, .. } = class {
            self.probes().called_probe_at_zero_window(step.from, probe);
        }
        class
    }

    /// Data right after the window opened shows that it had waited.
    fn on_sent_after_zero_window(&mut self, segment: &Segment, step: &Step, log: &mut Log) {
        let receiver = self.side(step.from.peer());
        let open = receiver.window.is_some_and(|window| window > 0);
        let wait = SETTLED.plus(classify::round_trip(&self.client, &self.server).times(2));
        let soon = receiver.last.is_some_and(|mark| segment.time.since(mark.time) < wait);
        let Some(probes) = self.probes.as_deref_mut() else { return };
        if open {
            let evidence = Mark { frame: segment.id, time: segment.time };
            let retracted = probes.window_reopened(step.from, soon, evidence, log);
            for _ in 0..retracted {
                self.side_mut(step.from).count(LookAlike::ZeroWindowProbe);
            }
        }
    }

    fn on_bare_ack(&mut self, segment: &Segment, step: &Step, log: &mut Log) -> Class {
        self.learn_round_trip(segment, step.from.peer());
        if let Some(probe) = self.match_answer(segment, step, AnswerKind::Ack, log) {
            return Class::Answer { probe, kind: AnswerKind::Ack };
        }
        let sender = self.side_mut(step.from);
        if step.ack_is_news || sender.segments == 0 {
            return Class::Ack;
        }
        let kind = if sender.provoked {
            LookAlike::ChallengeAck
        } else if sender.window != Some(segment.window) {
            LookAlike::WindowUpdate
        } else {
            LookAlike::DuplicateAck
        };
        sender.provoked = false;
        sender.count(kind);
        Class::LookAlike(kind)
    }

    fn on_data(&mut self, segment: &Segment, step: &Step, log: &mut Log) -> Class {
        let kind = if segment.len > 0 { AnswerKind::Data } else { AnswerKind::Ack };
        if let Some(probe) = self.match_answer(segment, step, kind, log) {
            return Class::Answer { probe, kind };
        }
        let sender = self.side(step.from);
        let old = sender.next().is_some_and(|next| step.position < next);
        match (segment.flags.fin(), segment.len > 0, old) {
            (true, ..) => Class::Fin,
            (false, true, true) => Class::Retransmission,
            (false, true, false) => Class::Data,
            (false, false, true) => Class::OldAck,
            (false, false, false) => Class::Ack,
        }
    }

    /// What was seen of it until now.
    pub(super) fn summary(&self, seen_until: Timestamp) -> Summary {
        let rare = self.rare.as_deref();
        Summary {
            opened: self.opened,
            last: self.last,
            client: self.client.summary(),
            server: self.server.summary(),
            reset: rare.and_then(|rare| rare.reset).map(|reset| (reset.by, reset.at)),
            duplicates: rare.map_or(0, |rare| rare.duplicates),
            seen_until,
        }
    }

    /// Whether an event about it was sent.
    pub(super) fn is_spoken_of(&self) -> bool {
        self.probes.as_ref().is_some_and(|probes| probes.spoken_of())
    }

    /// Says the last word: what is still open stays unanswered or undecided.
    pub(super) fn finish(self, seen_until: Timestamp, log: &mut Log) {
        let summary = EventKind::Final(Box::new(self.summary(seen_until)));
        match self.probes {
            Some(mut probes) if probes.spoken_of() => {
                probes.give_up(log);
                probes.emit(log, summary);
            }
            _ => {
                let mut probes = Probes::new(self.id, self.opened);
                probes.emit(log, summary);
            }
        }
    }
}

/// Time since then; the clock of a capture may go back, a silence may not be negative.
fn since(earlier: Option<Timestamp>, now: Timestamp) -> Option<Span> {
    earlier.map(|earlier| now.since(earlier).max(Span::ZERO))
}

/// Whether a segment was an empty one that told its receiver nothing new.
fn told_nothing(class: Class) -> bool {
    matches!(class, Class::LookAlike(LookAlike::DuplicateAck | LookAlike::WindowUpdate))
}

/// Whether a segment may begin a connection: a SYN alone.
pub(super) fn is_first_syn(segment: &Segment) -> bool {
    segment.flags.syn() && !segment.flags.any(Flags::ACK.with(Flags::RST))
}
