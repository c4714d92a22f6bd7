//! Worlds made by hand, with what must happen in them.

use keepscope::keepalive::{Event as Keepalive, Habits, Model};
use keepscope::simulate::end::{Closing, Role};
use keepscope::simulate::host::{Action, EndSpec, HostChange, HostSide, HostSpec};
use keepscope::simulate::link::{Lane, LinkSpec};
use keepscope::simulate::tap::TapSpec;
use keepscope::simulate::truth::{Truth, What};
use keepscope::simulate::windows::{WindowsCall, WindowsSpec};
use keepscope::simulate::world::{ConnectionSpec, START, World, WorldError, WorldSpec};
use keepscope::stack::Stack;
use keepscope::time::Span;
use keepscope::winsock::{
    IPPROTO_TCP, Registry, SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPIDLE, TcpKeepalive, WindowsVersion, WsaError,
    WsaResult,
};

pub fn host(address: &str, stack: &str) -> HostSpec {
    HostSpec::new(address.parse().unwrap(), Stack::named(stack).unwrap())
}

pub fn prober(idle: i64, interval: i64, count: u32) -> EndSpec {
    EndSpec {
        keepalive: true,
        idle: Some(Span::from_secs(idle)),
        interval: Some(Span::from_secs(interval)),
        count: Some(count),
        ..EndSpec::default()
    }
}

/// Two Linux hosts, 10 ms apart, of which the client probes.
pub fn two_linux(client: EndSpec, server: EndSpec) -> WorldSpec {
    let mut spec = WorldSpec::new(host("192.0.2.1", "linux"), host("198.51.100.1", "linux"));
    spec.links = vec![LinkSpec::both(Lane { delay: Span::from_millis(10), ..Lane::default() })];
    spec.connections.push(ConnectionSpec::new(client, server));
    spec.taps.push(TapSpec::at(HostSide::Client));
    spec
}

pub fn run(spec: WorldSpec, seconds: i64) -> World {
    let mut world = World::new(spec, Vec::new()).unwrap();
    world.run_for(Span::from_secs(seconds));
    world
}

fn seconds(truth: &Truth) -> f64 {
    truth.time.since(START).as_nanos() as f64 / 1e9
}

fn sent(world: &World, by: HostSide) -> Vec<(f64, Role)> {
    let of = |truth: &Truth| match truth.what {
        What::Sent { host, role, .. } if host == by => Some((seconds(truth), role)),
        _ => None,
    };
    world.truths().iter().filter_map(of).collect()
}

fn closed(world: &World) -> Vec<(HostSide, Closing)> {
    let of = |truth: &Truth| match truth.what {
        What::Closed { host, how, .. } => Some((host, how)),
        _ => None,
    };
    world.truths().iter().filter_map(of).collect()
}

fn roles(sent: &[(f64, Role)]) -> Vec<Role> {
    sent.iter().map(|(_, role)| *role).collect()
}

#[test]
fn a_live_peer_answers_and_nothing_ends() {
    let world = run(two_linux(prober(7, 3, 4), EndSpec::default()), 60);
    let client = roles(&sent(&world, HostSide::Client));
    assert_eq!(client[..2], [Role::Syn, Role::Ack]);
    assert!(client[2..].iter().all(|role| *role == Role::Probe(1)) && client.len() > 7, "{client:?}");
    let server = roles(&sent(&world, HostSide::Server));
    assert_eq!(server[0], Role::SynAck);
    assert!(server[1..].iter().all(|role| *role == Role::Answer), "{server:?}");
    assert_eq!(server.len(), client.len() - 1);
    assert_eq!(closed(&world), []);
}

#[test]
fn an_unplugged_peer_is_given_up_with_a_reset() {
    let mut spec = two_linux(prober(7, 3, 4), EndSpec::default());
    spec.server.changes.push((Span::from_secs(1), HostChange::Unplugged));
    let world = run(spec, 60);
    let client = roles(&sent(&world, HostSide::Client));
    let probes = (1..=4).map(Role::Probe);
    let all: Vec<Role> = [Role::Syn, Role::Ack].into_iter().chain(probes).chain([Role::Reset]).collect();
    assert_eq!(client, all);
    assert_eq!(closed(&world), [(HostSide::Client, Closing::KeepaliveTimedOut)]);
    let gave_up = world.truths().iter().find(|truth| {
        matches!(truth.what, What::Keepalive { event: Keepalive::GaveUp { after: 4, .. }, .. })
    });
    // 7 + 4 x 3 s, each rounded up by the wheel.
    let at = seconds(gave_up.unwrap());
    assert!((19.0..20.5).contains(&at), "{at}");
}

#[test]
fn a_host_that_comes_back_without_memory_resets() {
    let mut spec = two_linux(prober(7, 3, 4), EndSpec::default());
    spec.server.changes.push((Span::from_secs(1), HostChange::PowerOff));
    spec.server.changes.push((Span::from_secs(9), HostChange::PowerOn));
    let world = run(spec, 60);
    let client = roles(&sent(&world, HostSide::Client));
    assert_eq!(client, [Role::Syn, Role::Ack, Role::Probe(1), Role::Probe(2)]);
    assert_eq!(roles(&sent(&world, HostSide::Server)), [Role::SynAck, Role::Reset]);
    let ends = [(HostSide::Server, Closing::PowerLost), (HostSide::Client, Closing::Reset)];
    assert_eq!(closed(&world), ends);
}

