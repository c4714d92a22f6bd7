//! `keepscope analyze --write`: the connections shown, as a capture with comments.
//!
//! What a packet is may be known only at the end of its connection, so the captures are read a second time:
//! nothing is kept but what was found. The second reading sees no more than the first did, also of a file that
//! grows, and finds the same connections under the same numbers.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::live_input;
use super::super::progress::Progress;
use crate::analysis::ConnectionRecord;
use crate::capture::Captures;
use crate::capture::write::{CaptureWriter, FileFormat};
use crate::frame::FrameId;
use crate::pipeline::Pipeline;
use crate::report::annotate::{Annotations, about};
use crate::track::event::ConnectionId;

/// A capture to be written.
pub(super) struct Annotated {
    writer: CaptureWriter,
    path: PathBuf,
    files: Vec<PathBuf>,
}

/// How the writing ended.
pub(super) enum Written {
    /// The file is there; what is worth a note.
    Done(Option<String>),
    /// Interrupted: there is no file.
    Interrupted,
}

impl Annotated {
    /// Begins the file, so that what stands in its way is said before hours of reading.
    pub(super) fn begin(path: &Path, force: bool, files: &[PathBuf]) -> Result<Self, String> {
        if let Some(once) = files.iter().find(|file| live_input::is_live(file)) {
            let name = if once.as_os_str() == "-" { "standard input".into() } else { once.to_string_lossy() };
            return Err(format!(
                "--write reads its input twice, and {name} can be read only once; save it first \
                 (`tcpdump -w FILE`) and name the file"
            ));
        }
        if let Some(input) = files.iter().find(|file| is_same_file(file, path)) {
            return Err(format!("--write {}: this is an input; name another file", input.display()));
        }
        let writer = CaptureWriter::create(path, force).map_err(|error| format!("--write {error}"))?;
        Ok(Self { writer, path: path.to_owned(), files: files.to_vec() })
    }

    /// Reads the captures again, as far as `first` has read them, and writes the packets of these connections.
    pub(super) fn write(
        self,
        records: &[ConnectionRecord],
        first: &Captures,
        progress: &mut Progress,
        interrupted: &AtomicBool,
    ) -> Result<Written, String> {
        let Self { mut writer, path, files } = self;
        let failed = |error| format!("--write {error}");
        let annotations = Annotations::of(records);
        let names: Vec<&str> = first.progress().map(|progress| progress.name).collect();
        let program = concat!("keepscope ", env!("CARGO_PKG_VERSION"));
        let owned = names.iter().map(|name| (*name).to_owned()).collect();
        writer.begin(program, &about(records, &names), owned).map_err(failed)?;

        let choice = Choice::of(records);
        let mut left: Vec<u64> = first.progress().map(|progress| progress.frames).collect();
        let mut captures = Captures::open(&files).map_err(|error| error.to_string())?;
        let mut pipeline = Pipeline::new(0);
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
                writer.frame(&frame, comments).map_err(failed)?;
            }
            if progress.is_due() {
                progress.show(&captures);
            }
            if interrupted.load(Ordering::Relaxed) {
                progress.clear();
                return Ok(Written::Interrupted);
            }
        }
        progress.clear();
        if left.iter().any(|left| *left > 0) || commented != annotations.frames() {
            return Err(format!("{}: not written: a capture changed while it was read", path.display()));
        }
        let format = writer.format();
        let packets = writer.finish().map_err(failed)?;
        Ok(Written::Done(note(&path, format, packets)))
    }
}

fn note(path: &Path, format: FileFormat, packets: u64) -> Option<String> {
    let path = path.display();
    match format {
        _ if packets == 0 => Some(format!("{path} has no packets, as no connection was chosen")),
        FileFormat::Pcap => Some(format!("{path} has the packets only: pcap has no comments, .pcapng has")),
        FileFormat::Pcapng => None,
    }
}

/// Which packets are written.
struct Choice {
    connections: HashSet<ConnectionId>,
    /// First frames: a SYN that reads like a stray one of an earlier life may have begun a new one.
    firsts: HashSet<FrameId>,
}

impl Choice {
    fn of(records: &[ConnectionRecord]) -> Self {
        Self {
            connections: records.iter().map(|record| record.id).collect(),
            firsts: records.iter().map(|record| record.opened.first.frame).collect(),
        }
    }

    fn takes(&self, frame: FrameId, connection: Option<ConnectionId>) -> bool {
        connection.is_some_and(|id| self.connections.contains(&id)) || self.firsts.contains(&frame)
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        // What is not there is nobody's input.
        _ => false,
    }
}
