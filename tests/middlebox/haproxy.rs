//! The simulated proxy against a real HAProxy: what the ends sent to that goes to this at the same times, and
//! both must answer the same keepalives and close at the same time in the same way.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use keepscope::capture::Captures;
use keepscope::segment::decode::{Decoded, decode};
use keepscope::segment::{Endpoint, Flags, Options, Segment, SeqNum};
use keepscope::simulate::middlebox::description::{Proxy, ProxyClose};
use keepscope::simulate::middlebox::{Description, Side};
use keepscope::simulate::packet::{Packet, TcpPacket};
use keepscope::time::{Span, Timestamp};
use serde::Serialize;

use crate::common::{scratch, text};
use crate::flows::lab;
use crate::kit::{CLIENT, Driven, ROUTER_INSIDE, ROUTER_OUTSIDE, SERVER, end};

/// How often plans are carried out before they count as wrong.
const ATTEMPTS: u32 = 3;

/// HAProxy wakes this much after its time at most on a machine that is busy, and never before it.
const LATE: Span = Span::from_millis(250);

/// Its clock and its timers count milliseconds.
const EARLY: Span = Span::from_millis(2);

#[derive(Clone, Debug, Serialize)]
struct Plan {
    #[serde(skip)]
    name: &'static str,
    client_ms: i64,
    server_ms: i64,
    speaks: Vec<(f64, &'static str, u32)>,
    idle: Option<u32>,
    ends: Option<(f64, &'static str, &'static str)>,
}

fn plan(name: &'static str, client_ms: i64, server_ms: i64, speaks: &[(f64, &'static str, u32)]) -> Plan {
    Plan { name, client_ms, server_ms, speaks: speaks.to_vec(), idle: Some(1), ends: None }
}

fn plans() -> Vec<Plan> {
    let words = [(0.2, "client", 10), (0.4, "server", 20)];
    let long = || plan("", 9000, 9000, &words);
    vec![
        plan("both wait as long", 3000, 3000, &words),
        plan("the client's patience is shorter", 2000, 4000, &words),
        plan("the server's patience is shorter", 4000, 2000, &words),
        plan("never a word", 2500, 2500, &[]),
        plan("the server speaks late", 3000, 4000, &[(0.2, "client", 10), (2.2, "server", 3000)]),
        plan("the client speaks late", 4000, 3000, &[(0.2, "server", 10), (2.2, "client", 3000)]),
        Plan { name: "the client closes", ends: Some((1.5, "client", "close")), ..long() },
        Plan { name: "the server closes", ends: Some((1.5, "server", "close")), ..long() },
        Plan { name: "the client resets", ends: Some((1.5, "client", "reset")), ..long() },
        Plan { name: "the server resets", ends: Some((1.5, "server", "reset")), ..long() },
    ]
}

#[test]
fn the_simulated_proxy_does_what_haproxy_does() {
    let mut plans = plans();
    // A machine that was not run for a moment closes late. Where the rules are wrong, they are wrong each time.
    for attempt in 1.. {
        let folder = scratch("haproxy");
        let document = serde_json::to_vec(&plans).expect("plans as JSON");
        if lab("proxy", &[text(&folder)], &document).is_none() {
            return;
        }
        let (client, server) = (read(&folder.join("client.pcap")), read(&folder.join("server.pcap")));
        let wrong: BTreeMap<&str, String> = plans
            .iter()
            .enumerate()
            .filter_map(|(number, plan)| Some((plan.name, compare(plan, number, &client, &server).err()?)))
            .collect();
        if wrong.is_empty() {
            std::fs::remove_dir_all(&folder).expect("the folder can be removed");
            return;
        }
        // Kept where something is wrong, so that it can be looked at.
        assert!(attempt < ATTEMPTS, "in {}: {wrong:#?}", folder.display());
        eprintln!("once more, since {wrong:#?}");
        plans.retain(|plan| wrong.contains_key(plan.name));
    }
}

fn read(path: &Path) -> Vec<Segment> {
    let mut captures = Captures::open(&[path]).expect("a capture");
    let mut segments = Vec::new();
    while let Some(frame) = captures.next_frame() {
        if let Decoded::Segment(segment) = decode(&frame) {
            segments.push(segment);
        }
    }
    segments
}

/// A segment of a proxy, its numbers counted from both SYNs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    time: Timestamp,
    side: Side,
    flags: Flags,
    seq: u32,
    ack: u32,
    octets: u32,
}

/// What is compared of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Summary {
    /// Octets it sent in all.
    octets: u32,
    /// ACKs right after a probe of that end.
    answers: usize,
    /// Segments with one octet or none below what it sends next.
    probes: usize,
    /// FINs and RSTs, with their numbers; a RST that answers nothing has no number of ours.
    ends: Vec<(Flags, u32, u32)>,
}

