//! What the screen wants done: values, carried out by [`super::run`].

use std::path::PathBuf;

use super::live::Ask;
use crate::analysis::ConnectionRecord;

/// What a file holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// These octets.
    Octets(Vec<u8>),
    /// The packets of this connection, read again from the captures, with comments.
    Packets(Box<ConnectionRecord>),
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Read these captures as source number so and so.
    Open(u64, Vec<PathBuf>),
    /// Begin a live source of this number.
    Live(u64),
    /// Ask something of it.
    Ask(Ask),
    /// Write a new file of this name and suffix; a number is put between them if there is such a file.
    Write {
        /// The name without suffix.
        stem: String,
        /// The suffix without dot.
        suffix: &'static str,
        /// What it holds.
        body: Body,
    },
    /// Put this on the clipboard of whoever sits at the terminal.
    Copy(String),
    /// Take clicks from the terminal, or leave them to it.
    Mouse(bool),
    /// Draw everything anew.
    Redraw,
    /// End; true if interrupted.
    Quit(bool),
}
