//! From what a box does to settings: a rule proposes, the simulator decides.
//!
//! Owns the order in which settings are proposed and the conditions that they must meet. Uses [`super::trial`].

use super::phases::Phases;
use super::shape::{CountOf, IntervalOf, Shape};
use super::trial::{Heartbeat, Kept, Trial};
use crate::keepalive::Settings;
use crate::stack::Stack;
use crate::stack::value::{GiveUp, Rounding};
use crate::time::Span;

/// Idle times are never proposed longer than what RFC 9293 (MUST-28) has for a default.
const LONGEST_IDLE: i64 = 7200;

/// Longest interval that is proposed: a peer that answers again after a loss is soon known to be there.
const LONGEST_INTERVAL: i64 = 30;

/// Unanswered probes before giving up that are proposed, if nothing speaks for fewer.
const COUNT: u32 = 4;

/// The values of `CONFIG_HZ` of kernels as they are distributed.
pub const DISTRIBUTED_HZ: [u32; 4] = [100, 250, 300, 1000];

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The box forgets after this much silence.
    pub silence: Span,
    /// Who keeps the connection alive.
    pub stack: &'static Stack,
    /// `CONFIG_HZ` of its kernel; all that are distributed where absent.
    pub hz: Option<u32>,
    /// So many lost probes in a row must be survived.
    pub lost: u32,
    /// A dead peer is to be noticed within this.
    pub notice_within: Option<Span>,
    /// Round trip to the peer.
    pub rtt: Span,
}

/// Settings that passed.
#[derive(Clone, Debug)]
pub struct Advice {
    /// What to set.
    pub settings: Settings,
    /// What the simulator saw.
    pub evidence: Evidence,
}

/// What the simulator saw of settings, each for all values of `CONFIG_HZ` that were tried.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// By `CONFIG_HZ`; one without, where the stack has none.
    pub kept: Vec<(Option<u32>, Kept)>,
    /// How long a dead peer goes unnoticed at worst; nothing if the stack does not notice it by itself.
    pub noticed: Option<Span>,
}

/// Why there are no settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAdvice {
    /// Too little is known of the stack.
    #[error("too little is known of {0} to simulate it")]
    Stack(&'static str),
    /// Whatever is set, a probe comes too late.
    #[error("no settings in whole seconds keep a connection that is forgotten after so short a silence")]
    TooShort,
    /// Some would hold, but none of those notices soon enough.
    #[error("no settings that keep the connection notice a dead peer so soon")]
    TooSoon,
    /// Others would hold, but not with what cannot be changed.
    #[error("what is fixed there leaves no settings that hold")]
    Fixed,
}

