//! Which connections are shown: `--filter` and `--connection`.

use serde_json::Value;

use crate::common::{analyze_json, capture_path, keepscope};

fn ids(document: &Value) -> Vec<u64> {
    let connections = document["connections"].as_array().expect("connections");
    connections.iter().map(|connection| connection["id"].as_u64().expect("a number")).collect()
}

/// The connections of a capture for which this holds.
fn ids_where(file: &str, holds: impl Fn(&Value) -> bool) -> Vec<u64> {
    let document = analyze_json(&["--all", &capture_path(file)]);
    let connections = document["connections"].as_array().expect("connections");
    let chosen = connections.iter().filter(|connection| holds(connection));
    chosen.map(|connection| connection["id"].as_u64().expect("a number")).collect()
}

fn filtered(file: &str, filter: &str) -> Vec<u64> {
    ids(&analyze_json(&["--all", "--filter", filter, &capture_path(file)]))
}

#[test]
fn filters_choose_by_end_and_outcome() {
    let has = |end: &'static str, text: &'static str| {
        move |connection: &Value| connection[end].as_str().expect(end).contains(text)
    };
    let client_40081 = has("client", ":40081");
    let server_7083 = has("server", ":7083");
    let ipv6 = has("client", "[2001:db8:");
    let silent = |connection: &Value| connection["outcome"] == "no_keepalive";
    let file = "many.pcap";
    let cases: [(&str, Vec<u64>); 15] = [
        ("", ids_where(file, |_| true)),
        ("addr:192.0.2.2", ids_where(file, |one| !ipv6(one))),
        ("addr:198.51.100.0/24", ids_where(file, |one| !ipv6(one))),
        ("addr:2001:db8:1::2", ids_where(file, ipv6)),
        ("2001:db8::/32", ids_where(file, ipv6)),
        ("!2001:db8::/32", ids_where(file, |one| !ipv6(one))),
        ("port:40081", ids_where(file, client_40081)),
        ("port:7083", ids_where(file, server_7083)),
        ("client:7083", vec![]),
        ("server:7083", ids_where(file, server_7083)),
        ("port:40081,7083", ids_where(file, |one| client_40081(one) || server_7083(one))),
        ("outcome:no_keepalive", ids_where(file, silent)),
        ("!no_keepalive", ids_where(file, |one| !silent(one))),
        (
            "alive addr:192.0.2.2 !7083",
            ids_where(file, |one| !silent(one) && !ipv6(one) && !server_7083(one)),
        ),
        ("addr:203.0.113.1", vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(filtered(file, filter), expected, "{filter}");
    }
}

#[test]
fn outcomes_tell_lives_of_the_same_ports_apart() {
    for (filter, expected) in [
        ("reset", vec![1]),
        ("closed", vec![2]),
        ("alive", vec![3]),
        ("!alive", vec![1, 2]),
        ("reset,alive", vec![1, 3]),
    ] {
        assert_eq!(filtered("reused_port.pcap", filter), expected, "{filter}");
    }
}

/// A filter chooses the same connections in every format.
#[test]
fn every_format_shows_the_chosen_connections() {
    let path = capture_path("many.pcap");
    for filter in ["port:7083,7085", "alive !2001:db8::/32", "outcome:reset"] {
        let expected = ids(&analyze_json(&["--filter", filter, &path]));
        let show = |format| {
            let output = keepscope(&["analyze", "--format", format, "--filter", filter, &path]);
            assert_eq!(output.status.code(), Some(0), "{filter}");
            String::from_utf8(output.stdout).expect("UTF-8")
        };
        let unique = |mut found: Vec<u64>| {
            found.sort_unstable();
            found.dedup();
            found
        };
        let csv = show("csv")
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().expect("a cell").parse().expect("a number"))
            .collect();
        assert_eq!(unique(csv), expected, "csv {filter}");
        let number = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["connection"].as_u64();
        assert_eq!(unique(show("jsonl").lines().filter_map(number).collect()), expected, "jsonl {filter}");
        let number = |line: &str| line.strip_prefix('#')?.split(' ').next()?.parse().ok();
        let text = show("text");
        assert_eq!(unique(text.lines().filter_map(number).collect()), expected, "text {filter}");
        assert!(text.contains(&format!("; {} chosen", expected.len())), "{text}");
    }
}

#[test]
fn one_connection_can_be_shown_in_every_format() {
    let path = capture_path("many.pcap");
    let show = |format| {
        let output = keepscope(&["analyze", "--format", format, "--connection", "3", &path]);
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{format}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let document: Value = serde_json::from_str(&show("json")).expect("JSON");
    assert_eq!(ids(&document), [3]);
    let connection = &document["connections"][0];

    let csv = show("csv");
    let probes = connection["probers"][0]["probes"].as_array().expect("probes");
    assert_eq!(csv.lines().count(), 1 + probes.len(), "{csv}");
    assert!(csv.lines().skip(1).all(|line| line.starts_with("3,")), "{csv}");

    for line in show("jsonl").lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        assert!(line["connection"] == 3 || line["type"] == "schema" || line["type"] == "capture", "{line}");
    }

    let text = show("text");
    assert!(text.starts_with("#3 ALIVE"), "{text}");
    assert_eq!(text.matches("KEEPALIVE").count(), probes.len(), "{text}");
    for probe in probes {
        let round_trip = format!("to {} after {} us", probe["frame"], probe["answer"]["rtt_us"]);
        assert!(text.contains(&round_trip), "{round_trip} in {text}");
    }
}

/// Also one that `analyze` alone would not list.
#[test]
fn a_connection_without_keepalives_can_be_asked_for() {
    let document = analyze_json(&["--connection", "1", &capture_path("one_octet_writes.pcap")]);
    assert_eq!(ids(&document), [1]);
    let output = keepscope(&["analyze", "--connection", "1", &capture_path("one_octet_writes.pcap")]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.starts_with("#1 NO KEEPALIVE"), "{text}");
    assert_eq!(text.matches("retransmitted octet  ").count(), 8, "{text}");
}

#[test]
fn a_connection_that_is_not_there_is_an_error() {
    for format in ["text", "json", "jsonl", "csv"] {
        let output =
            keepscope(&["analyze", "--format", format, "--connection", "8", &capture_path("many.pcap")]);
        assert_eq!(output.status.code(), Some(2), "{format}");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(complaint, "keepscope: error: no connection 8: they are numbered 1 to 7\n", "{format}");
        if format == "json" {
            let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!(document["connections"], Value::Array(vec![]));
        }
    }
}
