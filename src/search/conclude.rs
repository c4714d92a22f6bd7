//! Whether the search is over, and with which verdict.

use super::Search;
use super::finding::{Verdict, Why};
use super::message::{End, News, Origin};
use super::plan::{minus, times};
use super::pool::State;
use super::record::Estimate;
use super::trial::{Death, Trial};
use super::wanted::{Form, Mode, Way};
use crate::time::{Span, Timestamp};

/// Connections that end within this of each other ended at once.
const AT_ONCE: Span = Span::from_secs(2);

/// The far end broke this many silences, after about the same time each, before it is said to do so.
const PERIODS: usize = 4;

/// With nothing due for so long nothing will be: longer than anything waits for a sign of life.
const NOTHING_DUE: Span = Span::from_secs(60);

impl Search {
    /// Looks whether it is over.
    pub(super) fn conclude(&mut self) {
        if self.told_of != self.record.length() {
            self.told_of = self.record.length();
            self.tell();
        }
        let estimate = self.record.estimate();
        let verdict = self
            .by_unasked_ends()
            .or_else(|| self.by_bracket(&estimate))
            .or_else(|| self.by_period())
            .or_else(|| self.by_lack());
        let verdict = match verdict {
            Some(Verdict::Found) if self.lacks_sign_of_life() => self.seek_sign_of_life(),
            other => other,
        };
        if let Some(verdict) = verdict {
            self.finish(verdict);
        }
    }

    /// Tells once of everything that may mislead.
    fn tell(&mut self) {
        for confounder in self.caveats() {
            if !self.told.contains(&confounder.name()) {
                self.told.push(confounder.name());
                self.news.push_back(News::Confounder(confounder));
            }
        }
    }

    fn by_bracket(&self, estimate: &Estimate) -> Option<Verdict> {
        if let Mode::Confirm(idle) = self.wanted.mode {
            return self.by_confirmation(estimate, idle);
        }
        let control = estimate.dead.is_some_and(|dead| self.is_control_pending(dead));
        if self.is_narrow(estimate) && !control {
            return Some(Verdict::Found);
        }
        (estimate.alive >= Some(self.plan.max)).then(|| self.nothing_died(estimate))
    }

    /// The longest silence was survived.
    fn nothing_died(&self, estimate: &Estimate) -> Verdict {
        match (estimate.dead_below, self.wanted.way) {
            (Some(_), _) => Verdict::Found,
            (None, Way::Out) => Verdict::CannotKnow,
            (None, Way::In) if self.plan.max < self.wanted.max && self.wanted.mode == Mode::Full => {
                Verdict::Inconclusive(Why::Budget)
            }
            (None, Way::In) => Verdict::NoneBelowMax,
        }
    }

    /// All were asked, or enough died of less.
    fn by_confirmation(&self, estimate: &Estimate, idle: Span) -> Option<Verdict> {
        let asked = |trial: &&Trial| trial.attempts > 0 && (trial.lived() || trial.death().is_some());
        let done = self.record.trials.iter().filter(asked).count();
        let waiting = self.pool.workers().any(|(_, conn)| conn.due().is_some());
        let over = done >= self.plan.rungs.len() || (!waiting && !self.wants_another() && done > 0);
        if !over {
            return None;
        }
        Some(match estimate {
            Estimate { proven: Some(_), .. } | Estimate { dead_below: Some(_), .. } => Verdict::Found,
            Estimate { alive: Some(alive), .. } if *alive >= idle => self.nothing_died(estimate),
            _ => Verdict::Inconclusive(Why::LoneDeath),
        })
    }

