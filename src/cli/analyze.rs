//! `keepscope analyze`: captures in, findings out.

mod annotated;
mod teller;

use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Write};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use signal_hook::consts::{SIGINT, SIGTERM};

use self::annotated::{Annotated, Written};
use self::teller::{Choice, Sink, Teller};
use super::progress::Progress;
use super::{Color, Exit, complain, live_input};
use crate::analysis::Recorded;
use crate::analysis::filter::Filter;
use crate::capture::{Captures, ProblemKind};
use crate::pipeline::Pipeline;
use crate::reading::Reading;
use crate::report::ladder::Ladder;
use crate::report::text::Totals;
use crate::report::{CaptureReport, csv, html, json, jsonl, let_go, text};
use crate::track::MOST_CONNECTIONS;
use crate::track::event::ConnectionId;

const EXAMPLES: &str = "\
Examples:
  keepscope analyze capture.pcapng
  keepscope analyze --connection 3 capture.pcap.gz     one connection, packet by packet
  keepscope analyze --filter 'port:443 !alive' ring.pcap*
  keepscope analyze --filter 'ka.lost>0 or idle>5m' capture.pcap
  keepscope analyze --format json capture.pcap | jq '.connections[].outcome'
  keepscope analyze --format html capture.pcap > report.html        ladders and timelines for a ticket
  keepscope analyze --write marked.pcapng capture.pcap   for Wireshark, with comments on the packets
  tcpdump -U -w - tcp | keepscope analyze --format jsonl -

Several captures are read as one stream in the order of their times.";

/// Most connections that can be followed at once: what their places are numbered with.
const MAX_CONNECTIONS: u64 = 1 << 31;

/// For those who asked for a file and stopped the program.
const NOT_WRITTEN: &str = "note: stopped early, so --write wrote no file";

/// What to read and how to show it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// pcap or pcapng files, plain or compressed with gzip, zstd or xz; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// How to show the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Show only this connection; as text, its packets as a ladder
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    connection: Option<u64>,

    /// Show only connections that pass: addr:NET, port:N, client:…, server:…, outcome:NAME, ka.lost>0, idle>60s,
    /// /regex/; commas between alternatives, ! negates, or and parentheses join
    #[arg(long, value_name = "EXPR", conflicts_with = "connection")]
    filter: Option<Filter>,

    /// Show connections without keepalives too
    #[arg(long)]
    all: bool,

    /// Write the packets of the connections shown to a new file: .pcapng with what each probe and answer is as
    /// packet comments, .pcap without
    #[arg(long, value_name = "OUT")]
    write: Option<PathBuf>,

    /// Let --write take the place of a file
    #[arg(long, requires = "write")]
    force: bool,

    /// Follow no more connections than this at once, with less than 300 octets for each without keepalives; where
    /// there are more, those without keepalives are let go first
    #[arg(long, value_name = "N", default_value_t = MOST_CONNECTIONS as u64)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=MAX_CONNECTIONS))]
    max_connections: u64,

    /// Threads to read files with: 2 read ahead on one while connections are followed on the other. As many as there
    /// are processors, if not given; the output is the same
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<NonZero<usize>>,

    /// Show no progress
    #[arg(long, short)]
    quiet: bool,

    /// Colour the text
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a few lines per connection, most troubled first
    Text,
    /// One document, schema keepscope.analysis/1
    Json,
    /// One event per line as soon as it is known, schema keepscope.events/1
    Jsonl,
    /// One probe per line
    Csv,
    /// One document for a browser, with pictures, that needs nothing else
    Html,
}

