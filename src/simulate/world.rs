//! The world: two hosts, the path between them, and a clock that jumps from one event to the next.
//!
//! Owns [`WorldSpec`] and [`World`]. Whatever happens is an entry in one queue; what came of it is in the record
//! of truth, and what passes a tap becomes a frame.
//!
//! ```
//! use keepscope::simulate::host::{EndSpec, HostSide, HostSpec};
//! use keepscope::simulate::tap::TapSpec;
//! use keepscope::simulate::truth::What;
//! use keepscope::simulate::world::{ConnectionSpec, World, WorldSpec};
//! use keepscope::stack::Stack;
//! use keepscope::time::Span;
//!
//! let linux = Stack::named("linux").unwrap();
//! let host = |address: &str| HostSpec::new(address.parse().unwrap(), linux);
//! let mut spec = WorldSpec::new(host("192.0.2.1"), host("198.51.100.1"));
//! let (idle, interval) = (Some(Span::from_secs(7)), Some(Span::from_secs(3)));
//! let client = EndSpec { keepalive: true, idle, interval, ..EndSpec::default() };
//! spec.connections.push(ConnectionSpec::new(client, EndSpec::default()));
//! spec.taps.push(TapSpec::at(HostSide::Client));
//! let mut world = World::new(spec, Vec::new()).unwrap();
//! world.run_for(Span::from_secs(30));
//! let probes = world.truths().iter().filter(|truth| {
//!     matches!(&truth.what, What::Sent { role, .. } if role.is_probe())
//! });
//! assert_eq!(probes.count(), 4);
//! ```

mod passage;

use std::collections::VecDeque;

use super::chance::{Chance, Stream};
use super::end::{EndEvent, Role};
use super::host::{Action, EndSpec, Host, HostChange, HostSide, HostSpec, Told};
use super::link::{LaneState, LinkSpec};
use super::middlebox::{Middlebox, Side};
use super::packet::{Packet, TcpPacket};
use super::queue::Queue;
use super::tap::{TapFrame, TapPlace, TapSpec};
use super::truth::{PacketId, Truth, What};
use crate::keepalive::{Model, Settings};
use crate::segment::Endpoint;
use crate::time::{Span, Timestamp};

/// 2024-01-01 00:00:00 UTC: when simulations begin if nothing else is said.
pub const START: Timestamp = Timestamp::from_nanos(1_704_067_200_000_000_000);

/// A world as described.
#[derive(Clone, Debug)]
pub struct WorldSpec {
    /// What chance follows.
    pub seed: u64,
    /// When it begins.
    pub start: Timestamp,
    /// Who opens connections.
    pub client: HostSpec,
    /// To whom.
    pub server: HostSpec,
    /// The links from the client to the server; one more than there are boxes.
    pub links: Vec<LinkSpec>,
    /// The connections.
    pub connections: Vec<ConnectionSpec>,
    /// Where packets are captured.
    pub taps: Vec<TapSpec>,
}

impl WorldSpec {
    /// Two hosts on a wire, and nothing happening yet.
    pub fn new(client: HostSpec, server: HostSpec) -> Self {
        Self {
            seed: 0,
            start: START,
            client,
            server,
            links: vec![LinkSpec::default()],
            connections: Vec::new(),
            taps: Vec::new(),
        }
    }
}

/// A connection as described.
#[derive(Clone, Debug)]
pub struct ConnectionSpec {
    /// When the client opens it, since the start of the simulation.
    pub opens: Span,
    /// The client's port.
    pub client_port: u16,
    /// The server's port.
    pub server_port: u16,
    /// What the client takes for the server, if a box stands for it.
    pub connects_to: Option<Endpoint>,
    /// Whether nobody listens there.
    pub refused: bool,
    /// The client's end.
    pub client: EndSpec,
    /// The server's end.
    pub server: EndSpec,
}

impl ConnectionSpec {
    /// A connection from port 40000 to port 443, opened at once.
    pub fn new(client: EndSpec, server: EndSpec) -> Self {
        let (client_port, server_port) = (40_000, 443);
        Self {
            opens: Span::ZERO,
            client_port,
            server_port,
            connects_to: None,
            refused: false,
            client,
            server,
        }
    }
}

