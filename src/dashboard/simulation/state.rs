//! How the client's end of a simulation stands at a moment, and what comes next. Pure.

use crate::simulate::scenario::happening::EventKind;
use crate::simulate::scenario::run::Run;
use crate::time::Span;

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not open yet.
    Connecting,
    /// Open, and no probe waits for an answer.
    Idle,
    /// So many probes wait for one.
    Probing(u64),
    /// It is over.
    Ended,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Where it is.
    pub phase: Phase,
    /// When the last probe was sent.
    pub last_probe: Option<Span>,
    /// When the next one will be.
    pub next_probe: Option<Span>,
    /// When it ends, or ended.
    pub ends: Option<Span>,
    /// When a box will forget the connection, as the next thing that happens to it.
    pub forgotten: Option<Span>,
}

/// The state of a run at a time since its start.
pub fn at(run: &Run, now: Span) -> State {
    let mut state =
        State { phase: Phase::Connecting, last_probe: None, next_probe: None, ends: None, forgotten: None };
    for happening in &run.happenings {
        let past = happening.time <= now;
        let of_client = happening.by == "client";
        match happening.kind {
            EventKind::Expired if !past => state.forgotten = state.forgotten.or(Some(happening.time)),
            EventKind::Probe if of_client && !past => {
                state.next_probe = state.next_probe.or(Some(happening.time));
            }
            EventKind::Closed if of_client => {
                state.ends = Some(happening.time);
                if past {
                    state.phase = Phase::Ended;
                }
            }
            EventKind::Opened if of_client && past => state.phase = Phase::Idle,
            EventKind::Probe if of_client => {
                state.last_probe = Some(happening.time);
                state.phase = Phase::Probing(happening.number.unwrap_or(1));
            }
            EventKind::ProbeAnswered if of_client && past => state.phase = Phase::Idle,
            _ => {}
        }
    }
    state
}
