//! What becomes of a connection, and what shows it.

use keepscope::analysis::{Origin, Recorded};
use keepscope::live::engine::Report;
use keepscope::live::engine::plan::{Order, Until};
use keepscope::live::engine::verdict::{State, Verdict};
use keepscope::live::wire::Arrival;
use keepscope::segment::IcmpKind;
use keepscope::time::Span;

use crate::fake::{Act, Fake, OnSyn, Path, Peer};
use crate::{order, probe, probe_one};

const SOON: Span = Span::from_millis(2_500);

fn of(peer: Peer) -> Verdict {
    only(&probe_one(peer, order()).0)
}

fn only(report: &Report) -> Verdict {
    assert_eq!(report.connections.len(), 1);
    report.connections[0].verdict.clone()
}

#[test]
fn a_peer_that_answers_is_alive_and_the_connection_is_closed_in_order() {
    let (report, world) = probe_one(Peer::default(), order());
    let verdict = only(&report);
    assert_eq!(verdict.state, State::Alive, "{verdict:?}");
    let record = report.connections[0].record.as_ref().unwrap().record();
    assert_eq!(record.client.probes.len(), 3);
    assert_eq!(record.client.answered(), 3);
    let last = record.client.probes.last().unwrap();
    let answer = last.answer.unwrap();
    assert_eq!(verdict.evidence, [last.segment.at.frame, answer.at.frame]);
    assert_eq!(answer.rtt, Span::from_micros(400));
    assert_eq!(world.closed, [0]);
    assert!(record.summary.client.fin.is_some() && record.summary.server.fin.is_some());
    assert!(record.summary.reset.is_none());
}

#[test]
fn a_peer_that_falls_silent_is_silent_since_its_last_packet() {
    let (report, world) = probe_one(Peer::default().then(SOON, Act::Path(Path::Drops)), order());
    let verdict = only(&report);
    assert_eq!(verdict.state, State::Silent, "{verdict:?}");
    // Two rounds were answered, then three probes were not.
    assert_eq!(world.sent.len(), 5);
    assert_eq!(verdict.evidence.len(), 3);
    let record = report.connections[0].record.as_ref().unwrap().record();
    let life = verdict.last_life.unwrap();
    assert_eq!(life.frame, record.client.probes[1].answer.unwrap().at.frame);
    assert!(record.summary.reset.is_none(), "no RST leaves");
    assert_eq!(world.closed, [0]);
}

#[test]
fn a_silence_from_the_start_is_dated_from_the_handshake() {
    let verdict = of(Peer::default().then(Span::from_millis(10), Act::Path(Path::Drops)));
    assert_eq!(verdict.state, State::Silent, "{verdict:?}");
    assert_eq!(verdict.last_life.unwrap().frame.number, 2, "the SYN,ACK");
}

#[test]
fn a_reset_is_of_the_peer_or_of_the_path() {
    let by_peer = of(Peer::default().then(SOON, Act::Path(Path::Forgotten)));
    assert_eq!(by_peer.state, State::Reset(Origin::Peer), "{by_peer:?}");
    assert_eq!(by_peer.evidence.len(), 2, "the probe and the RST");
    let by_path = of(Peer::default().then(SOON, Act::Path(Path::Resets)));
    assert_eq!(by_path.state, State::Reset(Origin::Path), "{by_path:?}");
    assert!(!by_path.origin.unwrap().cues.is_empty());
}

#[test]
fn errors_of_the_path_make_the_peer_unreachable() {
    let verdict = of(Peer::default().then(SOON, Act::Path(Path::Refuses(IcmpKind::Unreachable(1)))));
    assert_eq!(verdict.state, State::Unreachable, "{verdict:?}");
    assert_eq!(verdict.icmp.unwrap().kind, IcmpKind::Unreachable(1));
    assert!(verdict.reason.contains("host unreachable from 192.0.2.254"), "{}", verdict.reason);
    assert_eq!(verdict.evidence.len(), 6, "three probes and three errors");
}

#[test]
fn a_syn_meets_what_it_meets() {
    let with = |on_syn| of(Peer { on_syn, ..Peer::default() });
    let refused = with(OnSyn::Refuse);
    assert_eq!((refused.state, refused.evidence.len()), (State::Refused, 2), "{refused:?}");
    let unreachable = with(OnSyn::Icmp(IcmpKind::Unreachable(13)));
    assert_eq!((unreachable.state, unreachable.evidence.len()), (State::Unreachable, 2), "{unreachable:?}");
    assert!(unreachable.reason.contains("administratively prohibited"), "{}", unreachable.reason);
    let (report, world) = probe_one(Peer { on_syn: OnSyn::Nothing, ..Peer::default() }, order());
    let silent = only(&report);
    assert_eq!((silent.state, silent.evidence.len()), (State::Silent, 1), "{silent:?}");
    assert_eq!(world.closed, [0], "the attempt is let go");
}

