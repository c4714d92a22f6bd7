//! When probes come: idle time and interval, neither early nor late.

use super::replay::Step;
use super::{Case, Measure, Outcome, RuleId, RuleVerdict};
use crate::frame::FrameId;
use crate::stack::value::Rounding;
use crate::time::{Span, Timestamp};

/// A program may turn keepalives on this long after the last segment before its first probe.
pub(super) const TURNED_ON: Span = Span::from_millis(250);

/// How a step stands to one rule.
#[derive(Clone, Copy)]
struct Judged {
    /// From which frame the time counts.
    from: FrameId,
    to: Option<FrameId>,
    /// What was seen and what was allowed, from `from` on.
    seen: Span,
    bound: Span,
    kept: bool,
    /// It may be due to keepalives that were turned on later, or off again, which shows in no packet.
    switch: bool,
}

/// Judges the four rules.
pub(super) fn judge(case: &Case<'_>) -> Vec<RuleVerdict> {
    if case.record.summary.side(case.party.peer()).segments == 0 && !case.steps.is_empty() {
        let unseen = |rule| case.unseen(rule, "only the prober's direction was captured");
        return RULES.into_iter().map(unseen).collect();
    }
    let mut all: [Vec<Judged>; 4] = Default::default();
    let idle_holds = case.steps.first().and_then(|step| {
        let probe = step.probe?;
        step.window.map(|_| step.is_explained(probe.time))
    });
    for step in &case.steps {
        let judged = judge_step(case, step, idle_holds);
        for (rule, found) in judged {
            if let Some(place) = RULES.iter().position(|known| *known == rule)
                && let Some(list) = all.get_mut(place)
            {
                list.push(found);
            }
        }
    }
    // A first probe that is late, or a last one that is missing, breaks no promise where others were in time.
    if let [_, idle_late, ..] = &mut all
        && idle_late.iter().any(|judged| judged.kept && !judged.switch && judged.shows_idle(case))
    {
        idle_late.retain(|judged| judged.kept || !judged.switch);
    }
    RULES.into_iter().zip(all).map(|(rule, judged)| conclude(case, rule, &judged)).collect()
}

/// The rules of this file, in their order.
const RULES: [RuleId; 4] =
    [RuleId::IdleNotEarly, RuleId::IdleNotLate, RuleId::IntervalNotEarly, RuleId::IntervalNotLate];

impl Judged {
    /// Whether the idle time alone explains when the probe came, and not a timer that ran for the interval.
    fn shows_idle(&self, case: &Case<'_>) -> bool {
        let first = case.steps.first();
        let width = first.and_then(|step| {
            let (window, heard) = (step.window?, step.heard?);
            Some(window.1.since(heard.time).plus(step.tolerance))
        });
        width.is_none_or(|width| self.seen <= width)
    }
}

/// What a step says of which rules.
fn judge_step(case: &Case<'_>, step: &Step, idle_holds: Option<bool>) -> Vec<(RuleId, Judged)> {
    let Some(window) = step.window else { return Vec::new() };
    let heard_before = step.heard.is_none_or(|heard| heard.time <= window.1);
    let by_idle = step.from.is_none() || (step.after_receipt && !step.deaf && heard_before);
    let idle_ends = step
        .heard
        .zip(case.expectation.idle)
        .map(|(heard, idle)| heard.time.plus(idle).plus(case.trip).plus(may_be_early(case).times(-1)))
        .map(|ends| if step.from.is_none() && !wheel(case) { ends.min(window.0) } else { ends });
    let Some(probe) = step.probe else { return overdue(case, step, window, by_idle) };
    let explained = step.is_explained(probe.time);
    if step.deaf {
        // The silence that the prober saw is not the one that was captured, if answers did not reach it; only
        // a prober that gave up shows that.
        if !case.gave_up() {
            return Vec::new();
        }
        let early = probe.time.plus(step.tolerance) < window.0;
        let late = probe.time > window.1.plus(step.tolerance);
        return interval(step, probe.time, window, Some(probe.frame), !early, !late).unwrap_or_default();
    }
    if !by_idle {
        let early = probe.time.plus(step.tolerance) < window.0;
        return interval(step, probe.time, window, Some(probe.frame), !early, explained || early)
            .unwrap_or_default();
    }
    let Some(heard) = step.heard else { return Vec::new() };
    let seen = probe.time.since(heard.time);
    let mut found = Vec::new();
    let early = probe.time.plus(step.tolerance) < window.0;
    let before_idle = idle_ends.is_some_and(|ends| probe.time.plus(step.tolerance) < ends);
    let switch = step.from.is_none();
    let latest = if switch { window.1.plus(TURNED_ON) } else { window.1 };
    let late = probe.time > latest.plus(step.tolerance);
    let idle_bound = idle_ends.map_or(window.0, |ends| ends).since(heard.time);
    let entry = |bound: Span, kept: bool| Judged {
        from: heard.frame,
        to: Some(probe.frame),
        seen,
        bound,
        kept,
        switch,
    };
    found.push((RuleId::IdleNotEarly, entry(idle_bound, !before_idle)));
    // After an answer the timer still runs for the interval. If the idle time was kept where nothing but it
    // counts, what is late is the interval.
    let blames_interval =
        step.from.is_some() && idle_holds == Some(true) && case.expectation.interval.is_some();
    if late && blames_interval {
        found.extend(interval(step, probe.time, window, Some(probe.frame), true, false).unwrap_or_default());
    } else {
        found.push((RuleId::IdleNotLate, entry(latest.since(heard.time), !late)));
    }
    if early && !before_idle {
        found.extend(interval(step, probe.time, window, Some(probe.frame), false, true).unwrap_or_default());
    }
    found
}

