//! How far a long reading has come, on a terminal only.

use std::io::{self, IsTerminal, Write};

use crate::capture::Captures;

/// Frames between two looks at how far we are.
const STEP: u64 = 1 << 16;

/// Octets below which a capture is read sooner than a line can be seen.
const WORTH_SHOWING: u64 = 64 << 20;

/// A line on standard error that is written over.
pub(super) struct Progress {
    on: bool,
    frames: u64,
    shown: bool,
}

impl Progress {
    pub(super) fn new(wanted: bool) -> Self {
        Self { on: wanted && io::stderr().is_terminal(), frames: 0, shown: false }
    }

    /// Counts frames; returns whether it is time to [`Progress::show`].
    pub(super) fn is_due(&mut self, frames: usize) -> bool {
        let before = self.frames;
        self.frames += frames as u64;
        self.on && self.frames / STEP > before / STEP
    }

    /// Shows how much of the captures has been read.
    pub(super) fn show(&mut self, captures: &Captures) {
        let (mut read, mut total) = (0_u64, Some(0_u64));
        for progress in captures.progress() {
            read += progress.octets_read;
            total = total.zip(progress.octets_total).map(|(sum, octets)| sum + octets);
        }
        if total.is_some_and(|total| total < WORTH_SHOWING) {
            return;
        }
        let packets = self.frames;
        let line = match total {
            Some(total) => format!("{} % of {} MiB", read * 100 / total.max(1), total >> 20),
            None => format!("{} MiB", read >> 20),
        };
        self.shown = true;
        let _ = write!(io::stderr().lock(), "\r{packets} packets, {line}\x1b[K");
    }

    /// Wipes the line.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}
