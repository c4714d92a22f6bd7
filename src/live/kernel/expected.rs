//! What was seen of a kernel, held against what is predicted of it.
//!
//! Owns [`Comparison`]. Pure. The prediction runs over every phase of the timer wheel, as nobody without rights knows
//! which it is; a probe counts as kept where the time between two looks touches what is predicted for any phase.

use super::{End, Run, Seen};
use crate::analysis::verification::Outcome;
use crate::keepalive::Model;
use crate::keepalive::predict::{Peer, Prediction, Question, What, predict};
use crate::live::wire::Ended;
use crate::stack::Stack;
use crate::stack::value::Rounding;
use crate::time::{Span, Timestamp};

/// How far beside the prediction a step may be seen: a machine with other work runs timers late, and ages are in ticks.
pub const SLACK: Span = Span::from_millis(25);

/// Steps that are compared at most; more of a peer that answers show nothing new.
const MOST_STEPS: usize = 200;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// What.
    pub what: What,
    /// Earliest and latest time in any phase, since the connection was established.
    pub earliest: Span,
    /// See above.
    pub latest: Span,
    /// Between which looks it happened, since the connection was established.
    pub observed: Option<(Span, Span)>,
    /// Whether it was as predicted; not observable where the run ended before.
    pub outcome: Outcome,
}

/// All steps.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was asked of the prediction.
    pub question: Question,
    /// What it said.
    pub prediction: Prediction,
    /// Its steps with what was seen.
    pub steps: Vec<Held>,
    /// Up to when steps could be compared, and why not longer.
    pub until: Option<(Timestamp, &'static str)>,
}

impl Comparison {
    /// Fail if a step was not as predicted; pass if one could be seen to be.
    pub fn outcome(&self) -> Outcome {
        let any = |outcome| self.steps.iter().any(|step| step.outcome == outcome);
        match () {
            () if any(Outcome::Fail) => Outcome::Fail,
            () if any(Outcome::Pass) => Outcome::Pass,
            () => Outcome::NotObservable,
        }
    }
}

/// Compares; nothing if the connection was never established, or not all settings could be read back.
pub fn compare(run: &Run, hz: u32) -> Option<Comparison> {
    let established = run.established?;
    let settings = run.settings_in_force()?;
    let mut model = Model::of(Stack::named("linux").ok()?)?;
    model.rounding = Rounding::TimerWheel { hz };
    let (peer, until) = course(run, established);
    let rtt = round_trip(run);
    // What was seen, the probe that was due next, and the end.
    let steps = (run.probes() as usize).saturating_add(2).min(MOST_STEPS);
    let question = Question { model, settings, peer, rtt, steps };
    let prediction = predict(&question);
    let end = until.map_or(run.ended, |(until, _)| until.min(run.ended));
    let last = end.since(established);
    let steps = prediction
        .steps
        .iter()
        .map(|step| {
            let observed = observed(run, established, step.what).filter(|(after, _)| *after <= last);
            let outcome = match observed {
                Some((after, by)) => {
                    let early = by.plus(SLACK) < step.earliest;
                    let late = after > step.latest.plus(SLACK);
                    match step.what {
                        _ if !early && !late => Outcome::Pass,
                        // A RST at another time is the peer's own doing, and answers no probe.
                        What::ResetByPeer => Outcome::NotObservable,
                        _ => Outcome::Fail,
                    }
                }
                None if step.latest.plus(SLACK) < last && until.is_none() => Outcome::Fail,
                None => Outcome::NotObservable,
            };
            Held { what: step.what, earliest: step.earliest, latest: step.latest, observed, outcome }
        })
        .collect();
    Some(Comparison { question, prediction, steps, until })
}

/// How long answers took, between looks; what the handshake took where there was none. That one may have waited for
/// an address to be resolved, and probes give the kernel no sample of their own.
fn round_trip(run: &Run) -> Span {
    let mut sent = None;
    let mut trips = Vec::new();
    for seen in &run.seen {
        match *seen {
            Seen::Probe { by, .. } => sent = Some(by),
            Seen::Answer { at, .. } => trips.extend(sent.take().map(|sent| at.since(sent))),
            Seen::Data { .. } => {}
        }
    }
    trips.into_iter().min().unwrap_or(Span::from_micros(i64::from(run.info.rtt)))
}

/// What the peer did, in the terms of the prediction, and up to when that is true.
fn course(run: &Run, established: Timestamp) -> (Peer, Option<(Timestamp, &'static str)>) {
    let mut answers = 0;
    let mut waiting = 0;
    let mut until = None;
    for seen in &run.seen {
        match *seen {
            Seen::Probe { .. } => waiting += 1,
            Seen::Answer { at, .. } if waiting > 1 => {
                // The timer's next step depends on which of them was answered when.
                until = Some((at, "a probe got no answer and a later one did"));
            }
            Seen::Answer { .. } => {
                answers += 1;
                waiting = 0;
            }
            // The timer was armed when the connection was established; data moves the idle time, not the timer.
            Seen::Data { at } => {
                until = Some((at.max(established), "the peer sent data, which begins the idle time anew"))
            }
        }
        if until.is_some() {
            break;
        }
    }
    let peer = match run.end {
        _ if until.is_some() => Peer::SilentAfter(answers),
        End::Connection(Ended::Reset) => Peer::GoneAfter(answers),
        End::Connection(Ended::TimedOut | Ended::Unreachable) => Peer::SilentAfter(answers),
        _ if waiting > 0 => Peer::SilentAfter(answers),
        _ => Peer::Alive,
    };
    (peer, until)
}

/// Between which looks a step was seen, since the connection was established.
fn observed(run: &Run, established: Timestamp, what: What) -> Option<(Span, Span)> {
    let since = |time: Timestamp| time.since(established);
    match what {
        What::Probe(wanted) => run.seen.iter().find_map(|seen| match *seen {
            Seen::Probe { number, after, by, .. } if number == wanted => Some((since(after), since(by))),
            _ => None,
        }),
        What::GiveUp { .. } => match run.end {
            End::Connection(Ended::TimedOut | Ended::Unreachable) => Some(end_of(run, established)),
            _ => None,
        },
        // Told by the socket as the end is.
        What::ResetByPeer => match run.end {
            End::Connection(Ended::Reset) => Some(end_of(run, established)),
            _ => None,
        },
        What::Report => None,
    }
}

fn end_of(run: &Run, established: Timestamp) -> (Span, Span) {
    (run.looked.since(established), run.ended.since(established))
}
