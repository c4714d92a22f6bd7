//! The operating system as a [`Wire`]: packet sockets, raw senders, ordinary connections, clocks and signals.
//!
//! Owns [`System`] and its [`Options`]. Rights are raised only to open sockets and are given up for good before
//! the first packet is read; filters can be changed after that. One thread, one place to wait. The parts stand
//! in files of their own. Uses everything of [`crate::live`] that needs the system.

mod connection;
mod sender;
mod sniffer;
mod wait;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;

use rustix::event::epoll::EventFlags;
use socket2::{Domain, SockAddr, Socket, Type};

use self::connection::{Change, Connections};
use self::sender::Sender;
use self::sniffer::{Read, Sniffer};
pub use self::wait::Waker;
use self::wait::{Source, Waiter};
use super::clock::{Clock, SystemClock, Timeline};
use super::filter::Filter;
use super::interface::Interface;
use super::netns::{NetNs, NetNsError};
use super::privilege::{self, CannotGiveUp, RightsMissing};
use super::wire::{Arrival, Connect, Ended, Handle, Received, Wire, WireError};
use crate::frame::{Frame, FrameId, LinkType};
use crate::segment::Endpoint;
use crate::segment::encode::Outbound;
use crate::time::{Span, Timestamp};

/// Frames that are still handed out before a deadline that has passed already, so that what came in time is
/// seen in time; a frame from after the deadline ends it at once.
const LATE_FRAMES: u32 = 64;

/// How much something is needed that takes CAP_NET_RAW.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Need {
    /// Without it nothing begins.
    Required,
    /// It is left out where rights are missing.
    IfAllowed,
    /// Not at all.
    #[default]
    No,
}

/// What is wanted of the system.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// The interfaces to listen on; all that are up where none is named. Where exactly one is, connections
    /// and raw packets leave through it only.
    pub interfaces: Vec<String>,
    /// The network namespace to be in. The calling thread stays in it.
    pub netns: Option<NetNs>,
    /// Seeing packets.
    pub sniff: Need,
    /// Sending raw packets.
    pub send: Need,
    /// Which packets to see at first. [`Filter::Peers`] is extended by each connection that is opened.
    pub filter: Filter,
    /// Whether SIGINT, SIGTERM and SIGHUP become [`Arrival::Interrupted`]. A second SIGINT ends the program.
    pub signals: bool,
}

