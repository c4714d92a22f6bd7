//! The document that `--format json` writes holds what `keepscope.analysis/1` promises.

use std::path::Path;

use serde_json::Value;

use crate::common::{analyze_json, capture_path, indexed, keepscope};

fn captures() -> Vec<String> {
    indexed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("captures"))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("{name} is no list in {value}"))
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("{name} is no number in {value}"))
}

fn one_of(value: &Value, name: &str, words: &[&str]) {
    let word = value[name].as_str().unwrap_or_else(|| panic!("{name} is no word in {value}"));
    assert!(words.contains(&word), "{name} is {word}");
}

#[test]
fn every_field_is_there_and_of_its_type() {
    for file in captures() {
        let path = capture_path(&file);
        let document = analyze_json(&["--all", &path]);
        assert_eq!(document["schema"], "keepscope.analysis/1");
        let [capture] = list(&document, "captures") else { panic!("{file}: one capture") };
        assert_eq!(capture["path"], path.as_str());
        let packets = number(capture, "packets");
        assert!((1..=packets).contains(&number(capture, "tcp_segments")), "{capture}");
        for problem in list(capture, "problems") {
            assert!(problem["damage"].is_boolean() && problem["message"].is_string(), "{problem}");
        }
        for (id, connection) in (1_u64..).zip(list(&document, "connections")) {
            check_connection(connection, id, packets);
        }
    }
}

fn check_connection(connection: &Value, id: u64, packets: u64) {
    assert_eq!(number(connection, "id"), id);
    for end in ["client", "server"] {
        let endpoint = connection[end].as_str().expect(end);
        endpoint.parse::<std::net::SocketAddr>().unwrap_or_else(|error| panic!("{endpoint}: {error}"));
    }
    one_of(connection, "start", &["seen", "midstream"]);
    one_of(
        connection,
        "outcome",
        &["timed_out", "reset", "unanswered", "inconclusive", "alive", "closed", "no_keepalive"],
    );
    let evidence: Vec<u64> =
        list(connection, "evidence").iter().map(|frame| frame.as_u64().expect("a frame")).collect();
    assert!(evidence.iter().all(|frame| (1..=packets).contains(frame)), "{evidence:?}");
    assert!(evidence.is_sorted(), "{evidence:?}");
    assert_eq!(evidence.is_empty(), connection["outcome"] == "no_keepalive", "{connection}");
    assert_eq!(list(connection, "probers").is_empty(), connection["outcome"] == "no_keepalive");
    for prober in list(connection, "probers") {
        one_of(prober, "endpoint", &["client", "server"]);
        let probes = list(prober, "probes");
        let frames: Vec<u64> = probes.iter().map(|probe| number(probe, "frame")).collect();
        assert!(!frames.is_empty() && frames.is_sorted(), "{frames:?}");
        for probe in probes {
            assert_eq!(number(probe, "capture"), 0);
            assert!((1..=packets).contains(&number(probe, "frame")));
            assert!(number(probe, "octets") <= 1);
            assert!(probe["time_s"].is_number(), "{probe}");
            for span in ["silence_s", "quiet_s"] {
                assert!(probe[span].is_null() || probe[span].is_number(), "{probe}");
            }
            let answer = probe.get("answer").expect("an answer, or null");
            if answer.is_null() {
                continue;
            }
            one_of(answer, "kind", &["ack", "data", "reset", "icmp"]);
            assert!(number(answer, "frame") > number(probe, "frame"), "{probe}");
            assert!(number(answer, "frame") <= packets, "{probe}");
            assert!(answer["rtt_us"].is_number(), "{probe}");
        }
    }
}

/// Every number of seconds has nine digits behind the point, in JSON as in JSON lines, and none is lost by
/// way of a float.
#[test]
fn seconds_have_nine_digits() {
    for file in captures() {
        for format in ["json", "jsonl"] {
            let output = keepscope(&["analyze", "--all", "--format", format, &capture_path(&file)]);
            let text = String::from_utf8(output.stdout).expect("UTF-8").replace("\": ", "\":");
            let mut seen = 0;
            for (position, _) in text.match_indices("_s\":") {
                // Of a range the first.
                let rest = text[position + 4..].trim_start_matches(['[', '\n', ' ']);
                let value = &rest[..rest.find([',', '}', '\n']).expect("an end")];
                if value == "null" {
                    continue;
                }
                let (whole, fraction) = value.split_once('.').unwrap_or_else(|| panic!("{file}: {value}"));
                let digits =
                    |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
                assert!(digits(whole) && digits(fraction) && fraction.len() == 9, "{file}: {value}");
                seen += 1;
            }
            assert!(seen > 0, "{file}");
        }
    }
}

/// The document is in order of connections, and only `--all` adds those without keepalives.
#[test]
fn all_adds_connections_without_keepalives() {
    let ids = |arguments: &[&str]| -> Vec<u64> {
        let document = analyze_json(arguments);
        list(&document, "connections").iter().map(|connection| number(connection, "id")).collect()
    };
    let path = capture_path("many.pcap");
    let (some, all) = (ids(&[&path]), ids(&["--all", &path]));
    assert_eq!(all, [1, 2, 3, 4, 5, 6, 7]);
    let document = analyze_json(&["--all", &path]);
    let silent: Vec<u64> = list(&document, "connections")
        .iter()
        .filter(|connection| connection["outcome"] == "no_keepalive")
        .map(|connection| number(connection, "id"))
        .collect();
    assert_eq!(silent.len(), 1);
    assert_eq!(some, all.into_iter().filter(|id| !silent.contains(id)).collect::<Vec<_>>());
}
