//! A world in memory: peers with the responder of a real stack, a path with a script, a clock that only waiting
//! moves.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use keepscope::frame::{Frame, FrameId, LinkType};
use keepscope::keepalive::{Clock, Incoming, Machine, Model, Outgoing, Tcb, answer_without_connection};
use keepscope::live::wire::{Arrival, Connect, Ended, Handle, Received, Wire, WireError};
use keepscope::segment::encode::{IcmpOutbound, Outbound};
use keepscope::segment::{Endpoint, Flags, IcmpKind, Options, SeqNum, TcpTimestamps};
use keepscope::stack::Stack;
use keepscope::time::{Span, Timestamp};

pub const TTL_OF_PEER: u8 = 61;
pub const TTL_OF_BOX: u8 = 250;
const SCALE: u8 = 7;
const WINDOW: u16 = 502;

/// What a SYN meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSyn {
    Accept,
    Refuse,
    Icmp(IcmpKind),
    Nothing,
}

/// What a probe meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    Open,
    /// It is dropped.
    Drops,
    /// A router refuses it.
    Refuses(IcmpKind),
    /// Something on the path resets.
    Resets,
    /// The peer knows no such connection.
    Forgotten,
    /// This system does not let it out.
    Kept,
    /// The interface is gone: nothing leaves and nothing says so.
    Gone,
}

/// What the script does to the connection.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Path(Path),
    /// The peer closes its side.
    Fin,
    /// The peer sends so many octets.
    Data(u32),
}

/// One kind of peer.
#[derive(Clone, Debug)]
pub struct Peer {
    pub on_syn: OnSyn,
    pub stack: &'static str,
    pub ignores_empty: bool,
    /// Packets are read so much later than they came; the system's word comes before them.
    pub read_late: Span,
    pub round_trip: Span,
    pub timestamps: bool,
    pub sack: bool,
    pub iss: (u32, u32),
    /// When after the SYN, what.
    pub script: Vec<(Span, Act)>,
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            on_syn: OnSyn::Accept,
            stack: "linux",
            ignores_empty: false,
            read_late: Span::ZERO,
            round_trip: Span::from_micros(400),
            timestamps: true,
            sack: true,
            iss: (1_000, 70_000),
            script: vec![],
        }
    }
}

impl Peer {
    pub fn then(mut self, after: Span, act: Act) -> Self {
        self.script.push((after, act));
        self
    }
}

enum Item {
    /// When it came, which is when it is read unless that is late.
    Frame(Timestamp, Vec<u8>),
    Opened(usize),
    Ended(usize, Ended),
    Act(usize, Act),
    Arrival(Box<dyn Fn() -> Arrival<'static>>),
}

struct Connection {
    peer: Peer,
    local: Endpoint,
    remote: Endpoint,
    path: Path,
    machine: Machine,
    rcv_nxt: SeqNum,
    ts_recent: u32,
    ip_id: u16,
    closed: [bool; 2],
}

/// A probe that the engine sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub time: Timestamp,
    pub handle: usize,
    pub seq: SeqNum,
    pub octets: u32,
    pub window: u16,
    pub stamps: Option<TcpTimestamps>,
    pub ttl: u8,
    pub ip_id: u16,
    pub dont_fragment: bool,
}

pub struct Fake {
    now: Timestamp,
    peers: Vec<Peer>,
    connections: Vec<Connection>,
    by_end: HashMap<Endpoint, usize>,
    queue: BTreeMap<(Timestamp, Reverse<u64>), Item>,
    queued: u64,
    current: Vec<u8>,
    pub sent: Vec<Sent>,
    pub opened_at: Vec<Timestamp>,
    pub closed: Vec<usize>,
    waits: u64,
}

pub const START: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

impl Fake {
    /// Connections meet these peers, in the order in which they are opened; the last one stands for the rest.
    pub fn new(peers: Vec<Peer>) -> Self {
        Self {
            now: START,
            peers,
            connections: vec![],
            by_end: HashMap::new(),
            queue: BTreeMap::new(),
            queued: 0,
            current: vec![],
            sent: vec![],
            opened_at: vec![],
            closed: vec![],
            waits: 0,
        }
    }

    fn at(&mut self, time: Timestamp, item: Item) {
        self.queued += 1;
        // Of what comes at one time, what was queued first comes first.
        self.queue.insert((time, Reverse(u64::MAX - self.queued)), item);
    }

    /// Lets something arrive some time after the start.
    pub fn later(&mut self, after: Span, arrival: impl Fn() -> Arrival<'static> + 'static) {
        self.at(START.plus(after), Item::Arrival(Box::new(arrival)));
    }

