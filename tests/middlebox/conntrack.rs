//! The simulated conntrack against the kernel's: the same packets at the same times, and everything that can be
//! seen from outside must be the same, packets and entries both.

use std::collections::{BTreeMap, BTreeSet};

use keepscope::segment::Options;
use keepscope::simulate::middlebox::description::{ConntrackTimeouts, Direction, Input, Ports};
use keepscope::simulate::middlebox::{BoxAction, BoxEvent, Description, MappingId, Side, TcpState};
use keepscope::simulate::packet::{Packet, TcpPacket};
use keepscope::time::{Span, Timestamp};

use crate::flows::{Plan, Round, Seen, Sent, pass};
use crate::kit::{CLIENT, Driven, ROUTER_OUTSIDE, SERVER, end, linux, nat, router, secs, tcp};
use crate::properties::random_plan;

/// How often plans are carried out before they count as wrong.
const ATTEMPTS: u32 = 3;

/// Chooses other random plans than the usual ones.
const SEED: &str = "KEEPSCOPE_SEED";

const CLIENT_PORT: u16 = 40_000;
const SERVER_PORT: u16 = 7_000;

/// How much later than it was sent the router may have seen a packet.
const LATE: f64 = 0.3;

/// A packet from the client or the server.
pub fn from(from: &'static str, flags: &str, seq: u32, ack: u32) -> Sent {
    let (flags, window, ttl) = (flags.to_owned(), 502, 64);
    Sent { from, seq, ack, flags, window, octets: 0, ttl, mss: None, scale: None, sack: false }
}

fn c(flags: &str, seq: u32, ack: u32) -> Option<Sent> {
    Some(from("client", flags, seq, ack))
}

fn s(flags: &str, seq: u32, ack: u32) -> Option<Sent> {
    Some(from("server", flags, seq, ack))
}

fn with(sent: Option<Sent>, change: impl FnOnce(&mut Sent)) -> Option<Sent> {
    let mut sent = sent?;
    change(&mut sent);
    Some(sent)
}

fn octets(sent: Option<Sent>, octets: u16) -> Option<Sent> {
    with(sent, |sent| sent.octets = octets)
}

pub fn with_syn_options(sent: &mut Sent) {
    (sent.window, sent.mss, sent.scale, sent.sack) = (64_240, Some(1460), Some(7), true);
}

/// A handshake after which the client is at 1001 and the server at 5001, then these.
fn opened(then: Vec<Option<Sent>>) -> Vec<Option<Sent>> {
    let syn = with(c("S", 1000, 0), with_syn_options);
    let answer = with(s("SA", 5000, 1001), with_syn_options);
    [vec![syn, answer, c("A", 1001, 5001)], then].concat()
}

fn plan(name: &'static str, rounds: &[f64], flows: Vec<(&str, Vec<Option<Sent>>)>) -> Plan {
    let sysctls = [
        ("net.ipv4.icmp_ratelimit", 0),
        ("net.netfilter.nf_conntrack_tcp_timeout_established", 9000),
        ("net.netfilter.nf_conntrack_tcp_timeout_syn_sent", 110),
        ("net.netfilter.nf_conntrack_tcp_timeout_syn_recv", 50),
        ("net.netfilter.nf_conntrack_tcp_timeout_fin_wait", 100),
        ("net.netfilter.nf_conntrack_tcp_timeout_close_wait", 70),
        ("net.netfilter.nf_conntrack_tcp_timeout_last_ack", 40),
        ("net.netfilter.nf_conntrack_tcp_timeout_time_wait", 90),
        ("net.netfilter.nf_conntrack_tcp_timeout_close", 20),
        ("net.netfilter.nf_conntrack_tcp_timeout_max_retrans", 290),
        ("net.netfilter.nf_conntrack_tcp_timeout_unacknowledged", 280),
        ("net.netfilter.nf_conntrack_tcp_loose", 1),
    ];
    Plan {
        name,
        sysctls: sysctls.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        nat: Some("masquerade"),
        input: None,
        invalid: None,
        opens: None,
        rounds: rounds.to_vec(),
        names: flows.iter().map(|(name, _)| (*name).to_owned()).collect(),
        flows: flows.into_iter().map(|(_, flow)| flow).collect(),
    }
}

