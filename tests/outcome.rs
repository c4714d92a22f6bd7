//! What became of connections, and who ended them, through the binary.

mod common;

use common::packets::{ACK, FIN, From, RST, SYN, Tape};
use common::{analyze_json, capture_path, scratch, text};

fn reset_by(capture: &str) -> (String, String) {
    let document = analyze_json(&[&capture_path(capture)]);
    let connection = &document["connections"][0];
    assert_eq!(connection["outcome"], "reset", "{capture}");
    let cues = connection["reset"]["cues"].as_array().expect("cues").iter();
    let cues: Vec<&str> = cues.map(|cue| cue.as_str().expect("a sentence")).collect();
    (connection["reset"]["by"].as_str().expect("a name").to_owned(), cues.join("; "))
}

#[test]
fn a_nat_that_resets_is_told_from_a_host_that_forgot() {
    // The router answers for a mapping it has forgotten: one hop nearer than the client.
    let (by, cues) = reset_by("nat.pcap");
    assert_eq!(by, "path");
    assert!(cues.contains("TTL 64") && cues.contains("63"), "{cues}");
    // The server's own host answers for a connection it has forgotten.
    let (by, cues) = reset_by("reset_by_peer.pcap");
    assert_eq!(by, "peer");
    assert!(cues.contains("does not acknowledge"), "{cues}");
}

#[test]
fn a_prober_that_gives_up_is_no_reset_of_somebody() {
    let document = analyze_json(&[&capture_path("vanish.pcap")]);
    let connection = &document["connections"][0];
    assert_eq!(connection["outcome"], "timed_out");
    assert!(connection["reset"].is_null());
}

/// Two probes with their answers, and then the client's FIN at 25 s and the server's, 100 ms later, which the client
/// acknowledges 20 ms after that.
fn closed() -> Tape {
    let mut tape = Tape::opened();
    tape.answered(10.0).answered(20.0);
    tape.tcp(25.0, From::Client, FIN | ACK, 1100, 5000).tcp(25.02, From::Server, ACK, 5000, 1101);
    tape.tcp(25.1, From::Server, FIN | ACK, 5000, 1101).tcp(25.12, From::Client, ACK, 1101, 5001);
    tape
}

/// Outcome of the connection on this tape, and why.
fn judged(name: &str, tape: &Tape) -> (String, String) {
    let path = scratch(&format!("outcome_{name}")).join("made.pcap");
    std::fs::write(&path, tape.pcap()).expect("a file");
    let document = analyze_json(&["--all", text(&path)]);
    let connections = document["connections"].as_array().expect("connections");
    assert_eq!(connections.len(), 1, "{name}: {document:#}");
    let said = |key: &str| connections[0][key].as_str().expect(key).to_owned();
    if connections[0]["outcome"] == "closed" {
        assert!(connections[0]["reset"].is_null(), "{name}: {document:#}");
    }
    (said("outcome"), said("reason"))
}

#[test]
fn a_reset_behind_a_complete_close_changes_nothing() {
    let closed_by = ("closed".to_owned(), "FIN in frames 10 and 12".to_owned());
    assert_eq!(judged("closed", &closed()), closed_by);
    // A second ACK meets a host that has forgotten; a RST that acknowledges; one of the other end; one within the
    // window; one that stands anywhere. One of them or two.
    for (index, (from, flags, seq)) in [
        (From::Server, RST, 5001),
        (From::Server, RST | ACK, 5001),
        (From::Client, RST, 1101),
        (From::Client, RST | ACK, 1101),
        (From::Server, RST, 5901),
        (From::Server, RST, 77),
    ]
    .into_iter()
    .enumerate()
    {
        for times in [1, 2] {
            let mut tape = closed();
            tape.tcp(25.13, From::Client, ACK, 1101, 5001);
            for number in 0..times {
                tape.tcp(25.14 + f64::from(number), from, flags, seq, 1101);
            }
            assert_eq!(judged(&format!("behind_{index}_{times}"), &tape), closed_by, "{flags} {seq}");
        }
    }
    // Both send their FIN at once, the ACKs cross, and a copy of one is answered by a RST.
    let mut tape = Tape::opened();
    tape.answered(10.0);
    tape.tcp(25.0, From::Client, FIN | ACK, 1100, 5000).tcp(25.01, From::Server, FIN | ACK, 5000, 1100);
    tape.tcp(25.02, From::Client, ACK, 1101, 5001).tcp(25.03, From::Server, ACK, 5001, 1101);
    tape.tcp(25.04, From::Client, ACK, 1101, 5001).tcp(25.05, From::Server, RST, 5001, 0);
    assert_eq!(judged("crossed", &tape).0, "closed");
}

#[test]
fn a_reset_before_the_close_is_complete_ends_the_connection() {
    // One FIN, acknowledged or not: the other direction is open still, and what it had to say is lost.
    for (name, acknowledged) in [("half", true), ("unheard", false)] {
        let mut tape = Tape::opened();
        tape.answered(10.0).tcp(25.0, From::Client, FIN | ACK, 1100, 5000);
        if acknowledged {
            tape.tcp(25.02, From::Server, ACK, 5000, 1101);
        }
        tape.tcp(26.0, From::Server, RST | ACK, 5000, 1101);
        assert_eq!(judged(name, &tape).0, "reset", "{name}");
    }
    // Both, and the server's was not acknowledged: whether its last octets arrived is not known.
    let mut tape = Tape::opened();
    tape.answered(10.0);
    tape.tcp(25.0, From::Client, FIN | ACK, 1100, 5000).tcp(25.02, From::Server, FIN | ACK, 5000, 1101);
    tape.tcp(25.04, From::Client, RST, 1101, 0);
    assert_eq!(judged("last_ack", &tape).0, "reset");
}

#[test]
fn a_connection_after_a_close_and_a_reset_is_another_one() {
    let mut tape = closed();
    tape.tcp(25.13, From::Client, ACK, 1101, 5001).tcp(25.14, From::Server, RST, 5001, 0);
    tape.tcp(30.0, From::Client, SYN, 9000, 0).tcp(30.02, From::Server, SYN | ACK, 800, 9001);
    tape.tcp(30.03, From::Client, ACK, 9001, 801);
    tape.tcp(40.0, From::Client, ACK, 9000, 801).tcp(40.02, From::Server, ACK, 801, 9001);
    let path = scratch("outcome_next_life").join("made.pcap");
    std::fs::write(&path, tape.pcap()).expect("a file");
    let document = analyze_json(&["--all", text(&path)]);
    let outcomes: Vec<&str> = document["connections"]
        .as_array()
        .expect("connections")
        .iter()
        .filter_map(|one| one["outcome"].as_str())
        .collect();
    assert_eq!(outcomes, ["closed", "alive"], "{document:#}");
}