/// Why the system cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Something that is required takes rights.
    #[error(transparent)]
    RightsMissing(#[from] RightsMissing),
    /// The network namespace cannot be entered.
    #[error(transparent)]
    NetNs(#[from] NetNsError),
    /// There is no such interface.
    #[error("there is no interface {name}; there are {}", .there.join(", "))]
    NoInterface {
        /// What was asked for.
        name: String,
        /// What there is.
        there: Vec<String>,
    },
    /// It is not up.
    #[error("the interface {0} is down: sudo ip link set {0} up")]
    InterfaceDown(String),
    /// Nothing is up.
    #[error("no interface is up: sudo ip link set lo up")]
    NothingUp,
    /// Rights could not be given up.
    #[error(transparent)]
    CannotGiveUp(#[from] CannotGiveUp),
    /// A system call failed.
    #[error("{operation}: {error}")]
    System {
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl OpenError {
    /// Whether more rights would help.
    pub fn lacks_rights(&self) -> bool {
        matches!(self, OpenError::RightsMissing(_) | OpenError::NetNs(NetNsError::Denied { .. }))
    }
}

/// What waits to be told.
enum Pending {
    Opened { handle: Handle, local: Endpoint, remote: Endpoint },
    Ended { handle: Handle, how: Ended },
    Octets { handle: Handle, octets: Vec<u8> },
    InterfaceLost(String),
    Interrupted,
    Woken,
}

/// The frame that was read last, but for its octets.
struct Header {
    interface: usize,
    link: LinkType,
    time: Timestamp,
}

/// The operating system.
pub struct System<C: Clock = SystemClock> {
    timeline: Timeline<C>,
    waiter: Waiter,
    sniffers: Vec<Sniffer>,
    sender: Option<Sender>,
    connections: Connections,
    filter: Filter,
    /// The only interface, where one is named.
    device: Option<String>,
    /// The interface of each link-local peer.
    scopes: HashMap<Ipv6Addr, u32>,
    pending: VecDeque<Pending>,
    /// Sniffers that may have frames.
    ready: VecDeque<usize>,
    events: Vec<(Source, bool)>,
    frame: Vec<u8>,
    frames: u64,
    late: u32,
}

impl System {
    /// Opens all sockets with this machine's clocks, then gives up all rights of the calling thread.
    ///
    /// # Errors
    /// If something that is required cannot be had.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        Self::open_with(options, SystemClock)
    }
}

impl<C: Clock> System<C> {
    /// The same with other clocks.
    ///
    /// # Errors
    /// As [`System::open`].
    pub fn open_with(options: &Options, clock: C) -> Result<Self, OpenError> {
        let failed = |operation| move |error| OpenError::System { operation, error };
        if let Some(netns) = &options.netns {
            netns.enter()?;
        }
        let device = match options.interfaces.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        };
        let interfaces = chosen(&options.interfaces)?;
        let (sniffers, sender) = privilege::raised(|| {
            let sniffers = open_sniffers(options, interfaces)?;
            let sender = open_sender(options.send, device.as_deref())?;
            Ok::<_, OpenError>((sniffers, sender))
        })?;
        privilege::give_up()?;
        let mut waiter = Waiter::new().map_err(failed("preparing to wait"))?;
        if options.signals {
            waiter.take_signals().map_err(failed("taking signals"))?;
        }
        for (sniffer, number) in sniffers.iter().zip(0..) {
            waiter
                .add(sniffer.socket(), Source::Sniffer(number), EventFlags::IN)
                .map_err(failed("preparing to wait"))?;
        }
        Ok(Self {
            timeline: Timeline::new(clock),
            waiter,
            sniffers,
            sender,
            connections: Connections::new(),
            filter: options.filter.clone(),
            device,
            scopes: HashMap::new(),
            pending: VecDeque::new(),
            ready: VecDeque::new(),
            events: Vec::new(),
            frame: Vec::new(),
            frames: 0,
            late: 0,
        })
    }

    /// The interfaces that are listened to; a frame's interface is an index into them.
    pub fn listening(&self) -> impl Iterator<Item = &Interface> {
        self.sniffers.iter().map(|sniffer| &sniffer.interface)
    }

    /// Something by which another thread makes [`Wire::next`] return.
    ///
    /// # Errors
    /// If the system has no descriptors left.
    pub fn waker(&mut self) -> io::Result<Waker> {
        self.waiter.waker()
    }

    /// Whether packets are seen.
    pub fn sniffs(&self) -> bool {
        !self.sniffers.is_empty()
    }

    /// Whether raw packets can be sent.
    pub fn sends(&self) -> bool {
        self.sender.is_some()
    }

    /// The socket of a connection, to set options and to read [`super::sys::tcp_info`].
    pub fn socket(&self, handle: Handle) -> Option<BorrowedFd<'_>> {
        self.connections.socket(handle)
    }

    /// Connections that were closed and whose peers have not closed them yet. Going on waiting for a moment
    /// lets them end without a RST.
    pub fn closing(&self) -> usize {
        self.connections.closing()
    }

    /// Raw packets to this link-local address leave through the interface of that number, as they do where a
    /// connection was opened to it.
    pub fn reach_through(&mut self, address: Ipv6Addr, interface: u32) {
        self.scopes.insert(address, interface);
    }

    /// What becomes readable when there is something to be told, for who has other things to wait for.
    pub fn readiness(&self) -> BorrowedFd<'_> {
        self.waiter.readiness()
    }

    /// Lets other frames through from now on; takes no rights.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn set_filter(&mut self, filter: Filter) -> Result<(), WireError> {
        for sniffer in &self.sniffers {
            sniffer
                .attach(&filter.program(sniffer.interface.is_loopback()))
                .map_err(|error| WireError::System { operation: "changing the packet filter", error })?;
        }
        self.filter = filter;
        Ok(())
    }

    /// Sees to it that packets of a connection to be are seen.
    fn listen_to(&mut self, connect: &Connect) -> Result<(), WireError> {
        if self.sniffers.is_empty() {
            return Ok(());
        }
        if self.device.is_none()
            && let Some(source) = self.source_of(connect)
            && !self.is_listened_to(source)
        {
            return Err(WireError::NoInterface(connect.peer.ip()));
        }
        if let Filter::Peers(peers) = &self.filter
            && !peers.contains(&connect.peer)
        {
            let peers = peers.iter().copied().chain([connect.peer]).collect();
            self.set_filter(Filter::Peers(peers))?;
        }
        Ok(())
    }

    /// The address from which a connection would be opened; none if the system does not know, and will say so.
    fn source_of(&self, connect: &Connect) -> Option<IpAddr> {
        // Connecting UDP sends nothing, but chooses a route.
        let socket = Socket::new(Domain::for_address(connect.peer), Type::DGRAM, None).ok()?;
        if let Some(source) = connect.source {
            socket.bind(&SockAddr::from(SocketAddr::new(source, 0))).ok()?;
        }
        socket.connect(&SockAddr::from(connect.peer)).ok()?;
        socket.local_addr().ok()?.as_socket().map(|address| address.ip())
    }

    /// Whether an address is one of an interface that is listened to, or of none, as behind a foreign source.
    /// An interface that came anew has another number than the one of its name that went away.
    fn is_listened_to(&self, source: IpAddr) -> bool {
        let now = pnet::datalink::interfaces();
        let has_it =
            now.iter().filter(|interface| interface.ips.iter().any(|network| network.ip() == source));
        let mut numbers = has_it.map(|interface| interface.index).peekable();
        numbers.peek().is_none()
            || numbers.any(|number| self.listening().any(|interface| interface.index() == number))
    }

    /// Reads one frame from the sniffers that may have one.
    fn read(&mut self) -> Option<Header> {
        while let Some(number) = self.ready.pop_front() {
            let Some(sniffer) = self.sniffers.get_mut(number) else { continue };
            match sniffer.read(&mut self.frame) {
                Read::Nothing => {}
                Read::Lost => {
                    self.pending.push_back(Pending::InterfaceLost(sniffer.interface.name().to_owned()))
                }
                Read::Frame(stamp) => {
                    // The others have their turn, too.
                    self.ready.push_back(number);
                    let link = sniffer.link;
                    let time =
                        stamp.map_or_else(|| self.timeline.now(), |stamp| self.timeline.of_stamp(stamp));
                    return Some(Header { interface: number, link, time });
                }
            }
        }
        None
    }

    /// Turns what is ready into what is pending, and into sniffers to read.
    fn look_after(&mut self) {
        for (source, failed) in std::mem::take(&mut self.events) {
            match source {
                Source::Timer => {}
                Source::Signal => {
                    if self.waiter.signalled() {
                        self.pending.push_back(Pending::Interrupted);
                    }
                }
                Source::Waker => {
                    if self.waiter.woken() {
                        self.pending.push_back(Pending::Woken);
                    }
                }
                Source::Sniffer(number) => {
                    let number = number as usize;
                    if failed
                        && let Some(sniffer) = self.sniffers.get_mut(number)
                        && matches!(sniffer.lose(), Read::Lost)
                    {
                        let name = sniffer.interface.name().to_owned();
                        self.pending.push_back(Pending::InterfaceLost(name));
                    }
                    if !self.ready.contains(&number) {
                        self.ready.push_back(number);
                    }
                }
                Source::Connection(number) => {
                    let handle = Handle(number);
                    let change = self.connections.ready(number, &self.waiter);
                    // What was said before an end is told before it.
                    if let Some(octets) = self.connections.take_heard(handle) {
                        self.pending.push_back(Pending::Octets { handle, octets });
                    }
                    self.pending.extend(change.map(|change| match change {
                        Change::Opened { local, remote } => Pending::Opened { handle, local, remote },
                        Change::Ended(how) => Pending::Ended { handle, how },
                    }));
                }
            }
        }
    }

    /// Waits for what comes next; none when a frame was read.
    fn next_event(
        &mut self,
        until: Option<Timestamp>,
    ) -> Result<Result<Header, Arrival<'static>>, WireError> {
        loop {
            if let Some(step) = self.timeline.step() {
                return Ok(Err(Arrival::ClockStepped { nanos: step.as_nanos() }));
            }
            if let Some(pending) = self.pending.pop_front() {
                return Ok(Err(pending.into()));
            }
            let due = until.is_some_and(|until| self.timeline.now() >= until);
            if !due {
                self.late = 0;
            } else if self.late >= LATE_FRAMES {
                self.late = 0;
                return Ok(Err(Arrival::Deadline));
            }
            if let Some(header) = self.read() {
                if due {
                    let after = until.is_some_and(|until| header.time > until);
                    self.late = if after { LATE_FRAMES } else { self.late + 1 };
                }
                return Ok(Ok(header));
            }
            // What was lost may have been found by reading.
            if !self.pending.is_empty() {
                continue;
            }
            let deadline = until.map(|until| self.timeline.since_boot(until));
            self.waiter
                .wait(deadline, due, &mut self.events)
                .map_err(|error| WireError::System { operation: "waiting", error })?;
            let nothing =
                self.events.is_empty() || self.events.iter().all(|(source, _)| *source == Source::Timer);
            if due && nothing {
                self.events.clear();
                self.late = 0;
                return Ok(Err(Arrival::Deadline));
            }
            self.look_after();
        }
    }
}

