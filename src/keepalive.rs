//! The keepalive machine: what a stack does, when a probe is due, when it gives up, what the peer answers.
//!
//! Owns the rules in motion; the rules themselves are data in [`crate::stack`]. Pure (sans-IO): the
//! simulator's hosts run it, the live engine obeys it, verification holds packets against it. Uses
//! [`crate::stack`], [`crate::segment`] (numbers and flags) and [`crate::time`].
//!
//! ```
//! use keepscope::keepalive::{Clock, Event, Machine, Model, Setting, Settings, Tcb};
//! use keepscope::segment::SeqNum;
//! use keepscope::stack::Stack;
//! use keepscope::time::{Span, Timestamp};
//!
//! let linux = Model::of(Stack::named("linux").unwrap()).unwrap();
//! let settings = Settings { idle: Span::from_secs(7), interval: Span::from_secs(3), count: 4, user_timeout: None };
//! let start = Timestamp::from_nanos(0);
//! let clock = Clock::new(linux.rounding, start);
//! let tcb = Tcb::quiet(SeqNum(1000), SeqNum(5000));
//! let mut machine = Machine::new(linux.rules, settings, clock, tcb, start);
//! machine.set(start, Setting::Enabled(true));
//! let mut sent = 0;
//! while let Some(due) = machine.next_timeout() {
//!     machine.on_timeout(due);
//!     while let Some(event) = machine.poll_event() {
//!         sent += u32::from(matches!(event, Event::ProbeSent { .. }));
//!     }
//! }
//! assert_eq!(sent, 4);
//! ```

mod clock;
mod machine;
pub mod predict;
mod responder;
mod rules;
mod settings;
mod tcb;
#[cfg(test)]
mod tests;
pub mod wheel;

pub use clock::Clock;
pub use machine::{Event, Machine, Setting, Snapshot};
pub use responder::{Habits, answer_without_connection};
pub use rules::{Assumption, Model, Rules};
pub use settings::Settings;
pub use tcb::{Incoming, Outgoing, Purpose, Tcb};
