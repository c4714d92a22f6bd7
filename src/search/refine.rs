//! The refining phase: something died. A second connection must agree, and silences between the longest survived
//! and that one are tried, all at once, by connections that are just as old.

use super::Search;
use super::message::Id;
use super::plan::{minus, nanos, times};
use super::pool::State;
use super::record::Estimate;
use super::wanted::Mode;
use crate::time::Span;

/// Above this the second death, if it is near, is waited for before connections are spent on what lies between: a few seconds
/// more are less than the slack there, and a false alarm costs one connection instead of many.
const CONFIRM_FIRST: Span = Span::from_secs(200);

/// With fewer opened meanwhile, no table that holds a search's connections at all is full.
const FEW_OPENED: u32 = 8;

/// So many connections always have two of about the right age.
const MANY: u16 = 48;

/// A single death is believed if all its tries were lost less often than this.
const HASTE: f64 = 2e-3;

/// A silence to be tried, by a connection that is at most so much older.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    idle: Span,
    slack: Span,
}

impl Search {
    /// Whether the bracket is as narrow as was asked for, and stands on two deaths.
    pub(super) fn is_narrow(&self, estimate: &Estimate) -> bool {
        let Some(proven) = estimate.proven else { return false };
        let low = self.low(estimate);
        let width = self.wanted.precision.width(low);
        if estimate.dead_below.is_some() {
            return estimate.above >= estimate.enough;
        }
        match self.wanted.mode {
            Mode::Full => minus(proven, low) <= width,
            Mode::Quick => true,
            Mode::Confirm(_) => false,
        }
    }

    /// The lower end of the bracket: what was survived, or what nobody asks below.
    fn low(&self, estimate: &Estimate) -> Span {
        estimate.alive.unwrap_or(self.wanted.min)
    }

    /// Gives the silent connections the silences that the bracket needs.
    pub(super) fn assign_points(&mut self) {
        self.pool.clear_aims();
        let estimate = self.record.estimate();
        let Some(dead) = estimate.dead else { return };
        let silent = self.pool.silent();
        let mut free: Vec<(Id, Span)> =
            silent.into_iter().map(|(id, since)| (id, self.now.since(since).max(Span::ZERO))).collect();
        let usable: Vec<Span> = free.iter().map(|(_, age)| *age).filter(|age| *age <= dead).collect();
        let (points, again) = self.points(&estimate, dead, &usable);
        // What is being asked already need not be asked again.
        let mut asked: Vec<Span> = self.pool.probing().collect();
        let mut unfilled = 0_usize;
        let rounds = [(points, true), (again, false)];
        for (points, needed) in rounds {
            for point in points {
                let place = asked.iter().position(|idle| point.takes(*idle));
                if let Some(place) = place {
                    asked.swap_remove(place);
                    continue;
                }
                // The oldest that is not too old.
                let Some(place) = free.iter().position(|(_, age)| *age <= point.idle.plus(point.slack))
                else {
                    unfilled += usize::from(needed);
                    continue;
                };
                let (id, age) = free.remove(place);
                self.pool.aim(id, Some(point.idle.max(age)));
            }
        }
        self.assign_control(dead);
        if self.would_take_long(&estimate, dead) {
            self.record.make_haste();
            self.stale = true;
            return;
        }
        self.renew(dead, unfilled);
    }

    /// While many connections were opened during the silences that killed, a table that is full explains the deaths
    /// as well as a timer. One that saw fewer opened is tried for as long: if it lives, that is it.
    fn assign_control(&mut self, dead: Span) {
        let Some(most) = self.opened_while_dying() else { return };
        if self.is_control_pending(dead) {
            return;
        }
        let opened = self.pool.opened();
        let control = self
            .pool
            .workers()
            .filter(|(_, conn)| matches!(conn.state, State::Idle { .. }))
            .filter(|(_, conn)| opened.saturating_sub(conn.opens_before) <= most / 2)
            .map(|(id, conn)| (conn.age(self.now), id))
            .max();
        if let Some((age, id)) = control {
            // Not for long: a connection that was just opened would double the time of the search.
            if minus(dead, age) <= times(dead, 0.7) {
                self.pool.aim(id, Some(dead.max(age)));
            }
        }
    }

    /// Whether such a one is still to be heard of.
    pub(super) fn is_control_pending(&self, dead: Span) -> bool {
        let Some(most) = self.opened_while_dying() else { return false };
        let opened = self.pool.opened();
        self.pool.workers().any(|(_, conn)| {
            opened.saturating_sub(conn.opens_before) <= most / 2
                && conn.trying().is_some_and(|idle| idle >= dead)
        })
    }

