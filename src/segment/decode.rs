//! From a frame to a TCP segment, or to an ICMP error that quotes one.
//!
//! Owns [`decode`] and the layers below it: `link`, `tunnel`, `ip`, `tcp`, `icmp`, and
//! the reasons not to read a frame ([`Skip`]). Uses [`crate::frame`], the types of [`crate::segment`] and
//! etherparse's header slices only. It allocates nothing and keeps no state, so one frame never changes how
//! the next is read; in particular fragments are not put together, but counted.
//!
//! Tunnels are opened (GRE, IP in IP, VXLAN, GENEVE, MPLS, PPPoE), and what is read is the segment inside: its
//! addresses, its time to live, its length. The outer headers leave no trace in it, so connections between the
//! same addresses in two virtual networks are one.
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
mod tunnel;

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
    match packet(frame) {
        Ok(packet) if packet.protocol == ip::TCP => tcp::read(frame, &packet),
        Ok(packet) => without_tcp(frame, packet, 0),
        Err(skip) => without_packet(frame, skip, 0),
    }
}

/// Reads the frame inside `depth` tunnels.
#[cold]
#[inline(never)]
fn inside(frame: &Frame<'_>, depth: u8) -> Decoded {
    match packet(frame) {
        Ok(packet) if packet.protocol == ip::TCP => tcp::read(frame, &packet),
        Ok(packet) => without_tcp(frame, packet, depth),
        Err(skip) => without_packet(frame, skip, depth),
    }
}

#[inline]
fn packet<'a>(frame: &Frame<'a>) -> Result<ip::Packet<'a>, Skip> {
    ip::read(&link::strip(frame)?)
}

/// Takes the packet by value: a reference would force it into memory for TCP as well.
#[inline(never)]
fn without_tcp(frame: &Frame<'_>, packet: ip::Packet<'_>, depth: u8) -> Decoded {
    let error = match packet.protocol {
        ip::ICMP if packet.header.is_ipv4() => icmp::read_v4(frame, &packet),
        ip::ICMPV6 if !packet.header.is_ipv4() => icmp::read_v6(frame, &packet),
        _ => {
            let outer = tunnel::named(&packet);
            return tunnelled(tunnel::in_packet(frame, &packet, outer), outer, depth);
        }
    };
    match error {
        Ok(error) => Decoded::Icmp(error),
        Err(skip) => Decoded::Skipped(skip),
    }
}

/// A frame in which the link or the IP layer found no whole packet.
#[cold]
#[inline(never)]
fn without_packet(frame: &Frame<'_>, skip: Skip, depth: u8) -> Decoded {
    tunnelled(tunnel::behind_link(frame, skip), skip, depth)
}

/// Reads what a tunnel holds, or gives up with `outer` where it is nested too deep.
fn tunnelled(held: Result<Frame<'_>, Skip>, outer: Skip, depth: u8) -> Decoded {
    match held {
        Ok(frame) if depth < tunnel::MAX_DEPTH => inside(&frame, depth + 1),
        Ok(_) => Decoded::Skipped(outer),
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
