//! The sockets of a responder: accepted, read, written, closed. None of them ever waits.
//!
//! Owns [`Sockets`]. What is said on them is the business of [`crate::partner`].

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::PollFlags;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::live::sys;
use crate::partner::Tuple;
use crate::partner::message::Ending;
use crate::partner::server::Token;
use crate::segment::Endpoint;
use crate::time::{Span, Timestamp};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 256;

/// Octets that may wait until a peer reads them. One that lets more pile up is gone.
const MOST_PENDING: usize = 64 << 10;

/// How long to wait for the peer's FIN after ours.
const LINGER: Span = Span::from_secs(2);

/// Connections that are waited for after they were closed. More than these are let go at once, and the system may
/// answer what still comes with a RST.
const MOST_LINGERING: usize = 64;

/// A connection.
struct Connection {
    socket: Socket,
    /// Octets that the system has not taken yet.
    pending: Vec<u8>,
    /// The peer's FIN came.
    ended: bool,
    /// Our FIN was asked for; the connection is let go then.
    closing: Option<Timestamp>,
}

/// What reading brought.
pub(super) enum Heard {
    /// So many octets.
    Octets(usize),
    /// Nothing at the moment.
    Nothing,
    /// The end.
    Ended(Ending),
}

/// What accepting brought.
pub(super) enum Accepted {
    /// A connection.
    Connection(Token, Tuple),
    /// One that was over before it began.
    Gone,
    /// Nobody waits.
    Nobody,
    /// The system has no room for one more.
    NoRoom,
}

/// All connections.
#[derive(Default)]
pub(super) struct Sockets {
    held: BTreeMap<Token, Connection>,
    next: u64,
}

/// Opens a socket that connections can be accepted from. An IPv6 address that stands for all takes IPv4 too.
pub(super) fn listen(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Otherwise connections of a run before would keep the port for a minute.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Sockets {
    /// Accepts one connection.
    pub(super) fn accept(&mut self, listener: &Socket) -> Accepted {
        let socket = match listener.accept() {
            Ok((socket, _)) => socket,
            Err(error) => {
                return match error.raw_os_error() {
                    Some(libc::EAGAIN) => Accepted::Nobody,
                    Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => Accepted::NoRoom,
                    _ => Accepted::Gone,
                };
            }
        };
        match prepared(&socket) {
            Ok(seen) => {
                let token = Token(self.next);
                self.next += 1;
                let connection = Connection { socket, pending: Vec::new(), ended: false, closing: None };
                self.held.insert(token, connection);
                Accepted::Connection(token, seen)
            }
            Err(_) => Accepted::Gone,
        }
    }

    /// What to wait for.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (Token, BorrowedFd<'_>, PollFlags)> {
        self.held.iter().map(|(token, connection)| {
            // An end that was told would be reported for ever; errors are reported in any case.
            let mut wanted = if connection.ended { PollFlags::empty() } else { PollFlags::IN };
            if !connection.pending.is_empty() {
                wanted |= PollFlags::OUT;
            }
            (*token, connection.socket.as_fd(), wanted)
        })
    }

    /// When to call [`let_go`](Sockets::let_go).
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        self.held.values().filter_map(|connection| connection.closing).min()
    }

    /// Connections that are closed, but not by both sides.
    pub(super) fn lingering(&self) -> usize {
        self.held.values().filter(|connection| connection.closing.is_some()).count()
    }

    /// The socket of a connection that is not closed.
    pub(super) fn socket(&self, token: Token) -> Option<&Socket> {
        self.held.get(&token).filter(|one| one.closing.is_none()).map(|one| &one.socket)
    }

    /// Whether octets wait to be written.
    pub(super) fn is_clogged(&self, token: Token) -> bool {
        self.held.get(&token).is_some_and(|connection| !connection.pending.is_empty())
    }

    /// Reads what there is into `into`.
    pub(super) fn read(&mut self, token: Token, into: &mut [u8]) -> Heard {
        let Some(connection) = self.held.get_mut(&token) else { return Heard::Nothing };
        let how = match connection.socket.read(into) {
            Ok(0) => Ending::Fin,
            Ok(_) if connection.closing.is_some() => return Heard::Nothing,
            Ok(count) => return Heard::Octets(count),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => return Heard::Nothing,
                _ => ending(&error),
            },
        };
        connection.ended = true;
        let over = connection.closing.is_some() || how != Ending::Fin;
        let told = connection.closing.is_none();
        if over {
            self.held.remove(&token);
        }
        if told { Heard::Ended(how) } else { Heard::Nothing }
    }

    /// Writes octets, now or when the system takes them; how the connection ended if it does not.
    pub(super) fn write(&mut self, token: Token, octets: &[u8]) -> Result<(), Ending> {
        let Some(connection) = self.held.get_mut(&token) else { return Ok(()) };
        connection.pending.extend_from_slice(octets);
        self.flush(token)
    }

    /// Writes what is pending.
    pub(super) fn flush(&mut self, token: Token) -> Result<(), Ending> {
        let Some(connection) = self.held.get_mut(&token) else { return Ok(()) };
        match connection.flush() {
            Ok(()) if connection.pending.len() <= MOST_PENDING => {
                if connection.closing.is_some() && connection.pending.is_empty() {
                    connection.finish();
                }
                Ok(())
            }
            Ok(()) => Err(self.end(token, Ending::Limit)),
            Err(error) => Err(self.end(token, ending(&error))),
        }
    }

    /// Lets a connection go that cannot be written to.
    fn end(&mut self, token: Token, how: Ending) -> Ending {
        self.held.remove(&token);
        how
    }

    /// Closes a connection, in order or by a RST.
    pub(super) fn close(&mut self, token: Token, abort: bool, now: Timestamp) {
        let crowded = self.lingering() >= MOST_LINGERING;
        let Some(connection) = self.held.get_mut(&token) else { return };
        if connection.closing.is_some() {
            return;
        }
        connection.closing = Some(now.plus(LINGER));
        if connection.pending.is_empty() {
            connection.finish();
        }
        let done = connection.ended && connection.pending.is_empty();
        if abort {
            connection.abort();
        }
        if abort || done || crowded {
            self.held.remove(&token);
        }
    }

    /// Lets go what was closed long enough ago. What the peer has not even acknowledged is cut off, as it would be
    /// sent again for a quarter of an hour.
    pub(super) fn let_go(&mut self, now: Timestamp) {
        self.held.retain(|_, connection| {
            let over = connection.closing.is_some_and(|until| until <= now);
            if over && sys::tcp_info(&connection.socket).is_ok_and(|info| info.unacked > 0) {
                connection.abort();
            }
            !over
        });
    }
}

