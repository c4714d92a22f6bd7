//! The probes of a connection that wait for something: an answer, or proof that they are probes.
//!
//! Owns the numbering of a connection's events. Uses the event types, [`crate::segment`] and
//! [`crate::time`]; knows nothing of how a segment was judged.

use std::collections::VecDeque;

use super::classify::SETTLED;
use super::event::{
    Answer, AnswerKind, Basis, Candidate, ConnectionId, Dismissal, Event, EventKind, LookAlike, Mark, Opened,
    Party, Probe, ProbeSegment,
};
use crate::segment::{Segment, SeqNum};
use crate::time::{Span, Timestamp};

/// Where events go.
pub(super) type Log = VecDeque<Event>;

/// What comes later than this after a probe, and later than ten round trips, is not its answer.
const ANSWER_LIMIT: Span = Span::from_secs(10);

/// Gap from which window probes are at their cap and no longer double (Linux TCP_RTO_MAX is 120 s, BSD's
/// persist timer stops at 60 s).
const WINDOW_PROBE_CAP: Span = Span::from_secs(50);

/// Most candidates remembered for one side; a run longer than any stack's count is not one of probes.
const MAX_CANDIDATES: usize = 1024;

/// What a connection with keepalives, or with something like them, needs beside its sequence state.
#[derive(Debug)]
pub(super) struct Probes {
    id: ConnectionId,
    opened: Opened,
    /// How many events were sent.
    count: u32,
    client: Waiting,
    server: Waiting,
}

/// What waits on the side of one prober.
#[derive(Debug, Default)]
struct Waiting {
    pending: Vec<Pending>,
    candidates: Vec<Undecided>,
    unsure: Option<Unsure>,
    zero_window: ZeroWindow,
}

/// A probe without an answer yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    /// Its event number.
    pub(super) event: u32,
    /// When it was sent.
    pub(super) time: Timestamp,
    /// SND.NXT when it was sent: what its answer acknowledges.
    pub(super) end: u64,
}

/// An empty segment that is a probe if SND.NXT lies one above it.
#[derive(Clone, Copy, Debug)]
struct Undecided {
    event: u32,
    position: u64,
    shown: ProbeSegment,
}

/// A single octet that is either data or a probe.
#[derive(Clone, Copy, Debug)]
struct Unsure {
    candidate: Undecided,
    octet: Option<u8>,
    psh: bool,
    answer: Option<Answer>,
}

/// Probes sent while the receiver's window is closed.
#[derive(Debug, Default)]
struct ZeroWindow {
    /// When the window closed: a new time is a new episode.
    closed: Option<Timestamp>,
    last: Option<Timestamp>,
    gap: Option<Span>,
    waiting: bool,
    /// Those that were called keepalives.
    called: Vec<u32>,
}

impl Probes {
    pub(super) fn new(id: ConnectionId, opened: Opened) -> Self {
        Self { id, opened, count: 0, client: Waiting::default(), server: Waiting::default() }
    }

    /// Whether any event of this connection was sent.
    pub(super) fn spoken_of(&self) -> bool {
        self.count > 0
    }

    /// Sends an event and returns its number; the first one is preceded by the opening.
    pub(super) fn emit(&mut self, log: &mut Log, kind: EventKind) -> u32 {
        if self.count == 0 {
            self.count = 1;
            log.push_back(Event { connection: self.id, number: 1, kind: EventKind::Opened(self.opened) });
        }
        self.count = self.count.saturating_add(1);
        log.push_back(Event { connection: self.id, number: self.count, kind });
        self.count
    }

    fn waiting(&mut self, party: Party) -> &mut Waiting {
        match party {
            Party::Client => &mut self.client,
            Party::Server => &mut self.server,
        }
    }

    /// Takes note of a probe at `position`; returns its event number.
    pub(super) fn on_probe(
        &mut self,
        shown: ProbeSegment,
        basis: Basis,
        position: u64,
        corrects: Option<u32>,
        log: &mut Log,
    ) -> u32 {
        let event = self.emit(log, EventKind::Probe(Probe { segment: shown, basis, corrects }));
        self.waiting(shown.prober).pending.push(Pending { event, time: shown.at.time, end: position + 1 });
        event
    }

