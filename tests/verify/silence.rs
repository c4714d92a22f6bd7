//! Whether a probe was sent at all: silences in which one was due, and captures that cannot show it.

use serde_json::Value;

use crate::common::{Pcap, drops, keepscope, scratch, text};

/// The capture with these of its frames, from 1.
fn only(name: &str, frames: &[usize]) -> Pcap {
    let mut capture = Pcap::of(name);
    let mut number = 0;
    capture.records.retain(|_| {
        number += 1;
        frames.contains(&number)
    });
    capture
}

/// What becomes of the rule, with the exit code.
fn probe_sent(name: &str, octets: &[u8], options: &[&str]) -> (Option<Value>, Option<i32>, String) {
    let path = scratch(&format!("verify_silence_{name}")).join("capture");
    std::fs::write(&path, octets).expect("written");
    let all = [&["verify", "--format", "json"], options, &[text(&path)]].concat();
    let output = keepscope(&all);
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{all:?}: {}", String::from_utf8_lossy(&output.stderr)));
    let rules = document["connections"][0]["rules"].as_array().cloned().unwrap_or_default();
    let rule = rules.into_iter().find(|rule| rule["rule"] == "probe_sent");
    let shown = keepscope(&[&["verify"], options, &[text(&path)]].concat());
    (rule, output.status.code(), String::from_utf8(shown.stdout).expect("UTF-8"))
}

const OF_CLIENT: [&str; 4] = ["--prober", "client", "--idle", "1s"];

/// The handshake, data and its acknowledgment, then nothing for 7 s up to an acknowledgment of the server.
const SILENT: [usize; 6] = [1, 2, 3, 4, 5, 13];

#[test]
fn a_silence_without_a_probe_breaks_the_promise() {
    let capture = only("answered.pcap", &SILENT);
    let (rule, exit, shown) = probe_sent("broken", &capture.octets(), &OF_CLIENT);
    let rule = rule.expect("the rule");
    assert_eq!((rule["outcome"].as_str(), exit), (Some("fail"), Some(1)), "{rule}");
    assert_eq!(rule["frames"], serde_json::json!([5, 6]));
    let least = rule["observed"]["least_s"].as_f64().expect("seconds");
    assert!((6.0..8.0).contains(&least), "{rule}");
    assert!(shown.contains("FAIL probe_sent"), "{shown}");
    // Some Linux kernel would have been as late; with HZ=250 as without.
    let (rule, exit, _) = probe_sent("hz", &capture.octets(), &[&OF_CLIENT[..], &["--hz", "250"]].concat());
    assert_eq!((rule.expect("the rule")["outcome"].as_str(), exit), (Some("fail"), Some(1)));
    // A longer idle time is not over yet.
    let (rule, exit, _) = probe_sent("longer", &capture.octets(), &["--prober", "client", "--idle", "7s"]);
    assert_eq!((rule.expect("the rule")["outcome"].as_str(), exit), (Some("not_observable"), Some(4)));
}

/// Without --prober only ends that probe are judged, and here none does.
#[test]
fn no_promise_about_an_end_is_not_broken() {
    let capture = only("answered.pcap", &SILENT);
    let (rule, exit, _) = probe_sent("any", &capture.octets(), &["--idle", "1s"]);
    assert_eq!((rule, exit), (None, Some(4)));
}

#[test]
fn probes_keep_it() {
    let (rule, exit, _) = probe_sent("kept", &Pcap::of("answered.pcap").octets(), &OF_CLIENT);
    assert_eq!((rule.expect("the rule")["outcome"].as_str(), exit), (Some("pass"), Some(0)));
}

/// Data that nobody acknowledged keeps keepalives back; what was not captured may have been a probe.
#[test]
fn what_the_capture_cannot_show_is_not_claimed() {
    for (name, frames, why) in [
        ("unacknowledged", &[1, 2, 3, 4][..], "no silence"),
        ("one_way", &[1, 3, 4][..], "only one direction"),
        ("handshake", &[1, 2][..], "no silence"),
        ("hole", &[1, 2, 3, 5, 13][..], "left out packets"),
    ] {
        let (rule, exit, _) = probe_sent(name, &only("answered.pcap", frames).octets(), &OF_CLIENT);
        let rule = rule.expect("the rule");
        assert_eq!((rule["outcome"].as_str(), exit), (Some("not_observable"), Some(4)), "{name}: {rule}");
        assert!(rule["reason"].as_str().expect("a sentence").contains(why), "{name}: {rule}");
    }
}

#[test]
fn a_capture_that_dropped_packets_may_have_dropped_the_probes() {
    let capture = only("answered.pcap", &SILENT).to_pcapng();
    let octets = [capture.octets(), drops(3)].concat();
    let (rule, exit, shown) = probe_sent("drops", &octets, &OF_CLIENT);
    let rule = rule.expect("the rule");
    assert_eq!((rule["outcome"].as_str(), exit), (Some("not_observable"), Some(4)), "{rule}");
    assert!(shown.contains("3 packets dropped before they could be written"), "{shown}");
    let (rule, ..) = probe_sent("no_drops", &[capture.octets(), drops(0)].concat(), &OF_CLIENT);
    assert_eq!(rule.expect("the rule")["outcome"], "fail");
}
