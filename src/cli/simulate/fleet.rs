//! `keepscope simulate --fleet`: very many connections at once.

use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::super::{Exit, duration};
use super::{Format, Outcome};
use crate::analysis::Collector;
use crate::capture::write::{CaptureWriter, WriteError};
use crate::frame::Frame;
use crate::pipeline::Pipeline;
use crate::report::fleet::{self as report, Analyzed};
use crate::simulate::fleet::{Fleet, FleetSpec, GroupSpec};
use crate::simulate::scenario::Share;
use crate::stack::preset::Asked;
use crate::stack::{Preset, Stack};
use crate::time::Span;

/// What a fleet is made of.
#[derive(Debug, Args)]
#[command(next_help_heading = "Fleet")]
pub(super) struct FleetArguments {
    /// Simulate very many connections at once, over a path without boxes, instead of a scenario
    #[arg(long, conflicts_with_all = ["scenario", "list", "print", "set", "runs", "phases", "at"])]
    pub(super) fleet: bool,

    /// How many
    #[arg(long, value_name = "N", requires = "fleet", conflicts_with = "scenario", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    connections: u32,

    /// For how long
    #[arg(long, value_name = "DURATION", requires = "fleet", conflicts_with = "scenario", value_parser = duration::parse, default_value = "4h")]
    lasting: Span,

    /// Connections of a kind: a stack or preset of keepscope stacks, its settings, its share: linux, go=30,
    /// linux@60s/10s/5=70, linux@off. Repeat it for several
    #[arg(
        long,
        value_name = "NAME[@IDLE/INTERVAL/COUNT][=WEIGHT]",
        requires = "fleet",
        conflicts_with = "scenario",
        default_value = "linux"
    )]
    mix: Vec<Mix>,

    /// The share of connections on which the client writes
    #[arg(long, value_name = "SHARE", requires = "fleet", conflicts_with = "scenario", default_value = "0%")]
    data: Share,

    /// How long it waits between writes, on average
    #[arg(long, value_name = "DURATION", requires = "fleet", conflicts_with = "scenario", value_parser = duration::parse, default_value = "60s")]
    data_every: Span,

    /// How many connections are opened a second
    #[arg(long, value_name = "N", requires = "fleet", conflicts_with = "scenario", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,

    /// How long a segment takes from one end to the other
    #[arg(long, value_name = "DURATION", requires = "fleet", conflicts_with = "scenario", value_parser = duration::parse, default_value = "10ms")]
    delay: Span,

    /// The share of segments that are lost
    #[arg(long, value_name = "SHARE", requires = "fleet", conflicts_with = "scenario", default_value = "0%")]
    loss: Share,

    /// The share of connections whose peer dies without a word
    #[arg(long, value_name = "SHARE", requires = "fleet", conflicts_with = "scenario", default_value = "1%")]
    deaths: Share,

    /// Hand the packets to the analyzer and say what it finds; it keeps all it finds in memory
    #[arg(long, requires = "fleet", conflicts_with = "scenario")]
    analyze: bool,
}

/// Connections of a kind, as they are written.
#[derive(Clone, Debug)]
struct Mix {
    name: String,
    stack: &'static Stack,
    weight: f64,
    keepalive: bool,
    idle: Option<Span>,
    interval: Option<Span>,
    count: Option<u32>,
    user_timeout: Option<Span>,
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, weight) =
            text.rsplit_once('=').map_or((text, None), |(kind, weight)| (kind, Some(weight)));
        let weight = match weight {
            None => 1.0,
            Some(weight) => weight
                .parse::<f64>()
                .ok()
                .filter(|weight| weight.is_finite() && *weight > 0.0)
                .ok_or_else(|| format!("{weight:?} is no weight; write a number above 0"))?,
        };
        let (name, settings) = kind.split_once('@').map_or((kind, None), |(name, rest)| (name, Some(rest)));
        let mut mix = Mix::named(name, weight)?;
        mix.name = kind.to_owned();
        match settings {
            Some("off") => mix.keepalive = false,
            Some(settings) => mix.set(settings)?,
            None => {}
        }
        Ok(mix)
    }
}