    /// Takes note of a segment that may be a probe; returns its event number, or nothing if too many wait.
    pub(super) fn on_candidate(
        &mut self,
        shown: ProbeSegment,
        segment: &Segment,
        position: u64,
        log: &mut Log,
    ) -> Option<u32> {
        let party = shown.prober;
        if shown.octets > 0 {
            self.dismiss_unsure(party, Dismissal::Undecided, log);
        } else {
            let elsewhere = self.waiting(party).candidates.first().is_some_and(|c| c.position != position);
            if elsewhere {
                self.dismiss_candidates(party, Dismissal::Undecided, log);
            }
            if self.waiting(party).candidates.len() >= MAX_CANDIDATES {
                return None;
            }
        }
        let event = self.emit(log, EventKind::Candidate(Candidate { segment: shown }));
        let undecided = Undecided { event, position, shown };
        let waiting = self.waiting(party);
        if shown.octets > 0 {
            let (octet, psh) = (segment.first_octet, segment.flags.psh());
            waiting.unsure = Some(Unsure { candidate: undecided, octet, psh, answer: None });
        } else {
            waiting.candidates.push(undecided);
        }
        Some(event)
    }

    /// Learns what the peer acknowledged; returns whether candidates turned out to be probes.
    pub(super) fn on_peer_ack(
        &mut self,
        prober: Party,
        acknowledged: u64,
        segment: &Segment,
        log: &mut Log,
    ) -> bool {
        let mut confirmed = false;
        if let Some(position) = self.candidate_position(prober) {
            if acknowledged == position + 1 {
                self.confirm_candidates(prober, Basis::AnswerBeyond, log);
                confirmed = true;
            } else if acknowledged == position {
                self.dismiss_candidates(prober, Dismissal::Ordinary, log);
            } else if acknowledged > position {
                self.dismiss_candidates(prober, Dismissal::Undecided, log);
            }
        }
        confirmed | self.unsure_acknowledged(prober, acknowledged, segment, log)
    }

    /// The peer acknowledged past a lone octet: with a report that it had it already, that octet was a probe.
    fn unsure_acknowledged(
        &mut self,
        prober: Party,
        acknowledged: u64,
        segment: &Segment,
        log: &mut Log,
    ) -> bool {
        let Some(unsure) = self.waiting(prober).unsure.as_mut() else { return false };
        let end = unsure.candidate.position + 1;
        if acknowledged == end {
            let pending =
                Pending { event: unsure.candidate.event, time: unsure.candidate.shown.at.time, end };
            let answer = answer_to(&pending, segment, AnswerKind::Ack, None);
            if answer.dsack {
                let Undecided { event, position, shown } = unsure.candidate;
                self.waiting(prober).unsure = None;
                self.on_probe(shown, Basis::DuplicateReported, position, Some(event), log);
                return true;
            }
            unsure.answer.get_or_insert(answer);
        } else if acknowledged > end {
            self.dismiss_unsure(prober, Dismissal::Undecided, log);
        }
        false
    }

    /// Learns where the prober itself goes on; returns whether candidates turned out to be probes.
    pub(super) fn on_own_segment(
        &mut self,
        prober: Party,
        position: u64,
        segment: &Segment,
        log: &mut Log,
    ) -> bool {
        let Some(candidate) = self.candidate_position(prober) else { return false };
        let carries = segment.len > 0 || segment.flags.fin() || segment.flags.rst();
        if position == candidate + 1 {
            self.confirm_candidates(prober, Basis::ContinuedBeyond, log);
            return true;
        }
        if (position == candidate && carries) || position + 1 == candidate {
            self.dismiss_candidates(prober, Dismissal::Ordinary, log);
        } else if position > candidate {
            self.dismiss_candidates(prober, Dismissal::Undecided, log);
        }
        false
    }

    /// An undoubted one-octet probe shows that an earlier one like it, of which nothing was known, was one.
    pub(super) fn settle_unsure(&mut self, shown: &ProbeSegment, segment: &Segment, log: &mut Log) {
        let Some(unsure) = self.waiting(shown.prober).unsure else { return };
        let same = shown.octets > 0
            && SeqNum::at_position(unsure.candidate.position) == segment.seq
            && unsure.octet == segment.first_octet
            && !unsure.psh
            && !segment.flags.psh();
        if !same {
            return;
        }
        self.waiting(shown.prober).unsure = None;
        let Undecided { event, position, shown } = unsure.candidate;
        let probe = self.on_probe(shown, Basis::RepeatedLater, position, Some(event), log);
        if let Some(answer) = unsure.answer {
            self.waiting(shown.prober).pending.retain(|pending| pending.event != probe);
            self.emit(log, EventKind::Answer(Answer { probe, ..answer }));
        }
    }