/// Why a world cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The path does not hang together.
    #[error("{boxes} boxes on the path need {} links, not {links}", boxes + 1)]
    Links {
        /// How many links there are.
        links: usize,
        /// How many boxes.
        boxes: usize,
    },
    /// Not enough is known of a stack to run it.
    #[error("not enough is known of {0} to simulate it")]
    Stack(&'static str),
    /// The hosts have addresses of different IP versions.
    #[error("the hosts are not of one IP version")]
    MixedFamilies,
    /// Two connections have the same ends.
    #[error("two connections have the same two ports, {client} and {server}")]
    SamePorts {
        /// The client's.
        client: u16,
        /// The server's.
        server: u16,
    },
    /// A tap is at a box that is not there.
    #[error("there is no box {index} to capture at; the path has {boxes}")]
    NoSuchBox {
        /// Which box, from 0.
        index: usize,
        /// How many there are.
        boxes: usize,
    },
}

/// A packet on its way, with what the world knows of it.
#[derive(Clone, Debug)]
struct Tracked {
    id: PacketId,
    role: Role,
    connection: Option<usize>,
    packet: Packet,
}

/// What waits in the queue.
#[derive(Debug)]
enum Entry {
    /// A packet arrives at a place, 0 for the client, on a side.
    Arrival {
        place: usize,
        side: Side,
        tracked: Tracked,
    },
    HostTimer(HostSide),
    BoxTimer(usize),
    Open(usize),
    Act {
        host: HostSide,
        connection: usize,
        action: Action,
    },
    Change {
        host: HostSide,
        change: HostChange,
    },
}

/// A world at work.
#[derive(Debug)]
pub struct World {
    now: Timestamp,
    start: Timestamp,
    queue: Queue<Entry>,
    hosts: [Host; 2],
    /// For when the timers of the hosts, then of the boxes, stand in the queue.
    alarms: Vec<Option<Timestamp>>,
    boxes: Vec<Box<dyn Middlebox>>,
    lanes: Vec<[LaneState; 2]>,
    links: Vec<LinkSpec>,
    connections: Vec<ConnectionSpec>,
    taps: Vec<TapSpec>,
    frames: VecDeque<TapFrame>,
    captured: u64,
    packets: u64,
    truths: Vec<Truth>,
    /// The packet that a host is at.
    because: Option<PacketId>,
    steps: u64,
}

impl World {
    /// A world with boxes on its path, from the client on.
    ///
    /// # Errors
    /// If it does not hang together, or a host runs a stack of which too little is known.
    pub fn new(spec: WorldSpec, boxes: Vec<Box<dyn Middlebox>>) -> Result<World, WorldError> {
        check(&spec, boxes.len())?;
        let WorldSpec { seed, start, client, server, links, connections, taps } = spec;
        let model = |host: &HostSpec| Model::of(host.stack).ok_or(WorldError::Stack(host.stack.name));
        let ends =
            |side: HostSide| connections.iter().map(move |connection| end_of(connection, side).clone());
        let hosts = [
            Host::new(
                HostSide::Client,
                &client,
                model(&client)?,
                ends(HostSide::Client).collect(),
                seed,
                start,
            ),
            Host::new(
                HostSide::Server,
                &server,
                model(&server)?,
                ends(HostSide::Server).collect(),
                seed,
                start,
            ),
        ];
        let lanes = links.iter().zip(0..).map(|(link, index)| {
            [(&link.up, true), (&link.down, false)].map(|(lane, up)| {
                LaneState::new(lane.clone(), start, Chance::new(seed, Stream::Link { index, up }))
            })
        });
        let mut world = World {
            now: start,
            start,
            queue: Queue::default(),
            hosts,
            alarms: vec![None; 2 + boxes.len()],
            boxes,
            lanes: lanes.collect(),
            links,
            connections,
            taps,
            frames: VecDeque::new(),
            captured: 0,
            packets: 0,
            truths: Vec::new(),
            because: None,
            steps: 0,
        };
        world.schedule(&client, &server);
        Ok(world)
    }

    /// Puts what is known beforehand into the queue.
    fn schedule(&mut self, client: &HostSpec, server: &HostSpec) {
        for (host, spec) in [(HostSide::Client, client), (HostSide::Server, server)] {
            for (at, change) in &spec.changes {
                self.queue.push(self.start.plus(*at), Entry::Change { host, change: *change });
            }
        }
        for (index, connection) in self.connections.iter().enumerate() {
            self.queue.push(self.start.plus(connection.opens), Entry::Open(index));
            for host in [HostSide::Client, HostSide::Server] {
                for (at, action) in &end_of(connection, host).actions {
                    let entry = Entry::Act { host, connection: index, action: *action };
                    self.queue.push(self.start.plus(*at), entry);
                }
            }
        }
        for index in 0..self.boxes.len() {
            self.settle_box(index, None);
        }
    }

