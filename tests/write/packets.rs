//! The packets: as they were, all of the chosen connections and no others.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::{analyze_json, block, capture_path, has, indexed, keepscope, scratch, text};
use crate::{fields, written};

const AS_THEY_WERE: [&str; 6] =
    ["frame.time_epoch", "frame.len", "frame.cap_len", "frame.encap_type", "ip.id", "tcp.seq_raw"];

/// What is said of each connection, without the numbers of frames, which count anew in a written file.
fn findings(document: &Value) -> Vec<Value> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for name in ["id", "frame", "evidence", "evidence_at", "reason", "capture"] {
                    fields.remove(name);
                }
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut connections = document["connections"].as_array().expect("connections").clone();
    connections.iter_mut().for_each(strip);
    connections
}

#[test]
fn the_same_is_found_in_what_was_written() {
    for capture in indexed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")) {
        let path = written("same", &capture, &["--all", "--quiet"]);
        let (before, after) =
            (analyze_json(&["--all", &capture_path(&capture)]), analyze_json(&["--all", text(&path)]));
        assert_eq!(findings(&before), findings(&after), "{capture}");
        let problems = after["captures"][0]["problems"].as_array().expect("problems");
        assert!(problems.iter().all(|problem| problem["damage"] == false), "{capture}: {problems:?}");
    }
}

/// Also where lives of one 4-tuple follow each other.
#[test]
fn each_connection_alone_is_whole() {
    for capture in ["reused_port.pcap", "many.pcap", "both.pcap"] {
        let document = analyze_json(&["--all", &capture_path(capture)]);
        let all = findings(&document);
        for (index, expected) in all.iter().enumerate() {
            let number = (index + 1).to_string();
            let path = written("alone", capture, &["--connection", &number]);
            let found = findings(&analyze_json(&["--all", text(&path)]));
            assert_eq!(found, std::slice::from_ref(expected), "{capture} {number}");
        }
    }
}

#[test]
fn packets_are_as_they_were() {
    if !has("tshark") {
        return;
    }
    for capture in [
        "answered.pcap",
        "any.pcap",
        "any_sll.pcap",
        "gzip.pcap.gz",
        "icmp_unreachable.pcap",
        "ipv6.pcap",
        "lwip.pcap",
        "nanoseconds.pcap",
        "qinq.pcap",
        "snaplen54.pcap",
        "two_interfaces.pcapng",
        "vlan.pcap",
    ] {
        let path = written("packets", capture, &["--all"]);
        let original = fields(Path::new(&capture_path(capture)), &AS_THEY_WERE);
        let found = fields(&path, &AS_THEY_WERE);
        // What is no part of a connection (ARP) is not written.
        let mut left = original.iter();
        for packet in &found {
            assert!(left.any(|other| other == packet), "{capture}: {packet:?} is not in {original:?}");
        }
        let document = analyze_json(&["--all", &capture_path(capture)]);
        let count = |name| document["captures"][0][name].as_u64().expect("a count");
        assert_eq!(found.len() as u64, count("tcp_segments") + count("icmp_errors"), "{capture}");
    }
}

