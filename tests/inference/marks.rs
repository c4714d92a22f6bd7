//! The marks of stacks: those of real probers, and those of packets that were changed for it, through the binary.

use serde_json::Value;

use crate::common::{Pcap, analyze_json, capture_path, keepscope, scratch, text};

/// Octets before the IP header: record header and Ethernet.
const IP: usize = 16 + 14;
const TCP: usize = IP + 20;

fn prober(document: &Value) -> &Value {
    &document["connections"][0]["probers"][0]
}

fn mark<'a>(marks: &'a Value, name: &str) -> &'a Value {
    let found = marks.as_array().expect("marks").iter().find(|mark| mark["mark"] == name);
    found.unwrap_or_else(|| panic!("no mark {name} in {marks:#}"))
}

fn speaks_for(mark: &Value, stack: &str) -> bool {
    mark["speaks_for"].as_array().expect("names").iter().any(|name| name == stack)
}

fn against(mark: &Value, stack: &str) -> Option<String> {
    let all = mark["speaks_against"].as_array().expect("stacks");
    let found = all.iter().find(|one| one["stack"] == stack)?;
    let factors = [("refutes", 0.0), ("improbable", 0.05), ("unlikely", 0.3), ("doubtful", 0.6)];
    let worth = found["worth"].as_str().expect("a name");
    let (_, factor) = factors.iter().find(|(name, _)| *name == worth).expect("a known worth");
    assert_eq!(found["factor"].as_f64(), Some(*factor));
    Some(worth.to_owned())
}

/// The analysis of a capture in which some frames, from 1, were changed.
fn changed(file: &str, name: &str, frames: &[usize], change: impl Fn(&mut Vec<u8>)) -> Value {
    let mut capture = Pcap::of(file);
    for frame in frames {
        change(&mut capture.records[*frame - 1]);
    }
    analyzed(&capture, name)
}

fn analyzed(capture: &Pcap, name: &str) -> Value {
    let path = scratch(&format!("marks_{name}")).join("changed.pcap");
    std::fs::write(&path, capture.octets()).expect("a file");
    analyze_json(&[text(&path)])
}

fn number(octets: &[u8]) -> u16 {
    u16::from_be_bytes([octets[0], octets[1]])
}

#[test]
fn a_real_linux_prober_bears_the_marks_of_linux() {
    let document = analyze_json(&[&capture_path("vanish.pcap")]);
    let marks = &prober(&document)["marks"];
    for (name, seen) in [
        ("payload", "0 octets"),
        ("flags", "ACK"),
        ("timestamps", "carried"),
        ("ack_field", "RCV.NXT"),
        ("ip_id", "counting on"),
        ("dont_fragment", "set"),
        ("give_up_moment", "one interval after its last probe"),
        ("reset_flags", "RST|ACK"),
        ("reset_seq", "SND.NXT"),
        ("reset_timestamps", "carried"),
    ] {
        let mark = mark(marks, name);
        assert_eq!(mark["seen"], seen, "{name}");
        assert!(speaks_for(mark, "linux"), "{name}");
    }
    assert_eq!(against(mark(marks, "payload"), "smoltcp").as_deref(), Some("refutes"));
    assert_eq!(against(mark(marks, "payload"), "windows-10-1709").as_deref(), Some("unlikely"));
    assert_eq!(against(mark(marks, "timestamps"), "macos").as_deref(), Some("refutes"));
    let shown = &mark(marks, "reset_seq")["frames"];
    assert_eq!(*shown, serde_json::json!([{"capture": 0, "frame": 10}]));
}

#[test]
fn a_real_linux_responder_bears_the_marks_of_linux() {
    let document = analyze_json(&[&capture_path("answered.pcap")]);
    let responder = &document["connections"][0]["responders"][0];
    assert_eq!(responder["endpoint"], "server");
    let marks = &responder["marks"];
    assert_eq!(mark(marks, "empty_probes")["seen"], "answered");
    assert_eq!(against(mark(marks, "empty_probes"), "uip").as_deref(), Some("unlikely"));
    let echo = mark(marks, "echo");
    assert_eq!(echo["seen"], "older than the probe's");
    assert!(speaks_for(echo, "linux"));
}

#[test]
fn the_other_real_stacks_bear_theirs() {
    let smoltcp = analyze_json(&[&capture_path("smoltcp.pcap")]);
    let marks = &prober(&smoltcp)["marks"];
    assert_eq!(mark(marks, "payload")["seen"], "1 octet");
    assert_eq!(mark(marks, "octet")["seen"], "0x00");
    assert!(speaks_for(mark(marks, "octet"), "smoltcp") && speaks_for(mark(marks, "octet"), "illumos"));
    assert_eq!(against(mark(marks, "payload"), "linux").as_deref(), Some("refutes"));
    let lwip = analyze_json(&[&capture_path("lwip.pcap")]);
    let marks = &prober(&lwip)["marks"];
    assert!(speaks_for(mark(marks, "spacing"), "lwip"));
    assert_eq!(against(mark(marks, "spacing"), "linux").as_deref(), Some("refutes"));
}

