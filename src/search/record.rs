//! What was seen so far: trials, loss, disturbances, ends; and where the timeout lies by that.

use super::message::{Disturbance, NotOpened};
use super::plan::{minus, times};
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
    /// One death ends the bracket although packets are lost, since a second one there would take too long.
    hasty: bool,
    /// Connections that were opened during a silence made the box forget it, from this many on.
    evicted: Option<u32>,
    lost: u32,
    tries: u32,
    estimate: Estimate,
}

/// Deaths that loss would bring about less often than this have another reason.
const UNLIKELY: f64 = 1e-5;

/// If none of so many tries was lost, three in a row are not either: with 95 % confidence the share is below 3/n
/// (a fifth), that of three in a row below 1 %, and a second connection died of little more anyway.
const ENOUGH_TRIES: u32 = 15;

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
    /// The same, once two died: that of the first where nothing was lost so far, else that of the second.
    pub(super) proven: Option<Span>,
    /// The silence that this death speaks for.
    pub(super) shortest_dead: Option<Span>,
    /// The shortest that killed, if two died of less than others survived.
    pub(super) dead_below: Option<Span>,
    /// How many died of more than anybody survived.
    pub(super) above: usize,
    /// How many of those it takes to say that nobody would survive it: two, or where part of the connections
    /// live longer so many that they would hardly all be of the other part.
    pub(super) enough: usize,
}

impl Record {
    /// Tries without an answer on connections that lived, and all tries of those.
    pub(super) const fn loss(&self) -> (u32, u32) {
        (self.lost, self.tries)
    }

    /// Whether nothing was lost although much was tried.
    pub(super) const fn is_lossless(&self) -> bool {
        self.lost == 0 && self.tries >= ENOUGH_TRIES
    }

    /// The silence that a death speaks for. A try that was lost before the box leaves the next one to ask about a
    /// longer silence, so it is that of the last; but where nothing was ever lost, the first already was the one.
    pub(super) fn died_of(&self, trial: &Trial) -> Option<Span> {
        match trial.death()? {
            Death::Silent if self.lost == 0 => Some(trial.idle),
            Death::Silent | Death::Ended(..) | Death::NewPort => Some(trial.last_idle),
            Death::Unasked(..) => Some(trial.idle),
        }
    }

    /// Where the timeout lies by all that.
    pub(super) const fn estimate(&self) -> Estimate {
        self.estimate
    }

    fn reckon(&self) -> Estimate {
        let alive = self.trials.iter().filter(|trial| trial.lived()).map(|trial| trial.idle).max();
        let dead = || self.dead();
        // A lone death of what others survived is loss: three tries in a row are lost once in a while.
        let mut above: Vec<&Trial> = dead().filter(|trial| Some(trial.idle) > alive).collect();
        above.sort_by_key(|trial| trial.idle);
        let told = |trial: &Trial| trial.death().is_some_and(|death| death != Death::Silent);
        let sure = self.hasty || self.is_lossless() || above.first().is_some_and(|trial| told(trial));
        let place = if above.len() >= 2 && sure { 0 } else { 1 };
        let mut said: Vec<Span> = above.iter().filter_map(|trial| self.died_of(trial)).collect();
        said.sort();
        let dead_below = alive.and_then(|alive| self.dead_below(alive));
        let enough = dead_below.map_or(2, |below| self.enough(below, alive.unwrap_or(below)));
        Estimate {
            alive,
            above: above.len(),
            enough,
            dead: above.first().map(|trial| trial.idle),
            proven: above.get(place).map(|trial| trial.idle),
            shortest_dead: said.get(place).copied(),
            dead_below,
        }
    }

    /// The second shortest silence that killed although others survived this one, if loss does not explain it.
    fn dead_below(&self, alive: Span) -> Option<Span> {
        let mut dead: Vec<(Span, bool)> = self
            .dead()
            .filter(|trial| trial.last_idle < alive)
            .filter_map(|trial| Some((trial.last_idle, trial.death()? == Death::Silent)))
            .collect();
        if dead.len() < 2 {
            return None;
        }
        dead.sort_by_key(|(idle, _)| std::cmp::Reverse(*idle));
        let share = (f64::from(self.lost) + 1.0) / f64::from(self.tries.max(1));
        // What loss does in one trial: three tries in a row.
        let each = share.min(1.0).powi(3);
        let (mut silent, mut told) = (0_u32, 0_i32);
        let mut shortest = None;
        let mut before = None;
        for (idle, is_silent) in dead {
            if is_silent {
                silent += 1
            } else {
                told += 1
            }
            let count = f64::from(silent);
            let lived = self.trials.iter().filter(|trial| trial.lived() && trial.idle >= idle).count();
            // So many of all those, by the Poisson distribution. No loss makes a packet that ends a connection.
            let expected = each * (lived as f64 + count);
            let likely = expected.powf(count) / factorial(count) * each.powi(told);
            if before.is_some() && (told >= 2 || likely < UNLIKELY) {
                shortest = before;
            }
            before = Some(idle);
        }
        shortest
    }

    /// So many deaths in a row are less than one in a hundred, at the share that dies in the range.
    fn enough(&self, from: Span, to: Span) -> usize {
        let died = self.dead().filter(|trial| trial.last_idle >= from && trial.idle <= to).count() as f64;
        let lived = self.trials.iter().filter(|trial| trial.lived() && trial.idle >= from).count() as f64;
        let share = (died / (died + lived).max(1.0)).clamp(0.1, 0.6);
        (0.01_f64.ln() / share.ln()).ceil() as usize
    }

