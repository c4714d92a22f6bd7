//! The experiment that follows a search: what keeps a connection open, and where the box is.

use super::{Command, Core, EXPERIMENT, Probe};
use crate::live::idle::NotExamined;
use crate::live::idle::flow::Step;
use crate::search::refresh::{Experiment, Form, Order, Question};
use crate::search::{Finding, Id, Input, Verdict};
use crate::segment::{IcmpError, IcmpKind};
use crate::time::Span;

/// The silences that are survived, and not: the shortest timeout of those that were found.
fn bounds(findings: &[Finding]) -> Option<(Span, Span)> {
    let of = |finding: &Finding| match finding.verdict {
        Verdict::Found => finding.interval(),
        Verdict::EndedByPeer { after } => Some((after, after)),
        _ => None,
    };
    findings.iter().filter_map(of).min()
}

impl Core {
    /// Begins it after the searches; false if there is none to begin.
    pub(super) fn begin_experiment(&mut self) -> bool {
        let Some(examine) = self.plan.examine else { return false };
        let gone = self.interrupted || self.partner_failed.is_some();
        if gone || self.experiment.is_some() || self.not_examined.is_some() {
            return false;
        }
        let findings: Vec<Finding> = self.searches.iter().map(crate::search::Search::finding).collect();
        let known = examine.timeout.map(|timeout| (timeout, timeout)).or_else(|| bounds(&findings));
        let Some((alive, dead)) = known else {
            self.not_examined = Some(NotExamined::NoTimeout);
            return false;
        };
        let welcome = self.control.as_ref().and_then(super::Control::welcome);
        let most = welcome.map_or(examine.most, |welcome| welcome.allowance.connections.min(examine.most));
        let partner = self.plan.partner.is_some();
        let inward = welcome.is_some_and(|welcome| welcome.abilities.keepalive);
        let (refresh, locate) = (examine.refresh, examine.locate);
        let question = Question { alive, dead, partner, inward, refresh, locate, most };
        if let Some(longest) = examine.budget.filter(|longest| question.takes() > *longest) {
            self.not_examined = Some(NotExamined::TooLong { takes: question.takes(), longest });
            return false;
        }
        match Experiment::new(question, self.now) {
            Ok(experiment) => self.experiment = Some(experiment),
            Err(error) => self.not_examined = Some(NotExamined::Cannot(error)),
        }
        self.experiment.is_some()
    }

    /// Whether it goes on.
    pub(super) fn is_examining(&self) -> bool {
        self.experiment.as_ref().is_some_and(|experiment| !experiment.is_done())
    }

    /// Something happened to a connection of it.
    pub(super) fn tell_experiment(&mut self, number: u32, id: Id, input: Input) {
        let now = self.now;
        let routers = self.flows.get(&number).and_then(super::Flow::routers);
        let Some(experiment) = &mut self.experiment else { return };
        experiment.on(now, id, input);
        if let (Input::Opened { .. }, Some(routers)) = (input, routers) {
            experiment.on_hops(now, routers);
        }
    }

    /// Does what it wants done; true if that was anything.
    pub(super) fn pump_experiment(&mut self) -> bool {
        let mut any = false;
        while let Some(order) = self.experiment.as_mut().and_then(Experiment::poll_order) {
            any = true;
            let (Order::Open(id) | Order::Refresh(id, _) | Order::Test { id, .. } | Order::Close(id)) = order;
            let key = (EXPERIMENT, id);
            if let Order::Open(_) = order {
                self.open(key);
                continue;
            }
            let now = self.now;
            let Some(number) = self.ids.get(&key).copied() else { continue };
            self.with_flow(number, |flow, steps| match order {
                Order::Open(_) => {}
                Order::Refresh(_, form) => flow.refresh(now, form, steps),
                Order::Test { way, attempt, .. } => flow.probe(now, way, attempt, steps),
                Order::Close(_) => flow.close(now, steps),
            });
        }
        any
    }

    /// Sends what may keep a connection open, or asks the partner to.
    pub(super) fn refresh(&mut self, number: u32, form: Form) {
        let now = self.now;
        let flow = self.flows.get(&number);
        if form == Form::Inward {
            let test = flow.and_then(|flow| flow.test.as_ref()).map(|test| test.number());
            let asked = test.zip(self.control.as_mut());
            if !asked.is_some_and(|(test, control)| control.ask_keepalive(test)) {
                self.with_flow(number, |flow, steps: &mut Vec<Step>| flow.on_not_refreshed(steps));
            }
            return;
        }
        let ready = flow.and_then(|flow| flow.tuple.zip(flow.trace.and_then(|trace| trace.keepalive(now))));
        let Some((tuple, (before, ack, echo, mut dress))) = ready else {
            return self.with_flow(number, |flow, steps: &mut Vec<Step>| flow.on_not_sent(steps));
        };
        let seq = if form == Form::Ack { before.plus(1) } else { before };
        if let Form::Limited(hop) = form {
            dress.ttl = hop;
        }
        let octet = form == Form::KeepaliveOctet;
        self.commands.push_back(Command::Send(number, Probe { tuple, seq, ack, echo, dress, octet }));
    }

    /// A router says that a packet of it ended there.
    pub(super) fn on_expired(&mut self, number: u32, error: &IcmpError) {
        let key = self.flows.get(&number).map(|flow| flow.key);
        if let (Some((EXPERIMENT, id)), IcmpKind::TimeExceeded(_)) = (key, error.kind)
            && let Some(experiment) = &mut self.experiment
        {
            experiment.on_expired(id, error.reporter);
        }
    }
}
