//! The marks of a stack in the output model.

use serde::Serialize;

use super::At;
use crate::analysis::inference::{Mark, Worth};

/// One mark with what it is worth to each stack it speaks of.
#[derive(Serialize)]
pub(in crate::report) struct MarkLine {
    mark: &'static str,
    seen: String,
    frames: Vec<At>,
    speaks_for: Vec<&'static str>,
    speaks_against: Vec<Against>,
}

/// A stack that a mark speaks against.
#[derive(Serialize)]
struct Against {
    stack: &'static str,
    worth: &'static str,
    factor: f64,
}

impl From<&Mark> for MarkLine {
    fn from(mark: &Mark) -> Self {
        let against = mark.opinions().filter(|(_, worth)| *worth != Worth::Supports);
        Self {
            mark: mark.name,
            seen: mark.seen.to_string(),
            frames: mark.frames.iter().copied().map(At::from).collect(),
            speaks_for: mark.stacks(Worth::Supports).map(|stack| stack.name).collect(),
            speaks_against: against
                .map(|(stack, worth)| Against {
                    stack: stack.name,
                    worth: worth.name(),
                    factor: worth.factor(),
                })
                .collect(),
        }
    }
}