    /// Where the candidates of a side stand; they all stand at one place.
    fn candidate_position(&mut self, party: Party) -> Option<u64> {
        self.waiting(party).candidates.first().map(|candidate| candidate.position)
    }

    fn confirm_candidates(&mut self, party: Party, basis: Basis, log: &mut Log) {
        for Undecided { event, position, shown } in std::mem::take(&mut self.waiting(party).candidates) {
            self.on_probe(shown, basis, position, Some(event), log);
        }
    }

    /// The candidates of a side are not probes, or nothing will ever tell.
    pub(super) fn dismiss_candidates(&mut self, party: Party, because: Dismissal, log: &mut Log) {
        for candidate in std::mem::take(&mut self.waiting(party).candidates) {
            self.emit(log, EventKind::Dismissed { candidate: candidate.event, because });
        }
    }

    fn dismiss_unsure(&mut self, party: Party, because: Dismissal, log: &mut Log) {
        if let Some(unsure) = self.waiting(party).unsure.take() {
            self.emit(log, EventKind::Dismissed { candidate: unsure.candidate.event, because });
        }
    }

    /// Takes the probe that a segment of the peer answers, if any. Probes sent before it are lost, and all
    /// are if the segment acknowledges what was sent after them.
    pub(super) fn answered_by(
        &mut self,
        prober: Party,
        acknowledged: Option<u64>,
        time: Timestamp,
        min_rtt: Option<Span>,
        log: &mut Log,
    ) -> Option<Pending> {
        let pending = &self.waiting(prober).pending;
        let last = pending.last()?;
        if acknowledged.is_some_and(|acknowledged| acknowledged > last.end) {
            self.lose_pending(prober, usize::MAX, log);
            return None;
        }
        let index = answered_index(pending, acknowledged, time, min_rtt)?;
        self.lose_pending(prober, index, log);
        let waiting = self.waiting(prober);
        (!waiting.pending.is_empty()).then(|| waiting.pending.remove(0))
    }

    /// Takes the oldest probe that an ICMP error quotes: each error quotes one packet, in their order.
    pub(super) fn quoted_by(&mut self, prober: Party, position: u64, time: Timestamp) -> Option<Pending> {
        let pending = &mut self.waiting(prober).pending;
        let index = pending.iter().position(|probe| {
            let age = time.since(probe.time);
            probe.end == position.wrapping_add(1) && age >= Span::ZERO && age <= ANSWER_LIMIT
        })?;
        Some(pending.remove(index))
    }

    /// The oldest `count` probes of a side get no answer any more.
    fn lose_pending(&mut self, party: Party, count: usize, log: &mut Log) {
        let pending = &mut self.waiting(party).pending;
        let count = count.min(pending.len());
        for probe in pending.drain(..count).collect::<Vec<_>>() {
            self.emit(log, EventKind::Unanswered { probe: probe.event });
        }
    }

    /// Judges an empty segment at SND.NXT-1 while the receiver's window is closed: true if data waits (a
    /// window probe), false for a keepalive.
    ///
    /// Window probes begin one retransmission time-out after the window closed and their gaps double up to a
    /// cap (RFC 9293 §3.8.6.1; Linux, measured: 0.42, 0.83, 1.66, 3.46 s); keepalives begin after at least a
    /// second and keep their gaps.
    pub(super) fn at_zero_window(
        &mut self,
        party: Party,
        now: Mark,
        closed: Option<Timestamp>,
        quiet: Span,
        rtt: Span,
        log: &mut Log,
    ) -> bool {
        let zero = &mut self.waiting(party).zero_window;
        if zero.closed != closed {
            *zero = ZeroWindow { closed, ..ZeroWindow::default() };
        }
        let gap = zero.last.map_or(quiet, |last| now.time.since(last));
        let soon = gap < SETTLED.max(rtt.times(4));
        let doubled = zero
            .gap
            .is_some_and(|before| gap.times(10) >= before.times(16) && gap.times(10) <= before.times(25));
        let capped = zero.waiting && zero.gap.is_some_and(|before| before >= WINDOW_PROBE_CAP);
        zero.waiting = soon || doubled || capped;
        zero.last = Some(now.time);
        zero.gap = Some(gap);
        let waiting = zero.waiting;
        if waiting {
            self.retract_at_zero_window(party, now, log);
        }
        waiting
    }