fn set(plan: &mut Plan, name: &str, value: i64) {
    plan.sysctls.insert(format!("net.netfilter.nf_conntrack_tcp_{name}"), value);
}

/// What starts the timer anew: each flow is silent for three seconds before its fourth packet.
fn refreshing() -> Plan {
    let probe = || c("A", 1000, 5001);
    let flows = vec![
        ("keepalive of 0 octets", opened(vec![probe()])),
        ("keepalive of 1 octet", opened(vec![octets(probe(), 1)])),
        ("keepalive of the server", opened(vec![s("A", 5000, 1001)])),
        ("ACK at SND.NXT", opened(vec![c("A", 1001, 5001)])),
        ("keepalive with TTL 1", opened(vec![with(probe(), |sent| sent.ttl = 1)])),
        ("SEQ far below", opened(vec![c("A", 1001_u32.wrapping_sub(100_000), 5001), s("A", 5001, 1001)])),
        ("SEQ far above", opened(vec![c("A", 1_000_000, 5001)])),
        ("ACK of unseen data", opened(vec![c("A", 1000, 6000)])),
        ("ACK far below", opened(vec![c("A", 1000, 5001_u32.wrapping_sub(100_000))])),
        ("SYN in the middle", opened(vec![c("S", 1000, 0), s("A", 5001, 1001)])),
        ("no flags that mean anything", opened(vec![c("P", 1001, 5001), c("SF", 1001, 5001)])),
        ("SYN again", vec![c("S", 1000, 0), None, None, c("S", 1000, 0)]),
    ];
    plan("refreshing", &[0.0, 0.0, 3.0, 0.0, 0.0], flows)
}

/// Which timer runs after what.
fn timers() -> Plan {
    let probe = || c("A", 1000, 5001);
    let answer = || s("A", 5001, 1001);
    let flows = vec![
        ("unanswered keepalives", opened(vec![probe(); 6])),
        ("then answered", opened(vec![probe(), probe(), probe(), probe(), answer(), probe()])),
        ("answered each time", opened(vec![probe(), answer(), probe(), answer(), probe(), answer()])),
        (
            "data, acknowledged late",
            opened(vec![octets(c("PA", 1001, 5001), 10), probe(), s("A", 5001, 1011)]),
        ),
        ("window 0", opened(vec![with(s("A", 5001, 1001), |sent| sent.window = 0), probe()])),
        (
            "close in order",
            opened(vec![c("FA", 1001, 5001), s("A", 5001, 1002), s("FA", 5001, 1002), c("A", 1002, 5002)]),
        ),
        ("RST in place", opened(vec![s("R", 5001, 0), probe()])),
        ("RST out of place", opened(vec![s("R", 5101, 0), probe()])),
        ("RST from the past", opened(vec![s("R", 4001, 0), probe()])),
        ("refused", vec![c("S", 1000, 0), s("RA", 0, 1001), c("S", 1000, 0)]),
        ("picked up by a keepalive", vec![probe(), answer(), probe(), answer(), probe()]),
        ("picked up by data", vec![octets(c("PA", 1001, 5001), 10), s("A", 5001, 1011), c("A", 1011, 5001)]),
        ("picked up by FIN", vec![c("FA", 1001, 5001), c("A", 1002, 5001)]),
        (
            "reopened",
            opened(vec![c("FA", 1001, 5001), s("FA", 5001, 1002), c("A", 1002, 5002), c("S", 9000, 0)]),
        ),
    ];
    plan("timers", &[0.0; 9], flows)
}

