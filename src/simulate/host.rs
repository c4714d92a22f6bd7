//! Hosts: a stack with its clocks, its connections, and what befalls it.
//!
//! Owns [`HostSpec`], [`EndSpec`] and which connection a packet belongs to. Uses [`super::end`] and
//! [`super::windows`].

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use super::chance::{Chance, Stream};
use super::end::{Config, End, EndEvent, Role, StampClock};
use super::packet::TcpPacket;
use super::profile::Profile;
use super::windows::{Process, WindowsCall, WindowsSpec, changes};
use crate::keepalive::{
    Clock, Habits, Incoming, Machine, Model, Setting, Settings, answer_without_connection,
};
use crate::segment::{Endpoint, Options, SeqNum};
use crate::stack::Stack;
use crate::stack::value::{IpId, Rounding};
use crate::time::{Span, Timestamp};
use crate::winsock::WsaResult;

/// One of the two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostSide {
    /// The one that opens connections.
    Client,
    /// The one that they are opened to.
    Server,
}

impl HostSide {
    /// As a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            HostSide::Client => "client",
            HostSide::Server => "server",
        }
    }
}

/// A host as described.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// Its address.
    pub address: IpAddr,
    /// Its stack.
    pub stack: &'static Stack,
    /// Ticks a second of a Linux kernel (`CONFIG_HZ`); as the row of the stack says where absent.
    pub hz: Option<u32>,
    /// How long before the start of the simulation its counter of ticks stood at 0; by chance where absent.
    pub uptime: Option<Span>,
    /// What it does besides keepalives; as its stack does where absent.
    pub profile: Option<Profile>,
    /// The Windows that it runs, if its applications set options by Winsock calls.
    pub windows: Option<WindowsSpec>,
    /// What befalls it, and when, since the start of the simulation.
    pub changes: Vec<(Span, HostChange)>,
}

impl HostSpec {
    /// A host of that stack to which nothing happens.
    pub fn new(address: IpAddr, stack: &'static Stack) -> Self {
        Self { address, stack, hz: None, uptime: None, profile: None, windows: None, changes: Vec::new() }
    }
}

/// What can befall a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostChange {
    /// Its cable is pulled: nothing it sends gets out, nothing gets in; its timers go on.
    Unplugged,
    /// Its cable is back.
    Plugged,
    /// It loses its power, and all its connections.
    PowerOff,
    /// It has power again and knows no connection: what comes for one is answered with a RST.
    PowerOn,
}

impl HostChange {
    /// As a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            HostChange::Unplugged => "unplugged",
            HostChange::Plugged => "plugged",
            HostChange::PowerOff => "power_off",
            HostChange::PowerOn => "power_on",
        }
    }
}

/// One end of a connection as described.
#[derive(Clone, Debug, Default)]
pub struct EndSpec {
    /// Whether keepalives are on from the start.
    pub keepalive: bool,
    /// Idle time; the stack's where absent.
    pub idle: Option<Span>,
    /// Interval; the stack's where absent.
    pub interval: Option<Span>,
    /// Count; the stack's where absent.
    pub count: Option<u32>,
    /// User timeout; none where absent.
    pub user_timeout: Option<Span>,
    /// How it answers probes; as its stack does where absent.
    pub habits: Option<Habits>,
    /// The application closes after this long without data in either direction.
    pub close_when_idle: Option<Span>,
    /// The application does not close when its peer does.
    pub stays_half_open: bool,
    /// Winsock calls made before the connection is opened.
    pub calls: Vec<WindowsCall>,
    /// What the application does, and when, since the start of the simulation.
    pub actions: Vec<(Span, Action)>,
}

/// What an application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It writes.
    Send {
        /// How many octets.
        octets: u32,
        /// Again each time this has passed; once where absent.
        every: Option<Span>,
        /// Not after this, since the start of the simulation.
        until: Option<Span>,
    },
    /// It closes.
    Close,
    /// It closes with a reset.
    Abort,
    /// Somebody beside the stack sends a keepalive probe without data on it, as a raw socket can: the stack knows
    /// nothing of it.
    Probe,
    /// It sets something.
    Set(Setting),
    /// It makes a Winsock call.
    Call(WindowsCall),
}

