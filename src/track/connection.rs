//! One connection: both sides, and what their segments say about keepalives.
//!
//! Owns the order in which a segment's SEQ, ACK and header are learnt and turned into events. Uses the rules
//! in [`super::classify`] and the bookkeeping of probes in [`super::probes`].

mod answers;
mod bits;
mod ends;
mod kept;
mod plain;

use self::bits::Bits;
use super::Class;
use super::classify::{self, SETTLED, Verdict};
use super::event::{
    AnswerKind, Basis, Dismissal, EventKind, LookAlike, LookAlikeSeen, Mark, Party, ProbeSegment,
};
use super::packed::{PackedFrame, PackedId};
use super::probes::{IntoWindow, Log};
use super::rare::{More, RareOf};
use super::shelf::{Links, Shelf};
use super::side::Side;
use crate::segment::{Ends, Flags, Segment};
use crate::time::{Span, Timestamp};

/// A connection and everything remembered of it: 272 octets for most. What nearly every segment needs comes first and lies
/// together, so that few lines of memory are waited for.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Connection {
    /// The client first.
    ends: Ends,
    id: PackedId,
    bits: Bits,
    /// Where it is listed.
    pub(super) shelf: Shelf,
    /// Window updates and duplicate acknowledgments of client and server, as many as fit.
    common: [u8; 4],
    /// That of the client first.
    sides: [Side; 2],
    /// What most connections never need.
    more: Option<Box<More>>,
    first_time: Timestamp,
    first_frame: PackedFrame,
    /// Its neighbours where it is listed.
    pub(super) links: Links,
}

/// A RST that ended the connection, as far as is known.
#[derive(Clone, Copy, Debug)]
struct ResetSeen {
    by: Party,
    at: Mark,
    /// Its SEQ was SND.NXT, as far as is known.
    exact: bool,
}

/// The parts of a segment's judgment that several steps need.
struct Step {
    from: Party,
    position: u64,
    ack_is_news: bool,
    silence: Option<Span>,
    quiet: Option<Span>,
}

/// What a segment was, in numbers of its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    sender: Party,
    pub(super) class: Class,
    /// Where it begins.
    position: u64,
    /// What it acknowledges.
    ack: Option<u64>,
}

impl Connection {
    /// Reads any segment.
    #[inline(never)]
    pub(super) fn on_any(&mut self, segment: &Segment, log: &mut Log) -> Seen {
        let from = self.party_of(segment.source);
        if let Some(seen) = self.on_strange(segment, from) {
            return seen;
        }
        self.keep_reset_mark(from);
        let (sender, receiver) = (self.side(from), self.side(from.peer()));
        let position = sender.position(segment.seq);
        let (said, heard) = (sender.last_time(), receiver.last_time());
        let step = Step {
            from,
            position,
            ack_is_news: self.ack_is_news(segment, from),
            silence: since(heard, segment.time),
            quiet: since(said.max(heard), segment.time),
        };
        let finished = sender.finished();
        let class = if segment.flags.rst() {
            self.on_rst(segment, &step, log)
        } else if segment.flags.syn() {
            self.on_syn(segment, &step, log)
        } else {
            self.on_ordinary(segment, &step, log)
        };
        let receiver = self.side(from.peer());
        let ack = segment.flags.ack().then(|| receiver.position(segment.ack));
        let late = ack.is_some_and(|ack| receiver.acked().is_some_and(|acked| ack < acked));
        // What it was before this segment, in case this one counts for nothing.
        let stale = class == Class::StaleReset && !self.is_reset();
        let life = stale.then(|| self.side(from).life(self.rare(from)));
        let (sender, receiver, more) = self.both(from);
        sender.learn_header(segment, told_nothing(class), late, RareOf { more: &mut *more, party: from });
        if let Some(before) = life {
            sender.learn_stale(before, RareOf { more: &mut *more, party: from });
        }
        if class.sends_again(finished) {
            sender.learn_repeated(segment, receiver.last_mark(), RareOf { more, party: from });
        }
        self.bits.set_touched_by(from);
        self.bits.set(Bits::WAITS, self.waits());
        Seen { sender: from, class, position, ack }
    }

