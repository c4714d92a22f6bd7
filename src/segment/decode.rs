//! From a frame to a TCP segment, or to an ICMP error that quotes one.
//!
//! Owns [`decode`] and the layers below it: `link`, `ip`, `tcp`, `icmp`, and
//! the reasons not to read a frame ([`Skip`]). Uses [`crate::frame`], the types of [`crate::segment`] and
//! etherparse's header slices only. It allocates nothing and keeps no state, so one frame never changes how
//! the next is read; in particular fragments are not put together and tunnels are not opened, but counted.
//!
//! Two rules keep a wrong segment out:
//! - The length of a segment comes from the IP header, never from the captured octets; otherwise a data
//!   segment that the capture cut behind its header passes for an empty one.
//! - What cannot be read is skipped with a reason, never silently and never half: sequence number,
//!   acknowledgment, flags, window and length of a [`Segment`] are always those on the wire. Only its options
//!   and its first octet of data may be missing.
//!
//! Checksums are not verified. A capture on the sending host sees packets before the network card fills the
//! checksums in, so the host's own segments would look wrong, and a cut frame cannot be checked at all.

mod icmp;
mod ip;
mod link;
mod skip;
mod tcp;

pub use skip::{Layer, Skip, Tunnel};

use super::{IcmpError, Segment};
use crate::frame::Frame;

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug)]
pub enum Decoded {
    /// A TCP segment.
    Segment(Segment),
    /// An ICMP error about a TCP segment.
    Icmp(IcmpError),
    /// Not read, and why.
    Skipped(Skip),
}

/// Reads one frame.
pub fn decode(frame: &Frame<'_>) -> Decoded {
    let packet = match packet(frame) {
        Ok(packet) => packet,
        Err(skip) => return Decoded::Skipped(skip),
    };
    if packet.protocol == ip::TCP { tcp::read(frame, &packet) } else { without_tcp(frame, packet) }
}

#[inline]
fn packet<'a>(frame: &Frame<'a>) -> Result<ip::Packet<'a>, Skip> {
    ip::read(&link::strip(frame)?)
}

/// Takes the packet by value: a reference would force it into memory for TCP as well.
#[inline(never)]
fn without_tcp(frame: &Frame<'_>, packet: ip::Packet<'_>) -> Decoded {
    let error = match packet.protocol {
        ip::ICMP if packet.header.is_ipv4() => icmp::read_v4(frame, &packet),
        ip::ICMPV6 if !packet.header.is_ipv4() => icmp::read_v6(frame, &packet),
        ip::UDP => Err(Skip::of_udp(u16_at(packet.data, 2))),
        other => Err(Skip::of_protocol(other)),
    };
    match error {
        Ok(error) => Decoded::Icmp(error),
        Err(skip) => Decoded::Skipped(skip),
    }
}

/// The 16-bit number in network order at `at`, if it was captured.
#[inline]
fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

/// The 32-bit number in network order at `at`, if it was captured.
#[inline]
fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}
