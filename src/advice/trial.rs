//! One trial: a stack with its settings behind a box that forgets, in the simulator, over the phases of its timer.
//!
//! Owns what "it holds" means: the connection is still there, at both ends and in the box, after so many answered
//! probes, with no probe lost, and with so many in a row lost after each answer. Uses [`crate::simulate`] for the
//! world and [`crate::keepalive`] for the clock of the stack.

use std::net::{IpAddr, Ipv4Addr};

use super::phases::{self, Phases};
use crate::keepalive::{Event, Model, Settings};
use crate::segment::Endpoint;
use crate::simulate::end::Closing;
use crate::simulate::host::{Action, EndSpec, HostSide, HostSpec};
use crate::simulate::link::{Lane, LinkSpec};
use crate::simulate::middlebox::description::{
    AtExpiry, Description, Direction, Input, Proxy, ProxyClose, Refresh, Router, Stray, Timers, Tracker,
};
use crate::simulate::middlebox::{BoxAction, TcpState};
use crate::simulate::truth::{Truth, What};
use crate::simulate::world::{ConnectionSpec, World, WorldSpec};
use crate::stack::Stack;
use crate::stack::value::Rounding;
use crate::time::{Span, Timestamp};

/// Answered probes after which a connection counts as kept: more than a stack needs to come back to the same place on
/// its timer.
const ANSWERS: u64 = 12;

/// Most events of one run; a run that keeps its connection takes some hundreds.
const MOST_STEPS: u64 = 20_000;

/// How many answered probes come before the first lost one: the timer stands elsewhere after each.
const CLEAN_BEFORE: [u64; 4] = [0, 1, 2, 3];

/// Probes that a dead peer leaves unanswered: more than any stack sends before it gives up.
const MOST_UNANSWERED: u64 = 600;

/// Answers after which the peer falls silent for good.
const ANSWERS_BEFORE_DEATH: [u64; 3] = [0, 1, 2];

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 20));
const PROXY: Endpoint = Endpoint { address: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 49)), port: 443 };

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// The stack that keeps its connection alive.
    pub stack: &'static Stack,
    /// `CONFIG_HZ`, where the stack has one; as its row says where absent.
    pub hz: Option<u32>,
    /// What is set on its socket.
    pub settings: Settings,
    /// After so much silence the box forgets.
    pub silence: Span,
    /// Round trip to the peer. The box stands at the peer, where the way of a probe is the longest.
    pub rtt: Span,
    /// So many probes in a row are lost.
    pub lost: u32,
}

/// What became of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// In how many phases it was run.
    pub phases: u64,
    /// In how many the connection lived while nothing was lost.
    pub without_loss: u64,
    /// In how many it lived although probes were lost.
    pub with_loss: u64,
    /// In how many the box had forgotten before the first probe came to it.
    pub first_too_late: u64,
    /// The earliest and the latest first probe after the last segment heard, if there was any.
    pub first_probe: Option<(Span, Span)>,
    /// The longest silence that the box saw, probes lost or not.
    pub longest_silence: Span,
    /// How many connections were simulated.
    pub runs: u64,
}

impl Kept {
    /// Whether it holds in every phase, with the losses.
    pub fn always(&self) -> bool {
        self.phases > 0 && self.without_loss == self.phases && self.with_loss == self.phases
    }

    fn add(&mut self, life: &Life) {
        self.runs += 1;
        self.longest_silence = self.longest_silence.max(life.longest_silence);
        if let Some(first) = life.first_probe {
            let (least, most) = self.first_probe.unwrap_or((first, first));
            self.first_probe = Some((least.min(first), most.max(first)));
        }
    }
}

/// How one connection went.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    lived: bool,
    /// The box had forgotten before the first probe came.
    first_too_late: bool,
    first_probe: Option<Span>,
    longest_silence: Span,
    /// From the last segment heard until the application was told that the peer is gone.
    noticed: Option<Span>,
}

impl Trial {
    /// Lets it go in these phases.
    pub(super) fn kept(&self, phases: Phases) -> Kept {
        let uptimes = phases::uptimes(self.rounding(), &self.settings, self.rtt, phases);
        let mut kept = Kept {
            phases: uptimes.len() as u64,
            without_loss: 0,
            with_loss: 0,
            first_too_late: 0,
            first_probe: None,
            longest_silence: Span::ZERO,
            runs: 0,
        };
        for uptime in uptimes {
            let clean = self.run(uptime, ANSWERS, Vec::new(), Vec::new());
            kept.add(&clean);
            kept.without_loss += u64::from(clean.lived);
            kept.first_too_late += u64::from(clean.first_too_late);
            // Where nothing lost is too much already, the rest says nothing more.
            let with_loss = clean.lived
                && (self.lost == 0
                    || CLEAN_BEFORE.iter().all(|clean| {
                        let life = self.run(uptime, ANSWERS, lost_after(*clean, self.lost), Vec::new());
                        kept.add(&life);
                        life.lived
                    }));
            kept.with_loss += u64::from(with_loss);
        }
        kept
    }

