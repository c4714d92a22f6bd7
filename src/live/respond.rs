//! The partner behind the box: `keepscope respond`.
//!
//! Owns [`Responder`]: it drives [`crate::partner::server`] over real sockets, on one thread, and waits for everything
//! at one place. Nothing is ever sent but on connections that were accepted. Octets and the kernel's own keepalive
//! probes take no rights; with CAP_NET_RAW it sees its packets too, and can send probes with an octet that the kernel
//! would not. Uses everything of [`crate::live`] that needs the system.

mod sight;
mod sockets;
mod watch;

use std::io;
use std::net::SocketAddr;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use socket2::Socket;

use self::sight::{Look, Sight};
use self::sockets::{Accepted, Heard, Sockets, endpoint};
use self::watch::{Known, Watches};
use super::filter::Filter;
use super::netns::{NetNs, NetNsError};
use super::sys;
use super::system::{self, Need, System};
use super::wire::{Arrival, Wire, WireError};
use crate::analysis::filter::{Condition, End as Ends};
use crate::partner::Tuple;
use crate::partner::message::{Abilities, AskId, Ending, Form, Nonce, NotSent};
use crate::partner::octet;
use crate::partner::secret::Secret;
use crate::partner::server::{Action, Limits, News, Server, Token};
use crate::segment::decode::{Decoded, decode};
use crate::time::{Span, Timestamp};

/// Octets that are read at once.
const READ: usize = 4096;

/// Connections that are accepted before others have their turn.
const ACCEPTS: usize = 64;

/// How long to leave the others unaccepted when the system has no room.
const NO_ROOM: Span = Span::from_millis(250);

/// The longest wait: a time that was slept through is seen so late at most.
const LONGEST_WAIT: Span = Span::from_secs(30);

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// The network namespace to be in. The calling thread stays in it.
    pub netns: Option<NetNs>,
    /// What a client has to know.
    pub secret: Secret,
    /// What is allowed.
    pub limits: Limits,
    /// Ends after the first session.
    pub once: bool,
}