impl Mix {
    fn named(name: &str, weight: f64) -> Result<Self, String> {
        let plain = |stack| Mix {
            name: name.to_owned(),
            stack,
            weight,
            keepalive: true,
            idle: None,
            interval: None,
            count: None,
            user_timeout: None,
        };
        match (Stack::named(name), Preset::named(name)) {
            (Ok(stack), _) => Ok(plain(stack)),
            (Err(_), Ok(preset)) => {
                let linux = Stack::named("linux").map_err(|unknown| unknown.to_string())?;
                Ok(Mix {
                    idle: preset.idle.value.and_then(Asked::get),
                    interval: preset.interval.value.and_then(Asked::get),
                    count: preset.count.value.and_then(Asked::get),
                    user_timeout: preset.user_timeout.value.and_then(Asked::get),
                    ..plain(linux)
                })
            }
            (Err(stack), Err(preset)) => Err(format!("{}; `keepscope stacks` lists them", stack.or(preset))),
        }
    }

    fn set(&mut self, text: &str) -> Result<(), String> {
        let parts: Vec<&str> = text.split('/').collect();
        let [idle, rest @ ..] = parts.as_slice() else { return Ok(()) };
        self.idle = Some(positive(idle)?);
        if let [interval, ..] = rest {
            self.interval = Some(positive(interval)?);
        }
        match rest {
            [] | [_] => Ok(()),
            [_, count] => {
                let count = count.parse().ok().filter(|count| (1..=255).contains(count));
                self.count = Some(count.ok_or("the count is from 1 to 255")?);
                Ok(())
            }
            _ => Err(format!("{text:?} is more than IDLE/INTERVAL/COUNT")),
        }
    }

    fn group(&self, arguments: &FleetArguments) -> GroupSpec {
        GroupSpec {
            name: self.name.clone(),
            weight: self.weight,
            keepalive: self.keepalive,
            idle: self.idle,
            interval: self.interval,
            count: self.count,
            user_timeout: self.user_timeout,
            data_share: arguments.data.as_f64(),
            data_every: arguments.data_every,
            ..GroupSpec::new(self.stack)
        }
    }
}

fn positive(text: &str) -> Result<Span, String> {
    duration::parse(text).and_then(|span| {
        if span > Span::ZERO { Ok(span) } else { Err("must be longer than nothing".to_owned()) }
    })
}

/// The parts in which a fleet is run, between which somebody may stop it.
const PARTS: i64 = 500;

/// What the command as a whole was told.
pub(super) struct Common<'a> {
    pub(super) seed: u64,
    pub(super) write: Option<&'a Path>,
    pub(super) force: bool,
    pub(super) format: Format,
}

/// Simulates a fleet.
pub(super) fn run(
    arguments: &FleetArguments,
    common: &Common<'_>,
    out: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut fleet = match build(arguments, common) {
        Ok(fleet) => fleet,
        Err(problem) => return Ok(Err(problem)),
    };
    let mut sink = match common.write.map(|path| begin(path, common.force)).transpose() {
        Ok(writer) => Sink::new(writer, arguments.analyze),
        Err(error) => return Ok(Err(format!("--write {error}"))),
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Without a handler the process ends at once, which leaves a file with a name of its own behind.
        let _ = signal_hook::flag::register(signal, Arc::clone(&interrupted));
    }
    if let Err(problem) = go(&mut fleet, arguments.lasting, &mut sink, &interrupted) {
        return Ok(Err(problem));
    }
    let stopped = interrupted.load(Ordering::Relaxed);
    let (writer, analyzed) = sink.finish();
    if let Some(writer) = writer.filter(|_| !stopped)
        && let Err(error) = writer.finish()
    {
        return Ok(Err(format!("--write {error}")));
    }
    let result = fleet.report();
    match common.format {
        Format::Text => report::text(out, common.seed, &result, analyzed.as_ref())?,
        Format::Json | Format::Jsonl => report::json(out, common.seed, &result, analyzed.as_ref())?,
    }
    Ok(Ok(if stopped { Exit::Interrupted } else { Exit::Done }))
}

