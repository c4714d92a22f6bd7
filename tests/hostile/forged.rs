//! RSTs and ICMP errors that somebody else sent, who can guess addresses and ports.
//!
//! By RFC 5961 §3.2 a receiver heeds a RST only if its SEQ is exactly RCV.NXT, challenges one within its window
//! and drops any other; by RFC 5927 §4 an ICMP error is a hint and ends no established connection. A verdict
//! turns only where a RST may have been heeded, and its reason says what speaks against it.

use serde_json::Value;

use crate::analyzed;
use crate::common::packets::{ACK, From, RST, Tape, Tcp, unreachable};

/// Frames that a connection's entry names for what may mislead, of this kind.
fn frames_of(connection: &Value, kind: &str) -> Vec<u64> {
    // The list is left out where it is empty.
    let all = connection["confounders"].as_array().into_iter().flatten();
    let named = all.filter(|one| one["kind"] == kind);
    named
        .flat_map(|one| one["frames"].as_array().expect("frames"))
        .map(|frame| frame["frame"].as_u64().expect("a number"))
        .collect()
}

/// Two probes with their answers, a frame, and so many probes with their answers after it; also the number of
/// that frame.
fn around(frame: &Tcp<'_>, after: u32) -> (Tape, u64) {
    let mut tape = Tape::opened();
    tape.answered(10.0).answered(20.0).frame(25.0, frame.frame());
    let number = tape.last();
    for index in 0..after {
        tape.answered(30.0 + 10.0 * f64::from(index));
    }
    (tape, number)
}

/// A RST in the server's name that lies this far from its SND.NXT.
fn reset(offset: i32) -> Tcp<'static> {
    Tcp::new(From::Server, RST, 5000_u32.wrapping_add_signed(offset), 0)
}

#[test]
fn a_reset_outside_of_the_window_ends_nothing() {
    // The client's window is 500 << 7 octets.
    for offset in [-1, -5000, -70_000, 64_001, 1 << 28, i32::MAX, i32::MIN] {
        for after in [0, 2] {
            let (tape, number) = around(&reset(offset), after);
            let connection = analyzed("outside", &tape.pcap());
            assert_eq!(connection["outcome"], "alive", "{offset}, {after}: {connection:#}");
            assert_eq!(frames_of(&connection, "reset_without_effect"), [number], "{offset}, {after}");
        }
    }
}

#[test]
fn a_reset_within_the_window_that_does_not_fit_is_in_doubt() {
    for offset in [1, 30_000, 64_000] {
        let (tape, number) = around(&reset(offset), 0);
        let connection = analyzed("within", &tape.pcap());
        assert_eq!(connection["outcome"], "reset", "{offset}");
        assert_eq!(connection["reset"]["by"], "unknown", "{offset}");
        let reason = connection["reason"].as_str().expect("a sentence");
        assert!(reason.contains(&format!("{offset} above")) && reason.contains("RFC 5961"), "{reason}");
        assert_eq!(connection["evidence"], serde_json::json!([number]));
        // The connection went on: it was challenged.
        let (tape, number) = around(&reset(offset), 1);
        let connection = analyzed("challenged", &tape.pcap());
        assert_eq!(connection["outcome"], "alive", "{offset}");
        assert_eq!(frames_of(&connection, "reset_without_effect"), [number]);
    }
}

#[test]
fn an_exact_reset_ends_a_connection_unless_both_ends_go_on() {
    let (tape, _) = around(&reset(0), 0);
    let connection = analyzed("exact", &tape.pcap());
    assert_eq!((&connection["outcome"], &connection["reset"]["by"]), (&"reset".into(), &"peer".into()));
    let (tape, number) = around(&reset(0), 2);
    let connection = analyzed("both_go_on", &tape.pcap());
    assert_eq!(connection["outcome"], "alive", "{connection:#}");
    assert_eq!(frames_of(&connection, "reset_without_effect"), [number]);
    // Only the end that was to be reset goes on: that shows no more than that it did not hear.
    let (mut tape, _) = around(&reset(0), 0);
    tape.probe(30.0).probe(40.0);
    assert_eq!(analyzed("one_goes_on", &tape.pcap())["outcome"], "reset");
}

