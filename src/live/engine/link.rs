//! One connection that is probed: what it waits for, when, and what it has come to.
//!
//! Owns the phases of its life. The machine of [`crate::keepalive`] decides when a probe is due. Pure: packets and
//! times go in, steps come out. Uses [`super::learn`] for what its packets teach.

mod steered;

use super::exam::Exam;
use super::learn::{Dress, Learner};
use super::plan::{Order, Until};
use crate::frame::FrameId;
use crate::keepalive::{Clock, Event, Incoming, Machine, Purpose, Rules, Setting, Settings};
use crate::live::wire::Ended;
use crate::segment::{Endpoint, Flags, IcmpError, Segment, SeqNum};
use crate::time::{Span, Timestamp};
use crate::track::event::Mark;

/// How long the packets of a handshake may come after the news that it is done.
const LEARN_WITHIN: Span = Span::from_secs(1);

/// How long to wait for the peer's FIN.
const LINGER: Span = Span::from_secs(1);

/// The same where the peer no longer speaks, or where its FIN came: our last packet is still to be seen.
const SHORT_LINGER: Span = Span::from_millis(50);

/// Our end and the peer's.
pub(super) type Tuple = (Endpoint, Endpoint);

/// A probe that is to leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) tuple: Tuple,
    pub(super) seq: SeqNum,
    pub(super) ack: SeqNum,
    pub(super) flags: Flags,
    pub(super) octets: u8,
    /// TSecr, where timestamps go with it.
    pub(super) echo: Option<u32>,
    pub(super) dress: Dress,
}

/// What a connection wants done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Send(Wanted),
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not begun.
    Waiting,
    /// The SYN is out.
    Opening,
    /// Open, but its handshake was not read yet.
    Learning,
    Probing,
    /// Pairs in quick succession.
    Examining,
    /// Our FIN is out.
    Closing,
    Done,
}

/// An ICMP error about our SYN.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub(super) at: Mark,
    pub(super) error: IcmpError,
}

/// What happened, as far as no packet of the connection shows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    /// When it was opened.
    pub(super) opened: Option<Timestamp>,
    /// The last packet of the peer before we closed it, RSTs not counted.
    pub(super) heard: Option<Mark>,
    /// How it ended without us.
    pub(super) ended: Option<Ended>,
    /// Probes went unanswered, as many as were to be sent.
    pub(super) gave_up: bool,
    /// The system did not let a probe of the last run out.
    pub(super) send_error: Option<String>,
    /// An interface went away, and since then neither a packet of the peer nor one of ours was seen: it is the one.
    pub(super) interface_lost: Option<(String, Timestamp)>,
    /// An ICMP error answered the SYN.
    pub(super) refusal: Option<Refusal>,
    /// Nothing answered the SYN in time.
    pub(super) not_opened: bool,
    /// The packets of the handshake were not seen.
    pub(super) not_learnt: bool,
    /// The user wanted an end before it had come.
    pub(super) interrupted: bool,
    /// From here on it is us who end it.
    pub(super) closing_since: Option<Timestamp>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) order: Order,
    pub(super) phase: Phase,
    pub(super) tuple: Option<Tuple>,
    pub(super) learner: Option<Learner>,
    pub(super) story: Story,
    /// That it was opened was told.
    pub(super) told: bool,
    machine: Option<Machine>,
    exam: Option<Exam>,
    /// What the phase waits for ends here.
    deadline: Option<Timestamp>,
    /// Times the machine has been told; they must not go back.
    latest: Timestamp,
    /// Probes so far.
    sent: u32,
    /// Silences that ended with an answer.
    rounds: u32,
    /// A probe waits for its answer.
    waits: bool,
    /// Probes of the machine since the last answer.
    unanswered: u32,
    /// Somebody wants a probe at this time, whether one is due or not.
    by_hand: Option<Timestamp>,
    /// Probes leave only where somebody wants one.
    held: bool,
    /// The longest round trip so far.
    round_trip: Span,
    /// A probe without data was answered.
    answers_empty: bool,
    fins: [bool; 2],
}

impl Link {
    pub(super) fn new(order: Order) -> Self {
        Self {
            order,
            phase: Phase::Waiting,
            tuple: None,
            learner: None,
            story: Story::default(),
            told: false,
            machine: None,
            exam: None,
            deadline: None,
            latest: Timestamp::from_nanos(i64::MIN),
            sent: 0,
            rounds: 0,
            waits: false,
            unanswered: 0,
            by_hand: None,
            held: false,
            round_trip: Span::ZERO,
            answers_empty: false,
            fins: [false; 2],
        }
    }