/// Why nothing can be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RespondError {
    /// Others could reach it, and there is no secret.
    #[error(
        "{0} can be reached from other hosts, so a secret is needed: put one into {variable} or give --token-file \
         (openssl rand -hex 16 makes one)",
        variable = crate::partner::TOKEN_VARIABLE
    )]
    SecretNeeded(SocketAddr),
    /// It cannot listen there.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The network namespace cannot be entered.
    #[error("--netns: {0}")]
    NetNs(#[from] NetNsError),
    /// The system cannot be used.
    #[error(transparent)]
    System(#[from] system::OpenError),
    /// Nothing can be waited for any more.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A system call failed.
    #[error("{operation}: {error}")]
    Call {
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl RespondError {
    /// Whether more rights would help.
    pub fn lacks_rights(&self) -> bool {
        match self {
            RespondError::NetNs(error) => matches!(error, NetNsError::Denied { .. }),
            RespondError::System(error) => error.lacks_rights(),
            RespondError::Listen { error, .. } => error.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By a signal.
    Interrupted,
    /// The first session is over.
    Once,
    /// What was to be told is wanted no more.
    Unheard,
}

/// A responder.
pub struct Responder {
    server: Server,
    listeners: Vec<Socket>,
    addresses: Vec<SocketAddr>,
    system: System,
    sockets: Sockets,
    watches: Watches,
    sight: Sight,
    abilities: Abilities,
    once: bool,
    /// Sessions that are over.
    over: u64,
    /// Accepting is left for later.
    crowded: Option<Timestamp>,
    buffer: Vec<u8>,
}

/// What is ready.
#[derive(Clone, Copy)]
enum Ready {
    System,
    Listener(usize),
    Connection(Token, PollFlags),
}

impl Responder {
    /// Opens all sockets, then gives up all rights of the calling thread.
    ///
    /// # Errors
    /// If it cannot listen, or must not without a secret.
    pub fn open(options: &Options) -> Result<Self, RespondError> {
        if let Some(beyond) = options.listen.iter().find(|address| !address.ip().to_canonical().is_loopback())
            && !options.secret.is_some()
        {
            return Err(RespondError::SecretNeeded(*beyond));
        }
        if let Some(netns) = &options.netns {
            netns.enter()?;
        }
        // Low ports take rights, which are given up next.
        let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
        for address in &options.listen {
            let failed = |error| RespondError::Listen { address: *address, error };
            let socket = sockets::listen(*address).map_err(failed)?;
            addresses.extend(socket.local_addr().map_err(failed)?.as_socket());
            listeners.push(socket);
        }
        let ports = addresses.iter().map(|address| Ends { network: None, port: Some(address.port()) });
        let system = System::open(&system::Options {
            interfaces: Vec::new(),
            netns: None,
            sniff: Need::IfAllowed,
            send: Need::IfAllowed,
            filter: Filter::ends(vec![Condition { negated: false, any: ports.collect() }]),
            signals: true,
        })?;
        let abilities = Abilities {
            keepalive: true,
            garbage: system.sniffs() && system.sends(),
            strays: system.sniffs(),
        };
        Ok(Self {
            server: Server::new(options.secret.clone(), options.limits, abilities),
            listeners,
            addresses,
            system,
            sockets: Sockets::default(),
            watches: Watches::default(),
            sight: Sight::default(),
            abilities,
            once: options.once,
            over: 0,
            crowded: None,
            buffer: vec![0; READ],
        })
    }

    /// Where it listens.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What it can do.
    pub fn abilities(&self) -> Abilities {
        self.abilities
    }

    /// Answers until a signal comes, or the first session is over; `tell` is told what happens, and may end it by
    /// false. Sessions and connections are then closed in order, for which it waits a moment.
    ///
    /// # Errors
    /// If nothing can be waited for any more.
    pub fn run(&mut self, tell: &mut dyn FnMut(Timestamp, &News) -> bool) -> Result<End, RespondError> {
        let end = loop {
            let interrupted = self.turn()?;
            let heard = self.pass_on(tell);
            if !heard {
                break End::Unheard;
            }
            if interrupted {
                break End::Interrupted;
            }
            if self.once && self.over > 0 {
                break End::Once;
            }
        };
        self.listeners.clear();
        self.server.stop(self.system.now());
        self.act();
        self.pass_on(tell);
        while self.sockets.lingering() > 0 {
            // A second signal ends it now.
            if self.turn()? {
                break;
            }
        }
        Ok(end)
    }

    /// Tells what happened; false if nobody wants to know any more.
    fn pass_on(&mut self, tell: &mut dyn FnMut(Timestamp, &News) -> bool) -> bool {
        let mut heard = true;
        while let Some((at, news)) = self.server.poll_news() {
            self.over += u64::from(matches!(news, News::Over { .. }));
            heard = heard && tell(at, &news);
        }
        heard
    }

    /// Waits for what comes next and looks after it; true if a signal came.
    fn turn(&mut self) -> Result<bool, RespondError> {
        let ready = self.wait()?;
        let mut interrupted = false;
        for ready in ready {
            match ready {
                Ready::Listener(number) => self.accept(number)?,
                Ready::Connection(token, flags) => self.converse(token, flags),
                // Last, so that what is accepted is known before its packets are looked at.
                Ready::System => interrupted |= self.look_around()?,
            }
            self.act();
        }
        let now = self.system.now();
        for known in self.watches.look(now, |token| self.sockets.socket(token)) {
            match known {
                Known::Sent { token, id, form, idle } => self.server.on_sent(now, token, id, form, idle),
                Known::NotSent { token, id } => self.server.on_not_sent(now, token, id, NotSent::Refused),
                Known::Back { token, id, back } => self.server.on_back(now, token, id, back),
            }
        }
        self.server.on_timeout(now);
        self.act();
        self.sockets.let_go(now);
        Ok(interrupted)
    }

    fn wait(&mut self) -> Result<Vec<Ready>, RespondError> {
        let now = self.system.now();
        if self.crowded.is_some_and(|until| until <= now) {
            self.crowded = None;
        }
        let times = [
            self.server.next_timeout(),
            self.watches.next_timeout(),
            self.sockets.next_timeout(),
            self.crowded,
            Some(now.plus(LONGEST_WAIT)),
        ];
        let until = times.into_iter().flatten().min().unwrap_or(now);
        let nanos = until.since(now).as_nanos().max(0);
        let span = Timespec { tv_sec: nanos / 1_000_000_000, tv_nsec: nanos % 1_000_000_000 };
        let (mut names, mut places) = (Vec::new(), Vec::new());
        if self.crowded.is_none() {
            for (number, listener) in self.listeners.iter().enumerate() {
                names.push(Ready::Listener(number));
                places.push(PollFd::new(listener, PollFlags::IN));
            }
        }
        for (token, socket, wanted) in self.sockets.waiting() {
            names.push(Ready::Connection(token, PollFlags::empty()));
            places.push(PollFd::from_borrowed_fd(socket, wanted));
        }
        let readiness = self.system.readiness();
        names.push(Ready::System);
        places.push(PollFd::new(&readiness, PollFlags::IN));
        match poll(&mut places, Some(&span)) {
            // A signal has a descriptor of its own.
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(RespondError::Call { operation: "waiting", error: error.into() }),
        }
        let happened = names.into_iter().zip(&places).filter(|(_, place)| !place.revents().is_empty());
        Ok(happened
            .map(|(name, place)| match name {
                Ready::Connection(token, _) => Ready::Connection(token, place.revents()),
                other => other,
            })
            .collect())
    }

    fn accept(&mut self, number: usize) -> Result<(), RespondError> {
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get(number) else { return Ok(()) };
            let now = self.system.now();
            match self.sockets.accept(listener) {
                Accepted::Connection(token, seen) => {
                    self.sight.enter(token, seen);
                    self.server.on_accepted(now, token, seen, unpredictable()?);
                    self.act();
                }
                Accepted::Gone => {}
                Accepted::Nobody => return Ok(()),
                Accepted::NoRoom => {
                    self.crowded = Some(now.plus(NO_ROOM));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Looks after a connection of which the system reports something.
    fn converse(&mut self, token: Token, flags: PollFlags) {
        if flags.contains(PollFlags::OUT)
            && let Err(how) = self.sockets.flush(token)
        {
            return self.ended(token, how, Span::ZERO);
        }
        if !flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            return;
        }
        // Asked before it is read: with its end the socket is gone.
        let info = self.sockets.socket(token).and_then(|socket| sys::tcp_info(socket).ok());
        let mut buffer = std::mem::take(&mut self.buffer);
        match self.sockets.read(token, &mut buffer) {
            Heard::Octets(count) => {
                let octets = buffer.get(..count).unwrap_or(&[]);
                self.server.on_octets(self.system.now(), token, octets);
            }
            Heard::Nothing => {}
            Heard::Ended(how) => self.ended(token, how, info.as_ref().map_or(Span::ZERO, watch::idle)),
        }
        self.buffer = buffer;
    }

    /// A connection ended by itself.
    fn ended(&mut self, token: Token, how: Ending, idle: Span) {
        self.watches.forget(token);
        self.sight.leave(token);
        self.server.on_ended(self.system.now(), token, how, idle);
    }

    /// Reads packets and signals; true if a signal came.
    fn look_around(&mut self) -> Result<bool, RespondError> {
        let now = self.system.now();
        let addresses = &self.addresses;
        let is_ours = |tuple: &Tuple| {
            addresses.iter().map(|address| endpoint(*address)).any(|listening| {
                let any = listening.address.is_unspecified() || listening.address == tuple.local.address;
                any && listening.port == tuple.local.port
            })
        };
        let mut interrupted = false;
        loop {
            match self.system.next(Some(now))? {
                Arrival::Deadline => return Ok(interrupted),
                Arrival::Interrupted => interrupted = true,
                Arrival::Frame(frame) => {
                    if let Decoded::Segment(segment) = decode(&frame)
                        && let Look::Stray(seen) = self.sight.on_segment(&segment, is_ours)
                    {
                        self.server.on_stray(segment.time, seen);
                    }
                }
                _ => {}
            }
        }
    }

    /// Does what the server wants done.
    fn act(&mut self) {
        while let Some(action) = self.server.poll_action() {
            match action {
                Action::Write { token, octets } => {
                    if let Err(how) = self.sockets.write(token, &octets) {
                        self.ended(token, how, Span::ZERO);
                    }
                }
                Action::Close { token, abort } => {
                    self.watches.forget(token);
                    self.sight.leave(token);
                    self.sockets.close(token, abort, self.system.now());
                }
                Action::Send { token, id, form, watch } => self.send((token, id, form), watch),
            }
        }
    }

    /// Sends something on a test connection and begins to watch what comes back.
    fn send(&mut self, name: (Token, AskId, Form), span: Span) {
        let (token, id, form) = name;
        let now = self.system.now();
        let found = self.sockets.socket(token).and_then(|one| Some((one, sys::tcp_info(one).ok()?)));
        let Some((socket, before)) = found else {
            return self.server.on_not_sent(now, token, id, NotSent::NoConnection);
        };
        let idle = watch::idle(&before);
        let clear = before.unacked == 0 && before.not_sent == 0;
        let sent = match form {
            Form::Data(_) if self.sockets.is_clogged(token) => Err(NotSent::Refused),
            Form::Data(octets) => {
                let octets = vec![octet::PROBE; usize::from(octets)];
                match self.sockets.write(token, &octets) {
                    Ok(()) => Ok(true),
                    Err(how) => return self.ended(token, how, idle),
                }
            }
            Form::Keepalive(_) if !clear || self.watches.is_launching(token) => Err(NotSent::Refused),
            Form::Keepalive(0) if idle < watch::LEAST_IDLE => Err(NotSent::Refused),
            Form::Keepalive(0) => match self.watches.launch(socket, name, span, now, before) {
                Ok(()) => Ok(false),
                Err(_) => Err(NotSent::Refused),
            },
            Form::Keepalive(_) => match self.sight.probe(token) {
                None => Err(NotSent::NotAble),
                Some(probe) => self.system.send(&probe).map(|()| true).map_err(|_| NotSent::Refused),
            },
        };
        match sent {
            Ok(true) => {
                self.server.on_sent(now, token, id, form, idle);
                self.watches.begin(name, span, now, before);
            }
            // The kernel will.
            Ok(false) => {}
            Err(why) => self.server.on_not_sent(now, token, id, why),
        }
    }
}

impl std::fmt::Debug for Responder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Responder").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Random octets of the system.
fn unpredictable() -> Result<Nonce, RespondError> {
    let failed =
        |error: Errno| RespondError::Call { operation: "asking for random octets", error: error.into() };
    let mut nonce = Nonce::default();
    let mut filled = 0;
    while let Some(rest) = nonce.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        filled += getrandom(rest, GetRandomFlags::empty()).map_err(failed)?;
    }
    Ok(nonce)
}