/// Link types that the lab does not make.
#[test]
fn raw_ip_and_check_sequences_stay_what_they_are() {
    if !has("tshark") {
        return;
    }
    let folder = scratch("write-links");
    let ethernet = crate::common::Pcap::of("answered.pcap");
    // As raw IP, without the 14 octets of Ethernet.
    let mut raw = ethernet.clone();
    raw.header[20..24].copy_from_slice(&101_u32.to_ne_bytes());
    for record in &mut raw.records {
        record.drain(16..30);
        for at in [8, 12] {
            let length = u32::from_ne_bytes(record[at..at + 4].try_into().expect("four octets")) - 14;
            record[at..at + 4].copy_from_slice(&length.to_ne_bytes());
        }
    }
    // With a frame check sequence of 4 octets at the end.
    let mut checked = ethernet.clone();
    checked.header[20..24].copy_from_slice(&0x2400_0001_u32.to_ne_bytes());
    for record in &mut checked.records {
        record.extend([0xaa; 4]);
        for at in [8, 12] {
            let length = u32::from_ne_bytes(record[at..at + 4].try_into().expect("four octets")) + 4;
            record[at..at + 4].copy_from_slice(&length.to_ne_bytes());
        }
    }
    for (name, pcap) in [("raw", raw), ("checked", checked)] {
        let source = folder.join(format!("{name}.pcap"));
        std::fs::write(&source, pcap.octets()).expect("a capture");
        for suffix in ["pcapng", "pcap"] {
            let out = folder.join(format!("{name}-out.{suffix}"));
            let output = keepscope(&["analyze", "--write", text(&out), text(&source)]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let names = [&AS_THEY_WERE[..], &["tcp.len", "eth.fcs"]].concat();
            assert_eq!(fields(&source, &names), fields(&out, &names), "{name} {suffix}");
            let (before, after) = (analyze_json(&[text(&source)]), analyze_json(&[text(&out)]));
            assert_eq!(findings(&before), findings(&after), "{name} {suffix}");
        }
    }
}

#[test]
fn several_captures_become_one_with_an_interface_each() {
    if !has("tshark") {
        return;
    }
    let path = scratch("write-several").join("out.pcapng");
    let sources = ["any.pcap", "answered.pcap", "two_interfaces.pcapng"].map(capture_path);
    let arguments =
        [&["analyze", "--write", text(&path)], &sources.each_ref().map(String::as_str)[..]].concat();
    assert!(keepscope(&arguments).status.success());
    let mut interfaces: Vec<String> = fields(&path, &["frame.interface_description"])
        .into_iter()
        .map(|mut field| field.remove(0))
        .collect();
    interfaces.sort_unstable();
    interfaces.dedup();
    let mut expected = Vec::new();
    for (source, count) in sources.iter().zip([1, 1, 2]) {
        expected.extend((0..count).map(|number| format!("interface {number} of {source}")));
    }
    expected.sort_unstable();
    assert_eq!(interfaces, expected);
    let files = sources.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(findings(&analyze_json(&files)), findings(&analyze_json(&[text(&path)])));
}

#[test]
fn only_the_chosen_connections_are_written() {
    if !has("tshark") {
        return;
    }
    let path = written("chosen", "many.pcap", &["--filter", "port:7083"]);
    let ports = fields(&path, &["tcp.srcport", "tcp.dstport"]);
    assert!(!ports.is_empty());
    assert!(ports.iter().all(|ports| ports.iter().any(|port| port == "7083")), "{ports:?}");
}

#[test]
fn every_format_of_the_result_writes_the_same_file() {
    let octets = |format| {
        let path = written(&format!("format-{format}"), "many.pcap", &["--format", format]);
        std::fs::read(path).expect("the file")
    };
    let text = octets("text");
    for format in ["json", "jsonl", "csv"] {
        assert_eq!(octets(format), text, "{format}");
    }
}

#[test]
fn the_file_is_written_although_nobody_reads_the_result() {
    let path = scratch("write-unread").join("out.pcapng");
    let status = Command::new("sh")
        .args(["-c", "\"$0\" analyze --write \"$1\" \"$2\" | true"])
        .args([env!("CARGO_BIN_EXE_keepscope"), text(&path), &capture_path("answered.pcap")])
        .status();
    assert!(status.expect("a shell").success());
    assert!(path.exists());
}

/// A pcapng option, padded.
fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let mut made = [&code.to_ne_bytes()[..], &(value.len() as u16).to_ne_bytes(), value].concat();
    made.resize(made.len().next_multiple_of(4), 0);
    made
}

/// The names of interfaces and the flags of packets of a pcapng source.
#[test]
fn interface_names_and_packet_flags_stay() {
    if !has("tshark") {
        return;
    }
    let folder = scratch("write-names");
    let mut capture = crate::common::Pcap::of("answered.pcap").to_pcapng();
    let section = capture.header[..28].to_vec();
    let names = [option(2, b"uplink0"), option(3, "to the süd router".as_bytes()), option(0, &[])].concat();
    let interface = block(1, &[&[1, 0, 0, 0, 0, 0, 0, 0][..], &names].concat());
    capture.header = [section, interface].concat();
    for (number, record) in capture.records.iter_mut().enumerate() {
        // Received, or sent by the host of the capture; the first packet has none.
        let flags = option(2, &(1 + number as u32 % 2).to_ne_bytes());
        let options = if number == 0 { Vec::new() } else { [flags, option(0, &[])].concat() };
        *record = block(6, &[&record[8..record.len() - 4], &options].concat());
    }
    let (source, out) = (folder.join("source.pcapng"), folder.join("out.pcapng"));
    std::fs::write(&source, capture.octets()).expect("written");
    assert!(keepscope(&["analyze", "--write", text(&out), text(&source)]).status.success());
    let names = ["frame.interface_name", "frame.interface_description", "frame.packet_flags", "ip.id"];
    let found = fields(&out, &names);
    assert_eq!(found, fields(&source, &names));
    assert_eq!(found[1][..3], ["uplink0", "to the süd router", "0x00000002"], "{found:?}");
}