    /// The least number of connections that were opened during a silence that killed, if that is many.
    fn opened_while_dying(&self) -> Option<u32> {
        let least = self.record.least_opened()?;
        (least >= FEW_OPENED).then_some(least)
    }

    /// Whether the bracket is narrow by the death of one, a second one died of more, and to see another die just
    /// here would take longer than that is worth.
    fn would_take_long(&self, estimate: &Estimate, dead: Span) -> bool {
        let low = self.low(estimate);
        let width = self.wanted.precision.width(low);
        let many = self.wanted.connections >= MANY;
        if many || self.record.is_hasty() || estimate.proven.is_none() || minus(dead, low) > width {
            return false;
        }
        let (lost, tries) = self.record.loss();
        let loss = (f64::from(lost) + 1.0) / f64::from(tries.max(1));
        let patient = Span::from_secs(4).max(times(dead, 0.003));
        let soon = self.pool.workers().any(|(_, conn)| match (conn.state, conn.due()) {
            (State::Probing(_), _) => {
                conn.trying().is_some_and(|idle| idle >= dead && idle <= low.plus(width))
            }
            (State::Idle { .. }, Some(due)) => due.since(self.now) <= patient,
            _ => false,
        });
        !soon && loss.powi(3) < HASTE
    }

    /// What is to be tried, and what a second time if connections are left.
    fn points(&self, estimate: &Estimate, dead: Span, usable: &[Span]) -> (Vec<Point>, Vec<Point>) {
        let low = self.low(estimate);
        // A little less than what is allowed, for connections that are asked a little late.
        let width = times(self.wanted.precision.width(low), 0.98);
        let gap = minus(dead, low);
        if estimate.dead_below.is_some() {
            // No single number: is this beyond all of it?
            let slack = times(dead, 0.05);
            let missing = estimate.enough.saturating_sub(estimate.above);
            return (vec![Point { idle: dead, slack }; missing], Vec::new());
        }
        if gap <= width || self.wanted.mode == Mode::Quick {
            // Of a quick search all connections are about as old.
            let slack = if gap <= width { minus(low.plus(width), dead) } else { times(dead, 0.03) };
            return (vec![Point { idle: dead, slack }], Vec::new());
        }
        let confirmation = Point { idle: dead, slack: times(dead, 0.002) };
        let is_lone = estimate.proven.is_none();
        let soon = usable.first().is_some_and(|age| minus(dead, *age) <= times(dead, 0.005));
        let asking = self.pool.probing().any(|idle| confirmation.takes(idle));
        if is_lone && dead >= CONFIRM_FIRST && (soon || asking) {
            return (vec![confirmation], Vec::new());
        }
        let inner = (nanos(gap) / nanos(width)).ceil().max(1.0) - 1.0;
        let few = usable.len().saturating_sub(usize::from(is_lone)).max(1);
        let inner = (inner as usize).clamp(1, few);
        let step = times(gap, 1.0 / (inner + 1) as f64);
        let slack = minus(width, step);
        let mut points: Vec<Point> = (1..=inner)
            .map(|index| Point { idle: low.plus(times(step, index as f64)), slack: times(slack, 0.5) })
            .collect();
        let again = points.iter().map(|point| Point { slack, ..*point }).collect();
        if is_lone {
            points.push(confirmation);
        }
        (points, again)
    }

    /// Replaces connections that are too old to be of use, where there are not enough others.
    fn renew(&mut self, dead: Span, unfilled: usize) {
        let workers = self.pool.workers().count();
        let room = usize::from(self.wanted.connections).saturating_sub(workers);
        let fresh = self.pool.workers().filter(|(_, conn)| conn.trying().is_none() && conn.due().is_some());
        let mut short = unfilled.saturating_sub(fresh.count());
        self.renewed = workers + short.min(room);
        short = short.saturating_sub(room);
        if short == 0 || !self.may_open() {
            return;
        }
        let too_old: Vec<Id> = self
            .pool
            .silent()
            .into_iter()
            .filter(|(_, since)| self.now.since(*since) > dead)
            .map(|(id, _)| id)
            .take(short)
            .collect();
        for id in too_old {
            self.close(id);
        }
    }
}

impl Point {
    /// Whether a silence that is being asked about will do.
    fn takes(&self, idle: Span) -> bool {
        idle >= minus(self.idle, times(self.idle, 0.001))
            && idle <= self.idle.plus(self.slack.max(times(self.idle, 0.001)))
    }
}