    /// Counts a segment that lies so far off that whoever gets it drops it (RFC 9293 §3.10.7.4, RFC 5961 §5.2), if it
    /// is that: anybody can have sent it, so nothing is learnt from it. Where the other end goes on far off as well,
    /// that many octets are missing from the capture; where it was not captured, they may be.
    fn on_strange(&mut self, segment: &Segment, from: Party) -> Option<Seen> {
        if segment.flags.any(Flags::SYN.with(Flags::RST)) {
            return None;
        }
        let far_off = self.is_far_off(segment);
        self.side_mut(from).set_far_off(far_off);
        let (sender, receiver) = (self.side(from), self.side(from.peer()));
        if !far_off || !receiver.is_seen() || receiver.was_far_off() {
            return None;
        }
        let position = sender.position(segment.seq);
        let ack = segment.flags.ack().then(|| receiver.position(segment.ack));
        let (sender, rare) = self.with_rare(from);
        sender.count(segment, rare);
        self.bits.set(Bits::TOUCHED, true);
        let class = if segment.len > 0 { Class::Data } else { Class::OldAck };
        Some(Seen { sender: from, class, position, ack })
    }

    /// Whether SEQ or ACK lie farther from what is known than any window allows.
    fn is_far_off(&self, segment: &Segment) -> bool {
        let from = self.party_of(segment.source);
        let (sender, receiver) = (self.side(from), self.side(from.peer()));
        let ack_far_off = segment.flags.ack() && receiver.is_far_off(segment.ack);
        !sender.unanchored() && (ack_far_off || sender.is_far_off(segment.seq))
    }

    fn ack_is_news(&self, segment: &Segment, from: Party) -> bool {
        let peer = self.side(from.peer());
        segment.flags.ack() && peer.acked().is_none_or(|acked| peer.position(segment.ack) > acked)
    }

    fn on_ordinary(&mut self, segment: &Segment, step: &Step, log: &mut Log) -> Class {
        self.doubt_reset(segment, step.from, log);
        self.decide_candidates(segment, step, log);
        let (sender, receiver) = (self.view(step.from), self.view(step.from.peer()));
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
        let fin_before = self.side(step.from).finished();
        let (sender, rare) = self.with_rare(step.from);
        sender.learn_sent(segment, step.position, rare);
        let last = segment.len == 1 && sender.tail_begins_at(step.position);
        if last && matches!(verdict, Verdict::LookAlike(LookAlike::ZeroWindowProbe, _)) {
            sender.learn_window_probe();
        }
        if segment.flags.fin() && !fin_before {
            self.on_first_fin(segment, step, log);
        }
        if segment.len > 0 {
            self.on_sent_after_zero_window(segment, step, log);
        }
        self.end_run(step.from.peer());
        class
    }

    /// Whether this segment tells where SND.NXT is: every one but an empty candidate does.
    fn anchor(&mut self, segment: &Segment, step: &Step, verdict: Verdict, log: &mut Log) {
        let open = verdict == Verdict::Candidate && segment.len == 0;
        let was_open = self.side(step.from).unanchored();
        self.side_mut(step.from).set_unanchored(open);
        if was_open
            && verdict == Verdict::BareAck
            && let Some(probes) = self.probes_mut()
        {
            probes.dismiss_candidates(step.from, Dismissal::Ordinary, log);
        }
    }

    /// Learns the ACK field; it may show that candidates of the peer were probes.
    fn learn_ack(&mut self, segment: &Segment, step: &Step, log: &mut Log) {
        let prober = step.from.peer();
        let (side, rare) = self.with_rare(prober);
        let position = side.on_ack(segment.ack, rare);
        if let Some(probes) = self.probes_mut()
            && probes.on_peer_ack(prober, position, segment, log)
        {
            self.side_mut(prober).learn_earlier_probe();
        }
    }

