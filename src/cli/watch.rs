//! `keepscope watch`: every keepalive on some interfaces, live; nothing is sent.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};

use super::Color;
use super::{Exit, complain, duration};
use crate::analysis::Finished;
use crate::analysis::filter::Filter;
use crate::frame::Frame;
use crate::live::filter::Filter as PacketFilter;
use crate::live::interface::Interface;
use crate::live::netns::NetNs;
use crate::live::recording::Recording;
use crate::live::system::{Need, Options, System};
use crate::live::watch::{self, End, Interruption, Limits, Listener, Told, Watch};
use crate::live::wire::{Received, Wire};
use crate::report::text::{Style, Totals};
use crate::report::{CaptureReport, json, jsonl, text, watch as report};
use crate::time::{Span, Timestamp};
use crate::track::LetGo;

const EXAMPLES: &str = "\
Examples:
  keepscope watch                                     all interfaces that are up
  keepscope watch --interface eth0 --filter port:5432
  keepscope watch --interface eth0 --write seen.pcapng --for 10m
  keepscope watch --netns NAME --format jsonl         inside a container or a test
  keepscope watch --plain                             lines in a terminal, instead of the screen

Nothing is sent. Every TCP packet is read, as the silence before a probe begins with the last packet of whatever
size. On a busy link name the interface and the addresses or ports: what --filter says of them (commas and ! included;
client: and server: as either end) becomes the kernel's packet filter, and the other packets are neither read nor
counted nor recorded. What is asked of the kernel is said first. Ctrl-C ends with the summary.

Exit codes:
  0    the time was over
  2    wrong usage, or nothing is left to listen on (what was seen is reported)
  3    rights missing
  130  interrupted (what was seen is reported)";

/// Where to look and what to show.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Interfaces to listen on [default: all that are up]
    #[arg(long, value_name = "IF")]
    interface: Vec<String>,

    /// Show only connections that pass, as in analyze --filter: addr:NET, port:N, client:…, server:…; what is known
    /// at the end only, such as outcome:NAME or ka.lost>0, holds back their events until then. Packets of other addresses and ports are not even read
    #[arg(long, value_name = "EXPR")]
    filter: Option<Filter>,

    /// Record every packet that is read to a new file, .pcapng or .pcap, packet by packet
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,

    /// Let --write take the place of a file
    #[arg(long, requires = "write")]
    force: bool,

    /// Watch in this network namespace: a name (ip netns) or a process id
    #[arg(long, value_name = "NAME|PID")]
    netns: Option<NetNs>,

    /// Watch so long [default: until Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    time: Option<Span>,

    /// Lines instead of a screen
    #[arg(long)]
    plain: bool,

    /// How to show what is seen [default: a screen in a terminal, text elsewhere]
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Colour the summary
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a line as it happens, then the summary
    Text,
    /// One document at the end, schema keepscope.analysis/1
    Json,
    /// One event per line as soon as it is known, schema keepscope.events/1
    Jsonl,
}

/// Watches.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    // Before rights are given up: with them the folder may be ours to write to.
    let recording = arguments
        .write
        .as_ref()
        .map(|path| Recording::create(path, arguments.force, "what keepscope watch saw"))
        .transpose();
    let recording = match recording {
        Ok(recording) => recording,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Ok(Exit::BadInput);
        }
    };
    let on_screen = wants_screen(arguments);
    let conditions = arguments.filter.as_ref().map(Filter::conditions).unwrap_or_default();
    let packets = PacketFilter::ends(conditions);
    let options = Options {
        interfaces: arguments.interface.clone(),
        netns: arguments.netns.clone(),
        sniff: Need::Required,
        // On the screen a peer can be probed beside the watch, if somebody asks for that.
        send: if on_screen { Need::IfAllowed } else { Need::No },
        filter: packets.clone(),
        signals: !on_screen,
    };
    let system = match System::open(&options) {
        Ok(system) => system,
        Err(problem) => {
            recording.into_iter().for_each(Recording::discard);
            complain(&format!("error: {problem}"));
            return Ok(if problem.lacks_rights() { Exit::RightsMissing } else { Exit::BadInput });
        }
    };
    #[cfg(feature = "dashboard")]
    if on_screen {
        return screen(arguments, system, packets, recording);
    }
    watch(arguments, system, &packets, recording)
}

