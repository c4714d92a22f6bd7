//! A fleet: hundreds of thousands of connections at once, for hours of virtual time.
//!
//! Owns [`FleetSpec`] and [`Fleet`]. Every end runs the keepalive machine; what a connection keeps of it is a
//! [`Snapshot`], and one machine for each kind of host takes these on in turn. The path is the same for all: a
//! delay and a loss. Cost follows what happens, not the time that passes.
//!
//! Simpler than in [`super::world`]: handshakes are never lost, there is at most one segment of data on its way, and
//! a peer that dies stays dead.
//!
//! ```
//! use keepscope::simulate::fleet::{Fleet, FleetSpec, GroupSpec};
//! use keepscope::stack::Stack;
//! use keepscope::time::Span;
//!
//! let mut linux = GroupSpec::new(Stack::named("linux").unwrap());
//! linux.idle = Some(Span::from_secs(60));
//! let mut spec = FleetSpec::new(100, vec![linux]);
//! spec.deaths = 0.1;
//! let mut fleet = Fleet::new(&spec).unwrap();
//! fleet.run_for(Span::from_secs(3600), None);
//! let report = fleet.report();
//! assert_eq!(report.total.connections, 100);
//! assert!(report.probes_sent > 1_000);
//! ```

mod agenda;
mod report;
mod run;
mod send;
mod slot;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use foldhash::fast::FixedState;

use self::agenda::Agenda;
use self::report::Tally;
pub use self::report::{Distribution, FleetReport, GroupReport};
use self::slot::{Kind, Slot};
use super::chance::{Chance, Stream};
use super::profile::Profile;
use super::world::START;
use crate::frame::Frame;
use crate::keepalive::{Clock, Machine, Model, Outgoing, Settings, Snapshot, Tcb};
use crate::segment::{Endpoint, SeqNum};
use crate::stack::Stack;
use crate::stack::value::Rounding;
use crate::time::{Span, Timestamp};

/// The most connections that there can be.
pub const MOST_CONNECTIONS: u32 = 1 << 29;

/// The most connections of one client host: its ports.
const PORTS: u32 = 50_000;

/// The first port that a client host uses.
const FIRST_PORT: u16 = 10_000;

/// Addresses for clients: 198.18.0.0/15 (RFC 2544).
const MOST_HOSTS: u32 = 1 << 17;

/// A fleet as described.
#[derive(Clone, Debug)]
pub struct FleetSpec {
    /// What chance follows.
    pub seed: u64,
    /// When it begins.
    pub start: Timestamp,
    /// How many connections there are.
    pub connections: u32,
    /// Of which kinds.
    pub groups: Vec<GroupSpec>,
    /// They are opened one by one, evenly by chance, in this time.
    pub opening: Span,
    /// How long a segment takes from one end to the other.
    pub delay: Span,
    /// The share of segments that are lost, 0 to 1.
    pub loss: f64,
    /// The share of connections whose peer dies without a word, 0 to 1.
    pub deaths: f64,
    /// They die evenly by chance in this time after they were opened.
    pub dying: Span,
}

impl FleetSpec {
    /// A fleet that is opened within a minute, on a path of 10 ms without loss, of which nobody dies; those that
    /// shall die do so within an hour.
    pub fn new(connections: u32, groups: Vec<GroupSpec>) -> Self {
        Self {
            seed: 0,
            start: START,
            connections,
            groups,
            opening: Span::from_secs(60),
            delay: Span::from_millis(10),
            loss: 0.0,
            deaths: 0.0,
            dying: Span::from_secs(3600),
        }
    }
}

/// Connections of one kind.
#[derive(Clone, Debug)]
pub struct GroupSpec {
    /// What it is called in a report.
    pub name: String,
    /// Its share of the connections, relative to the other groups; more than 0.
    pub weight: f64,
    /// The clients' stack.
    pub stack: &'static Stack,
    /// Ticks a second of Linux clients; as the row of the stack says where absent.
    pub hz: Option<u32>,
    /// Whether the clients keep their connections alive.
    pub keepalive: bool,
    /// Idle time; the stack's where absent.
    pub idle: Option<Span>,
    /// Interval; the stack's where absent.
    pub interval: Option<Span>,
    /// Count; the stack's where absent.
    pub count: Option<u32>,
    /// User timeout; none where absent.
    pub user_timeout: Option<Span>,
    /// The servers' stack. They do not probe.
    pub peer: &'static Stack,
    /// On how many hosts the clients are; each has its own phase. More where their ports do not suffice.
    pub hosts: u32,
    /// The share of connections on which the client writes now and then, 0 to 1.
    pub data_share: f64,
    /// How long it waits after one write is acknowledged: evenly by chance up to twice this.
    pub data_every: Span,
    /// How many octets it writes, at most 1448.
    pub data_octets: u16,
}

