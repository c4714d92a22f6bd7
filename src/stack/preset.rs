//! Applications and libraries: what they ask of the stack below them.
//!
//! Owns the table of [`Preset`]s. Uses [`crate::time`] only.

mod source;
mod table;

use super::cell::Cell;
use super::names::{self, Unknown};
use super::value::Value;
use crate::stack::value::Datum;
use crate::time::Span;

/// What one application or library asks for.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Lower case with dashes; never changes.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// The stacks it asks this of; all where nothing is said.
    pub systems: Cell<&'static str>,
    /// Whether its connections are kept alive without anybody asking.
    pub on_by_default: Cell<bool>,
    /// Silence before the first probe.
    pub idle: Cell<Asked<Span>>,
    /// Time between unanswered probes.
    pub interval: Cell<Asked<Span>>,
    /// How many unanswered probes it takes.
    pub count: Cell<Asked<u32>>,
    /// The user timeout of the connection.
    pub user_timeout: Cell<Asked<Span>>,
    /// What else there is to know; empty if nothing.
    pub note: &'static str,
}

/// What an application asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<T> {
    /// This much.
    For(T),
    /// Nothing: the default of the system stays.
    SystemDefault,
    /// What whoever uses it says.
    ByUser,
}

impl<T: Copy> Asked<T> {
    /// What is asked for, if it is a fixed amount.
    pub const fn get(self) -> Option<T> {
        match self {
            Asked::For(value) => Some(value),
            Asked::SystemDefault | Asked::ByUser => None,
        }
    }
}

impl<T: Value> Value for Asked<T> {
    fn datum(&self) -> Datum {
        match self {
            Asked::For(value) => value.datum(),
            Asked::SystemDefault => Datum::Word("system_default", "system default"),
            Asked::ByUser => Datum::Word("by_user", "as configured"),
        }
    }
}

impl Preset {
    /// All applications, in the order of the table.
    pub const fn all() -> &'static [Preset] {
        table::ALL
    }

    /// The application of that name or alias, whatever the case of its letters.
    ///
    /// # Errors
    /// If there is none; with the names that come nearest.
    pub fn named(name: &str) -> Result<&'static Preset, Unknown> {
        names::find(name, table::ALL.iter(), |preset| (preset.name, preset.aliases))
    }
}
