//! Random scenarios.

use keepscope::segment::IcmpKind;
use keepscope::simulate::host::{Action, EndSpec, HostChange, HostSide};
use keepscope::simulate::link::{Lane, LinkSpec, Loss};
use keepscope::simulate::middlebox::Middlebox;
use keepscope::simulate::middlebox::description::{
    AtExpiry, Conntrack, ConntrackTimeouts, Description, Direction, Input, Ports, Refresh, Router,
    SourceTranslation, Stray, Timers, Towards, Tracker,
};
use keepscope::simulate::tap::{TapLink, TapPlace, TapSpec};
use keepscope::simulate::world::{ConnectionSpec, WorldSpec};
use keepscope::time::Span;
use proptest::prelude::*;

use crate::worlds::host;

/// A scenario, small enough to be read when it fails.
#[derive(Clone, Debug)]
pub struct Case {
    pub seed: u64,
    pub client: Side,
    pub server: Side,
    pub hz: u32,
    v6: bool,
    pub ethernet: bool,
    pub tap: HostSide,
    pub delay_ms: i64,
    pub jitter_ms: i64,
    pub loss: Loss,
    pub fate: Fate,
    /// Who writes, when, how many octets.
    pub writes: Vec<(HostSide, i64, u32)>,
    pub seconds: i64,
    /// A box in the middle.
    pub middlebox: Option<Between>,
}

/// A box that keeps state.
#[derive(Clone, Copy, Debug)]
pub struct Between {
    /// Linux conntrack, or a tracker of packets with rules of its own.
    pub conntrack: bool,
    pub translates: bool,
    pub forgets_after: i64,
    pub stray: Stray,
    pub at_expiry: AtExpiry,
}

#[derive(Clone, Debug)]
pub struct Side {
    pub stack: &'static str,
    pub probes: bool,
    pub idle: i64,
    pub interval: i64,
    pub count: u32,
}

#[derive(Clone, Copy, Debug)]
pub enum Fate {
    LivesOn,
    Unplugged(HostSide, i64),
    PoweredOff(HostSide, i64),
    Restarted(HostSide, i64, i64),
    Closes(HostSide, i64),
    ClosesWhenIdle(HostSide, i64),
    Aborts(HostSide, i64),
}

const STACKS: &[&str] =
    &["linux", "windows-10-1709", "freebsd", "macos", "gvisor", "illumos", "openbsd", "smoltcp"];

fn side() -> impl Strategy<Value = Side> {
    let stack = prop_oneof![3 => Just("linux"), 4 => prop::sample::select(STACKS)];
    let idle = prop::sample::select(vec![5, 7, 10, 15, 20, 30, 45, 60, 120, 300]);
    let interval = prop::sample::select(vec![2, 3, 5, 10, 15, 30, 75]);
    (stack, any::<bool>(), idle, interval, 1u32..9).prop_map(|(stack, probes, idle, interval, count)| Side {
        stack,
        probes,
        idle,
        interval,
        count,
    })
}

fn host_side() -> impl Strategy<Value = HostSide> {
    prop_oneof![Just(HostSide::Client), Just(HostSide::Server)]
}

fn fate() -> impl Strategy<Value = Fate> {
    let at = 1i64..500;
    prop_oneof![
        2 => Just(Fate::LivesOn),
        2 => (host_side(), at.clone()).prop_map(|(host, at)| Fate::Unplugged(host, at)),
        1 => (host_side(), at.clone()).prop_map(|(host, at)| Fate::PoweredOff(host, at)),
        1 => (host_side(), at.clone(), 1i64..200).prop_map(|(host, at, off)| Fate::Restarted(host, at, off)),
        1 => (host_side(), at.clone()).prop_map(|(host, at)| Fate::Closes(host, at)),
        1 => (host_side(), at.clone()).prop_map(|(host, at)| Fate::ClosesWhenIdle(host, at)),
        1 => (host_side(), at).prop_map(|(host, at)| Fate::Aborts(host, at)),
    ]
}

fn loss() -> impl Strategy<Value = Loss> {
    prop_oneof![
        3 => Just(Loss::Never),
        1 => (0.0f64..0.3).prop_map(|share| Loss::Independent { share }),
        1 => (0.01f64..0.1, 0.2f64..0.9)
            .prop_map(|(begin, end)| Loss::Bursts { begin, end, good: 0.0, bad: 1.0 }),
    ]
}

fn between() -> impl Strategy<Value = Between> {
    let stray = prop::sample::select(vec![
        Stray::Drop,
        Stray::Reset,
        Stray::Create,
        Stray::Pass,
        Stray::Icmp(IcmpKind::Unreachable(13)),
    ]);
    let at_expiry = prop::sample::select(vec![
        AtExpiry::Nothing,
        AtExpiry::Reset(Towards::Both),
        AtExpiry::Reset(Towards::Inside),
        AtExpiry::Reset(Towards::Outside),
    ]);
    let forgets_after = prop::sample::select(vec![10, 30, 60, 100, 300, 3600]);
    (any::<bool>(), any::<bool>(), forgets_after, stray, at_expiry).prop_map(
        |(conntrack, translates, forgets_after, stray, at_expiry)| Between {
            conntrack,
            translates,
            forgets_after,
            stray,
            at_expiry,
        },
    )
}