    /// The time of the last event, or until which it was run.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// When it began.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// When something happens next; nothing if never again.
    pub fn next_time(&self) -> Option<Timestamp> {
        self.queue.next_time()
    }

    /// What has happened so far.
    pub fn truths(&self) -> &[Truth] {
        &self.truths
    }

    /// How many events there have been: timers that fired, packets that arrived, what was on the schedule.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The next frame from a tap.
    pub fn poll_frame(&mut self) -> Option<TapFrame> {
        self.frames.pop_front()
    }

    /// What an end of an established connection runs on.
    pub fn settings(&self, host: HostSide, connection: usize) -> Option<Settings> {
        self.host(host).machine(connection).map(|machine| *machine.settings())
    }

    /// The addresses of an end of a connection, its own first, as it sees them; nothing if it has none yet.
    pub fn ends(&self, host: HostSide, connection: usize) -> Option<(Endpoint, Endpoint)> {
        self.host(host).end(connection)
    }

    /// Opens one more connection now, whatever the description says about when; gives its number.
    ///
    /// # Errors
    /// If another connection has, or had, the same two ports.
    pub fn open(&mut self, connection: ConnectionSpec) -> Result<usize, WorldError> {
        let (client, server) = (connection.client_port, connection.server_port);
        let is_taken = |other: &ConnectionSpec| (other.client_port, other.server_port) == (client, server);
        if self.connections.iter().any(is_taken) {
            return Err(WorldError::SamePorts { client, server });
        }
        let index = self.connections.len();
        for host in [HostSide::Client, HostSide::Server] {
            let end = end_of(&connection, host);
            for (at, action) in &end.actions {
                let entry = Entry::Act { host, connection: index, action: *action };
                self.queue.push(self.start.plus(*at).max(self.now), entry);
            }
            self.host_mut(host).add(end.clone());
        }
        self.connections.push(connection);
        self.connect(index);
        Ok(index)
    }

    /// Lets the application at an end of a connection do something now.
    pub fn act(&mut self, host: HostSide, connection: usize, action: Action) {
        self.carry_out(host, connection, action);
    }

    /// Runs up to a time and what happens then.
    pub fn run_until(&mut self, until: Timestamp) {
        while self.next_time().is_some_and(|next| next <= until) {
            self.step();
        }
        self.now = self.now.max(until);
    }

    /// Runs for some time from now.
    pub fn run_for(&mut self, span: Span) {
        self.run_until(self.now.plus(span));
    }

    /// Lets the next thing happen; says whether there was one.
    pub fn step(&mut self) -> bool {
        let Some((time, entry)) = self.queue.pop() else { return false };
        self.now = self.now.max(time);
        self.steps += 1;
        match entry {
            Entry::Arrival { place, side, tracked } => self.arrive(place, side, tracked),
            Entry::HostTimer(host) => {
                self.silence_alarm(host as usize, time);
                if self.host(host).powered {
                    let now = self.now;
                    self.host_mut(host).on_timeout(now);
                }
                self.settle_host(host);
            }
            Entry::BoxTimer(index) => {
                self.silence_alarm(2 + index, time);
                let now = self.now;
                if let Some(middlebox) = self.boxes.get_mut(index) {
                    middlebox.on_timeout(now);
                }
                self.settle_box(index, None);
            }
            Entry::Open(connection) => self.connect(connection),
            Entry::Act { host, connection, action } => self.carry_out(host, connection, action),
            Entry::Change { host, change } => {
                self.tell(What::Host { host, change });
                self.host_mut(host).change(change);
                self.settle_host(host);
            }
        }
        true
    }

    fn connect(&mut self, connection: usize) {
        let address = self.host(HostSide::Server).address();
        let Some(spec) = self.connections.get(connection) else { return };
        let server = Endpoint { address, port: spec.server_port };
        let (port, remote) = (spec.client_port, spec.connects_to.unwrap_or(server));
        let now = self.now;
        self.host_mut(HostSide::Client).connect(now, connection, port, remote);
        self.settle_host(HostSide::Client);
    }

    fn carry_out(&mut self, host: HostSide, connection: usize, action: Action) {
        let now = self.now;
        self.host_mut(host).act(now, connection, action);
        if let Action::Send { every: Some(every), until, .. } = action {
            let next = now.plus(every.max(Span::from_nanos(1)));
            if until.is_none_or(|until| next.since(self.start) <= until) {
                self.queue.push(next, Entry::Act { host, connection, action });
            }
        }
        self.settle_host(host);
    }

