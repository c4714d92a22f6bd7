//! Holding a run against what was expected of it.

use super::{CaptureExpectation, EndExpectation, EventExpectation, Expectations};
use crate::simulate::scenario::Plan;
use crate::simulate::scenario::happening::{EventKind, Happening};
use crate::simulate::scenario::run::{Captured, End, Run};
use crate::simulate::scenario::text::Word;
use crate::time::{Span, duration};
use crate::track::event::Party;

/// Something expected, and whether it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Where it is expected: `events.0`, `client`, `capture.server`, `client.windows.calls.1`.
    pub key: String,
    /// What is expected, as a sentence.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// Whether the two agree.
    pub met: bool,
}

impl Expectations {
    /// A verdict on each.
    pub(in crate::simulate::scenario) fn judge(&self, plan: &Plan, run: &Run) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for (index, event) in self.events.iter().enumerate() {
            verdicts.push(event.judge(&format!("events.{index}"), &run.happenings));
        }
        let [client, server] = &run.ends;
        for (name, expected, end) in [("client", &self.client, client), ("server", &self.server, server)] {
            if let Some(expected) = expected {
                expected.judge(name, end, &mut verdicts);
            }
        }
        for captured in &run.captures {
            if let Some(expected) = self.capture.get(&captured.tap.name) {
                expected.judge(captured, &mut verdicts);
            }
        }
        judge_calls(plan, run, &mut verdicts);
        verdicts
    }
}

fn time(span: Span) -> String {
    let millis = (span.as_nanos() + 500_000).div_euclid(1_000_000);
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}

fn times(number: usize) -> String {
    match number {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        more => format!("{more} times"),
    }
}

impl EventExpectation {
    fn judge(&self, key: &str, happenings: &[Happening]) -> Verdict {
        let all: Vec<&Happening> = happenings.iter().filter(|happening| self.is_about(happening)).collect();
        let holds = |happening: &&&Happening| self.at.is_none_or(|at| at.holds(happening.time));
        let within = all.iter().filter(holds).count();
        let met = match (self.number, self.count) {
            (Some(number), _) => self.nth(&all, number).is_some_and(|happening| holds(&&happening)),
            (None, Some(count)) => count.holds(within as u64),
            (None, None) => within > 0,
        };
        Verdict { key: key.to_owned(), expected: self.sentence(), found: self.found(&all, within), met }
    }

    fn is_about(&self, happening: &Happening) -> bool {
        happening.kind == self.what.0
            && self.by.as_ref().is_none_or(|by| *by == happening.by)
            && self.how.as_ref().is_none_or(|how| how == happening.how)
    }

    fn nth<'a>(&self, all: &[&'a Happening], number: u64) -> Option<&'a Happening> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        all.get(index).copied()
    }

    fn name(&self) -> String {
        let by = self.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let how = self.how.as_ref().map(|how| format!(" ({how})")).unwrap_or_default();
        format!("{}{by}{how}", self.what.name())
    }

    fn sentence(&self) -> String {
        let name = self.name();
        let at = self.at.map(|at| format!(" at {at}")).unwrap_or_default();
        match (self.number, self.count) {
            (Some(number), _) => format!("{name} number {number}{at}"),
            (None, Some(count)) => format!("{name}{at}, count {count}"),
            (None, None) => format!("{name}{at}"),
        }
    }

    fn found(&self, all: &[&Happening], within: usize) -> String {
        if let Some(number) = self.number {
            return match self.nth(all, number) {
                Some(happening) => format!("at {}", time(happening.time)),
                None => times(all.len()),
            };
        }
        if self.count.is_some() || within > 0 {
            return times(within);
        }
        match (self.at, all) {
            (Some(at), [_, ..]) => {
                let (from, to) = at.bounds();
                let middle = Span::from_nanos(from.as_nanos() / 2 + to.as_nanos() / 2);
                let distance =
                    |happening: &&&Happening| happening.time.as_nanos().abs_diff(middle.as_nanos());
                let nearest = all.iter().min_by_key(distance).map(|happening| time(happening.time));
                format!("not then; nearest at {}", nearest.unwrap_or_default())
            }
            _ => "never".to_owned(),
        }
    }
}