    /// Two or more connections ended without being asked.
    fn by_unasked_ends(&self) -> Option<Verdict> {
        let (first, from, to) = self.unasked_bounds()?;
        // Others may follow that tell more.
        if self.settles().is_some_and(|at| self.now < at) {
            return None;
        }
        let ends = || self.record.unasked().map(|(_, trial)| trial.at);
        let spread = ends().max()?.since(ends().min()?);
        // Keepalives are no data: for an application's timer they break no silence, so it runs from the opening.
        if self.wanted.form == Form::Keepalive
            && let Some((shortest, longest)) = self.record.unasked_lives()
            && minus(longest, shortest) <= times(shortest, 0.2).min(times(spread, 0.5)).min(minus(to, from))
        {
            return Some(self.who_ended(first, shortest));
        }
        if minus(to, from) <= self.wanted.precision.width(from).max(times(from, 0.2)) {
            return Some(self.who_ended(first, from));
        }
        // Everybody at once: it went away, or somebody did away with everything.
        (ends().count() >= 3 && spread <= AT_ONCE).then_some(Verdict::Inconclusive(Why::EndedAtOnce))
    }

    /// The first that ended without being asked, if two did, and the silences of the shortest and the longest.
    pub(super) fn unasked_bounds(&self) -> Option<(&Trial, Span, Span)> {
        let ends: Vec<&Trial> = self.record.unasked().map(|(_, trial)| trial).collect();
        if ends.len() < 2 {
            return None;
        }
        let idles = || ends.iter().map(|trial| trial.idle);
        Some((ends.first()?, idles().min()?, idles().max()?))
    }

    /// When it is clear who else ended at once with those that ended without being asked.
    pub(super) fn settles(&self) -> Option<Timestamp> {
        let (_, second) = self.record.unasked().nth(1)?;
        Some(second.at.plus(AT_ONCE))
    }

    fn who_ended(&self, trial: &Trial, after: Span) -> Verdict {
        let by_path = match trial.death() {
            Some(Death::Unasked(_, Origin::Path(_))) => true,
            Some(Death::Unasked(_, Origin::Peer(_))) => false,
            // A partner closes nothing by itself, so somebody did in its name.
            Some(Death::Unasked(how, Origin::Unknown)) => self.wanted.partner || how == End::Icmp,
            _ => false,
        };
        if by_path { Verdict::Found } else { Verdict::EndedByPeer { after } }
    }

    /// The far end lets no silence grow as long as the next one that is to be tried.
    fn by_period(&self) -> Option<Verdict> {
        let (period, times_seen) = self.record.period()?;
        let goals = self.pool.workers().filter_map(|(_, conn)| conn.trying());
        let next = goals.min()?;
        let longest = times(period, 1.1).max(period.plus(Span::from_millis(500)));
        let alive = self.record.estimate().alive;
        // What lived longer than that was not broken.
        let lets = alive.is_some_and(|alive| alive > longest);
        (times_seen >= PERIODS && next > period && !lets).then_some(Verdict::KeptOpenByPeer { period })
    }

    /// Time or connections ran out.
    fn by_lack(&self) -> Option<Verdict> {
        if self.wanted.budget.is_some_and(|budget| self.now.since(self.started) >= budget) {
            return Some(self.verdict_so_far(Why::Budget));
        }
        // What was seen does not fit what was asked, and leads nowhere.
        if self.nothing_due.is_some_and(|since| self.now.since(since) >= NOTHING_DUE) {
            return Some(self.verdict_so_far(Why::NothingDue));
        }
        let no_more = !self.may_open();
        if !no_more || self.pool.workers().next().is_some() {
            return None;
        }
        let why = match self.record.not_opened.first() {
            Some(why) if self.record.trials.is_empty() => Why::CannotOpen(*why),
            _ => Why::OutOfConnections,
        };
        Some(self.verdict_so_far(why))
    }

    /// The verdict if it ended now.
    pub(super) fn verdict_so_far(&self, why: Why) -> Verdict {
        let estimate = self.record.estimate();
        if estimate.shortest_dead.is_some() {
            return Verdict::Found;
        }
        let probing = self.pool.iter().any(|(_, conn)| matches!(conn.state, State::Probing(_)));
        let tried = !self.record.trials.is_empty() || probing;
        match (self.wanted.way, why) {
            (Way::Out, Why::Budget) if estimate.dead.is_none() && estimate.alive.is_some() => {
                Verdict::CannotKnow
            }
            (_, Why::Budget) if !tried => Verdict::Inconclusive(Why::NothingTried),
            _ => Verdict::Inconclusive(why),
        }
    }
}
