//! Exit codes and messages: wrong usage, captures that cannot be read or are damaged, readers that go away.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{Pcap, capture_path, keepscope, scratch, text};

/// What a run left behind.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(arguments: &[&str]) -> Ended {
    let output = keepscope(arguments);
    let text = |octets| String::from_utf8(octets).expect("UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn file(folder: &Path, name: &str, octets: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, octets).expect("a file can be written");
    path
}

#[test]
fn a_healthy_capture_ends_with_0_and_no_message() {
    for format in ["text", "json", "jsonl", "csv"] {
        let ended = run(&["analyze", "--format", format, &capture_path("vanish.pcap")]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{format}");
        assert!(!ended.stdout.is_empty(), "{format}");
    }
}

#[test]
fn what_cannot_be_read_is_named_in_one_line() {
    let folder = scratch("output-unreadable");
    let missing = folder.join("missing.pcap");
    let empty = file(&folder, "nothing.pcap", b"");
    let words =
        file(&folder, "words.txt", b"These are words, and words are no packets.\n".repeat(9).as_slice());
    for (path, word) in
        [(&missing, "No such file"), (&folder, "directory"), (&empty, "empty"), (&words, "not a capture")]
    {
        for format in ["text", "json", "jsonl", "csv"] {
            let ended = run(&["analyze", "--format", format, text(path)]);
            assert_eq!(ended.code, Some(2), "{word}");
            let (line, rest) = ended.stderr.split_once('\n').expect("a line");
            assert!(line.starts_with(&format!("keepscope: error: {}: ", path.display())), "{line}");
            assert!(line.contains(word), "{line}");
            assert_eq!(rest, "", "{word}");
            // In JSON the problem is data as well.
            assert_eq!(ended.stdout.contains(word), format.starts_with("json"), "{}", ended.stdout);
        }
    }
}

#[test]
fn what_cannot_be_read_does_not_cost_the_rest() {
    let folder = scratch("output-one-missing");
    let missing = folder.join("missing.pcap");
    for files in
        [[text(&missing), &capture_path("vanish.pcap")], [&capture_path("vanish.pcap"), text(&missing)]]
    {
        let ended = run(&["analyze", files[0], files[1]]);
        assert_eq!(ended.code, Some(2));
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stdout.contains("TIMED OUT"), "{}", ended.stdout);
    }
}

#[test]
fn a_cut_capture_is_reported_up_to_the_cut() {
    let folder = scratch("output-cut");
    let capture = Pcap::of("vanish.pcap");
    for (name, capture) in [("pcap", capture.clone()), ("pcapng", capture.to_pcapng())] {
        for packet in [0, 5, 9] {
            for kept in [1, 15, 16, 40] {
                let offset = capture.offset(packet);
                let path = file(&folder, "cut", &capture.octets()[..offset + kept]);
                let ended = run(&["analyze", text(&path)]);
                let place = format!("{name}: {kept} octets of packet {}", packet + 1);
                assert_eq!(ended.code, Some(2), "{place}");
                let told =
                    format!("keepscope: error: {}: packet {}: octet {offset}: ", path.display(), packet + 1);
                assert!(ended.stderr.starts_with(&told), "{place}: {}", ended.stderr);
                assert_eq!(ended.stderr.lines().count(), 1, "{place}: {}", ended.stderr);
                let read = format!(": {packet} packets, {packet} TCP segments");
                assert!(ended.stdout.contains(&read), "{place}: {}", ended.stdout);
            }
        }
    }
}