impl GroupSpec {
    /// Clients of a stack with its defaults but keepalives on, on a hundred hosts, which write nothing.
    pub fn new(stack: &'static Stack) -> Self {
        Self {
            name: stack.name.to_owned(),
            weight: 1.0,
            stack,
            hz: None,
            keepalive: true,
            idle: None,
            interval: None,
            count: None,
            user_timeout: None,
            peer: stack,
            hosts: 100,
            data_share: 0.0,
            data_every: Span::from_secs(60),
            data_octets: 200,
        }
    }
}

/// Why a fleet cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// There are none, or too many.
    #[error("a fleet has 1 to {MOST_CONNECTIONS} connections, not {0}")]
    Connections(u32),
    /// There are no groups, or too many.
    #[error("a fleet has 1 to 254 groups, not {0}")]
    Groups(usize),
    /// More hosts than there are addresses.
    #[error("a fleet has at most {MOST_HOSTS} client hosts, not {0}")]
    Hosts(u32),
    /// Not enough is known of a stack to run it.
    #[error("not enough is known of {0} to simulate it")]
    Stack(&'static str),
    /// A share that is none.
    #[error("{0} is a share from 0 to 1")]
    Share(&'static str),
    /// A weight of 0 or less.
    #[error("a group's weight is more than 0")]
    Weight,
}

/// Where frames go, as if captured at the clients.
pub type FrameSink<'a> = &'a mut dyn FnMut(&Frame<'_>);

/// What wakes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wake {
    /// The client's keepalive timer.
    Timer,
    /// The client writes, or looks whether it must write again.
    Data,
    /// The connection is opened.
    Open,
    /// The server dies.
    Death,
}

impl Wake {
    /// As an entry of the agenda.
    fn number(self, connection: u32) -> u32 {
        connection << 2 | self as u32
    }

    fn from_number(number: u32) -> (Wake, u32) {
        let wake = match number & 3 {
            0 => Wake::Timer,
            1 => Wake::Data,
            2 => Wake::Open,
            _ => Wake::Death,
        };
        (wake, number >> 2)
    }
}

/// A fleet at work.
#[derive(Debug)]
pub struct Fleet {
    now: Timestamp,
    start: Timestamp,
    delay: Span,
    loss: f64,
    deaths: f64,
    dying: Span,
    chance: Chance,
    kinds: Vec<Kind>,
    slots: Vec<Slot>,
    /// When the counter of ticks of each client host stood at 0.
    zeros: Vec<Timestamp>,
    wakes: Agenda,
    /// On their way; all take equally long, so the first to leave is the first to arrive.
    flights: VecDeque<slot::Flight>,
    /// Of the connections that have data.
    writers: HashMap<u32, slot::Writer, FixedState>,
    /// When the servers died whose clients do not know it.
    dead: HashMap<u32, Timestamp, FixedState>,
    outgoing: Vec<Outgoing>,
    octets: Vec<u8>,
    frames: u64,
    tally: Tally,
}

impl Fleet {
    /// A fleet whose connections are all still to be opened.
    ///
    /// # Errors
    /// If the description makes no fleet.
    pub fn new(spec: &FleetSpec) -> Result<Fleet, FleetError> {
        check(spec)?;
        let mut chance = Chance::new(spec.seed, Stream::Fleet);
        let mut fleet = Fleet {
            now: spec.start,
            start: spec.start,
            delay: spec.delay,
            loss: spec.loss,
            deaths: spec.deaths,
            dying: spec.dying,
            kinds: Vec::with_capacity(spec.groups.len()),
            slots: Vec::with_capacity(spec.connections as usize),
            zeros: Vec::new(),
            wakes: Agenda::new(spec.start),
            flights: VecDeque::new(),
            writers: HashMap::default(),
            dead: HashMap::default(),
            outgoing: Vec::new(),
            octets: Vec::new(),
            frames: 0,
            tally: Tally::new(spec),
            chance: chance.clone(),
        };
        let mut first = 0;
        for (group, (spec_of, size)) in (0..).zip(spec.groups.iter().zip(sizes(spec))) {
            fleet.add_group(spec, group, spec_of, first, size, &mut chance)?;
            first += size;
        }
        fleet.chance = chance;
        Ok(fleet)
    }

    fn add_group(
        &mut self,
        spec: &FleetSpec,
        group: u8,
        of: &GroupSpec,
        first: u32,
        size: u32,
        chance: &mut Chance,
    ) -> Result<(), FleetError> {
        let model = |stack: &'static Stack| Model::of(stack).ok_or(FleetError::Stack(stack.name));
        let (client, server) = (model(of.stack)?, model(of.peer)?);
        let rounding = match (client.rounding, of.hz) {
            (Rounding::TimerWheel { .. }, Some(hz)) => Rounding::TimerWheel { hz },
            (rounding, _) => rounding,
        };
        let hosts = of.hosts.max(1).max(size.div_ceil(PORTS)).min(size.max(1));
        let first_host = u32::try_from(self.zeros.len()).unwrap_or(u32::MAX);
        if first_host.saturating_add(hosts) > MOST_HOSTS {
            return Err(FleetError::Hosts(first_host.saturating_add(hosts)));
        }
        // Hosts were started at any time in a year.
        let year = Span::from_secs(31_536_000);
        let zeros = (0..hosts).map(|_| {
            Timestamp::from_nanos(spec.start.as_nanos().saturating_sub(chance.span(year).as_nanos()))
        });
        self.zeros.extend(zeros);
        let settings = Settings {
            idle: of.idle.unwrap_or(client.settings.idle),
            interval: of.interval.unwrap_or(client.settings.interval),
            count: of.count.unwrap_or(client.settings.count),
            user_timeout: of.user_timeout,
        };
        let (ours, theirs) = (Profile::of(of.stack), Profile::of(of.peer));
        let tcb = |window| Tcb { rcv_wnd: window, ..Tcb::quiet(SeqNum(0), SeqNum(0)) };
        let blank = |model: &Model, settings, window| {
            Machine::new(model.rules, settings, Clock::Exact, tcb(window), spec.start)
        };
        let client_machine = blank(&client, settings, ours.window);
        let server_machine = blank(&server, server.settings, theirs.window);
        let idle: Snapshot = client_machine.snapshot();
        let slot = Slot::new(group, idle, server_machine.snapshot());
        self.kinds.push(Kind {
            client: client_machine,
            server: server_machine,
            rules: [client.rules, server.rules],
            settings: [settings, server.settings],
            rounding,
            keepalive: of.keepalive,
            profiles: [ours, theirs],
            timestamps: ours.timestamps && theirs.timestamps,
            sack: ours.sack && theirs.sack,
            scaled: ours.window_scale.is_some() && theirs.window_scale.is_some(),
            first,
            first_host,
            hosts,
            server_end: Endpoint { address: server_address(group), port: 443 },
            data_share: of.data_share,
            data_every: of.data_every,
            data_octets: of.data_octets.clamp(1, 1448),
        });
        for connection in first..first + size {
            self.slots.push(slot);
            let at = spec.start.plus(chance.span(spec.opening));
            self.wakes.push(at, Wake::Open.number(connection));
        }
        Ok(())
    }

    /// The time of the last event, or until which it was run.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What came of it so far.
    pub fn report(&self) -> FleetReport {
        let lasted = self.now.since(self.start);

        self.tally.report(lasted, self.state_octets())
    }

    /// Octets that a connection takes by itself, with its place in the queue.
    pub fn state_octets(&self) -> usize {
        size_of::<Slot>() + agenda::ENTRY
    }

    /// Runs for some time from now; frames go to `sink`, if there is one.
    pub fn run_for(&mut self, span: Span, sink: Option<FrameSink<'_>>) {
        self.run_until(self.now.plus(span), sink);
    }
}

/// An address of 203.0.113.0/24 for the servers of a group.
fn server_address(group: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, group.saturating_add(1)))
}