/// Reads the captures and writes what was found.
pub(super) fn run(arguments: Arguments) -> io::Result<Exit> {
    let interrupted = Arc::new(AtomicBool::new(false));
    catch_signals(&interrupted, arguments.write.is_some());

    let stdin = arguments.files.iter().any(|path| path.as_os_str() == "-");
    if stdin && live_input::is_terminal() {
        complain("error: standard input is a terminal; pipe a capture into it, or name a file");
        return Ok(Exit::BadInput);
    }
    let begun = arguments
        .write
        .as_ref()
        .map(|path| Annotated::begin(path, arguments.force, &arguments.files))
        .transpose();
    let annotated = match begun {
        Ok(annotated) => annotated,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(Exit::BadInput);
        }
    };
    let live = arguments.files.iter().any(|path| live_input::is_live(path));
    let opened = if live {
        live_input::open(&arguments.files, &interrupted)
    } else {
        Captures::open(&arguments.files)
    };
    let captures = match opened {
        Ok(captures) => captures,
        Err(error) => {
            complain(&format!("error: {error}"));
            return Ok(Exit::BadInput);
        }
    };
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut analysis = Analysis::new(arguments, captures, out, live);
    let Some(annotated) = annotated else {
        analysis.read(&interrupted)?;
        let stopped = interrupted.load(Ordering::Relaxed);
        let exit = analysis.report(stopped)?;
        return Ok(if stopped { Exit::Interrupted } else { exit });
    };
    analysis.read(&interrupted).inspect_err(|_| complain(NOT_WRITTEN))?;
    let stopped = interrupted.load(Ordering::Relaxed);
    let exit = match analysis.report(stopped) {
        // Whoever read the output has seen enough; the file is wanted all the same.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        reported => reported.inspect_err(|_| complain(NOT_WRITTEN))?,
    };
    if stopped {
        complain(NOT_WRITTEN);
        return Ok(Exit::Interrupted);
    }
    Ok(analysis.write(annotated, &interrupted).unwrap_or(exit))
}

/// Reads a number of threads.
fn threads(text: &str) -> Result<NonZero<usize>, &'static str> {
    text.parse().ok().filter(|threads: &NonZero<usize>| threads.get() <= 2).ok_or("1 or 2")
}

/// Lets a signal end the reading. Without a handler the process ends at once, which is no worse.
fn catch_signals(interrupted: &Arc<AtomicBool>, writes: bool) {
    if writes {
        // Only who ends in order leaves no half file behind. Files are read, so that is soon.
        let _ = signal_hook::flag::register(SIGTERM, Arc::clone(interrupted));
    } else {
        // A second signal ends the process at once.
        let _ = signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(interrupted));
    }
    let _ = signal_hook::flag::register(SIGINT, Arc::clone(interrupted));
}

/// A run of the command.
struct Analysis<W: Write> {
    teller: Teller<W>,
    progress: Progress,
    captures: Captures,
    pipeline: Pipeline,
    ladder: Option<Ladder>,
    /// Whether somebody may be waiting for each line.
    live: bool,
    reading: Reading,
}

impl<W: Write> Analysis<W> {
    fn new(arguments: Arguments, captures: Captures, out: W, live: bool) -> Self {
        let connection = arguments.connection.map(ConnectionId);
        let wants_ladder = arguments.format == Format::Text;
        // Unpredictable, so that no capture can be made to collide; results do not depend on it.
        let mut pipeline = Pipeline::new(RandomState::new().hash_one(0));
        pipeline.keep_at_most(arguments.max_connections as usize);
        let choice = Choice { filter: arguments.filter.unwrap_or_default(), connection, all: arguments.all };
        if !choice.may_include_silent() {
            pipeline.only_spoken_of();
        }
        let teller = Teller {
            choice,
            format: arguments.format,
            style: arguments.color.style(),
            sink: Sink::default(),
            with_keepalives: 0,
            keeps: arguments.write.is_some(),
            out,
        };
        Self {
            teller,
            progress: Progress::new(!arguments.quiet),
            captures,
            pipeline,
            ladder: connection.filter(|_| wants_ladder).map(Ladder::new),
            live,
            reading: if live { Reading::Live } else { Reading::of_files(arguments.threads) },
        }
    }

    /// Reads all frames; streaming formats write as they go.
    fn read(&mut self, interrupted: &AtomicBool) -> io::Result<()> {
        match self.teller.format {
            Format::Jsonl => jsonl::header(&mut self.teller.out)?,
            Format::Csv => csv::header(&mut self.teller.out)?,
            Format::Text | Format::Json | Format::Html => {}
        }
        if self.live {
            self.teller.out.flush()?;
        }
        if self.ladder.is_some() {
            self.read_shown(interrupted)?
        } else {
            self.read_ahead(interrupted)?
        }
        self.progress.clear();
        Ok(())
    }

    /// Reads frame by frame, and shows each segment to the ladder.
    fn read_shown(&mut self, interrupted: &AtomicBool) -> io::Result<()> {
        while let Some(frame) = self.captures.next_frame() {
            self.pipeline.frame_shown(&frame, |segment, observed| {
                if let Some(ladder) = self.ladder.as_mut() {
                    ladder.segment(segment, observed);
                }
            });
            self.take_events()?;
            if self.progress.is_due(1) {
                self.progress.show(&self.captures);
            }
            if !self.live && interrupted.load(Ordering::Relaxed) {
                break;
            }
        }
        self.pipeline.finish();
        self.take_events()
    }