impl Connection {
    fn flush(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            match self.socket.send_with_flags(&self.pending, libc::MSG_NOSIGNAL) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    self.pending.drain(..count.min(self.pending.len()));
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// Sends our FIN. What was not read would make the system send a RST in its place.
    fn finish(&mut self) {
        let mut octets = [MaybeUninit::uninit(); 1024];
        while self.socket.recv(&mut octets).is_ok_and(|count| count > 0) {}
        // A connection that has ended meanwhile needs no end.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// The connection ends by a RST once the socket is closed.
    fn abort(&self) {
        let _ = self.socket.set_linger(Some(Duration::ZERO));
    }
}

/// Prepares an accepted socket: it sends nothing that was not asked for, and at once what was.
fn prepared(socket: &Socket) -> io::Result<Tuple> {
    socket.set_nonblocking(true)?;
    socket.set_keepalive(false)?;
    socket.set_tcp_nodelay(true)?;
    let (local, remote) = (socket.local_addr()?, socket.peer_addr()?);
    let ends = local.as_socket().zip(remote.as_socket());
    let (local, remote) = ends.ok_or(io::ErrorKind::Unsupported)?;
    Ok(Tuple { local: endpoint(local), remote: endpoint(remote) })
}

/// An IPv4 address that a socket of both versions shows as one of IPv6 is shown as what it is.
pub(super) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint { address: address.ip().to_canonical(), port: address.port() }
}

/// What an error of a socket means for its connection.
fn ending(error: &io::Error) -> Ending {
    match error.raw_os_error() {
        Some(libc::ECONNRESET | libc::EPIPE) => Ending::Reset,
        Some(libc::ETIMEDOUT) => Ending::TimedOut,
        Some(libc::EHOSTUNREACH | libc::ENETUNREACH) => Ending::Unreachable,
        other => Ending::Other(other.and_then(|errno| u16::try_from(errno).ok()).unwrap_or(0)),
    }
}