    /// Where the sender goes on may show that its candidates were probes, or that they were not.
    fn decide_candidates(&mut self, segment: &Segment, step: &Step, log: &mut Log) {
        let Some(probes) = self.probes_mut() else { return };
        if probes.on_own_segment(step.from, step.position, segment, log) {
            let (sender, rare) = self.with_rare(step.from);
            sender.set_unanchored(false);
            sender.learn_continued(step.position, rare);
        }
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
            run: self.run(step.from).saturating_add(1),
            ttl: segment.ttl,
            timestamps: segment.options.timestamps,
            ip_id: segment.ip_id,
            ip_id_before: segment.ip_id.and(sender.last().map(|last| last.ip_id)),
            dont_fragment: segment.dont_fragment,
            psh: segment.flags.psh(),
            octet: segment.first_octet.filter(|_| segment.len > 0),
            window: segment.window,
            window_before: sender.window(),
            ack_lag: receiver
                .next()
                .filter(|_| segment.flags.ack() && !receiver.unanchored())
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
        probes.count_in_run(step.from);
        let (sender, rare) = self.with_rare(step.from);
        sender.learn_probe(step.position, segment.len > 0, rare);
        // A zero-length probe is dropped before it counts as heard (Linux tcp_validate_incoming); one octet
        // is taken as a retransmission and does count.
        if segment.len > 0 {
            self.end_run(step.from.peer());
        }
        self.match_answer_written_before(segment, step, log);
        Class::Probe { probe, run: shown.run }
    }

    fn on_candidate(&mut self, segment: &Segment, step: &Step, log: &mut Log) -> Class {
        let shown = self.probe_segment(segment, step);
        let probes = self.probes();
        let candidate = probes.on_candidate(shown, segment, step.position, log);
        if segment.len == 0 {
            probes.count_in_run(step.from);
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
        self.count(step.from, kind);
        let at = Mark { frame: segment.id, time: segment.time };
        let seen = LookAlikeSeen { sender: step.from, at, kind, rule };
        self.probes().emit(log, EventKind::LookAlike(seen));
        Class::LookAlike(kind)
    }

    /// An empty segment at SND.NXT-1 with the receiver's window closed: see [`Probes::at_zero_window`](super::probes::Probes::at_zero_window).
    fn on_zero_window(&mut self, segment: &Segment, step: &Step, log: &mut Log) -> Class {
        let closed = self.view(step.from.peer()).window_closed();
        let rtt = self.round_trip();
        let quiet = step.quiet.unwrap_or(Span::ZERO);
        let now = Mark { frame: segment.id, time: segment.time };
        let open = self.side(step.from.peer()).window().is_some_and(|window| window > 0);
        let seen = IntoWindow { closed, open, quiet, silence: step.silence, rtt };
        let waits = self.probes().at_zero_window(step.from, now, seen, log);
        self.side_mut(step.from).set_probes_window(waits);
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

    /// The shortest round trip of the whole path.
    fn round_trip(&self) -> Span {
        let [client, server] = &self.sides;
        classify::round_trip(client, server)
    }

    /// Data right after the window opened shows that it had waited.
    fn on_sent_after_zero_window(&mut self, segment: &Segment, step: &Step, log: &mut Log) {
        let receiver = self.side(step.from.peer());
        let open = receiver.window().is_some_and(|window| window > 0);
        let wait = SETTLED.plus(self.round_trip().times(2));
        let soon = receiver.last_time().is_some_and(|last| segment.time.since(last) < wait);
        let Some(probes) = self.probes_mut() else { return };
        if open {
            let evidence = Mark { frame: segment.id, time: segment.time };
            let retracted = probes.window_reopened(step.from, soon, evidence, log);
            for _ in 0..retracted {
                self.count(step.from, LookAlike::ZeroWindowProbe);
            }
        }
    }

    fn on_bare_ack(&mut self, segment: &Segment, step: &Step, log: &mut Log) -> Class {
        self.learn_round_trip(segment, step.from.peer());
        if let Some(probe) = self.match_answer(segment, step, AnswerKind::Ack, log) {
            return Class::Answer { probe, kind: AnswerKind::Ack };
        }
        let sender = self.side_mut(step.from);
        if step.ack_is_news || !sender.is_seen() {
            return Class::Ack;
        }
        let kind = if sender.provoked() {
            LookAlike::ChallengeAck
        } else if sender.window() != Some(segment.window) {
            LookAlike::WindowUpdate
        } else {
            LookAlike::DuplicateAck
        };
        sender.set_provoked(false);
        self.count(step.from, kind);
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
