//! Kernel mode: an ordinary socket with keepalives, whose kernel does the probing.
//!
//! Owns the run ([`run`]): set, connect, look at the connection every [`LOOK`], say what is seen, end. No rights are
//! needed; where there are some, the packets come through the [`Wire`] and are handed on. Uses [`crate::keepalive`] for
//! what is to be expected, [`crate::frame`] and [`crate::time`].

mod expected;
mod samples;
mod socket;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

pub use self::expected::{Comparison, Held, SLACK, compare};
pub use self::samples::{Observer, Seen};
pub use self::socket::{Asked, KeepaliveSocket, Read, Setting, Value};
use super::sys::TcpInfo;
use super::wire::{Arrival, Ended, Wire, WireError};
use crate::frame::Frame;
use crate::keepalive::Settings;
use crate::time::{Span, Timestamp};

/// How often the connection is looked at.
pub const LOOK: Span = Span::from_millis(10);

/// How long the packets of an end are waited for.
const LAST_PACKETS: Span = Span::from_millis(60);

/// TCP_CLOSE of include/net/tcp_states.h.
const CLOSE: u8 = 7;

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whereto.
    pub peer: SocketAddr,
    /// From which address; the system chooses where it is absent.
    pub source: Option<IpAddr>,
    /// Through which interface; the system chooses where it is absent.
    pub interface: Option<String>,
    /// The options to set.
    pub asked: Asked,
    /// How long the connection may take to open.
    pub connect_within: Span,
    /// How long the connection is then watched.
    pub time: Option<Span>,
    /// After how many answered probes it ends.
    pub answers: Option<u32>,
}

/// What is said while it happens.
#[derive(Debug)]
pub enum Event<'a> {
    /// The options were set and read back.
    Set(&'a [Setting]),
    /// The connection is open.
    Opened {
        /// Our end.
        local: SocketAddr,
        /// When the peer's SYN,ACK came, to the kernel's tick.
        at: Timestamp,
    },
    /// A look showed something.
    Seen(Seen),
    /// A packet left or came; only with rights.
    Frame(&'a Frame<'a>),
    /// An interface went down or away.
    InterfaceLost(&'a str),
    /// The run ends.
    Ended {
        /// When.
        at: Timestamp,
        /// How.
        end: End,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The connection could not be opened.
    NotOpened(Ended),
    /// The connection ended.
    Connection(Ended),
    /// The time, or the answers that were asked for, were over.
    Enough,
    /// The user wanted it.
    Interrupted,
}

/// What a run showed.
#[derive(Debug)]
pub struct Run {
    /// The peer.
    pub peer: SocketAddr,
    /// Our end, once it was known.
    pub local: Option<SocketAddr>,
    /// The options.
    pub settings: Vec<Setting>,
    /// When connecting began.
    pub begun: Timestamp,
    /// When the peer's SYN,ACK came.
    pub established: Option<Timestamp>,
    /// What was seen, in its order.
    pub seen: Vec<Seen>,
    /// How many octets the peer sent.
    pub received: u64,
    /// The look before the last.
    pub looked: Timestamp,
    /// When the run ended: the last look.
    pub ended: Timestamp,
    /// How.
    pub end: End,
    /// The error of the socket that ended it.
    pub error: Option<io::Error>,
    /// Why this end had no way to the peer any more at the end, where nothing came back: its address or its interface
    /// is gone, or the route.
    pub cut_off: Option<io::Error>,
    /// The last that the kernel said of the connection.
    pub info: TcpInfo,
}

impl Run {
    /// The settings in force, where all of them could be read back.
    pub fn settings_in_force(&self) -> Option<Settings> {
        let of = |name: &str| self.settings.iter().find(|setting| setting.option == name)?.in_force;
        let time = |name: &str| match of(name) {
            Some(Value::Time(span)) => Some(span),
            _ => None,
        };
        let Some(Value::Number(count)) = of("TCP_KEEPCNT") else { return None };
        Some(Settings {
            idle: time("TCP_KEEPIDLE")?,
            interval: time("TCP_KEEPINTVL")?,
            count,
            user_timeout: time("TCP_USER_TIMEOUT").filter(|timeout| *timeout > Span::ZERO),
        })
    }

    /// How many probes were seen.
    pub fn probes(&self) -> u32 {
        self.seen.iter().filter(|seen| matches!(seen, Seen::Probe { .. })).count() as u32
    }

    /// How many of the probes seen got an answer, counting the last before each.
    pub fn answers(&self) -> u32 {
        self.seen.iter().filter(|seen| matches!(seen, Seen::Answer { .. })).count() as u32
    }

    /// How many probes waited for an answer at the end.
    pub fn outstanding(&self) -> u32 {
        match self.seen.last() {
            Some(Seen::Probe { outstanding, .. }) => *outstanding,
            Some(Seen::Answer { .. } | Seen::Data { .. }) | None => 0,
        }
    }

    /// What became of the peer.
    pub fn verdict(&self) -> Verdict {
        match self.end {
            _ if self.cut_off.is_some() => Verdict::CutOff,
            End::NotOpened(how) | End::Connection(how) => match how {
                Ended::Refused => Verdict::Refused,
                Ended::Reset => Verdict::Reset,
                Ended::TimedOut => Verdict::TimedOut,
                Ended::Unreachable => Verdict::Unreachable,
                Ended::ClosedByPeer => Verdict::Closed,
                Ended::Other(_) => Verdict::Failed,
            },
            End::Enough | End::Interrupted if self.outstanding() > 0 => Verdict::Silent,
            End::Enough | End::Interrupted if self.answers() > 0 => Verdict::Alive,
            End::Enough | End::Interrupted => Verdict::NoProbe,
        }
    }
}

/// What became of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The last probe was answered.
    Alive,
    /// The last probes were not answered; the kernel has not given up.
    Silent,
    /// Nothing answered, and the kernel gave up.
    TimedOut,
    /// A RST ended the connection.
    Reset,
    /// An ICMP error, or no route, when the kernel gave up or connected.
    Unreachable,
    /// A RST answered the SYN.
    Refused,
    /// The peer closed its side in order.
    Closed,
    /// The socket failed otherwise.
    Failed,
    /// No probe was due in this time.
    NoProbe,
    /// Nothing came back, but this end had no way to the peer any more, so that tells nothing.
    CutOff,
}

impl Verdict {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Alive => "alive",
            Verdict::Silent => "silent",
            Verdict::TimedOut => "timed_out",
            Verdict::Reset => "reset",
            Verdict::Unreachable => "unreachable",
            Verdict::Refused => "refused",
            Verdict::Closed => "closed_by_peer",
            Verdict::Failed => "failed",
            Verdict::NoProbe | Verdict::CutOff => "inconclusive",
        }
    }
}

