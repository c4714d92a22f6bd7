//! What leaves, and when.

use keepscope::analysis::Recorded;
use keepscope::keepalive::Settings;
use keepscope::live::engine::plan::{Octets, Order, Until};
use keepscope::live::engine::verdict::State;
use keepscope::live::engine::{Listener, News, run};
use keepscope::time::{Span, Timestamp};

use crate::fake::{Act, Fake, OnSyn, Path, Peer};
use crate::{Notes, order, plan, probe, probe_one, since};

#[test]
fn probes_are_due_one_idle_time_after_the_last_receipt() {
    let (_, world) = probe_one(Peer::default(), order());
    let times: Vec<i64> = world.sent.iter().map(|sent| since(sent.time).as_nanos() / 1000).collect();
    // The SYN,ACK came after one round trip of 400 us, and so did every answer.
    assert_eq!(times, [1_000_400, 2_000_800, 3_001_200]);
}

#[test]
fn unanswered_probes_follow_at_the_interval_and_as_many_as_were_wished() {
    let settings =
        Settings { idle: Span::from_secs(2), interval: Span::from_millis(300), count: 5, user_timeout: None };
    let peer = Peer::default().then(Span::from_millis(1), Act::Path(Path::Drops));
    let (report, world) = probe_one(peer, Order { settings, ..order() });
    let times: Vec<i64> = world.sent.iter().map(|sent| since(sent.time).as_nanos() / 1000).collect();
    assert_eq!(times, [2_000_400, 2_300_400, 2_600_400, 2_900_400, 3_200_400]);
    assert_eq!(report.connections[0].verdict.state, State::Silent);
}

#[test]
fn an_interval_longer_than_the_idle_time_holds_only_for_silence() {
    let settings = Settings { interval: Span::from_secs(20), ..order().settings };
    let (_, world) = probe_one(Peer::default(), Order { settings, ..order() });
    assert!(since(world.sent[2].time) < Span::from_secs(4));
}

#[test]
fn probes_look_like_the_segments_of_the_kernel() {
    let (_, world) = probe_one(Peer::default(), order());
    for sent in &world.sent {
        assert_eq!((sent.ttl, sent.dont_fragment, sent.window), (64, true, 502));
        let stamps = sent.stamps.expect("timestamps were negotiated");
        // The clock of the connection, which counts milliseconds, goes on.
        let clock = (sent.time.as_nanos() / 1_000_000) as u32;
        assert!((0..=1).contains(&clock.wrapping_sub(stamps.value)), "{} at {clock}", stamps.value);
    }
    // SYN 78, ACK 79, then ours.
    assert_eq!(world.sent.iter().map(|sent| sent.ip_id).collect::<Vec<_>>(), [80, 81, 82]);
}

#[test]
fn what_was_not_negotiated_is_not_sent() {
    let peer = Peer { timestamps: false, sack: false, ..Peer::default() };
    let (report, world) = probe_one(peer, order());
    assert!(world.sent.iter().all(|sent| sent.stamps.is_none()));
    let terms = report.connections[0].terms.unwrap();
    assert!(!terms.timestamps && !terms.sack);
    assert_eq!(report.connections[0].verdict.state, State::Alive);
}

#[test]
fn numbers_may_wrap_on_either_side() {
    for own in [u32::MAX - 1, u32::MAX, 0, i32::MAX as u32] {
        for peers in [u32::MAX - 1, u32::MAX, 0, i32::MAX as u32] {
            for octets in [Octets::Zero, Octets::One] {
                let peer = Peer { iss: (own, peers), ..Peer::default() };
                let peer = peer.then(Span::from_millis(1_500), Act::Data(3));
                let (report, world) = probe_one(peer, Order { octets, ..order() });
                let probed = &report.connections[0];
                assert_eq!(probed.verdict.state, State::Alive, "{own} {peers} {:?}", probed.verdict);
                assert!(world.sent.iter().all(|sent| sent.seq.0 == own), "at SND.NXT-1");
                assert_eq!(probed.record.as_ref().unwrap().record().client.answered(), 3);
            }
        }
    }
}