/// What follows when the entry is gone: it lives two seconds and is left alone for three.
fn expired(name: &'static str) -> Plan {
    let probe = || c("A", 1000, 5001);
    let answer = || s("A", 5001, 1001);
    let flows = vec![
        ("keepalive out", opened(vec![probe(), answer(), probe()])),
        ("octet out", opened(vec![octets(probe(), 1), answer(), probe()])),
        ("data out", opened(vec![octets(c("PA", 1001, 5001), 10), s("A", 5001, 1011), c("A", 1011, 5001)])),
        ("FIN out", opened(vec![c("FA", 1001, 5001), c("FA", 1001, 5001)])),
        ("RST out", opened(vec![c("RA", 1001, 5001)])),
        ("keepalive in", opened(vec![s("A", 5000, 1001), probe()])),
        ("data in", opened(vec![octets(s("PA", 5001, 1001), 10), octets(s("PA", 5001, 1001), 10)])),
        ("FIN in", opened(vec![s("FA", 5001, 1001)])),
        ("RST in", opened(vec![s("R", 5001, 0)])),
        ("SYN out", opened(vec![c("S", 9000, 0)])),
    ];
    let mut plan = plan(name, &[0.0, 0.0, 3.0, 0.0, 0.0, 0.0], flows);
    set(&mut plan, "timeout_established", 2);
    plan
}

fn all() -> Vec<Plan> {
    let mut strict = expired("strict");
    set(&mut strict, "loose", 0);
    let strict_dropping = Plan { name: "strict, invalid dropped", invalid: Some("drop"), ..strict.clone() };
    let random = Plan { nat: Some("masquerade random"), ..expired("random ports") };
    let deaf = Plan { input: Some("drop"), ..expired("input dropped") };
    let firewall = Plan { nat: None, opens: Some("inside"), ..expired("firewall") };
    let open = Plan { nat: None, ..expired("router") };
    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
    let chance = random_plan("by chance", seed);
    let mut chance_strict =
        Plan { invalid: Some("drop"), ..random_plan("by chance, strict", seed.wrapping_add(1 << 32)) };
    set(&mut chance_strict, "loose", 0);
    vec![
        refreshing(),
        timers(),
        expired("expired"),
        random,
        deaf,
        strict,
        strict_dropping,
        firewall,
        open,
        chance,
        chance_strict,
    ]
}

#[test]
fn the_simulated_conntrack_does_what_the_kernel_does() {
    let mut plans = all();
    // A machine that was not run for a moment sends late. Where the rules are wrong, they are wrong each time.
    for attempt in 1.. {
        let Some(journals) = pass(&plans) else { return };
        let wrong: BTreeMap<&str, Vec<String>> = plans
            .iter()
            .zip(&journals)
            .map(|(plan, journal)| (plan.name, compare(plan, journal)))
            .filter(|(_, wrong)| !wrong.is_empty())
            .collect();
        let packets: usize = plans.iter().flat_map(|plan| &plan.flows).flatten().flatten().count();
        eprintln!("{} plans, {packets} packets, {} plans wrong", plans.len(), wrong.len());
        if wrong.is_empty() {
            return;
        }
        let text: Vec<String> =
            wrong.iter().map(|(name, lines)| format!("{name}:\n  {}", lines.join("\n  "))).collect();
        assert!(attempt < ATTEMPTS, "{}", text.join("\n"));
        eprintln!("once more, since {}", text.join("\n"));
        let names: BTreeSet<String> = wrong.keys().map(|name| (*name).to_owned()).collect();
        plans.retain(|plan| names.contains(plan.name));
    }
}

fn description(plan: &Plan) -> Description {
    let value = |name: &str| plan.sysctls.get(&format!("net.netfilter.nf_conntrack_tcp_{name}")).copied();
    let timeout = |name: &str| value(&format!("timeout_{name}")).map(secs).expect("a timeout");
    let router = match plan.nat {
        None => router(),
        Some("masquerade") => nat(Ports::Preserved),
        Some(_) => nat(Ports::Random),
    };
    let mut rules = linux(router);
    rules.timeouts = ConntrackTimeouts {
        syn_sent: timeout("syn_sent"),
        syn_recv: timeout("syn_recv"),
        established: timeout("established"),
        fin_wait: timeout("fin_wait"),
        close_wait: timeout("close_wait"),
        last_ack: timeout("last_ack"),
        time_wait: timeout("time_wait"),
        close: timeout("close"),
        max_retrans: timeout("max_retrans"),
        unacknowledged: timeout("unacknowledged"),
    };
    rules.tcp_loose = value("loose") == Some(1);
    rules.drop_invalid = plan.invalid == Some("drop");
    if plan.input == Some("drop") {
        rules.router.input = Input::Drop;
    }
    if plan.opens == Some("inside") {
        rules.opens = Direction::Outward;
    }
    Description::Conntrack(rules)
}