/// Whether it is shown on a screen.
#[cfg(feature = "dashboard")]
fn wants_screen(arguments: &Arguments) -> bool {
    super::live_screen::is_wanted(arguments.plain || arguments.format.is_some())
}

/// Whether it is shown on a screen: never in a build without one.
#[cfg(not(feature = "dashboard"))]
const fn wants_screen(_: &Arguments) -> bool {
    false
}

/// Watches on the screen.
#[cfg(feature = "dashboard")]
fn screen(
    arguments: &Arguments,
    system: System,
    packets: PacketFilter,
    recording: Option<Recording>,
) -> io::Result<Exit> {
    use crate::dashboard::live::driver;
    let filter = arguments.filter.clone().unwrap_or_default();
    // Of a peer that is probed beside it.
    let manner = super::settings::current().manner().unwrap_or_default();
    let start = driver::Start {
        watching: Some(driver::Watching { filter, packets }),
        recording: arguments.write.clone().zip(recording),
        ends_after: arguments.time,
        ..super::live_screen::source(system)
    };
    super::live_screen::show(start, manner, &super::dashboard::Looks::preferred())
}

fn watch(
    arguments: &Arguments,
    mut system: System,
    packets: &PacketFilter,
    recording: Option<Recording>,
) -> io::Result<Exit> {
    let interfaces: Vec<Interface> = system.listening().cloned().collect();
    let names = interfaces.iter().map(Interface::name).collect::<Vec<_>>().join(", ");
    let mut out = BufWriter::new(io::stdout().lock());
    let format = arguments.format.unwrap_or(Format::Text);
    if format == Format::Jsonl {
        jsonl::header(&mut out)?;
    }
    out.flush()?;
    complain(&format!("watching {names} for {packets}; nothing is sent; Ctrl-C ends"));
    let mut terminal = Terminal { format, out, recording, interfaces, lost: 0, kept: true, failed: None };
    terminal.name_interfaces();
    let mut watch = Watch::new(
        arguments.filter.clone().unwrap_or_default(),
        // Unpredictable, so that no packets can be made to collide; results do not depend on it.
        RandomState::new().hash_one(0),
        Limits::default(),
    );
    let until = arguments.time.map(|time| system.now().plus(time));
    let ended = watch::run(&mut system, &mut watch, until, &mut terminal);
    let (at, received) = (system.now(), system.received());
    let Terminal { mut out, recording, failed, mut kept, .. } = terminal;
    if let Some(Err(problem)) = recording.map(|recording| recording.finish(at, received)) {
        kept = false;
        complain(&format!("error: {problem}"));
    }
    if let Some(error) = failed {
        return Err(error);
    }
    write(&mut out, format, &watch, names, received, arguments.color.style())?;
    out.flush()?;
    Ok(match ended {
        Ok(End::Time) => Exit::Done.if_kept(kept),
        Ok(End::Interrupted) => Exit::Interrupted,
        Ok(End::Listener) => Exit::BadInput,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            Exit::BadInput
        }
    })
}

/// What was seen in all, as text.
#[cfg(feature = "dashboard")]
pub(super) fn summary(
    out: &mut dyn Write,
    watch: &Watch,
    names: String,
    received: Received,
    style: Style,
) -> io::Result<()> {
    write(out, Format::Text, watch, names, received, style)
}

/// What was seen in all, as `keepscope analyze` has it.
fn write(
    out: &mut dyn Write,
    format: Format,
    watch: &Watch,
    names: String,
    received: Received,
    style: Style,
) -> io::Result<()> {
    let tally = watch.tally();
    let capture = CaptureReport {
        path: names,
        packets: tally.frames,
        counts: watch.counts(),
        problems: Vec::new(),
        dropped: received.dropped,
    };
    let captures = [capture];
    let totals = Totals {
        connections: watch.connections(),
        with_keepalives: tally.with_keepalives,
        chosen: watch.is_filtered(),
        // The last line says how many.
        let_go: LetGo::default(),
    };
    let records: Vec<&Finished> = match format {
        Format::Jsonl => Vec::new(),
        Format::Text | Format::Json => watch.finished().collect(),
    };
    match format {
        Format::Text => {
            writeln!(out)?;
            text::write(out, &captures, &records, totals, style, 1)?;
        }
        Format::Json => json::write(out, &captures, watch.let_go(), &records)?,
        Format::Jsonl => {
            jsonl::let_go(out, watch.let_go())?;
            jsonl::captures(out, &captures)?;
        }
    }
    report::no_longer_kept(&tally).iter().for_each(|line| complain(&format!("note: {line}")));
    Ok(())
}

