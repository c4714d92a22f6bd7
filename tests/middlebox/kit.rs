//! Packets and boxes, made with few words, and a box that is driven on a virtual clock.

use std::net::{IpAddr, Ipv4Addr};

use keepscope::segment::{Endpoint, Flags, Options, SeqNum};
use keepscope::simulate::middlebox::description::{
    AtExpiry, Conntrack, ConntrackTimeouts, Direction, Input, Ports, Refresh, Router, SourceTranslation,
    Stray, Timers, Tracker,
};
use keepscope::simulate::middlebox::{BoxAction, BoxEvent, Description, Middlebox, Side};
use keepscope::simulate::packet::{Packet, TcpPacket};
use keepscope::time::{Span, Timestamp};

pub const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
pub const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
pub const ROUTER_INSIDE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub const ROUTER_OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

pub fn end(address: Ipv4Addr, port: u16) -> Endpoint {
    Endpoint { address: IpAddr::V4(address), port }
}

pub fn at(seconds: f64) -> Timestamp {
    Timestamp::from_nanos((seconds * 1e9) as i64)
}

pub fn secs(seconds: i64) -> Span {
    Span::from_secs(seconds)
}

/// The control bits with these letters, as tcpdump has them.
pub fn flags(letters: &str) -> Flags {
    letters.chars().fold(Flags::default(), |flags, letter| {
        flags.with(match letter {
            'F' => Flags::FIN,
            'S' => Flags::SYN,
            'R' => Flags::RST,
            'P' => Flags::PSH,
            'A' => Flags::ACK,
            'U' => Flags::URG,
            other => panic!("no flag {other}"),
        })
    })
}

pub fn tcp(source: Endpoint, destination: Endpoint, letters: &str, seq: u32, ack: u32) -> TcpPacket {
    TcpPacket {
        source,
        destination,
        seq: SeqNum(seq),
        ack: SeqNum(ack),
        flags: flags(letters),
        window: 64_240,
        octets: 0,
        ttl: 64,
        dont_fragment: true,
        ip_id: 1,
        options: Options::default(),
    }
}

/// A router with these two addresses that translates nothing.
pub fn router() -> Router {
    Router {
        inside_address: Some(IpAddr::V4(ROUTER_INSIDE)),
        outside_address: Some(IpAddr::V4(ROUTER_OUTSIDE)),
        decrements_ttl: true,
        own_ttl: 64,
        source: None,
        service: None,
        input: Input::Reset,
        inside_is_routed: true,
    }
}

/// One that is a NAT.
pub fn nat(ports: Ports) -> Router {
    let source = SourceTranslation { address: IpAddr::V4(ROUTER_OUTSIDE), ports };
    Router { source: Some(source), ..router() }
}

pub fn linux(router: Router) -> Conntrack {
    Conntrack {
        router,
        timeouts: ConntrackTimeouts::default(),
        tcp_loose: true,
        tcp_be_liberal: false,
        tcp_max_retrans: 3,
        tcp_ignore_invalid_rst: false,
        max: None,
        drop_invalid: false,
        opens: Direction::Both,
    }
}

pub fn tracker(router: Router) -> Tracker {
    Tracker {
        router,
        timers: Timers {
            syn: secs(30),
            handshake: secs(20),
            established: secs(350),
            unacknowledged: secs(300),
            closed_by_client: secs(120),
            closed_by_server: secs(60),
            closing: secs(10),
            reset: secs(5),
        },
        refresh: Refresh { direction: Direction::Both, only_data: false },
        opens: Direction::Outward,
        at_expiry: AtExpiry::Nothing,
        stray_from_inside: Stray::Drop,
        stray_from_outside: Stray::Drop,
        sweep: None,
        adaptive: None,
        table: None,
    }
}

/// A box and all it said.
#[derive(Debug)]
pub struct Driven {
    inner: Box<dyn Middlebox>,
    pub events: Vec<BoxEvent>,
}

impl Driven {
    pub fn new(description: &Description) -> Self {
        Self { inner: description.build(7).expect("a box"), events: Vec::new() }
    }

    /// What leaves at the times that pass until `now`.
    pub fn until(&mut self, now: Timestamp) -> Vec<(Side, Packet)> {
        let mut left = Vec::new();
        while let Some(due) = self.inner.next_timeout().filter(|due| *due <= now) {
            self.inner.on_timeout(due);
            let before = left.len();
            self.collect(&mut left);
            let next = self.inner.next_timeout();
            assert!(next != Some(due) || left.len() > before, "a timeout at {due} that does nothing");
        }
        left
    }

    /// What leaves when a packet comes in.
    pub fn give(&mut self, now: Timestamp, from: Side, packet: TcpPacket) -> Vec<(Side, Packet)> {
        let mut left = self.until(now);
        self.inner.on_packet(now, from, Packet::Tcp(packet));
        self.collect(&mut left);
        left
    }

    pub fn give_any(&mut self, now: Timestamp, from: Side, packet: Packet) -> Vec<(Side, Packet)> {
        let mut left = self.until(now);
        self.inner.on_packet(now, from, packet);
        self.collect(&mut left);
        left
    }

    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.inner.next_timeout()
    }

    fn collect(&mut self, left: &mut Vec<(Side, Packet)>) {
        left.extend(std::iter::from_fn(|| self.inner.poll_transmit()));
        self.events.extend(std::iter::from_fn(|| self.inner.poll_event()));
    }

    /// What was told last.
    pub fn last(&self) -> BoxAction {
        self.events.last().expect("an event").what
    }
}

/// The TCP packet among what left, which must be alone.
pub fn only(left: Vec<(Side, Packet)>) -> (Side, TcpPacket) {
    match left.as_slice() {
        [(side, Packet::Tcp(packet))] => (*side, *packet),
        other => panic!("not one segment: {other:?}"),
    }
}
