//! A sign of life: before deaths are laid to the path, something that had hardly been silent must have been answered
//! after them. Otherwise the far end may have gone away, or may not answer such probes at all.

use super::Search;
use super::finding::{Verdict, Why};
use super::message::{Command, End, Id, Origin};
use super::pool::{Role, State};
use super::probing::OPENING;
use super::trial::{Death, Trial};
use super::wanted::{SENTINELS, Way};
use crate::time::{Span, Timestamp};

/// Connections that are asked for one: packets may be lost.
const ASKED_AT_MOST: u8 = 2;

/// A partner that says nothing for so long is gone, and its driver ends the search before.
const PARTNER_WITHIN: Span = Span::from_secs(30);

/// What is being done for a sign of life.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seeking {
    asked: u8,
    /// Who is to give it.
    waiting: Option<Id>,
    /// Since when the partner is to give it.
    partner: Option<Timestamp>,
}

impl Search {
    /// Whether the deaths could as well be those of the far end.
    pub(super) fn lacks_sign_of_life(&self) -> bool {
        let alive = self.record.estimate().alive;
        let deaths = || self.record.dead().filter(|trial| Some(trial.idle) > alive);
        if deaths().any(|trial| trial.death().is_some_and(is_of_path)) {
            return false;
        }
        let Some(first) = deaths().map(|trial| self.asked_at(trial)).min() else { return false };
        self.record.last_sign.is_none_or(|sign| sign < first)
    }

    /// When its first try left, or a little before.
    fn asked_at(&self, trial: &Trial) -> Timestamp {
        let waited = if trial.death() == Some(Death::Silent) { self.record.patience() } else { Span::ZERO };
        let tries = trial.last_idle.as_nanos().saturating_sub(trial.idle.as_nanos());
        trial.at.plus(Span::from_nanos(tries.saturating_add(waited.as_nanos()).saturating_neg()))
    }

    /// Whether the partner is to show that it is still there, by answering something that it was asked at this time
    /// or later. Tell by [`on_sign`](Search::on_sign).
    pub fn wants_sign(&self) -> Option<Timestamp> {
        self.seeking.partner.filter(|_| !self.is_done())
    }

    /// The partner answered something that it was asked at this time.
    pub fn on_sign(&mut self, now: Timestamp, asked: Timestamp) {
        if self.is_done() {
            return;
        }
        self.now = self.now.max(now);
        self.record.last_sign = self.record.last_sign.max(Some(asked.min(self.now)));
        self.seeking.partner = None;
        self.advance(now);
    }

    /// A connection was answered. Of a partner that is no sign: one that was started anew answers new connections,
    /// and those before died of that.
    pub(super) fn seen_alive(&mut self) {
        if !self.wanted.partner {
            self.record.last_sign = self.record.last_sign.max(Some(self.now));
        }
    }

    /// The partner said that it sent a try.
    pub(super) fn sent_there(&mut self, at: Timestamp) {
        if self.wanted.partner && self.wanted.way == Way::In {
            self.record.last_sign = self.record.last_sign.max(Some(at.min(self.now)));
        }
    }

    /// Asks for a sign of life; says how it ends if there is nobody left to ask.
    pub(super) fn seek_sign_of_life(&mut self) -> Option<Verdict> {
        if self.wanted.partner {
            let since = *self.seeking.partner.get_or_insert(self.now);
            let late = self.now.since(since) >= PARTNER_WITHIN;
            return late.then_some(Verdict::Inconclusive(Why::NoSignOfLife));
        }
        let waiting = self.seeking.waiting.and_then(|id| Some((id, self.pool.get_mut(id)?.state)));
        match waiting {
            Some((_, State::Opening { .. } | State::Arming { .. })) => return None,
            // It was opened for this.
            Some((id, State::Idle { .. })) => {
                self.arm(id);
                return None;
            }
            Some((_, State::Probing(_))) | None => {}
        }
        if self.seeking.asked == ASKED_AT_MOST {
            return Some(Verdict::Inconclusive(Why::NoSignOfLife));
        }
        self.seeking.asked += 1;
        self.seeking.waiting = self.hardly_silent();
        match self.seeking.waiting {
            Some(id) => self.arm(id),
            None => self.seeking.waiting = self.open_for_a_sign(),
        }
        self.seeking.waiting.is_none().then_some(Verdict::Inconclusive(Why::NoSignOfLife))
    }

    /// The connection that was silent least, if it is one that others outlived: a far end that was started anew
    /// does not know it, and answers new ones all the same.
    fn hardly_silent(&self) -> Option<Id> {
        let alive = self.record.estimate().alive?;
        let silent = self.pool.silent();
        let (id, since) = silent.last().copied()?;
        (self.now.since(since) < alive).then_some(id)
    }

    fn open_for_a_sign(&mut self) -> Option<Id> {
        if !self.may_open() {
            return None;
        }
        let most = usize::from(self.wanted.connections) + usize::from(SENTINELS);
        if self.pool.len() >= most {
            let oldest = self.pool.silent().first().map(|(id, _)| *id)?;
            self.close(oldest);
        }
        let id = self.pool.open(Role::Worker, self.now, self.now.plus(OPENING));
        self.commands.push_back(Command::Open(id));
        Some(id)
    }
}

/// A death that nobody but a box on the way brings about.
const fn is_of_path(death: Death) -> bool {
    matches!(death, Death::NewPort | Death::Ended(End::Icmp, _) | Death::Ended(_, Origin::Path(_)))
}
