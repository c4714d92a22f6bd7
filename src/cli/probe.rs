//! `keepscope probe`: connections to a peer, left idle, probed and judged.

mod kernel;
mod output;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use self::output::Output;
use super::{Color, Exit, complain, duration};
use crate::keepalive::Settings;
use crate::live::engine::plan::{Octets, Order, Plan, Until};
use crate::live::engine::verdict::State;
use crate::live::engine::{self, Report};
use crate::live::filter::Filter;
use crate::live::kernel::Asked as SocketOptions;
use crate::live::netns::NetNs;
use crate::live::recording::Recording;
use crate::live::system::{Need, Options, System};
use crate::live::target::Target;
use crate::live::wire::{Connect, Wire};
use crate::report::probe::{Asked, overall};
use crate::time::Span;

const EXAMPLES: &str = "\
Examples:
  keepscope probe example.net:443                   silences of a second, a probe after each
  keepscope probe --idle 350s --rounds 1 192.0.2.1:22    does the path keep it for 350 s?
  keepscope probe --octets both [2001:db8::1]:80    both kinds of probe, and a guess at the stack
  keepscope probe --connections 100 --write run.pcapng example.net:443
  keepscope probe --kernel --idle 300s --interval 75s --count 9 example.net:443
                                                    what this machine's own kernel does, against what was set
  keepscope probe --format json example.net:443 | jq .probe.verdict

In a terminal it opens a screen, on which more peers can be probed, settings changed and packets recorded; ? shows
its keys. With --plain or --format, and elsewhere, it writes lines and ends after five rounds.

The connection is an ordinary one and is closed in order; what the peer sends is thrown away. Beside it only
probes are sent, at SND.NXT-1. That takes CAP_NET_RAW; without it the command that grants it is named.

With --kernel nothing is sent beside it: the kernel probes an ordinary socket, which takes no rights. What was set
is read back, and what TCP_INFO shows every 10 ms is held against the prediction; with CAP_NET_RAW the packets are
held against it too, rule by rule as by 'keepscope verify'. A rule that was broken is exit code 1.

Exit codes:
  0 alive   1 silent, reset, refused, unreachable or closed by the peer   2 usage, or no such host
  3 rights missing   4 inconclusive   130 interrupted (the summary is written)";

/// Linux answers probes without data at most once in this time (`net.ipv4.tcp_invalid_ratelimit`).
const ANSWER_LIMIT: Span = Span::from_millis(500);

/// Silences to end with an answer, where nothing was said.
const ROUNDS: u32 = 5;

const TOO_FAST: &str = "note: Linux answers probes without data at most once in 500 ms; of faster ones some stay \
                        unanswered (--octets 1 is always answered)";

/// What to probe, and how.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The peer: a name or an address with a port, IPv6 addresses in brackets
    #[arg(value_name = "HOST:PORT", value_hint = ValueHint::Hostname)]
    target: Target,

    /// Silence before a probe. Short by default, so that five rounds take five seconds; to test what a path
    /// forgets, say as long as the application would be idle
    #[arg(long, value_name = "D", default_value = "1s", value_parser = duration::parse)]
    idle: Span,

    /// Time between probes while none is answered
    #[arg(long, value_name = "D", default_value = "1s", value_parser = duration::parse)]
    interval: Span,

    /// Probes without an answer after which the peer is called silent
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,

    /// Let this machine's kernel probe, as it is set by --idle, --interval, --count (SO_KEEPALIVE, TCP_KEEPIDLE,
    /// TCP_KEEPINTVL, TCP_KEEPCNT), and see whether it does as promised. Needs no rights
    #[arg(long, conflicts_with_all = ["octets", "connections", "max_rate", "plain"])]
    kernel: bool,

    /// Set TCP_USER_TIMEOUT, which takes the place of the count
    #[arg(long, value_name = "D", value_parser = duration::parse, requires = "kernel")]
    user_timeout: Option<Span>,

    /// CONFIG_HZ of this kernel [default: what its coarse clock shows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1200), requires = "kernel")]
    hz: Option<u32>,

    /// Octets of a probe; both: in turn, then pairs in quick succession for a guess at the peer's stack
    #[arg(long, value_enum, default_value_t = OctetsChoice::Zero)]
    octets: OctetsChoice,

    /// Silences to end with an answer [default: 5; on the screen, until it is left]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,

    /// Probe for this long instead
    #[arg(long = "for", value_name = "D", value_parser = duration::parse, conflicts_with = "rounds")]
    span: Option<Span>,

    /// How long to wait for the answer to a SYN
    #[arg(long, value_name = "D", default_value = "10s", value_parser = duration::parse)]
    connect_timeout: Span,

    /// Source address
    #[arg(long, value_name = "ADDR")]
    source: Option<IpAddr>,

    /// Interface to send and listen on; all that are up by default
    #[arg(long, value_name = "IF")]
    interface: Option<String>,

    /// IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,

    /// IPv6 only
    #[arg(short = '6', long)]
    ipv6: bool,

    /// Network namespace to probe from, by name or by the id of a process; names of hosts are looked up outside
    #[arg(long, value_name = "NAME|PID")]
    netns: Option<NetNs>,

    /// Connections at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,

    /// SYNs and probes a second at most, all connections together
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_rate: u32,

    /// Record the packets in a new file, .pcapng or .pcap
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,

    /// Let --write take the place of a file
    #[arg(long, requires = "write")]
    force: bool,

    /// Text without colours, with absolute times and named values: a line for each thing that happens; no screen
    #[arg(long)]
    plain: bool,

    /// Colour the text
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    color: Color,

    /// How to show the result [default: a screen in a terminal, text elsewhere]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OctetsChoice {
    /// As Linux, the BSDs and macOS probe
    #[value(name = "0")]
    Zero,
    /// As Windows and illumos probe
    #[value(name = "1")]
    One,
    Both,
}

