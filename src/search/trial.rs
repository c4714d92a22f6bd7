//! One silence, what ended it and what came of it.

use super::message::{End, Id, Origin, Sign};
use super::wanted::Way;
use crate::time::{Span, Timestamp};

/// One silence and what came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// The connection.
    pub id: Id,
    /// Who ended the silence.
    pub way: Way,
    /// How long it was at the first try, or when the connection ended without being asked.
    pub idle: Span,
    /// How long it was at the last try; the same if there was one try or none.
    pub last_idle: Span,
    /// How many tries left.
    pub attempts: u8,
    /// What came of it.
    pub result: Outcome,
    /// When that was known.
    pub at: Timestamp,
    /// What the answer showed.
    pub sign: Sign,
}

/// What came of a silence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// A try was answered.
    Lived,
    /// None was.
    Died(Death),
    /// It tells nothing.
    Void(Void),
}

/// How a connection turned out to be gone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Death {
    /// No answer to any try.
    Silent,
    /// It was ended in answer to a try.
    Ended(End, Origin),
    /// It was ended while nobody had said anything.
    Unasked(End, Origin),
    /// What was sent arrived as that of another connection.
    NewPort,
}

impl Death {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Death::Silent => "silent",
            Death::Ended(how, _) | Death::Unasked(how, _) => how.name(),
            Death::NewPort => "new_port",
        }
    }
}

/// Why a silence tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Void {
    /// A packet came in between.
    Disturbed,
    /// The machine slept, or its clock was set.
    ClockGap,
    /// The try could not be sent.
    NotSent,
    /// The search ended first.
    Interrupted,
}

impl Void {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Void::Disturbed => "disturbed",
            Void::ClockGap => "clock_gap",
            Void::NotSent => "not_sent",
            Void::Interrupted => "interrupted",
        }
    }
}

impl Trial {
    /// Whether the connection lived.
    pub fn lived(&self) -> bool {
        self.result == Outcome::Lived
    }

    /// How it died, if it did.
    pub const fn death(&self) -> Option<Death> {
        match self.result {
            Outcome::Died(death) => Some(death),
            Outcome::Lived | Outcome::Void(_) => None,
        }
    }

    /// The result's name in output.
    pub const fn name(&self) -> &'static str {
        match self.result {
            Outcome::Lived => "lived",
            Outcome::Died(_) => "died",
            Outcome::Void(_) => "void",
        }
    }
}
