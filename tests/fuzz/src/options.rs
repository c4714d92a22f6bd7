//! TCP options: those that are read of any octets can be written, and read back as the same; the rest of the segment
//! does not depend on them.

use keepscope::frame::{Frame, FrameId, LinkType};
use keepscope::segment::decode::{Decoded, decode};
use keepscope::segment::encode::Outbound;
use keepscope::segment::{Options, Segment};
use keepscope::time::Timestamp;

const IP: usize = 20;
const TCP: usize = 20;

/// A packet from 192.0.2.1 to 192.0.2.2 with these octets for options, and one octet of data.
fn packet(options: &[u8]) -> Vec<u8> {
    let header = TCP + options.len();
    let total = u16::try_from(IP + header + 1).expect("at most 81");
    let words = u8::try_from(header / 4).expect("at most 15");
    let mut packet = vec![0x45, 0];
    packet.extend(total.to_be_bytes());
    packet.extend([0, 7, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    packet.extend([
        0x9c,
        0x40,
        0,
        80,
        0xff,
        0xff,
        0xff,
        0xff,
        0,
        0,
        0,
        1,
        words << 4,
        0x10,
        2,
        3,
        0,
        0,
        0,
        0,
    ]);
    packet.extend(options);
    packet.push(b'x');
    packet
}

fn read(packet: &[u8], wire_len: usize) -> Option<Segment> {
    let frame = Frame {
        id: FrameId { capture: 0, number: 1 },
        time: Timestamp::default(),
        interface: 0,
        link: LinkType::Raw,
        fcs_len: 0,
        wire_len: u32::try_from(wire_len).expect("short"),
        flags: None,
        names: None,
        data: packet,
    };
    match decode(&frame) {
        Decoded::Segment(segment) => Some(segment),
        _ => None,
    }
}

/// The input is the options; what is more than 40 octets or no whole word is left out.
pub fn hold(input: &[u8]) {
    let options = &input[..input.len().min(40) / 4 * 4];
    let packet = packet(options);
    let segment = read(&packet, packet.len()).expect("the rest of it is right");
    assert_eq!((segment.seq.0, segment.ack.0, segment.window, segment.len), (u32::MAX, 1, 0x203, 1));
    assert_eq!(segment.first_octet, Some(b'x'));
    assert!(segment.options.window_scale.is_none_or(|scale| scale <= 14));

    // Cut anywhere in the options, what is read of them was there.
    for cut in IP + TCP..packet.len() {
        let Some(part) = read(&packet[..cut], packet.len()) else { continue };
        assert_eq!((part.seq, part.ack, part.len), (segment.seq, segment.ack, segment.len));
        let (part, whole) = (part.options, segment.options);
        if cut < packet.len() - 1 && !whole.incomplete && !part.incomplete {
            assert_eq!(part, whole, "cut at {cut}, and nobody says so");
        }
        // Of an option that stands there twice, one is read.
        assert!(part.timestamps.is_none() || whole.timestamps.is_some());
        assert!(part.sack.is_none() || whole.sack.is_some());
        assert!(part.mss.is_none() || whole.mss.is_some());
        assert!(part.window_scale.is_none() || whole.window_scale.is_some());
        assert!(!part.sack_permitted || whole.sack_permitted);
    }
    written_reads_back(&segment);
}

fn written_reads_back(segment: &Segment) {
    let outbound = Outbound {
        source: segment.source,
        destination: segment.destination,
        seq: segment.seq,
        ack: segment.ack,
        flags: segment.flags,
        window: segment.window,
        options: segment.options,
        payload: b"x",
        ttl: segment.ttl,
        ip_id: segment.ip_id.unwrap_or(0),
        dont_fragment: segment.dont_fragment,
    };
    let mut packet = Vec::new();
    outbound.packet(&mut packet).expect("one octet fits");
    let again = read(&packet, packet.len()).expect("a segment");
    assert_eq!(again.options, Options { incomplete: false, ..segment.options });
    let parts = |segment: &Segment| (segment.seq, segment.ack, segment.flags, segment.window, segment.len);
    assert_eq!(parts(&again), parts(segment));
    assert_eq!((again.source, again.destination), (segment.source, segment.destination));
}
