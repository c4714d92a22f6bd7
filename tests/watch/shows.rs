//! The same probers, settings and outcomes as in tcpdump's capture of the same, and each as soon as it is known.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::common::{analyze_json, scratch, text};
use crate::net::{SERVER, Tcpdump, Witnessed};
use crate::program::Program;
use crate::{Probed, silence, watch, world};

/// Writes what tcpdump saw as a capture.
fn write(file: &Path, packets: &[Witnessed]) {
    let mut octets = Vec::new();
    // pcap with nanoseconds, version 2.4, Ethernet.
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        octets.extend(word.to_le_bytes());
    }
    for packet in packets {
        let length = packet.octets.len() as u32;
        let (seconds, nanos) = (packet.nanos / 1_000_000_000, packet.nanos % 1_000_000_000);
        for word in [seconds as u32, nanos as u32, length, length] {
            octets.extend(word.to_le_bytes());
        }
        octets.extend(&packet.octets);
    }
    std::fs::write(file, octets).expect("a file");
}

/// What two views of the same connections must agree in: all but frame numbers and the last digits of times.
fn gist(document: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = document["connections"]
        .as_array()
        .expect("connections")
        .iter()
        .map(|connection| {
            let probers = connection["probers"].as_array().expect("probers").iter();
            let settings = |prober: &Value| {
                let best = &prober["settings"][0];
                serde_json::json!([best["stack"], best["idle_s"], best["interval_s"], best["count"]])
            };
            let probers: Vec<Value> = probers
                .map(|prober| {
                    serde_json::json!([
                        prober["endpoint"],
                        prober["sent"],
                        prober["answered"],
                        settings(prober)
                    ])
                })
                .collect();
            serde_json::json!([connection["client"], connection["server"], connection["outcome"], probers])
        })
        .collect();
    all.sort_by_key(Value::to_string);
    all
}

#[test]
fn a_watch_sees_what_tcpdump_sees() {
    let Some(net) = world() else { return };
    let folder = scratch("watch-witness");
    let (file, recording) = (folder.join("tcpdump.pcap"), folder.join("watch.pcapng"));
    let mut witness = Tcpdump::on(&net.client, "c0", "tcp");
    let options = ["--interface", "c0", "--format", "json", "--write", text(&recording)];
    let program = watch(&net.client, &options);
    // Over both versions of IP: one dies, one is closed after answers, one sends data and is not probed.
    let mut dies = Probed::new(&net, SERVER[0], 1, 1, 2);
    let lives = Probed::new(&net, SERVER[1], 1, 1, 2);
    let quiet = Probed::new(&net, SERVER[1], 60, 1, 2);
    (&quiet.client).write_all(&[7; 5000]).expect("data");
    let mut wait = watch(&net.client, &["--interface", "c0", "--format", "jsonl"]);
    let port = format!(":{}", lives.address.port());
    wait_for_answers(&mut wait, &port, 2);
    drop(lives);
    silence(&net);
    // The kernel gives up.
    dies.client.set_nonblocking(false).expect("a socket");
    let error = std::io::Read::read(&mut dies.client, &mut [0; 1]).expect_err("nobody answers");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    // All packets are there when the last one is, which is our own.
    wait.wait_for("\"reset\"");
    program.signal("INT");
    let ended = program.end();
    assert_eq!(ended.code, Some(130), "{}{}", ended.out, ended.complaints);
    let seen = ended.document();
    assert!(seen["captures"][0]["dropped"].is_null(), "nothing was dropped: {}", ended.out);
    let segments = seen["captures"][0]["tcp_segments"].as_u64().expect("a number");
    write(&file, &witness.packets(segments as usize));
    let captured = analyze_json(&[text(&file)]);
    assert_eq!(gist(&seen), gist(&captured));
    assert_eq!(gist(&seen), gist(&analyze_json(&[text(&recording)])));
    let outcomes: Vec<&Value> =
        seen["connections"].as_array().expect("two").iter().map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes.len(), 2, "{}", ended.out);
    assert!(
        outcomes.contains(&&Value::from("timed_out")) && outcomes.contains(&&Value::from("closed")),
        "{outcomes:?}"
    );
    drop(wait);
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

/// Waits until probes of the connection with this in its server were answered.
fn wait_for_answers(program: &mut crate::program::Program, server: &str, count: usize) {
    let opened = loop {
        let line = program.wait_for("\"opened\"");
        if line.contains(server) {
            break serde_json::from_str::<Value>(&line).expect("a line");
        }
    };
    let mut seen = 0;
    while seen < count {
        let line: Value = serde_json::from_str(&program.wait_for("\"answer\"")).expect("a line");
        seen += usize::from(line["type"] == "answer" && line["connection"] == opened["connection"]);
    }
}

