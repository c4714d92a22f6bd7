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

/// How much the round trips of a burst may differ, beside a quarter, for its answers to be paired anew.
const PAIRING_SLACK: Span = Span::from_millis(20);

/// Longest burst whose answers are paired anew.
const MAX_PAIRING: usize = 256;

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
    /// The prober went on right above its candidates.
    continued: bool,
    unsure: Option<Unsure>,
    zero_window: ZeroWindow,
    pairing: Vec<Paired>,
}

/// A probe of a burst whose answers may have been given to the wrong ones: more were sent than answered when
/// the first answer came.
#[derive(Clone, Copy, Debug)]
struct Paired {
    probe: Pending,
    /// The event that last said what became of it.
    said: u32,
    answer: Option<Answer>,
}

/// A probe without an answer yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    /// Its event number.
    pub(super) event: u32,
    /// When it was sent.
    pub(super) time: Timestamp,
    /// Position after it: SND.NXT when it was sent, unless octets were in flight.
    pub(super) end: u64,
    /// The least and the most that its answer acknowledges: SND.NXT, or with octets in flight anything from
    /// SND.UNA on.
    acknowledged: (u64, u64),
    /// IPv4 identification of its packet.
    ip_id: Option<u16>,
}

impl Pending {
    /// Whether a segment that acknowledges this much may answer it.
    fn is_acknowledged_by(&self, position: u64) -> bool {
        (self.acknowledged.0..=self.acknowledged.1).contains(&position)
    }
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
    /// It came again, so that a report of a duplicate may be about the copy.
    repeated: bool,
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
        in_flight: Option<(u64, u64)>,
        corrects: Option<u32>,
        log: &mut Log,
    ) -> u32 {
        let event = self.emit(log, EventKind::Probe(Probe { segment: shown, basis, corrects }));
        let (time, end, ip_id) = (shown.at.time, position + 1, shown.ip_id);
        let acknowledged = in_flight.unwrap_or((end, end));
        self.waiting(shown.prober).pending.push(Pending { event, time, end, acknowledged, ip_id });
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
            let repeated = false;
            waiting.unsure = Some(Unsure { candidate: undecided, octet, psh, repeated, answer: None });
        } else {
            waiting.candidates.push(undecided);
            waiting.continued = false;
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
            let continued = self.waiting(prober).continued;
            if acknowledged == position + 1 {
                self.confirm_candidates(prober, Basis::AnswerBeyond, log);
                confirmed = true;
            } else if continued && acknowledged > position {
                self.confirm_candidates(prober, Basis::ContinuedBeyond, log);
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
            let shown = &unsure.candidate.shown;
            let (event, ip_id) = (unsure.candidate.event, shown.ip_id);
            let pending = Pending { event, time: shown.at.time, end, acknowledged: (end, end), ip_id };
            let answer = answer_to(&pending, segment, AnswerKind::Ack, None);
            if answer.dsack && !unsure.repeated {
                let Undecided { event, position, shown } = unsure.candidate;
                self.waiting(prober).unsure = None;
                self.on_probe(shown, Basis::DuplicateReported, position, None, Some(event), log);
                return true;
            }
            unsure.answer.get_or_insert(answer);
        } else if acknowledged > end {
            self.dismiss_unsure(prober, Dismissal::Undecided, log);
        }
        false
    }

    /// Learns where the prober itself goes on; returns whether candidates turned out to be probes.
    ///
    /// Right above them: they were probes, unless the octet between them was sent in the meantime and lost
    /// before the capture. The peer's next acknowledgment tells; after a RST there will be none.
    pub(super) fn on_own_segment(
        &mut self,
        prober: Party,
        position: u64,
        segment: &Segment,
        log: &mut Log,
    ) -> bool {
        let waiting = self.waiting(prober);
        if let Some(unsure) = waiting.unsure.as_mut().filter(|unsure| unsure.candidate.position == position) {
            unsure.repeated |= segment.len > 0;
        }
        let Some(candidate) = self.candidate_position(prober) else { return false };
        let carries = segment.len > 0 || segment.flags.fin() || segment.flags.rst();
        if position == candidate + 1 {
            self.waiting(prober).continued = true;
            if segment.flags.rst() {
                self.confirm_candidates(prober, Basis::ContinuedBeyond, log);
                return true;
            }
        } else if (position == candidate && carries) || position + 1 == candidate {
            self.dismiss_candidates(prober, Dismissal::Ordinary, log);
        } else if position > candidate && !self.waiting(prober).continued {
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
        let probe = self.on_probe(shown, Basis::RepeatedLater, position, None, Some(event), log);
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
            self.on_probe(shown, basis, position, None, Some(event), log);
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

    /// Gives a segment of the peer to the probe that it answers, if any, and says so. `made` turns that probe
    /// into its answer. Probes sent before it are lost, and all are if the segment acknowledges what was sent
    /// after them.
    pub(super) fn answered_by(
        &mut self,
        prober: Party,
        arrival: Arrival,
        made: impl Fn(&Pending) -> Answer,
        log: &mut Log,
    ) -> Option<Answer> {
        let pending = &self.waiting(prober).pending;
        let Some(last) = pending.last() else {
            return self.paired_anew(prober, arrival, made, log);
        };
        if arrival.acknowledged.is_some_and(|acknowledged| acknowledged > last.acknowledged.1) {
            self.lose_pending(prober, usize::MAX, log);
            self.waiting(prober).pairing.clear();
            return None;
        }
        let index = answered_index(pending, arrival)?;
        let lost = self.lose_pending(prober, index, log);
        let waiting = self.waiting(prober);
        if waiting.pending.is_empty() {
            return None;
        }
        let probe = waiting.pending.remove(0);
        let answer = made(&probe);
        let said = self.emit(log, EventKind::Answer(answer));
        self.remember_pairing(prober, lost, Paired { probe, said, answer: Some(answer) });
        Some(answer)
    }

    /// Remembers which answer went to which probe while that may turn out wrong.
    fn remember_pairing(&mut self, prober: Party, lost: Vec<Paired>, answered: Paired) {
        let pairing = &mut self.waiting(prober).pairing;
        let stale = |paired: &Paired| answered.probe.time.since(paired.probe.time) > ANSWER_LIMIT;
        if pairing.len() >= MAX_PAIRING || pairing.last().is_some_and(stale) {
            pairing.clear();
        }
        pairing.extend(lost.into_iter().filter(|paired| !stale(paired)));
        if !pairing.is_empty() {
            pairing.push(answered);
        }
    }

    /// One more acknowledgment than there were probes without an answer: an answer before it had been given
    /// to too late a probe. Each of the last probes gets the answer that came in its turn.
    fn paired_anew(
        &mut self,
        prober: Party,
        arrival: Arrival,
        made: impl Fn(&Pending) -> Answer,
        log: &mut Log,
    ) -> Option<Answer> {
        let pairing = &self.waiting(prober).pairing;
        let last = *pairing.last()?;
        let timely = arrival.time.since(last.probe.time) <= ANSWER_LIMIT;
        if !timely || !arrival.repeats || arrival.acknowledged != Some(last.probe.end) {
            return None;
        }
        let mut answers: Vec<Answer> = pairing.iter().filter_map(|paired| paired.answer).collect();
        let first = pairing.len().checked_sub(answers.len() + 1)?;
        answers.push(made(&last.probe));
        let probes = pairing.iter().skip(first).map(|paired| paired.probe);
        let trips = probes.zip(&answers).map(|(probe, answer)| answer.at.time.since(probe.time));
        let (shortest, longest) = (trips.clone().min()?, trips.max()?);
        let disagree = longest > Span::from_nanos(shortest.times(5).as_nanos() / 4).plus(PAIRING_SLACK);
        if disagree || shortest < Span::ZERO {
            return None;
        }
        let mut given = None;
        for (offset, answer) in answers.into_iter().enumerate() {
            let Some(&Paired { probe, said, .. }) = self.waiting(prober).pairing.get(first + offset) else {
                break;
            };
            let rtt = answer.at.time.since(probe.time);
            if self.has_answer(prober, first + offset, answer.at) {
                continue;
            }
            let answer = Answer { probe: probe.event, rtt, corrects: Some(said), ..answer };
            let said = self.emit(log, EventKind::Answer(answer));
            if let Some(paired) = self.waiting(prober).pairing.get_mut(first + offset) {
                *paired = Paired { probe, said, answer: Some(answer) };
            }
            given = Some(answer);
        }
        // Once every probe of the burst has its answer, nothing can shift any more.
        let pairing = &mut self.waiting(prober).pairing;
        if pairing.iter().all(|paired| paired.answer.is_some()) {
            pairing.clear();
        }
        given
    }

    /// Whether this frame was given to that probe of the burst already.
    fn has_answer(&mut self, prober: Party, index: usize, at: Mark) -> bool {
        let paired = self.waiting(prober).pairing.get(index);
        paired.and_then(|paired| paired.answer).is_some_and(|answer| answer.at == at)
    }

    /// Takes the probe that an ICMP error quotes: the one with the quoted identification, otherwise the
    /// oldest, since each error quotes one packet, in their order.
    pub(super) fn quoted_by(
        &mut self,
        prober: Party,
        position: u64,
        quoted_ip_id: Option<u16>,
        time: Timestamp,
    ) -> Option<Pending> {
        let pending = &mut self.waiting(prober).pending;
        let eligible = |probe: &Pending| {
            let age = time.since(probe.time);
            probe.end == position.wrapping_add(1) && age >= Span::ZERO && age <= ANSWER_LIMIT
        };
        let marked = quoted_ip_id.is_some_and(|id| id != 0);
        let same = |probe: &Pending| marked && probe.ip_id == quoted_ip_id && eligible(probe);
        let index = pending.iter().position(same).or_else(|| pending.iter().position(eligible))?;
        Some(pending.remove(index))
    }

    /// The oldest `count` probes of a side get no answer any more.
    fn lose_pending(&mut self, party: Party, count: usize, log: &mut Log) -> Vec<Paired> {
        let pending = &mut self.waiting(party).pending;
        let count = count.min(pending.len());
        let lost: Vec<Pending> = pending.drain(..count).collect();
        let mut said = |probe: Pending| {
            let said = self.emit(log, EventKind::Unanswered { probe: probe.event });
            Paired { probe, said, answer: None }
        };
        lost.into_iter().map(&mut said).collect()
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
        // The first gap is seen with part of a round trip in it.
        let first = Span::from_nanos(quiet.as_nanos() - rtt.as_nanos());
        let gap = zero.last.map_or(first, |last| now.time.since(last));
        let soon = gap < SETTLED.max(rtt.times(4));
        let grew = |least: i64, most: i64| {
            zero.gap.is_some_and(|before| {
                gap.times(100) >= before.times(least) && gap.times(100) <= before.times(most)
            })
        };
        let doubled = grew(160, 250);
        // One of them may be missing from the capture, so only a gap that repeats ends a row of them.
        let goes_on = zero.waiting && !grew(80, 125);
        let capped = zero.waiting && zero.gap.is_some_and(|before| before >= WINDOW_PROBE_CAP);
        zero.waiting = soon || doubled || goes_on || capped;
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
            if self.waiting(party).continued {
                self.confirm_candidates(party, Basis::ContinuedBeyond, log);
            }
            self.lose_pending(party, usize::MAX, log);
            self.dismiss_candidates(party, Dismissal::Undecided, log);
            self.dismiss_unsure(party, Dismissal::Undecided, log);
        }
    }
}