impl Summary {
    /// Whether two differ at most in how many RSTs follow the FIN. HAProxy closes its socket right behind its FIN;
    /// whether the end's own FIN is there by then decides whether no RST, one or two follow.
    fn agrees(&self, other: &Self) -> bool {
        let rests = self.ends.iter().skip(1).chain(other.ends.iter().skip(1));
        let first_is_fin = self.ends.first().is_some_and(|(flags, ..)| flags.fin());
        let same = self.ends.iter().zip(&other.ends).all(|(one, two)| one == two);
        let both = !self.ends.is_empty() && !other.ends.is_empty();
        let raced = both && first_is_fin && same && rests.clone().all(|(flags, ..)| flags.rst());
        let rest = |one: &Self| Self { ends: Vec::new(), ..one.clone() };
        self == other || (raced && rest(self) == rest(other))
    }
}

fn summary(side: Side, sent: &[Sent], heard: &[(Timestamp, Side, bool)]) -> Summary {
    let mut summary = Summary::default();
    let own: Vec<&Sent> = sent.iter().filter(|sent| sent.side == side).collect();
    let mut next = 1;
    for sent in &own {
        let bare = sent.octets == 0 && sent.flags == Flags::ACK;
        summary.probes += usize::from(bare && sent.seq + 1 == next);
        if sent.seq == next {
            summary.octets += sent.octets;
            next += sent.octets;
        }
        if sent.flags.any(Flags::FIN.with(Flags::RST)) {
            let flags = Flags(sent.flags.0 & !Flags::PSH.0);
            summary.ends.push((flags, sent.seq, sent.ack));
        }
    }
    let probed = heard.iter().filter(|(_, from, probe)| *from == side && *probe);
    summary.answers = probed
        .filter(|(time, ..)| {
            own.iter().any(|sent| {
                let after = sent.time.since(*time);
                sent.flags == Flags::ACK && sent.octets == 0 && after >= Span::ZERO && after < LATE
            })
        })
        .count();
    summary
}

fn compare(plan: &Plan, number: usize, client: &[Segment], server: &[Segment]) -> Result<(), String> {
    let n = u16::try_from(number).expect("few plans");
    let real = Real::of(n, client, server);
    let (ours, closed) = replay(plan, n, &real);
    let theirs = &real.sent;
    for side in [Side::Inside, Side::Outside] {
        let (ours, theirs) = (summary(side, &ours, &real.heard), summary(side, theirs, &real.heard));
        if !ours.agrees(&theirs) {
            return Err(format!("{}: ours {ours:?}, HAProxy {theirs:?}", side.name()));
        }
        if theirs.probes > 0 || (plan.ends.is_none() && theirs.answers == 0) {
            return Err(format!("{}: probes came through, or none was answered: {theirs:?}", side.name()));
        }
        eprintln!("{}, {}: {theirs:?}", plan.name, side.name());
    }
    let Some(closed) = closed.filter(|_| plan.ends.is_none()) else { return Ok(()) };
    let theirs = real.closed.expect("HAProxy closes");
    let late = theirs.since(closed);
    eprintln!("{}: HAProxy closed {late} s after the simulated proxy", plan.name);
    if late < EARLY.times(-1) || late > LATE { Err(format!("HAProxy closed {late} s later")) } else { Ok(()) }
}

/// What was seen of HAProxy.
struct Real {
    /// What the ends sent to it, in order.
    packets: Vec<(Side, Segment)>,
    /// The same: when, from where, and whether it was a keepalive probe.
    heard: Vec<(Timestamp, Side, bool)>,
    sent: Vec<Sent>,
    /// HAProxy's own first numbers.
    first: BTreeMap<Side, SeqNum>,
    /// Its first FIN or RST.
    closed: Option<Timestamp>,
}

impl Real {
    fn of(number: u16, client: &[Segment], server: &[Segment]) -> Self {
        let inside = client.iter().map(|segment| (Side::Inside, *segment));
        let outside = server.iter().map(|segment| (Side::Outside, *segment));
        let port = |side: Side| if side == Side::Inside { 7100 + number } else { 7200 + number };
        let ours = |(side, segment): &(Side, Segment)| {
            [segment.source.port, segment.destination.port].contains(&port(*side))
        };
        let mut all: Vec<(Side, Segment)> = inside.chain(outside).filter(ours).collect();
        all.sort_by_key(|(_, segment)| segment.time);
        let of_end =
            |segment: &Segment| [IpAddr::V4(CLIENT), IpAddr::V4(SERVER)].contains(&segment.source.address);
        let mut real = Self {
            packets: Vec::new(),
            heard: Vec::new(),
            sent: Vec::new(),
            first: BTreeMap::new(),
            closed: None,
        };
        // The first numbers and what comes next of each end, by side.
        let mut ends: BTreeMap<Side, (SeqNum, SeqNum)> = BTreeMap::new();
        for (side, segment) in all {
            let last = segment
                .seq
                .plus(segment.len + u32::from(segment.flags.syn()) + u32::from(segment.flags.fin()));
            if of_end(&segment) {
                let (_, next) = ends.entry(side).or_insert((segment.seq, last));
                let probe = segment.len == 0 && segment.flags == Flags::ACK && segment.seq.plus(1) == *next;
                if last.distance_from(*next) > 0 {
                    *next = last;
                }
                real.heard.push((segment.time, side, probe));
                real.packets.push((side, segment));
                continue;
            }
            let first = *real.first.entry(side).or_insert(segment.seq);
            let peer = ends.get(&side).map_or(SeqNum(0), |(first, _)| *first);
            if segment.flags.any(Flags::FIN.with(Flags::RST)) {
                real.closed.get_or_insert(segment.time);
            }
            real.sent.push(Sent {
                time: segment.time,
                side,
                flags: segment.flags,
                seq: segment.seq.0.wrapping_sub(first.0),
                ack: if segment.flags.ack() { segment.ack.0.wrapping_sub(peer.0) } else { 0 },
                octets: segment.len,
            });
        }
        real
    }
}

