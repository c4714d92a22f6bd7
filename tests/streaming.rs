//! Input that comes bit by bit, as from `tcpdump -w - | keepscope analyze -`.
//!
//! Nothing here sleeps: a test waits for a line, for the end of the process, or for the pipe to take more.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use common::{Pcap, capture_path, keepscope, scratch, text};

/// Longer than any machine needs for a few packets.
const PATIENCE: Duration = Duration::from_secs(30);

/// Captures with probes of every kind of answer, begun before and after the handshake.
const CAPTURES: [&str; 14] = [
    "answered.pcap",
    "both.pcap",
    "between_data.pcap",
    "crossing.pcap",
    "icmp_unreachable.pcap",
    "ipv6.pcap",
    "late_answers.pcap",
    "lossy.pcap",
    "lwip.pcap",
    "midstream.pcap",
    "reset_by_peer.pcap",
    "reused_port.pcap",
    "smoltcp_unanswered.pcap",
    "wrap_midstream.pcap",
];

/// keepscope with its standard input held open.
struct Live {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
}

impl Live {
    fn start(arguments: &[&str]) -> Live {
        let mut child = Command::new(env!("CARGO_BIN_EXE_keepscope"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("keepscope runs");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                if sender.send(line.expect("text")).is_err() {
                    return;
                }
            }
        });
        Live { child, input, output: receiver }
    }

    fn write(&mut self, octets: &[u8]) {
        let input = self.input.as_mut().expect("an open pipe");
        input.write_all(octets).and_then(|()| input.flush()).expect("keepscope takes input");
    }

    /// The next line, which must come although nothing more is written.
    fn line(&mut self, waiting_for: &str) -> String {
        match self.output.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => {
                let _ = self.child.kill();
                panic!("{waiting_for}: {error}");
            }
        }
    }

    /// The lines that are left when the process has ended, its exit code and its messages.
    fn end(&mut self) -> (Vec<String>, Option<i32>, String) {
        let mut lines = Vec::new();
        loop {
            match self.output.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(error) => {
                    let _ = self.child.kill();
                    panic!("it does not end: {error}; so far {lines:#?}");
                }
            }
        }
        let mut complaint = String::new();
        let stderr = self.child.stderr.as_mut().expect("its messages");
        stderr.read_to_string(&mut complaint).expect("messages in UTF-8");
        (lines, self.child.wait().expect("it ended").code(), complaint)
    }
}

