//! A story: segments of a few connections whose numbers are mostly right and sometimes near it, made of any octets.

use std::net::IpAddr;

use arbitrary::{Arbitrary, Result, Unstructured};
use keepscope::frame::FrameId;
use keepscope::segment::{
    Endpoint, Flags, IcmpError, IcmpKind, Options, SackBlock, Segment, SeqNum, TcpTimestamps,
};
use keepscope::time::{Span, Timestamp};

use super::Move;

const CONNECTIONS: usize = 4;

/// Most turns of a story.
const MOST_TURNS: usize = 96;

const START: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

/// What a turn of a story waits for, times a number.
const WAITS: [i64; 8] = [0, 1_000, 20_000, 1_000_000, 40_000_000, 1_000_000_000, 75_000_000_000, -1_000_000];

const FLAGS: [Flags; 12] = [
    Flags::ACK,
    Flags::ACK,
    Flags::ACK,
    Flags::ACK,
    Flags(0x18),
    Flags::SYN,
    Flags(0x12),
    Flags(0x11),
    Flags::RST,
    Flags(0x14),
    Flags(0x19),
    Flags(0x00),
];

/// Where sequence numbers begin.
const BEGINNINGS: [u32; 8] =
    [0, 1, u32::MAX, u32::MAX - 1, i32::MAX as u32, 1 << 31, u32::MAX - 3_000, 5_000];

/// One turn as it stands in the input.
#[derive(Arbitrary, Debug)]
struct Written {
    wait: u8,
    who: u8,
    flags: u8,
    seq: i8,
    ack: i8,
    octets: u8,
    window: u8,
    stamp: i8,
    more: u8,
}

pub(super) enum Turn {
    Segment(Segment),
    Icmp(IcmpError),
}

/// What both ends of a connection have sent.
#[derive(Clone, Copy)]
struct Standing {
    ends: [Endpoint; 2],
    next: [u32; 2],
    ip_id: [u16; 2],
    last: Option<Segment>,
}

pub(super) struct Story {
    pub(super) turns: Vec<Turn>,
    moved_by: Move,
    servers: [Endpoint; CONNECTIONS],
}

fn ends(index: usize) -> [Endpoint; 2] {
    let end = |address: IpAddr, port| Endpoint { address, port };
    let four = |last: u8| IpAddr::from([192, 0, 2, last]);
    let six = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
    match index {
        0 => [end(four(1), 40_000), end(four(2), 80)],
        1 => [end(four(1), 40_001), end(four(2), 80)],
        2 => [end(six(1), 40_000), end(six(2), 80)],
        // An end that speaks with itself on two ports.
        _ => [end(four(1), 7), end(four(1), 80)],
    }
}

impl Story {
    pub(super) fn read(input: &mut Unstructured<'_>) -> Result<Story> {
        let beginnings = u8::arbitrary(input)?;
        let moved_by = Move {
            time: Span::from_secs(i64::from(i16::arbitrary(input)?)),
            seq: [u32::arbitrary(input)?, u32::arbitrary(input)?],
        };
        let begin = |shift: u8| BEGINNINGS[usize::from(beginnings >> shift) % BEGINNINGS.len()];
        let mut standing: [Standing; CONNECTIONS] = std::array::from_fn(|index| Standing {
            ends: ends(index),
            next: [begin(0), begin(3)],
            ip_id: [7, u16::MAX],
            last: None,
        });
        let servers = std::array::from_fn(|index| ends(index)[1]);
        let (mut turns, mut now) = (Vec::new(), START);
        while turns.len() < MOST_TURNS && input.len() >= 9 {
            let written = Written::arbitrary(input)?;
            let wait = WAITS[usize::from(written.wait & 7)] * i64::from(written.wait >> 3);
            now = now.plus(Span::from_nanos(wait));
            let id = FrameId { capture: 0, number: turns.len() as u64 + 1 };
            let connection = &mut standing[usize::from(written.who >> 1) % CONNECTIONS];
            turns.push(connection.turn(&written, id, now));
        }
        Ok(Story { turns, moved_by, servers })
    }

    /// How many segments begin a connection.
    pub(super) fn syns(&self) -> u64 {
        let is_syn = |turn: &&Turn| matches!(turn, Turn::Segment(segment) if segment.flags.syn());
        self.turns.iter().filter(is_syn).count() as u64
    }