/// Gives the simulated proxy what HAProxy was given; returns what it sent, and when it first closed something.
fn replay(plan: &Plan, number: u16, real: &Real) -> (Vec<Sent>, Option<Timestamp>) {
    let listen = end(ROUTER_INSIDE, 7100 + number);
    let backend = end(SERVER, 7200 + number);
    let mut driven = Driven::new(&Description::Proxy(Proxy {
        listen,
        backends: vec![backend],
        address: IpAddr::V4(ROUTER_OUTSIDE),
        timeout_client: Some(Span::from_millis(plan.client_ms)),
        timeout_server: Some(Span::from_millis(plan.server_ms)),
        close_client: ProxyClose::Finish,
        close_server: ProxyClose::FinishThenReset,
        keepalive_client: None,
        keepalive_server: None,
    }));
    let mut ours = Ours { listen, backend, own: BTreeMap::new(), peers: BTreeMap::new(), sent: Vec::new() };
    for (side, segment) in &real.packets {
        ours.until(&mut driven, segment.time);
        let packet = ours.packet(*side, segment, real);
        ours.peers.entry(*side).or_insert(segment.seq);
        let left = driven.give(segment.time, *side, packet);
        ours.take(segment.time, left);
    }
    let end = real.packets.last().map_or(Timestamp::default(), |(_, segment)| segment.time);
    ours.until(&mut driven, end.plus(Span::from_millis(500)));
    let closes = |sent: &&Sent| sent.flags.any(Flags::FIN.with(Flags::RST));
    let closed = ours.sent.iter().find(closes).map(|sent| sent.time);
    (ours.sent, closed)
}

/// The simulated proxy's side of things.
struct Ours {
    listen: Endpoint,
    backend: Endpoint,
    /// Its own end and first number on each side.
    own: BTreeMap<Side, (Endpoint, SeqNum)>,
    /// The first number of each end.
    peers: BTreeMap<Side, SeqNum>,
    sent: Vec<Sent>,
}

impl Ours {
    /// A real packet as the simulated proxy must see it: its own port and its own numbers acknowledged.
    fn packet(&self, side: Side, segment: &Segment, real: &Real) -> TcpPacket {
        let own = self.own.get(&side);
        let shift = match (own, real.first.get(&side)) {
            (Some((_, ours)), Some(theirs)) => ours.0.wrapping_sub(theirs.0),
            _ => 0,
        };
        TcpPacket {
            source: segment.source,
            destination: match side {
                Side::Inside => self.listen,
                Side::Outside => own.map_or(segment.destination, |(end, _)| *end),
            },
            seq: segment.seq,
            ack: segment.ack.plus(shift),
            flags: segment.flags,
            window: segment.window,
            octets: u16::try_from(segment.len).expect("an ordinary segment"),
            ttl: segment.ttl,
            dont_fragment: segment.dont_fragment,
            ip_id: 1,
            options: Options { sack: None, ..segment.options },
        }
    }

    /// Lets time pass; what leaves then leaves at its own time.
    fn until(&mut self, driven: &mut Driven, now: Timestamp) {
        while let Some(due) = driven.next_timeout().filter(|due| *due <= now) {
            let left = driven.until(due);
            self.take(due, left);
        }
    }

    fn take(&mut self, time: Timestamp, left: Vec<(Side, Packet)>) {
        for (side, packet) in left {
            let Packet::Tcp(packet) = packet else { panic!("a proxy sends no ICMP") };
            assert!(side == Side::Inside || packet.destination == self.backend, "to {}", packet.destination);
            let (_, first) = *self.own.entry(side).or_insert((packet.source, packet.seq));
            let peer = self.peers.get(&side).copied().unwrap_or(SeqNum(0));
            self.sent.push(Sent {
                time,
                side,
                flags: packet.flags,
                seq: packet.seq.0.wrapping_sub(first.0),
                ack: if packet.flags.ack() { packet.ack.0.wrapping_sub(peer.0) } else { 0 },
                octets: u32::from(packet.octets),
            });
        }
    }
}