    /// When to call [`on_time`](Link::on_time).
    pub(super) fn due(&self) -> Option<Timestamp> {
        let other = match self.phase {
            Phase::Probing => self.by_hand.into_iter().chain(self.timeout()).min(),
            Phase::Examining => self.exam.as_ref().and_then(Exam::due),
            _ => None,
        };
        self.deadline.into_iter().chain(other).min()
    }

    /// When the machine sends the next probe, or gives up.
    fn timeout(&self) -> Option<Timestamp> {
        self.machine.as_ref().filter(|_| !self.held).and_then(Machine::next_timeout)
    }

    /// Whether it may send when its time has come.
    pub(super) fn sends_when_due(&self) -> bool {
        matches!(self.phase, Phase::Probing | Phase::Examining)
    }

    /// Whether a SYN may be its own: the first, or one that is sent again. The system may tell how it went before
    /// its packets are read.
    pub(super) fn awaits_syn(&self) -> bool {
        let begun = !matches!(self.phase, Phase::Waiting | Phase::Done);
        begun && self.machine.is_none() && self.learner.is_none_or(|learner| learner.rcv_nxt().is_none())
    }

    /// The SYN is about to leave.
    pub(super) fn begin(&mut self, now: Timestamp, within: Span) {
        self.phase = Phase::Opening;
        self.deadline = Some(now.plus(within));
    }

    /// The system says that it is open.
    pub(super) fn on_opened(&mut self, now: Timestamp, rules: Rules) {
        if self.phase != Phase::Opening {
            return;
        }
        self.story.opened = Some(now);
        self.phase = Phase::Learning;
        self.deadline = Some(now.plus(LEARN_WITHIN));
        self.begin_probing(now, rules);
    }

    /// Begins to probe if the handshake was read.
    pub(super) fn begin_probing(&mut self, now: Timestamp, rules: Rules) {
        if self.phase != Phase::Learning {
            return;
        }
        let Some((tcb, heard)) = self.learner.as_ref().and_then(Learner::established) else { return };
        let heard = heard.min(now);
        let mut machine = Machine::new(rules, self.order.settings, Clock::Exact, tcb, heard);
        machine.set(heard, Setting::Enabled(true));
        self.machine = Some(machine);
        self.phase = Phase::Probing;
        self.deadline = self.longest().map(|span| now.plus(span));
    }

    /// How long it takes at the longest. A peer that never falls silent would otherwise never be left.
    fn longest(&self) -> Option<Span> {
        let Settings { idle, interval, count, .. } = self.order.settings;
        match self.order.until {
            Until::For(span) => Some(span),
            Until::Rounds(rounds) => {
                let run = idle.plus(interval.times(i64::from(count)));
                Some(run.times(i64::from(rounds)).plus(idle))
            }
            Until::Stopped => None,
        }
    }

    /// Its time has come.
    pub(super) fn on_time(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        self.latest = self.latest.max(now);
        let over = self.deadline.is_some_and(|deadline| deadline <= now);
        match self.phase {
            Phase::Opening if over => {
                self.story.not_opened = true;
                self.leave(steps);
            }
            Phase::Learning if over => {
                self.story.not_learnt = true;
                self.close(now, LINGER, steps);
            }
            Phase::Closing if over => self.end(),
            Phase::Probing => {
                let by_hand = self.by_hand.take_if(|wanted| *wanted <= now).is_some();
                // One that is due anyway is the one that is wanted.
                let due = self.timeout().is_some_and(|due| due <= now);
                if let Some(machine) = self.machine.as_mut().filter(|_| !self.held) {
                    machine.on_timeout(now);
                }
                if by_hand && !due {
                    self.send_by_hand(now, steps);
                }
                self.take_from_machine(now, steps);
            }
            Phase::Examining => self.examine(now, steps),
            _ => {}
        }
    }

    /// The connection that never came about is let go.
    fn leave(&mut self, steps: &mut Vec<Step>) {
        steps.push(Step::Close);
        self.end();
    }

    fn end(&mut self) {
        self.phase = Phase::Done;
        self.deadline = None;
    }