/// Holds a connection and says what its kernel does.
///
/// # Errors
/// If there is no socket, or nothing can be waited for. What becomes of the connection is no error.
pub fn run(
    plan: &Plan,
    wire: &mut dyn Wire,
    tell: &mut dyn FnMut(&Event<'_>) -> io::Result<()>,
) -> Result<Run, RunError> {
    let socket = KeepaliveSocket::new(plan.peer, plan.source, plan.interface.as_deref())
        .map_err(|error| WireError::System { operation: "socket", error })?;
    let mut settings = socket.set(&plan.asked);
    tell(&Event::Set(&settings))?;
    if let Some((option, error, range)) = settings.iter_mut().find_map(Setting::take_refusal) {
        return Err(RunError::Refused { option, error, range });
    }
    let begun = wire.now();
    let mut run = Run {
        peer: plan.peer,
        local: None,
        settings,
        begun,
        established: None,
        seen: Vec::new(),
        received: 0,
        looked: begun,
        ended: begun,
        end: End::Enough,
        error: None,
        cut_off: None,
        info: TcpInfo::default(),
    };
    run.end = match open(plan, &socket, wire, &mut run, tell)? {
        Some(end) => end,
        None => {
            let local =
                socket.local().map_err(|error| WireError::System { operation: "getsockname", error })?;
            run.local = Some(local);
            watch(plan, &socket, wire, &mut run, tell)?
        }
    };
    if let End::Connection(_) = run.end {
        let until = wire.now().plus(LAST_PACKETS);
        pass(wire, until, tell)?;
    }
    let silence = matches!(run.verdict(), Verdict::Silent | Verdict::TimedOut | Verdict::Unreachable);
    run.cut_off = run.local.filter(|_| silence).and_then(|local| no_way(local, plan.peer));
    tell(&Event::Ended { at: run.ended, end: run.end })?;
    Ok(run)
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The system refused an option; then nothing is connected.
    #[error("{option} was refused: {error}; the system takes {range}")]
    Refused {
        /// Its name.
        option: &'static str,
        /// What the system said.
        error: io::Error,
        /// What it takes.
        range: &'static str,
    },
    /// The system does not let us.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Nobody can be told what happens.
    #[error("cannot write the result: {0}")]
    Tell(#[from] io::Error),
}

/// Opens the connection; returns how it ended if it did not open.
fn open(
    plan: &Plan,
    socket: &KeepaliveSocket,
    wire: &mut dyn Wire,
    run: &mut Run,
    tell: &mut dyn FnMut(&Event<'_>) -> io::Result<()>,
) -> Result<Option<End>, RunError> {
    let not_opened = |run: &mut Run, error: Option<io::Error>, now| {
        run.ended = now;
        let how = error.as_ref().map_or(Ended::TimedOut, how);
        run.error = error;
        Ok(Some(End::NotOpened(how)))
    };
    if let Err(error) = socket.connect() {
        let now = wire.now();
        return not_opened(run, Some(error), now);
    }
    let give_up = run.begun.plus(plan.connect_within);
    loop {
        let now = wire.now();
        if let Some(error) = socket.take_error() {
            return not_opened(run, Some(error), now);
        }
        run.info = socket.info().map_err(|error| WireError::System { operation: "TCP_INFO", error })?;
        // SYN_SENT is 2; whatever follows it has been established.
        if !matches!(run.info.state, 2 | CLOSE) {
            return Ok(None);
        }
        if now >= give_up {
            return not_opened(run, None, now);
        }
        if !pass(wire, now.plus(LOOK).min(give_up), tell)? {
            run.ended = wire.now();
            return Ok(Some(End::Interrupted));
        }
    }
}

/// Looks at the open connection until it ends.
fn watch(
    plan: &Plan,
    socket: &KeepaliveSocket,
    wire: &mut dyn Wire,
    run: &mut Run,
    tell: &mut dyn FnMut(&Event<'_>) -> io::Result<()>,
) -> Result<End, RunError> {
    let first = wire.now();
    let idle = run.settings_in_force().map_or(Span::from_secs(1), |settings| settings.idle);
    let mut observer = Observer::new(first, &run.info, idle);
    let established = observer.heard().max(run.begun);
    run.ended = first;
    run.established = Some(established);
    if let Some(local) = run.local {
        tell(&Event::Opened { local, at: established })?;
    }
    let until = plan.time.map(|time| established.plus(time));
    loop {
        let now = wire.now();
        let read = socket.discard();
        run.info = socket.info().map_err(|error| WireError::System { operation: "TCP_INFO", error })?;
        for seen in observer.look(now, &run.info) {
            run.seen.push(seen);
            tell(&Event::Seen(seen))?;
        }
        (run.looked, run.ended) = (run.ended, now);
        match read {
            Ok(Read::Octets(octets)) => run.received += octets,
            Ok(Read::End) => return Ok(End::Connection(Ended::ClosedByPeer)),
            Err(error) => {
                let how = how(&error);
                run.error = Some(error);
                return Ok(End::Connection(how));
            }
        }
        let enough =
            plan.answers.is_some_and(|answers| run.answers() >= answers && observer.outstanding() == 0);
        if enough || until.is_some_and(|until| now >= until) {
            return Ok(End::Enough);
        }
        let next = now.plus(LOOK);
        if !pass(wire, until.map_or(next, |until| until.min(next)), tell)? {
            run.ended = wire.now();
            return Ok(End::Interrupted);
        }
    }
}

/// Why packets from here do not even leave for the peer, if that is so. Connecting UDP sends nothing, but needs the
/// address and a route.
fn no_way(mut local: SocketAddr, peer: SocketAddr) -> Option<io::Error> {
    local.set_port(0);
    UdpSocket::bind(local).and_then(|socket| socket.connect(peer)).err()
}

/// Waits until a time; false if the user wants an end.
fn pass(
    wire: &mut dyn Wire,
    until: Timestamp,
    tell: &mut dyn FnMut(&Event<'_>) -> io::Result<()>,
) -> Result<bool, RunError> {
    loop {
        match wire.next(Some(until))? {
            Arrival::Frame(frame) => tell(&Event::Frame(&frame))?,
            Arrival::InterfaceLost { name } => tell(&Event::InterfaceLost(&name))?,
            Arrival::Deadline => return Ok(true),
            Arrival::Interrupted => return Ok(false),
            // The connection is our own, and the wire's time does not step.
            Arrival::Opened { .. }
            | Arrival::Ended { .. }
            | Arrival::Octets { .. }
            | Arrival::ClockStepped { .. }
            | Arrival::Woken => {}
        }
    }
}

/// What an error of the socket says of the connection.
fn how(error: &io::Error) -> Ended {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => Ended::Refused,
        Some(libc::ECONNRESET | libc::EPIPE) => Ended::Reset,
        Some(libc::ETIMEDOUT) => Ended::TimedOut,
        Some(libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EHOSTDOWN | libc::ENETDOWN) => Ended::Unreachable,
        other => Ended::Other(other.unwrap_or(0)),
    }
}
