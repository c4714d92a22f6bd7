//! What `--write` writes: the same for the same seed, and nothing that tshark complains about.

use std::path::Path;

use crate::common::{analyze_json, has, run, scratch, text};
use crate::{complaint, names, simulate};

fn write(path: &Path, arguments: &[&str]) {
    let output = simulate(&[arguments, &["--write", text(path)]].concat());
    assert!(path.exists(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_same_seed_gives_the_same_octets_and_another_one_others() {
    let folder = scratch("scenario-seeds");
    for suffix in ["pcapng", "pcap"] {
        let [one, two, other] = ["one", "two", "other"].map(|name| folder.join(format!("{name}.{suffix}")));
        write(&one, &["lossy-path", "--seed", "7"]);
        write(&two, &["lossy-path", "--seed", "7"]);
        write(&other, &["lossy-path", "--seed", "8"]);
        let read = |path: &Path| std::fs::read(path).expect("a file");
        assert_eq!(read(&one), read(&two));
        assert_ne!(read(&one), read(&other));
    }
}

#[test]
fn files_are_not_replaced_without_force() {
    let folder = scratch("scenario-force");
    let path = folder.join("out.pcapng");
    write(&path, &["peer-gone"]);
    let message = complaint(&simulate(&["peer-gone", "--write", text(&path)]));
    assert!(message.contains("this file exists"), "{message}");
    assert_eq!(simulate(&["peer-gone", "--force", "--write", text(&path)]).status.code(), Some(0));
    let message = complaint(&simulate(&["peer-gone", "--write", text(&folder.join("out.txt"))]));
    assert!(message.contains("name it .pcapng"), "{message}");
}

/// The analyzer says of the file what the simulation said that it would.
#[test]
fn a_written_capture_shows_what_was_said() {
    let folder = scratch("scenario-analyze");
    for name in names() {
        let path = folder.join(format!("{name}.pcapng"));
        write(&path, &[&name]);
        let said = crate::json(&[&name]);
        let shown = analyze_json(&["--all", text(&path)]);
        let outcomes = |connections: &serde_json::Value| {
            let connections = connections.as_array().expect("connections").clone();
            connections.iter().map(|one| (one["client"].clone(), one["outcome"].clone())).collect::<Vec<_>>()
        };
        assert_eq!(outcomes(&shown["connections"]), outcomes(&said["captures"][0]["connections"]), "{name}");
    }
}

#[test]
fn tshark_has_no_complaint() {
    if !has("tshark") {
        return;
    }
    let folder = scratch("scenario-tshark");
    for name in names() {
        let path = folder.join(format!("{name}.pcapng"));
        write(&path, &[&name, "--at", "server"]);
        let mut arguments = vec!["-n", "-r", text(&path), "-o", "ip.check_checksum:TRUE"];
        arguments.extend(["-o", "tcp.check_checksum:TRUE", "-T", "fields"]);
        for field in ["frame.number", "ip.checksum.status", "tcp.checksum.status", "_ws.malformed"] {
            arguments.extend(["-e", field]);
        }
        let packets = run("tshark", &arguments);
        for (index, line) in packets.lines().enumerate() {
            // 1 is "good"; a RST in an ICMP error aside, which no scenario here has, each packet has both.
            assert_eq!(line.trim_end(), format!("{}\t1\t1", index + 1), "{name}");
        }
        let said = crate::json(&[&name, "--at", "server"]);
        assert_eq!(
            packets.lines().count() as u64,
            said["captures"][0]["packets"].as_u64().unwrap(),
            "{name}"
        );
    }
}
