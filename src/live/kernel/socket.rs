//! An ordinary socket with keepalives: what is asked for, what the system refuses, what is in force.
//!
//! Owns [`KeepaliveSocket`] and its options ([`Asked`], [`Setting`]). No rights are needed. Sources: tcp(7),
//! socket(7).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::net::sockopt;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::live::sys::{self, TcpInfo};
use crate::time::Span;

/// What is asked for; what is absent is left to the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// TCP_KEEPIDLE, in whole seconds.
    pub idle: Option<Span>,
    /// TCP_KEEPINTVL, in whole seconds.
    pub interval: Option<Span>,
    /// TCP_KEEPCNT.
    pub count: Option<u32>,
    /// TCP_USER_TIMEOUT, in whole milliseconds.
    pub user_timeout: Option<Span>,
}

/// The value of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// On or off.
    Flag(bool),
    /// A time.
    Time(Span),
    /// A number.
    Number(u32),
}

/// One option of the socket.
#[derive(Debug)]
pub struct Setting {
    /// Its name in tcp(7) or socket(7).
    pub option: &'static str,
    /// What was asked for.
    pub asked: Option<Value>,
    /// Why the system refused that.
    pub refused: Option<io::Error>,
    /// What getsockopt says.
    pub in_force: Option<Value>,
}

impl Setting {
    /// Which option was refused, why, and what the system takes (MAX_TCP_KEEP* of linux/tcp.h).
    pub(super) fn take_refusal(&mut self) -> Option<(&'static str, io::Error, &'static str)> {
        let range = match self.option {
            "TCP_KEEPIDLE" | "TCP_KEEPINTVL" => "1s to 32767s",
            "TCP_KEEPCNT" => "1 to 127",
            "TCP_USER_TIMEOUT" => "0 to 24 days",
            _ => "on or off",
        };
        Some((self.option, self.refused.take()?, range))
    }
}

/// The socket.
#[derive(Debug)]
pub struct KeepaliveSocket {
    socket: Socket,
    peer: SocketAddr,
}

/// What reading from the socket gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many octets, which may be none.
    Octets(u64),
    /// The peer closed its side.
    End,
}

impl KeepaliveSocket {
    /// A socket for a connection to `peer`, from `source` and through the interface `device` where those are given.
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// If the system gives no socket, or the address is not ours.
    pub fn new(peer: SocketAddr, source: Option<IpAddr>, device: Option<&str>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        if let Some(device) = device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        if let Some(address) = source {
            socket.bind(&SockAddr::from(SocketAddr::new(address, 0)))?;
        }
        Ok(Self { socket, peer })
    }

    /// Sets the options, keepalives last, and reads them back.
    pub fn set(&self, asked: &Asked) -> Vec<Setting> {
        let socket = &self.socket;
        let span = |time: Duration| {
            Value::Time(Span::from_nanos(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)))
        };
        let idle = set(asked.idle, |time| sockopt::set_tcp_keepidle(socket, duration(time)));
        let interval = set(asked.interval, |time| sockopt::set_tcp_keepintvl(socket, duration(time)));
        let count = set(asked.count, |count| sockopt::set_tcp_keepcnt(socket, count));
        let user_timeout = set(asked.user_timeout, |time| {
            let millis = u32::try_from(time.as_nanos() / 1_000_000).unwrap_or(u32::MAX);
            sockopt::set_tcp_user_timeout(socket, millis)
        });
        let keepalive = set(Some(true), |on| sockopt::set_socket_keepalive(socket, on));
        let setting = |option, asked, refused, in_force| Setting { option, asked, refused, in_force };
        vec![
            setting(
                "SO_KEEPALIVE",
                Some(Value::Flag(true)),
                keepalive,
                sockopt::socket_keepalive(socket).ok().map(Value::Flag),
            ),
            setting(
                "TCP_KEEPIDLE",
                asked.idle.map(Value::Time),
                idle,
                sockopt::tcp_keepidle(socket).ok().map(span),
            ),
            setting(
                "TCP_KEEPINTVL",
                asked.interval.map(Value::Time),
                interval,
                sockopt::tcp_keepintvl(socket).ok().map(span),
            ),
            setting(
                "TCP_KEEPCNT",
                asked.count.map(Value::Number),
                count,
                sockopt::tcp_keepcnt(socket).ok().map(Value::Number),
            ),
            setting(
                "TCP_USER_TIMEOUT",
                asked.user_timeout.map(Value::Time),
                user_timeout,
                sockopt::tcp_user_timeout(socket)
                    .ok()
                    .map(|millis| Value::Time(Span::from_millis(i64::from(millis)))),
            ),
        ]
    }

    /// Begins to connect.
    ///
    /// # Errors
    /// If that fails at once.
    pub fn connect(&self) -> io::Result<()> {
        match self.socket.connect(&SockAddr::from(self.peer)) {
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
            done => done,
        }
    }

    /// Our end of the connection.
    ///
    /// # Errors
    /// If there is none.
    pub fn local(&self) -> io::Result<SocketAddr> {
        let address = self.socket.local_addr()?;
        address.as_socket().ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
    }

    /// The error that ended the connection, once.
    pub fn take_error(&self) -> Option<io::Error> {
        self.socket.take_error().ok().flatten()
    }

    /// What the kernel says of the connection.
    ///
    /// # Errors
    /// If it says nothing.
    pub fn info(&self) -> io::Result<TcpInfo> {
        sys::tcp_info(&self.socket)
    }

    /// Reads and throws away what the peer sent, so that its window stays open.
    ///
    /// # Errors
    /// What ended the connection.
    pub fn discard(&self) -> io::Result<Read> {
        let mut buffer = [0; 16_384];
        let mut octets = 0;
        loop {
            match io::Read::read(&mut &self.socket, &mut buffer) {
                // What was read before the end is counted at the next call, which finds the end again.
                Ok(0) if octets == 0 => return Ok(Read::End),
                Ok(0) => return Ok(Read::Octets(octets)),
                Ok(some) => octets += some as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Read::Octets(octets)),
                Err(error) => return Err(error),
            }
        }
    }
}

fn duration(span: Span) -> Duration {
    Duration::from_nanos(u64::try_from(span.as_nanos()).unwrap_or(0))
}

/// Sets an option that was asked for; returns why the system refused.
fn set<T>(asked: Option<T>, how: impl FnOnce(T) -> rustix::io::Result<()>) -> Option<io::Error> {
    how(asked?).err().map(io::Error::from)
}