impl From<OctetsChoice> for Octets {
    fn from(choice: OctetsChoice) -> Self {
        match choice {
            OctetsChoice::Zero => Octets::Zero,
            OctetsChoice::One => Octets::One,
            OctetsChoice::Both => Octets::Both,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people: a line for each thing that happens, then a verdict
    Text,
    /// One document at the end, schema keepscope.analysis/1 with what was asked and the verdicts
    Json,
    /// One event per line as it happens, schema keepscope.events/1, then the verdicts
    Jsonl,
}

impl Arguments {
    /// What is wrong with them beyond what each of them shows.
    fn problem(&self) -> Option<&'static str> {
        let zero = [Some(self.idle), Some(self.interval), self.span, Some(self.connect_timeout)];
        if zero.into_iter().flatten().any(|span| span <= Span::ZERO) {
            return Some("a time of nothing makes no sense here");
        }
        if self.octets == OctetsChoice::Both && self.count < 2 {
            return Some("--octets both needs a --count of 2 at least, so that either kind is tried");
        }
        if self.span.is_some_and(|span| span <= self.idle) {
            return Some("--for is no longer than --idle, so no probe would be due");
        }
        let source_v4 = self.source.map(|source| source.is_ipv4());
        if (source_v4 == Some(true) && self.ipv6) || (source_v4 == Some(false) && self.ipv4) {
            return Some("the source address is of the other IP version");
        }
        if self.plain && self.format.is_some_and(|format| format != Format::Text) {
            return Some("--plain is a form of text; leave out --format");
        }
        None
    }

    /// How often a connection is probed at most, in seconds, where the rate is what slows it down.
    fn slowed_to(&self) -> Option<u32> {
        let every = Span::from_nanos(1_000_000_000 / i64::from(self.max_rate)).times(self.connections.into());
        (every > self.idle).then(|| u32::from(self.connections).div_ceil(self.max_rate))
    }

    /// Which addresses will do: IPv4 (true), IPv6 (false), or either.
    fn family(&self) -> Option<bool> {
        match (self.ipv4, self.ipv6) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => self.source.map(|source| source.is_ipv4()),
        }
    }

    fn format(&self) -> Format {
        self.format.unwrap_or(Format::Text)
    }

    fn order(&self, address: SocketAddr) -> Order {
        Order {
            connect: Connect { peer: address, source: self.source },
            settings: Settings {
                idle: self.idle,
                interval: self.interval,
                count: self.count,
                user_timeout: None,
            },
            octets: self.octets.into(),
            until: self.span.map_or(Until::Rounds(self.rounds.unwrap_or(ROUNDS)), Until::For),
        }
    }

    fn kernel_mode(&self, peer: SocketAddr) -> kernel::Options {
        kernel::Options {
            peer,
            asked: SocketOptions {
                idle: Some(self.idle),
                interval: Some(self.interval),
                count: Some(self.count),
                user_timeout: self.user_timeout,
            },
            hz: self.hz,
            connect_within: self.connect_timeout,
            time: self.span,
            answers: self.span.is_none().then_some(self.rounds.unwrap_or(ROUNDS)),
            source: self.source,
            interface: self.interface.clone(),
            netns: self.netns.clone(),
            write: self.write.clone(),
            force: self.force,
            format: self.format(),
        }
    }

    fn asked(&self, address: SocketAddr) -> Asked {
        Asked {
            host: self.target.host.chars().filter(|letter| !letter.is_control()).collect(),
            address,
            order: self.order(address),
            connections: usize::from(self.connections),
            max_rate: self.max_rate,
            source: self.source,
            interface: self.interface.clone(),
            netns: self.netns.as_ref().map(ToString::to_string),
            recording: self.write.as_ref().map(|path| path.display().to_string()),
        }
    }
}