    /// Remembers that a segment into a closed window was called a keepalive.
    pub(super) fn called_probe_at_zero_window(&mut self, party: Party, probe: u32) {
        self.waiting(party).zero_window.called.push(probe);
    }

    /// The window is open again and the prober sent data: right away, if data had waited. Returns how many
    /// probes were retracted.
    pub(super) fn window_reopened(&mut self, party: Party, soon: bool, evidence: Mark, log: &mut Log) -> u32 {
        if soon {
            return self.retract_at_zero_window(party, evidence, log);
        }
        self.waiting(party).zero_window.called.clear();
        0
    }

    fn retract_at_zero_window(&mut self, party: Party, evidence: Mark, log: &mut Log) -> u32 {
        let called = std::mem::take(&mut self.waiting(party).zero_window.called);
        for &probe in &called {
            self.waiting(party).pending.retain(|pending| pending.event != probe);
            self.emit(log, EventKind::Retracted { probe, kind: LookAlike::ZeroWindowProbe, evidence });
        }
        u32::try_from(called.len()).unwrap_or(u32::MAX)
    }

    /// Nothing waits any longer.
    pub(super) fn give_up(&mut self, log: &mut Log) {
        for party in [Party::Client, Party::Server] {
            self.lose_pending(party, usize::MAX, log);
            self.dismiss_candidates(party, Dismissal::Undecided, log);
            self.dismiss_unsure(party, Dismissal::Undecided, log);
        }
    }
}

/// Which of the pending probes a segment at `time` answers.
///
/// Where a round trip is known, the one whose own would come nearest to it. Otherwise the latest, since the
/// ones before it were most likely lost; only probes less than a second apart are answered in their order.
fn answered_index(
    pending: &[Pending],
    acknowledged: Option<u64>,
    time: Timestamp,
    min_rtt: Option<Span>,
) -> Option<usize> {
    let limit = min_rtt.map_or(ANSWER_LIMIT, |rtt| rtt.times(10).max(ANSWER_LIMIT));
    let eligible = |probe: &Pending| {
        let age = time.since(probe.time);
        age >= Span::ZERO && age <= limit && acknowledged.is_none_or(|ack| ack == probe.end)
    };
    let indices = pending.iter().enumerate().filter(|(_, probe)| eligible(probe));
    if let Some(rtt) = min_rtt {
        let distance =
            |probe: &Pending| Span::from_nanos(time.since(probe.time).as_nanos() - rtt.as_nanos()).abs();
        return indices.min_by_key(|(_, probe)| distance(probe)).map(|(index, _)| index);
    }
    let mut chosen: Option<(usize, Timestamp)> = None;
    for (index, probe) in indices.rev() {
        if chosen.is_none_or(|(_, later)| later.since(probe.time) < SETTLED) {
            chosen = Some((index, probe.time));
        }
    }
    chosen.map(|(index, _)| index)
}

/// The answer that `segment` gives to a probe; `window_before` is what its sender advertised last.
pub(super) fn answer_to(
    probe: &Pending,
    segment: &Segment,
    kind: AnswerKind,
    window_before: Option<u16>,
) -> Answer {
    Answer {
        ttl: segment.ttl,
        dsack: segment.options.sack.is_some_and(|block| {
            block.right == SeqNum::at_position(probe.end) && block.left.plus(1) == block.right
        }),
        window_changed: window_before.is_some_and(|window| window != segment.window),
        timestamps: segment.options.timestamps,
        ..bare_answer(probe, kind, Mark { frame: segment.id, time: segment.time })
    }
}

/// An answer of which only its frame and time are known.
pub(super) fn bare_answer(probe: &Pending, kind: AnswerKind, at: Mark) -> Answer {
    Answer {
        probe: probe.event,
        kind,
        at,
        rtt: at.time.since(probe.time).max(Span::ZERO),
        ttl: 0,
        dsack: false,
        window_changed: false,
        timestamps: None,
        reporter: None,
    }
}
