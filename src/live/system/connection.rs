//! Ordinary connections that the kernel holds for us: opened, kept readable, closed in order.
//!
//! Owns [`Connections`]. What a peer says is read and thrown away unless it is to be heard, so that our window stays
//! open; an unread octet at the end would turn the FIN into a RST.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::epoll::EventFlags;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::wait::{Source, Waiter};
use crate::live::sys;
use crate::live::wire::{Connect, Ended, Handle, WireError};
use crate::segment::Endpoint;

/// Reads in a row from one connection, so that one that talks without an end leaves time for the others.
const READS: usize = 16;

/// Octets of one connection that wait to be told; the rest stays with the system, which slows the peer down.
const MOST_HEARD: usize = 64 << 10;

/// What became of a connection.
#[derive(Debug)]
pub(super) enum Change {
    /// It was opened.
    Opened { local: Endpoint, remote: Endpoint },
    /// It could not be opened, or ended.
    Ended(Ended),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The SYN is on its way.
    Opening,
    /// Open.
    Open,
    /// The peer sent its FIN, ours is not asked for yet.
    HalfClosed,
    /// Our FIN was sent; the peer's is awaited, and nothing is told any more.
    Closing,
}

#[derive(Debug)]
struct Connection {
    socket: Socket,
    state: State,
    /// What its peer said and nobody was told yet, where it is to be heard.
    heard: Option<Vec<u8>>,
}

/// All connections.
#[derive(Debug)]
pub(super) struct Connections {
    held: BTreeMap<u32, Connection>,
    next: u32,
    /// Where what peers say goes.
    thrown_away: Vec<u8>,
}

impl Connections {
    pub(super) fn new() -> Self {
        Self { held: BTreeMap::new(), next: 0, thrown_away: vec![0; 64 << 10] }
    }

    /// The socket of a connection.
    pub(super) fn socket(&self, handle: Handle) -> Option<BorrowedFd<'_>> {
        self.held.get(&handle.0).map(|connection| connection.socket.as_fd())
    }

    /// Begins to open one. What the system says at once is told as if it had said it later.
    pub(super) fn open(
        &mut self,
        connect: &Connect,
        device: Option<&str>,
        waiter: &Waiter,
    ) -> Result<(Handle, Option<Ended>), WireError> {
        let failed = |operation| move |error| WireError::System { operation, error };
        let socket = Socket::new(Domain::for_address(connect.peer), Type::STREAM, Some(Protocol::TCP))
            .map_err(failed("opening a socket"))?;
        socket.set_nonblocking(true).map_err(failed("opening a socket"))?;
        // What is said is to leave at that moment.
        socket.set_tcp_nodelay(true).map_err(failed("opening a socket"))?;
        if let Some(device) = device {
            socket.bind_device(Some(device.as_bytes())).map_err(failed("choosing the interface"))?;
        }
        if let Some(source) = connect.source {
            let bound = socket.bind(&SockAddr::from(with_scope(source, connect.peer)));
            bound.map_err(failed("choosing the source address"))?;
        }
        let handle = Handle(self.next);
        self.next = self.next.wrapping_add(1);
        match socket.connect(&SockAddr::from(connect.peer)) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Ok((handle, Some(ended(&error)))),
        }
        waiter
            .add(&socket, Source::Connection(handle.0), EventFlags::OUT)
            .map_err(failed("waiting for a connection"))?;
        self.held.insert(handle.0, Connection { socket, state: State::Opening, heard: None });
        Ok((handle, None))
    }

    /// Looks after a connection of which the system reports something.
    pub(super) fn ready(&mut self, number: u32, waiter: &Waiter) -> Option<Change> {
        let connection = self.held.get_mut(&number)?;
        let change = match connection.state {
            State::Opening => connection.opened(number, waiter),
            State::Open => match connection.read(&mut self.thrown_away) {
                Ok(true) => None,
                // Otherwise the end would be reported for ever. Errors are still.
                Ok(false) => {
                    match waiter.change(&connection.socket, Source::Connection(number), EventFlags::empty()) {
                        Ok(()) => {
                            connection.state = State::HalfClosed;
                            return Some(Change::Ended(Ended::ClosedByPeer));
                        }
                        Err(error) => Some(Err(error)),
                    }
                }
                Err(error) => Some(Err(error)),
            },
            // Its end was told; that there is more to report means that nothing is left of it.
            State::HalfClosed => {
                self.held.remove(&number);
                return None;
            }
            State::Closing => {
                if !connection.throw_away(&mut self.thrown_away).unwrap_or(false) {
                    self.held.remove(&number);
                }
                return None;
            }
        };
        match change? {
            Ok(change) => Some(change),
            Err(error) => {
                self.held.remove(&number);
                Some(Change::Ended(ended(&error)))
            }
        }
    }

    /// Keeps what its peer says from now on.
    pub(super) fn hear(&mut self, handle: Handle) {
        if let Some(connection) = self.held.get_mut(&handle.0) {
            connection.heard.get_or_insert_default();
        }
    }

    /// Keeps what comes on it from it, or does so no more: what is dropped for its TTL is not answered. A filter on the
    /// socket would do the same, but takes CAP_NET_ADMIN for TCP in newer kernels.
    pub(super) fn deafen(&self, handle: Handle, deaf: bool) -> Result<(), WireError> {
        let operation = "keeping segments from a connection";
        let failed = |error| WireError::System { operation, error };
        let connection =
            self.held.get(&handle.0).ok_or_else(|| failed(io::ErrorKind::NotConnected.into()))?;
        let is_v6 = connection.socket.local_addr().map_err(failed)?.is_ipv6();
        sys::least_ttl(&connection.socket, is_v6, if deaf { u8::MAX } else { 0 }).map_err(failed)
    }

    /// What its peer said since this was last asked, if anything.
    pub(super) fn take_heard(&mut self, handle: Handle) -> Option<Vec<u8>> {
        let heard = self.held.get_mut(&handle.0)?.heard.as_mut()?;
        (!heard.is_empty()).then(|| std::mem::take(heard))
    }

    /// Says something; all of it is taken, or it is an error.
    pub(super) fn write(&mut self, handle: Handle, octets: &[u8]) -> Result<(), WireError> {
        let failed = |error| WireError::System { operation: "writing to a connection", error };
        let open = |connection: &&mut Connection| matches!(connection.state, State::Open | State::HalfClosed);
        let connection = self.held.get_mut(&handle.0).filter(open);
        let connection = connection.ok_or_else(|| failed(io::ErrorKind::NotConnected.into()))?;
        connection.socket.write_all(octets).map_err(failed)
    }

    /// Closes one in order. It stays until the peer has closed it too.
    pub(super) fn close(&mut self, handle: Handle) {
        let Some(connection) = self.held.get_mut(&handle.0) else { return };
        let goes_on = match connection.state {
            State::Opening => false,
            State::Open | State::HalfClosed => {
                let open = connection.throw_away(&mut self.thrown_away).unwrap_or(false);
                connection.socket.shutdown(Shutdown::Write).is_ok() && open
            }
            State::Closing => true,
        };
        connection.state = State::Closing;
        if !goes_on {
            self.held.remove(&handle.0);
        }
    }

    /// Connections that were closed by us and not yet by their peers.
    pub(super) fn closing(&self) -> usize {
        self.held.values().filter(|connection| connection.state == State::Closing).count()
    }
}

