//! Where what happens goes: results on standard output, progress and messages on standard error, packets and trials
//! into files.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use super::journal::JournalFile;
use super::{Arguments, Format};
use crate::cli::complain;
use crate::frame::Frame;
use crate::live::idle::{Listener, News, Report, Standing};
use crate::live::recording::Recording;
use crate::live::wire::Received;
use crate::report::middlebox::{self, Asked};
use crate::report::text::Style;
use crate::search;
use crate::time::{Span, Timestamp};

/// How often the line with the progress is written over.
const TICK: Span = Span::from_secs(1);

/// The output of a run.
pub(super) struct Output {
    format: Format,
    style: Style,
    out: BufWriter<Stdout>,
    recording: Option<Recording>,
    journal: Option<JournalFile>,
    /// Standard error is a terminal.
    progress: bool,
    /// A line with the progress stands there.
    shown: bool,
    strange: bool,
    not_sent: bool,
    /// Nothing that was to be recorded or noted is missing.
    kept: bool,
}

impl Output {
    /// Begins it.
    pub(super) fn begin(
        arguments: &Arguments,
        asked: &Asked,
        recording: Option<Recording>,
        journal: Option<JournalFile>,
    ) -> io::Result<Self> {
        let mut output = Self {
            format: arguments.format(),
            style: arguments.color.style(),
            out: BufWriter::new(io::stdout()),
            recording,
            journal,
            progress: io::stderr().is_terminal(),
            shown: false,
            strange: false,
            not_sent: false,
            kept: true,
        };
        if output.format == Format::Jsonl {
            middlebox::jsonl_begin(&mut output.out, asked)?;
        }
        output.out.flush()?;
        Ok(output)
    }

    /// Ends the recording.
    pub(super) fn finish_recording(&mut self, now: Timestamp, received: Received) {
        if let Some(Err(problem)) = self.recording.take().map(|recording| recording.finish(now, received)) {
            self.kept = false;
            complain(&format!("error: {problem}"));
        }
    }

    /// Whether nothing that was to be recorded or noted is missing.
    pub(super) fn has_kept_all(&self) -> bool {
        self.kept
    }

    /// Writes what the run came to.
    pub(super) fn finish(&mut self, asked: &Asked, report: &Report, now: Timestamp) -> io::Result<()> {
        self.clear();
        self.finish_recording(now, report.received);
        // Where there was no partner at all there is nothing to be said but that.
        let nothing =
            report.findings.is_empty() && report.examined.is_none() && report.not_examined.is_none();
        if nothing && self.format == Format::Text {
            return Ok(());
        }
        let result = middlebox::Result {
            findings: report.findings.clone(),
            examined: report.examined.clone(),
            not_examined: report.not_examined.as_ref().map(ToString::to_string),
            packets: report.packets,
            wall: report.wall,
            translation: report.translation.map(|translation| (translation.ours, translation.seen)),
            dropped: report.received.dropped,
            interrupted: report.interrupted,
            partner_lost: report.partner_failed.as_ref().map(ToString::to_string),
        };
        match self.format {
            Format::Text => middlebox::summary(&mut self.out, asked, &result, self.style)?,
            Format::Json => middlebox::json(&mut self.out, asked, &result)?,
            Format::Jsonl => middlebox::jsonl_end(&mut self.out, asked, &result)?,
        }
        self.out.flush()
    }

    /// Wipes the line with the progress.
    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }

    fn note(&mut self, text: &str) {
        self.clear();
        complain(&format!("note: {text}"));
    }

    fn trial(&mut self, trial: &search::Trial) -> io::Result<()> {
        if let Some(Err(problem)) = self.journal.as_mut().map(|journal| journal.trial(trial)) {
            // The run is worth more than its journal.
            self.journal = None;
            self.kept = false;
            self.clear();
            complain(&format!("error: {problem}; the search goes on without a journal"));
        }
        if self.format == Format::Jsonl {
            middlebox::jsonl_trial(&mut self.out, trial)?;
            self.out.flush()?;
        }
        Ok(())
    }
}

impl Listener for Output {
    fn packet(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        let kept = self.recording.as_mut().map(|recording| recording.frame(frame));
        if let Some(Err(problem)) = kept {
            self.kept = false;
            self.clear();
            complain(&format!("error: {problem}; the search goes on without a recording"));
        }
        Ok(())
    }

    fn news(&mut self, news: &News, _now: Timestamp) -> io::Result<()> {
        if let News::Search { news: search::News::Trial(trial), .. } = news {
            return self.trial(trial);
        }
        let said = match news {
            News::Strange => std::mem::replace(&mut self.strange, true),
            News::NotSent { .. } => std::mem::replace(&mut self.not_sent, true),
            _ => false,
        };
        if let Some(remark) = news.remark().filter(|_| !said) {
            self.note(&remark);
        }
        Ok(())
    }

    fn standing(&mut self, _now: Timestamp, standing: &Standing<'_>) -> io::Result<()> {
        if self.progress {
            let line = middlebox::progress(&standing.views());
            self.shown = true;
            let _ = write!(io::stderr().lock(), "\r{line}\x1b[K");
        }
        Ok(())
    }

    fn tick(&self) -> Option<Span> {
        self.progress.then_some(TICK)
    }
}
