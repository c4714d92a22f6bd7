//! What can be set: not every stack and not every program lets all three values be chosen.
//!
//! Owns [`Shape`] and which one a stack has. Uses [`crate::stack`].

use crate::keepalive::{Model, Settings};
use crate::stack::Stack;
use crate::stack::value::{GiveUp, Role};
use crate::time::Span;

/// What follows from what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The interval.
    pub interval: IntervalOf,
    /// The count.
    pub count: CountOf,
}

/// Where the interval comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalOf {
    /// It can be chosen, in whole seconds.
    Choice,
    /// It is the idle time divided by this, in whole seconds and at least one.
    Share(i64),
    /// It is always this.
    Fixed(Span),
}

/// Where the count comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountOf {
    /// It can be chosen.
    Choice,
    /// It is always this.
    Fixed(u32),
}

impl Shape {
    /// Everything can be chosen.
    pub const FREE: Shape = Shape { interval: IntervalOf::Choice, count: CountOf::Choice };

    /// What can be set on a stack; nothing if too little is known of it to run it.
    pub fn of(stack: &'static Stack) -> Option<Shape> {
        let model = Model::of(stack)?;
        let has = |role: Role| stack.option(role).is_some();
        // OpenBSD has its sysctls only, for the idle time and the interval.
        let by_sysctl = stack.options.value.is_some_and(<[_]>::is_empty);
        let interval = if has(Role::IdleAndInterval) {
            IntervalOf::Share(1)
        } else if has(Role::Interval) || has(Role::EnableIdleInterval) || by_sysctl {
            IntervalOf::Choice
        } else {
            IntervalOf::Fixed(model.settings.interval)
        };
        let counts = !matches!(
            stack.giving_up.rule.value,
            Some(GiveUp::AbortThreshold { .. } | GiveUp::UserTimeoutOnly | GiveUp::Never)
        );
        let count = match has(Role::Count) && counts {
            true => CountOf::Choice,
            false => CountOf::Fixed(model.settings.count),
        };
        Some(Shape { interval, count })
    }

    /// The same where the count cannot be chosen if it cannot be here.
    #[must_use]
    pub fn on(self, stack: Shape) -> Shape {
        Shape {
            interval: match (self.interval, stack.interval) {
                (IntervalOf::Choice, of_stack) => of_stack,
                (own, _) => own,
            },
            count: match (self.count, stack.count) {
                (CountOf::Choice, of_stack) => of_stack,
                (own, _) => own,
            },
        }
    }

    /// The settings that come of an idle time and, where there is a choice, of an interval and a count.
    pub(super) fn settings(self, idle: Span, interval: Span, count: u32) -> Settings {
        let second = 1_000_000_000;
        Settings {
            idle,
            interval: match self.interval {
                IntervalOf::Choice => interval,
                IntervalOf::Share(part) => Span::from_secs((idle.as_nanos() / part.max(1) / second).max(1)),
                IntervalOf::Fixed(interval) => interval,
            },
            count: match self.count {
                CountOf::Choice => count,
                CountOf::Fixed(count) => count,
            },
            user_timeout: None,
        }
    }
}