/// A block whose packet claims more octets than the block has is skipped; the frames after it are read, with
/// the numbers that they have in Wireshark.
#[test]
fn a_damaged_record_in_the_middle_costs_only_itself() {
    let folder = scratch("output-damaged");
    let mut capture = Pcap::of("answered.pcap").to_pcapng();
    // The first answer, frame 7: its captured length.
    capture.records[6][20..24].copy_from_slice(&0x7fff_ffff_u32.to_ne_bytes());
    let path = file(&folder, "damaged.pcapng", &capture.octets());
    let ended = run(&["analyze", "--format", "json", text(&path)]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    let told = format!("keepscope: error: {}: packet 7: octet {}: ", path.display(), capture.offset(6));
    assert!(ended.stderr.starts_with(&told), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);

    let document: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let problem = &document["captures"][0]["problems"][0];
    assert_eq!((&problem["damage"], &problem["packet"]), (&true.into(), &7.into()), "{problem}");
    assert_eq!(problem["offset"], capture.offset(6), "{problem}");
    let probes = document["connections"][0]["probers"][0]["probes"].as_array().expect("probes");
    let frames: Vec<(u64, Option<u64>)> = probes
        .iter()
        .map(|probe| (probe["frame"].as_u64().expect("a number"), probe["answer"]["frame"].as_u64()))
        .collect();
    assert_eq!(frames, [(6, None), (8, Some(9)), (10, Some(11)), (12, Some(13))]);
}

/// A record of pcap says where the next one begins; where that is impossible, nothing after it can be found.
#[test]
fn an_impossible_length_ends_a_pcap_capture_there() {
    let folder = scratch("output-impossible");
    let mut capture = Pcap::of("answered.pcap");
    let offset = capture.offset(7);
    capture.records[7][8..12].copy_from_slice(&0x7fff_ffff_u32.to_ne_bytes());
    let path = file(&folder, "damaged.pcap", &capture.octets());
    let ended = run(&["analyze", text(&path)]);
    assert_eq!(ended.code, Some(2));
    let told = format!("keepscope: error: {}: packet 8: octet {offset}: ", path.display());
    assert!(ended.stderr.starts_with(&told), "{}", ended.stderr);
    assert!(ended.stdout.contains(": 7 packets, 7 TCP segments"), "{}", ended.stdout);
    assert!(ended.stdout.contains("1 probe"), "{}", ended.stdout);
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    let capture = capture_path("vanish.pcap");
    let cases: [(&[&str], &str); 14] = [
        (&["analyze"], "<FILE>"),
        (&["analyse", &capture], "analyze"),
        (&["--fromat", "json"], "--fromat"),
        (&["analyze", "--format", "xml", &capture], "xml"),
        (&["analyze", "--color", "pink", &capture], "pink"),
        (&["analyze", "--connection", "0", &capture], "0"),
        (&["analyze", "--connection", "-1", &capture], "-1"),
        (&["analyze", "--connection", "one", &capture], "one"),
        (&["analyze", "--filter", "port:99999", &capture], "port:99999"),
        (&["analyze", "--filter", "port:80 outcome:gone", &capture], "outcome:gone"),
        (&["analyze", "--filter", "addr:192.0.2.0/33", &capture], "addr:192.0.2.0/33"),
        (&["analyze", "--filter", "!", &capture], "!"),
        (&["analyze", "--filter", "port:", &capture], "port:"),
        (&["analyze", "-", "-"], "standard input can be read only once"),
    ];
    for (arguments, word) in cases {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(ended.stderr.contains(word), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn help_and_version_are_output() {
    for (arguments, word) in [
        (&["--help"][..], "Exit codes"),
        (&["analyze", "--help"], "--format"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&[], "keepscope analyze"),
    ] {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(ended.stdout.contains(word), "{arguments:?}: {}", ended.stdout);
    }
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let capture = capture_path("many.pcap");
    for arguments in [
        &["analyze", &capture][..],
        &["analyze", "--format", "json", &capture],
        &["analyze", "--format", "jsonl", &capture],
        &["analyze", "--format", "csv", &capture],
        &["analyze", "--connection", "1", &capture],
        &["--help"],
        &[],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        // Nobody reads from the very beginning, so that every write fails.
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_keepscope"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(writer)
            .output()
            .expect("keepscope runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn head_gets_its_line() {
    let script = format!(
        "'{}' analyze --all --format jsonl '{}' | head -1",
        env!("CARGO_BIN_EXE_keepscope"),
        capture_path("many.pcap")
    );
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.stdout, b"{\"type\":\"schema\",\"schema\":\"keepscope.events/1\"}\n");
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else { return crate::common::skip("/dev/full is not there") };
    let output = Command::new(env!("CARGO_BIN_EXE_keepscope"))
        .args(["analyze", &capture_path("vanish.pcap")])
        .stdout(full)
        .output()
        .expect("keepscope runs");
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.starts_with("keepscope: error: cannot write the result: "), "{complaint}");
}
