//! A path in memory: a box that forgets, a partner behind it, and a clock that only waiting moves.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use keepscope::frame::{Frame, FrameId, LinkType};
use keepscope::live::wire::{Arrival, Connect, Ended, Handle, Received, Wire, WireError};
use keepscope::partner::Tuple;
use keepscope::partner::message::{Abilities, Back, Ending};
use keepscope::partner::octet;
use keepscope::partner::server::{Action, Limits, Server, Token};
use keepscope::segment::encode::Outbound;
use keepscope::segment::{Endpoint, Flags, Options, SeqNum};
use keepscope::time::{Span, Timestamp};

pub const SERVER: &str = "198.51.100.2:7440";
const START: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);
const RTT: Span = Span::from_millis(20);
const HALF: Span = Span::from_millis(10);

/// What the box does.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// It forgets after so long.
    pub timeout: Span,
    /// A packet from inside makes it remember.
    pub loose: bool,
    /// Behind it is a partner; otherwise somebody who accepts and holds.
    pub partner: bool,
}

impl Default for Path {
    fn default() -> Self {
        Self { timeout: Span::from_secs(350), loose: false, partner: true }
    }
}

enum Item {
    Frame(Vec<u8>),
    Opened(usize),
    Octets(usize, Vec<u8>),
    Ended(usize),
    /// The partner gets octets.
    There(usize, Vec<u8>),
    Sleep(Span),
    Dies,
}

struct Connection {
    local: Endpoint,
    /// SND.NXT of both ends.
    next: [SeqNum; 2],
    /// When the box saw it last.
    seen: Timestamp,
    open: bool,
}

pub struct World {
    now: Timestamp,
    path: Path,
    queue: BTreeMap<(Timestamp, Reverse<u64>), Item>,
    queued: u64,
    connections: Vec<Connection>,
    partner: Server,
    dead: bool,
    slept: VecDeque<Span>,
    current: Vec<u8>,
    most: usize,
    turns: u64,
}

impl World {
    pub fn new(path: Path) -> Self {
        let partner = Server::new(crate::secret(), Limits::default(), Abilities::default());
        Self {
            now: START,
            path,
            queue: BTreeMap::new(),
            queued: 0,
            connections: Vec::new(),
            partner,
            dead: false,
            slept: VecDeque::new(),
            current: Vec::new(),
            most: 0,
            turns: 0,
        }
    }

    /// Connections that are open on our side.
    pub fn open(&self) -> usize {
        self.connections.iter().filter(|one| one.open).count()
    }

    /// The most that were at once.
    pub fn most_open(&self) -> usize {
        self.most
    }

    pub fn sleep_at(&mut self, after: Span, span: Span) {
        self.at(START.plus(after), Item::Sleep(span));
    }

    pub fn partner_dies_at(&mut self, after: Span) {
        self.at(START.plus(after), Item::Dies);
    }

    /// So many packets of others, one in 100 ms: of other connections, cut, or of no kind that is known.
    pub fn noise(&mut self, count: i64) {
        for number in 0..count {
            let stranger = Endpoint { address: "203.0.113.9".parse().unwrap(), port: number as u16 };
            let local = Endpoint { address: "192.0.2.1".parse().unwrap(), port: 40_000 + number as u16 };
            let (from, to) = if number % 2 == 0 { (stranger, local) } else { (server(), local) };
            let flags = [Flags::SYN, Flags::RST, Flags::FIN, Flags::ACK][number as usize % 4];
            // Where a port is one of ours, its number is none that fits: nobody knows those.
            let mut octets = packet(from, to, SeqNum(number as u32), SeqNum(9), flags, &[]);
            if from == server() {
                octets = packet(stranger, server(), SeqNum(1), SeqNum(9), flags, &[]);
            }
            octets.truncate(octets.len() - (number as usize % 5) * 8);
            self.at(START.plus(Span::from_millis(100 * number)), Item::Frame(octets));
        }
    }

    fn at(&mut self, time: Timestamp, item: Item) {
        self.queued += 1;
        self.queue.insert((time, Reverse(u64::MAX - self.queued)), item);
    }

    /// Whether the box lets a packet through, which makes it remember.
    fn passes(&mut self, index: usize, inbound: bool, time: Timestamp) -> bool {
        let path = self.path;
        let connection = &mut self.connections[index];
        let known = time.since(connection.seen) <= path.timeout;
        let passes = known || (path.loose && !inbound);
        if passes {
            connection.seen = time;
        }
        passes
    }

