//! `keepscope middlebox --from`: what captures show of idle timeouts. Nothing is sent.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;

use super::{Arguments, Format};
use crate::analysis::bounds::{Bounds, Path};
use crate::capture::{CaptureError, Captures, ProblemKind};
use crate::cli::progress::Progress;
use crate::cli::{Exit, complain, live_input};
use crate::pipeline::Pipeline;
use crate::report::bounds::{self, Found};
use crate::report::{CaptureReport, let_go};
use crate::time::Span;

/// Reads the captures and writes what bounds timeouts.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    let interrupted = Arc::new(AtomicBool::new(false));
    // A second signal ends the process at once; without a handler the first does, which is no worse.
    let _ = signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&interrupted));
    let _ = signal_hook::flag::register(SIGINT, Arc::clone(&interrupted));
    let stdin = arguments.from.iter().any(|path| path.as_os_str() == "-");
    if stdin && live_input::is_terminal() {
        complain("error: standard input is a terminal; pipe a capture into it, or name a file");
        return Ok(Exit::BadInput);
    }
    let captures = match open(&arguments.from, &interrupted) {
        Ok(captures) => captures,
        Err(error) => {
            complain(&format!("error: {error}"));
            return Ok(Exit::BadInput);
        }
    };
    let mut reading = Reading::new(captures, arguments);
    reading.read(&interrupted)?;
    reading.report(interrupted.load(Ordering::Relaxed))
}

fn open(files: &[PathBuf], interrupted: &Arc<AtomicBool>) -> Result<Captures, CaptureError> {
    if files.iter().any(|path| live_input::is_live(path)) {
        live_input::open(files, interrupted)
    } else {
        Captures::open(files)
    }
}

/// A run of it.
struct Reading<'a> {
    arguments: &'a Arguments,
    least: Span,
    captures: Captures,
    pipeline: Pipeline,
    bounds: Bounds,
    progress: Progress,
    out: BufWriter<io::Stdout>,
    /// Whether somebody may be waiting for each line.
    live: bool,
}

impl<'a> Reading<'a> {
    fn new(captures: Captures, arguments: &'a Arguments) -> Self {
        Self {
            arguments,
            least: arguments.min,
            captures,
            // Unpredictable, so that no capture can be made to collide; results do not depend on it.
            pipeline: Pipeline::new(RandomState::new().hash_one(0)),
            bounds: Bounds::new(arguments.min),
            progress: Progress::new(true),
            out: BufWriter::with_capacity(1 << 16, io::stdout()),
            live: arguments.from.iter().any(|path| live_input::is_live(path)),
        }
    }

    fn read(&mut self, interrupted: &AtomicBool) -> io::Result<()> {
        if self.arguments.format == Some(Format::Jsonl) {
            bounds::jsonl_begin(&mut self.out)?;
        }
        while let Some(frame) = self.captures.next_frame() {
            let bounds = &mut self.bounds;
            bounds.on_frame(&frame);
            self.pipeline.frame_shown(&frame, |segment, observed| bounds.on_segment(segment, observed));
            self.take()?;
            if self.progress.is_due(1) {
                self.progress.show(&self.captures);
            }
            if !self.live && interrupted.load(Ordering::Relaxed) {
                break;
            }
        }
        self.pipeline.finish();
        self.take()?;
        self.progress.clear();
        Ok(())
    }

    fn take(&mut self) -> io::Result<()> {
        while let Some(event) = self.pipeline.poll_event() {
            self.bounds.on_event(&event);
        }
        let mut any = false;
        while let Some(silence) = self.bounds.poll_silence() {
            if self.arguments.format == Some(Format::Jsonl) {
                bounds::jsonl_silence(&mut self.out, &silence)?;
                any = true;
            }
        }
        if any && self.live { self.out.flush() } else { Ok(()) }
    }

    /// Writes the result and says how the reading went.
    fn report(&mut self, stopped: bool) -> io::Result<Exit> {
        let captures = CaptureReport::of(&self.captures, &self.pipeline);
        let paths: Vec<&Path> = self.bounds.paths().filter(|path| path.tells()).collect();
        let found = Found {
            captures: &captures,
            least: self.least,
            connections: self.pipeline.connections(),
            paths: &paths,
        };
        match self.arguments.format() {
            Format::Text => bounds::write(&mut self.out, &found, self.arguments.color.style())?,
            Format::Json => bounds::json(&mut self.out, &found)?,
            Format::Jsonl => bounds::jsonl_end(&mut self.out, &found)?,
        }
        self.out.flush()?;
        let ends_early = |kind| matches!(kind, ProblemKind::CutOff | ProblemKind::Empty);
        if let Some(sentence) = let_go::sentence(self.pipeline.let_go()) {
            complain(&format!("note: {sentence}"));
        }
        if let Some(sentence) = bounds::let_go(self.bounds.let_go()) {
            complain(&format!("note: {sentence}"));
        }
        let problems = captures.iter().flat_map(|capture| &capture.problems);
        // Where we stopped reading, the end is our own.
        for problem in problems.filter(|problem| !(stopped && ends_early(problem.kind))) {
            let level = if problem.is_damage() { "error" } else { "note" };
            complain(&format!("{level}: {problem}"));
        }
        Ok(if stopped {
            Exit::Interrupted
        } else if captures.iter().any(CaptureReport::is_damaged) {
            Exit::BadInput
        } else if paths.is_empty() {
            Exit::Inconclusive
        } else {
            Exit::Done
        })
    }
}
