//! `keepscope analyze --write`: the connections shown, as a capture with comments.
//!
//! The captures are read a second time, see [`marked`].

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::live_input;
use super::super::progress::Progress;
use crate::analysis::Finished;
use crate::capture::Captures;
use crate::capture::write::{CaptureWriter, FileFormat};
use crate::pipeline::Pipeline;
use crate::report::marked::{self, MarkedError, Source};

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
        connections: &[Finished],
        first: &Captures,
        pipeline: Pipeline,
        progress: &mut Progress,
        interrupted: &AtomicBool,
    ) -> Result<Written, String> {
        let Self { mut writer, path, files } = self;
        let failed = |error| format!("--write {error}");
        let read = first.progress().zip(files);
        let sources: Vec<Source> = read
            .map(|(progress, path)| Source { path, name: progress.name.to_owned(), frames: progress.frames })
            .collect();
        let each = |captures: &Captures| {
            if progress.is_due(1) {
                progress.show(captures);
            }
            if interrupted.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let written = marked::write(&mut writer, &sources, connections, pipeline, each);
        progress.clear();
        match written {
            Ok(true) => {}
            Ok(false) => return Ok(Written::Interrupted),
            Err(MarkedError::Write(error)) => return Err(failed(error)),
            Err(error @ MarkedError::Changed) => return Err(format!("{}: {error}", path.display())),
            Err(error) => return Err(error.to_string()),
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

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        // What is not there is nobody's input.
        _ => false,
    }
}
