//! What the screen wants done: values, carried out by [`super::run`].

use std::path::PathBuf;

use super::live::Ask;
use crate::analysis::ConnectionRecord;
use crate::simulate::scenario::Scenario;

/// What a file holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// These octets.
    Octets(Vec<u8>),
    /// The packets of this connection, read again from the captures, with comments.
    Packets(Box<ConnectionRecord>),
}

/// What is wanted of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One run with everything that happened, and between which bounds the answer lies.
    Prediction,
    /// Very many runs.
    Runs {
        /// Over the phases of the client's timer; otherwise over seeds.
        over_phases: bool,
        /// How many.
        runs: u64,
    },
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Read these captures as source number so and so.
    Open(u64, Vec<PathBuf>),
    /// Simulate this scenario, which is the one of that number; what was wanted of others is outdated.
    Simulate(u64, Box<Scenario>, Wanted),
    /// Nothing that is being simulated is wanted any more.
    StopSimulating,
    /// Read the text of a scenario.
    ReadScenario(PathBuf),
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
    /// Give the terminal back, and stop until somebody wants us to go on.
    Suspend,
    /// Take the terminal over again, whatever was made of it meanwhile, with the mouse or without.
    Retake(bool),
    /// End; true if interrupted.
    Quit(bool),
}