fn wheel(case: &Case<'_>) -> bool {
    matches!(case.expectation.model.rounding, Rounding::TimerWheel { .. })
}

/// How much sooner than a time is over a stack may call it over: one that counts ticks, by most of a tick.
fn may_be_early(case: &Case<'_>) -> Span {
    match case.expectation.model.rounding {
        Rounding::Ticks { tick, strict: false } => tick,
        _ => Span::ZERO,
    }
}

fn interval(
    step: &Step,
    at: Timestamp,
    window: (Timestamp, Timestamp),
    to: Option<FrameId>,
    not_early: bool,
    not_late: bool,
) -> Option<Vec<(RuleId, Judged)>> {
    let from = step.from?;
    let entry = |bound: Timestamp, kept: bool| Judged {
        from: from.frame,
        to,
        seen: at.since(from.time),
        bound: bound.since(from.time),
        kept,
        switch: false,
    };
    Some(vec![
        (RuleId::IntervalNotEarly, entry(window.0, not_early)),
        (RuleId::IntervalNotLate, entry(window.1, not_late)),
    ])
}

/// What should have come after the last probe and did not.
fn overdue(
    case: &Case<'_>,
    step: &Step,
    window: (Timestamp, Timestamp),
    by_idle: bool,
) -> Vec<(RuleId, Judged)> {
    let summary = &case.record.summary;
    let ended = summary.reset.is_some() || summary.client.fin.is_some() || summary.server.fin.is_some();
    let busy =
        case.record.lookalikes.iter().any(|seen| step.from.is_some_and(|from| seen.at.time > from.time));
    let until = summary.seen_until;
    // Without an answer the end is judged as giving up.
    if !by_idle || ended || busy || until <= window.1.plus(step.tolerance) {
        return Vec::new();
    }
    let Some(heard) = step.heard else { return Vec::new() };
    let seen = until.since(heard.time);
    let bound = window.1.since(heard.time);
    vec![(
        RuleId::IdleNotLate,
        Judged { from: heard.frame, to: None, seen, bound, kept: false, switch: true },
    )]
}

fn conclude(case: &Case<'_>, rule: RuleId, judged: &[Judged]) -> RuleVerdict {
    let about_idle = matches!(rule, RuleId::IdleNotEarly | RuleId::IdleNotLate);
    let expectation = case.expectation;
    let promised = if about_idle { expectation.idle } else { expectation.interval };
    let back_off = !about_idle && expectation.backs_off();
    let what = if about_idle { "idle time" } else { "interval" };
    if promised.is_none() && !back_off {
        return case.unseen(rule, &format!("no {what} was promised"));
    }
    if judged.is_empty() {
        let reason = if about_idle {
            "no probe whose silence began in the capture and reached the prober"
        } else {
            "no two probes in a row without an answer"
        };
        return case.unseen(rule, reason);
    }
    let broken: Vec<&Judged> = judged.iter().filter(|judged| !judged.kept).collect();
    let chosen: Vec<&Judged> = if broken.is_empty() { judged.iter().collect() } else { broken.clone() };
    let frames = chosen.iter().flat_map(|judged| std::iter::once(judged.from).chain(judged.to)).collect();
    let outcome = if broken.is_empty() { Outcome::Pass } else { Outcome::Fail };
    let early = matches!(rule, RuleId::IdleNotEarly | RuleId::IntervalNotEarly);
    let reason = reason(case, early, what, back_off, &broken, judged.len());
    let mut verdict = case.verdict(rule, outcome, frames, reason);
    verdict.observed = range(chosen.iter().map(|judged| judged.seen));
    verdict.expected = range(chosen.iter().map(|judged| judged.bound));
    verdict
}

fn reason(
    case: &Case<'_>,
    early: bool,
    what: &str,
    back_off: bool,
    broken: &[&Judged],
    judged: usize,
) -> String {
    let shape = if back_off { "back-off from the RTO, " } else { "" };
    let rounding = case.rounding();
    let side = if early { "early" } else { "late" };
    match broken {
        [] if early => format!("{judged} of {judged} not before the {what} is over"),
        [] => format!("{judged} of {judged} in time ({shape}{rounding})"),
        [.., last] if last.to.is_none() => {
            format!("no probe came although the capture goes on ({shape}{rounding})")
        }
        _ => format!("{} of {judged} {side} for the {what} ({shape}{rounding})", broken.len()),
    }
}

fn range(spans: impl Iterator<Item = Span> + Clone) -> Option<Measure> {
    Some(Measure::Times(spans.clone().min()?, spans.max()?))
}