/// Both ends run Linux, which does not take an empty probe of its peer for a sign of life.
#[test]
fn empty_probes_of_the_peer_put_nothing_off() {
    let document = analyze_json(&[&capture_path("both.pcap")]);
    for prober in document["connections"][0]["probers"].as_array().expect("probers") {
        let mark = mark(&prober["marks"], "peer_probes");
        assert!(speaks_for(mark, "linux"), "{mark}");
        assert!(against(mark, "gvisor").is_some(), "{mark}");
    }
}

#[test]
fn a_prober_without_timestamps_df_and_order_of_ids_is_macos() {
    let ids = std::cell::Cell::new(0x3a41_u16);
    let document = changed("vanish.pcap", "macos", &[6, 7, 8, 9], |packet| {
        ids.set(ids.get().wrapping_mul(40_503));
        packet[IP + 4..IP + 6].copy_from_slice(&ids.get().to_be_bytes());
        packet[IP + 6] &= !0x40;
        packet[TCP + 20..TCP + 32].fill(1);
    });
    let marks = &prober(&document)["marks"];
    for (name, seen) in [
        ("timestamps", "missing, though negotiated"),
        ("dont_fragment", "clear, though set where it sends data"),
        ("ip_id", "in no order"),
    ] {
        let mark = mark(marks, name);
        assert_eq!(mark["seen"], seen);
        assert!(speaks_for(mark, "macos"), "{mark}");
        assert!(against(mark, "linux").is_some(), "{mark}");
    }
    assert_eq!(prober(&document)["settings"][0]["stack"], "macos");
}

#[test]
fn a_push_on_an_empty_probe_is_of_picotcp() {
    let document = changed("vanish.pcap", "push", &[6, 7, 8, 9], |packet| packet[TCP + 13] |= 0x08);
    let flags = mark(&prober(&document)["marks"], "flags");
    assert_eq!(flags["seen"], "PSH|ACK");
    assert_eq!(flags["speaks_for"], serde_json::json!(["picotcp"]));
    assert_eq!(against(flags, "linux").as_deref(), Some("unlikely"));
    // It is in the score, and only there once.
    let plain = analyze_json(&[&capture_path("vanish.pcap")]);
    let score = |document: &Value| prober(document)["settings"][0]["score"].as_f64().expect("a score");
    assert!((score(&document) - 0.3 * score(&plain)).abs() < 0.001);
}

#[test]
fn an_ack_below_what_was_received_is_of_netbsd() {
    let document = changed("vanish.pcap", "compat", &[6, 7, 8, 9], |packet| {
        let ack = u32::from_be_bytes(packet[TCP + 8..TCP + 12].try_into().expect("four octets"));
        packet[TCP + 8..TCP + 12].copy_from_slice(&(ack - 1).to_be_bytes());
    });
    let ack = mark(&prober(&document)["marks"], "ack_field");
    assert_eq!(
        (ack["seen"].as_str(), &ack["speaks_for"]),
        (Some("RCV.NXT-1"), &serde_json::json!(["netbsd"]))
    );
    assert_eq!(against(ack, "linux").as_deref(), Some("doubtful"));
}

#[test]
fn the_rst_tells_by_its_seq_flags_and_timestamps() {
    let document = changed("vanish.pcap", "rst", &[10], |packet| {
        let seq = u32::from_be_bytes(packet[TCP + 4..TCP + 8].try_into().expect("four octets"));
        packet[TCP + 4..TCP + 8].copy_from_slice(&(seq + 3).to_be_bytes());
        packet[TCP + 13] = 0x04;
        packet[TCP + 20..TCP + 32].fill(1);
    });
    let marks = &prober(&document)["marks"];
    assert_eq!(mark(marks, "reset_seq")["seen"], "SND.NXT+3");
    assert_eq!(mark(marks, "reset_flags")["seen"], "RST");
    assert_eq!(mark(marks, "reset_timestamps")["seen"], "missing, though negotiated");
    for name in ["reset_seq", "reset_flags", "reset_timestamps"] {
        assert!(against(mark(marks, name), "linux").is_some(), "{name}");
    }
}

