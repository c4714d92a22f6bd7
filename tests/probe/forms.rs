//! Forms of probes, of output and of recordings.

use serde_json::Value;

use crate::common::{analyze_json, scratch, text};
use crate::lab::{Lab, Server};
use crate::{command, probe, probe_watched};

#[test]
fn one_octet_is_reported_as_a_duplicate() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let run = probe_watched(&lab, &server.target(0), &["--rounds", "3", "--octets", "1"], || {});
    run.expect("alive", 0);
    for probe in run.probes() {
        assert_eq!((&probe["octets"], &probe["answer"]["dsack"]), (&1.into(), &true.into()));
    }
}

#[test]
fn both_forms_tell_linux() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let run = probe_watched(&lab, &server.target(1), &["--rounds", "2", "--octets", "both"], || {});
    run.expect("alive", 0);
    let guess = &run.verdict()["guess"];
    assert_eq!((&guess["stack"], &guess["worth"]), (&"Linux".into(), &"strong".into()));
    let signs: Vec<&str> =
        guess["signs"].as_array().unwrap().iter().filter_map(|sign| sign["kind"].as_str()).collect();
    for kind in ["dsack", "answer_limit", "timestamp_echo"] {
        assert!(signs.contains(&kind), "{signs:?}");
    }
}

#[test]
fn a_recording_holds_the_packets_that_were_judged() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    for name in ["run.pcapng", "run.pcap"] {
        let file = scratch("probe-recording").join(name);
        let arguments = ["--rounds", "2", "--write", text(&file)];
        let run = probe(&lab, &server.target(0), &arguments);
        run.expect("alive", 0);
        let read = analyze_json(&["--all", text(&file)]);
        // A capture of packets with microseconds where the format has no more; nothing else may differ.
        if name == "run.pcapng" {
            assert_eq!(read["connections"], run.document["connections"]);
        }
        assert_eq!(read["captures"][0]["packets"], run.document["captures"][0]["packets"]);
        let frames = |document: &Value| document["connections"][0]["evidence"].clone();
        assert_eq!(frames(&read), frames(&run.document));
        // It is not overwritten unless that is wished.
        let again = command(&lab, &server.target(0), &arguments).output().expect("it runs");
        assert_eq!(again.status.code(), Some(2));
        let forced = [&arguments[..], &["--force"]].concat();
        probe(&lab, &server.target(0), &forced).expect("alive", 0);
    }
}

#[test]
fn lines_of_events_end_with_the_verdict() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let output = command(&lab, &server.target(0), &["--rounds", "2", "--format", "jsonl"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object"))
        .collect();
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(lines[0]["schema"], "keepscope.events/1");
    let expected = [
        "schema", "opened", "probe", "answer", "probe", "answer", "fin", "fin", "final", "capture", "verdict",
    ];
    assert_eq!(kinds, expected);
    let verdict = lines.last().unwrap();
    assert_eq!((&verdict["verdict"], &verdict["connection"]), (&"alive".into(), &1.into()));
}

#[test]
fn plain_lines_have_absolute_times() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let output = command(&lab, &server.target(0), &["--rounds", "1", "--plain"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let mut words = Vec::new();
    for line in said.lines() {
        let mut parts = line.split(' ');
        let time: f64 = parts.next().and_then(|time| time.parse().ok()).unwrap_or_else(|| panic!("{said}"));
        assert!(time > 1.6e9, "{said}");
        assert_eq!(parts.next(), Some("1"), "{said}");
        words.push(parts.next().unwrap_or_default().to_owned());
    }
    assert_eq!(words, ["opened", "probe", "answer", "fin", "fin", "verdict=alive"], "{said}");
}
