//! The ladder phase: which connection waits for which silence.

use super::Search;
use super::message::{Id, Phase};
use super::plan::times;
use super::pool::State;
use crate::time::{Span, Timestamp};

impl Search {
    /// Gives each silent connection its rung: the longest silent the next one. Those left over are the reserve, in
    /// which some always have the age that a bracket needs.
    pub(super) fn assign_rungs(&mut self) {
        let silent = self.pool.silent();
        let pinned = self.pinned(&silent);
        let mut floor = self.record.estimate().alive;
        floor = floor.max(self.pool.probing().max());
        self.pool.clear_aims();
        if let Some(id) = pinned {
            self.pool.aim(id, Some(self.plan.max));
        }
        let mut rungs: std::collections::VecDeque<Span> = self.rungs_left(pinned.is_some()).into();
        for (id, since) in silent.into_iter().filter(|(id, _)| Some(*id) != pinned) {
            let age = self.now.since(since).max(Span::ZERO);
            // A rung that was missed by all is tried late rather than not at all, but not one below another
            // that is.
            while self.is_single()
                && rungs.len() > 1
                && rungs.front().is_some_and(|rung| floor >= Some(*rung))
            {
                rungs.pop_front();
            }
            let Some(rung) = rungs.pop_front() else { return };
            self.pool.aim(id, Some(rung));
            floor = floor.max(Some(rung.max(age)));
        }
    }

    /// Whether each rung is tried by one connection only, so that one that lived makes all below needless.
    fn is_single(&self) -> bool {
        self.plan.rungs.windows(2).all(|pair| pair.first() < pair.last())
    }

    /// The rungs that were not tried and are not being tried.
    fn rungs_left(&self, without_last: bool) -> Vec<Span> {
        let mut left: Vec<Span> = if self.is_single() {
            let alive = self.record.estimate().alive;
            let highest = alive.max(self.pool.probing().max());
            self.plan.rungs.iter().copied().filter(|rung| Some(*rung) > highest).collect()
        } else {
            let mut left = self.plan.rungs.clone();
            let tried = self.record.trials.iter().filter(|trial| trial.attempts > 0).map(|trial| trial.idle);
            for idle in tried.chain(self.pool.probing()) {
                // It was tried at this or a little more.
                if let Some(place) = left.iter().rposition(|rung| *rung <= idle) {
                    left.remove(place);
                }
            }
            left
        };
        if without_last && left.last() == Some(&self.plan.max) {
            left.pop();
        }
        left
    }

    /// The connection that is kept for the longest silence, so that a negative result need not wait for its turn.
    fn pinned(&mut self, silent: &[(Id, Timestamp)]) -> Option<Id> {
        let by = self.started.plus(self.plan.pin_by?);
        // Chosen once it is clear which is the last before that time.
        if self.now < by {
            return None;
        }
        if !self.pin.is_some_and(|pin| silent.iter().any(|(id, _)| *id == pin)) {
            self.pin = silent.iter().rev().find(|(_, since)| *since <= by).map(|(id, _)| *id);
        }
        self.pin
    }

    /// How many workers are wanted now, by the plan.
    pub(super) fn workers_wanted(&self) -> usize {
        if self.phase != Phase::Ladder {
            return self.renewed;
        }
        let elapsed = self.now.since(self.started);
        let most = usize::from(self.wanted.connections).min(self.most_useful());
        // Those that died are not replaced while many are left: if a table was full, that would go on for ever.
        let most = most
            .saturating_sub(self.record.died())
            .max(most.min(usize::from(self.wanted.connections / 2).max(8)));
        (0..most).take_while(|index| self.plan.begins(*index) <= elapsed).count()
    }

    /// When the next worker is wanted, if it is not yet.
    pub(super) fn next_worker(&self) -> Option<Timestamp> {
        let most = usize::from(self.wanted.connections).min(self.most_useful());
        let elapsed = self.now.since(self.started);
        let next = (0..most).map(|index| self.plan.begins(index)).find(|begins| *begins > elapsed)?;
        Some(self.started.plus(next))
    }

    /// More connections than rungs and a few to agree with a death are of no use where rungs are tried at once.
    fn most_useful(&self) -> usize {
        match self.plan.stagger == 0.0 {
            true if self.is_single() => self.plan.rungs.len() + 2,
            true => self.plan.rungs.len(),
            false => usize::MAX,
        }
    }

    /// The silence of the next probe and all that come after, by what is planned: soonest first.
    pub(super) fn longest_wait(&self) -> Option<Span> {
        let due = self.pool.iter().filter_map(|(_, conn)| match conn.state {
            State::Idle { goal: Some(goal) } => Some(conn.since.plus(goal).since(self.now)),
            _ => None,
        });
        let most = due.max()?;
        Some(most.max(times(most, 1.0 + self.plan.stagger)))
    }
}