impl From<Pending> for Arrival<'_> {
    fn from(pending: Pending) -> Self {
        match pending {
            Pending::Opened { handle, local, remote } => Arrival::Opened { handle, local, remote },
            Pending::Ended { handle, how } => Arrival::Ended { handle, how },
            Pending::Octets { handle, octets } => Arrival::Octets { handle, octets },
            Pending::InterfaceLost(name) => Arrival::InterfaceLost { name },
            Pending::Interrupted => Arrival::Interrupted,
            Pending::Woken => Arrival::Woken,
        }
    }
}

impl<C: Clock> Wire for System<C> {
    fn now(&mut self) -> Timestamp {
        self.timeline.now()
    }

    fn connect(&mut self, connect: &Connect) -> Result<Handle, WireError> {
        self.listen_to(connect)?;
        if let SocketAddr::V6(peer) = connect.peer
            && peer.scope_id() != 0
        {
            self.scopes.insert(*peer.ip(), peer.scope_id());
        }
        let (handle, ended) = self.connections.open(connect, self.device.as_deref(), &self.waiter)?;
        self.pending.extend(ended.map(|how| Pending::Ended { handle, how }));
        Ok(handle)
    }

    fn send(&mut self, segment: &Outbound<'_>) -> Result<(), WireError> {
        let scope = match segment.destination.address {
            IpAddr::V4(_) => 0,
            IpAddr::V6(address) => self.scopes.get(&address).copied().unwrap_or(0),
        };
        match &mut self.sender {
            Some(sender) => sender.send(segment, scope),
            None => Err(WireError::System {
                operation: "sending a raw packet",
                error: io::ErrorKind::PermissionDenied.into(),
            }),
        }
    }