/// Begins a capture.
fn begin(path: &Path, force: bool) -> Result<CaptureWriter, WriteError> {
    let mut writer = CaptureWriter::create(path, force)?;
    let program = concat!("keepscope ", env!("CARGO_PKG_VERSION"));
    writer.begin(program, "A simulated fleet, as seen at its clients", vec!["simulated fleet".to_owned()])?;
    Ok(writer)
}

fn build(arguments: &FleetArguments, common: &Common<'_>) -> Result<Fleet, String> {
    if common.format == Format::Jsonl {
        return Err("--fleet is shown as text or json".to_owned());
    }
    if arguments.lasting <= Span::ZERO {
        return Err("--lasting: must be longer than nothing".to_owned());
    }
    let groups = arguments.mix.iter().map(|mix| mix.group(arguments)).collect();
    let mut spec = FleetSpec::new(arguments.connections, groups);
    spec.seed = common.seed;
    let nanos = i64::from(arguments.connections).saturating_mul(1_000_000_000) / i64::from(arguments.rate);
    spec.opening = Span::from_nanos(nanos);
    spec.delay = arguments.delay;
    spec.loss = arguments.loss.as_f64();
    spec.deaths = arguments.deaths.as_f64();
    // Half of the time is left to notice.
    spec.dying = Span::from_nanos(arguments.lasting.as_nanos() / 2);
    Fleet::new(&spec).map_err(|error| error.to_string())
}

fn go(fleet: &mut Fleet, lasting: Span, sink: &mut Sink, interrupted: &AtomicBool) -> Result<(), String> {
    let end = fleet.now().plus(lasting);
    let part = Span::from_nanos((lasting.as_nanos() / PARTS).max(1));
    while fleet.now() < end && !interrupted.load(Ordering::Relaxed) {
        let until = fleet.now().plus(part).min(end);
        if sink.wants() {
            fleet.run_until(until, Some(&mut |frame| sink.frame(frame)));
        } else {
            fleet.run_until(until, None);
        }
        if let Some(error) = sink.error.take() {
            return Err(format!("--write {error}"));
        }
    }
    Ok(())
}

/// Where the packets go.
struct Sink {
    writer: Option<CaptureWriter>,
    error: Option<WriteError>,
    analysis: Option<(Pipeline, Collector, Analyzed)>,
}

impl Sink {
    fn new(writer: Option<CaptureWriter>, analyze: bool) -> Self {
        let analysis = analyze.then(|| (Pipeline::new(0), Collector::default(), Analyzed::default()));
        Self { writer, error: None, analysis }
    }

    fn wants(&self) -> bool {
        self.writer.is_some() || self.analysis.is_some()
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        if let Some(writer) = &mut self.writer
            && self.error.is_none()
        {
            self.error = writer.frame(frame, &[]).err();
        }
        if let Some((pipeline, collector, analyzed)) = &mut self.analysis {
            analyzed.packet();
            pipeline.frame(frame);
            take(pipeline, collector, analyzed);
        }
    }

    fn finish(self) -> (Option<CaptureWriter>, Option<Analyzed>) {
        let analyzed = self.analysis.map(|(mut pipeline, mut collector, mut analyzed)| {
            pipeline.finish();
            take(&mut pipeline, &mut collector, &mut analyzed);
            analyzed
        });
        (self.writer, analyzed)
    }
}

fn take(pipeline: &mut Pipeline, collector: &mut Collector, analyzed: &mut Analyzed) {
    while let Some(event) = pipeline.poll_event() {
        if let Some(record) = collector.on_event(&event) {
            analyzed.connection(&record);
        }
    }
}