    /// Reads as fast as can be.
    fn read_ahead(&mut self, interrupted: &AtomicBool) -> io::Result<()> {
        let live = self.live;
        let Self { reading, captures, pipeline, progress, teller, .. } = self;
        let go_on = |captures: &Captures, frames: usize| {
            if progress.is_due(frames) {
                progress.show(captures);
            }
            let stop = !live && interrupted.load(Ordering::Relaxed);
            if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        reading.read(captures, pipeline, go_on, |event| {
            teller.take(event)?;
            if live { teller.out.flush() } else { Ok(()) }
        })
    }

    fn take_events(&mut self) -> io::Result<()> {
        let mut any = false;
        while let Some(event) = self.pipeline.poll_event() {
            any = true;
            if let Some(ladder) = self.ladder.as_mut() {
                ladder.event(&event);
            }
            self.teller.take(event)?;
        }
        if any && self.live { self.teller.out.flush() } else { Ok(()) }
    }
}

impl<W: Write> Analysis<W> {
    /// Writes the result and says how the reading went.
    fn report(&mut self, stopped: bool) -> io::Result<Exit> {
        let captures = CaptureReport::of(&self.captures, &self.pipeline);
        let totals = Totals {
            connections: self.pipeline.connections(),
            with_keepalives: self.teller.with_keepalives,
            chosen: self.teller.choice.connection.is_some() || self.teller.choice.filter != Filter::default(),
            let_go: self.pipeline.let_go(),
        };
        let kept = &self.teller.sink.kept;
        let threads = if self.reading == Reading::Beside { 2 } else { 1 };
        match (self.teller.format, &self.ladder) {
            (Format::Json, _) => json::write(&mut self.teller.out, &captures, totals.let_go, kept)?,
            (Format::Jsonl, _) => {
                jsonl::let_go(&mut self.teller.out, totals.let_go)?;
                jsonl::captures(&mut self.teller.out, &captures)?;
            }
            (Format::Html, _) => html::write(&mut self.teller.out, &captures, kept, totals)?,
            (Format::Csv, _) => {
                if let Some(sentence) = let_go::sentence(totals.let_go) {
                    complain(&format!("note: {sentence}"));
                }
            }
            (Format::Text, Some(ladder)) => {
                for connection in kept {
                    ladder.write(&mut self.teller.out, &connection.record(), self.teller.style)?;
                }
            }
            (Format::Text, None) => {
                text::write(&mut self.teller.out, &captures, kept, totals, self.teller.style, threads)?
            }
        }
        self.teller.out.flush()?;
        let mut exit = Exit::Done;
        let ends_early = |kind| matches!(kind, ProblemKind::CutOff | ProblemKind::Empty);
        let problems = captures.iter().flat_map(|capture| &capture.problems);
        // Where we stopped reading, the end is our own.
        for problem in problems.filter(|problem| !(stopped && ends_early(problem.kind))) {
            let level = if problem.is_damage() { "error" } else { "note" };
            complain(&format!("{level}: {problem}"));
        }
        if captures.iter().any(CaptureReport::is_damaged) {
            exit = Exit::BadInput;
        }
        if let Some(ConnectionId(wanted)) = self.teller.choice.connection
            && wanted > totals.connections
        {
            let there = match totals.connections {
                0 => "there is none".to_owned(),
                last => format!("they are numbered 1 to {last}"),
            };
            complain(&format!("error: no connection {wanted}: {there}"));
            exit = Exit::BadInput;
        }
        Ok(exit)
    }

    /// Writes the packets of the connections that were shown; returns the exit code where that changes it.
    fn write(&mut self, annotated: Annotated, interrupted: &AtomicBool) -> Option<Exit> {
        if self.teller.choice.connection.is_some() && self.teller.sink.kept.is_empty() {
            // That there is no such connection has been told.
            return None;
        }
        let pipeline = self.pipeline.anew();
        let kept = &self.teller.sink.kept;
        match annotated.write(kept, &self.captures, pipeline, &mut self.progress, interrupted) {
            Ok(Written::Done(note)) => {
                if let Some(note) = note {
                    complain(&format!("note: {note}"));
                }
                None
            }
            Ok(Written::Interrupted) => {
                complain(NOT_WRITTEN);
                Some(Exit::Interrupted)
            }
            Err(problem) => {
                complain(&format!("error: {problem}"));
                Some(Exit::BadInput)
            }
        }
    }
}
