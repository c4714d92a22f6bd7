//! Large captures: what is left out is said, and the document stays of a size that can be sent.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{Pcap, scratch, text};
use crate::{array, assert_sound, read, words, write};

/// Hours of keepalives every few seconds, of which a few are lost.
const LONG: &str = r#"
title = "Hours"
length = "21600s"
path = ["wan"]

[client]
stack = "linux"
hz = 250
idle = "5s"
interval = "2s"
count = 9

[server]

[link.wan]
delay = "10ms"
lose_probes = [100, 200, 300, 1500, 1501, 3000]
"#;

#[test]
fn of_a_long_connection_the_relevant_parts_are_drawn() {
    let folder = scratch("html_long");
    let capture = folder.join("long.pcap");
    let mut simulator = Command::new(env!("CARGO_BIN_EXE_keepscope"))
        .args(["simulate", "--write", text(&capture), "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("keepscope runs");
    simulator.stdin.take().expect("a pipe").write_all(LONG.as_bytes()).expect("a scenario");
    assert!(simulator.wait().expect("an end").success());
    let path = write(&folder, "long", &[text(&capture)]);
    let octets = std::fs::metadata(&path).expect("a file").len();
    assert!(octets < 200_000, "{octets} octets");
    let Some(documents) = read(&[path]) else { return };
    assert_sound("long", &documents[0]);
    let connection = &documents[0]["connections"][0];
    let shapes = |picture: &str, form: &str| connection[picture]["shapes"][form].as_u64().unwrap_or(0);
    assert_eq!(shapes("ladder", "lost"), 6, "all that were lost");
    let answered = shapes("ladder", "probe");
    assert!((10..60).contains(&answered), "{answered} of those that were answered");
    let left_out = numbers_after(words(&connection["ladder"]["text"]), "left out: ");
    let sent = words(&documents[0]["listed"][0][3]).parse::<u64>().expect("a number");
    assert!(sent > 4_000, "{sent}");
    assert_eq!(left_out + answered + 6, sent, "what is drawn and what is left out");
    // Near signs are drawn as one: at most one of each form in four units of 668.
    let signs: u64 = ["probe", "answer", "lost"].iter().map(|form| shapes("timeline", form)).sum();
    assert!((300..700).contains(&signs), "{signs}");
    assert!(shapes("timeline", "lost") >= 4, "the lost stay to be seen");
}

/// The sum of the numbers that stand right behind these words.
fn numbers_after(text: &str, words: &str) -> u64 {
    let pieces = text.split(words).skip(1);
    pieces.filter_map(|piece| piece.split(' ').next()?.parse::<u64>().ok()).sum()
}

/// The packets of a capture once for each client port.
fn multiplied(name: &str, times: u16) -> Vec<u8> {
    const PORTS: usize = 16 + 14 + 20;
    let one = Pcap::of(name);
    let client = [one.records[0][PORTS], one.records[0][PORTS + 1]];
    let mut octets = one.header.clone();
    for copy in 0..times {
        for record in &one.records {
            let mut record = record.clone();
            let at = if record[PORTS..PORTS + 2] == client { PORTS } else { PORTS + 2 };
            record[at..at + 2].copy_from_slice(&(10_000 + copy).to_be_bytes());
            octets.extend(record);
        }
    }
    octets
}

#[test]
fn of_many_connections_the_first_are_drawn_more_are_listed_and_the_others_counted() {
    let folder = scratch("html_connections");
    let capture = folder.join("many.pcap");
    std::fs::write(&capture, multiplied("vanish.pcap", 1_200)).expect("a file to write");
    let path = write(&folder, "many", &[text(&capture)]);
    let octets = std::fs::metadata(&path).expect("a file").len();
    assert!(octets < 2_000_000, "{octets} octets");
    let Some(documents) = read(&[path]) else { return };
    assert_sound("many", &documents[0]);
    assert_eq!(array(&documents[0]["connections"]).len(), 50);
    assert_eq!(array(&documents[0]["listed"]).len(), 1_000);
    let said = words(&documents[0]["text"]);
    for line in
        ["Keepalives in 1200 of 1200", "200 more connections are not listed", "1150 more connections with"]
    {
        assert!(said.contains(line), "{line}");
    }
    let links = |row: &Value| row[1] == "TIMED OUT";
    assert!(array(&documents[0]["listed"]).iter().all(links));
}

#[test]
fn connections_that_were_let_go_are_spoken_of() {
    let folder = scratch("html_let_go");
    let capture = folder.join("fleet.pcap");
    let fleet = ["simulate", "--fleet", "--connections", "20", "--rate", "10", "--lasting", "60s"];
    let mix = ["--mix", "linux@10s/5s/4", "--write", text(&capture)];
    let written = Command::new(env!("CARGO_BIN_EXE_keepscope")).args(fleet).args(mix).output();
    assert!(written.expect("keepscope runs").status.success());
    for (most, spoken_of) in [("5", true), ("1000", false)] {
        let path = write(&folder, &format!("at-most-{most}"), &["--max-connections", most, text(&capture)]);
        let page = std::fs::read_to_string(&path).expect("a page");
        let said = page.contains(&format!("let go early, as no more than {most} are followed at once"));
        assert_eq!(said, spoken_of, "{most}");
    }
}