/// What a host hands to the world.
#[derive(Debug)]
pub(super) enum Told {
    Sent { connection: Option<usize>, role: Role, packet: TcpPacket },
    End { connection: usize, event: EndEvent },
    Windows { connection: usize, call: WindowsCall, result: WsaResult },
}

/// A host at work.
#[derive(Debug)]
pub(super) struct Host {
    side: HostSide,
    address: IpAddr,
    model: Model,
    profile: Profile,
    clock: Clock,
    boot: Timestamp,
    seed: u64,
    chance: Chance,
    packets: u16,
    ends: Vec<Slot>,
    by_ends: BTreeMap<(Endpoint, Endpoint), usize>,
    windows: Option<Process>,
    pub(super) powered: bool,
    pub(super) plugged: bool,
    told: VecDeque<Told>,
}

#[derive(Debug)]
struct Slot {
    spec: EndSpec,
    end: Option<End>,
    ip_id: u16,
}

/// The counter of ticks of a host that was started long ago stands anywhere in this many ticks: one granule of
/// the coarsest level of the wheel.
const PHASES: u64 = 1 << 24;

impl Host {
    pub(super) fn new(
        side: HostSide,
        spec: &HostSpec,
        model: Model,
        ends: Vec<EndSpec>,
        seed: u64,
        start: Timestamp,
    ) -> Self {
        let mut chance = Chance::new(seed, Stream::Host { index: side as u32 });
        let rounding = match (model.rounding, spec.hz) {
            (Rounding::TimerWheel { .. }, Some(hz)) => Rounding::TimerWheel { hz },
            (rounding, _) => rounding,
        };
        let hz = match rounding {
            Rounding::TimerWheel { hz } => u64::from(hz.max(1)),
            _ => 250,
        };
        let drawn = chance.below(PHASES * 1_000_000_000 / hz);
        let uptime = spec.uptime.unwrap_or(Span::from_nanos(i64::try_from(drawn).unwrap_or(i64::MAX)));
        let boot = Timestamp::from_nanos(start.as_nanos().saturating_sub(uptime.as_nanos()));
        let packets = chance.word() as u16;
        let slots = ends.into_iter().map(|spec| Slot { spec, end: None, ip_id: chance.word() as u16 });
        Self {
            side,
            address: spec.address,
            profile: spec.profile.unwrap_or_else(|| Profile::of(spec.stack)),
            clock: Clock::new(rounding, boot),
            boot,
            seed,
            packets,
            ends: slots.collect(),
            chance,
            by_ends: BTreeMap::new(),
            windows: spec.windows.as_ref().map(Process::new),
            model,
            powered: true,
            plugged: true,
            told: VecDeque::new(),
        }
    }

    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    pub(super) fn poll(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        self.ends.iter().filter_map(|slot| slot.end.as_ref()?.next_timeout()).min()
    }

    /// The keepalive machine of an established connection.
    pub(super) fn machine(&self, connection: usize) -> Option<&Machine> {
        self.ends.get(connection)?.end.as_ref()?.machine()
    }

    pub(super) fn end(&self, connection: usize) -> Option<(Endpoint, Endpoint)> {
        let end = self.ends.get(connection)?.end.as_ref()?;
        Some((end.local(), end.remote()))
    }

    /// One more end, which is not open yet.
    pub(super) fn add(&mut self, spec: EndSpec) {
        let ip_id = self.chance.word() as u16;
        self.ends.push(Slot { spec, end: None, ip_id });
    }

    /// Opens a connection.
    pub(super) fn connect(&mut self, now: Timestamp, connection: usize, port: u16, remote: Endpoint) {
        if !self.powered {
            return;
        }
        let local = Endpoint { address: self.address, port };
        let Some(mut config) = self.config(connection, local, remote) else { return };
        self.before_opening(connection, &mut config);
        if let Some(windows) = &mut self.windows {
            windows.connecting(connection);
        }
        let end = End::connect(config, now);
        self.put(connection, end);
        self.drain(connection);
    }