#[test]
fn a_reset_from_elsewhere_is_not_laid_to_that_end() {
    let (tape, _) = around(&Tcp { ttl: 40, ..reset(0) }, 0);
    let connection = analyzed("elsewhere", &tape.pcap());
    assert_eq!((&connection["outcome"], &connection["reset"]["by"]), (&"reset".into(), &"path".into()));
    assert!(connection["reason"].as_str().is_some_and(|reason| reason.contains("TTL 40")), "{connection:#}");
}

/// Four probes without an answer after two with one.
fn silent() -> Tape {
    let mut tape = Tape::opened();
    tape.answered(10.0).answered(20.0).probe(30.0).probe(31.0).probe(32.0).probe(33.0);
    tape
}

#[test]
fn a_forged_reset_is_no_sign_of_life() {
    assert_eq!(analyzed("silent", &silent().pcap())["outcome"], "unanswered");
    for offset in [-1000, 1 << 28] {
        let connection = analyzed("no_life", &silent().frame(33.5, reset(offset).frame()).pcap());
        assert_eq!(connection["outcome"], "unanswered", "{connection:#}");
        assert_eq!(connection["last_life"]["frame"], 9);
    }
}

#[test]
fn only_the_prober_itself_gives_up() {
    let give_up = Tcp::new(From::Client, RST | ACK, 1100, 5000);
    let own = analyzed("own", &silent().frame(34.0, give_up.frame()).pcap());
    assert_eq!(own["outcome"], "timed_out");
    let other = analyzed("other", &silent().frame(34.0, Tcp { ttl: 40, ..give_up }.frame()).pcap());
    assert_eq!((&other["outcome"], &other["reset"]["by"]), (&"reset".into(), &"path".into()), "{other:#}");
    assert!(other["reason"].as_str().is_some_and(|reason| reason.contains("TTL 40")), "{other:#}");
}

#[test]
fn icmp_errors_end_nothing() {
    let quoted = Tcp::new(From::Client, ACK, 1099, 5000).frame();
    // Hard errors (protocol, port unreachable) and soft ones, before the answer and where nothing was asked.
    for code in [0, 1, 2, 3, 13] {
        let mut tape = Tape::opened();
        tape.answered(10.0).frame(15.0, unreachable(code, &quoted));
        tape.probe(20.0);
        let probe = tape.last();
        tape.frame(20.01, unreachable(code, &quoted)).tcp(20.02, From::Server, ACK, 5000, 1100);
        let connection = analyzed("icmp", &tape.pcap());
        assert_eq!(connection["outcome"], "alive", "code {code}: {connection:#}");
        assert_eq!(frames_of(&connection, "refused_by_path"), [probe], "code {code}");
        // Errors alone are no answers, and are named.
        let mut tape = silent();
        tape.frame(33.1, unreachable(code, &quoted));
        let connection = analyzed("icmp_only", &tape.pcap());
        assert_eq!(connection["outcome"], "unanswered", "code {code}");
        assert!(
            connection["reason"].as_str().is_some_and(|reason| reason.contains("ICMP")),
            "{connection:#}"
        );
    }
    // One that quotes a SEQ that was never sent is of nothing here.
    let foreign = Tcp::new(From::Client, ACK, 77, 5000).frame();
    let connection = analyzed("icmp_foreign", &silent().frame(33.1, unreachable(3, &foreign)).pcap());
    assert_eq!(connection["outcome"], "unanswered");
    assert_eq!(frames_of(&connection, "refused_by_path"), [0; 0]);
}

#[test]
fn a_flood_of_resets_is_not_listed_one_by_one() {
    let mut tape = Tape::opened();
    tape.answered(10.0);
    // Every SEQ that a blind sender would try with windows of 64 KiB, but for those that fall into this one.
    for index in (0..=u16::MAX).filter(|index| *index != 0) {
        let seq = u32::from(index) << 16 | 4000;
        tape.tcp(15.0 + f64::from(index) / 1e5, From::Server, RST, seq, 0);
    }
    tape.answered(20.0);
    let connection = analyzed("flood", &tape.pcap());
    assert_eq!(connection["outcome"], "alive");
    let named = frames_of(&connection, "reset_without_effect").len();
    assert!((1..100).contains(&named), "{named} frames");
}
