//! `keepscope analyze`: captures in, findings out.

mod annotated;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use signal_hook::consts::{SIGINT, SIGTERM};

use self::annotated::{Annotated, Written};
use super::progress::Progress;
use super::{Color, Exit, complain, live_input};
use crate::analysis::filter::Filter;
use crate::analysis::{Collector, ConnectionRecord};
use crate::capture::{Captures, ProblemKind};
use crate::pipeline::Pipeline;
use crate::report::ladder::Ladder;
use crate::report::text::{Style, Totals};
use crate::report::{CaptureReport, csv, html, json, jsonl, text};
use crate::track::event::{ConnectionId, Event, EventKind};

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
    choice: Choice,
    format: Format,
    style: Style,
    progress: Progress,
    captures: Captures,
    pipeline: Pipeline,
    ladder: Option<Ladder>,
    sink: Sink,
    with_keepalives: u64,
    /// Records are needed after they were shown.
    keeps: bool,
    out: W,
    /// Whether somebody may be waiting for each line.
    live: bool,
}

/// Where events go on their way to the output.
struct Sink {
    collector: Collector,
    kept: Vec<ConnectionRecord>,
    held: HashMap<ConnectionId, Held>,
}

/// The events of a connection that may not be written yet, or never.
enum Held {
    /// Not known yet whether the connection is wanted.
    Waiting(Vec<Event>),
    Wanted,
    Unwanted,
}

/// Which connections are shown.
struct Choice {
    filter: Filter,
    connection: Option<ConnectionId>,
    all: bool,
}

impl Choice {
    fn includes(&self, record: &ConnectionRecord) -> bool {
        match self.connection {
            Some(id) => record.id == id,
            None => {
                (self.all || record.has_keepalives() || self.filter.wants_no_keepalive())
                    && self.filter.passes(record)
            }
        }
    }
}

impl<W: Write> Analysis<W> {
    fn new(arguments: Arguments, captures: Captures, out: W, live: bool) -> Self {
        let connection = arguments.connection.map(ConnectionId);
        let wants_ladder = arguments.format == Format::Text;
        Self {
            choice: Choice { filter: arguments.filter.unwrap_or_default(), connection, all: arguments.all },
            format: arguments.format,
            style: arguments.color.style(),
            progress: Progress::new(!arguments.quiet),
            captures,
            // Unpredictable, so that no capture can be made to collide; results do not depend on it.
            pipeline: Pipeline::new(RandomState::new().hash_one(0)),
            ladder: connection.filter(|_| wants_ladder).map(Ladder::new),
            sink: Sink { collector: Collector::default(), kept: Vec::new(), held: HashMap::new() },
            with_keepalives: 0,
            keeps: arguments.write.is_some(),
            out,
            live,
        }
    }

    /// Reads all frames; streaming formats write as they go.
    fn read(&mut self, interrupted: &AtomicBool) -> io::Result<()> {
        match self.format {
            Format::Jsonl => jsonl::header(&mut self.out)?,
            Format::Csv => csv::header(&mut self.out)?,
            Format::Text | Format::Json | Format::Html => {}
        }
        if self.live {
            self.out.flush()?;
        }
        while let Some(frame) = self.captures.next_frame() {
            match self.ladder.as_mut() {
                None => self.pipeline.frame(&frame),
                Some(ladder) => {
                    self.pipeline.frame_shown(&frame, |segment, observed| ladder.segment(segment, observed))
                }
            };
            self.take_events()?;
            if self.progress.is_due() {
                self.progress.show(&self.captures);
            }
            if !self.live && interrupted.load(Ordering::Relaxed) {
                break;
            }
        }
        self.pipeline.finish();
        self.take_events()?;
        self.progress.clear();
        Ok(())
    }

    fn take_events(&mut self) -> io::Result<()> {
        let mut any = false;
        while let Some(event) = self.pipeline.poll_event() {
            any = true;
            self.take(event)?;
        }
        if any && self.live { self.out.flush() } else { Ok(()) }
    }