    /// In how many of so many phases the box has forgotten before the first probe comes to it.
    pub(super) fn first_too_late(&self, phases: u32) -> u32 {
        let uptimes = phases::uptimes(self.rounding(), &self.settings, self.rtt, Phases::Even(phases));
        let late =
            uptimes.iter().filter(|uptime| self.run(**uptime, 1, Vec::new(), Vec::new()).first_too_late);
        u32::try_from(late.count()).unwrap_or(u32::MAX)
    }

    /// How long a dead peer goes unnoticed at worst; nothing if the stack does not notice it by itself.
    pub(super) fn noticed(&self, phases: Phases) -> Option<Span> {
        let mut worst = Span::ZERO;
        for uptime in phases::uptimes(self.rounding(), &self.settings, self.rtt, phases) {
            for answers in ANSWERS_BEFORE_DEATH {
                let dead: Vec<u64> = (answers + 1..=answers + MOST_UNANSWERED).collect();
                worst = worst.max(self.run(uptime, ANSWERS, Vec::new(), dead).noticed?);
            }
        }
        Some(worst)
    }

    /// Whether its timer can stand anywhere but in one place.
    pub(super) fn has_phases(&self) -> bool {
        self.rounding() != Rounding::Exact
    }

    /// How its stack's timer fires.
    fn rounding(&self) -> Rounding {
        let own = Model::of(self.stack).map_or(Rounding::Exact, |model| model.rounding);
        match (own, self.hz) {
            (Rounding::TimerWheel { .. }, Some(hz)) => Rounding::TimerWheel { hz },
            (own, _) => own,
        }
    }

    /// One connection; probes with these numbers are lost before the box, and behind it.
    fn run(&self, uptime: Span, answers: u64, lost_before: Vec<u64>, lost_behind: Vec<u64>) -> Life {
        let mut client = HostSpec::new(CLIENT, self.stack);
        client.hz = self.hz;
        client.uptime = Some(uptime);
        let end = EndSpec {
            keepalive: true,
            idle: Some(self.settings.idle),
            interval: Some(self.settings.interval),
            count: Some(self.settings.count),
            user_timeout: self.settings.user_timeout,
            ..EndSpec::default()
        };
        let way = Span::from_nanos(self.rtt.as_nanos() / 2);
        let mut near = LinkSpec::both(Lane { delay: way, ..Lane::default() });
        near.up.lose_probes = lost_before;
        let mut far = LinkSpec::default();
        far.up.lose_probes = lost_behind;
        let spec = spec(client, end, [near, far]);
        let Some(mut world) = world(spec, &Description::Tracker(tracker(self.silence))) else {
            return Life::default();
        };
        let mut watch = Watch::new(world.start(), answers);
        let mut seen = 0;
        while watch.ended.is_none() && watch.answers < answers && world.steps() < MOST_STEPS && world.step() {
            while let Some(truth) = world.truths().get(seen) {
                watch.see(truth);
                seen += 1;
            }
        }
        watch.life()
    }
}

/// The numbers of the probes that are lost: after so many clean ones, `lost` in a row before each that arrives.
fn lost_after(clean: u64, lost: u32) -> Vec<u64> {
    let lost = u64::from(lost);
    (clean + 1..=clean + (lost + 1) * ANSWERS)
        .filter(|number| (number - clean - 1) % (lost + 1) < lost)
        .collect()
}

/// What is looked at while a connection lives.
struct Watch {
    /// So many answers are enough.
    wanted: u64,
    opened: Timestamp,
    heard: Timestamp,
    refreshed: Option<Timestamp>,
    answers: u64,
    /// When the box forgot, or an end closed.
    ended: Option<Timestamp>,
    forgotten: bool,
    probes_passed: u64,
    life: Life,
}

impl Watch {
    fn new(start: Timestamp, wanted: u64) -> Self {
        Self {
            wanted,
            opened: start,
            heard: start,
            refreshed: None,
            answers: 0,
            ended: None,
            forgotten: false,
            probes_passed: 0,
            life: Life::default(),
        }
    }

    fn see(&mut self, truth: &Truth) {
        match &truth.what {
            What::Opened { host: HostSide::Client, .. } => self.opened = truth.time,
            What::Received { host: HostSide::Client, .. } => self.heard = truth.time,
            What::Keepalive { host: HostSide::Client, event, .. } => match event {
                Event::ProbeSent { time, .. } => {
                    self.life.first_probe.get_or_insert(time.since(self.opened));
                }
                Event::Answered { .. } => self.answers += 1,
                Event::Reported { time } => {
                    self.life.noticed.get_or_insert(time.since(self.heard));
                    self.ended = Some(*time);
                }
                Event::GaveUp { .. } | Event::ResetByPeer { .. } => {}
            },
            What::Closed { host, how, .. } => {
                if *host == HostSide::Client && *how == Closing::KeepaliveTimedOut {
                    self.life.noticed = Some(truth.time.since(self.heard));
                }
                self.ended = Some(truth.time);
            }
            What::Middlebox { event, .. } => self.see_box(truth.time, event.what),
            _ => {}
        }
    }

