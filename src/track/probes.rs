//! The probes of a connection that wait for something: an answer, or proof that they are probes.
//!
//! Owns the numbering of a connection's events. Uses the event types, [`crate::segment`] and
//! [`crate::time`]; knows nothing of how a segment was judged.

mod answers;
mod zero_window;

use std::collections::VecDeque;

use answers::Paired;
pub(super) use answers::{Arrival, answer_to, bare_answer};
pub(super) use zero_window::IntoWindow;
use zero_window::ZeroWindow;

use super::event::{
    Answer, AnswerKind, Basis, Candidate, ConnectionId, Dismissal, Event, EventKind, Opened, Party, Probe,
    ProbeSegment,
};
use crate::segment::{Segment, SeqNum};
use crate::time::{Span, Timestamp};

/// Where events go.
pub(super) type Log = VecDeque<Event>;

/// Most candidates remembered for one side; a run longer than any stack's count is not one of probes.
const MAX_CANDIDATES: usize = 1024;

/// How old a probe without an answer is when it is no longer looked at for one, where many wait: far beyond any round
/// trip.
const HOPELESS: Span = Span::from_secs(600);

/// Probes that may wait before some are called hopeless.
const MANY_WAIT: usize = 256;

/// What a connection with keepalives, or with something like them, needs beside its sequence state.
#[derive(Debug)]
pub(super) struct Probes {
    id: ConnectionId,
    opened: Opened,
    /// How many events were sent.
    count: u32,
    /// One of them was about a probe.
    has_keepalives: bool,
    client: Waiting,
    server: Waiting,
}

/// What waits on the side of one prober.
#[derive(Debug, Default)]
struct Waiting {
    pending: Vec<Pending>,
    /// Only where very many wait in vain.
    hopeless: Option<Box<Hopeless>>,
    candidates: Vec<Undecided>,
    /// The prober went on right above its candidates.
    continued: bool,
    unsure: Option<Box<Unsure>>,
    /// Only where the peer's window was closed.
    zero_window: Option<Box<ZeroWindow>>,
    pairing: Vec<Paired>,
    /// Probes sent since the peer was last heard.
    run: u32,
}

/// The event numbers of probes, sent before those that wait, to which no answer can come any more; that is said when it
/// is said of the others.
#[derive(Debug, Default)]
struct Hopeless(Vec<u32>);

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

impl Waiting {
    /// Whether nothing waits.
    fn is_empty(&self) -> bool {
        let Self { pending, hopeless, candidates, continued: _, unsure, zero_window, pairing, run } = self;
        let undecided = !candidates.is_empty() || unsure.is_some() || zero_window.is_some();
        let unanswered =
            !pending.is_empty() || hopeless.as_ref().is_some_and(|hopeless| !hopeless.0.is_empty());
        *run == 0 && !undecided && !unanswered && pairing.is_empty()
    }

    /// Makes room for one more probe, sent at this time.
    fn make_room(&mut self, time: Timestamp) {
        if self.pending.len() < self.pending.capacity() {
            return;
        }
        let count = self.pending.len();
        if count >= MANY_WAIT {
            let is_hopeless = |probe: &&Pending| time.since(probe.time) > HOPELESS;
            let hopeless = self.pending.iter().take_while(is_hopeless).count();
            let gone = self.pending.drain(..hopeless).map(|probe| probe.event);
            self.hopeless.get_or_insert_default().0.extend(gone);
        }
        if self.pending.len() == count {
            // Most probes are answered before the next one is sent.
            self.pending.reserve_exact(1 + count / 4);
        }
    }
}

impl Probes {
    pub(super) fn new(id: ConnectionId, opened: Opened) -> Self {
        let (client, server) = (Waiting::default(), Waiting::default());
        Self { id, opened, count: 0, has_keepalives: false, client, server }
    }

    /// Whether one of the events was about a probe.
    pub(super) fn has_keepalives(&self) -> bool {
        self.has_keepalives
    }

    /// Whether nothing that its segments with data or acknowledgments say makes any difference here.
    pub(super) fn is_idle(&self) -> bool {
        [&self.client, &self.server].into_iter().all(Waiting::is_empty)
    }

    /// Probes that a side sent since its peer was last heard.
    pub(super) fn run(&self, party: Party) -> u32 {
        match party {
            Party::Client => self.client.run,
            Party::Server => self.server.run,
        }
    }

    /// A side sent one more probe.
    pub(super) fn count_in_run(&mut self, party: Party) {
        let run = &mut self.waiting(party).run;
        *run = run.saturating_add(1);
    }

    /// A side heard its peer.
    pub(super) fn end_run(&mut self, party: Party) {
        self.waiting(party).run = 0;
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
        self.has_keepalives = true;
        let event = self.emit(log, EventKind::Probe(Probe { segment: shown, basis, corrects }));
        let (time, end, ip_id) = (shown.at.time, position + 1, shown.ip_id);
        let acknowledged = in_flight.unwrap_or((end, end));
        let waiting = self.waiting(shown.prober);
        waiting.make_room(time);
        waiting.pending.push(Pending { event, time, end, acknowledged, ip_id });
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
            let unsure = Unsure { candidate: undecided, octet, psh, repeated, answer: None };
            waiting.unsure = Some(Box::new(unsure));
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
        let Some(unsure) = self.waiting(shown.prober).unsure.as_deref().copied() else { return };
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

    /// The connection was reset. Answers may still be on their way.
    pub(super) fn on_reset(&mut self, log: &mut Log) {
        for party in [Party::Client, Party::Server] {
            let lost = self.lose_pending(party, usize::MAX, log);
            self.waiting(party).pairing.extend(lost);
        }
        self.give_up(log);
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