/// Probes and writes what came of it.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    let refuse = |problem: &dyn std::fmt::Display| {
        complain(&format!("error: {problem}"));
        Ok(Exit::BadInput)
    };
    if let Some(problem) = arguments.problem() {
        return refuse(&problem);
    }
    let address = match arguments.target.resolve(arguments.family()) {
        Ok(address) => address,
        Err(problem) => return refuse(&problem),
    };
    if arguments.kernel {
        return kernel::run(&arguments.kernel_mode(address));
    }
    if arguments.octets == OctetsChoice::Zero && arguments.idle.min(arguments.interval) < ANSWER_LIMIT {
        complain(TOO_FAST);
    }
    if let Some(every) = arguments.slowed_to() {
        let (packets, all) = (arguments.max_rate, arguments.connections);
        complain(&format!(
            "note: at {packets} packets a second each of {all} connections is probed every {every} s at most (--max-rate)"
        ));
    }
    let asked = arguments.asked(address);
    // Before rights are given up: under sudo they are what lets a file be made in somebody's folder.
    let about = format!("keepscope probe of {address}");
    let recording = arguments.write.as_deref().map(|path| Recording::create(path, arguments.force, &about));
    let mut recording = match recording.transpose() {
        Ok(recording) => recording,
        Err(problem) => return refuse(&problem),
    };
    let on_screen = wants_screen(arguments);
    let mut wire = match System::open(&options(arguments, address, !on_screen)) {
        Ok(wire) => wire,
        Err(problem) => {
            recording.into_iter().for_each(Recording::discard);
            complain(&format!("error: {problem}"));
            return Ok(if problem.lacks_rights() { Exit::RightsMissing } else { Exit::BadInput });
        }
    };
    #[cfg(feature = "dashboard")]
    if on_screen {
        return screen(arguments, &asked, wire, recording);
    }
    if let Some(recording) = &mut recording {
        for (interface, number) in wire.listening().zip(0..) {
            recording.name_interface(number, interface.name());
        }
    }
    let plan = Plan {
        orders: vec![asked.order; asked.connections],
        max_rate: asked.max_rate,
        open_within: arguments.connect_timeout,
        hash_seed: RandomState::new().hash_one(0),
    };
    let mut output = Output::begin(arguments, &asked, recording, wire.now())?;
    match engine::run(&mut wire, &plan, &mut output) {
        Ok(mut report) => {
            let now = wire.now();
            // Whoever read the output has seen enough.
            if let Some(error) = report.unheard.take() {
                output.finish_recording(now, report.received);
                return Err(error);
            }
            output.finish(&asked, &report, now)?;
            Ok(exit(&report).if_kept(output.has_kept_all()))
        }
        Err(problem) => refuse(&problem),
    }
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

/// Probes on the screen, until it is left where nothing was said of an end.
#[cfg(feature = "dashboard")]
fn screen(
    arguments: &Arguments,
    asked: &Asked,
    system: System,
    recording: Option<Recording>,
) -> io::Result<Exit> {
    use crate::dashboard::live;
    let ends = arguments.rounds.is_some() || arguments.span.is_some();
    let until = if ends { asked.order.until } else { Until::Stopped };
    let octets = match arguments.octets {
        OctetsChoice::Zero => live::Octets::Zero,
        OctetsChoice::One => live::Octets::One,
        OctetsChoice::Both => live::Octets::Both,
    };
    let start = live::driver::Start {
        orders: vec![Order { until, ..asked.order }; asked.connections],
        recording: arguments.write.clone().zip(recording),
        max_rate: asked.max_rate,
        open_within: arguments.connect_timeout,
        source: arguments.source,
        family: arguments.family(),
        ..super::live_screen::source(system)
    };
    let manner = live::Manner { settings: asked.order.settings, octets };
    super::live_screen::show(start, manner, &super::dashboard::Looks::preferred())
}

fn options(arguments: &Arguments, address: SocketAddr, signals: bool) -> Options {
    Options {
        interfaces: arguments.interface.iter().cloned().collect(),
        netns: arguments.netns.clone(),
        sniff: Need::Required,
        send: Need::Required,
        filter: Filter::Peers(vec![address]),
        signals,
    }
}

/// The exit code that says how a run went.
pub(super) fn exit(report: &Report) -> Exit {
    if let Some(error) = &report.broken {
        complain(&format!("error: {error}"));
    }
    if report.interrupted {
        return Exit::Interrupted;
    }
    match overall(report) {
        State::Alive => Exit::Done,
        State::Inconclusive => Exit::Inconclusive,
        _ => Exit::Failed,
    }
}
