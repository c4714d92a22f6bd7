//! Raw packets out, of both IP versions.
//!
//! Owns [`Sender`]. Both sockets take whole packets with their IP headers (IPPROTO_RAW implies IP_HDRINCL and,
//! since Linux 4.5, IPV6_HDRINCL), so that addresses, hop limit and checksum are ours. They are filtered shut:
//! nothing is ever received through them.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::sniffer::attach;
use crate::live::filter::Filter;
use crate::live::wire::WireError;
use crate::segment::encode::Outbound;

/// The raw sockets.
pub(super) struct Sender {
    v4: Socket,
    /// None where the system has no IPv6.
    v6: Option<Socket>,
    packet: Vec<u8>,
}

impl Sender {
    /// Opens both; packets leave through `device` only, where one is given.
    pub(super) fn open(device: Option<&str>) -> io::Result<Self> {
        let v6 = match raw(Domain::IPV6, device) {
            Ok(socket) => Some(socket),
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { v4: raw(Domain::IPV4, device)?, v6, packet: Vec::with_capacity(256) })
    }

    /// Sends a segment; `scope` is the interface of a link-local destination.
    pub(super) fn send(&mut self, segment: &Outbound<'_>, scope: u32) -> Result<(), WireError> {
        let failed = |error| WireError::System { operation: "sending a raw packet", error };
        self.packet.clear();
        segment
            .packet(&mut self.packet)
            .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        // Its port would be taken for a protocol.
        let (socket, to) = match segment.destination.address {
            IpAddr::V4(_) => (Some(&self.v4), SocketAddr::new(segment.destination.address, 0)),
            IpAddr::V6(address) => (self.v6.as_ref(), SocketAddrV6::new(address, 0, 0, scope).into()),
        };
        let socket = socket.ok_or_else(|| failed(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)))?;
        let to = SockAddr::from(to);
        loop {
            match socket.send_to(&self.packet, &to) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

fn raw(domain: Domain, device: Option<&str>) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
    attach(&socket, &Filter::Nothing.program(false))?;
    socket.set_nonblocking(true)?;
    if let Some(device) = device {
        socket.bind_device(Some(device.as_bytes()))?;
    }
    Ok(socket)
}
