//! The table of TCP stacks and applications: as text, and as one JSON document, `keepscope.stacks/1`.
//!
//! Uses [`crate::stack`] only.

pub(super) mod detail;
pub(super) mod document;
pub(super) mod list;

use std::io::{self, Write};

use crate::stack::value::Datum;
use crate::stack::value::seconds;
use crate::stack::{Preset, Stack};

/// Which rows are shown.
#[derive(Clone, Copy, Debug)]
pub enum Rows {
    /// All, as text a line each.
    All,
    /// One stack, as text with every cell.
    Stack(&'static Stack),
    /// One application, as text with every cell.
    Application(&'static Preset),
}

/// Lines are not longer than this.
const WIDTH: usize = 100;

/// Writes the rows for people.
///
/// # Errors
/// If `out` cannot be written to.
pub fn text(out: &mut dyn Write, rows: Rows) -> io::Result<()> {
    match rows {
        Rows::All => list::write(out),
        Rows::Stack(stack) => detail::stack(out, stack),
        Rows::Application(preset) => detail::application(out, preset),
    }
}

/// Writes the rows for programs: every cell of them, known or not.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(out: &mut dyn Write, rows: Rows) -> io::Result<()> {
    document::write(out, rows)
}

/// A value for people.
pub(super) fn words(datum: &Datum) -> String {
    match datum {
        Datum::Word(_, title) => (*title).to_owned(),
        Datum::Text(text) => (*text).to_owned(),
        Datum::Number(number) => number.to_string(),
        Datum::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Datum::Duration(span) => seconds(*span),
        Datum::Fields(_, text, _) => text.clone(),
    }
}