#[test]
fn a_time_ends_it_as_rounds_do() {
    let until = Until::For(Span::from_millis(4_500));
    let (report, world) = probe_one(Peer::default(), Order { until, ..order() });
    assert_eq!(world.sent.len(), 4);
    assert_eq!(report.connections[0].verdict.state, State::Alive);
    // A run that has begun goes on to its end.
    let peer = Peer::default().then(Span::from_millis(3_500), Act::Path(Path::Drops));
    let (report, world) = probe_one(peer, Order { until, ..order() });
    assert_eq!(world.sent.len(), 6);
    assert_eq!(report.connections[0].verdict.state, State::Silent);
}

#[test]
fn two_hundred_connections_have_their_own_verdicts_within_the_rate() {
    let silent = Peer::default().then(Span::from_millis(1_200), Act::Path(Path::Drops));
    let gone = Peer::default().then(Span::from_millis(1_200), Act::Path(Path::Forgotten));
    let peers: Vec<Peer> = (0..200)
        .map(|number| match number % 3 {
            0 => Peer::default(),
            1 => silent.clone(),
            _ => gone.clone(),
        })
        .collect();
    let mut world = Fake::new(peers);
    let mut all = plan(vec![order(); 200]);
    all.max_rate = 100;
    let report = run(&mut world, &all, &mut Notes::default()).unwrap();
    for (index, probed) in report.connections.iter().enumerate() {
        let expected = match index % 3 {
            0 => State::Alive,
            1 => State::Silent,
            _ => State::Reset(keepscope::analysis::Origin::Peer),
        };
        assert_eq!(probed.verdict.state, expected, "{index}: {:?}", probed.verdict);
    }
    let mut left: Vec<Timestamp> = world.sent.iter().map(|sent| sent.time).chain(world.opened_at).collect();
    left.sort_unstable();
    for (earlier, later) in left.iter().zip(&left[100..]) {
        assert!(later.since(*earlier) >= Span::from_secs(1));
    }
    assert_eq!(world.closed.len(), 200);
}

#[test]
fn connections_to_one_peer_keep_their_packets_apart_when_openings_overtake_each_other() {
    let slow = Peer { round_trip: Span::from_millis(90), iss: (500, 600), ..Peer::default() };
    let mut world = Fake::new(vec![slow, Peer::default()]);
    let (report, _) = probe(&mut world, vec![order(), order()]);
    for probed in &report.connections {
        assert_eq!(probed.verdict.state, State::Alive, "{:?}", probed.verdict);
    }
    assert_eq!(report.connections[0].terms.unwrap().iss.0, 500);
    assert_eq!(report.connections[1].terms.unwrap().iss.0, 1_000);
}

#[test]
fn the_word_of_the_system_may_come_before_the_packets() {
    for late in [0, 17, 900] {
        let read_late = Span::from_millis(late);
        let (report, world) = probe_one(Peer { read_late, ..Peer::default() }, order());
        let probed = &report.connections[0];
        assert_eq!(probed.verdict.state, State::Alive, "{late}: {:?}", probed.verdict);
        assert_eq!(probed.record.as_ref().unwrap().record().client.answered(), 3);
        assert_eq!(since(world.sent[0].time).as_nanos() / 1000, 1_000_400, "of the times of packets");
        if late < 50 {
            let refused = Peer { on_syn: OnSyn::Refuse, read_late, ..Peer::default() };
            let (report, _) = probe_one(refused, order());
            assert_eq!(report.connections[0].verdict.evidence.len(), 2, "the SYN and the RST");
        }
    }
}

#[test]
fn a_listener_that_is_gone_ends_the_run_in_order() {
    struct Gone;
    impl Listener for Gone {
        fn packet(&mut self, _: &keepscope::frame::Frame<'_>) -> std::io::Result<()> {
            Ok(())
        }
        fn news(&mut self, _: &News) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }
    let mut world = Fake::new(vec![Peer::default()]);
    let report = run(&mut world, &plan(vec![order()]), &mut Gone).unwrap();
    assert!(report.unheard.is_some() && !report.interrupted);
    assert_eq!(world.closed, [0]);
    assert!(world.sent.is_empty());
}