fn lines_of(path: &str) -> Vec<String> {
    let output = keepscope(&["analyze", "--format", "jsonl", path]);
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// For each line the packet with which it must come, where its content tells.
///
/// A line that corrects what was said before comes with a packet that it does not name. Nothing is said of a
/// connection before its first probe, since most have none.
fn due_with(lines: &[String]) -> Vec<Option<u64>> {
    let mut spoken_of = BTreeSet::new();
    let packet = |line: &String| {
        let line = parse(line);
        let connection = line["connection"].as_u64();
        if line["type"] == "probe" {
            spoken_of.insert(connection);
        }
        let corrects = !line["corrects"].is_null() || !line["answer"]["corrects"].is_null();
        let frames = [&line["frame"], &line["answer"]["frame"], &line["at"]["frame"]];
        let told_at_once = spoken_of.contains(&connection) && !corrects;
        frames.into_iter().find_map(Value::as_u64).filter(|_| told_at_once)
    };
    lines.iter().map(packet).collect()
}

/// Whether a line is of the kind that the end of the input brings forth.
fn may_be_said_at_the_end(line: &Value) -> bool {
    ["unanswered", "dismissed", "final", "capture"].iter().any(|kind| line["type"] == *kind)
}

/// Feeds the packets one by one; the lines about a packet must come before the next one is written.
fn lines_come_with_their_packets(name: &str, capture: &Pcap) {
    let expected = lines_of(&capture_path(name));
    let packets = due_with(&expected);
    let mut live = Live::start(&["analyze", "--format", "jsonl", "-"]);
    live.write(&capture.header);
    let mut said: Vec<String> = Vec::new();
    for (packet, record) in (1_u64..).zip(&capture.records) {
        live.write(record);
        let Some(due) = packets.iter().rposition(|due| *due == Some(packet)) else { continue };
        while said.len() <= due {
            let line = live.line(&format!("{name}: packet {packet} was written, line {} is due", due + 1));
            said.push(line);
        }
    }
    assert_eq!(said[..], expected[..said.len()], "{name}");
    let probes = |lines: &[String]| lines.iter().filter(|line| parse(line)["type"] == "probe").count();
    assert_eq!(probes(&said), probes(&expected), "{name}: probes while the pipe was open");
    live.input = None;
    let (rest, code, complaint) = live.end();
    assert_eq!((code, complaint.as_str()), (Some(0), ""), "{name}");
    assert!(rest.iter().all(|line| may_be_said_at_the_end(&parse(line))), "{name}: {rest:#?}");
    assert_eq!(said.len() + rest.len(), expected.len(), "{name}");
}

#[test]
fn a_probe_and_its_answer_are_told_while_the_pipe_is_open() {
    for name in CAPTURES {
        lines_come_with_their_packets(name, &Pcap::of(name));
    }
}

#[test]
fn pcapng_is_told_as_soon_as_pcap() {
    for name in ["answered.pcap", "midstream.pcap", "icmp_unreachable.pcap"] {
        lines_come_with_their_packets(name, &Pcap::of(name).to_pcapng());
    }
}

/// However the octets are cut into writes, all that was written whole is told.
#[test]
fn the_size_of_the_pieces_does_not_matter() {
    let capture = Pcap::of("answered.pcap").octets();
    let expected = lines_of(&capture_path("answered.pcap"));
    let open = expected.iter().position(|line| may_be_said_at_the_end(&parse(line))).expect("an end");
    for size in [1, 7, 100, 500, capture.len()] {
        let mut live = Live::start(&["analyze", "--format", "jsonl", "-"]);
        for piece in capture.chunks(size) {
            live.write(piece);
        }
        for expected in &expected[..open] {
            assert_eq!(live.line(&format!("pieces of {size} octets")), *expected);
        }
        live.input = None;
        assert_eq!(live.end().1, Some(0));
    }
}

#[test]
fn the_lines_of_a_beginning_begin_the_lines_of_the_whole() {
    let folder = scratch("streaming-prefixes");
    for name in CAPTURES {
        let capture = Pcap::of(name);
        let whole = lines_of(&capture_path(name));
        for packets in 0..=capture.records.len() {
            let path = folder.join("prefix.pcap");
            std::fs::write(&path, capture.with(0..packets)).expect("a file can be written");
            let part = lines_of(text(&path));
            let same = part.iter().zip(&whole).take_while(|(part, whole)| part == whole).count();
            let rest: Vec<Value> = part[same..].iter().map(|line| parse(line)).collect();
            assert!(
                rest.iter().all(may_be_said_at_the_end),
                "{name}, {packets} packets: {rest:#?} is not in the whole"
            );
        }
    }
}

#[test]
fn input_cut_anywhere_is_damaged_and_reported_so_far() {
    let capture = Pcap::of("vanish.pcap");
    let octets = capture.octets();
    let ends: Vec<usize> = (0..=capture.records.len()).map(|packet| capture.offset(packet)).collect();
    for cut in 0..=octets.len() {
        let mut live = Live::start(&["analyze", "--format", "json", "-"]);
        live.write(&octets[..cut]);
        live.input = None;
        let (lines, code, complaint) = live.end();
        let document = parse(&lines.join("\n"));
        let whole = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
        assert_eq!(document["captures"][0]["packets"], whole, "cut after {cut} octets");
        if ends.contains(&cut) {
            assert_eq!((code, complaint.as_str()), (Some(0), ""), "cut after {cut} octets");
        } else {
            assert_eq!(code, Some(2), "cut after {cut} octets: {complaint}");
            assert_eq!(complaint.lines().count(), 1, "cut after {cut} octets: {complaint}");
        }
    }
}

/// Packets that hold no TCP, more of them than a pipe holds: when all are written, some have been read.
fn filler(after: &Pcap) -> Vec<u8> {
    let mut record = after.records.last().expect("a packet")[..8].to_vec();
    record.extend(1000_u32.to_ne_bytes());
    record.extend(1000_u32.to_ne_bytes());
    record.resize(16 + 1000, 0);
    let pipe = 1 << 16;
    record.repeat(pipe / 1000 + 1)
}

#[test]
fn an_interrupt_on_a_silent_pipe_ends_with_the_result_so_far() {
    let capture = Pcap::of("answered.pcap");
    let mut live = Live::start(&["analyze", "-"]);
    live.write(&capture.octets());
    // Now it reads, so its handler stands.
    live.write(&filler(&capture));
    let kill = Command::new("sh").args(["-c", &format!("kill -INT {}", live.child.id())]).status();
    assert!(kill.expect("a shell").success());
    let (lines, code, complaint) = live.end();
    let said = lines.join("\n");
    assert_eq!((code, complaint.as_str()), (Some(130), ""), "{said}");
    assert!(said.contains("13 TCP segments"), "{said}");
    assert!(said.contains("client sent 4 probes (no data), all answered"), "{said}");
    assert!(live.input.is_some());
}
