//! From a frame to a TCP segment, or to an ICMP error that quotes one.
//!
//! Owns [`decode`], [`decode_with`] and the layers below them: `link`, `tunnel`, `ip`, `fragment`, `tcp`,
//! `icmp`, and the reasons not to read a frame ([`Skip`]). Uses [`crate::frame`], [`crate::time`], the types of
//! [`crate::segment`] and etherparse's header slices only. It keeps no state but the [`Fragments`] that it is
//! handed, so apart from fragments one frame never changes how the next is read, and nothing is allocated.
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

mod fragment;
mod icmp;
mod ip;
mod link;
mod plain;
mod skip;
mod tcp;
mod tunnel;

pub use fragment::{Fragments, GivenUp};
pub use skip::{Layer, Skip, Tunnel};

use tunnel::Held;

use super::{Brief, IcmpError, Segment};
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
    /// A fragment that waits for others of its packet; only [`decode_with`] gives this.
    Waiting,
}

/// Reads one frame. Fragments are skipped.
#[inline]
pub fn decode(frame: &Frame<'_>) -> Decoded {
    match plain::read(frame) {
        Some(segment) => Decoded::Segment(segment),
        None => layers(frame),
    }
}

/// Reads a frame layer by layer, whatever it carries.
#[inline(never)]
fn layers(frame: &Frame<'_>) -> Decoded {
    match packet(frame) {
        Ok(packet) if packet.protocol == ip::TCP => tcp::read(frame, &packet),
        Ok(packet) => without_tcp(frame, packet, 0),
        Err(skip) => without_packet(frame, skip, 0),
    }
}

/// Reads one frame and puts fragments together: the segment of a fragmented packet is that of the frame which
/// completes it.
///
/// A fragment is read twice for this, so that all other frames are read as if there were no such thing.
#[inline]
pub fn decode_with(frame: &Frame<'_>, fragments: &mut Fragments) -> Decoded {
    match plain::read(frame) {
        Some(segment) => Decoded::Segment(segment),
        None => layers_with(frame, fragments),
    }
}

/// The same as [`decode_with`], straight into the place where it is wanted, as far as that holds it: whatever there is
/// more to it is the answer.
#[inline(always)]
pub(crate) fn decode_into(
    frame: &Frame<'_>,
    fragments: &mut Fragments,
    place: &mut Brief,
) -> Option<Decoded> {
    if plain::read_into(frame, place).is_some() {
        return None;
    }
    // A copy: so nothing wants the frame itself to be in memory.
    beside(&frame.clone(), fragments, place)
}

#[inline(never)]
fn beside(frame: &Frame<'_>, fragments: &mut Fragments, place: &mut Brief) -> Option<Decoded> {
    let decoded = layers_with(frame, fragments);
    *place = match &decoded {
        Decoded::Segment(segment) => Brief::of(segment),
        _ => Brief::BLANK,
    };
    (!place.is_whole()).then_some(decoded)
}

#[inline(never)]
fn layers_with(frame: &Frame<'_>, fragments: &mut Fragments) -> Decoded {
    let mut decoded = layers(frame);
    if let Decoded::Skipped(Skip::Fragment) = decoded {
        decoded = with_others(frame, fragments, 0);
    }
    decoded
}

/// Inlined by force, with all it calls on the way to a segment: the layers hand on parts of what they read, and
/// in one function those never touch memory. Left to the compiler, that holds only while there is one caller.
#[inline(always)]
fn packet<'a>(frame: &Frame<'a>) -> Result<ip::Packet<'a>, Skip> {
    ip::read(&link::strip(frame)?)
}

/// Takes the packet by value: a reference would force it into memory for TCP as well.
#[inline(never)]
fn without_tcp(frame: &Frame<'_>, packet: ip::Packet<'_>, depth: u8) -> Decoded {
    let error = match packet.protocol {
        ip::ICMP if packet.header.is_ipv4() => icmp::read_v4(frame, &packet),
        ip::ICMPV6 if !packet.header.is_ipv4() => icmp::read_v6(frame, &packet),
        _ => return inside(tunnel::in_packet(frame, &packet), depth),
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
    inside(tunnel::behind_link(frame, skip), depth)
}

/// Reads the frame in a tunnel that itself stood in `depth` others, unless that is too deep.
#[cold]
#[inline(never)]
fn inside(held: Result<Held<'_>, Skip>, depth: u8) -> Decoded {
    let frame = match held.and_then(|held| held.within(depth)) {
        Ok(frame) => frame,
        Err(skip) => return Decoded::Skipped(skip),
    };
    match packet(&frame) {
        Ok(packet) if packet.protocol == ip::TCP => tcp::read(&frame, &packet),
        Ok(packet) => without_tcp(&frame, packet, depth + 1),
        Err(skip) => without_packet(&frame, skip, depth + 1),
    }
}

/// Finds the fragment in a frame, `depth` tunnels deep so far, and puts it to the others of its packet.
#[cold]
#[inline(never)]
fn with_others(frame: &Frame<'_>, fragments: &mut Fragments, depth: u8) -> Decoded {
    let held = match link::strip(frame) {
        Ok(carried) => match ip::read(&carried) {
            Err(Skip::Fragment) => {
                let piece = ip::piece(&carried);
                return piece.map_or(Decoded::Skipped(Skip::Fragment), |piece| fragments.add(frame, &piece));
            }
            // The fragment of which an ICMP error tells is not the reporter's to complete.
            Ok(packet) if matches!(packet.protocol, ip::ICMP | ip::ICMPV6) => Err(Skip::Fragment),
            Ok(packet) => tunnel::in_packet(frame, &packet),
            Err(skip) => Err(skip),
        },
        Err(skip) => tunnel::behind_link(frame, skip),
    };
    match held.and_then(|held| held.within(depth)) {
        Ok(frame) => with_others(&frame, fragments, depth + 1),
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