    /// One death ends the bracket from now on, as long as there is a second one somewhere.
    pub(super) fn make_haste(&mut self) {
        self.hasty = true;
        self.estimate = self.reckon();
    }

    pub(super) const fn is_hasty(&self) -> bool {
        self.hasty
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

    /// How much was noted; grows with each.
    pub(super) fn length(&self) -> usize {
        self.trials.len() + self.broken.len() + self.not_opened.len() + usize::from(self.gap.is_some())
    }

    /// Adds a trial.
    pub(super) fn add(&mut self, trial: Trial, circumstance: Option<Circumstance>) {
        if trial.lived() {
            let attempts = u32::from(trial.attempts.max(1));
            self.lost += attempts - 1;
            self.tries += attempts;
        }
        self.trials.push(trial);
        self.circumstances.push(circumstance);
        self.evicted = self.eviction();
        self.estimate = self.reckon();
    }

    /// The trials that died, but of no eviction.
    fn dead(&self) -> impl Iterator<Item = &Trial> {
        let both = self.trials.iter().zip(&self.circumstances);
        // What ended without being asked is another matter.
        let asked =
            |trial: &Trial| matches!(trial.death(), Some(death) if !matches!(death, Death::Unasked(..)));
        both.filter(move |(trial, seen)| asked(trial) && !self.is_evicted(seen.as_ref()))
            .map(|(trial, _)| trial)
    }

    /// How many died when they were asked.
    pub(super) fn died(&self) -> usize {
        self.trials.iter().filter(|trial| trial.attempts > 0 && trial.death().is_some()).count()
    }

    fn is_evicted(&self, seen: Option<&Circumstance>) -> bool {
        match (self.evicted, seen) {
            (Some(most), Some(seen)) => seen.opened_since >= most,
            _ => false,
        }
    }

    /// How many connections opened during a silence make a box forget it, if that is what happened.
    pub(super) const fn evicted(&self) -> Option<u32> {
        self.evicted
    }

    /// The least number of connections that were opened during a silence that killed.
    pub(super) fn least_opened(&self) -> Option<u32> {
        let both = self.trials.iter().zip(&self.circumstances);
        let dead = both.filter(|(trial, seen)| trial.death().is_some() && !self.is_evicted(seen.as_ref()));
        dead.filter_map(|(_, seen)| *seen).map(|seen| seen.opened_since).min()
    }

    /// Those died during whose silence many were opened, and those lived, as long or longer, during whose silence
    /// fewer were: a table that is full.
    fn eviction(&self) -> Option<u32> {
        let seen = || {
            self.trials.iter().zip(&self.circumstances).filter_map(|(trial, seen)| Some((trial, (*seen)?)))
        };
        let lived = |idle: Span| {
            seen()
                .filter(move |(trial, _)| trial.lived() && trial.idle >= idle)
                .map(|(_, seen)| seen.opened_since)
                .max()
        };
        let silent = |trial: &Trial| trial.death() == Some(Death::Silent);
        let mut died: Vec<(Span, u32)> = seen()
            .filter(|(trial, _)| silent(trial))
            .map(|(trial, seen)| (trial.idle, seen.opened_since))
            .collect();
        died.sort();
        let shortest = died.first()?.0;
        let most = lived(shortest)?;
        let outlived = |idle: Span| seen().any(|(trial, _)| trial.lived() && trial.idle > idle);
        // A timer that is looked at every so often, or differs, kills those too that saw few opened.
        let timer = died.iter().any(|(idle, opened)| *opened <= most && *idle <= times(shortest, 2.5));
        let much_longer = seen().any(|(trial, _)| trial.lived() && trial.idle >= times(shortest, 1.5));
        let evicted: Vec<u32> = died
            .iter()
            .filter(|(idle, opened)| *opened > most.max(MANY_OPENED) && outlived(*idle))
            .map(|(_, opened)| *opened)
            .collect();
        if evicted.len() >= 2 && much_longer && !timer { evicted.into_iter().min() } else { None }
    }

    /// How old those were that ended without being asked: the youngest and the oldest.
    pub(super) fn unasked_lives(&self) -> Option<(Span, Span)> {
        let of_trial = |(index, _): (usize, &Trial)| self.circumstances.get(index).copied().flatten();
        let lives = || self.unasked().filter_map(of_trial).map(|seen| seen.life);
        Some((lives().min()?, lives().max()?))
    }

    /// Trials that were ended without being asked.
    pub(super) fn unasked(&self) -> impl Iterator<Item = (usize, &Trial)> {
        let unasked = |trial: &Trial| matches!(trial.result, Outcome::Died(Death::Unasked(..)));
        self.trials.iter().enumerate().filter(move |(_, trial)| unasked(trial))
    }
}

/// With fewer opened during a silence, nobody speaks of eviction.
const MANY_OPENED: u32 = 7;

fn factorial(count: f64) -> f64 {
    (1..=(count as u32).min(100)).map(f64::from).product()
}

/// Whether two silences are the same but for this share and half a second.
pub(super) fn is_near(one: Span, other: Span, share: f64) -> bool {
    let apart = minus(one.max(other), one.min(other));
    apart <= times(other, share).max(Span::from_millis(500))
}
