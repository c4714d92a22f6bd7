//! The search as it stands, for whoever shows it while it runs.

use super::message::{Id, Phase};
use super::plan::times;
use super::pool::{Role, State};
use super::trial::Trial;
use super::wanted::Way;
use super::{Search, Verdict};
use crate::time::{Span, Timestamp};

/// A connection that is silent or being asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Silence {
    /// Which.
    pub id: Id,
    /// Since when.
    pub since: Timestamp,
    /// How long that is.
    pub idle: Span,
    /// After how much silence it will be asked; none for sentinels and the reserve.
    pub goal: Option<Span>,
    /// Tries that left, if it is being asked.
    pub attempts: u8,
    /// Never asked.
    pub sentinel: bool,
}

/// The search as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What it is busy with.
    pub phase: Phase,
    /// Who ends the silences.
    pub way: Way,
    /// The shortest silence of the range.
    pub min: Span,
    /// The longest.
    pub max: Span,
    /// Since the start.
    pub elapsed: Span,
    /// The longest silence that was survived.
    pub longest_alive: Option<Span>,
    /// The shortest that killed two connections.
    pub shortest_dead: Option<Span>,
    /// The shortest that killed one, not yet confirmed by another.
    pub suspected_dead: Option<Span>,
    /// The silences that are tried, if nothing dies of a shorter one.
    pub rungs: Vec<Span>,
    /// All connections, oldest first.
    pub silences: Vec<Silence>,
    /// Connections being opened.
    pub opening: usize,
    /// Connections opened so far.
    pub opened: u32,
    /// Trials so far, in order.
    pub trials: Vec<Trial>,
    /// How much longer it takes, at least and at most.
    pub left: (Span, Span),
    /// The verdict, once it is over.
    pub verdict: Option<Verdict>,
}

impl Search {
    /// The search as it stands at a time, which is not before what it was last told.
    pub fn view(&self, now: Timestamp) -> View {
        let now = now.max(self.now);
        let estimate = self.record.estimate();
        let silences = self.pool.iter().filter(|(_, conn)| !matches!(conn.state, State::Opening { .. }));
        let silences = silences.map(|(id, conn)| Silence {
            id,
            since: conn.since,
            idle: conn.age(now),
            goal: conn.trying(),
            attempts: match conn.state {
                State::Probing(probe) => probe.asked,
                State::Opening { .. } | State::Arming { .. } | State::Idle { .. } => 0,
            },
            sentinel: conn.role == Role::Sentinel,
        });
        let silences: Vec<Silence> = silences.collect();
        View {
            phase: self.phase,
            way: self.wanted.way,
            min: self.wanted.min,
            max: self.plan.max,
            elapsed: now.since(self.started),
            longest_alive: estimate.alive,
            shortest_dead: estimate.shortest_dead.or(estimate.dead_below),
            suspected_dead: estimate.dead,
            rungs: self.plan.rungs.clone(),
            opening: self.pool.len() - silences.len(),
            silences,
            opened: self.pool.opened(),
            trials: self.record.trials.clone(),
            left: self.left(now),
            verdict: self.verdict,
        }
    }

    /// How much longer it takes: at least until the next silence ends and was asked about, at most until the longest.
    fn left(&self, now: Timestamp) -> (Span, Span) {
        if self.phase == Phase::Done {
            return (Span::ZERO, Span::ZERO);
        }
        let asking = Span::from_secs(3).plus(self.record.patience());
        let next = self.pool.due().map_or(Span::ZERO, |due| due.since(now).max(Span::ZERO));
        let most = match self.phase {
            Phase::Refining => self.longest_wait().unwrap_or(Span::ZERO).plus(asking),
            Phase::Ladder | Phase::Done => {
                let end = self.started.plus(times(self.plan.max, 1.0 + self.plan.stagger.min(0.02)));
                end.since(now).max(next).plus(asking)
            }
        };
        let most = match self.wanted.budget {
            Some(budget) => most.min(self.started.plus(budget).since(now).max(Span::ZERO)),
            None => most,
        };
        (next.min(most), most)
    }
}
