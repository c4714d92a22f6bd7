//! Segments of a capture, and which of one end's segments the machine accounts for.

use std::path::Path;

use keepscope::capture::Captures;
use keepscope::keepalive::{Incoming, Tcb};
use keepscope::segment::decode::{Decoded, decode};
use keepscope::segment::{Flags, Segment, SeqNum};

/// All TCP segments of a file.
pub fn read(path: &Path) -> Vec<Segment> {
    let mut captures = Captures::open(&[path]).expect("a capture");
    let mut segments = Vec::new();
    while let Some(frame) = captures.next_frame() {
        if let Decoded::Segment(segment) = decode(&frame) {
            segments.push(segment);
        }
    }
    assert!(!captures.problems().any(|problem| problem.is_damage()), "the capture is damaged");
    segments
}

/// The segments of one connection, as one end sees them.
#[derive(Clone, Debug)]
pub struct Side {
    /// The connection when it is established.
    pub tcb: Tcb,
    /// The segment with which it is.
    pub established: Segment,
    /// What arrives later.
    pub received: Vec<Segment>,
    /// What leaves later and is neither data, nor FIN, nor the first acknowledgment of something received.
    pub sent: Vec<Segment>,
}

impl Side {
    /// Takes one end's view: it is the end that connected (`connects`), or the other. `client` and `server`
    /// are ports.
    pub fn of(segments: &[Segment], client: u16, server: u16, connects: bool) -> Side {
        let from = |segment: &&Segment, port: u16| segment.source.port == port;
        let all: Vec<&Segment> = segments
            .iter()
            .filter(|segment| {
                let ports = (segment.source.port, segment.destination.port);
                ports == (client, server) || ports == (server, client)
            })
            .collect();
        let (own, other) = if connects { (client, server) } else { (server, client) };
        let syn =
            |port| all.iter().find(|segment| from(segment, port) && segment.flags.syn()).expect("a SYN");
        let (own_syn, other_syn) = (syn(own), syn(other));
        let at = all
            .iter()
            .position(|segment| {
                from(segment, other) && segment.flags.ack() && segment.ack == own_syn.seq.plus(1)
            })
            .expect("a handshake");
        let established = all[at];
        let snd_nxt = own_syn.seq.plus(1);
        let sack = own_syn.options.sack_permitted && other_syn.options.sack_permitted;
        let timestamps = own_syn.options.timestamps.and(other_syn.options.timestamps);
        let ts_recent = timestamps.and(established.options.timestamps).map(|stamps| stamps.value);
        let tcb = Tcb { sack, ts_recent, ..Tcb::quiet(snd_nxt, other_syn.seq.plus(1)) };
        let (received, left): (Vec<&Segment>, Vec<&Segment>) =
            all[at + 1..].iter().partition(|segment| from(segment, other));
        // The third segment of a handshake acknowledges the peer's SYN.
        let mut acknowledged = if connects { other_syn.seq } else { tcb.rcv_nxt };
        let mut next = snd_nxt;
        let mut sent = Vec::new();
        for segment in left {
            let new = segment.flags.ack() && segment.ack.distance_from(acknowledged) > 0;
            if new {
                acknowledged = segment.ack;
            }
            let occupies = segment.len + u32::from(segment.flags.fin());
            let end = segment.seq.plus(occupies);
            let acknowledges = new && segment.seq == next;
            // A probe of one octet lies below what is sent next.
            let is_data =
                occupies > 0 && (end.distance_from(next) > 0 || segment.len > 1 || below(segment, next));
            if end.distance_from(next) > 0 {
                next = end;
            }
            if segment.flags.rst() || !(is_data || acknowledges) {
                sent.push(*segment);
            }
        }
        Side { tcb, established: *established, received: received.into_iter().copied().collect(), sent }
    }
}

/// Whether a segment's beginning lies more than one octet below `next`: then it was sent again.
fn below(segment: &Segment, next: SeqNum) -> bool {
    segment.seq.distance_from(next) < -1
}

/// A segment as it arrives.
pub fn incoming(segment: &Segment) -> Incoming {
    Incoming {
        seq: segment.seq,
        ack: segment.ack,
        flags: segment.flags,
        octets: segment.len,
        tsval: segment.options.timestamps.map(|stamps| stamps.value),
    }
}

/// Control bits that are compared.
pub fn flags(of: Flags) -> u8 {
    of.0 & 0x3f
}
