//! The recording of a live run: packets to a file that survives the end of the program, however it comes.
//!
//! Owns [`Recording`]. Uses [`crate::capture::write`] and [`crate::frame`]. A recording that fails does not end
//! what it records: it is reported once, and the file holds what was written before.

use std::path::Path;

use super::wire::Received;
use crate::capture::write::{Recorder, Statistics, WriteError};
use crate::frame::Frame;
use crate::time::Timestamp;

/// What writes, for who opens the file.
const PROGRAM: &str = concat!("keepscope ", env!("CARGO_PKG_VERSION"));

/// A recording, or what is left of one.
#[derive(Debug)]
pub struct Recording {
    recorder: Recorder,
    failed: bool,
}

impl Recording {
    /// Begins a file, pcapng or pcap by its suffix, that only its owner may read. It has its name at once; with
    /// `replace` it takes the place of another file. `about` says what is recorded.
    ///
    /// # Errors
    /// If the suffix tells no format, the name is taken, or nothing can be written there.
    pub fn create(path: &Path, replace: bool, about: &str) -> Result<Self, WriteError> {
        Ok(Self { recorder: Recorder::create(path, replace, PROGRAM, about)?, failed: false })
    }

    /// What the interface with this number in frames is called; to be said before its first frame.
    pub fn name_interface(&mut self, interface: u32, name: &str) {
        self.recorder.name_interface(interface, name);
    }

    /// Records a packet. When this returns, it is in the file for everybody who reads it.
    ///
    /// # Errors
    /// Once, with the reason, when the recording ends because nothing more can be written; packets after that
    /// are passed over.
    pub fn frame(&mut self, frame: &Frame<'_>) -> Result<(), WriteError> {
        if self.failed {
            return Ok(());
        }
        self.recorder.frame(frame, &[]).inspect_err(|_| self.failed = true)
    }

    /// Takes the file away again: what was to be recorded never began.
    pub fn discard(self) {
        // Nothing is left to do where even that fails.
        let _ = std::fs::remove_file(self.recorder.path());
    }

    /// Whether packets were passed over because nothing more could be written.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// How many packets are in the file.
    pub fn packets(&self) -> u64 {
        self.recorder.packets()
    }

    /// Ends the recording in order, with what was received and lost until `at`; returns how many packets are in
    /// the file.
    ///
    /// # Errors
    /// If the end cannot be written. A recording that failed before was reported then, and is not again.
    pub fn finish(self, at: Timestamp, received: Received) -> Result<u64, WriteError> {
        let packets = self.recorder.packets();
        if self.failed {
            return Ok(packets);
        }
        let statistics = Statistics { at, received: received.seen, dropped: received.dropped };
        self.recorder.finish(&statistics)
    }
}