#[test]
fn data_is_sent_again_until_it_arrives_or_is_given_up() {
    let mut client = prober(7, 3, 4);
    let write = Action::Send { octets: 100, every: None, until: None };
    client.actions.push((Span::from_secs(2), write));
    let mut spec = two_linux(client, EndSpec::default());
    // SYN, ACK, data, data again.
    spec.links[0].up.lose_packets = vec![3, 4];
    let world = run(spec.clone(), 7);
    let all = [Role::Syn, Role::Ack, Role::Data, Role::Retransmission, Role::Retransmission];
    assert_eq!(roles(&sent(&world, HostSide::Client)), all);
    let delivered = |truth: &Truth| matches!(truth.what, What::Delivered { octets: 100, .. });
    assert_eq!(world.truths().iter().filter(|truth| delivered(truth)).count(), 1);
    spec.server.changes.push((Span::from_secs(1), HostChange::Unplugged));
    let world = run(spec, 2000);
    assert_eq!(closed(&world), [(HostSide::Client, Closing::DataTimedOut)]);
    // No keepalive while data waits (Linux).
    assert!(!sent(&world, HostSide::Client).iter().any(|(_, role)| role.is_probe()));
}

#[test]
fn connections_close_in_order_when_they_are_idle() {
    let client = EndSpec { close_when_idle: Some(Span::from_secs(20)), ..prober(7, 3, 4) };
    let world = run(two_linux(client, EndSpec::default()), 200);
    // The client's side is over when the last FIN comes, the server's when that is acknowledged.
    let both = [(HostSide::Client, Closing::InOrder), (HostSide::Server, Closing::InOrder)];
    assert_eq!(closed(&world), both);
    let last = sent(&world, HostSide::Client).last().copied().unwrap();
    assert_eq!(last.1, Role::Ack);
    assert!((20.0..20.2).contains(&last.0), "{last:?}");
}

#[test]
fn a_connection_nobody_waits_for_is_refused() {
    let mut spec = two_linux(prober(7, 3, 4), EndSpec::default());
    spec.connections[0].refused = true;
    let world = run(spec, 10);
    assert_eq!(closed(&world), [(HostSide::Client, Closing::Refused)]);
}

#[test]
fn the_time_to_live_ends_at_a_router_that_says_so() {
    let mut spec = two_linux(prober(7, 3, 4), EndSpec::default());
    spec.links[0].routers = (1..=70).map(|last| [203, 0, 113, last].into()).collect();
    let mut world = run(spec, 2);
    let router: std::net::IpAddr = [203, 0, 113, 64].into();
    assert!(
        world
            .truths()
            .iter()
            .any(|truth| { matches!(&truth.what, What::TtlEnded { router: at, .. } if *at == router) })
    );
    let frames: Vec<_> = std::iter::from_fn(|| world.poll_frame()).collect();
    assert!(frames.iter().any(|frame| frame.data.get(9) == Some(&1)), "an ICMP packet reaches the tap");
}

#[test]
fn one_seed_gives_one_world_and_lanes_do_not_disturb_each_other() {
    let capture = |seed, jitter_down| {
        let mut spec = two_linux(prober(7, 3, 4), EndSpec::default());
        spec.seed = seed;
        spec.links[0].up.jitter = Span::from_millis(3);
        spec.links[0].down.jitter = Span::from_millis(jitter_down);
        let mut world = run(spec, 100);
        std::iter::from_fn(|| world.poll_frame()).collect::<Vec<_>>()
    };
    assert_eq!(capture(1, 3), capture(1, 3));
    assert_ne!(capture(1, 3), capture(2, 3));
    assert_ne!(capture(1, 3), capture(1, 4));
}

#[test]
fn stacks_that_run_can_be_simulated_against_each_other() {
    for client in Stack::all().iter().filter(|stack| stack.runs) {
        for server in Stack::all().iter().filter(|stack| stack.runs) {
            let mut spec = two_linux(prober(20, 5, 3), EndSpec::default());
            spec.client.stack = client;
            spec.server.stack = server;
            let world = run(spec, 100);
            let name = format!("{} to {}", client.name, server.name);
            let probes = sent(&world, HostSide::Client).iter().filter(|(_, role)| role.is_probe()).count();
            assert!((2..=20).contains(&probes), "{name}: {probes} probes");
            assert_eq!(closed(&world), [], "{name}");
        }
    }
}

/// A Windows client that makes these calls before it connects, and those 20 s later.
fn windows(version: WindowsVersion, before: &[WindowsCall], later: &[WindowsCall]) -> World {
    let at = Span::from_secs(20);
    let client = EndSpec {
        calls: before.to_vec(),
        actions: later.iter().map(|call| (at, Action::Call(*call))).collect(),
        ..EndSpec::default()
    };
    let mut spec = two_linux(client, EndSpec::default());
    spec.client = host("192.0.2.1", "windows-10-1709");
    spec.client.windows = Some(WindowsSpec { version, registry: Registry::new() });
    run(spec, 100)
}