    /// Whether a connection was never opened here.
    pub(super) fn is_free(&self, connection: usize) -> bool {
        self.ends.get(connection).is_some_and(|slot| slot.end.is_none())
    }

    /// A SYN has come for a connection that is waited for.
    pub(super) fn accept(&mut self, now: Timestamp, connection: usize, syn: &TcpPacket) {
        let Some(mut config) = self.config(connection, syn.destination, syn.source) else { return };
        self.before_opening(connection, &mut config);
        let end = End::accept(config, now, syn);
        self.put(connection, end);
        self.drain(connection);
    }

    fn put(&mut self, connection: usize, end: End) {
        self.by_ends.insert((end.local(), end.remote()), connection);
        if let Some(slot) = self.ends.get_mut(connection) {
            slot.end = Some(end);
        }
    }

    fn config(&mut self, connection: usize, local: Endpoint, remote: Endpoint) -> Option<Config> {
        let spec = &self.ends.get(connection)?.spec;
        let defaults = self.model.settings;
        let index = u32::try_from(connection).unwrap_or(u32::MAX);
        let stream = Stream::End { connection: index, host: self.side as u32 };
        let mut chance = Chance::new(self.seed, stream);
        Some(Config {
            local,
            remote,
            profile: self.profile,
            rules: spec.habits.map_or(self.model.rules, |habits| self.model.rules.with_habits(habits)),
            settings: Settings {
                idle: spec.idle.unwrap_or(defaults.idle),
                interval: spec.interval.unwrap_or(defaults.interval),
                count: spec.count.unwrap_or(defaults.count),
                user_timeout: spec.user_timeout,
            },
            on: spec.keepalive,
            clock: self.clock,
            initial: SeqNum(chance.word()),
            stamps: StampClock { zero: self.boot, offset: chance.word() },
            close_when_idle: spec.close_when_idle,
            stays_half_open: spec.stays_half_open,
        })
    }

    /// Winsock calls before the connection is opened, and what is in effect after them.
    fn before_opening(&mut self, connection: usize, config: &mut Config) {
        let calls = self.ends.get(connection).map(|slot| slot.spec.calls.clone()).unwrap_or_default();
        let Some(windows) = &mut self.windows else { return };
        for call in calls {
            let result = windows.call(connection, call);
            self.told.push_back(Told::Windows { connection, call, result });
        }
        let Some(effective) = windows.effective(connection) else { return };
        for change in changes(&config.settings, &effective) {
            match change {
                Setting::Enabled(on) => config.on = on,
                Setting::Idle(idle) => config.settings.idle = idle,
                Setting::Interval(interval) => config.settings.interval = interval,
                Setting::Count(count) => config.settings.count = count,
                Setting::UserTimeout(timeout) => config.settings.user_timeout = Some(timeout),
            }
        }
    }

    /// The application of a connection does something.
    pub(super) fn act(&mut self, now: Timestamp, connection: usize, action: Action) {
        if let Action::Call(call) = action {
            self.call(now, connection, call);
        }
        let Some(end) = self.end_mut(connection) else { return };
        match action {
            Action::Send { octets, .. } => end.send(now, octets),
            Action::Close => end.close(now),
            Action::Abort => end.abort(now),
            Action::Probe => end.probe(now),
            Action::Set(setting) => end.set(now, setting),
            Action::Call(_) => {}
        }
        self.drain(connection);
    }

    fn call(&mut self, now: Timestamp, connection: usize, call: WindowsCall) {
        if !self.powered {
            return;
        }
        let Some(windows) = &mut self.windows else { return };
        let result = windows.call(connection, call);
        self.told.push_back(Told::Windows { connection, call, result });
        let effective = windows.effective(connection);
        let (Some(effective), Some(end)) = (effective, self.end_mut(connection)) else { return };
        let Some(settings) = end.machine().map(|machine| *machine.settings()) else { return };
        for change in changes(&settings, &effective) {
            end.set(now, change);
        }
    }

    fn end_mut(&mut self, connection: usize) -> Option<&mut End> {
        self.ends.get_mut(connection)?.end.as_mut()
    }