pub fn case() -> impl Strategy<Value = Case> {
    let path = (0i64..150, prop_oneof![Just(0), 0i64..20], loss());
    let writes = prop_oneof![
        Just(Vec::new()),
        prop::collection::vec((host_side(), 1i64..600, prop_oneof![Just(1u32), 2u32..4000]), 0..4),
    ];
    let place = (any::<bool>(), any::<bool>(), host_side());
    let hz = prop::sample::select(vec![100, 250, 300, 1000]);
    let rest = (fate(), writes, 30i64..1200, proptest::option::weighted(0.4, between()));
    (any::<u64>(), side(), side(), hz, place, path, rest).prop_map(
        |(
            seed,
            client,
            server,
            hz,
            (v6, ethernet, tap),
            (delay_ms, jitter_ms, loss),
            (fate, writes, seconds, middlebox),
        )| {
            // Behind a box that translates and forgets, one connection may show as two.
            let tap =
                if middlebox.is_some_and(|between| between.translates) { HostSide::Client } else { tap };
            Case {
                seed,
                client,
                server,
                hz,
                v6,
                ethernet,
                tap,
                delay_ms,
                jitter_ms,
                loss,
                fate,
                writes,
                seconds,
                middlebox,
            }
        },
    )
}

impl Side {
    fn end(&self) -> EndSpec {
        EndSpec {
            keepalive: self.probes,
            idle: Some(Span::from_secs(self.idle)),
            interval: Some(Span::from_secs(self.interval)),
            count: Some(self.count),
            ..EndSpec::default()
        }
    }
}

impl Case {
    pub fn spec(&self) -> WorldSpec {
        let [one, other] =
            if self.v6 { ["2001:db8::1", "2001:db8::2"] } else { ["192.0.2.1", "198.51.100.1"] };
        let mut spec = WorldSpec::new(host(one, self.client.stack), host(other, self.server.stack));
        spec.seed = self.seed;
        (spec.client.hz, spec.server.hz) = (Some(self.hz), Some(self.hz));
        let link = LinkSpec::both(Lane {
            delay: Span::from_millis(self.delay_ms),
            jitter: Span::from_millis(self.jitter_ms),
            loss: self.loss,
            ..Lane::default()
        });
        spec.links = vec![link; 1 + usize::from(self.middlebox.is_some())];
        let at = Span::from_secs;
        let mut ends = [self.client.end(), self.server.end()];
        for (host, when, octets) in &self.writes {
            let send = Action::Send { octets: *octets, every: None, until: None };
            ends[*host as usize].actions.push((at(*when), send));
        }
        match self.fate {
            Fate::Closes(host, when) => ends[host as usize].actions.push((at(when), Action::Close)),
            Fate::Aborts(host, when) => ends[host as usize].actions.push((at(when), Action::Abort)),
            Fate::ClosesWhenIdle(host, after) => ends[host as usize].close_when_idle = Some(at(after)),
            _ => {}
        }
        let [client, server] = ends;
        spec.connections.push(ConnectionSpec::new(client, server));
        let changes = match self.fate {
            Fate::Unplugged(host, when) => vec![(host, when, HostChange::Unplugged)],
            Fate::PoweredOff(host, when) => vec![(host, when, HostChange::PowerOff)],
            Fate::Restarted(host, when, off) => {
                vec![(host, when, HostChange::PowerOff), (host, when + off, HostChange::PowerOn)]
            }
            _ => Vec::new(),
        };
        for (host, when, change) in changes {
            let spec = if host == HostSide::Client { &mut spec.client } else { &mut spec.server };
            spec.changes.push((at(when), change));
        }
        let link = if self.ethernet { TapLink::Ethernet } else { TapLink::Raw };
        spec.taps.push(TapSpec { place: TapPlace::Host(self.tap), link });
        spec
    }

    /// The boxes on the path.
    pub fn boxes(&self) -> Vec<Box<dyn Middlebox>> {
        self.middlebox.iter().map(|between| between.description(self.v6).build(self.seed).unwrap()).collect()
    }

    pub fn side(&self, host: HostSide) -> &Side {
        match host {
            HostSide::Client => &self.client,
            HostSide::Server => &self.server,
        }
    }
}

impl Between {
    fn description(&self, v6: bool) -> Description {
        let addresses = if v6 { ["2001:db8::f1", "2001:db8::f2"] } else { ["192.0.2.254", "203.0.113.254"] };
        let [inside, outside] = addresses.map(|address| address.parse().unwrap());
        let source = SourceTranslation { address: outside, ports: Ports::Preserved };
        let router = Router {
            inside_address: Some(inside),
            outside_address: Some(outside),
            decrements_ttl: true,
            own_ttl: 64,
            source: self.translates.then_some(source),
            service: None,
            input: Input::Reset,
            inside_is_routed: false,
        };
        let established = Span::from_secs(self.forgets_after);
        if self.conntrack {
            return Description::Conntrack(Conntrack {
                router,
                timeouts: ConntrackTimeouts { established, ..ConntrackTimeouts::default() },
                tcp_loose: self.stray == Stray::Create,
                tcp_be_liberal: false,
                tcp_max_retrans: 3,
                tcp_ignore_invalid_rst: false,
                max: None,
                drop_invalid: self.stray == Stray::Drop,
                opens: Direction::Outward,
            });
        }
        let short = Span::from_secs(60);
        Description::Tracker(Tracker {
            router,
            timers: Timers {
                syn: short,
                handshake: short,
                established,
                unacknowledged: established,
                closed_by_client: short,
                closed_by_server: short,
                closing: short,
                reset: short,
            },
            refresh: Refresh { direction: Direction::Both, only_data: false },
            opens: Direction::Outward,
            at_expiry: self.at_expiry,
            stray_from_inside: self.stray,
            stray_from_outside: Stray::Drop,
            sweep: None,
            adaptive: None,
            table: None,
        })
    }
}