/// How many connections each group has: their sum is that of the fleet.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to the number of connections"
)]
fn sizes(spec: &FleetSpec) -> Vec<u32> {
    let total: f64 = spec.groups.iter().map(|group| group.weight).sum();
    let mut sizes = Vec::with_capacity(spec.groups.len());
    let (mut weight, mut given) = (0.0, 0);
    for group in &spec.groups {
        weight += group.weight;
        let up_to = (f64::from(spec.connections) * weight / total).round() as u32;
        sizes.push(up_to.saturating_sub(given));
        given = up_to.max(given);
    }
    sizes
}

fn check(spec: &FleetSpec) -> Result<(), FleetError> {
    if spec.connections == 0 || spec.connections > MOST_CONNECTIONS {
        return Err(FleetError::Connections(spec.connections));
    }
    if spec.groups.is_empty() || spec.groups.len() > 254 {
        return Err(FleetError::Groups(spec.groups.len()));
    }
    if spec.groups.iter().any(|group| !group.weight.is_finite() || group.weight <= 0.0) {
        return Err(FleetError::Weight);
    }
    let is_share = |share: f64| (0.0..=1.0).contains(&share);
    if !is_share(spec.loss) {
        return Err(FleetError::Share("the loss"));
    }
    if !is_share(spec.deaths) {
        return Err(FleetError::Share("the part that dies"));
    }
    if !spec.groups.iter().all(|group| is_share(group.data_share)) {
        return Err(FleetError::Share("the part with data"));
    }
    Ok(())
}
