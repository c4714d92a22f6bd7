//! The journal of a search: a file that grows by a line with each trial, and with which an interrupted search goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::report::middlebox::{Asked, Journal};
use crate::search::Trial;

/// A journal that is open for writing.
#[derive(Debug)]
pub(super) struct JournalFile {
    path: PathBuf,
    file: File,
}

impl JournalFile {
    /// Begins a new one; or goes on with one, whose trials then count as known. `force` lets a new one take the place
    /// of another file.
    pub(super) fn open(path: &Path, resume: bool, force: bool, asked: &mut Asked) -> Result<Self, String> {
        let wrong = |problem: &dyn std::fmt::Display| format!("--journal: {}: {problem}", path.display());
        let mut whole = None;
        if resume {
            let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
            whole = text.rfind('\n').map(|end| end as u64 + 1);
            let journal =
                Journal::read(&text, asked.address, &asked.directions).map_err(|error| wrong(&error))?;
            for wanted in &mut asked.directions {
                let way = wanted.way;
                wanted.known = journal.trials.iter().filter(|trial| trial.way == way).copied().collect();
            }
        }
        let mut options = OpenOptions::new();
        match (resume, force) {
            (true, _) => options.append(true),
            (false, true) => options.write(true).create(true).truncate(true),
            (false, false) => options.write(true).create_new(true),
        };
        let file = options.open(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                wrong(&"it is there already; --resume goes on with it, --force begins it anew")
            }
            _ => wrong(&error),
        })?;
        let mut journal = Self { path: path.to_owned(), file };
        if let Some(whole) = whole {
            // A line that was torn when the run ended must not become one with what follows.
            journal.file.set_len(whole).map_err(|error| wrong(&error))?;
        }
        let (target, mut line) = (asked.target(), Vec::new());
        let begun = Journal::begin(&mut line, &target, asked.address, &asked.directions);
        let begun = begun.and_then(|()| journal.write(&line));
        if begun.is_err() && !resume && !force {
            // It would stand in the way of the next run. Nothing is left to do where even that fails.
            let _ = std::fs::remove_file(path);
        }
        begun.map_err(|error| wrong(&error))?;
        Ok(journal)
    }

    /// Writes a trial.
    pub(super) fn trial(&mut self, trial: &Trial) -> Result<(), String> {
        let mut line = Vec::new();
        Journal::trial(&mut line, trial)
            .and_then(|()| self.write(&line))
            .map_err(|error| format!("--journal: {}: {error}", self.path.display()))
    }

    /// One write, so that a line is there or not; what a full disk left of it is cut off.
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        self.file.write_all(line).inspect_err(|_| {
            // Where even that fails, the line is passed over by who reads it.
            let _ = self.file.set_len(before);
        })
    }
}