fn results(world: &World) -> Vec<WsaResult> {
    let of = |truth: &Truth| match truth.what {
        What::Windows { result, .. } => Some(result),
        _ => None,
    };
    world.truths().iter().filter_map(of).collect()
}

#[test]
fn windows_applications_set_their_options_by_winsock_calls() {
    let on = WindowsCall::SetOption { level: SOL_SOCKET, name: SO_KEEPALIVE, value: 1 };
    let idle = WindowsCall::SetOption { level: IPPROTO_TCP, name: TCP_KEEPIDLE, value: 5 };
    let vals = WindowsCall::KeepaliveVals(TcpKeepalive {
        onoff: 1,
        keepalivetime: 10_000,
        keepaliveinterval: 2_000,
    });
    let settings = |world: &World| world.settings(HostSide::Client, 0).unwrap();
    // Before the connection: both count from its beginning on.
    let world = windows(WindowsVersion::ALL[WindowsVersion::ALL.len() - 1], &[on, idle], &[]);
    assert_eq!(results(&world), [Ok(()), Ok(())]);
    assert_eq!((settings(&world).idle, settings(&world).interval), (Span::from_secs(5), Span::from_secs(1)));
    let first = sent(&world, HostSide::Client).into_iter().find(|(_, role)| role.is_probe()).unwrap();
    assert!((5.0..5.2).contains(&first.0), "{first:?}");
    // Windows 7 has no TCP_KEEPIDLE; SIO_KEEPALIVE_VALS it has, and while the connection lives.
    let world = windows(WindowsVersion::Windows7, &[idle], &[vals]);
    assert_eq!(results(&world), [Err(WsaError::NoProtoOpt), Ok(())]);
    assert_eq!((settings(&world).idle, settings(&world).interval), (Span::from_secs(10), Span::from_secs(2)));
    let first = sent(&world, HostSide::Client).into_iter().find(|(_, role)| role.is_probe()).unwrap();
    assert!((30.0..30.2).contains(&first.0), "{first:?}");
}

#[test]
fn an_end_can_answer_only_probes_with_an_octet() {
    let linux = Model::of(Stack::named("linux").unwrap()).unwrap();
    let habits = Some(Habits { answers_empty: false, ..linux.rules.habits() });
    for (client, lives) in [("linux", false), ("windows-10-1709", true)] {
        let mut spec = two_linux(prober(7, 3, 4), EndSpec { habits, ..EndSpec::default() });
        spec.client = host("192.0.2.1", client);
        let world = run(spec, 60);
        assert_eq!(closed(&world).is_empty(), lives, "{client}: {:?}", closed(&world));
    }
}

#[test]
fn connections_are_opened_and_used_while_the_world_runs() {
    let mut spec = two_linux(EndSpec::default(), EndSpec::default());
    spec.connections.clear();
    let mut world = World::new(spec, Vec::new()).unwrap();
    world.run_for(Span::from_secs(100));
    let plain = || ConnectionSpec::new(EndSpec::default(), EndSpec::default());
    let first = world.open(plain()).unwrap();
    world.run_for(Span::from_secs(1));
    let second = world.open(ConnectionSpec { client_port: 40_001, ..plain() }).unwrap();
    assert!(matches!(world.open(plain()), Err(WorldError::SamePorts { client: 40_000, server: 443 })));
    world.run_for(Span::from_secs(1));
    let write = Action::Send { octets: 1, every: None, until: None };
    world.act(HostSide::Client, first, write);
    world.act(HostSide::Server, second, write);
    world.run_for(Span::from_secs(1));
    world.act(HostSide::Client, first, Action::Probe);
    world.run_for(Span::from_secs(1));
    world.act(HostSide::Server, second, Action::Probe);
    world.run_for(Span::from_secs(1));
    world.act(HostSide::Client, first, Action::Close);
    world.run_for(Span::from_secs(1));
    let of = |host: HostSide| {
        let all = world.truths().iter().filter_map(move |truth| match truth.what {
            What::Sent { host: by, role, connection: Some(connection), .. } if by == host => {
                Some((connection, role))
            }
            _ => None,
        });
        all.collect::<Vec<_>>()
    };
    let client = [
        (first, Role::Syn),
        (first, Role::Ack),
        (second, Role::Syn),
        (second, Role::Ack),
        (first, Role::Data),
        (second, Role::Ack),
        (first, Role::Probe(1)),
        (second, Role::Answer),
        (first, Role::Fin),
        (first, Role::Ack),
    ];
    let server = [
        (first, Role::SynAck),
        (second, Role::SynAck),
        (second, Role::Data),
        (first, Role::Ack),
        (first, Role::Answer),
        (second, Role::Probe(1)),
        (first, Role::Ack),
        (first, Role::Fin),
    ];
    assert_eq!(of(HostSide::Client), client);
    assert_eq!(of(HostSide::Server), server);
}
