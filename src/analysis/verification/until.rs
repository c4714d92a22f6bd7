//! How many probes, and what comes after them: the count and giving up.

use super::replay::Step;
use super::{Case, Measure, Outcome, RuleId, RuleVerdict};
use crate::analysis::ProbeRecord;
use crate::frame::FrameId;
use crate::stack::value::{GiveUp, Reset, UserTimeout};
use crate::time::Span;
use crate::track::event::Mark;

/// Probes of which the prober heard no answer.
struct Run<'a> {
    probes: Vec<&'a ProbeRecord>,
    /// The silence before it began in the capture, so that none of its probes is missing at the front.
    whole: bool,
    /// Answers to some of them were captured, so that they are in one run only if those did not arrive.
    doubtful: bool,
    /// What the capture shows after its last probe.
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// The prober was heard again, or the connection ended otherwise.
    Answered,
    /// The prober reset the connection; whether when the next probe would have been due.
    Reset { at: Mark, in_step: bool },
    /// Nothing more, and the capture ends before anything was due.
    Open,
    /// Nothing more, although something was due.
    Nothing,
}

/// Judges the count and giving up.
pub(super) fn judge(case: &Case<'_>) -> Vec<RuleVerdict> {
    let runs = runs(case);
    vec![count(case, &runs), give_up(case, &runs)]
}

fn runs<'a>(case: &Case<'a>) -> Vec<Run<'a>> {
    let probes = &case.record.prober(case.party).probes;
    let mut runs: Vec<Run<'a>> = Vec::new();
    let deaf = case.gave_up();
    for (step, probe) in case.steps.iter().zip(probes) {
        let goes_on = step.from.is_some() && (!step.after_receipt || (step.deaf && deaf));
        match runs.last_mut() {
            Some(run) if goes_on => {
                run.probes.push(probe);
                run.doubtful |= step.deaf;
            }
            _ => {
                let whole = step.heard.is_some();
                runs.push(Run { probes: vec![probe], whole, doubtful: false, end: End::Answered });
            }
        }
    }
    if let (Some(run), Some(step)) = (runs.last_mut(), case.steps.last()) {
        run.end = end(case, step);
    }
    runs
}

/// What follows the last probe.
fn end(case: &Case<'_>, step: &Step) -> End {
    let summary = &case.record.summary;
    let deaf = case.steps.iter().rev().nth(1).is_some_and(|step| step.deaf);
    if let Some((by, at)) = summary.reset {
        // A receipt before the RST may not have arrived, if those before it did not.
        let window = if step.after_receipt && deaf { last_window(case) } else { step.window };
        let in_step = window.is_some_and(|(earliest, latest)| {
            at.time.plus(step.tolerance) >= earliest && at.time <= latest.plus(step.tolerance)
        });
        return if by == case.party && (!step.after_receipt || deaf) {
            End::Reset { at, in_step }
        } else {
            End::Answered
        };
    }
    let closed = summary.client.fin.is_some() || summary.server.fin.is_some();
    if step.after_receipt || closed {
        return End::Answered;
    }
    let due = step.window.map(|(_, latest)| latest.plus(step.tolerance));
    if due.is_some_and(|due| summary.seen_until > due) { End::Nothing } else { End::Open }
}

/// The window before the last probe, moved behind it.
fn last_window(case: &Case<'_>) -> Option<(crate::time::Timestamp, crate::time::Timestamp)> {
    let step = case.steps.iter().rev().nth(1)?;
    let (from, probe, window) = (step.from?, step.probe?, step.window?);
    let moved = |time: crate::time::Timestamp| probe.time.plus(time.since(from.time));
    Some((moved(window.0), moved(window.1)))
}

fn frames_of(run: &Run<'_>) -> Vec<FrameId> {
    let end = match run.end {
        End::Reset { at, .. } => Some(at.frame),
        _ => None,
    };
    run.probes.iter().map(|probe| probe.segment.at.frame).chain(end).collect()
}

fn count(case: &Case<'_>, runs: &[Run<'_>]) -> RuleVerdict {
    let rule = RuleId::Count;
    let expectation = case.expectation;
    let Some(count) = expectation.count else { return case.unseen(rule, "no count was promised") };
    let by_timeout = GiveUp::Counted { user_timeout: UserTimeout::ReplacesCount };
    if has_user_timeout(case) && expectation.model.stack.giving_up.rule.value == Some(by_timeout) {
        return case.unseen(rule, "the user timeout replaces the count");
    }
    if let Some(reason) = no_count(case) {
        return case.unseen(rule, reason);
    }
    let with = |outcome: Outcome, run: &Run<'_>, reason: String| {
        let mut verdict = case.verdict(rule, outcome, frames_of(run), reason);
        verdict.observed = Some(Measure::Number(run.probes.len() as u64));
        verdict.expected = Some(Measure::Number(u64::from(count)));
        verdict
    };
    let longest = runs.iter().max_by_key(|run| run.probes.len());
    let Some(longest) = longest else { return case.unseen(rule, "no probe was seen") };
    if longest.doubtful && longest.probes.len() != count as usize {
        return case.unseen(
            rule,
            "answers were captured of which nobody here knows whether they reached the prober",
        );
    }
    if longest.probes.len() > count as usize {
        return with(Outcome::Fail, longest, "more probes without an answer than promised".to_owned());
    }
    let Some(last) = runs.last() else { return case.unseen(rule, "no probe was seen") };
    let exact = last.probes.len() == count as usize;
    match last.end {
        End::Reset { in_step: true, .. } if exact && last.whole => {
            with(Outcome::Pass, last, "as many probes without an answer as promised, then the end".to_owned())
        }
        End::Reset { in_step: true, .. } if last.whole => {
            with(Outcome::Fail, last, "given up after fewer probes than promised".to_owned())
        }
        End::Nothing if !exact && last.whole => with(
            Outcome::Fail,
            last,
            "the probes stop before the promised count although the capture goes on".to_owned(),
        ),
        End::Nothing if last.whole => {
            with(Outcome::Pass, last, "as many probes without an answer as promised, and no more".to_owned())
        }
        _ => {
            let reason = if last.whole {
                "the capture does not see a run of unanswered probes to its end"
            } else {
                "probes may have been sent before the capture began"
            };
            let mut verdict = with(Outcome::NotObservable, longest, reason.to_owned());
            verdict.frames.clear();
            verdict
        }
    }
}

