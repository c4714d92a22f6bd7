//! What was seen so far: trials, loss, disturbances, ends; and where the timeout lies by that.

use super::message::{Disturbance, NotOpened};
use super::plan::minus;
use super::trial::{Death, Outcome, Trial};
use crate::time::{Span, Timestamp};

/// A silence that somebody broke.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Broken {
    pub(super) idle: Span,
    pub(super) at: Timestamp,
    pub(super) by: Disturbance,
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) trials: Vec<Trial>,
    /// For each trial of this search: connections opened before its silence began, and its life until the trial.
    pub(super) circumstances: Vec<Option<Circumstance>>,
    pub(super) broken: Vec<Broken>,
    pub(super) not_opened: Vec<NotOpened>,
    pub(super) gap: Option<Span>,
    /// The longest that an answer took.
    pub(super) slowest: Span,
}

/// What else may explain how a trial went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Circumstance {
    /// Connections that were opened while it was silent.
    pub(super) opened_since: u32,
    /// How long it was open.
    pub(super) life: Span,
}

/// Where the timeout lies.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(super) struct Estimate {
    /// The longest silence that was survived.
    pub(super) alive: Option<Span>,
    /// The shortest beyond it at which a connection was asked that turned out dead.
    pub(super) dead: Option<Span>,
    /// That of the second such connection.
    pub(super) dead_twice: Option<Span>,
    /// The shortest that two connections are known to have died of.
    pub(super) shortest_dead: Option<Span>,
    /// The shortest that killed, if two died of less than others survived.
    pub(super) dead_below: Option<Span>,
}

impl Record {
    /// Tries without an answer on connections that lived, and all tries of those.
    pub(super) fn loss(&self) -> (u32, u32) {
        let lived = self.trials.iter().filter(|trial| trial.lived());
        lived.fold((0, 0), |(lost, tries), trial| {
            let attempts = u32::from(trial.attempts.max(1));
            (lost + attempts - 1, tries + attempts)
        })
    }

    /// The silence that a death speaks for. A try that was lost before the box leaves the next one to ask about a
    /// longer silence, so it is that of the last; but where nothing was ever lost, the first already was the one.
    pub(super) fn died_of(&self, trial: &Trial) -> Option<Span> {
        match trial.death()? {
            Death::Silent if self.loss().0 == 0 => Some(trial.idle),
            Death::Silent | Death::Ended(..) | Death::NewPort => Some(trial.last_idle),
            Death::Unasked(..) => Some(trial.idle),
        }
    }

    pub(super) fn estimate(&self) -> Estimate {
        let alive = self.trials.iter().filter(|trial| trial.lived()).map(|trial| trial.idle).max();
        let dead = || self.trials.iter().filter(|trial| trial.death().is_some());
        // A lone death of what others survived is loss: three tries in a row are lost once in a while.
        let mut above: Vec<&Trial> = dead().filter(|trial| Some(trial.idle) > alive).collect();
        above.sort_by_key(|trial| trial.idle);
        let mut said: Vec<Span> = above.iter().filter_map(|trial| self.died_of(trial)).collect();
        said.sort();
        let mut below: Vec<Span> =
            dead().map(|trial| trial.last_idle).filter(|idle| Some(*idle) < alive).collect();
        below.sort();
        Estimate {
            alive,
            dead: above.first().map(|trial| trial.idle),
            dead_twice: above.get(1).map(|trial| trial.idle),
            shortest_dead: said.get(1).copied(),
            dead_below: below.get(1).copied(),
        }
    }

    /// The answers of the far end are waited for this long after the last try.
    pub(super) fn patience(&self) -> Span {
        self.slowest.times(3).max(Span::from_millis(500)).min(Span::from_secs(4))
    }

    /// The usual silence that the far end allows, with how often it broke one.
    pub(super) fn period(&self) -> Option<(Span, usize)> {
        let mut idles: Vec<Span> =
            self.broken.iter().filter(|broken| broken.by.is_peer()).map(|broken| broken.idle).collect();
        idles.sort();
        let median = idles.get(idles.len() / 2).copied()?;
        let near = idles.iter().filter(|idle| is_near(**idle, median, 0.1)).count();
        Some((median, near))
    }

    /// Adds a trial.
    pub(super) fn add(&mut self, trial: Trial, circumstance: Option<Circumstance>) {
        self.trials.push(trial);
        self.circumstances.push(circumstance);
    }

    /// Trials that were ended without being asked.
    pub(super) fn unasked(&self) -> impl Iterator<Item = (usize, &Trial)> {
        let unasked = |trial: &Trial| matches!(trial.result, Outcome::Died(Death::Unasked(..)));
        self.trials.iter().enumerate().filter(move |(_, trial)| unasked(trial))
    }
}

/// Whether two silences are the same but for this share and half a second.
pub(super) fn is_near(one: Span, other: Span, share: f64) -> bool {
    let apart = minus(one.max(other), one.min(other));
    apart <= super::plan::times(other, share).max(Span::from_millis(500))
}
