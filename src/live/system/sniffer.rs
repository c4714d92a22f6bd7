//! Packets of one interface, each with the time at which the kernel saw it.
//!
//! Owns [`Sniffer`]. pnet reads the frames, from a socket that is ours: it is opened deaf, gets its filter, and
//! only then is bound to the interface, so that nothing is delivered that nobody asked for. The kernel's time
//! stamp of the frame that was just read is asked for on the same socket.

use std::io;
use std::os::fd::IntoRawFd;
use std::time::Duration;

use pnet::datalink::{Channel, Config, DataLinkReceiver};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, socket_error};
use socket2::{Domain, Socket, Type};

use crate::frame::LinkType;
use crate::live::filter::Instruction;
use crate::live::interface::Interface;
use crate::live::sys;
use crate::live::wire::Received;

/// pnet cuts what does not fit without a word. Segments that are put together by the interface have up to 64
/// KiB, and there is a link header before them.
const LONGEST_FRAME: usize = 65_536 + 256;

/// Octets of frames that may wait for us, as far as the system grants it.
const RECEIVE_BUFFER: usize = 4 << 20;

/// What reading brought.
pub(super) enum Read {
    /// A frame, stamped by CLOCK_REALTIME in nanoseconds; none where the kernel has no stamp for it.
    Frame(Option<i64>),
    /// Nothing at the moment.
    Nothing,
    /// The interface went down or away.
    Lost,
}

/// A packet socket on one interface.
pub(super) struct Sniffer {
    /// The interface.
    pub(super) interface: Interface,
    /// What its frames begin with.
    pub(super) link: LinkType,
    socket: Socket,
    receiver: Box<dyn DataLinkReceiver>,
    counted: Received,
    /// Nothing was received since it was lost.
    lost: bool,
}

impl Sniffer {
    /// Begins to listen, with a filter.
    pub(super) fn open(interface: &Interface, filter: &[Instruction]) -> io::Result<Self> {
        let (link, cooked) = interface.link();
        let kind = if cooked { Type::DGRAM } else { Type::RAW };
        // Protocol 0 receives nothing until pnet binds it.
        let socket = Socket::new(Domain::PACKET, kind, None)?;
        attach(&socket, filter)?;
        if interface.is_loopback() {
            // An old kernel leaves it to the filter, which does it too.
            let _ = sys::ignore_outgoing(&socket);
        }
        if set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
            set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
        }
        // There is no packet to ask about yet; this switches stamping on.
        let _ = sys::last_stamp(&socket);
        let config = Config {
            // A second descriptor, which pnet closes.
            socket_fd: Some(socket.try_clone()?.into_raw_fd()),
            read_buffer_size: LONGEST_FRAME,
            write_buffer_size: 0,
            read_timeout: Some(Duration::ZERO),
            promiscuous: false,
            ..Config::default()
        };
        match pnet::datalink::channel(&interface.known, config)? {
            Channel::Ethernet(_, receiver) => {
                let counted = Received::default();
                Ok(Self { interface: interface.clone(), link, socket, receiver, counted, lost: false })
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// What to wait on.
    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Puts another filter in the place of the one there is.
    pub(super) fn attach(&self, filter: &[Instruction]) -> io::Result<()> {
        attach(&self.socket, filter)
    }

    /// Reads the next frame into `frame`.
    pub(super) fn read(&mut self, frame: &mut Vec<u8>) -> Read {
        loop {
            match self.receiver.next() {
                Ok(octets) => {
                    frame.clear();
                    frame.extend_from_slice(octets);
                    self.lost = false;
                    return Read::Frame(sys::last_stamp(&self.socket).ok());
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => return Read::Nothing,
                    _ => return self.lose(),
                },
            }
        }
    }

    /// Takes the error that was reported for the socket; the interface was lost then, unless it was told already.
    pub(super) fn lose(&mut self) -> Read {
        // Reading it clears it; otherwise waiting would never wait again.
        let _ = socket_error(&self.socket);
        if std::mem::replace(&mut self.lost, true) { Read::Nothing } else { Read::Lost }
    }

    /// Counts so far.
    pub(super) fn received(&mut self) -> Received {
        // The kernel begins anew with each question.
        if let Ok((seen, dropped)) = sys::packet_statistics(&self.socket) {
            self.counted.seen += u64::from(seen);
            self.counted.dropped += u64::from(dropped);
        }
        self.counted
    }
}

/// Attaches a filter to a socket; it replaces one that is there in one step.
pub(super) fn attach(socket: &Socket, filter: &[Instruction]) -> io::Result<()> {
    let instruction = |instruction: &Instruction| {
        socket2::SockFilter::new(instruction.code, instruction.jt, instruction.jf, instruction.k)
    };
    socket.attach_filter(&filter.iter().map(instruction).collect::<Vec<_>>())
}
