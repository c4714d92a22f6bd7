//! Whether a probe was sent at all.

use super::quiet::Silence;
use super::timing::TURNED_ON;
use super::{ALL_HZ, Case, Measure, Outcome, RuleId, RuleVerdict};
use crate::keepalive::wheel::Wheel;
use crate::stack::value::Rounding;
use crate::time::{Span, Timestamp};

/// What is allowed where nobody knows how a stack rounds.
const UNKNOWN_ROUNDING: Span = Span::from_millis(500);

/// Judges it: a silence that is longer than the idle time, with all that may delay the timer, has a probe.
pub(super) fn judge(case: &Case<'_>) -> RuleVerdict {
    let rule = RuleId::ProbeSent;
    let summary = &case.record.summary;
    if let Some(first) = case.record.prober(case.party).probes.first() {
        let frames = vec![first.segment.at.frame];
        return case.verdict(rule, Outcome::Pass, frames, "probes were sent".to_owned());
    }
    let Some(idle) = case.expectation.idle else { return case.unseen(rule, "no idle time was promised") };
    if summary.client.segments == 0 || summary.server.segments == 0 {
        return case.unseen(rule, "only one direction was captured");
    }
    if summary.client.octets_missing || summary.server.octets_missing {
        return case.unseen(rule, "the capture left out packets, and may have left out probes");
    }
    let until = match summary.reset {
        Some((_, at)) => at.time.min(summary.seen_until),
        None => summary.seen_until,
    };
    let longest = case.history.silences.longest(case.party, until);
    let due = idle.plus(latest(case, idle)).plus(case.trip).plus(TURNED_ON);
    let due = due.plus(case.expectation.tolerance(due));
    let Some(silence) = longest.filter(|silence| length(silence) > due) else {
        return case.unseen(rule, "no silence was long enough for a probe");
    };
    // Turned on late it counts from then, but not for as long again.
    let frames = if silence.from.frame == silence.to.frame {
        vec![silence.from.frame]
    } else {
        vec![silence.from.frame, silence.to.frame]
    };
    let mut verdict =
        case.verdict(rule, Outcome::Fail, frames, "no probe came in all of this silence".to_owned());
    verdict.observed = Some(Measure::Times(length(&silence), length(&silence)));
    verdict.expected = Some(Measure::Times(due, due));
    verdict
}

fn length(silence: &Silence) -> Span {
    silence.to.time.since(silence.from.time)
}

/// How late the timer fires at most.
fn latest(case: &Case<'_>, idle: Span) -> Span {
    let expectation = case.expectation;
    let known = expectation.model.stack.timing.rounding.value.is_some();
    let unknown = if known { Span::ZERO } else { UNKNOWN_ROUNDING };
    let widest = |hz: u32| {
        let wheel = Wheel::new(hz, Timestamp::default());
        let granule = Wheel::granule(wheel.to_jiffies(idle)).saturating_add(2);
        Span::from_nanos((1_000_000_000 / i64::from(hz.max(1))).saturating_mul(granule))
    };
    let rounding = match (expectation.model.rounding, expectation.hz) {
        (Rounding::TimerWheel { .. }, Some(hz)) if case.rates.is_none() => widest(hz),
        (Rounding::TimerWheel { .. }, _) => ALL_HZ.into_iter().map(widest).max().unwrap_or(Span::ZERO),
        (Rounding::Coalesced { window: tick } | Rounding::Ticks { tick, .. }, _)
        | (Rounding::Polled { period: tick, .. }, _) => tick.times(2),
        (Rounding::Exact, _) => Span::ZERO,
    };
    rounding.plus(unknown)
}