#[test]
fn settings_and_silences_are_told_when_they_are_known() {
    let Some(net) = world() else { return };
    let mut program = watch(&net.client, &["--format", "jsonl"]);
    let probed = Probed::new(&net, SERVER[1], 1, 1, 4);
    let first: Value = serde_json::from_str(&program.wait_for("\"settings\"")).expect("a line");
    assert_eq!(first["type"], "settings");
    assert_eq!(first["endpoint"], "client");
    let best = &first["inference"]["settings"][0];
    assert_eq!((&best["stack"], best["idle_s"].as_f64()), (&"linux".into(), Some(1.0)), "{first}");
    silence(&net);
    // Both are told before the connection ends.
    let silent: Value = serde_json::from_str(&program.wait_for("\"silence\"")).expect("a line");
    assert_eq!((&silent["endpoint"], &silent["unanswered"]), (&"client".into(), &1.into()));
    // What was counted on so far changes with what is seen.
    let mut line = program.wait_for("\"type\":\"settings\"");
    while !line.contains("\"interval_s\":1.0") {
        line = program.wait_for("\"type\":\"settings\"");
    }
    drop(probed);
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(130), "{}", ended.complaints);
    assert!(ended.out.contains("\"type\":\"final\""), "{}", ended.out);
    assert!(ended.last_line()["type"] == "capture" && ended.last_line()["packets"].as_u64() > Some(4));
}

#[test]
fn a_peer_that_comes_back_is_said_to_answer_again() {
    let Some(net) = world() else { return };
    let mut program = watch(&net.client, &["--interface", "c0"]);
    let probed = Probed::new(&net, SERVER[0], 1, 1, 9);
    program.wait_for("answered in");
    silence(&net);
    let line = program.wait_for("NO LONGER ANSWERS");
    assert!(line.contains(&format!("{} NO LONGER ANSWERS, silent for", probed.address)), "{line}");
    net.nft("delete table inet silence");
    let line = program.wait_for("answers again");
    assert!(line.contains(&probed.address.to_string()), "{line}");
    program.signal("INT");
    let ended = program.end();
    assert_eq!(ended.code, Some(130));
    let summary = ended.out.split_once("\n\n").expect("a summary").1;
    assert!(summary.contains("keepalives in 1 of 1 connection"), "{summary}");
    assert!(summary.contains("ALIVE"), "{summary}");
    drop(probed.server);
}

#[test]
fn a_filter_chooses_connections_as_for_captures() {
    let Some(net) = world() else { return };
    let filter = format!("addr:{}", SERVER[0]);
    let mut all = watch(&net.client, &["--format", "jsonl"]);
    let chosen = watch(&net.client, &["--filter", &filter, "--format", "json"]);
    let wanted = Probed::new(&net, SERVER[0], 1, 1, 2);
    let other = Probed::new(&net, SERVER[1], 1, 1, 2);
    let port = format!(":{}", other.address.port());
    wait_for_answers(&mut all, &port, 2);
    chosen.signal("INT");
    let document = chosen.end().document();
    let found = document["connections"].as_array().expect("connections");
    assert_eq!(found.len(), 1, "{document}");
    assert_eq!(found[0]["server"], wanted.address.to_string());
}

/// Packets of other ports are not read, over both versions of IP; what is shown of the others stays the same.
#[test]
fn a_filter_leaves_other_packets_to_the_kernel() {
    let Some(net) = world() else { return };
    let chatty: Vec<Probed> = SERVER.iter().map(|server| Probed::new(&net, server, 60, 1, 2)).collect();
    let wanted: Vec<Probed> = SERVER.iter().map(|server| Probed::new(&net, server, 1, 1, 2)).collect();
    let [one, other] = [0, 1].map(|number: usize| wanted[number].address.port());
    let filter = format!("port:{one},{other}");
    let options = ["--interface", "c0", "--format", "json"];
    let mut all = watch(&net.client, &["--interface", "c0", "--format", "jsonl"]);
    let whole = watch(&net.client, &options);
    let mut narrow = Program::keepscope(
        &[&["watch", "--netns", net.client.as_str(), "--filter", &filter], &options[..]].concat(),
    );
    narrow.wait_for_complaint(&format!("watching c0 for TCP of {filter} and ICMP errors"));
    // Hundreds of packets of other ports, all of which the wide watch reads.
    for _ in 0..200 {
        for connection in &chatty {
            (&connection.client).write_all(&[7; 1000]).expect("data");
            std::io::Read::read_exact(&mut &connection.server, &mut [0; 1000]).expect("data");
        }
    }
    // Only those two connections are probed so soon.
    let mut answers = std::collections::BTreeMap::new();
    while answers.len() < 2 || answers.values().any(|count| *count < 2) {
        let line: Value = serde_json::from_str(&all.wait_for("\"type\":\"answer\"")).expect("a line");
        *answers.entry(line["connection"].to_string()).or_insert(0) += 1;
    }
    all.signal("INT");
    assert_eq!(all.end().code, Some(130));
    whole.signal("INT");
    narrow.signal("INT");
    let (whole, narrow) = (whole.end().document(), narrow.end().document());
    let packets = |document: &Value| document["captures"][0]["packets"].as_u64().expect("a number");
    assert!(packets(&whole) >= 400, "{whole}");
    assert!((4..100).contains(&packets(&narrow)), "{narrow}");
    let chosen: Vec<Value> = narrow["connections"].as_array().expect("connections").clone();
    assert_eq!(chosen.len(), 2, "{narrow}");
    for connection in &chosen {
        let prober = &connection["probers"][0];
        assert!(prober["sent"].as_u64() >= Some(2) && prober["answered"].as_u64() >= Some(1), "{connection}");
        assert_eq!(prober["settings"][0]["stack"], "linux");
    }
    // Who was the client is not known of connections that were there before.
    let ends: Vec<&Value> =
        chosen.iter().flat_map(|connection| [&connection["client"], &connection["server"]]).collect();
    for probed in &wanted {
        assert!(ends.contains(&&Value::from(probed.address.to_string())), "{ends:?}");
    }
}