    /// Which connection a segment is of.
    pub(super) fn connection_of(&self, packet: &TcpPacket) -> Option<usize> {
        self.by_ends.get(&(packet.destination, packet.source)).copied().filter(|connection| {
            self.ends.get(*connection).and_then(|slot| slot.end.as_ref()).is_some_and(|end| !end.is_closed())
        })
    }

    /// A segment of a connection.
    pub(super) fn on_packet(&mut self, now: Timestamp, connection: usize, packet: &TcpPacket) {
        if let Some(end) = self.end_mut(connection) {
            end.on_packet(now, packet);
        }
        self.drain(connection);
    }

    /// A segment of no connection.
    pub(super) fn on_stranger(&mut self, packet: &TcpPacket) {
        let incoming = Incoming {
            seq: packet.seq,
            ack: packet.ack,
            flags: packet.flags,
            octets: u32::from(packet.octets),
            tsval: None,
        };
        let Some(answer) = answer_without_connection(&incoming) else { return };
        let mut reset = TcpPacket {
            source: packet.destination,
            destination: packet.source,
            seq: answer.seq,
            ack: answer.ack,
            flags: answer.flags,
            window: 0,
            octets: 0,
            ttl: self.profile.ttl,
            dont_fragment: self.profile.dont_fragment,
            ip_id: 0,
            options: Options::default(),
        };
        // Linux leaves the number of a packet without socket at 0, since it must not be cut.
        if self.profile.ip_id != IpId::NextOfConnection {
            reset.ip_id = self.next_ip_id();
        }
        self.told.push_back(Told::Sent { connection: None, role: Role::Reset, packet: reset });
    }

    fn next_ip_id(&mut self) -> u16 {
        match self.profile.ip_id {
            IpId::Random => (self.chance.word() as u16).max(1),
            IpId::OfTheSystem | IpId::NextOfConnection => {
                self.packets = self.packets.wrapping_add(1);
                self.packets
            }
        }
    }

    pub(super) fn on_timeout(&mut self, now: Timestamp) {
        for connection in 0..self.ends.len() {
            let due = |slot: &Slot| slot.end.as_ref()?.next_timeout();
            if self.ends.get(connection).and_then(due).is_some_and(|due| due <= now) {
                if let Some(end) = self.end_mut(connection) {
                    end.on_timeout(now);
                }
                self.drain(connection);
            }
        }
    }

    pub(super) fn change(&mut self, change: HostChange) {
        match change {
            HostChange::Unplugged => self.plugged = false,
            HostChange::Plugged => self.plugged = true,
            HostChange::PowerOn => self.powered = true,
            HostChange::PowerOff => {
                self.powered = false;
                for connection in 0..self.ends.len() {
                    if let Some(end) = self.end_mut(connection) {
                        end.lose_power();
                    }
                    self.drain(connection);
                }
                self.by_ends.clear();
            }
        }
    }

    /// Takes what an end has to send and to tell, in the order in which it came about as far as that matters:
    /// what it tells comes first, since it says why it sends.
    fn drain(&mut self, connection: usize) {
        loop {
            let Some(end) = self.end_mut(connection) else { return };
            if let Some(event) = end.poll_event() {
                if event == EndEvent::Opened {
                    self.on_opened(connection);
                }
                self.told.push_back(Told::End { connection, event });
            } else if let Some((mut packet, role)) = end.poll_transmit() {
                packet.ip_id = self.ip_id_of(connection, role);
                self.told.push_back(Told::Sent { connection: Some(connection), role, packet });
            } else {
                return;
            }
        }
    }

    fn on_opened(&mut self, connection: usize) {
        if let Some(windows) = &mut self.windows {
            windows.connected(connection);
        }
    }

    fn ip_id_of(&mut self, connection: usize, role: Role) -> u16 {
        if self.profile.ip_id != IpId::NextOfConnection {
            return self.next_ip_id();
        }
        // The answer to a SYN leaves before there is a socket.
        if role == Role::SynAck {
            return 0;
        }
        let Some(slot) = self.ends.get_mut(connection) else { return 0 };
        slot.ip_id = slot.ip_id.wrapping_add(1);
        slot.ip_id
    }
}
