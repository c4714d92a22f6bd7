//! What is listed, judged and refused.

use std::process::Command;

use serde_json::Value;

use crate::net::{CLIENT, SERVER};
use crate::other::{Other, field, ss};
use crate::program::Program;
use crate::{check, hosts, only};

/// A time as `ss` has it, in milliseconds, beside one of ours in seconds: `ss` looked later, but not long after.
fn is_soon_after(theirs: &str, ours: &Value) -> bool {
    let theirs: f64 = theirs.parse().expect("milliseconds");
    let ours = ours.as_f64().expect("seconds") * 1000.0;
    // Each asks the kernel once; a busy machine may take its time between.
    (ours..ours + 30_000.0).contains(&theirs)
}

#[test]
fn the_list_is_what_ss_shows() {
    let Some(net) = hosts() else { return };
    let mut pairs = [0, 1, 0].map(|version| Other::pair(&net.client, &net.server, SERVER[version]));
    pairs[1].0.tell("keepalive 100 30 4", "set");
    let ended = check(&net.client, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.complaints);
    let document = ended.document();
    let lines = ss(&net.client);
    let listed = document["connections"].as_array().expect("connections");
    assert_eq!((listed.len(), lines.len()), (3, 3), "{document}\n{lines:?}");
    for (one, (pair, version)) in pairs.iter().zip([0, 1, 0]).map(|(pair, version)| {
        let port = format!("]:{}", pair.0.port);
        let local = if version == 1 {
            format!("[{}{port}", CLIENT[1])
        } else {
            format!("{}{}", CLIENT[0], &port[1..])
        };
        let found = listed.iter().find(|one| one["local"] == local.as_str());
        (found.unwrap_or_else(|| panic!("{local} in {document}")), (&pair.0, version))
    }) {
        let line = lines.iter().find(|line| line.contains(one["local"].as_str().expect("an end")));
        let line = line.expect("the same connection");
        assert!(line.contains(one["peer"].as_str().expect("an end")), "{line}");
        assert_eq!(field(line, "ino"), Some(one["inode"].to_string().as_str()), "{line}");
        assert_eq!(one["processes"][0]["pid"], pair.pid());
        assert!(line.contains(&format!("pid={},", pair.pid())), "{line}");
        for (theirs, ours) in [
            ("lastsnd", "last_data_sent_s"),
            ("lastrcv", "last_data_received_s"),
            ("lastack", "last_ack_received_s"),
        ] {
            assert!(is_soon_after(field(line, theirs).expect(theirs), &one[ours]), "{line}\n{one}");
        }
        let is_on = line.contains("timer:(keepalive,");
        assert_eq!(
            (is_on, &one["keepalive"]),
            (version == 1, &if is_on { "on" } else { "off" }.into()),
            "{line}"
        );
        assert_eq!(one["timer"]["kind"], if is_on { "keepalive" } else { "off" });
    }
}

#[test]
fn a_selection_selects_and_names_what_is_not_there() {
    let Some(net) = hosts() else { return };
    let pairs = [0, 1].map(|version| Other::pair(&net.client, &net.server, SERVER[version]));
    let [(v4, server), (v6, _)] = &pairs;
    let tuple = format!("{}:{}-{}:{}", CLIENT[0], v4.port, SERVER[0], server.port);
    for selection in [[tuple.as_str(), "--port"].as_slice(), &["--port"]] {
        let port = v4.port.to_string();
        let one = only(&check(&net.client, &[selection, &[&port]].concat()));
        assert_eq!(one["processes"][0]["pid"], v4.pid());
    }
    // A process is looked for where it is, and that is said.
    let pid = v6.pid().to_string();
    let ended = Program::keepscope(&["check", "--pid", &pid, "--format", "json"]).end();
    assert!(only(&ended)["local"].as_str().expect("an end").starts_with('['));
    assert!(ended.complaints.contains("in another network namespace"), "{}", ended.complaints);
    let missing = format!("{}:1-{}:{}", CLIENT[0], SERVER[0], server.port);
    for (options, complaint) in [
        (vec![missing.as_str()], "no established connection"),
        (vec!["--port", "1", "--test"], "there is no such connection"),
        (vec!["--test"], "required"),
        (vec!["--port", "1", "--confirm"], "--test"),
        (vec!["nonsense"], "write it like"),
    ] {
        let ended = check(&net.client, &options);
        assert_eq!(ended.code, Some(2), "{options:?}");
        assert!(ended.complaints.contains(complaint), "{options:?}: {}", ended.complaints);
    }
}

#[test]
fn keepalives_are_judged_by_what_is_known_of_them() {
    let Some(net) = hosts() else { return };
    let cases = [
        ("keepalive 150 30 4", "unknown", "safe"),
        ("keepalive 340 30 4", "unknown", "unsafe"),
        ("keepalive 7200 75 9", "unsafe", "unsafe"),
        ("", "unsafe", "unsafe"),
    ];
    for (command, without, with) in cases {
        let (mut client, _server) = Other::pair(&net.client, &net.server, SERVER[0]);
        if !command.is_empty() {
            client.tell(command, "set");
        }
        let port = client.port.to_string();
        let one = only(&check(&net.client, &["--port", &port, "--timeout", "350s"]));
        assert_eq!(one["judgement"]["verdict"], without, "{command}: {one}");
        assert_eq!(one["settings"], Value::Null);
        let one = only(&check(&net.client, &["--port", &port, "--timeout", "350s", "--settings"]));
        assert_eq!(one["judgement"]["verdict"], with, "{command}: {one}");
        if let Some(idle) = command.split(' ').nth(1) {
            assert_eq!(one["settings"]["idle_s"].as_f64(), idle.parse().ok(), "{one}");
        }
    }
}

#[test]
fn without_rights_there_is_a_list_but_no_test() {
    let Some(net) = hosts() else { return };
    let (client, _server) = Other::pair(&net.client, &net.server, SERVER[0]);
    let port = client.port.to_string();
    let run = |options: &[&str]| {
        let arguments = [&["check", "--format", "json", "--port", &port], options].concat();
        Program::without_rights(&net.client, &arguments).end()
    };
    assert_eq!(run(&[]).code, Some(0));
    let ended = run(&["--test"]);
    assert_eq!(ended.code, Some(3), "{}", ended.complaints);
    assert!(ended.complaints.contains("CAP_NET_RAW"), "{}", ended.complaints);
    let text = Command::new(env!("CARGO_BIN_EXE_keepscope"))
        .args(["check", "--netns", &net.client])
        .output()
        .expect("keepscope runs");
    let text = String::from_utf8(text.stdout).expect("UTF-8");
    assert!(text.contains("LOCAL") && text.contains("1 connection; "), "{text}");
}