/// An entry of the simulated table, as its events tell.
#[derive(Clone, Copy, Debug)]
struct Entry {
    id: MappingId,
    state: TcpState,
    deadline: Timestamp,
}

/// What the simulated router did, kept as the journal of the real one is.
struct Replay<'a> {
    plan: &'a Plan,
    driven: Driven,
    told: usize,
    entries: BTreeMap<usize, Entry>,
    /// The port of each flow that the server saw last.
    ports: BTreeMap<usize, (String, u16)>,
}

impl Replay<'_> {
    fn packet(&self, sent: &Sent, flow: usize) -> TcpPacket {
        let n = u16::try_from(flow).expect("few flows");
        let (client, server) = (end(CLIENT, CLIENT_PORT + n), end(SERVER, SERVER_PORT + n));
        let (source, destination) = match sent.from {
            "client" => (client, server),
            _ => match self.ports.get(&flow) {
                Some((address, port)) => (server, end(address.parse().expect("an address"), *port)),
                None => (server, client),
            },
        };
        let options = Options {
            mss: sent.mss,
            window_scale: sent.scale,
            sack_permitted: sent.sack,
            ..Options::default()
        };
        let packet = tcp(source, destination, &sent.flags, sent.seq, sent.ack);
        TcpPacket { window: sent.window, octets: sent.octets, ttl: sent.ttl, options, ..packet }
    }

    fn note_events(&mut self) {
        for BoxEvent { time, mapping, what } in self.driven.events.iter().skip(self.told) {
            let Some(mapping) = mapping else { continue };
            let flow = usize::from(mapping.inside.server.port.wrapping_sub(SERVER_PORT));
            match *what {
                BoxAction::Created { state, timeout, .. } | BoxAction::Refreshed { state, timeout, .. } => {
                    let deadline = time.plus(timeout);
                    self.entries.insert(flow, Entry { id: mapping.id, state, deadline });
                }
                BoxAction::Unrefreshed { state: Some(state), .. } => {
                    self.entries.get_mut(&flow).expect("a known flow").state = state;
                }
                BoxAction::Expired { .. } | BoxAction::Removed { .. } => {
                    let known = self.entries.get(&flow).is_some_and(|entry| entry.id == mapping.id);
                    assert!(known, "what is forgotten was known");
                    self.entries.remove(&flow);
                }
                _ => {}
            }
        }
        self.told = self.driven.events.len();
    }
}

fn seen(packet: &Packet) -> Seen {
    match packet {
        Packet::Tcp(packet) => Seen {
            icmp: None,
            source: (packet.source.address.to_string(), packet.source.port),
            destination: (packet.destination.address.to_string(), packet.destination.port),
            seq: packet.seq.0,
            ack: packet.ack.0,
            flags: "FSRPAU"
                .chars()
                .enumerate()
                .filter(|(bit, _)| packet.flags.0 & 1 << bit != 0)
                .map(|(_, letter)| letter)
                .collect(),
            octets: packet.octets,
            ttl: packet.ttl,
            about: None,
        },
        Packet::Icmp(error) => Seen {
            icmp: Some((11, 0)),
            source: (error.reporter.to_string(), 0),
            destination: (error.destination.to_string(), 0),
            seq: 0,
            ack: 0,
            flags: String::new(),
            octets: 0,
            ttl: error.ttl,
            about: Some(Box::new(seen(&Packet::Tcp(error.about)))),
        },
    }
}

/// Ports that netfilter chose by chance are all the same here.
fn without_chance(plan: &Plan, mut seen: Seen) -> Seen {
    if plan.nat == Some("masquerade random") {
        let outside = ROUTER_OUTSIDE.to_string();
        for end in [&mut seen.source, &mut seen.destination] {
            if end.0 == outside {
                end.1 = 0;
            }
        }
    }
    seen
}

