//! Findings as output: text and HTML for people, JSON, JSON lines and CSV for programs.
//!
//! Owns the versioned output model, the only thing that is serialised. Writes to whatever it is given; uses
//! [`crate::analysis`], [`crate::keepalive`], [`crate::stack`], [`crate::product`], `crate::advice`, [`crate::track`], [`crate::capture`] (its
//! problems) and [`crate::pipeline`] (its counts).

#[cfg(feature = "advice")]
pub mod advice;
pub mod annotate;
#[cfg(feature = "advice")]
pub mod audit;
pub mod bounds;
#[cfg(all(feature = "advice", feature = "live"))]
pub mod check;
pub mod csv;
pub mod diff;
#[cfg(feature = "live")]
pub mod doctor;
#[cfg(feature = "scenario")]
pub mod fleet;
#[cfg(feature = "html")]
pub mod html;
pub mod json;
pub mod jsonl;
#[cfg(feature = "live")]
pub mod kernel;
pub mod ladder;
pub mod marked;
pub mod middlebox;
mod model;
mod number;
mod plain;
pub mod predict;
#[cfg(feature = "live")]
pub mod probe;
pub mod products;
#[cfg(feature = "live")]
pub mod respond;
#[cfg(feature = "scenario")]
pub mod simulation;
pub mod stacks;
pub mod text;
pub mod verify;
#[cfg(feature = "live")]
pub mod watch;

use crate::capture::{Captures, Problem};
use crate::pipeline::{Counts, Pipeline};

/// What was read of one capture.
#[derive(Clone, Debug)]
pub struct CaptureReport {
    /// Its path as given, without control characters.
    pub path: String,
    /// Frames read.
    pub packets: u64,
    /// Packets that the capture, or live the system, says were dropped before they could be read.
    pub dropped: u64,
    /// What they turned out to be.
    pub counts: Counts,
    /// What was wrong or odd.
    pub problems: Vec<Problem>,
}

impl CaptureReport {
    /// The reports of all captures of a run.
    pub fn of(captures: &Captures, pipeline: &Pipeline) -> Vec<CaptureReport> {
        let report = |(index, progress): (usize, crate::capture::Progress<'_>)| {
            let of_this = |problem: &&Problem| problem.capture as usize == index;
            CaptureReport {
                path: progress.name.to_owned(),
                packets: progress.frames,
                dropped: progress.dropped,
                counts: pipeline.counts(index),
                problems: captures.problems().filter(of_this).cloned().collect(),
            }
        };
        captures.progress().enumerate().map(report).collect()
    }

    /// Whether anything is missing because the capture is damaged.
    pub fn is_damaged(&self) -> bool {
        self.problems.iter().any(Problem::is_damage)
    }
}
