//! One fact with where it comes from: [`Cell`], [`Status`], [`Source`].
//!
//! Owns the rule that nothing is stated without saying how far it can be trusted. Uses nothing of the crate.

/// How far a fact can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Seen on the wire or in the counters of the real thing; the source says which release.
    Measured,
    /// Read in its source code, or in what its makers publish.
    VerifiedBySource,
    /// Reported or believed by somebody, or not known at all; nobody verified it.
    Unverified,
}

impl Status {
    /// As a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Measured => "measured",
            Status::VerifiedBySource => "verified_by_source",
            Status::Unverified => "unverified",
        }
    }

    /// For people.
    pub const fn title(self) -> &'static str {
        match self {
            Status::Measured => "Measured",
            Status::VerifiedBySource => "Verified by source",
            Status::Unverified => "Unverified",
        }
    }
}

/// Where a fact comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// Short, unique, and the same wherever the source is named.
    pub tag: &'static str,
    /// What to look up: a file at a commit, a page, a section, what was measured on what.
    pub reference: &'static str,
}

/// A fact of type `T`, known or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell<T: 'static> {
    /// What is known; nothing where nobody knows, which is not the same as "there is none".
    pub value: Option<T>,
    /// How far it can be trusted; what is unknown is unverified.
    pub status: Status,
    /// Where it comes from: never empty where there is a value.
    pub sources: &'static [Source],
    /// What the value alone does not say; empty if nothing.
    pub note: &'static str,
}

impl<T: Copy> Cell<T> {
    /// Nobody knows, or nobody looked.
    pub const UNKNOWN: Cell<T> = Cell { value: None, status: Status::Unverified, sources: &[], note: "" };

    const fn new(value: T, status: Status, sources: &'static [Source]) -> Cell<T> {
        Cell { value: Some(value), status, sources, note: "" }
    }

    /// Read in the source code or in what the makers publish.
    pub(crate) const fn verified(value: T, sources: &'static [Source]) -> Cell<T> {
        Cell::new(value, Status::VerifiedBySource, sources)
    }

    /// Seen on the real thing.
    pub(crate) const fn measured(value: T, sources: &'static [Source]) -> Cell<T> {
        Cell::new(value, Status::Measured, sources)
    }

    /// Reported somewhere, verified by nobody.
    pub(crate) const fn reported(value: T, sources: &'static [Source]) -> Cell<T> {
        Cell::new(value, Status::Unverified, sources)
    }

    /// Not known; the sources and the remark say what was looked at or heard.
    pub(crate) const fn unknown(note: &'static str, sources: &'static [Source]) -> Cell<T> {
        Cell { note, sources, ..Cell::UNKNOWN }
    }

    /// The same with a remark.
    pub(crate) const fn note(self, note: &'static str) -> Cell<T> {
        Cell { note, ..self }
    }

    /// The value if it was verified or measured.
    pub const fn trusted(&self) -> Option<T> {
        match self.status {
            Status::Measured | Status::VerifiedBySource => self.value,
            Status::Unverified => None,
        }
    }

    /// The value, or `assumed` where nobody knows.
    pub const fn value_or(&self, assumed: T) -> T {
        match self.value {
            Some(value) => value,
            None => assumed,
        }
    }
}
