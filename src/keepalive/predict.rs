//! What a stack will do on a quiet connection, over every phase of its timer.
//!
//! Runs the [`Machine`] once for each phase in which its timer can stand when the connection falls silent and
//! keeps the earliest and the latest time of each step. Pure.

use super::clock::Clock;
use super::machine::{Event, Machine, Setting};
use super::rules::Model;
use super::settings::Settings;
use super::tcb::{Incoming, Purpose, Tcb};
use super::wheel::Wheel;
use crate::segment::{Flags, SeqNum};
use crate::stack::value::Rounding;
use crate::time::{Span, Timestamp};

/// Phases that are run one by one; beyond, those in which the earliest and latest steps fall.
const ALL_PHASES: i64 = 1 << 17;

/// Phases of a clock without a wheel that are run.
const SAMPLED_PHASES: i64 = 64;

/// Steps after which a prediction for a peer that answers, or a stack that never gives up, ends.
pub const DEFAULT_STEPS: usize = 10;

/// Most steps of a prediction that has an end.
const MOST_STEPS: usize = 1000;

/// What the peer does from the start on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Answers every probe.
    Alive,
    /// Answers nothing: its host is down, or the path drops everything.
    Silent,
    /// Its host has forgotten the connection: it answers the first probe by a RST.
    Gone,
    /// Answers so many probes, then nothing.
    SilentAfter(u32),
    /// Answers so many probes, then the next one by a RST.
    GoneAfter(u32),
}

impl Peer {
    /// How it answers the n-th probe, counted from 1; nothing if it does not.
    fn answers(self, probe: u32) -> Option<Flags> {
        match self {
            Peer::Alive => Some(Flags::ACK),
            Peer::Silent => None,
            Peer::Gone => Some(Flags::RST),
            Peer::SilentAfter(answers) => (probe <= answers).then_some(Flags::ACK),
            Peer::GoneAfter(answers) => Some(if probe <= answers { Flags::ACK } else { Flags::RST }),
        }
    }
}

/// What to predict.
#[derive(Clone, Debug)]
pub struct Question {
    /// The stack.
    pub model: Model,
    /// What is set on its socket.
    pub settings: Settings,
    /// What its peer does.
    pub peer: Peer,
    /// Round trip to the peer.
    pub rtt: Span,
    /// Most steps to predict.
    pub steps: usize,
}

impl Question {
    /// How many steps show it all: everything up to the end where there is one.
    pub fn enough_steps(model: &Model, settings: &Settings, peer: Peer) -> usize {
        if ends(model, settings, peer) { MOST_STEPS } else { DEFAULT_STEPS }
    }

    /// Whether the connection ends, at whatever step.
    pub fn ends(&self) -> bool {
        ends(&self.model, &self.settings, self.peer)
    }
}

fn ends(model: &Model, settings: &Settings, peer: Peer) -> bool {
    match peer {
        Peer::Alive => false,
        Peer::Gone | Peer::GoneAfter(_) => true,
        Peer::Silent | Peer::SilentAfter(_) => model.rules.gives_up(settings),
    }
}

/// What happens in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// The n-th probe leaves, counted from the start.
    Probe(u32),
    /// The connection is given up; whether a RST leaves.
    GiveUp {
        /// A RST is sent.
        reset: bool,
    },
    /// The application is told; the connection stays.
    Report,
    /// The peer's RST arrives.
    ResetByPeer,
}

/// A step with the times between which it happens, counted from the last segment of the peer (and, on an
/// ordinary socket, from when keepalives were turned on).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What happens.
    pub what: What,
    /// Earliest time in any phase.
    pub earliest: Span,
    /// Latest time in any phase.
    pub latest: Span,
    /// In how many of the phases it happens.
    pub phases: u64,
}

/// How long it takes to notice that the peer is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detection {
    /// It dies right before a probe leaves, in the best phase.
    pub best: Span,
    /// It dies right after its last segment, in the worst phase.
    pub worst: Span,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The steps in their order.
    pub steps: Vec<Step>,
    /// How long a dead peer goes unnoticed; nothing if it is not noticed by keepalives, or not dead.
    pub detection: Option<Detection>,
    /// How many phases were run.
    pub phases: u64,
    /// Whether more steps follow.
    pub goes_on: bool,
}

/// Predicts.
pub fn predict(question: &Question) -> Prediction {
    let mut steps: Vec<Step> = Vec::new();
    let mut detection: Option<Detection> = None;
    let mut goes_on = false;
    let zeros = phases(question);
    let phases = zeros.len() as u64;
    for zero in zeros {
        let run = run(question, zero);
        goes_on |= run.goes_on;
        for (what, at) in &run.steps {
            match steps.iter_mut().find(|step| step.what == *what) {
                Some(step) => {
                    step.earliest = step.earliest.min(*at);
                    step.latest = step.latest.max(*at);
                    step.phases += 1;
                }
                None => steps.push(Step { what: *what, earliest: *at, latest: *at, phases: 1 }),
            }
        }
        if let Some((best, worst)) = run.noticed {
            detection = Some(match detection {
                Some(known) => Detection { best: known.best.min(best), worst: known.worst.max(worst) },
                None => Detection { best, worst },
            });
        }
    }
    steps.sort_by_key(|step| (step.latest, step.earliest));
    Prediction { steps, detection, phases, goes_on }
}