    /// Takes what a host has to send and to tell, and sees to its timer.
    fn settle_host(&mut self, host: HostSide) {
        while let Some(told) = self.host_mut(host).poll() {
            match told {
                Told::Sent { connection, role, packet } => self.sent(host, connection, role, packet),
                Told::Windows { connection, call, result } => {
                    self.tell(What::Windows { host, connection, call, result });
                }
                Told::End { connection, event } => self.tell(match event {
                    EndEvent::Opened => What::Opened { host, connection },
                    EndEvent::Keepalive(event) => What::Keepalive { host, connection, event },
                    EndEvent::Delivered(octets) => What::Delivered { host, connection, octets },
                    EndEvent::PeerClosed => What::PeerClosed { host, connection },
                    EndEvent::Closed(how) => What::Closed { host, connection, how },
                }),
            }
        }
        let next = self.host(host).next_timeout();
        self.set_alarm(host as usize, next, Entry::HostTimer(host));
    }

    /// A host sends.
    fn sent(&mut self, host: HostSide, connection: Option<usize>, role: Role, packet: TcpPacket) {
        let id = self.next_packet();
        let content = Packet::Tcp(packet);
        let because = self.because;
        self.tell(What::Sent { host, connection, packet: id, role, because, content: content.clone() });
        let tracked = Tracked { id, role, connection, packet: content };
        self.capture(TapPlace::Host(host), &tracked, host == HostSide::Client);
        if !self.host(host).plugged {
            self.tell(What::LostAtHost { host, packet: id, role });
            return;
        }
        match host {
            HostSide::Client => self.launch(0, true, tracked),
            HostSide::Server => self.launch(self.boxes.len() + 1, false, tracked),
        }
    }

    fn next_packet(&mut self) -> PacketId {
        self.packets += 1;
        PacketId(self.packets)
    }

    fn tell(&mut self, what: What) {
        let id = u64::try_from(self.truths.len()).unwrap_or(u64::MAX);
        self.truths.push(Truth { id, time: self.now, what });
    }

    fn host(&self, side: HostSide) -> &Host {
        let [client, server] = &self.hosts;
        match side {
            HostSide::Client => client,
            HostSide::Server => server,
        }
    }

    fn host_mut(&mut self, side: HostSide) -> &mut Host {
        let [client, server] = &mut self.hosts;
        match side {
            HostSide::Client => client,
            HostSide::Server => server,
        }
    }

    /// Puts a timer into the queue, unless it stands there for that time or an earlier one, at which it will be
    /// asked again.
    fn set_alarm(&mut self, index: usize, next: Option<Timestamp>, entry: Entry) {
        let Some(next) = next else { return };
        let Some(alarm) = self.alarms.get_mut(index) else { return };
        if alarm.is_none_or(|set| next < set) {
            *alarm = Some(next);
            self.queue.push(next.max(self.now), entry);
        }
    }

    /// The timer that was last set has come.
    fn silence_alarm(&mut self, index: usize, time: Timestamp) {
        if let Some(alarm) = self.alarms.get_mut(index)
            && alarm.is_some_and(|set| set <= time)
        {
            *alarm = None;
        }
    }
}

fn end_of(connection: &ConnectionSpec, side: HostSide) -> &EndSpec {
    match side {
        HostSide::Client => &connection.client,
        HostSide::Server => &connection.server,
    }
}

fn check(spec: &WorldSpec, boxes: usize) -> Result<(), WorldError> {
    if spec.links.len() != boxes + 1 {
        return Err(WorldError::Links { links: spec.links.len(), boxes });
    }
    if spec.client.address.is_ipv4() != spec.server.address.is_ipv4() {
        return Err(WorldError::MixedFamilies);
    }
    for (index, connection) in spec.connections.iter().enumerate() {
        let ports = |connection: &ConnectionSpec| (connection.client_port, connection.server_port);
        if spec.connections.iter().take(index).any(|other| ports(other) == ports(connection)) {
            let (client, server) = ports(connection);
            return Err(WorldError::SamePorts { client, server });
        }
    }
    for tap in &spec.taps {
        if let TapPlace::Middlebox(index, _) = tap.place
            && index >= boxes
        {
            return Err(WorldError::NoSuchBox { index, boxes });
        }
    }
    Ok(())
}