    /// The same turn with other numbers, on another day.
    pub(super) fn moved(&self, turn: &Turn) -> Turn {
        let from = |source: Endpoint| usize::from(self.servers.contains(&source));
        match turn {
            Turn::Segment(segment) => Turn::Segment(self.moved_by.segment(segment, from(segment.source))),
            Turn::Icmp(error) => Turn::Icmp(self.moved_by.icmp(error, from(error.source))),
        }
    }
}

impl Standing {
    fn turn(&mut self, written: &Written, id: FrameId, time: Timestamp) -> Turn {
        let from = usize::from(written.who & 1);
        match (written.who >> 3 & 7, self.last) {
            (1, Some(last)) => return Turn::Icmp(quoting(&last, written, id, time)),
            // Captured twice, on the same interface or on another, before or behind a router.
            (2, Some(last)) => {
                let interface = u32::from(written.more & 1);
                let ttl = last.ttl - (written.more >> 1 & 1);
                return Turn::Segment(Segment { id, time, interface, ttl, ..last });
            }
            // Sent again.
            (3, Some(last)) => {
                let ip_id = last.ip_id.map(|number| number.wrapping_add(1));
                return Turn::Segment(Segment { id, time, ip_id, ..last });
            }
            _ => {}
        }
        let segment = self.segment(written, from, id, time);
        // Only what is right moves the end on.
        if written.seq == 0 && !segment.flags.rst() {
            let control = u32::from(segment.flags.syn()) + u32::from(segment.flags.fin());
            self.next[from] = self.next[from].wrapping_add(segment.len + control);
        }
        self.last = Some(segment);
        Turn::Segment(segment)
    }

    fn segment(&mut self, written: &Written, from: usize, id: FrameId, time: Timestamp) -> Segment {
        let flags = match FLAGS.get(usize::from(written.flags & 0x1f)) {
            Some(flags) => *flags,
            None => Flags(written.flags),
        };
        let near = |at: u32, by: i8| {
            // Far away where the distance is extreme.
            let far = if by == i8::MIN { 1 << 31 } else { i32::from(by).wrapping_mul(i32::from(by)) as u32 };
            if by.unsigned_abs() > 8 { at.wrapping_add(far) } else { at.wrapping_add_signed(by.into()) }
        };
        let len = match written.octets {
            few @ 0..=199 => u32::from(few >> 4),
            more @ 200..=254 => u32::from(more) * 7,
            255 => 65_495,
        };
        self.ip_id[from] = self.ip_id[from].wrapping_add(u16::from(written.more & 3));
        let stamps = TcpTimestamps {
            value: 100_u32.wrapping_add_signed(written.stamp.into()),
            echo: 100_u32.wrapping_add_signed(written.ack.into()),
        };
        let left = SeqNum(near(self.next[1 - from], written.stamp));
        Segment {
            id,
            time,
            interface: 0,
            source: self.ends[from],
            destination: self.ends[1 - from],
            seq: SeqNum(near(self.next[from], written.seq)),
            ack: SeqNum(if flags.ack() { near(self.next[1 - from], written.ack) } else { 0 }),
            flags,
            window: u16::from(written.window) << (written.window & 8),
            len,
            first_octet: (len > 0 && written.more & 4 == 0).then_some(written.more >> 7),
            options: Options {
                timestamps: (written.more & 8 == 0).then_some(stamps),
                sack: (written.more & 0x10 != 0)
                    .then_some(SackBlock { left, right: left.plus(1 + u32::from(written.more >> 6)) }),
                window_scale: (flags.syn() && written.more & 0x20 != 0).then_some(written.window % 15),
                mss: None,
                sack_permitted: flags.syn(),
                incomplete: false,
            },
            ttl: 64,
            ip_id: self.ends[from].address.is_ipv4().then_some(self.ip_id[from]),
            dont_fragment: written.more & 0x40 == 0,
        }
    }
}

fn quoting(last: &Segment, written: &Written, id: FrameId, time: Timestamp) -> IcmpError {
    let code = written.more & 15;
    IcmpError {
        id,
        time,
        reporter: IpAddr::from([198, 51, 100, 1]),
        kind: match written.flags & 3 {
            0 => IcmpKind::Unreachable(code),
            1 => IcmpKind::TimeExceeded(code),
            2 => IcmpKind::PacketTooBig,
            _ => IcmpKind::ParameterProblem(code),
        },
        source: last.source,
        destination: last.destination,
        seq: SeqNum(last.seq.0.wrapping_add_signed(i32::from(written.seq / 32))),
        quoted_ip_id: last.ip_id.filter(|_| written.more & 0x10 == 0),
        ttl: 60,
    }
}