/// The phases to run, as the time at which the clock stood at zero, relative to a start at 0.
fn phases(question: &Question) -> Vec<Timestamp> {
    match question.model.rounding {
        Rounding::Exact => vec![Timestamp::default()],
        Rounding::TimerWheel { hz } => wheel_phases(hz, &question.settings),
        Rounding::Coalesced { window: tick }
        | Rounding::Ticks { tick, .. }
        | Rounding::Polled { period: tick, .. } => {
            let last = tick.as_nanos().max(1) - 1;
            let stride = (last / SAMPLED_PHASES).max(1);
            let mut zeros: Vec<i64> = (0..SAMPLED_PHASES).map(|index| -(index * stride).min(last)).collect();
            zeros.push(-last);
            zeros.dedup();
            zeros.into_iter().map(Timestamp::from_nanos).collect()
        }
    }
}

/// All phases of the wheel for these delays, at either end of a jiffy. Where there are too many, those in
/// which a step is earliest or latest: a timer's lateness falls by a jiffy from phase to phase and jumps where
/// its expiry crosses a multiple of its granule.
fn wheel_phases(hz: u32, settings: &Settings) -> Vec<Timestamp> {
    let wheel = Wheel::new(hz, Timestamp::default());
    let delays = [settings.idle, settings.interval].map(|span| wheel.to_jiffies(span));
    let granules = delays.map(Wheel::granule);
    let coarsest = granules[0].max(granules[1]);
    let finest = granules[0].min(granules[1]);
    let counters: Vec<i64> = if coarsest <= ALL_PHASES {
        (0..coarsest).collect()
    } else {
        let boundaries = (0..coarsest / finest)
            .flat_map(|multiple| delays.map(|delay| (multiple * finest - delay).rem_euclid(coarsest)));
        let mut all: Vec<i64> =
            boundaries.flat_map(|counter| [counter, (counter - 1).rem_euclid(coarsest)]).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let last_of_jiffy = 1_000_000_000 / i64::from(hz.max(1)) - 1;
    counters
        .into_iter()
        .flat_map(|counter| {
            let reached = Timestamp::default().since(wheel.time_at(counter));
            [reached.as_nanos(), reached.as_nanos() - last_of_jiffy]
        })
        .map(Timestamp::from_nanos)
        .collect()
}

/// What happens in one phase.
struct Run {
    steps: Vec<(What, Span)>,
    /// Shortest and longest time that a dead peer goes unnoticed.
    noticed: Option<(Span, Span)>,
    goes_on: bool,
}

fn run(question: &Question, zero: Timestamp) -> Run {
    let start = Timestamp::default();
    let clock = Clock::new(question.model.rounding, zero);
    let tcb = Tcb::quiet(SeqNum(1), SeqNum(1));
    let mut machine = Machine::new(question.model.rules, question.settings, clock, tcb, start);
    machine.set(start, Setting::Enabled(true));
    let mut run = Run { steps: Vec::new(), noticed: None, goes_on: false };
    let (mut sent, mut answers_to) = (0, 0);
    let (mut alive_until, mut last_probe_before) = (start, None);
    let mut answer: Option<(Timestamp, Incoming)> = None;
    while run.steps.len() < question.steps {
        let next = [machine.next_timeout(), answer.as_ref().map(|(time, _)| *time)];
        let Some(now) = next.into_iter().flatten().min() else { break };
        match answer.take_if(|(time, _)| *time <= now) {
            Some((time, segment)) => {
                if !segment.flags.rst() {
                    (alive_until, last_probe_before) = (time, None);
                }
                machine.on_segment(time, &segment);
            }
            None => machine.on_timeout(now),
        }
        while let Some(segment) = machine.poll_transmit() {
            if matches!(segment.purpose, Purpose::Probe(_)) {
                answers_to += 1;
                if let Some(flags) = question.peer.answers(answers_to) {
                    answer = Some((now.plus(question.rtt), reply(flags)));
                }
            }
        }
        while let Some(event) = machine.poll_event() {
            let (what, time) = match event {
                Event::ProbeSent { time, .. } => {
                    sent += 1;
                    last_probe_before.get_or_insert(time);
                    (What::Probe(sent), time)
                }
                Event::GaveUp { time, .. } => {
                    let first = last_probe_before.unwrap_or(alive_until);
                    run.noticed = Some((time.since(first), time.since(alive_until)));
                    (What::GiveUp { reset: question.model.rules.resets() }, time)
                }
                Event::Reported { time } => (What::Report, time),
                Event::ResetByPeer { time } => {
                    run.noticed = Some((question.rtt, time.since(alive_until)));
                    (What::ResetByPeer, time)
                }
                Event::Answered { .. } => continue,
            };
            run.steps.push((what, time.since(start)));
        }
    }
    run.goes_on = !machine.has_ended();
    run
}

/// What the peer sends back: its SEQ is RCV.NXT of the prober, and it acknowledges SND.NXT.
fn reply(flags: Flags) -> Incoming {
    Incoming { seq: SeqNum(1), ack: SeqNum(1), flags, octets: 0, tsval: None }
}
