//! A system under test, and what it reports.

use std::net::SocketAddr;

use keepscope::frame::{Frame, LinkType};
use keepscope::live::filter::Filter;
use keepscope::live::netns::NetNs;
use keepscope::live::system::{Need, Options, System};
use keepscope::live::wire::{Arrival, Connect, Ended, Handle, Wire};
use keepscope::segment::decode::{Decoded, decode};
use keepscope::segment::encode::Outbound;
use keepscope::segment::{Endpoint, Flags, Segment, TcpTimestamps};
use keepscope::time::{Span, Timestamp};

/// Longer than anything takes; a test that gets here has failed.
pub const PATIENCE: Span = Span::from_secs(20);

/// All rights, in a namespace, seeing the peers of its connections.
pub fn options(host: &str) -> Options {
    Options {
        netns: Some(NetNs::Name(host.to_owned())),
        sniff: Need::Required,
        send: Need::Required,
        filter: Filter::Peers(Vec::new()),
        ..Options::default()
    }
}

/// A frame with its octets.
#[derive(Clone, Debug)]
pub struct Seen {
    pub time: Timestamp,
    pub link: LinkType,
    pub interface: u32,
    pub octets: Vec<u8>,
}

impl Seen {
    fn of(frame: &Frame<'_>) -> Self {
        Seen { time: frame.time, link: frame.link, interface: frame.interface, octets: frame.data.to_vec() }
    }

    /// The segment in it.
    pub fn segment(&self) -> Segment {
        let frame = Frame {
            id: keepscope::frame::FrameId::default(),
            time: self.time,
            interface: self.interface,
            link: self.link,
            fcs_len: 0,
            flags: None,
            names: None,
            wire_len: u32::try_from(self.octets.len()).expect("a frame"),
            data: &self.octets,
        };
        match decode(&frame) {
            Decoded::Segment(segment) => segment,
            other => panic!("no segment: {other:?}"),
        }
    }
}

/// Something other than a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    Opened(Handle, Endpoint, Endpoint),
    Ended(Handle, Ended),
    Octets(Handle, Vec<u8>),
    Lost(String),
    Interrupted,
}

/// A system, with all frames it reported.
pub struct World {
    pub system: System,
    pub frames: Vec<Seen>,
}

impl World {
    pub fn open(options: &Options) -> World {
        World { system: System::open(options).expect("a system"), frames: Vec::new() }
    }

    /// Gathers frames until something else is told.
    pub fn told(&mut self) -> Told {
        let until = self.system.now().plus(PATIENCE);
        loop {
            match self.system.next(Some(until)).expect("a world that goes on") {
                Arrival::Frame(frame) => self.frames.push(Seen::of(&frame)),
                Arrival::Opened { handle, local, remote } => return Told::Opened(handle, local, remote),
                Arrival::Ended { handle, how } => return Told::Ended(handle, how),
                Arrival::Octets { handle, octets } => return Told::Octets(handle, octets),
                Arrival::InterfaceLost { name } => return Told::Lost(name),
                Arrival::Interrupted => return Told::Interrupted,
                Arrival::Deadline => panic!("nothing was told; frames: {:#?}", self.frames),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Gathers frames until there are so many.
    pub fn frames(&mut self, count: usize) -> &[Seen] {
        let until = self.system.now().plus(PATIENCE);
        while self.frames.len() < count {
            match self.system.next(Some(until)).expect("a world that goes on") {
                Arrival::Frame(frame) => self.frames.push(Seen::of(&frame)),
                other => panic!("{other:?} instead of frame {count} after {:#?}", self.frames),
            }
        }
        &self.frames
    }

    /// Frames that come within a time, and nothing else.
    pub fn quiet(&mut self, time: Span) {
        let until = self.system.now().plus(time);
        loop {
            match self.system.next(Some(until)).expect("a world that goes on") {
                Arrival::Frame(frame) => self.frames.push(Seen::of(&frame)),
                Arrival::Deadline => return,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Opens a connection, the three segments of its handshake seen.
    pub fn connect(&mut self, peer: SocketAddr) -> (Handle, Endpoint, Endpoint) {
        let before = self.frames.len();
        let handle = self.system.connect(&Connect { peer, source: None }).expect("a connection");
        match self.told() {
            Told::Opened(opened, local, remote) => {
                assert_eq!(opened, handle);
                assert_eq!((remote.address, remote.port), (peer.ip(), peer.port()));
                self.frames(before + 3);
                (handle, local, remote)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the peers have closed what we closed, and a moment for the last packets.
    pub fn until_closed(&mut self) {
        let start = self.system.now();
        while self.system.closing() > 0 {
            self.quiet(Span::from_millis(20));
            assert!(self.system.now().since(start) < PATIENCE, "a peer does not close");
        }
        self.quiet(Span::from_millis(50));
    }

    /// Both ends of the connections to a port have sent a FIN, and we no RST. (A FIN may have been sent again, and
    /// a peer whose FIN was acknowledged twice may answer the second time by RST.)
    pub fn ended_in_order(&self, peer: u16) {
        let segments: Vec<Segment> = self.frames.iter().map(Seen::segment).collect();
        let flags = |ours: bool| {
            let sent = segments.iter().filter(move |segment| (segment.destination.port == peer) == ours);
            sent.map(|segment| segment.flags)
        };
        assert!(flags(true).any(Flags::fin) && flags(false).any(Flags::fin), "{segments:#?}");
        assert!(!flags(true).any(Flags::rst), "{segments:#?}");
    }

    /// Sends a keepalive probe beside the connection whose handshake begins at frame `first`.
    pub fn probe(&mut self, first: usize, payload: &[u8]) {
        let (syn, syn_ack) = (self.frames[first].segment(), self.frames[first + 1].segment());
        let last = self.frames[first + 2].segment();
        let mut options = last.options;
        let opened = syn.time;
        let now = self.system.now();
        options.timestamps = options.timestamps.map(|stamps| {
            // The connection's clock counts milliseconds.
            let passed = now.since(opened).as_nanos() / 1_000_000;
            TcpTimestamps {
                value: stamps.value.wrapping_add(u32::try_from(passed).expect("a short test")),
                ..stamps
            }
        });
        let probe = Outbound {
            source: syn.source,
            destination: syn.destination,
            seq: syn.seq,
            ack: syn_ack.seq.plus(1),
            flags: Flags::ACK,
            window: last.window,
            options,
            payload,
            ttl: 57,
            ip_id: 4711,
            dont_fragment: true,
        };
        self.system.send(&probe).expect("a packet that leaves");
    }
}