    /// Lets octets arrive as a frame.
    pub fn frame_later(&mut self, after: Span, octets: Vec<u8>) {
        self.at(START.plus(after), Item::Frame(START.plus(after), octets));
    }

    /// What is the truth of a connection: SND.NXT of its own end.
    pub fn snd_nxt(&self, handle: usize) -> SeqNum {
        SeqNum(self.connections[handle].peer.iss.0).plus(1)
    }

    fn clock(time: Timestamp) -> u32 {
        (time.as_nanos() / 1_000_000) as u32
    }

    fn stamps(&self, index: usize, time: Timestamp, echo: u32) -> Option<TcpTimestamps> {
        let value = Self::clock(time);
        self.connections[index].peer.timestamps.then_some(TcpTimestamps { value, echo })
    }

    fn own(&mut self, index: usize, time: Timestamp, flags: Flags, seq: SeqNum) {
        let connection = &mut self.connections[index];
        connection.ip_id = connection.ip_id.wrapping_add(1);
        let (ack, syn) = (connection.rcv_nxt, flags.syn());
        let echo = if syn { 0 } else { connection.ts_recent };
        let options = Options {
            timestamps: self.stamps(index, time, echo),
            window_scale: syn.then_some(SCALE),
            sack_permitted: syn && self.connections[index].peer.sack,
            mss: syn.then_some(1460),
            ..Options::default()
        };
        let connection = &self.connections[index];
        let octets = packet(&Outbound {
            source: connection.local,
            destination: connection.remote,
            seq,
            ack: if syn { SeqNum(0) } else { ack },
            flags,
            window: if syn { 64_240 } else { WINDOW },
            options,
            payload: &[],
            ttl: 64,
            ip_id: connection.ip_id,
            dont_fragment: true,
        });
        self.seen(index, time, octets);
    }

    fn seen(&mut self, index: usize, time: Timestamp, octets: Vec<u8>) {
        let read = time.plus(self.connections[index].peer.read_late);
        self.at(read, Item::Frame(time, octets));
    }

    fn peer_sends(&mut self, index: usize, time: Timestamp, outgoing: &Outgoing, data: &[u8], ttl: u8) {
        let (syn, echo) = (outgoing.flags.syn(), outgoing.echo.unwrap_or(0));
        let options = Options {
            timestamps: self.stamps(index, time, echo).filter(|_| outgoing.timestamps),
            sack: outgoing.dsack,
            window_scale: syn.then_some(SCALE),
            sack_permitted: syn && self.connections[index].peer.sack,
            mss: syn.then_some(1460),
            ..Options::default()
        };
        let connection = &mut self.connections[index];
        if let Some(stamps) = options.timestamps {
            connection.ts_recent = stamps.value;
        }
        let octets = packet(&Outbound {
            source: connection.remote,
            destination: connection.local,
            seq: outgoing.seq,
            ack: outgoing.ack,
            flags: outgoing.flags,
            window: 509,
            options,
            payload: data,
            ttl,
            ip_id: outgoing.seq.0 as u16 ^ time.as_nanos() as u16,
            dont_fragment: true,
        });
        self.seen(index, time, octets);
    }

    fn bare(index: &Connection, flags: Flags) -> Outgoing {
        let tcb = index.machine.tcb();
        Outgoing {
            purpose: keepscope::keepalive::Purpose::Answer,
            seq: tcb.snd_nxt,
            ack: tcb.rcv_nxt,
            flags,
            octets: 0,
            timestamps: tcb.ts_recent.is_some(),
            echo: tcb.ts_recent,
            dsack: None,
        }
    }

    fn icmp(&mut self, index: usize, time: Timestamp, kind: IcmpKind, quoted: &[u8]) {
        let connection = &self.connections[index];
        let reporter: IpAddr =
            if connection.local.address.is_ipv4() { "192.0.2.254" } else { "2001:db8::fe" }.parse().unwrap();
        let mut octets = vec![];
        let error = IcmpOutbound {
            reporter,
            destination: connection.local.address,
            kind,
            quoted,
            ttl: TTL_OF_BOX,
            ip_id: 1,
        };
        error.packet(&mut octets).unwrap();
        self.seen(index, time, octets);
    }