    /// Closes in order and waits for the peer's FIN.
    fn close(&mut self, now: Timestamp, linger: Span, steps: &mut Vec<Step>) {
        if matches!(self.phase, Phase::Closing | Phase::Done) {
            return;
        }
        steps.push(Step::Close);
        self.story.closing_since = Some(now);
        self.phase = Phase::Closing;
        self.deadline = Some(now.plus(linger));
    }

    /// Takes what the machine wants sent and told, then looks whether it is enough.
    fn take_from_machine(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        let Some(machine) = &mut self.machine else { return };
        let mut probes = Vec::new();
        // Its answers to the peer's probes are the kernel's to send, and so is every RST.
        while let Some(outgoing) = machine.poll_transmit() {
            if matches!(outgoing.purpose, Purpose::Probe(_)) {
                probes.push(outgoing);
            }
        }
        let mut gave_up = false;
        while let Some(event) = machine.poll_event() {
            match event {
                Event::ProbeSent { .. } => {
                    self.waits = true;
                    self.unanswered = self.unanswered.saturating_add(1);
                }
                Event::Answered { .. } => {
                    self.unanswered = 0;
                    self.rounds = self.rounds.saturating_add(1);
                    self.waits = false;
                    self.story.send_error = None;
                }
                Event::GaveUp { .. } => gave_up = true,
                Event::Reported { .. } | Event::ResetByPeer { .. } => {}
            }
        }
        let rcv_nxt = machine.tcb().rcv_nxt;
        if self.phase != Phase::Probing {
            return;
        }
        for outgoing in probes {
            let octets = self.order.octets.of(self.sent);
            self.send(now, outgoing.flags, rcv_nxt, octets, steps);
        }
        if gave_up {
            self.story.gave_up = true;
            self.close(now, SHORT_LINGER, steps);
        } else {
            self.look_whether_enough(now, steps);
        }
    }

    /// Sends a probe at SND.NXT-1; nothing else is ever sent.
    fn send(&mut self, now: Timestamp, flags: Flags, ack: SeqNum, octets: u8, steps: &mut Vec<Step>) {
        let (Some(tuple), Some(learner), Some(machine)) = (self.tuple, &self.learner, &self.machine) else {
            return;
        };
        self.sent = self.sent.saturating_add(1);
        steps.push(Step::Send(Wanted {
            tuple,
            seq: learner.snd_nxt().plus(u32::MAX),
            ack,
            flags,
            octets: octets.min(1),
            echo: machine.tcb().ts_recent,
            dress: learner.dress(now),
        }));
    }

    fn look_whether_enough(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        if self.waits {
            // The run goes on to its end, an answer or none.
            self.deadline = self.deadline.filter(|deadline| *deadline > now);
            return;
        }
        let rounds = match self.order.until {
            Until::Rounds(rounds) => self.rounds >= rounds,
            Until::For(_) | Until::Stopped => false,
        };
        let ends = self.order.until != Until::Stopped;
        let over = ends && self.deadline.is_none_or(|deadline| deadline <= now);
        if !rounds && !over {
            return;
        }
        let exam = Exam::after(now, self.round_trip);
        match exam.filter(|_| self.order.octets == super::plan::Octets::Both && self.answers_empty) {
            Some(exam) => {
                self.exam = Some(exam);
                self.phase = Phase::Examining;
                self.deadline = None;
            }
            None => self.close(now, LINGER, steps),
        }
    }

    fn examine(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        let next = self.exam.as_mut().map(|exam| exam.take(now));
        let rcv_nxt = self.machine.as_ref().map(|machine| machine.tcb().rcv_nxt);
        match next.zip(rcv_nxt) {
            Some((Some(octets), ack)) => self.send(now, Flags::ACK, ack, octets, steps),
            _ if self.exam.as_ref().is_some_and(|exam| exam.due().is_some()) => {}
            _ => self.close(now, LINGER, steps),
        }
    }

    /// A segment from our address left.
    pub(super) fn on_own(&mut self, segment: &Segment, rules: Rules, now: Timestamp) {
        self.on_seen(segment.time);
        if let Some(learner) = &mut self.learner {
            learner.on_own(segment);
            if let (Some(machine), Some(rcv_nxt)) = (&mut self.machine, learner.rcv_nxt()) {
                machine.follow(rcv_nxt);
            }
        }
        if segment.flags.fin() {
            self.on_fin(0, now);
        }
        self.begin_probing(now, rules);
    }

