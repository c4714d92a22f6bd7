//! `keepscope probe --kernel`: an ordinary connection whose own kernel probes, and whether it does as promised.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::Format;
use crate::analysis::verification::{Expectation, Histories, History, Outcome, verify};
use crate::analysis::{Collector, ConnectionRecord};
use crate::cli::{Exit, complain};
use crate::frame::Frame;
use crate::keepalive::Model;
use crate::live::doctor;
use crate::live::filter::Filter;
use crate::live::kernel::{self, Asked, Comparison, End, Event, Plan, Run, RunError, Verdict};
use crate::live::netns::NetNs;
use crate::live::privilege::RightsMissing;
use crate::live::recording::Recording;
use crate::live::system::{Need, Options as SystemOptions, System};
use crate::live::wire::{Received, Wire};
use crate::pipeline::Pipeline;
use crate::report::CaptureReport;
use crate::report::kernel::{self as report, Findings, Packets};
use crate::report::verify::Judged;
use crate::segment::Endpoint;
use crate::stack::Stack;
use crate::stack::value::Rounding;
use crate::time::{Span, Timestamp};
use crate::track::event::Party;

/// What was asked for, checked as far as words go.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// Whereto.
    pub(super) peer: SocketAddr,
    /// Options of the socket.
    pub(super) asked: Asked,
    /// CONFIG_HZ, where the user knows better.
    pub(super) hz: Option<u32>,
    /// How long the connection may take to open.
    pub(super) connect_within: Span,
    /// How long it is watched,
    pub(super) time: Option<Span>,
    /// or for how many answered probes.
    pub(super) answers: Option<u32>,
    /// From which address.
    pub(super) source: Option<IpAddr>,
    /// Through which interface.
    pub(super) interface: Option<String>,
    /// In which network namespace.
    pub(super) netns: Option<NetNs>,
    /// Where packets are recorded.
    pub(super) write: Option<PathBuf>,
    /// Over a file that is there.
    pub(super) force: bool,
    /// How to show the result.
    pub(super) format: Format,
}

/// Runs kernel mode.
pub(super) fn run(options: &Options) -> io::Result<Exit> {
    if let Some(problem) = unusable(&options.asked) {
        complain(&format!("error: {problem}"));
        return Ok(Exit::BadInput);
    }
    // Before rights are given up: with them the folder may be ours to write to.
    let recording = options.write.as_ref().map(|path| {
        let about = format!("keepalives of this machine's kernel to {}", options.peer);
        Recording::create(path, options.force, &about)
    });
    let recording = match recording.transpose() {
        Ok(recording) => recording,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(Exit::BadInput);
        }
    };
    let mut system = match open(options) {
        Ok(opened) => opened,
        Err(exit) => {
            recording.into_iter().for_each(Recording::discard);
            return Ok(exit);
        }
    };
    if !system.sniffs() {
        let why = RightsMissing::new("seeing packets");
        complain(&format!("note: no packets are seen, only what the kernel counts: {why}"));
    }
    let plan = Plan {
        peer: options.peer,
        source: options.source,
        interface: options.interface.clone(),
        asked: options.asked,
        connect_within: options.connect_within,
        time: options.time,
        answers: options.answers,
    };
    let witness = system.sniffs().then(|| Witness::new(recording, &system));
    session(options, &plan, &mut system, witness)
}

/// What the system would cut without a word.
fn unusable(asked: &Asked) -> Option<String> {
    let whole = |name: &str, span: Option<Span>, unit: i64, word: &str| {
        let odd = span.is_some_and(|span| span.as_nanos() % unit != 0);
        odd.then(|| format!("{name}: the system counts it in whole {word}"))
    };
    whole("--idle", asked.idle, 1_000_000_000, "seconds")
        .or_else(|| whole("--interval", asked.interval, 1_000_000_000, "seconds"))
        .or_else(|| whole("--user-timeout", asked.user_timeout, 1_000_000, "milliseconds"))
}

/// The system, with its packets where they are allowed or needed; says so where it cannot be had.
fn open(options: &Options) -> Result<System, Exit> {
    let system = SystemOptions {
        interfaces: options.interface.iter().cloned().collect(),
        netns: options.netns.clone(),
        sniff: if options.write.is_some() { Need::Required } else { Need::IfAllowed },
        send: Need::No,
        filter: Filter::Peers(vec![options.peer]),
        signals: true,
    };
    System::open(&system).map_err(|problem| {
        complain(&format!("error: {problem}"));
        if problem.lacks_rights() { Exit::RightsMissing } else { Exit::BadInput }
    })
}