    fn act(&mut self, index: usize, act: Act) {
        let now = self.now;
        match act {
            Act::Path(path) => self.connections[index].path = path,
            Act::Fin => {
                let fin = Self::bare(&self.connections[index], Flags::FIN.with(Flags::ACK));
                self.peer_sends(index, now, &fin, &[], TTL_OF_PEER);
                let connection = &mut self.connections[index];
                connection.machine.on_sent(now, 1, false);
                connection.rcv_nxt = connection.rcv_nxt.plus(1);
                connection.closed[1] = true;
                let own = self.snd_nxt(index);
                self.own(index, now.plus(Span::from_micros(9)), Flags::ACK, own);
                self.at(now.plus(Span::from_micros(20)), Item::Ended(index, Ended::ClosedByPeer));
            }
            Act::Data(octets) => {
                let data = Self::bare(&self.connections[index], Flags::ACK.with(Flags::PSH));
                self.peer_sends(index, now, &data, &vec![7; octets as usize], TTL_OF_PEER);
                let connection = &mut self.connections[index];
                connection.machine.on_sent(now, octets, false);
                connection.rcv_nxt = connection.rcv_nxt.plus(octets);
                let own = self.snd_nxt(index);
                self.own(index, now.plus(Span::from_micros(9)), Flags::ACK, own);
                let stamps = self.stamps(index, now, 0).map(|stamps| stamps.value);
                let (seq, ack) = (own, self.connections[index].rcv_nxt);
                let segment = Incoming { seq, ack, flags: Flags::ACK, octets: 0, tsval: stamps };
                self.connections[index].machine.on_segment(now, &segment);
            }
        }
    }

    fn reset_by(&mut self, index: usize, segment: &Incoming, ttl: u8, time: Timestamp) {
        if let Some(reset) = answer_without_connection(segment) {
            self.peer_sends(index, time, &reset, &[], ttl);
            self.at(time.plus(Span::from_micros(30)), Item::Ended(index, Ended::Reset));
        }
    }
}

fn packet(outbound: &Outbound<'_>) -> Vec<u8> {
    let mut octets = vec![];
    outbound.packet(&mut octets).expect("a packet");
    octets
}

impl Wire for Fake {
    fn now(&mut self) -> Timestamp {
        self.now
    }

    fn connect(&mut self, connect: &Connect) -> Result<Handle, WireError> {
        let index = self.connections.len();
        let peer = self.peers[index.min(self.peers.len() - 1)].clone();
        let own = if connect.peer.is_ipv4() { "192.0.2.1" } else { "2001:db8::1" };
        let address = connect.source.unwrap_or(own.parse().unwrap());
        let local = Endpoint { address, port: 40_000 + index as u16 };
        let remote = Endpoint { address: connect.peer.ip(), port: connect.peer.port() };
        let (iss, irs) = (SeqNum(peer.iss.0), SeqNum(peer.iss.1));
        let model = Model::of(Stack::named(peer.stack).unwrap()).unwrap();
        let mut tcb = Tcb::quiet(irs.plus(1), iss.plus(1));
        tcb.sack = peer.sack;
        tcb.ts_recent = peer.timestamps.then(|| Self::clock(self.now));
        let clock = Clock::new(model.rounding, START);
        let machine = Machine::new(model.rules, model.settings, clock, tcb, self.now);
        let (round_trip, on_syn, script) = (peer.round_trip, peer.on_syn, peer.script.clone());
        self.connections.push(Connection {
            peer,
            local,
            remote,
            path: Path::Open,
            machine,
            rcv_nxt: irs.plus(1),
            ts_recent: 0,
            ip_id: 77,
            closed: [false; 2],
        });
        self.by_end.insert(local, index);
        self.opened_at.push(self.now);
        let answered = self.now.plus(round_trip);
        self.own(index, self.now, Flags::SYN, iss);
        let base = Self::bare(&self.connections[index], Flags::SYN.with(Flags::ACK));
        match on_syn {
            OnSyn::Accept => {
                self.peer_sends(index, answered, &Outgoing { seq: irs, ..base }, &[], TTL_OF_PEER);
                self.own(index, answered.plus(Span::from_micros(5)), Flags::ACK, iss.plus(1));
                self.at(answered.plus(Span::from_micros(15)), Item::Opened(index));
            }
            OnSyn::Refuse => {
                let flags = Flags::RST.with(Flags::ACK);
                let reset = Outgoing { seq: SeqNum(0), flags, timestamps: false, ..base };
                self.peer_sends(index, answered, &reset, &[], TTL_OF_PEER);
                self.at(answered.plus(Span::from_micros(15)), Item::Ended(index, Ended::Refused));
            }
            OnSyn::Icmp(kind) => {
                let syn = self.queue.values().rev().find_map(|item| match item {
                    Item::Frame(_, octets) => Some(octets.clone()),
                    _ => None,
                });
                let syn = syn.expect("the SYN is queued");
                self.icmp(index, answered, kind, &syn);
                self.at(answered.plus(Span::from_micros(15)), Item::Ended(index, Ended::Unreachable));
            }
            OnSyn::Nothing => {}
        }
        for (after, act) in script {
            self.at(self.now.plus(after), Item::Act(index, act));
        }
        Ok(Handle(index as u32))
    }