    fn hear(&mut self, handle: Handle) {
        self.connections.hear(handle);
    }

    fn write(&mut self, handle: Handle, octets: &[u8]) -> Result<(), WireError> {
        self.connections.write(handle, octets)
    }

    fn deafen(&mut self, handle: Handle, deaf: bool) -> Result<(), WireError> {
        self.connections.deafen(handle, deaf)
    }

    fn close(&mut self, handle: Handle) {
        self.connections.close(handle);
    }

    fn next(&mut self, until: Option<Timestamp>) -> Result<Arrival<'_>, WireError> {
        let header = match self.next_event(until)? {
            Ok(header) => header,
            Err(arrival) => return Ok(arrival),
        };
        self.frames += 1;
        Ok(Arrival::Frame(Frame {
            id: FrameId { capture: 0, number: self.frames },
            time: header.time,
            interface: u32::try_from(header.interface).unwrap_or(0),
            link: header.link,
            fcs_len: 0,
            flags: None,
            names: None,
            wire_len: u32::try_from(self.frame.len()).unwrap_or(u32::MAX),
            data: &self.frame,
        }))
    }

    fn see(&mut self, filter: &Filter) -> Result<(), WireError> {
        self.set_filter(filter.clone())
    }

    fn slept(&mut self) -> Option<Span> {
        self.timeline.slept()
    }

    fn received(&mut self) -> Received {
        self.sniffers.iter_mut().map(Sniffer::received).fold(Received::default(), |sum, one| Received {
            seen: sum.seen + one.seen,
            dropped: sum.dropped + one.dropped,
        })
    }
}

