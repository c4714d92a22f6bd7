//! Makes a capture of many busy connections, the same one for the same numbers.
//!
//! What it shows: exchanges of data both ways with timestamps, interleaved; now and then a keepalive and its
//! answer. One connection in ten begins within the capture, one in eight uses IPv6.

use std::io::{self, Write};

/// Segments with data in one exchange.
const EXCHANGE: u8 = 12;
/// One in so many exchanges is a keepalive instead.
const KEEPALIVE_EVERY: u64 = 32;
/// Nanoseconds between two packets of a busy network.
pub const PACE: u64 = 50_000;

const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// What to make.
pub struct Plan {
    /// How many packets.
    pub packets: u64,
    /// How many connections.
    pub connections: u32,
    /// How many connections are in the middle of an exchange at any time: the more, the less of what the
    /// last packets needed helps with the next one.
    pub concurrent: u32,
    /// Octets of data in an average segment.
    pub payload: u32,
    /// Nanoseconds between two packets.
    pub pace: u64,
}

#[derive(Clone, Copy)]
enum Phase {
    Resting,
    Opening(u8),
    Talking(u8),
    Probing(u8),
}

#[derive(Clone)]
struct Connection {
    /// SND.NXT of client and server.
    next: [u32; 2],
    phase: Phase,
    opens: bool,
}

/// One segment of a connection.
struct Sent {
    /// 0: by the client; 1: by the server.
    by: usize,
    flags: u8,
    seq: u32,
    len: u32,
}

impl Connection {
    /// The next segment of an exchange; begins one if none is going on.
    fn next(&mut self, random: &mut Random, payload: u32) -> Sent {
        if let Phase::Resting = self.phase {
            self.phase = match random.below(KEEPALIVE_EVERY) {
                _ if self.opens => Phase::Opening(0),
                0 => Phase::Probing(0),
                _ => Phase::Talking(0),
            };
        }
        match self.phase {
            Phase::Opening(step) => {
                self.opens = false;
                self.phase = if step == 2 { Phase::Resting } else { Phase::Opening(step + 1) };
                match step {
                    0 => self.send(0, SYN, 1, 0),
                    1 => self.send(1, SYN | ACK, 1, 0),
                    _ => self.send(0, ACK, 0, 0),
                }
            }
            Phase::Probing(step) => {
                self.phase = if step == 2 { Phase::Resting } else { Phase::Probing(step + 1) };
                match step {
                    0 => self.send(0, ACK, 0, 0),
                    1 => Sent { by: 0, flags: ACK, seq: self.next[0].wrapping_sub(1), len: 0 },
                    _ => self.send(1, ACK, 0, 0),
                }
            }
            Phase::Resting | Phase::Talking(EXCHANGE..) => self.send(0, ACK, 0, 0),
            Phase::Talking(step) => {
                self.phase = if step + 1 == EXCHANGE { Phase::Resting } else { Phase::Talking(step + 1) };
                let len = 2 + payload / 2 + random.below(u64::from(payload.max(1))) as u32;
                self.send(usize::from(step % 3 != 0), ACK | PSH, 0, len)
            }
        }
    }

    fn send(&mut self, by: usize, flags: u8, extra: u32, len: u32) -> Sent {
        let seq = self.next[by];
        self.next[by] = seq.wrapping_add(extra + len);
        Sent { by, flags, seq, len }
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Writes the capture: pcap with nanoseconds.
pub fn write(plan: &Plan, out: &mut impl Write) -> io::Result<()> {
    let mut header = Vec::with_capacity(24);
    header.extend(0xa1b2_3c4d_u32.to_le_bytes());
    header.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    header.extend(262_144_u32.to_le_bytes());
    header.extend(1_u32.to_le_bytes());
    out.write_all(&header)?;

    let mut random = Random(1);
    let mut connections: Vec<Connection> = (0..plan.connections)
        .map(|number| Connection {
            next: [random.next() as u32, random.next() as u32],
            phase: Phase::Resting,
            opens: number % 10 == 0,
        })
        .collect();
    // Every connection has its turn once before chance decides.
    let mut fresh = 0..u64::from(plan.connections);
    let mut pick = |random: &mut Random| {
        fresh.next().unwrap_or_else(|| random.below(u64::from(plan.connections))) as usize
    };
    let mut busy: Vec<usize> =
        (0..plan.concurrent.min(plan.connections)).map(|_| pick(&mut random)).collect();
    let mut record = Vec::new();
    for packet in 0..plan.packets {
        let turn = random.below(busy.len() as u64) as usize;
        let number = busy[turn];
        let connection = &mut connections[number];
        let sent = connection.next(&mut random, plan.payload);
        let acked = connection.next[1 - sent.by];
        if let Phase::Resting = connection.phase {
            busy[turn] = pick(&mut random);
        }
        record.clear();
        put_record(&mut record, packet, packet * plan.pace, number as u32, &sent, acked);
        out.write_all(&record)?;
    }
    out.flush()
}

fn put_record(record: &mut Vec<u8>, packet: u64, nanos: u64, number: u32, sent: &Sent, acked: u32) {
    let ipv6 = number % 8 == 7;
    let ip_header: u32 = if ipv6 { 40 } else { 20 };
    let length = 14 + ip_header + 32 + sent.len;
    record.extend((1_700_000_000 + (nanos / 1_000_000_000) as u32).to_le_bytes());
    record.extend(((nanos % 1_000_000_000) as u32).to_le_bytes());
    record.extend(length.to_le_bytes());
    record.extend(length.to_le_bytes());
    record.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    let client = number.to_be_bytes();
    let pair = |one: [u8; 4], two: [u8; 4]| if sent.by == 0 { (one, two) } else { (two, one) };
    if ipv6 {
        let (source, destination) = pair([0, client[1], client[2], client[3]], [0, 0, 1, 1]);
        record.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        record.extend(((32 + sent.len) as u16).to_be_bytes());
        record.extend([6, 64]);
        for end in [source, destination] {
            record.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0]);
            record.extend(end);
        }
    } else {
        let (source, destination) = pair([10, client[1], client[2], client[3]], [192, 0, 2, client[3] % 16]);
        record.extend([0x08, 0x00, 0x45, 0]);
        record.extend(((52 + sent.len) as u16).to_be_bytes());
        record.extend((packet as u16).to_be_bytes());
        record.extend([0x40, 0, 64, 6, 0, 0]);
        record.extend(source);
        record.extend(destination);
    }
    let client_port = 32_768 + (number % 28_000) as u16;
    let ports = if sent.by == 0 { [client_port, 443] } else { [443, client_port] };
    record.extend(ports.map(u16::to_be_bytes).as_flattened());
    record.extend(sent.seq.to_be_bytes());
    record.extend((if sent.flags & ACK == 0 { 0 } else { acked }).to_be_bytes());
    record.extend([0x80, sent.flags, 0x10, 0, 0, 0, 0, 0, 1, 1, 8, 10]);
    let clock = (nanos / 1_000_000) as u32 + 1;
    record.extend(clock.to_be_bytes());
    record.extend(clock.saturating_sub(1).to_be_bytes());
    record.resize(record.len() + sent.len as usize, number as u8);
}
