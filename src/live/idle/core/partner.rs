//! What the partner does to a run.

use super::{Core, Phase};
use crate::live::idle::control::Control;
use crate::live::idle::flow::{Flow, Step};
use crate::live::idle::{News, Translation};
use crate::partner::client::Told;
use crate::partner::message::{Back, Number, Welcome};
use crate::search::{Search, Why};
use crate::segment::Endpoint;

impl Core {
    /// What the partner sees of the first connection shows whether somebody translates.
    pub(super) fn see_translation(&mut self, number: u32) {
        let flow = self.flows.get(&number);
        let ends = flow.and_then(|flow| flow.tuple.zip(flow.joined));
        if let (None, Some(((ours, _), joined))) = (self.translation, ends) {
            let translation = Translation { ours, seen: joined.seen.remote };
            self.translation = Some(translation);
            self.news.push_back(News::Translation(translation));
        }
    }

    /// The partner said something.
    pub(super) fn on_told(&mut self, told: Told) {
        let now = self.now;
        match told {
            Told::Open(welcome) => self.on_welcome(welcome),
            Told::Sent { ask, at, idle: _ } => {
                // A partner whose clock we do not know, or who lies about it, does not move our times far.
                let control = self.control.as_ref();
                let at = control.and_then(|control| control.local_time(at)).unwrap_or(now).min(now);
                self.with_test(ask.number, |flow, steps| flow.on_sent_there(at, steps));
            }
            Told::NotSent { ask, .. } => self.with_test(ask.number, Flow::on_not_sent_there),
            Told::Back { ask, back: Back::Ended { how, .. }, .. } => {
                self.with_test(ask.number, |flow, steps| flow.on_ended_there(how, now, steps));
            }
            Told::Ended { number, how, .. } => {
                self.with_test(number, |flow, steps| flow.on_ended_there(how, now, steps));
            }
            Told::Stray { seen, .. } => self.on_stray(seen.remote),
            Told::Alive { asked } => {
                for search in &mut self.searches {
                    search.on_sign(now, asked);
                }
            }
            Told::Back { .. } | Told::Failed(_) => {}
        }
    }

    fn on_welcome(&mut self, welcome: Welcome) {
        if self.phase == Phase::Greeting {
            self.news.push_back(News::Partner(welcome));
            self.begin_searches();
        }
    }

    fn with_test(&mut self, test: Number, work: impl FnOnce(&mut Flow, &mut Vec<Step>)) {
        let of_test = |flow: &Flow| flow.test.as_ref().is_some_and(|own| own.number() == test);
        let number = self.flows.iter().find(|(_, flow)| of_test(flow)).map(|(number, _)| *number);
        if let Some(number) = number {
            self.with_flow(number, work);
        }
    }

    /// A segment that the partner does not know belongs to a connection that was reset just now, the oldest of them.
    fn on_stray(&mut self, from: Endpoint) {
        let known = |flow: &Flow| flow.joined.is_some_and(|joined| joined.seen.remote == from);
        if self.flows.values().any(known) {
            return;
        }
        for number in self.flows.keys().copied().collect::<Vec<_>>() {
            let mut taken = false;
            self.with_flow(number, |flow, steps| taken = flow.on_stray(steps));
            if taken {
                return;
            }
        }
    }

    /// Asks the partner for a sign of life where a search wants one.
    pub(super) fn ask_sign(&mut self) {
        let since = self.searches.iter().filter_map(Search::wants_sign).max();
        if let (Some(since), Some(control)) = (since, &mut self.control) {
            control.ask_sign(self.now, since);
        }
    }

    /// Ends the searches where the partner is gone.
    pub(super) fn look_at_partner(&mut self) {
        let Some(why) = self.control.as_ref().and_then(Control::failed) else { return };
        if self.partner_failed.is_some() || matches!(self.phase, Phase::Closing { .. } | Phase::Done) {
            return;
        }
        self.partner_failed = Some(why.clone());
        let now = self.now;
        self.end_all(now, Why::Interrupted);
        if self.searches.is_empty() && self.experiment.is_none() {
            self.begin_closing();
        } else {
            self.pump();
        }
    }
}
