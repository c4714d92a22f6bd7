//! Choosing connections by address, port, outcome and what was measured.
//!
//! Owns the filter language. Terms separated by spaces must all hold, `or` and parentheses join them otherwise,
//! `!` or `not` before a term negates it. Alternatives within a term are separated by commas.
//!
//! | term | holds if |
//! |---|---|
//! | `addr:192.0.2.1`, `addr:2001:db8::/32` | either end has this address or lies in this network |
//! | `addr:192.0.2.1:443` | either end is this address and port |
//! | `port:443` | either end has this port |
//! | `client:…`, `server:…` | that end has this address, network or `port` |
//! | `outcome:reset,timed_out` | the connection ended so; also `verdict:` |
//! | `stack:linux` | the stack that explains the probes best has a name that begins so |
//! | `#17` | it is the connection of this number |
//! | `ka.lost>0`, `idle>=60s`, `rtt>20ms` | a [`Quantity`] compares so; what does not show never does |
//! | `/^192.*reset$/` | a regular expression matches the ends and the outcome, in whatever case |
//! | `192.0.2.1`, `443`, `alive` | as above, by what the word looks like |
//! | `192.0.2.`, `"> 192"` | the ends and the outcome contain this text |

mod condition;
mod expression;
mod parse;
mod quantity;
#[cfg(test)]
mod tests;

pub use condition::{Condition, End};
pub use expression::{Amounts, Subject};
pub use parse::FilterError;
pub use quantity::{Quantity, best_explanation};

use self::expression::{Expression, Test};
use super::outcome::Outcome;
use crate::track::event::Opened;

/// A parsed filter; the default one lets everything pass. Shown in the filter language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    expression: Expression,
}

impl Default for Filter {
    fn default() -> Self {
        Filter { expression: Expression::All(Vec::new()) }
    }
}

impl std::str::FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        parse::parse(text).map(|expression| Filter { expression })
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.expression.fmt(f)
    }
}

impl Filter {
    /// Whether the ends alone do not rule a connection out, whatever becomes of it.
    pub fn may_pass(&self, opened: &Opened) -> bool {
        self.passes(opened)
    }

    /// Whether a connection passes; what is not known of it does not hold it back.
    pub fn passes(&self, subject: &dyn Subject) -> bool {
        self.expression.holds(subject).unwrap_or(true)
    }

    /// Whether it asks for connections without keepalives by name, or for those with 0 probes.
    pub fn wants_no_keepalive(&self) -> bool {
        self.expression.asks(false, &|test| match test {
            Test::Outcome(outcome) => *outcome == Outcome::NoKeepalive,
            Test::Comparison(comparison) => comparison.wants_no_keepalive(),
            _ => false,
        })
    }

    /// Whether more than the ends matters, so that nothing can be said before the end of a connection.
    pub fn needs_outcome(&self) -> bool {
        self.asks_anywhere(&Test::waits)
    }

    /// Whether something must be known that has to be measured or inferred, beside the ends and the outcome.
    pub fn needs_amounts(&self) -> bool {
        self.asks_anywhere(&|test| matches!(test, Test::Comparison(_) | Test::Stack(_)))
    }

    fn asks_anywhere(&self, of: &dyn Fn(&Test) -> bool) -> bool {
        self.expression.asks(false, of) || self.expression.asks(true, of)
    }

    /// What holds for the ends of every connection that can pass, for whoever sees segments and no connections.
    /// All conditions hold at once; none of them means that nothing can be said.
    ///
    /// Which end is the client is forgotten: `client:` is taken for either end, and a negated one says nothing,
    /// as the other end may be there. So is a term that something else than the ends can fulfil.
    pub fn conditions(&self) -> Vec<Condition> {
        let mut conditions = Vec::new();
        self.expression.demand(false, &mut conditions);
        conditions
    }
}
