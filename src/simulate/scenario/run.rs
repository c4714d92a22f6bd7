//! Running a scenario: once with everything that happened, or many times for a distribution.
//!
//! Owns [`Run`] (one simulation with its truth, its captures and its verdicts), [`Summary`] (the little of it that
//! many runs are compared by) and [`Distribution`]. Uses [`crate::pipeline`] and [`crate::analysis`] for what a
//! capture would show.

mod many;

use std::collections::BTreeMap;

pub use self::many::{Distribution, Quantiles, Spread, Summary};
use super::expect::{EndOutcome, Verdict};
use super::happening::{EventKind, Happening};
use super::problem::Wrong;
use super::{Plan, Tap};
use crate::analysis::{Collector, ConnectionRecord};
use crate::frame::{Frame, FrameId};
use crate::keepalive::Settings;
use crate::pipeline::Pipeline;
use crate::simulate::chance::{Chance, Stream};
use crate::simulate::end::Closing;
use crate::simulate::host::HostSide;
use crate::simulate::middlebox::Middlebox;
use crate::simulate::tap::{TapFrame, TapLink, TapSpec};
use crate::simulate::world::World;
use crate::stack::Stack;
use crate::time::{Span, Timestamp};

/// The connection of a scenario; it has one.
const CONNECTION: usize = 0;

/// Most events of a simulation; what is simulated by mistake, as data every nanosecond, ends there.
pub const MOST_EVENTS: u64 = 500_000;

/// Events between two looks at whether anybody still wants to know.
const LOOK: u64 = 1024;

/// A simulation that is over.
#[derive(Debug)]
pub struct Run {
    /// When it began.
    pub start: Timestamp,
    /// When it was over.
    pub end: Timestamp,
    /// What happened, in its order, as far as it has a name.
    pub happenings: Vec<Happening>,
    /// What became of the client's end and of the server's.
    pub ends: [End; 2],
    /// What was captured, at each place that was asked for or that something is expected of.
    pub captures: Vec<Captured>,
    /// What was expected, and whether it came about.
    pub verdicts: Vec<Verdict>,
    /// Timers that fired, packets that arrived and what was on the schedule.
    pub events: u64,
    /// It was stopped after [`MOST_EVENTS`].
    pub cut_short: bool,
}

/// What became of one end.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// Whether it is open.
    pub outcome: EndOutcome,
    /// When it ended, since the start.
    pub at: Option<Span>,
    /// What its application is told.
    pub error: Option<&'static str>,
    /// What its keepalives ran on, or would have if they were on; nothing if it was never opened.
    pub settings: Option<Settings>,
}

/// A capture taken in a simulation.
#[derive(Debug)]
pub struct Captured {
    /// Where.
    pub tap: Tap,
    /// Its frames.
    pub frames: Vec<TapFrame>,
    /// What the analyzer says of them.
    pub records: Vec<ConnectionRecord>,
}

impl Run {
    /// That it was stopped, if it was.
    pub fn trouble(&self) -> Option<String> {
        let sentence =
            || format!("stopped after {} events; simulate a shorter time or less data", self.events);
        self.cut_short.then(sentence)
    }
}

impl Captured {
    /// The frames, as a capture that was taken here and nowhere else has them.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        (1..).zip(&self.frames).map(|(number, frame)| Frame {
            id: FrameId { capture: 0, number },
            interface: 0,
            ..frame.frame()
        })
    }
}

impl Plan {
    /// Simulates it with captures at these of its taps, besides those of which something is expected.
    ///
    /// # Errors
    /// If the hosts and the boxes cannot be put together; with the key.
    pub fn run(&self, taps: &[usize]) -> Result<Run, Wrong> {
        self.run_while(taps, &|| true)
    }

    /// The same, but only for as long as `goes_on` says so: for who may no longer want to know. A run that was
    /// left says that it was cut short.
    ///
    /// # Errors
    /// As [`Plan::run`].
    pub fn run_while(&self, taps: &[usize], goes_on: &dyn Fn() -> bool) -> Result<Run, Wrong> {
        let mut wanted: Vec<usize> = taps.to_vec();
        let expected = |tap: &Tap| self.scenario.expect.capture.contains_key(&tap.name);
        wanted.extend((0..).zip(&self.taps).filter(|(_, tap)| expected(tap)).map(|(index, _)| index));
        wanted.sort_unstable();
        wanted.dedup();
        self.run_with(self.scenario.seed, None, &wanted, goes_on)
    }

