//! Guesses at the peer's stack, with the signs.

use keepscope::analysis::Recorded;
use keepscope::live::engine::Probed;
use keepscope::live::engine::guess::{SignKind, Worth};
use keepscope::live::engine::plan::{Octets, Order};
use keepscope::live::engine::verdict::State;
use keepscope::time::Span;

use crate::fake::Peer;
use crate::{order, probe_one};

fn both(peer: Peer) -> Probed {
    let (mut report, _) = probe_one(peer, Order { octets: Octets::Both, ..order() });
    report.connections.remove(0)
}

#[test]
fn linux_shows_by_dsack_by_its_limit_and_by_what_it_echoes() {
    let probed = both(Peer::default());
    assert_eq!(probed.verdict.state, State::Alive, "{:?}", probed.verdict);
    let guess = probed.guess.unwrap();
    assert_eq!((guess.stack, guess.worth), ("Linux", Worth::Strong));
    let kinds: Vec<SignKind> = guess.signs.iter().map(|sign| sign.kind).collect();
    for kind in [SignKind::Dsack, SignKind::Limit, SignKind::Echo] {
        let sign = guess.signs.iter().find(|sign| sign.kind == kind).unwrap_or_else(|| panic!("{kinds:?}"));
        assert_eq!(sign.linux, Some(true), "{sign:?}");
        assert!(!sign.evidence.is_empty());
    }
}

#[test]
fn without_sack_and_timestamps_fewer_signs_are_left() {
    let probed = both(Peer { sack: false, timestamps: false, ..Peer::default() });
    let guess = probed.guess.unwrap();
    assert_eq!((guess.stack, guess.worth), ("Linux", Worth::Fair));
    assert!(guess.signs.iter().all(|sign| !matches!(sign.kind, SignKind::Dsack | SignKind::Echo)));
}

#[test]
fn a_stack_without_those_habits_is_not_called_linux() {
    let probed = both(Peer { stack: "freebsd", ..Peer::default() });
    let guess = probed.guess.unwrap();
    assert!(guess.stack.starts_with("a stack other than Linux"), "{guess:?}");
    assert_eq!(guess.worth, Worth::Weak);
}

#[test]
fn a_peer_that_ignores_empty_probes_is_found_alive() {
    let probed = both(Peer { ignores_empty: true, ..Peer::default() });
    assert_eq!(probed.verdict.state, State::Alive, "{:?}", probed.verdict);
    let guess = probed.guess.unwrap();
    assert!(guess.stack.contains("uIP"), "{guess:?}");
    // Without the octet it would be called silent.
    let (report, _) = probe_one(Peer { ignores_empty: true, ..Peer::default() }, order());
    assert_eq!(report.connections[0].verdict.state, State::Silent);
}

#[test]
fn a_long_path_leaves_the_quick_pairs_out() {
    let probed = both(Peer { round_trip: Span::from_millis(180), ..Peer::default() });
    assert_eq!(probed.record.as_ref().unwrap().record().client.probes.len(), 3);
    assert!(probed.guess.unwrap().signs.iter().all(|sign| sign.kind != SignKind::Limit));
}
