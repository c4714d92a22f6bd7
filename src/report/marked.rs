//! Connections written as a capture with comments, from a second reading of the captures they were found in.
//!
//! What a packet is may be known only at the end of its connection; so the captures are read again, and nothing
//! is kept of the first reading but what was found. The second one sees no more than the first did, also of a
//! file that grows, and finds the same connections under the same numbers. Uses [`crate::capture`] and
//! [`crate::pipeline`], and [`super::annotate`] for the words.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::annotate::{Annotations, about};
use crate::analysis::Recorded;
use crate::capture::write::{CaptureWriter, WriteError};
use crate::capture::{CaptureError, Captures};
use crate::frame::FrameId;
use crate::pipeline::Pipeline;
use crate::track::event::ConnectionId;

/// Why it was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarkedError {
    /// The captures cannot be read.
    #[error(transparent)]
    Read(#[from] CaptureError),
    /// The new one cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What was found in the first reading is not there.
    #[error("not written: a capture changed while it was read")]
    Changed,
}

/// What was read the first time: for each capture its path, its name without control characters, and how many
/// frames it had.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path.
    pub path: PathBuf,
    /// The name.
    pub name: String,
    /// Frames read.
    pub frames: u64,
}

/// Writes the packets of these connections. `pipeline` is an empty one that follows as many connections at once as the
/// first reading did. `each` is asked after each frame whether to go on; returns false if
/// it said no. The file then has no end and should be dropped.
///
/// # Errors
/// If a capture cannot be read or has changed, or the new one cannot be written.
pub fn write(
    writer: &mut CaptureWriter,
    sources: &[Source],
    records: &[impl Recorded],
    mut pipeline: Pipeline,
    mut each: impl FnMut(&Captures) -> ControlFlow<()>,
) -> Result<bool, MarkedError> {
    let annotations = Annotations::of(records);
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let program = concat!("keepscope ", env!("CARGO_PKG_VERSION"));
    let owned = names.iter().map(|name| (*name).to_owned()).collect();
    writer.begin(program, &about(records, &names), owned)?;

    let choice = Choice::of(records);
    let paths: Vec<&PathBuf> = sources.iter().map(|source| &source.path).collect();
    let mut left: Vec<u64> = sources.iter().map(|source| source.frames).collect();
    let mut captures = Captures::open(&paths)?;
    let mut commented = 0_usize;
    while let Some(frame) = captures.next_frame() {
        match left.get_mut(frame.id.capture as usize) {
            Some(left) if *left > 0 => *left -= 1,
            _ => continue,
        }
        let connection = pipeline.frame(&frame).map(|observed| observed.connection);
        while pipeline.poll_event().is_some() {}
        let comments = annotations.on(frame.id);
        if choice.takes(frame.id, connection) || !comments.is_empty() {
            commented += usize::from(!comments.is_empty());
            writer.frame(&frame, comments)?;
        }
        if each(&captures).is_break() {
            return Ok(false);
        }
    }
    if left.iter().any(|left| *left > 0) || commented != annotations.frames() {
        return Err(MarkedError::Changed);
    }
    Ok(true)
}

/// Which packets are written.
struct Choice {
    connections: HashSet<ConnectionId>,
    /// First frames: a SYN that reads like a stray one of an earlier life may have begun a new one.
    firsts: HashSet<FrameId>,
}

impl Choice {
    fn of(records: &[impl Recorded]) -> Self {
        Self {
            connections: records.iter().map(Recorded::id).collect(),
            firsts: records.iter().map(|record| record.opened().first.frame).collect(),
        }
    }

    fn takes(&self, frame: FrameId, connection: Option<ConnectionId>) -> bool {
        connection.is_some_and(|id| self.connections.contains(&id)) || self.firsts.contains(&frame)
    }
}