/// Whether the system refused something for want of rights.
fn denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

fn open_sender(need: Need, device: Option<&str>) -> Result<Option<Sender>, OpenError> {
    if need == Need::No {
        return Ok(None);
    }
    match Sender::open(device) {
        Ok(sender) => Ok(Some(sender)),
        Err(error) if denied(&error) && need == Need::IfAllowed => Ok(None),
        Err(error) if denied(&error) => Err(RightsMissing::new("sending raw packets").into()),
        Err(error) => Err(OpenError::System { operation: "opening a raw socket", error }),
    }
}

fn open_sniffers(options: &Options, interfaces: Vec<Interface>) -> Result<Vec<Sniffer>, OpenError> {
    if options.sniff == Need::No {
        return Ok(Vec::new());
    }
    if interfaces.is_empty() && options.sniff == Need::Required {
        return Err(OpenError::NothingUp);
    }
    let mut open = Vec::new();
    for interface in interfaces {
        match Sniffer::open(&interface, &options.filter.program(interface.is_loopback())) {
            Ok(sniffer) => open.push(sniffer),
            Err(error) if denied(&error) && options.sniff == Need::IfAllowed => return Ok(Vec::new()),
            Err(error) if denied(&error) => return Err(RightsMissing::new("seeing packets").into()),
            // It went away since it was listed; all others still count.
            Err(error) if options.interfaces.is_empty() && error.raw_os_error() == Some(libc::ENODEV) => {}
            Err(error) => return Err(OpenError::System { operation: "opening a packet socket", error }),
        }
    }
    Ok(open)
}

/// The interfaces of these names, or all that are up.
fn chosen(names: &[String]) -> Result<Vec<Interface>, OpenError> {
    let all =
        Interface::all().map_err(|error| OpenError::System { operation: "listing the interfaces", error })?;
    if names.is_empty() {
        return Ok(all.into_iter().filter(Interface::is_up).collect());
    }
    names
        .iter()
        .map(|name| match all.iter().find(|interface| interface.name() == name) {
            Some(interface) if interface.is_up() => Ok(interface.clone()),
            Some(_) => Err(OpenError::InterfaceDown(name.clone())),
            None => {
                let there = all.iter().map(|interface| interface.name().to_owned()).collect();
                Err(OpenError::NoInterface { name: name.clone(), there })
            }
        })
        .collect()
}