#[test]
fn a_peer_that_closes_says_so() {
    let (report, world) = probe_one(Peer::default().then(SOON, Act::Fin), order());
    let verdict = only(&report);
    assert_eq!(verdict.state, State::ClosedByPeer, "{verdict:?}");
    assert_eq!(verdict.evidence.len(), 1);
    assert_eq!(world.sent.len(), 2, "and is left alone");
    assert_eq!(world.closed, [0]);
}

#[test]
fn a_peer_that_never_falls_silent_is_alive_without_a_probe() {
    let mut peer = Peer::default();
    for tenth in 1..200 {
        peer = peer.then(Span::from_millis(100 * tenth), Act::Data(10));
    }
    let (report, world) = probe_one(peer, order());
    let verdict = only(&report);
    assert_eq!(verdict.state, State::Alive, "{verdict:?}");
    assert!(world.sent.is_empty());
}

#[test]
fn silence_tells_nothing_where_this_end_is_deaf_or_mute() {
    let mut world = Fake::new(vec![Peer::default().then(SOON, Act::Path(Path::Gone))]);
    world.later(SOON, || Arrival::InterfaceLost { name: "eth7".to_owned() });
    let (report, notes) = probe(&mut world, vec![order()]);
    let verdict = only(&report);
    assert_eq!(verdict.state, State::Inconclusive, "{verdict:?}");
    assert!(verdict.reason.contains("eth7 was lost"), "{}", verdict.reason);
    assert!(notes.news.iter().any(|news| news.contains("InterfaceLost")));

    let mut world = Fake::new(vec![Peer::default().then(SOON, Act::Path(Path::Kept))]);
    let (report, notes) = probe(&mut world, vec![order()]);
    let verdict = only(&report);
    assert_eq!(verdict.state, State::Inconclusive, "{verdict:?}");
    assert!(verdict.reason.contains("did not let all of them out"), "{}", verdict.reason);
    assert_eq!(notes.news.iter().filter(|news| news.contains("NotSent")).count(), 1, "said once");
}

#[test]
fn another_interface_that_is_lost_is_no_excuse() {
    let mut world = Fake::new(vec![Peer::default().then(SOON, Act::Path(Path::Drops))]);
    world.later(SOON, || Arrival::InterfaceLost { name: "docker0".to_owned() });
    let (report, _) = probe(&mut world, vec![order()]);
    assert_eq!(only(&report).state, State::Silent, "our probes are seen to leave");
}

#[test]
fn a_time_too_short_for_a_probe_tells_nothing() {
    let until = Until::For(Span::from_millis(700));
    let (report, world) = probe_one(Peer::default(), Order { until, ..order() });
    assert!(world.sent.is_empty());
    assert_eq!(only(&report).state, State::Inconclusive, "{:?}", only(&report));
}

#[test]
fn an_interface_that_comes_back_changes_nothing() {
    let mut world = Fake::new(vec![Peer::default()]);
    world.later(SOON, || Arrival::InterfaceLost { name: "eth7".to_owned() });
    let (report, _) = probe(&mut world, vec![order()]);
    assert_eq!(only(&report).state, State::Alive);
}

#[test]
fn a_stop_before_anything_was_answered_tells_nothing_and_one_after_an_answer_does() {
    for (after, state) in [(300, State::Inconclusive), (1_500, State::Alive)] {
        let mut world = Fake::new(vec![Peer::default()]);
        world.later(Span::from_millis(after), || Arrival::Interrupted);
        let (report, _) = probe(&mut world, vec![order()]);
        assert!(report.interrupted);
        assert_eq!(only(&report).state, state, "{:?}", only(&report));
        assert_eq!(world.closed, [0]);
    }
    // While a probe waits, it is not known any more.
    let mut world = Fake::new(vec![Peer::default().then(Span::from_millis(1_500), Act::Path(Path::Drops))]);
    world.later(Span::from_millis(2_800), || Arrival::Interrupted);
    let (report, _) = probe(&mut world, vec![order()]);
    assert_eq!(only(&report).state, State::Inconclusive);
}

#[test]
fn a_step_of_the_clock_is_told_and_changes_nothing() {
    let mut world = Fake::new(vec![Peer::default()]);
    world.later(SOON, || Arrival::ClockStepped { nanos: -3_600_000_000_000 });
    let (report, notes) = probe(&mut world, vec![order()]);
    assert_eq!(only(&report).state, State::Alive);
    assert!(notes.news.iter().any(|news| news.contains("ClockStepped")));
    assert_eq!(world.sent.len(), 3);
}
