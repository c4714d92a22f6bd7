//! Where the octets of one capture come from.
//!
//! Owns opening ([`Source`]), the counted raw stream ([`Raw`]) and the choice between plain and compressed
//! input ([`Input`]). Uses [`super::inflate`], [`super::beside`] and
//! [`super::problem`].

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use super::beside::Beside;
use super::inflate::{Gzip, Xz, Zstd};
use super::problem::{Log, Place, ProblemKind};

/// A capture that has not been opened for reading yet.
pub(super) enum Source {
    /// A regular file: it can be looked into, closed, and opened again when its turn comes.
    File(PathBuf),
    /// Anything that can be read only once.
    Stream(Box<dyn Read + Send>),
    /// Already taken, or never usable.
    Spent,
}

impl Source {
    /// Looks at `path` and says in `log` if it cannot be read; also gives the size where there is one.
    pub(super) fn locate(path: &Path, log: &mut Log) -> (Source, Option<u64>) {
        if path.as_os_str() == "-" {
            return (Self::standard_input(log), None);
        }
        match Self::try_locate(path) {
            Ok(Some(found)) => found,
            Ok(None) => {
                log.report(ProblemKind::IsDirectory, Place::default(), || "this is a directory".to_owned());
                (Source::Spent, None)
            }
            Err(error) => {
                report_open_error(log, &error);
                (Source::Spent, None)
            }
        }
    }

    fn standard_input(log: &mut Log) -> Source {
        let input = io::stdin();
        if input.is_terminal() {
            log.report(ProblemKind::OpenFailed, Place::default(), || {
                "standard input is a terminal; pipe a capture into it, as in `tcpdump -U -w - | keepscope analyze -`"
                    .to_owned()
            });
            return Source::Spent;
        }
        Source::Stream(Box::new(input))
    }

    fn try_locate(path: &Path) -> io::Result<Option<(Source, Option<u64>)>> {
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            return Ok(None);
        }
        let file = File::open(path)?;
        if metadata.is_file() {
            // Opened only to learn now whether that works; hundreds of files must not stay open.
            return Ok(Some((Source::File(path.to_owned()), Some(metadata.len()))));
        }
        Ok(Some((Source::Stream(Box::new(file)), None)))
    }

    /// How long the stored file is now, where it has a length.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Source::File(path) => fs::metadata(path).ok().map(|metadata| metadata.len()),
            Source::Stream(_) | Source::Spent => None,
        }
    }

    /// Opens the capture for reading and leaves nothing behind.
    pub(super) fn open(&mut self, log: &mut Log) -> Option<Raw> {
        match std::mem::replace(self, Source::Spent) {
            Source::File(path) => Self::open_file(&path, log),
            Source::Stream(stream) => Some(Raw::new(stream)),
            Source::Spent => None,
        }
    }

    /// Opens the capture for a look at its beginning; only for those that can be opened again.
    pub(super) fn peek(&self, log: &mut Log) -> Option<Raw> {
        match self {
            Source::File(path) => Self::open_file(path, log),
            Source::Stream(_) | Source::Spent => None,
        }
    }

    fn open_file(path: &Path, log: &mut Log) -> Option<Raw> {
        match File::open(path) {
            Ok(file) => Some(Raw::new(Box::new(file))),
            Err(error) => {
                report_open_error(log, &error);
                None
            }
        }
    }
}

fn report_open_error(log: &mut Log, error: &io::Error) {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ProblemKind::NotFound,
        io::ErrorKind::PermissionDenied => ProblemKind::NoPermission,
        io::ErrorKind::IsADirectory => ProblemKind::IsDirectory,
        _ => ProblemKind::OpenFailed,
    };
    log.report(kind, Place::default(), || format!("cannot be opened: {error}"));
}

/// The octets as they are stored, counted.
pub(super) struct Raw {
    stream: Box<dyn Read + Send>,
    count: u64,
}

impl Raw {
    pub(super) fn new(stream: Box<dyn Read + Send>) -> Self {
        Self { stream, count: 0 }
    }

    /// Reads once; an interrupted call is repeated.
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(into) {
                Ok(read) => {
                    // A reader that claims more than there was room for must not make us read past it.
                    let read = read.min(into.len());
                    self.count = self.count.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

/// The octets of the capture itself, decompressed if need be.
pub(super) enum Input {
    Plain(Raw),
    Gzip(Box<Gzip>),
    Zstd(Box<Zstd>),
    Xz(Box<Xz>),
    /// One of these, on a thread of its own.
    Beside(Beside),
    /// Nothing more to come.
    Closed,
}

impl Input {
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Input::Plain(raw) => raw.read(into),
            Input::Gzip(gzip) => gzip.read(into),
            Input::Zstd(zstd) => zstd.read(into),
            Input::Xz(xz) => xz.read(into),
            Input::Beside(beside) => beside.read(into),
            Input::Closed => Ok(0),
        }
    }

    /// Octets taken from the stored file so far.
    pub(super) fn raw_count(&self) -> u64 {
        match self {
            Input::Plain(raw) => raw.count(),
            Input::Gzip(gzip) => gzip.raw_count(),
            Input::Zstd(zstd) => zstd.raw_count(),
            Input::Xz(xz) => xz.raw_count(),
            Input::Beside(beside) => beside.raw_count(),
            Input::Closed => 0,
        }
    }
}