    /// A segment from the peer's address came.
    pub(super) fn on_peer(&mut self, segment: &Segment, now: Timestamp, steps: &mut Vec<Step>) {
        self.on_seen(segment.time);
        if let Some(learner) = &mut self.learner {
            learner.on_peer(segment);
        }
        if self.story.closing_since.is_none() && !segment.flags.rst() {
            self.story.heard = Some(Mark { frame: segment.id, time: segment.time });
        }
        self.latest = self.latest.max(segment.time);
        let Some(machine) = &mut self.machine else { return };
        let arrives = Incoming {
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags,
            octets: segment.len,
            tsval: segment.options.timestamps.map(|stamps| stamps.value),
        };
        // A reset is judged by the kernel, which holds the connection.
        if segment.flags.rst() {
            return;
        }
        machine.on_segment(self.latest, &arrives);
        let acceptable =
            segment.flags.fin() && segment.seq.plus(segment.len).plus(1) == machine.tcb().rcv_nxt;
        self.take_from_machine(now, steps);
        if acceptable {
            self.on_fin(1, now);
            if self.phase != Phase::Closing {
                self.on_ended(Ended::ClosedByPeer, now, steps);
            }
        }
    }

    /// One side's FIN; after both, only our last acknowledgment is to be waited for.
    fn on_fin(&mut self, side: usize, now: Timestamp) {
        if let Some(fin) = self.fins.get_mut(side) {
            *fin = true;
        }
        if self.phase == Phase::Closing && self.fins == [true; 2] {
            let soon = now.plus(SHORT_LINGER);
            self.deadline = Some(self.deadline.map_or(soon, |deadline| deadline.min(soon)));
        }
    }

    /// A probe was answered, as the pipeline saw it.
    pub(super) fn on_answer(&mut self, rtt: Span, by_peer: bool, octets: u8) {
        if by_peer {
            self.round_trip = self.round_trip.max(rtt);
            self.answers_empty |= octets == 0;
        }
    }

    /// An ICMP error about one of its packets came.
    pub(super) fn on_icmp(&mut self, error: &IcmpError, frame: FrameId) {
        if self.story.opened.is_none() && self.story.refusal.is_none() {
            let at = Mark { frame, time: error.time };
            self.story.refusal = Some(Refusal { at, error: *error });
        }
    }

    /// The system says that it ended, or could not be opened.
    pub(super) fn on_ended(&mut self, how: Ended, now: Timestamp, steps: &mut Vec<Step>) {
        match self.phase {
            Phase::Done => return,
            Phase::Closing => {
                // Its last packets may still be on their way to us.
                let soon = now.plus(SHORT_LINGER);
                self.deadline = Some(self.deadline.map_or(soon, |deadline| deadline.min(soon)));
                return;
            }
            _ => {}
        }
        if self.story.ended.is_none() {
            self.story.ended = Some(how);
        }
        // A reset closes nothing any more; the packet that did it may still be on its way to us.
        let linger = if how == Ended::ClosedByPeer { LINGER } else { SHORT_LINGER };
        self.close(now, linger, steps);
    }

    /// The system did not let a packet out.
    pub(super) fn on_send_error(&mut self, error: String) {
        self.story.send_error = Some(error);
    }

    /// An interface went away, which may be the one over which it goes.
    pub(super) fn on_interface_lost(&mut self, name: &str, now: Timestamp) {
        if self.phase != Phase::Done && self.story.interface_lost.is_none() {
            self.story.interface_lost = Some((name.to_owned(), now));
        }
    }

    /// A packet was seen, so it is another interface that was lost, or it is back.
    fn on_seen(&mut self, time: Timestamp) {
        if self.story.closing_since.is_none() {
            self.story.interface_lost.take_if(|(_, lost)| *lost < time);
        }
    }

    /// The user wants an end.
    pub(super) fn on_interrupt(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        match self.phase {
            Phase::Waiting => {
                self.story.interrupted = true;
                self.end();
            }
            Phase::Closing | Phase::Done => {}
            Phase::Opening => {
                self.story.interrupted = true;
                self.leave(steps);
            }
            _ => {
                self.story.interrupted = true;
                let linger = if self.waits { SHORT_LINGER } else { LINGER };
                self.close(now, linger, steps);
            }
        }
    }
}