    fn see_box(&mut self, now: Timestamp, what: BoxAction) {
        match what {
            BoxAction::Refreshed { state: TcpState::Established, .. } => {
                if let Some(before) = self.refreshed.replace(now) {
                    self.life.longest_silence = self.life.longest_silence.max(now.since(before));
                }
                // The handshake ends with the first.
                self.probes_passed += 1;
            }
            BoxAction::Expired { idle } => {
                self.life.longest_silence = self.life.longest_silence.max(idle);
                self.life.first_too_late = self.probes_passed <= 1;
                self.forgotten = true;
                self.ended = Some(now);
            }
            _ => {}
        }
    }

    fn life(mut self) -> Life {
        self.life.lived = self.ended.is_none() && !self.forgotten && self.answers >= self.wanted;
        self.life
    }
}

/// Two hosts and a place for a box; the peer is an ordinary Linux that answers and does not probe.
fn spec(client: HostSpec, end: EndSpec, links: [LinkSpec; 2]) -> WorldSpec {
    let peer = Stack::named("linux").unwrap_or(client.stack);
    let mut spec = WorldSpec::new(client, HostSpec::new(SERVER, peer));
    spec.links = links.to_vec();
    spec.connections = vec![ConnectionSpec::new(end, EndSpec::default())];
    spec
}

fn world(spec: WorldSpec, description: &Description) -> Option<World> {
    let built = description.build(spec.seed).ok()?;
    World::new(spec, vec![built]).ok()
}

/// A box that forgets a quiet connection and lets nothing of it through afterwards.
fn tracker(silence: Span) -> Tracker {
    let minute = Span::from_secs(60);
    Tracker {
        router: Router {
            inside_address: None,
            outside_address: None,
            decrements_ttl: true,
            own_ttl: 64,
            source: None,
            service: None,
            input: Input::Drop,
            inside_is_routed: false,
        },
        timers: Timers {
            syn: minute,
            handshake: minute,
            established: silence,
            unacknowledged: silence,
            closed_by_client: minute,
            closed_by_server: minute,
            closing: minute,
            reset: minute,
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

/// What keeps the connection alive at the application's level.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    /// An octet of data each time this has passed.
    pub every: Span,
    /// After so much silence the box forgets, or the proxy closes.
    pub silence: Span,
    /// Whether the box is a proxy.
    pub proxy: bool,
    /// Round trip to the peer.
    pub rtt: Span,
    /// So many of its packets in a row are lost.
    pub lost: u32,
}

impl Heartbeat {
    /// Whether the connection lives on it, also where packets are lost.
    pub(super) fn keeps(&self) -> bool {
        // The handshake takes two packets of the client. A retransmission is a packet like another.
        let lost = lost_after(2, self.lost);
        self.lives(Vec::new()) && self.lives(lost)
    }

    fn lives(&self, lost: Vec<u64>) -> bool {
        let Ok(stack) = Stack::named("linux") else { return false };
        let client = HostSpec::new(CLIENT, stack);
        let beat = Action::Send { octets: 1, every: Some(self.every), until: None };
        let end = EndSpec { actions: vec![(self.every, beat)], ..EndSpec::default() };
        let way = Span::from_nanos(self.rtt.as_nanos() / 2);
        let mut near = LinkSpec::both(Lane { delay: way, ..Lane::default() });
        near.up.lose_packets = lost;
        let mut spec = spec(client, end, [near, LinkSpec::default()]);
        // The server says something too, as an answer to a heartbeat does: proxies count each side.
        for connection in &mut spec.connections {
            connection.server.actions = vec![(self.every, beat)];
            connection.connects_to = self.proxy.then_some(PROXY);
        }
        let description = match self.proxy {
            true => Description::Proxy(proxy(self.silence)),
            false => Description::Tracker(tracker(self.silence)),
        };
        let Some(mut world) = world(spec, &description) else { return false };
        let end = world.start().plus(self.every.times(i64::try_from(ANSWERS).unwrap_or(1)));
        world.run_until(end);
        let is_end = |truth: &Truth| match &truth.what {
            What::Closed { .. } => true,
            What::Middlebox { event, .. } => {
                matches!(event.what, BoxAction::Expired { .. } | BoxAction::Closed { .. })
            }
            _ => false,
        };
        let delivered = world.truths().iter().filter(|truth| matches!(truth.what, What::Delivered { .. }));
        delivered.count() as u64 >= ANSWERS / 2 && !world.truths().iter().any(is_end)
    }
}

fn proxy(silence: Span) -> Proxy {
    Proxy {
        listen: PROXY,
        backends: vec![Endpoint { address: SERVER, port: 443 }],
        address: PROXY.address,
        timeout_client: Some(silence),
        timeout_server: Some(silence),
        close_client: ProxyClose::Finish,
        close_server: ProxyClose::Finish,
        keepalive_client: None,
        keepalive_server: None,
    }
}