/// Runs, tells, judges.
fn session(
    options: &Options,
    plan: &Plan,
    system: &mut System,
    mut witness: Option<Witness>,
) -> io::Result<Exit> {
    let hz = options.hz.or_else(doctor::hz).unwrap_or(250);
    let mut out = io::stdout().lock();
    match options.format {
        Format::Text => writeln!(out, "{}: this machine's kernel probes (Linux, HZ={hz})", plan.peer)?,
        Format::Jsonl => report::header_jsonl(&mut out)?,
        Format::Json => {}
    }
    let mut established = None;
    let done = kernel::run(plan, system, &mut |event| {
        match event {
            Event::Frame(frame) => {
                if let Some(witness) = &mut witness {
                    witness.frame(frame);
                }
                return Ok(());
            }
            Event::Opened { at, .. } => established = Some(*at),
            _ => {}
        }
        tell(&mut out, options.format, event, established)
    });
    let run = match done {
        Ok(run) => run,
        Err(RunError::Tell(error)) => return Err(error),
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(Exit::BadInput);
        }
    };
    let (at, received) = (system.now(), system.received());
    let kept = witness.as_mut().is_none_or(|witness| witness.end_recording(at, received));
    let packets = witness.and_then(|witness| witness.judge(&run, hz, received));
    let comparison = kernel::compare(&run, hz);
    let findings = Findings {
        run: &run,
        hz,
        sees_packets: system.sniffs(),
        comparison: comparison.as_ref(),
        packets: packets.as_ref(),
    };
    match options.format {
        Format::Text => report::text(&mut out, &findings)?,
        Format::Json => report::json(&mut out, &findings)?,
        Format::Jsonl => report::final_jsonl(&mut out, &findings)?,
    }
    out.flush()?;
    Ok(exit(&run, &findings, comparison.as_ref()).if_kept(kept))
}

fn tell(
    out: &mut dyn Write,
    format: Format,
    event: &Event<'_>,
    established: Option<Timestamp>,
) -> io::Result<()> {
    match format {
        Format::Text => report::event_text(out, event, established)?,
        Format::Jsonl => report::event_jsonl(out, event, established)?,
        Format::Json => return Ok(()),
    }
    out.flush()
}

fn exit(run: &Run, findings: &Findings<'_>, comparison: Option<&Comparison>) -> Exit {
    match (run.end, run.verdict()) {
        (End::Interrupted, _) => Exit::Interrupted,
        _ if findings.outcome() == Outcome::Fail => Exit::Failed,
        (_, Verdict::Alive) if comparison.is_some() => Exit::Done,
        (_, Verdict::Alive | Verdict::NoProbe | Verdict::CutOff) => Exit::Inconclusive,
        _ => Exit::Failed,
    }
}

/// Sees the packets.
struct Witness {
    pipeline: Pipeline,
    histories: Histories,
    collector: Collector,
    finished: Vec<(ConnectionRecord, History)>,
    recording: Option<Recording>,
    /// Nothing that was to be recorded is missing.
    kept: bool,
    interfaces: String,
    frames: u64,
}

impl Witness {
    fn new(mut recording: Option<Recording>, system: &System) -> Self {
        let names: Vec<&str> = system.listening().map(|interface| interface.name()).collect();
        if let Some(recording) = &mut recording {
            names.iter().zip(0..).for_each(|(name, number)| recording.name_interface(number, name));
        }
        Self {
            pipeline: Pipeline::new(RandomState::new().hash_one(0)),
            histories: Histories::default(),
            collector: Collector::default(),
            finished: Vec::new(),
            recording,
            kept: true,
            interfaces: names.join(", "),
            frames: 0,
        }
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        self.frames += 1;
        if let Some(Err(problem)) = self.recording.as_mut().map(|recording| recording.frame(frame)) {
            self.kept = false;
            complain(&format!("error: {problem}; the recording ends here, the run goes on"));
        }
        let histories = &mut self.histories;
        self.pipeline.frame_shown(frame, |segment, observed| histories.segment(segment, observed));
        self.take_events();
    }

    fn take_events(&mut self) {
        while let Some(event) = self.pipeline.poll_event() {
            if let Some(record) = self.collector.on_event(&event) {
                let history = self.histories.take(record.id);
                self.finished.push((record, history));
            }
        }
    }

    /// Ends the recording; whether nothing that was to be recorded is missing.
    fn end_recording(&mut self, at: Timestamp, received: Received) -> bool {
        if let Some(Err(problem)) = self.recording.take().map(|recording| recording.finish(at, received)) {
            self.kept = false;
            complain(&format!("error: {problem}"));
        }
        self.kept
    }

    /// Judges the packets of the run by the settings in force; nothing if none of them were seen.
    fn judge(mut self, run: &Run, hz: u32, received: Received) -> Option<Packets> {
        self.pipeline.finish();
        self.take_events();
        let expectation = expectation(run, hz)?;
        let ends = [end(run.local?), end(run.peer)];
        let ours = |record: &ConnectionRecord| [record.opened.client, record.opened.server] == ends;
        let (record, history) = self.finished.into_iter().find(|(record, _)| ours(record))?;
        let verdicts = verify(&record, &history, Party::Client, &expectation);
        let judged = Judged {
            connection: record.id,
            opened: record.opened,
            party: Party::Client,
            rules: verdicts.rules,
            hz_fits: verdicts.hz_fits,
            expectation,
            table: None,
        };
        let capture = CaptureReport {
            path: self.interfaces,
            packets: self.frames,
            counts: self.pipeline.counts(0),
            problems: Vec::new(),
            dropped: received.dropped,
        };
        Some(Packets { captures: vec![capture], records: vec![record], judged: vec![judged] })
    }
}

fn end(address: SocketAddr) -> Endpoint {
    Endpoint { address: address.ip(), port: address.port() }
}

/// What the settings in force promise of this kernel.
fn expectation(run: &Run, hz: u32) -> Option<Expectation> {
    let settings = run.settings_in_force()?;
    let mut model = Model::of(Stack::named("linux").ok()?)?;
    model.rounding = Rounding::TimerWheel { hz };
    Some(Expectation {
        model,
        hz: Some(hz),
        idle: Some(settings.idle),
        interval: Some(settings.interval),
        count: Some(settings.count),
        user_timeout: settings.user_timeout,
        jitter: Expectation::JITTER,
        defaults: false,
    })
}
