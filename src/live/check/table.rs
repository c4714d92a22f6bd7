//! The kernel's tables of TCP connections, asked over a netlink socket (sock_diag(7)).
//!
//! Owns [`Table`]. No rights are needed, and the socket stays in the network namespace in which it was opened.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::diag::{self, Connection, ESTABLISHED, FAMILIES, LISTEN, Message};

/// The kernel fills at most 32 KiB at once (net/netlink/af_netlink.c, `netlink_dump`).
const BUFFER: usize = 64 << 10;

/// It answers at once; this only keeps a fault from waiting for ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the tables cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The kernel was built, or runs, without the module.
    #[error("this kernel does not tell of its connections: modprobe tcp_diag")]
    NoModule,
    /// A system call failed.
    #[error("asking the kernel for its connections: {0}")]
    System(#[from] io::Error),
}

impl From<Errno> for TableError {
    fn from(error: Errno) -> Self {
        TableError::System(error.into())
    }
}

/// The tables of one network namespace.
#[derive(Debug)]
pub struct Table {
    socket: OwnedFd,
    buffer: Vec<u8>,
    asked: u32,
}

impl Table {
    /// Those of the calling thread's namespace.
    ///
    /// # Errors
    /// If the system has no such sockets.
    pub fn open() -> Result<Self, TableError> {
        let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
        let socket = rustix::net::socket_with(family, SocketType::DGRAM, flags, Some(SOCK_DIAG))?;
        rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        Ok(Self { socket, buffer: vec![0; BUFFER], asked: 0 })
    }

    /// All established connections, those of IPv4 first.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn established(&mut self) -> Result<Vec<Connection>, TableError> {
        self.all(ESTABLISHED)
    }

    /// All sockets that listen, those of IPv4 first.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn listening(&mut self) -> Result<Vec<Connection>, TableError> {
        self.all(LISTEN)
    }

    fn all(&mut self, state: u8) -> Result<Vec<Connection>, TableError> {
        let mut found = Vec::new();
        for family in FAMILIES {
            self.asked = self.asked.wrapping_add(1);
            self.send(&diag::ask_all(family, state, self.asked))?;
            let mut more = true;
            while more {
                for message in self.receive()? {
                    match message {
                        Message::Socket(connection) => found.push(*connection),
                        Message::Done => more = false,
                        Message::Error(libc::ENOENT) => return Err(TableError::NoModule),
                        Message::Error(errno) => return Err(io::Error::from_raw_os_error(errno).into()),
                        Message::Unknown => {}
                    }
                }
            }
        }
        found.retain(|connection| connection.state == state);
        Ok(found)
    }

    /// The same socket again, in whatever state; nothing if it is no longer there.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn again(&mut self, of: &Connection) -> Result<Option<Connection>, TableError> {
        self.asked = self.asked.wrapping_add(1);
        self.send(&diag::ask_one(&of.identity, self.asked))?;
        loop {
            for message in self.receive()? {
                match message {
                    Message::Socket(connection) => return Ok(Some(*connection)),
                    // Another socket has this 4-tuple now (ESTALE), or none.
                    Message::Error(libc::ENOENT | libc::ESTALE) | Message::Done => return Ok(None),
                    Message::Error(errno) => return Err(io::Error::from_raw_os_error(errno).into()),
                    Message::Unknown => {}
                }
            }
        }
    }

    fn send(&self, question: &[u8]) -> Result<(), TableError> {
        rustix::io::retry_on_intr(|| rustix::net::send(&self.socket, question, SendFlags::empty()))?;
        Ok(())
    }

    fn receive(&mut self) -> Result<Vec<Message>, TableError> {
        let (socket, buffer) = (&self.socket, &mut self.buffer);
        let (length, _) = rustix::io::retry_on_intr(|| {
            rustix::net::recv(socket, buffer.as_mut_slice(), RecvFlags::empty())
        })?;
        Ok(diag::read(self.buffer.get(..length).unwrap_or_default(), self.asked))
    }
}