    fn send(&mut self, segment: &Outbound<'_>) -> Result<(), WireError> {
        let index = self.by_end[&segment.source];
        let octets = segment.payload.len() as u32;
        let above = segment.seq.plus(octets).distance_from(self.snd_nxt(index));
        assert!(above <= 0 && segment.seq.distance_from(self.snd_nxt(index)) < 0, "sent above SND.NXT");
        self.sent.push(Sent {
            time: self.now,
            handle: index,
            seq: segment.seq,
            octets,
            window: segment.window,
            stamps: segment.options.timestamps,
            ttl: segment.ttl,
            ip_id: segment.ip_id,
            dont_fragment: segment.dont_fragment,
        });
        let copy = packet(segment);
        let (now, path) = (self.now, self.connections[index].path);
        if path == Path::Kept {
            let error = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
            return Err(WireError::System { operation: "sendto", error });
        }
        if path != Path::Gone {
            self.seen(index, now, copy.clone());
        }
        let arrives = Incoming {
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags,
            octets,
            tsval: segment.options.timestamps.map(|stamps| stamps.value),
        };
        let round_trip = self.connections[index].peer.round_trip;
        let there = now.plus(Span::from_nanos(round_trip.as_nanos() / 2));
        let back = now.plus(round_trip);
        match path {
            Path::Drops | Path::Kept | Path::Gone => {}
            Path::Refuses(kind) => self.icmp(index, back, kind, &copy),
            Path::Resets => self.reset_by(index, &arrives, TTL_OF_BOX, now.plus(Span::from_micros(50))),
            Path::Forgotten => self.reset_by(index, &arrives, TTL_OF_PEER, back),
            Path::Open if octets == 0 && self.connections[index].peer.ignores_empty => {}
            Path::Open => {
                self.connections[index].machine.on_segment(there, &arrives);
                while let Some(answer) = self.connections[index].machine.poll_transmit() {
                    self.peer_sends(index, back, &answer, &[], TTL_OF_PEER);
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, handle: Handle) {
        panic!("the engine has no use for what peers say on {handle:?}");
    }

    fn write(&mut self, handle: Handle, octets: &[u8]) -> Result<(), WireError> {
        panic!("the engine said {octets:?} on {handle:?}");
    }

    fn close(&mut self, handle: Handle) {
        let index = handle.0 as usize;
        self.closed.push(index);
        let connection = &self.connections[index];
        if connection.peer.on_syn != OnSyn::Accept {
            return;
        }
        let (now, seq) = (self.now, self.snd_nxt(index));
        self.own(index, now, Flags::FIN.with(Flags::ACK), seq);
        if self.connections[index].path == Path::Open && !self.connections[index].closed[1] {
            let back = now.plus(self.connections[index].peer.round_trip);
            let mut fin = Self::bare(&self.connections[index], Flags::FIN.with(Flags::ACK));
            fin.ack = fin.ack.plus(1);
            self.peer_sends(index, back, &fin, &[], TTL_OF_PEER);
            self.connections[index].rcv_nxt = self.connections[index].rcv_nxt.plus(1);
            self.own(index, back.plus(Span::from_micros(5)), Flags::ACK, seq.plus(1));
            self.at(back.plus(Span::from_micros(9)), Item::Ended(index, Ended::ClosedByPeer));
        }
    }

    fn next(&mut self, until: Option<Timestamp>) -> Result<Arrival<'_>, WireError> {
        self.waits += 1;
        assert!(self.waits < 2_000_000, "it turns without end");
        loop {
            let Some(entry) =
                self.queue.first_entry().filter(|entry| until.is_none_or(|until| entry.key().0 <= until))
            else {
                let until = until.expect("something to wait for: nothing will ever come");
                self.now = self.now.max(until);
                return Ok(Arrival::Deadline);
            };
            let ((time, _), item) = entry.remove_entry();
            self.now = self.now.max(time);
            match item {
                Item::Act(index, act) => self.act(index, act),
                Item::Frame(time, octets) => {
                    self.current = octets;
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
                Item::Opened(index) => {
                    let Connection { local, remote, .. } = self.connections[index];
                    return Ok(Arrival::Opened { handle: Handle(index as u32), local, remote });
                }
                Item::Ended(index, how) => {
                    return Ok(Arrival::Ended { handle: Handle(index as u32), how });
                }
                Item::Arrival(arrival) => return Ok(arrival()),
            }
        }
    }

    fn received(&mut self) -> Received {
        Received::default()
    }
}