    fn take(&mut self, event: Event) -> io::Result<()> {
        if let Some(ladder) = self.ladder.as_mut() {
            ladder.event(&event);
        }
        let finished = self.sink.collector.on_event(&event);
        if let Some(record) = &finished {
            self.with_keepalives += u64::from(record.has_keepalives());
            let is_streamed = matches!(self.format, Format::Jsonl | Format::Csv);
            if self.keeps && is_streamed && self.choice.includes(record) {
                self.sink.kept.push(record.clone());
            }
        }
        match (self.format, finished) {
            (Format::Jsonl, finished) => self.stream(event, finished),
            (Format::Csv, Some(record)) if self.choice.includes(&record) => {
                csv::connection(&mut self.out, &record)
            }
            (Format::Text | Format::Json | Format::Html, Some(record)) if self.choice.includes(&record) => {
                self.sink.kept.push(record);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Writes an event as a line as soon as it is certain that its connection is wanted.
    fn stream(&mut self, event: Event, finished: Option<ConnectionRecord>) -> io::Result<()> {
        let id = event.connection;
        if let Some(record) = finished {
            let held = self.sink.held.remove(&id);
            // A connection that was spoken of gets its last word, even if its only probe was retracted.
            if !matches!(held, Some(Held::Wanted)) && !self.choice.includes(&record) {
                return Ok(());
            }
            if let Some(Held::Waiting(events)) = held {
                events.iter().try_for_each(|event| jsonl::event(&mut self.out, event))?;
            }
            return jsonl::last(&mut self.out, id, event.number, &record);
        }
        let held = self.sink.held.entry(id).or_insert_with(|| Held::Waiting(Vec::new()));
        match held {
            Held::Unwanted => Ok(()),
            Held::Wanted => jsonl::event(&mut self.out, &event),
            Held::Waiting(events) => {
                match self.choice.decides(&event) {
                    Some(false) => *held = Held::Unwanted,
                    Some(true) => {
                        let earlier = std::mem::take(events);
                        *held = Held::Wanted;
                        earlier.iter().try_for_each(|event| jsonl::event(&mut self.out, event))?;
                        jsonl::event(&mut self.out, &event)?;
                    }
                    None => events.push(event),
                }
                Ok(())
            }
        }
    }

    /// Writes the result and says how the reading went.
    fn report(&mut self, stopped: bool) -> io::Result<Exit> {
        let captures = CaptureReport::of(&self.captures, &self.pipeline);
        let totals = Totals {
            connections: self.pipeline.connections(),
            with_keepalives: self.with_keepalives,
            chosen: self.choice.connection.is_some() || self.choice.filter != Filter::default(),
        };
        let kept = &self.sink.kept;
        match (self.format, &self.ladder) {
            (Format::Json, _) => json::write(&mut self.out, &captures, kept)?,
            (Format::Jsonl, _) => jsonl::captures(&mut self.out, &captures)?,
            (Format::Html, _) => html::write(&mut self.out, &captures, kept, totals)?,
            (Format::Csv, _) => {}
            (Format::Text, Some(ladder)) => {
                for record in kept {
                    ladder.write(&mut self.out, record, self.style)?;
                }
            }
            (Format::Text, None) => text::write(&mut self.out, &captures, kept, totals, self.style)?,
        }
        self.out.flush()?;
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
        if let Some(ConnectionId(wanted)) = self.choice.connection
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
        if self.choice.connection.is_some() && self.sink.kept.is_empty() {
            // That there is no such connection has been told.
            return None;
        }
        match annotated.write(&self.sink.kept, &self.captures, &mut self.progress, interrupted) {
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

impl Choice {
    /// Whether an event decides that its connection is wanted, or that it is not.
    fn decides(&self, event: &Event) -> Option<bool> {
        if let Some(id) = self.connection {
            return Some(event.connection == id);
        }
        match &event.kind {
            EventKind::Opened(opened) if !self.filter.may_pass(opened) => Some(false),
            _ if self.filter.needs_outcome() => None,
            EventKind::Probe(_) => Some(true),
            _ => (self.all || self.filter.wants_no_keepalive()).then_some(true),
        }
    }
}