/// A probe soon after one that was answered gets no answer from Linux: a limit, and no loss.
#[test]
fn the_limit_of_answers_is_no_loss() {
    let mut capture = Pcap::of("answered.pcap");
    let probe = capture.records[5].clone();
    let mut extra = probe.clone();
    let micros = u32::from_ne_bytes(probe[4..8].try_into().expect("four octets")) + 100_000;
    assert!(micros < 1_000_000, "the record stays within its second");
    extra[4..8].copy_from_slice(&micros.to_ne_bytes());
    let id = number(&probe[IP + 4..]).wrapping_add(100);
    extra[IP + 4..IP + 6].copy_from_slice(&id.to_be_bytes());
    capture.records.insert(7, extra);
    let document = analyzed(&capture, "limit");
    let mark = mark(&document["connections"][0]["responders"][0]["marks"], "answer_limit");
    assert!(speaks_for(mark, "linux"), "{mark}");
    assert_eq!(against(mark, "macos").as_deref(), Some("unlikely"));
}

/// A SYN as Windows sends it: no timestamps, window scale 8, SACK.
#[test]
fn a_syn_like_that_of_windows() {
    let capture = Pcap::of("no_timestamps.pcap");
    let syn = capture.records.iter().position(|packet| packet[TCP + 13] == 0x02).expect("a SYN");
    let document = changed("no_timestamps.pcap", "windows", &[syn + 1], |packet| {
        let options = packet[TCP + 20..].to_vec();
        let scale = options.windows(2).position(|pair| pair == [3, 3]).expect("a window scale");
        packet[TCP + 20 + scale + 2] = 8;
    });
    let mark = mark(&prober(&document)["marks"], "syn");
    assert_eq!(mark["seen"], "without timestamps, window scale 8, with SACK");
    assert!(speaks_for(mark, "windows-10-1709"), "{mark}");
}

#[test]
fn text_says_which_marks_decide() {
    let output = keepscope(&["analyze", &capture_path("vanish.pcap")]);
    let text = String::from_utf8(output.stdout).expect("text");
    let line = text.lines().find(|line| line.trim_start().starts_with("marks: ")).expect("a line of marks");
    assert!(line.contains("fit linux") && line.contains("macos, netbsd (timestamps)"), "{line}");
    let output = keepscope(&["analyze", &capture_path("answered.pcap")]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("    server answers: echo older than the probe's (linux)\n"), "{text}");
}

/// Linux answers smoltcp's octets with a report of the duplicate.
#[test]
fn a_real_d_sack_is_of_linux() {
    let document = analyze_json(&[&capture_path("smoltcp.pcap")]);
    let mark = mark(&document["connections"][0]["responders"][0]["marks"], "dsack");
    assert_eq!(
        (mark["speaks_for"].clone(), mark["frames"][0]["frame"].as_u64()),
        (serde_json::json!(["linux"]), Some(7))
    );
    assert_eq!(against(mark, "macos").as_deref(), Some("unlikely"));
}

/// The first of the probes without its octet, and without an answer: those with one are answered.
#[test]
fn an_end_that_answers_octets_only_is_of_uip() {
    let mut capture = Pcap::of("smoltcp.pcap");
    capture.records.remove(6);
    let probe = &mut capture.records[5];
    let length = number(&probe[IP + 2..]);
    assert_eq!(probe.len(), IP + usize::from(length), "no padding");
    probe.pop();
    probe[IP + 2..IP + 4].copy_from_slice(&(length - 1).to_be_bytes());
    let octets = (probe.len() as u32 - 16).to_ne_bytes();
    probe[8..12].copy_from_slice(&octets);
    probe[12..16].copy_from_slice(&octets);
    let document = analyzed(&capture, "empty");
    let mark = mark(&document["connections"][0]["responders"][0]["marks"], "empty_probes");
    assert_eq!(mark["seen"], "none of 1 answered, though those of one octet are");
    assert!(speaks_for(mark, "uip"), "{mark}");
    assert_eq!(against(mark, "linux").as_deref(), Some("unlikely"));
}

/// The acknowledgment of the data is missing, so that it is in flight all the time.
#[test]
fn a_probe_with_data_in_flight_is_of_lwip() {
    let mut capture = Pcap::of("vanish.pcap");
    capture.records.remove(4);
    let document = analyzed(&capture, "flight");
    let mark = mark(&prober(&document)["marks"], "data_in_flight");
    assert_eq!(mark["seen"], "a probe at SND.NXT-1 with 5 octets in flight");
    assert!(speaks_for(mark, "lwip"), "{mark}");
    assert_eq!(against(mark, "linux").as_deref(), Some("unlikely"));
    assert_eq!(against(mark, "freebsd").as_deref(), Some("unlikely"));
}