impl EndExpectation {
    fn judge(&self, name: &str, end: &End, verdicts: &mut Vec<Verdict>) {
        let mut push = |what: &str, expected: String, found: String, met: bool| {
            let key = format!("{name}.{what}");
            let expected = format!("{name}: {what} {expected}");
            verdicts.push(Verdict { key, expected, found, met });
        };
        if let Some(outcome) = self.outcome {
            let found = Word(end.outcome).name();
            push("outcome", outcome.name().to_owned(), found.to_owned(), outcome.0 == end.outcome);
        }
        if let Some(error) = &self.error {
            let found = end.error.unwrap_or("none");
            push("error", error.clone(), found.to_owned(), error == found);
        }
        if let Some(at) = self.at {
            let found = end.at.map_or("never".to_owned(), |at| format!("at {}", time(at)));
            push("ends", format!("at {at}"), found, end.at.is_some_and(|time| at.holds(time)));
        }
        let span = |span: Option<Span>| span.map_or("none".to_owned(), duration::format);
        for (what, expected, found) in [
            ("idle", self.idle, end.settings.map(|settings| settings.idle)),
            ("interval", self.interval, end.settings.map(|settings| settings.interval)),
        ] {
            if expected.is_some() {
                push(what, span(expected), span(found), expected == found);
            }
        }
        if let Some(count) = self.count {
            let found = end.settings.map(|settings| settings.count);
            let text = found.map_or("none".to_owned(), |count| count.to_string());
            push("count", count.to_string(), text, found == Some(count));
        }
    }
}

impl CaptureExpectation {
    fn judge(&self, captured: &Captured, verdicts: &mut Vec<Verdict>) {
        let name = &captured.tap.name;
        let mut push = |what: &str, expected: String, found: String, met: bool| {
            let key = format!("capture.{name}.{what}");
            let expected = format!("capture at {name}: {what} {expected}");
            verdicts.push(Verdict { key, expected, found, met });
        };
        let record = captured.records.first();
        if let Some(outcome) = self.outcome {
            let found = record.map(|record| record.verdict.outcome);
            let text = found.map_or("no connection", |outcome| outcome.name());
            push("outcome", outcome.name().to_owned(), text.to_owned(), found == Some(outcome.0));
        }
        let party = self.prober.map_or(Party::Client, |prober| prober.0);
        let prober = record.map(|record| record.prober(party));
        let sent = prober.map_or(0, |prober| prober.probes.len() as u64);
        let answered = prober.map_or(0, |prober| prober.answered() as u64);
        let connections = captured.records.len() as u64;
        for (what, expected, found) in [
            ("probes", self.probes, sent),
            ("answered", self.answered, answered),
            ("connections", self.connections, connections),
        ] {
            if let Some(count) = expected {
                push(what, count.to_string(), found.to_string(), count.holds(found));
            }
        }
    }
}

/// Each Winsock call is expected to give the error that is written beside it, or none.
fn judge_calls(plan: &Plan, run: &Run, verdicts: &mut Vec<Verdict>) {
    for (name, host) in [("client", &plan.scenario.client), ("server", &plan.scenario.server)] {
        let Some(windows) = &host.windows else { continue };
        let made: Vec<&Happening> = run
            .happenings
            .iter()
            .filter(|happening| happening.kind == EventKind::Call && happening.by == name)
            .collect();
        // They are made in the order of their times, those without one first.
        let mut ordered: Vec<(usize, &crate::simulate::scenario::Call)> =
            windows.calls.iter().enumerate().collect();
        ordered.sort_by_key(|(_, call)| call.at);
        for (place, (index, call)) in ordered.into_iter().enumerate() {
            let expected =
                call.error.map_or("succeeds".to_owned(), |error| format!("fails with {}", error.name()));
            let found = made.get(place).map(|happening| happening.how);
            verdicts.push(Verdict {
                key: format!("{name}.windows.calls.{index}"),
                expected: format!("{name}: {} {expected}", call.call.name()),
                found: match found {
                    None => "not made".to_owned(),
                    Some("") => "succeeded".to_owned(),
                    Some(error) => format!("failed with {error}"),
                },
                met: found == Some(call.error.map_or("", |error| error.name())),
            });
        }
    }
}
