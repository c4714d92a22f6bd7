//! Pipes that Ctrl-C can end: what was read so far is then reported.
//!
//! In `tcpdump -w - | keepscope analyze -` the signal reaches both; tcpdump then writes what it still has and
//! closes the pipe. So input that keeps coming is still read, and only silence ends it.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::capture::{CaptureError, Captures};

/// How long to wait for more once interrupted.
const GRACE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// How often to look whether we were interrupted: a signal between the look and the wait is not lost.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

/// Whether a path is standard input, or anything else that may keep us waiting.
pub(super) fn is_live(path: &Path) -> bool {
    path.as_os_str() == "-" || std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Opens captures of which some may keep us waiting.
pub(super) fn open(paths: &[PathBuf], interrupted: &Arc<AtomicBool>) -> Result<Captures, CaptureError> {
    let twice = paths.iter().filter(|path| path.as_os_str() == "-").count();
    if twice > 1 {
        return Err(CaptureError::StandardInputTwice(twice));
    }
    let readers = paths.iter().map(|path| (path.display().to_string(), reader(path, interrupted)));
    Captures::from_readers(readers.collect())
}

fn reader(path: &Path, interrupted: &Arc<AtomicBool>) -> Box<dyn Read + Send> {
    let interrupted = Arc::clone(interrupted);
    if path.as_os_str() == "-" {
        return Box::new(Live { source: Source::Stdin, interrupted });
    }
    match File::open(path) {
        Ok(file) => Box::new(Live { source: Source::File(file), interrupted }),
        Err(error) => Box::new(Unreadable(error)),
    }
}

/// Whether standard input is a terminal, on which nobody types a capture.
pub(super) fn is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Input that ends one second of silence after an interrupt.
struct Live {
    source: Source,
    interrupted: Arc<AtomicBool>,
}

enum Source {
    Stdin,
    File(File),
}

/// What could not be opened says so when it is read.
struct Unreadable(io::Error);

impl Read for Unreadable {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(self.0.kind(), self.0.to_string()))
    }
}

impl Live {
    /// Waits until there is something to read; false if interrupted and nothing came.
    fn wait(&self) -> io::Result<bool> {
        let stdin = io::stdin();
        loop {
            let stopping = self.interrupted.load(Ordering::Relaxed);
            let limit = if stopping { &GRACE } else { &LOOK };
            let mut wanted = [match &self.source {
                Source::Stdin => PollFd::new(&stdin, PollFlags::IN),
                Source::File(file) => PollFd::new(file, PollFlags::IN),
            }];
            match poll(&mut wanted, Some(limit)) {
                Ok(0) if stopping => return Ok(false),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Read for Live {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.wait()? {
            return Ok(0);
        }
        match &mut self.source {
            Source::Stdin => io::stdin().lock().read(buffer),
            Source::File(file) => file.read(buffer),
        }
    }
}
