//! Why a prober gave up when it did: after its count of probes, or because a user timeout was over.
//!
//! Owns what either is worth as an explanation. Both can explain most ends: a user timeout is looked at only
//! when the timer fires, so anything between the last probe and the RST would have done. Uses
//! [`crate::stack`].

use super::observe::Subject;
use super::round::{Choice, roundest_timeout, roundness};
use crate::stack::preset::Asked;
use crate::stack::value::{GiveUp, InboundProbes, UserTimeout};
use crate::stack::{Preset, Stack};

/// Counts that people set, beside the defaults of stacks.
const LIKED: [u32; 7] = [3, 4, 5, 6, 8, 9, 10];

/// What another count is worth, from three on.
const ODD: f64 = 0.8;

/// What one or two probes are worth as a count: whoever sets it wants to survive a loss.
const FEWEST: [f64; 2] = [0.3, 0.4];

/// What a user timeout is worth beside a count: few set one.
const SELDOM_SET: f64 = 0.5;

/// One is as likely as the other if it is worth this share of it.
const AS_LIKELY: f64 = 0.8;

/// How far the silences may be off: jitter, and a jiffy at HZ=100.
const SLACK: i64 = 22_000_000;

const MILLISECOND: i64 = 1_000_000;

/// The end of a prober that gave up, in nanoseconds since it had heard anything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    /// Unanswered probes.
    count: u32,
    /// Of its last probe.
    last: i64,
    /// Of its RST.
    reset: i64,
}

/// What explains an end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reason {
    /// The count, on stacks that have one.
    pub(super) count: Option<u32>,
    /// The user timeouts that would have ended it then.
    pub(super) user_timeout: Option<Choice>,
    /// The user timeout is as good an explanation as the count.
    pub(super) in_doubt: bool,
    /// What the better one is worth, from 0 to 1.
    pub(super) worth: f64,
}

impl Ending {
    /// That of a side that gave up after `count` probes, to which probes of the peer count as `rule` says;
    /// nothing if it is not known when it last heard anything.
    pub(super) fn of(subject: &Subject<'_>, rule: InboundProbes, count: u32) -> Option<Self> {
        let (_, reset) = subject.summary.reset?;
        let mut run = subject.prober.probes.iter().filter(|probe| subject.is_last_run(probe));
        let first = run.next()?;
        let last = run.next_back().unwrap_or(first).segment.at.time;
        let heard = subject.heard(first, rule)?;
        Some(Self { count, last: last.since(heard).as_nanos(), reset: reset.time.since(heard).as_nanos() })
    }

    /// What explains it on a stack, with the idle time and interval that were found.
    pub(super) fn reason(self, stack: &Stack, idle: Option<Choice>, interval: Option<Choice>) -> Reason {
        let timeout = self.timeouts(stack).and_then(|(low, high)| roundest_timeout(low, high));
        let only = stack.giving_up.rule.value == Some(GiveUp::UserTimeoutOnly);
        let count_worth = match stack.giving_up.rule.value {
            Some(GiveUp::UserTimeoutOnly) => 0.0,
            // Where nobody changed it, the threshold ends it and no count.
            Some(GiveUp::AbortThreshold { threshold }) => {
                let limit = idle.map_or(0, |idle| idle.best).saturating_add(threshold.as_nanos());
                if self.reset + SLACK >= limit { 1.0 } else { SELDOM_SET }
            }
            _ => worth_of(stack, self.count),
        };
        let timeout_worth = timeout.map_or(0.0, |choice| {
            let asked = asks_for(idle, interval, choice);
            let seldom = if asked || only { 1.0 } else { SELDOM_SET };
            seldom * if asked { 1.0 } else { roundness(choice.best) }
        });
        Reason {
            count: (!only).then_some(self.count),
            user_timeout: timeout,
            in_doubt: timeout_worth >= count_worth * AS_LIKELY && timeout.is_some(),
            worth: count_worth.max(timeout_worth),
        }
    }

    /// The least and the greatest user timeout that would have ended it.
    fn timeouts(self, stack: &Stack) -> Option<(i64, i64)> {
        let (low, high) = match stack.giving_up.rule.value? {
            // It is looked at when the timer fires with a probe unanswered, so not at the first.
            GiveUp::Counted { user_timeout: UserTimeout::ReplacesCount | UserTimeout::AlsoApplies } => {
                (if self.count > 1 { self.last } else { 0 }, self.reset)
            }
            GiveUp::UserTimeoutOnly => (self.reset, self.reset),
            _ => return None,
        };
        Some(((low - SLACK).max(MILLISECOND), high + SLACK))
    }
}

/// How likely somebody set this count, from 0 to 1.
fn worth_of(stack: &Stack, count: u32) -> f64 {
    let default = stack.timing.count.value.and_then(|amount| amount.get()) == Some(count);
    let asked = || Preset::all().iter().any(|preset| preset.count.value == Some(Asked::For(count)));
    let index = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(1);
    if default || LIKED.contains(&count) {
        return 1.0;
    }
    FEWEST.get(index).copied().unwrap_or_else(|| if asked() { 1.0 } else { ODD })
}

/// Whether an application asks for these times and for a user timeout in this range.
fn asks_for(idle: Option<Choice>, interval: Option<Choice>, timeouts: Choice) -> bool {
    Preset::all().iter().any(|preset| {
        let timeout = preset.user_timeout.value.and_then(Asked::get);
        timeout.is_some_and(|span| timeouts.best == span.as_nanos()) && super::asks(preset, idle, interval)
    })
}