/// Writes what is told, as it is told.
struct Terminal<W: Write> {
    format: Format,
    out: W,
    recording: Option<Recording>,
    interfaces: Vec<Interface>,
    /// Packets that were lost, as told.
    lost: u64,
    /// Nothing that was to be recorded is missing.
    kept: bool,
    /// Why nothing more can be written.
    failed: Option<io::Error>,
}

impl<W: Write> Terminal<W> {
    fn name_interfaces(&mut self) {
        if let Some(recording) = &mut self.recording {
            let names = self.interfaces.iter().map(Interface::name);
            names.zip(0..).for_each(|(name, number)| recording.name_interface(number, name));
        }
    }

    fn write(&mut self, told: &Told) -> io::Result<()> {
        match self.format {
            Format::Text => match report::line_text(told) {
                Some(line) => writeln!(self.out, "{} {line}", clock_time(time_of(told))),
                None => Ok(()),
            },
            Format::Jsonl => report::line_json(&mut self.out, told),
            Format::Json => Ok(()),
        }
    }
}

impl<W: Write> Listener for Terminal<W> {
    fn frame(&mut self, frame: &Frame<'_>) {
        if let Some(Err(problem)) = self.recording.as_mut().map(|recording| recording.frame(frame)) {
            self.kept = false;
            complain(&format!("error: {problem}; the recording ends here, the watch goes on"));
        }
    }

    fn told(&mut self, told: Told) -> bool {
        let written = self.write(&told).and_then(|()| self.out.flush());
        self.failed = self.failed.take().or(written.err());
        self.failed.is_none()
    }

    fn interruption(&mut self, interruption: Interruption) -> bool {
        match interruption {
            Interruption::ClockStepped(nanos) => {
                let step = Span::from_nanos(nanos);
                complain(&format!(
                    "note: the system's clock was set by {step} s; times here go on without a step"
                ));
                true
            }
            Interruption::InterfaceLost(name) => {
                // Where nobody can say what there is, there may be something.
                let Ok(now) = Interface::all() else { return true };
                let still = |one: &Interface| now.iter().find(|other| other.index() == one.index());
                let is_left = self.interfaces.iter().any(|one| still(one).is_some());
                let there = self.interfaces.iter().find(|one| one.name() == name).and_then(still);
                complain(&match there {
                    Some(_) => {
                        format!("note: the interface {name} went down; it is seen again when it is up")
                    }
                    None if is_left => {
                        format!("note: the interface {name} went away; the others are still watched")
                    }
                    None => format!("error: the interface {name} went away, and nothing is left to watch"),
                });
                is_left
            }
        }
    }

    fn quiet(&mut self, received: Received) -> bool {
        if received.dropped > self.lost {
            complain(&format!(
                "note: {} of {} packets were lost before they could be read",
                received.dropped, received.seen
            ));
            self.lost = received.dropped;
        }
        true
    }
}

/// When something that is told happened.
fn time_of(told: &Told) -> Timestamp {
    use crate::track::event::EventKind;
    match told {
        Told::Event { event, opened } => match &event.kind {
            EventKind::Probe(probe) => probe.segment.at.time,
            EventKind::Candidate(candidate) => candidate.segment.at.time,
            EventKind::Answer(answer) => answer.at.time,
            EventKind::LookAlike(seen) => seen.at.time,
            EventKind::Retracted { evidence, .. } | EventKind::ResetIgnored { evidence, .. } => evidence.time,
            EventKind::Reset { at, .. } | EventKind::Fin { at, .. } => at.time,
            EventKind::Opened(_) | EventKind::Unanswered { .. } | EventKind::Dismissed { .. } => {
                opened.first.time
            }
            EventKind::Final(summary) => summary.last.time,
        },
        Told::Settings { at, .. } | Told::Silence { at, .. } => *at,
        Told::Final { record, .. } => record.summary.last.time,
    }
}

/// A time of day in UTC, to the microsecond.
pub(super) fn clock_time(time: Timestamp) -> String {
    let since = u64::try_from(time.as_nanos()).unwrap_or(0);
    let stamp =
        humantime::format_rfc3339_micros(SystemTime::UNIX_EPOCH + Duration::from_nanos(since)).to_string();
    // The day is the user's own to know.
    stamp.split_once('T').map_or(stamp.clone(), |(_, time)| time.to_owned())
}