    /// Our end sends; true if it arrives.
    fn we_send(&mut self, index: usize, time: Timestamp, flags: Flags, data: &[u8]) -> bool {
        let connection = &mut self.connections[index];
        let (seq, ack) = (connection.next[0], connection.next[1]);
        connection.next[0] = seq.plus(length(flags, data));
        let octets = packet(connection.local, server(), seq, ack, flags, data);
        self.at(time, Item::Frame(octets));
        self.passes(index, false, time)
    }

    /// The far end sends at this time; true if it arrives.
    fn they_send(&mut self, index: usize, time: Timestamp, flags: Flags, data: &[u8]) -> bool {
        if !self.passes(index, true, time.plus(HALF)) {
            return false;
        }
        let connection = &mut self.connections[index];
        let (seq, ack) = (connection.next[1], connection.next[0]);
        connection.next[1] = seq.plus(length(flags, data));
        let octets = packet(server(), connection.local, seq, ack, flags, data);
        self.at(time.plus(HALF), Item::Frame(octets));
        true
    }

    /// The far end says something; our kernel acknowledges it. True if it arrives.
    fn says(&mut self, index: usize, time: Timestamp, octets: &[u8]) -> bool {
        let arrives = self.they_send(index, time, Flags::ACK.with(Flags::PSH), octets);
        if arrives {
            let there = time.plus(HALF);
            self.at(there, Item::Octets(index, octets.to_vec()));
            self.we_send(index, there.plus(Span::from_micros(30)), Flags::ACK, &[]);
        }
        arrives
    }

    fn obey_partner(&mut self) {
        while let Some(action) = self.partner.poll_action() {
            let now = self.now;
            match action {
                _ if self.dead => {}
                Action::Write { token, octets } => {
                    self.says(token.0 as usize, now, &octets);
                }
                Action::Send { token, id, form, watch } => {
                    let index = token.0 as usize;
                    let idle = now.since(self.connections[index].seen);
                    self.partner.on_sent(now, token, id, form, idle);
                    let back = match self.says(index, now, &[octet::PROBE]) {
                        true => Back::Acknowledged { after: RTT },
                        false => Back::Silence { tries: 4, last: watch },
                    };
                    self.partner.on_back(now, token, id, back);
                }
                Action::Close { token, .. } => {
                    let index = token.0 as usize;
                    if self.connections[index].open
                        && self.they_send(index, now, Flags::FIN.with(Flags::ACK), &[])
                    {
                        self.at(now.plus(HALF), Item::Ended(index));
                    }
                }
            }
        }
        while self.partner.poll_news().is_some() {}
    }
}

fn server() -> Endpoint {
    let address: std::net::SocketAddr = SERVER.parse().expect("an address");
    Endpoint { address: address.ip(), port: address.port() }
}

fn length(flags: Flags, data: &[u8]) -> u32 {
    data.len() as u32 + u32::from(flags.syn()) + u32::from(flags.fin())
}

fn packet(
    source: Endpoint,
    destination: Endpoint,
    seq: SeqNum,
    ack: SeqNum,
    flags: Flags,
    data: &[u8],
) -> Vec<u8> {
    let mut octets = vec![];
    let ttl = if source == server() { 60 } else { 64 };
    let out = Outbound {
        source,
        destination,
        seq,
        ack,
        flags,
        window: 500,
        options: Options::default(),
        payload: data,
        ttl,
        ip_id: seq.0 as u16,
        dont_fragment: true,
    };
    out.packet(&mut octets).expect("a packet");
    octets
}

impl Wire for World {
    fn now(&mut self) -> Timestamp {
        self.now
    }

    fn connect(&mut self, _: &Connect) -> Result<Handle, WireError> {
        let (index, now) = (self.connections.len(), self.now);
        let local = Endpoint { address: "192.0.2.1".parse().unwrap(), port: 50_000 + index as u16 };
        let next = [SeqNum(1_000 * index as u32), SeqNum(7)];
        self.connections.push(Connection { local, next, seen: now, open: true });
        self.most = self.most.max(self.open());
        self.we_send(index, now, Flags::SYN, &[]);
        self.they_send(index, now.plus(HALF), Flags::SYN.with(Flags::ACK), &[]);
        self.we_send(index, now.plus(RTT), Flags::ACK, &[]);
        // The system may tell before the packets are read.
        self.at(now.plus(RTT), Item::Opened(index));
        let seen = Tuple { local: server(), remote: local };
        if self.path.partner {
            self.partner.on_accepted(now, Token(index as u64), seen, [index as u8; 32]);
        }
        Ok(Handle(index as u32))
    }

