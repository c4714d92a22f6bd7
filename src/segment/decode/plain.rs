//! The shape that nearly every frame has, read at one go: Ethernet or nothing, IPv4 without options or IPv6 without
//! extensions, TCP with its header captured as a whole.
//!
//! Owns [`read`], which says nothing that the layers would not say: what has any other shape, or contradicts itself,
//! is left to them. Uses [`super::tcp`] and [`crate::frame`].

use super::link::wire_len;
use super::{ip, tcp};
use crate::frame::{Frame, LinkType};
use crate::segment::{Brief, Segment};

const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

/// Reads a frame of that shape; nothing if it has another.
#[inline(always)]
pub(super) fn read(frame: &Frame<'_>) -> Option<Segment> {
    let mut brief = Brief::BLANK;
    read_into(frame, &mut brief)?;
    Some(brief.segment())
}

/// Reads a frame of that shape into `brief`, each field straight to its place; nothing if it has another or there is more to
/// it, and then what is in `brief` means nothing.
#[inline(always)]
pub(super) fn read_into(frame: &Frame<'_>, brief: &mut Brief) -> Option<()> {
    let (ethertype, packet) = match frame.link {
        LinkType::Ethernet => {
            let (&[.., high, low], packet) = frame.data.split_first_chunk::<14>()?;
            ([high, low], packet)
        }
        LinkType::Raw => match frame.data.first()? >> 4 {
            4 => (ETHERTYPE_IPV4, frame.data),
            _ => (ETHERTYPE_IPV6, frame.data),
        },
        _ => return None,
    };
    let on_wire = wire_len(frame) - (frame.data.len() - packet.len());
    match ethertype {
        ETHERTYPE_IPV4 => read_v4(packet, on_wire, brief)?,
        ETHERTYPE_IPV6 => read_v6(packet, on_wire, brief)?,
        _ => return None,
    }
    brief.set_frame(frame);
    Some(())
}

#[inline(always)]
fn read_v4(packet: &[u8], on_wire: usize, brief: &mut Brief) -> Option<()> {
    let (header, data) = packet.split_first_chunk::<IPV4_HEADER>()?;
    let &[first, _, t0, t1, i0, i1, f0, f1, ttl, protocol, _, _, ref addresses @ ..] = header;
    let (total, fragment) = (usize::from(u16::from_be_bytes([t0, t1])), u16::from_be_bytes([f0, f1]));
    if first != 0x45 || protocol != ip::TCP || fragment & 0x3fff != 0 || total > on_wire {
        return None;
    }
    let fields = tcp::whole(data, total.checked_sub(IPV4_HEADER)?)?;
    let &[s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
    let ip_id = u16::from_be_bytes([i0, i1]);
    brief.set_v4([s0, s1, s2, s3], [d0, d1, d2, d3], ttl, ip_id, fragment & 0x4000 != 0);
    fields.fill(brief);
    fields.fill_options(brief)
}

#[inline(always)]
fn read_v6(packet: &[u8], on_wire: usize, brief: &mut Brief) -> Option<()> {
    let (header, data) = packet.split_first_chunk::<IPV6_HEADER>()?;
    let &[first, _, _, _, l0, l1, protocol, ttl, ref addresses @ ..] = header;
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    // A length of 0 states none.
    if first >> 4 != 6 || protocol != ip::TCP || len == 0 || IPV6_HEADER + len > on_wire {
        return None;
    }
    let (source, destination) = addresses.split_first_chunk::<16>()?;
    let destination = *destination.first_chunk::<16>()?;
    let fields = tcp::whole(data, len)?;
    brief.set_v6(*source, destination, ttl);
    fields.fill(brief);
    fields.fill_options(brief)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::{Decoded, layers};
    use super::*;
    use crate::frame::FrameId;
    use crate::time::Timestamp;

    /// A frame of the shape.
    fn plain(six: bool, options: &[u8], data: &[u8]) -> Vec<u8> {
        let header_len = 20 + options.len();
        let mut segment =
            vec![0xc3, 0x50, 1, 187, 0, 0, 0, 9, 0, 0, 0, 7, (header_len as u8 / 4) << 4, 0x18, 1, 0];
        segment.extend([0; 4]);
        segment.extend(options);
        segment.extend(data);
        let mut frame = vec![2; 12];
        if six {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend((segment.len() as u16).to_be_bytes());
            frame.extend([6, 64]);
            frame.extend([0x20; 32]);
        } else {
            frame.extend([0x08, 0, 0x45, 0]);
            frame.extend((20 + segment.len() as u16).to_be_bytes());
            frame.extend([1, 2, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1]);
        }
        [frame, segment].concat()
    }

    fn options() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(vec![]),
            Just(vec![1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]),
            (0..=10_usize).prop_flat_map(|words| vec(any::<u8>(), words * 4)),
        ]
    }

    proptest! {
        /// Whatever is said here the layers say too, with any octets changed and wherever the frame is cut.
        #[test]
        fn the_layers_say_the_same(
            (six, bare) in any::<(bool, bool)>(),
            options in options(),
            data in vec(any::<u8>(), 0..8),
            changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3),
            cut in prop_oneof![Just(0), 0..90_usize],
            more_on_wire in prop_oneof![Just(0), 0..100_u32],
            padding in 0..6_usize,
        ) {
            let mut octets = plain(six, &options, &data);
            octets.resize(octets.len() + padding, 0);
            for (index, octet) in changes {
                let at = index.index(octets.len());
                octets[at] = octet;
            }
            let from = if bare { 14 } else { 0 };
            let until = octets.len().saturating_sub(cut).max(from);
            let frame = Frame {
                id: FrameId { capture: 1, number: 2 },
                time: Timestamp::from_nanos(3),
                interface: 4,
                link: if bare { LinkType::Raw } else { LinkType::Ethernet },
                fcs_len: 0,
                wire_len: (until - from) as u32 + more_on_wire,
                flags: None,
                names: None,
                data: &octets[from..until],
            };
            if let Some(segment) = read(&frame) {
                let said = format!("{:?}", Decoded::Segment(segment));
                prop_assert_eq!(said, format!("{:?}", layers(&frame)));
            }
        }
    }

    #[test]
    fn frames_of_the_shape_are_read_here() {
        for six in [false, true] {
            let octets = plain(six, &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], b"data");
            let frame = Frame {
                id: FrameId::default(),
                time: Timestamp::default(),
                interface: 0,
                link: LinkType::Ethernet,
                fcs_len: 0,
                wire_len: octets.len() as u32,
                flags: None,
                names: None,
                data: &octets,
            };
            assert_eq!(read(&frame).map(|segment| segment.len), Some(4));
        }
    }
}
