//! CSV, colour, and the agreement of the formats.

use std::process::Command;

use crate::common::{analyze_json, capture_path, has, keepscope};

const COLUMNS: [&str; 17] = [
    "connection",
    "client",
    "server",
    "start",
    "outcome",
    "prober",
    "capture",
    "frame",
    "time_s",
    "octets",
    "silence_s",
    "quiet_s",
    "run",
    "answer",
    "answer_capture",
    "answer_frame",
    "rtt_us",
];

/// The literal text of a JSON value, empty for null.
fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[test]
fn csv_has_a_line_for_each_probe_with_what_json_says() {
    for name in ["many.pcap", "icmp_unreachable.pcap", "lossy.pcap", "midstream.pcap", "ipv6.pcap"] {
        let path = capture_path(name);
        let output = keepscope(&["analyze", "--format", "csv", &path]);
        let csv = String::from_utf8(output.stdout).expect("UTF-8");
        let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
        assert_eq!(lines.next().expect("a header"), COLUMNS, "{name}");

        let mut rows: Vec<Vec<&str>> = lines.collect();
        let document = analyze_json(&[&path]);
        for connection in document["connections"].as_array().expect("connections") {
            for prober in connection["probers"].as_array().expect("probers") {
                for probe in prober["probes"].as_array().expect("probes") {
                    let row = rows
                        .iter()
                        .position(|row| row[0] == cell(&connection["id"]) && row[7] == cell(&probe["frame"]))
                        .map(|index| rows.remove(index))
                        .unwrap_or_else(|| panic!("{name}: no line for {probe}"));
                    assert_eq!(row.len(), COLUMNS.len(), "{name}: {row:?}");
                    let answer = &probe["answer"];
                    let expected = [
                        ("client", &connection["client"]),
                        ("server", &connection["server"]),
                        ("start", &connection["start"]),
                        ("outcome", &connection["outcome"]),
                        ("prober", &prober["endpoint"]),
                        ("capture", &probe["capture"]),
                        ("octets", &probe["octets"]),
                        ("run", &probe["run"]),
                        ("answer", &answer["kind"]),
                        ("answer_capture", &answer["capture"]),
                        ("answer_frame", &answer["frame"]),
                        ("rtt_us", &answer["rtt_us"]),
                    ];
                    for (column, value) in expected {
                        let index = COLUMNS.iter().position(|name| *name == column).expect(column);
                        assert_eq!(row[index], cell(value), "{name}: {column} of {probe}");
                    }
                    for column in [8, 10, 11] {
                        let digits = row[column].split_once('.').map(|(_, fraction)| fraction.len());
                        assert!(digits == Some(9) || row[column].is_empty(), "{name}: {row:?}");
                    }
                }
            }
        }
        assert!(rows.is_empty(), "{name}: {rows:?}");
    }
}

#[test]
fn a_connection_without_probes_has_no_line_in_csv() {
    let output = keepscope(&["analyze", "--all", "--format", "csv", &capture_path("zero_window.pcap")]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
}

fn is_coloured(octets: &[u8]) -> bool {
    octets.contains(&0x1b)
}

#[test]
fn only_text_is_coloured_and_only_if_asked_for() {
    let path = capture_path("vanish.pcap");
    assert!(!is_coloured(&keepscope(&["analyze", &path]).stdout));
    assert!(!is_coloured(&keepscope(&["analyze", "--color", "never", &path]).stdout));
    let coloured = keepscope(&["analyze", "--color", "always", &path]).stdout;
    assert!(String::from_utf8_lossy(&coloured).contains("\u{1b}[1;31mTIMED OUT\u{1b}[0m"));
    for format in ["json", "jsonl", "csv"] {
        let output = keepscope(&["analyze", "--color", "always", "--format", format, &path]);
        assert!(!is_coloured(&output.stdout), "{format}");
    }
}

/// Colour takes nothing away and adds no words.
#[test]
fn colour_changes_no_words() {
    let path = capture_path("vanish.pcap");
    for arguments in [&["analyze"][..], &["analyze", "--connection", "1"]] {
        let show = |color| {
            let all = [arguments, &["--color", color, &path]].concat();
            String::from_utf8(keepscope(&all).stdout).expect("UTF-8")
        };
        let mut plain = String::new();
        for (index, piece) in show("always").split('\u{1b}').enumerate() {
            plain += if index == 0 { piece } else { piece.split_once('m').expect("a colour").1 };
        }
        assert_eq!(plain, show("never"));
    }
}

#[test]
fn a_terminal_gets_colour_unless_told_otherwise() {
    if !has("script") {
        return;
    }
    let command = format!("'{}' analyze '{}'", env!("CARGO_BIN_EXE_keepscope"), capture_path("vanish.pcap"));
    let show = |changes: &[(&str, &str)]| {
        let output = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .env("SHELL", "/bin/sh")
            .envs(changes.iter().copied())
            .stdin(std::process::Stdio::null())
            .output()
            .expect("script runs");
        assert!(String::from_utf8_lossy(&output.stdout).contains("TIMED OUT"), "{output:?}");
        is_coloured(&output.stdout)
    };
    assert!(show(&[]));
    assert!(show(&[("NO_COLOR", "")]));
    assert!(!show(&[("NO_COLOR", "1")]));
    assert!(!show(&[("TERM", "dumb")]));
}