impl Drop for Connections {
    /// What is left is closed in order, as far as can be done without waiting.
    fn drop(&mut self) {
        for handle in self.held.keys().copied().collect::<Vec<_>>() {
            self.close(Handle(handle));
        }
    }
}

impl Connection {
    /// How opening went; nothing if it still goes on.
    fn opened(&mut self, number: u32, waiter: &Waiter) -> Option<io::Result<Change>> {
        let ends = || -> io::Result<Option<(Endpoint, Endpoint)>> {
            if let Some(error) = self.socket.take_error()? {
                return Err(error);
            }
            let remote = match self.socket.peer_addr() {
                Ok(remote) => remote,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(None),
                Err(error) => return Err(error),
            };
            Ok(endpoint(&self.socket.local_addr()?).zip(endpoint(&remote)))
        };
        match ends().transpose()? {
            Ok((local, remote)) => {
                self.state = State::Open;
                let watched = EventFlags::IN | EventFlags::RDHUP;
                Some(
                    waiter
                        .change(&self.socket, Source::Connection(number), watched)
                        .map(|()| Change::Opened { local, remote }),
                )
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Reads what there is, to be told where it is to be heard; false if the peer has closed its side.
    fn read(&mut self, scratch: &mut [u8]) -> io::Result<bool> {
        let Some(heard) = &mut self.heard else { return self.throw_away(scratch) };
        while heard.len() < MOST_HEARD {
            match self.socket.read(scratch) {
                Ok(0) => return Ok(false),
                Ok(read) => heard.extend(scratch.iter().take(read)),
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Ok(true),
                    _ => return Err(error),
                },
            }
        }
        Ok(true)
    }

    /// Reads what there is and forgets it; false if the peer has closed its side.
    fn throw_away(&mut self, into: &mut [u8]) -> io::Result<bool> {
        for _ in 0..READS {
            match self.socket.read(into) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Ok(true),
                    _ => return Err(error),
                },
            }
        }
        Ok(true)
    }
}

/// A source address in the scope of the peer, without which a link-local one says nothing.
fn with_scope(source: IpAddr, peer: SocketAddr) -> SocketAddr {
    let mut address = SocketAddr::new(source, 0);
    if let (SocketAddr::V6(address), SocketAddr::V6(peer)) = (&mut address, peer)
        && address.ip().is_unicast_link_local()
    {
        address.set_scope_id(peer.scope_id());
    }
    address
}

fn endpoint(address: &SockAddr) -> Option<Endpoint> {
    let address = address.as_socket()?;
    Some(Endpoint { address: address.ip().to_canonical(), port: address.port() })
}

/// What an error of a socket means for its connection.
fn ended(error: &io::Error) -> Ended {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => Ended::Refused,
        // EPIPE: a RST after the peer's FIN.
        Some(libc::ECONNRESET | libc::EPIPE) => Ended::Reset,
        Some(libc::ETIMEDOUT) => Ended::TimedOut,
        Some(libc::EHOSTUNREACH | libc::ENETUNREACH) => Ended::Unreachable,
        other => Ended::Other(other.unwrap_or(0)),
    }
}