/// A segment of the peer that may answer a probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// When it came.
    pub(super) time: Timestamp,
    /// What it acknowledges; nothing for a RST.
    pub(super) acknowledged: Option<u64>,
    /// It repeats an acknowledgment and tells nothing new.
    pub(super) repeats: bool,
    /// The shortest round trip seen.
    pub(super) min_rtt: Option<Span>,
}

/// Which of the pending probes a segment answers.
///
/// Where a round trip is known, the one whose own would come nearest to it. Otherwise the latest, since the
/// ones before it were most likely lost; only probes less than a second apart are answered in their order.
fn answered_index(pending: &[Pending], arrival: Arrival) -> Option<usize> {
    let limit = arrival.min_rtt.map_or(ANSWER_LIMIT, |rtt| rtt.times(10).max(ANSWER_LIMIT));
    let eligible = |probe: &Pending| {
        let age = arrival.time.since(probe.time);
        age >= Span::ZERO
            && age <= limit
            && arrival.acknowledged.is_none_or(|ack| probe.is_acknowledged_by(ack))
    };
    let indices = pending.iter().enumerate().filter(|(_, probe)| eligible(probe));
    if let Some(rtt) = arrival.min_rtt {
        let distance = |probe: &Pending| {
            Span::from_nanos(arrival.time.since(probe.time).as_nanos() - rtt.as_nanos()).abs()
        };
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
        corrects: None,
    }
}