    fn hear(&mut self, _: Handle) {}

    fn write(&mut self, handle: Handle, octets: &[u8]) -> Result<(), WireError> {
        let (index, now) = (handle.0 as usize, self.now);
        if self.we_send(index, now, Flags::ACK.with(Flags::PSH), octets) && !self.dead {
            self.they_send(index, now.plus(HALF), Flags::ACK, &[]);
            self.at(now.plus(HALF).plus(Span::from_micros(50)), Item::There(index, octets.to_vec()));
        }
        Ok(())
    }

    fn send(&mut self, segment: &Outbound<'_>) -> Result<(), WireError> {
        let now = self.now;
        let index = usize::from(segment.source.port - 50_000);
        let below = segment.seq.distance_from(self.connections[index].next[0]);
        assert_eq!((below, segment.payload.len()), (-1, 0), "a keepalive probe and nothing else");
        let mut octets = vec![];
        segment.packet(&mut octets).expect("a packet");
        self.at(now, Item::Frame(octets));
        if self.passes(index, false, now) {
            self.they_send(index, now.plus(HALF), Flags::ACK, &[]);
        }
        Ok(())
    }

    fn close(&mut self, handle: Handle) {
        let (index, now) = (handle.0 as usize, self.now);
        if !std::mem::replace(&mut self.connections[index].open, false) {
            return;
        }
        let fin = Flags::FIN.with(Flags::ACK);
        if self.we_send(index, now, fin, &[]) {
            self.they_send(index, now.plus(HALF), fin, &[]);
            self.we_send(index, now.plus(RTT), Flags::ACK, &[]);
            self.at(now.plus(RTT), Item::Ended(index));
        }
        self.partner.on_ended(now.plus(HALF), Token(index as u64), Ending::Fin, Span::ZERO);
    }

    fn next(&mut self, until: Option<Timestamp>) -> Result<Arrival<'_>, WireError> {
        loop {
            self.turns += 1;
            assert!(self.turns < 2_000_000, "it turns without end");
            self.obey_partner();
            let partner = self.partner.next_timeout().filter(|_| !self.dead);
            let next = self.queue.keys().next().map(|(time, _)| *time);
            let first = [until, partner, next].into_iter().flatten().min().expect("something to wait for");
            if next != Some(first) {
                self.now = self.now.max(first);
                if partner == Some(first) {
                    self.partner.on_timeout(self.now);
                }
                if until.is_some_and(|until| until <= self.now) {
                    return Ok(Arrival::Deadline);
                }
                continue;
            }
            let ((time, _), item) = self.queue.pop_first().expect("it is there");
            self.now = self.now.max(time);
            let handle = |index: usize| Handle(index as u32);
            match item {
                Item::Frame(octets) => self.current = octets,
                Item::Opened(index) => {
                    let local = self.connections[index].local;
                    return Ok(Arrival::Opened { handle: handle(index), local, remote: server() });
                }
                Item::Octets(index, octets) => return Ok(Arrival::Octets { handle: handle(index), octets }),
                Item::Ended(index) => {
                    return Ok(Arrival::Ended { handle: handle(index), how: Ended::ClosedByPeer });
                }
                Item::There(index, octets) => {
                    if !self.dead {
                        self.partner.on_octets(self.now, Token(index as u64), &octets);
                    }
                    continue;
                }
                Item::Sleep(span) => {
                    self.now = self.now.plus(span);
                    self.slept.push_back(span);
                    continue;
                }
                Item::Dies => {
                    self.dead = true;
                    continue;
                }
            }
            return Ok(Arrival::Frame(Frame {
                id: FrameId { capture: 0, number: 0 },
                time,
                interface: 0,
                link: LinkType::Raw,
                fcs_len: 0,
                flags: None,
                names: None,
                wire_len: self.current.len() as u32,
                data: &self.current,
            }));
        }
    }

    fn slept(&mut self) -> Option<Span> {
        self.slept.pop_front()
    }

    fn received(&mut self) -> Received {
        Received::default()
    }
}