    /// The same with another seed, with the client's timer in a phase of its own, and with captures at no other
    /// taps than these.
    fn run_with(
        &self,
        seed: u64,
        uptime: Option<Span>,
        taps: &[usize],
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Run, Wrong> {
        let taps: Vec<Tap> = taps.iter().filter_map(|index| self.taps.get(*index)).cloned().collect();
        let mut world = self.build(seed, uptime, &taps)?;
        let end = world.start().plus(self.scenario.length);
        let mut frames: BTreeMap<u32, Vec<TapFrame>> = BTreeMap::new();
        let mut happenings = Vec::new();
        let mut settings = [None, None];
        let mut told = 0;
        let mut left = false;
        while world.next_time().is_some_and(|next| next <= end) && world.steps() < MOST_EVENTS {
            left = world.steps().is_multiple_of(LOOK) && !goes_on();
            if left {
                break;
            }
            world.step();
            while let Some(frame) = world.poll_frame() {
                frames.entry(frame.tap).or_default().push(frame);
            }
            let new = world.truths().get(told..).unwrap_or_default();
            happenings.extend(new.iter().filter_map(|truth| Happening::of(self, world.start(), truth)));
            told = world.truths().len();
            for (settings, side) in settings.iter_mut().zip([HostSide::Client, HostSide::Server]) {
                *settings = world.settings(side, CONNECTION).or(*settings);
            }
        }
        let cut_short = left || world.steps() >= MOST_EVENTS;
        let captures = (0..).zip(taps).map(|(index, tap)| {
            let frames = frames.remove(&index).unwrap_or_default();
            let mut captured = Captured { tap, frames, records: Vec::new() };
            captured.records = analyze(&captured);
            captured
        });
        let mut run = Run {
            start: world.start(),
            end,
            captures: captures.collect(),
            ends: [
                self.end(HostSide::Client, &happenings, settings[0]),
                self.end(HostSide::Server, &happenings, settings[1]),
            ],
            happenings,
            verdicts: Vec::new(),
            events: world.steps(),
            cut_short,
        };
        run.verdicts = self.scenario.expect.judge(self, &run);
        Ok(run)
    }

    fn build(&self, seed: u64, uptime: Option<Span>, taps: &[Tap]) -> Result<World, Wrong> {
        let mut spec = self.world.clone();
        spec.seed = seed;
        spec.client.uptime = uptime.or(spec.client.uptime);
        spec.taps = taps.iter().map(|tap| TapSpec { place: tap.place, link: TapLink::Raw }).collect();
        let mut boxes: Vec<Box<dyn Middlebox>> = Vec::new();
        for (index, description) in (0..).zip(&self.boxes) {
            let own = Chance::new(seed, Stream::Middlebox { index }).long();
            let built = description.build(own);
            let name = self.box_names.get(boxes.len()).map_or("", String::as_str);
            boxes.push(built.map_err(|error| Wrong::new(format!("box.{name}"), error.to_string()))?);
        }
        World::new(spec, boxes).map_err(|error| Wrong::new("", error.to_string()))
    }

    /// What became of an end.
    fn end(&self, side: HostSide, happenings: &[Happening], settings: Option<Settings>) -> End {
        let of_it = |kind: EventKind| {
            happenings
                .iter()
                .rev()
                .find(move |happening| happening.kind == kind && happening.by == side.name())
        };
        let closed = of_it(EventKind::Closed);
        let outcome = match closed {
            Some(closed) => closed.closing().map_or(EndOutcome::Open, EndOutcome::Ended),
            None if of_it(EventKind::Opened).is_some() => EndOutcome::Open,
            None => EndOutcome::NeverOpened,
        };
        let stack = match side {
            HostSide::Client => self.world.client.stack,
            HostSide::Server => self.world.server.stack,
        };
        End { outcome, at: closed.map(|closed| closed.time), error: error_of(stack, outcome), settings }
    }
}

/// What an application on this stack is told of such an end.
fn error_of(stack: &Stack, outcome: EndOutcome) -> Option<&'static str> {
    let is_windows = stack.name.starts_with("windows");
    let named = |unix, windows| Some(if is_windows { windows } else { unix });
    match outcome {
        EndOutcome::NeverOpened | EndOutcome::Open => None,
        EndOutcome::Ended(closing) => match closing {
            Closing::InOrder | Closing::Aborted | Closing::PowerLost => None,
            Closing::KeepaliveTimedOut => {
                // The table has it as a sentence that begins with or contains the name.
                let sentence = stack.giving_up.error.value?;
                let is_name = |word: &&str| {
                    word.len() > 3 && word.bytes().all(|letter| letter.is_ascii_uppercase() || letter == b'_')
                };
                sentence.split([' ', ',']).find(is_name)
            }
            Closing::DataTimedOut | Closing::ConnectTimedOut => named("ETIMEDOUT", "WSAETIMEDOUT"),
            Closing::Reset => named("ECONNRESET", "WSAECONNRESET"),
            Closing::Refused => named("ECONNREFUSED", "WSAECONNREFUSED"),
        },
    }
}

/// What the analyzer says of a capture.
fn analyze(captured: &Captured) -> Vec<ConnectionRecord> {
    let (mut pipeline, mut collector) = (Pipeline::new(0), Collector::default());
    let mut records = Vec::new();
    let mut take = |pipeline: &mut Pipeline| {
        while let Some(event) = pipeline.poll_event() {
            records.extend(collector.on_event(&event));
        }
    };
    for frame in captured.frames() {
        pipeline.frame(&frame);
        take(&mut pipeline);
    }
    pipeline.finish();
    take(&mut pipeline);
    records
}