impl Wish {
    /// The trials of settings, one for each value of `CONFIG_HZ`.
    fn trials(&self, settings: Settings) -> impl Iterator<Item = Trial> + '_ {
        let wheel = matches!(self.stack.timing.rounding.value, Some(Rounding::TimerWheel { .. }));
        let hz: Vec<Option<u32>> = match self.hz {
            Some(hz) => vec![Some(hz)],
            None if wheel => DISTRIBUTED_HZ.into_iter().map(Some).collect(),
            None => vec![None],
        };
        hz.into_iter().map(move |hz| Trial {
            stack: self.stack,
            hz,
            settings,
            silence: self.silence,
            rtt: self.rtt,
            lost: self.lost,
        })
    }

    /// What the simulator sees of settings in these phases; how long a dead peer goes unnoticed is looked at in the
    /// earliest and latest phases.
    pub fn try_out(&self, settings: Settings, phases: Phases) -> Evidence {
        let mut kept = Vec::new();
        let mut noticed = Some(Span::ZERO);
        for trial in self.trials(settings) {
            kept.push((trial.hz, trial.kept(phases)));
            noticed = noticed.and_then(|worst| trial.noticed(Phases::Edges).map(|one| one.max(worst)));
        }
        Evidence { kept, noticed }
    }

    /// Whether the count has a say in when a dead peer is noticed.
    pub fn counts(&self) -> bool {
        counts(self.stack)
    }

    /// In how many of so many phases the first probe of settings is too late, by `CONFIG_HZ`.
    pub fn first_too_late(&self, settings: Settings, phases: u32) -> Vec<(Option<u32>, u32, u32)> {
        self.trials(settings)
            .map(|trial| match trial.has_phases() {
                true => (trial.hz, trial.first_too_late(phases), phases),
                false => (trial.hz, trial.first_too_late(1), 1),
            })
            .collect()
    }

    /// Settings that hold, by what can be set.
    ///
    /// # Errors
    /// If there are none; with the reason.
    pub fn advise(&self, shape: Shape) -> Result<Advice, NoAdvice> {
        let shape = shape.on(Shape::of(self.stack).ok_or(NoAdvice::Stack(self.stack.name))?);
        let mut one_held = false;
        for settings in self.proposals(shape) {
            if !self.is_possible(&settings) {
                continue;
            }
            if !self.trials(settings).all(|trial| self.holds(&trial.kept(Phases::Edges))) {
                continue;
            }
            one_held = true;
            let evidence = self.try_out(settings, Phases::Edges);
            if self.is_noticed(&evidence) {
                return Ok(Advice { settings, evidence });
            }
        }
        Err(match (one_held || self.notice_within.is_some(), shape == Shape::FREE) {
            (true, _) if self.without_notice().advise(shape).is_ok() => NoAdvice::TooSoon,
            (_, true) => NoAdvice::TooShort,
            (_, false) => NoAdvice::Fixed,
        })
    }

    /// The same where nothing is lost.
    pub(super) fn clone_without_losses(&self) -> Wish {
        Wish { lost: 0, ..self.clone() }
    }

    /// The same without the wish for notice, so that the reason can be told; without it, nothing is looked for again.
    fn without_notice(&self) -> Wish {
        let silence = if self.notice_within.is_some() { self.silence } else { Span::ZERO };
        Wish { notice_within: None, silence, ..self.clone() }
    }

    /// Whether it holds, with a round trip to spare: an answer passes the box before it reaches the stack.
    fn holds(&self, kept: &Kept) -> bool {
        kept.always() && kept.longest_silence.plus(self.rtt) <= self.silence
    }

    fn is_noticed(&self, evidence: &Evidence) -> bool {
        match self.notice_within {
            None => true,
            Some(within) => evidence.noticed.is_some_and(|noticed| noticed <= within),
        }
    }

    /// Whether it is worth a simulation: timers never fire early.
    fn is_possible(&self, settings: &Settings) -> bool {
        let lost = settings.interval.times(i64::from(self.lost));
        let dead = settings.idle.plus(settings.interval.times(i64::from(settings.count)));
        settings.idle.plus(lost) < self.silence
            && settings.count > self.lost
            && self.notice_within.is_none_or(|within| dead <= within || !counts(self.stack))
    }

    /// Settings, those that probe least first; those that leave room for more losses than must be survived, in number
    /// and in time, come before the others.
    fn proposals(&self, shape: Shape) -> impl Iterator<Item = Settings> {
        let least = self.lost + 1;
        let roomy = self.proposals_with(shape, least + 1, 16);
        roomy.chain(self.proposals_with(shape, least, i64::MAX))
    }

    /// Settings with at least that count, and an interval of at least that part of the idle time.
    fn proposals_with(&self, shape: Shape, least: u32, part: i64) -> impl Iterator<Item = Settings> {
        let half = self.silence.as_nanos() / 2 / 1_000_000_000;
        let longest = round(half.min(LONGEST_IDLE)).max(1);
        let counts: Vec<u32> = match shape.count {
            CountOf::Choice => (least..=COUNT.max(least)).rev().collect(),
            CountOf::Fixed(count) => vec![count],
        };
        falling(longest).flat_map(move |idle| {
            let intervals: Vec<i64> = match shape.interval {
                IntervalOf::Choice => {
                    let from = round((idle / 4).clamp(1, LONGEST_INTERVAL));
                    let to = (idle / part).clamp(1, from);
                    falling(from).filter(|interval| *interval >= to).collect()
                }
                IntervalOf::Share(_) | IntervalOf::Fixed(_) => vec![1],
            };
            let counts = counts.clone();
            intervals.into_iter().flat_map(move |interval| {
                let settings =
                    move |count| shape.settings(Span::from_secs(idle), Span::from_secs(interval), count);
                counts.clone().into_iter().map(settings)
            })
        })
    }

    /// How often an application must say something, so that the box does not forget or the proxy does not close.
    pub fn heartbeat(&self, proxy: bool) -> Option<Span> {
        let half = self.silence.as_nanos() / 2 / 1_000_000_000;
        falling(round(half.min(LONGEST_IDLE)).max(1)).map(Span::from_secs).find(|every| {
            let beat =
                Heartbeat { every: *every, silence: self.silence, proxy, rtt: self.rtt, lost: self.lost };
            beat.keeps()
        })
    }

    /// Whether an application that says something so often is heard in time.
    pub fn is_heartbeat_enough(&self, every: Span, proxy: bool) -> bool {
        Heartbeat { every, silence: self.silence, proxy, rtt: self.rtt, lost: self.lost }.keeps()
    }
}

/// Whether a dead peer is noticed after idle + count × interval.
fn counts(stack: &Stack) -> bool {
    matches!(
        stack.giving_up.rule.value,
        Some(GiveUp::Counted { .. } | GiveUp::Elapsed { .. } | GiveUp::ReportsOnly)
    )
}

/// Down to a number that people like: whole minutes, tens or fives of seconds.
fn round(seconds: i64) -> i64 {
    let step = match seconds {
        600.. => 60,
        120.. => 10,
        30.. => 5,
        _ => 1,
    };
    seconds / step * step
}

/// From a number of seconds down to one, each about a sixth less.
fn falling(from: i64) -> impl Iterator<Item = i64> {
    std::iter::successors(Some(from), |seconds| {
        (*seconds > 1).then(|| round(seconds * 5 / 6).min(seconds - 1).max(1))
    })
}
