//! What became of connections, and who ended them, through the binary.

mod common;

use common::{analyze_json, capture_path};

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