/// Everything in which the simulated router differs from the real one.
fn compare(plan: &Plan, journal: &[Round]) -> Vec<String> {
    let driven = Driven::new(&description(plan));
    let mut replay = Replay { plan, driven, told: 0, entries: BTreeMap::new(), ports: BTreeMap::new() };
    let mut wrong = Vec::new();
    for (number, round) in journal.iter().enumerate() {
        let mut arrived: BTreeMap<&str, Vec<Seen>> = BTreeMap::from([("client", vec![]), ("server", vec![])]);
        // Ports are looked at before each round, as the lab does.
        let mut ports = replay.ports.clone();
        for sent in &round.sent {
            let now = Timestamp::from_nanos(sent.time_ns);
            let planned = plan.flows[sent.flow][number].as_ref().expect("a packet");
            let side = if planned.from == "client" { Side::Inside } else { Side::Outside };
            let left = replay.driven.give(now, side, replay.packet(planned, sent.flow));
            replay.note_events();
            for (side, packet) in &left {
                let host = if *side == Side::Inside { "client" } else { "server" };
                let seen = seen(packet);
                if host == "server"
                    && seen.icmp.is_none()
                    && (seen.source.0 != CLIENT.to_string() || plan.nat.is_none())
                {
                    ports.insert(usize::from(seen.destination.1 - SERVER_PORT), seen.source.clone());
                }
                arrived.entry(host).or_default().push(seen);
            }
        }
        replay.ports = ports;
        for (host, ours) in arrived {
            let theirs = round.arrived.get(host).cloned().unwrap_or_default();
            let sorted = |seen: Vec<Seen>| {
                let mut seen: Vec<Seen> = seen.into_iter().map(|seen| without_chance(plan, seen)).collect();
                seen.sort();
                seen
            };
            wrong.extend(differences(plan, number, host, sorted(ours), sorted(theirs)));
        }
        wrong.extend(entries(&mut replay, number, round));
    }
    wrong
}

fn name(plan: &Plan, seen: &Seen) -> String {
    let (ends, about) = (seen.about.as_deref().unwrap_or(seen), seen.about.is_some());
    let flow = [&ends.source, &ends.destination]
        .into_iter()
        .find(|end| end.0 == SERVER.to_string())
        .map(|end| usize::from(end.1 - SERVER_PORT));
    let name = flow.and_then(|flow| plan.names.get(flow));
    format!("{}{}", name.map_or("?", String::as_str), if about { " (ICMP)" } else { "" })
}

fn differences(plan: &Plan, round: usize, host: &str, ours: Vec<Seen>, theirs: Vec<Seen>) -> Vec<String> {
    let mut left = theirs;
    let mut wrong = Vec::new();
    for seen in ours {
        match left.iter().position(|other| *other == seen) {
            Some(place) => {
                left.remove(place);
            }
            None => wrong.push(format!(
                "{}: round {round}: only ours reached the {host}: {seen:?}",
                name(plan, &seen)
            )),
        }
    }
    let theirs = |seen: Seen| {
        format!("{}: round {round}: only the kernel's reached the {host}: {seen:?}", name(plan, &seen))
    };
    wrong.extend(left.into_iter().map(theirs));
    wrong
}

fn entries(replay: &mut Replay<'_>, number: usize, round: &Round) -> Vec<String> {
    let [begun, done] = round.read_ns.map(Timestamp::from_nanos);
    let left = replay.driven.until(begun);
    assert!(left.is_empty(), "conntrack says nothing by itself: {left:?}");
    replay.note_events();
    let mut wrong = Vec::new();
    for (flow, name) in replay.plan.names.iter().enumerate() {
        let (ours, theirs) = (replay.entries.get(&flow), round.entries.get(&flow));
        match (ours, theirs) {
            (None, None) => {}
            (Some(ours), Some(theirs)) => {
                let seconds = |span: Span| span.as_nanos() as f64 / 1e9;
                let most = seconds(ours.deadline.since(begun)) + LATE;
                let least = seconds(ours.deadline.since(done)) - 1.0 - LATE;
                let fits = (least..most).contains(&(theirs.left as f64));
                if !fits || ours.state.name().to_uppercase() != theirs.state {
                    let ours = format!("{} {least:.1} to {most:.1} s", ours.state.name());
                    wrong.push(format!(
                        "{name}: round {number}: ours {ours}, the kernel {} {} s",
                        theirs.state, theirs.left
                    ));
                }
            }
            _ => wrong.push(format!("{name}: round {number}: ours {ours:?}, the kernel {theirs:?}")),
        }
    }
    wrong
}