/// Why a count means nothing to this stack, if so.
fn no_count(case: &Case<'_>) -> Option<&'static str> {
    match case.expectation.model.stack.giving_up.rule.value {
        Some(GiveUp::AbortThreshold { .. }) => Some("this stack gives up by time and does not count probes"),
        Some(GiveUp::UserTimeoutOnly | GiveUp::Never | GiveUp::ReportsOnly) => {
            Some("this stack does not give up by a count of probes")
        }
        _ => None,
    }
}

fn has_user_timeout(case: &Case<'_>) -> bool {
    case.expectation.user_timeout.is_some_and(|timeout| timeout > Span::ZERO)
}

fn give_up(case: &Case<'_>, runs: &[Run<'_>]) -> RuleVerdict {
    let rule = RuleId::GiveUp;
    let Some(last) = runs.last() else { return case.unseen(rule, "no probe was seen") };
    let Some(probe) = last.probes.last() else { return case.unseen(rule, "no probe was seen") };
    let complete = match (has_user_timeout(case), case.expectation.count) {
        (true, _) => true,
        (false, Some(count)) => last.probes.len() >= count as usize,
        (false, None) => false,
    };
    let silent = case.expectation.model.stack.giving_up.reset.value == Some(Reset::Nothing);
    let expected = case.steps.last().and_then(|step| step.window).map(|(earliest, latest)| {
        let at = probe.segment.at.time;
        Measure::Times(earliest.since(at), latest.since(at))
    });
    let with = |outcome: Outcome, seen: Option<Span>, reason: &str| {
        let mut verdict = case.verdict(rule, outcome, frames_of(last), reason.to_owned());
        verdict.observed = seen.map(|seen| Measure::Times(seen, seen));
        verdict.expected = expected.clone();
        verdict
    };
    match last.end {
        End::Reset { at, .. } if silent => with(
            Outcome::Fail,
            Some(at.time.since(probe.segment.at.time)),
            "a RST, where this stack sends none",
        ),
        End::Reset { at, in_step } => {
            let seen = Some(at.time.since(probe.segment.at.time));
            match (in_step, complete) {
                (true, _) => reset_in_step(case, last, at, &with, seen),
                (false, true) => {
                    with(Outcome::Fail, seen, "the RST does not come one interval after the last probe")
                }
                (false, false) => case.unseen(
                    rule,
                    "the RST does not come when a probe was due: something else ended the connection",
                ),
            }
        }
        End::Nothing if complete && !silent && no_count(case).is_none() && !has_user_timeout(case) => {
            let seen = case.record.summary.seen_until.since(probe.segment.at.time);
            with(Outcome::Fail, Some(seen), "no RST although the capture goes on")
        }
        End::Nothing if silent => case.unseen(rule, "this stack sends nothing when it gives up"),
        End::Answered => case.unseen(rule, "the prober did not give up"),
        End::Nothing | End::Open => case.unseen(rule, "the capture does not show the prober giving up"),
    }
}

/// A RST when a probe would have been due: with a user timeout, not before it nor a firing later.
fn reset_in_step(
    case: &Case<'_>,
    run: &Run<'_>,
    at: Mark,
    with: &dyn Fn(Outcome, Option<Span>, &str) -> RuleVerdict,
    seen: Option<Span>,
) -> RuleVerdict {
    let timeout = case.expectation.user_timeout.filter(|timeout| *timeout > Span::ZERO);
    let heard = case.steps.iter().rev().find_map(|step| step.heard.filter(|_| !step.deaf));
    let (Some(timeout), Some(heard), Some(last)) = (timeout, heard, run.probes.last()) else {
        return with(Outcome::Pass, seen, "RST when the next probe would have been due");
    };
    let slack = case.expectation.tolerance(timeout).plus(case.trip);
    if at.time.since(heard.time).plus(slack) < timeout {
        return with(Outcome::Fail, seen, "RST before the user timeout is over");
    }
    let before = last.segment.at.time.since(heard.time);
    if run.probes.len() > 1 && before > timeout.plus(slack) {
        return with(Outcome::Fail, seen, "probes went on after the user timeout was over");
    }
    with(Outcome::Pass, seen, "RST when the timer first fires after the user timeout")
}

/// How many probes went before the prober gave up, if it was seen to, with the frames.
pub(super) fn given_up_after(case: &Case<'_>) -> Option<(u64, Vec<FrameId>)> {
    let runs = runs(case);
    let last = runs.last()?;
    let given_up = matches!(last.end, End::Reset { in_step: true, .. }) && last.whole;
    given_up.then(|| (last.probes.len() as u64, frames_of(last)))
}
