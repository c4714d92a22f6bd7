//! How connections end, and the exit codes.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::common::{has, skip};
use crate::lab::{Lab, SERVER, Server, ip, until};
use crate::{command, probe, probe_watched};

#[test]
fn a_peer_that_is_there_is_alive_over_both_versions_of_ip() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    for version in [0, 1] {
        let run = probe_watched(&lab, &server.target(version), &["--rounds", "3"], || {});
        run.expect("alive", 0);
        assert_eq!(run.probes().len(), 3);
        for probe in run.probes() {
            assert_eq!((&probe["answer"]["kind"], &probe["octets"]), (&"ack".into(), &0.into()));
            assert_eq!((probe["ttl"].as_u64(), probe["answer"]["ttl"].as_u64()), (Some(64), Some(63)));
        }
        // Both FINs: in order.
        assert_eq!(run.document["connections"][0]["outcome"], "closed");
        assert_eq!(run.document["probe"]["received"]["dropped"], 0);
    }
}

#[test]
fn a_host_that_was_silenced_is_silent_since_its_last_answer() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    for version in [0, 1] {
        let run =
            probe_watched(&lab, &server.target(version), &["--rounds", "100"], || lab.silence(&lab.server));
        run.expect("silent", 1);
        let (verdict, probes) = (run.verdict(), run.probes());
        let mut answered = probes.iter().filter(|probe| !probe["answer"].is_null());
        let last = answered.next_back().expect("an answer");
        assert_eq!(verdict["last_life"]["frame"], last["answer"]["frame"]);
        assert_eq!(verdict["evidence"].as_array().map(Vec::len), Some(3), "{verdict}");
        lab.nft(&lab.server, &["delete table inet q"]);
    }
}

#[test]
fn a_peer_that_forgot_the_connection_resets_it() {
    let Some(lab) = Lab::new() else { return };
    for version in [0, 1] {
        let server = Server::on(&lab);
        let run = probe_watched(&lab, &server.target(version), &["--rounds", "100"], || server.forget(&lab));
        run.expect("reset_by_peer", 1);
        let last = run.probes().pop().expect("a probe");
        assert_eq!(last["answer"]["kind"], "reset");
        let frames = [&last["frame"], &last["answer"]["frame"]];
        assert_eq!(run.verdict()["evidence"].as_array().unwrap().iter().collect::<Vec<_>>(), frames);
    }
}

#[test]
fn a_peer_that_closes_is_told_from_one_that_is_gone() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let run = probe_watched(&lab, &server.target(0), &["--rounds", "100"], || server.close());
    run.expect("closed_by_peer", 1);
}

#[test]
fn what_does_not_open_says_why() {
    let Some(lab) = Lab::new() else { return };
    let refused = probe(&lab, &format!("{}:9", SERVER[0]), &[]);
    refused.expect("refused", 1);
    assert_eq!(refused.verdict()["evidence"].as_array().map(Vec::len), Some(2), "the SYN and the RST");
    // Nobody has that address: the router says so, after it has asked for it.
    let unreachable = probe(&lab, "198.51.100.77:9", &[]);
    unreachable.expect("unreachable", 1);
    assert_eq!(unreachable.verdict()["icmp"]["reporter"], "192.0.2.254");
    lab.silence(&lab.server);
    probe(&lab, &format!("{}:9", SERVER[0]), &["--connect-timeout", "300ms"]).expect("silent", 1);
}

#[test]
fn an_address_that_vanishes_is_no_silence_of_the_peer() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let gone = || ip(&format!("-n {} addr flush dev c0", lab.client));
    let run = probe_watched(&lab, &server.target(0), &["--rounds", "100"], gone);
    run.expect("inconclusive", 4);
}

#[test]
fn an_interface_that_goes_down_is_no_silence_of_the_peer() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let mut child = command(&lab, &server.target(0), &["--rounds", "100"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("keepscope runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("answered by ACK"))));
    ip(&format!("-n {} link set c0 down", lab.client));
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let output = child.wait_with_output().expect("keepscope ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("the interface c0 was lost"), "{complaint}");
    assert_eq!(output.status.code(), Some(4), "{rest:#?}");
}

#[test]
fn an_interrupt_ends_with_the_summary() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let mut child = command(&lab, &server.target(0), &["--for", "10m"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("keepscope runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("answered by ACK"))));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().expect("keepscope ends").code(), Some(130));
    assert!(rest.iter().any(|line| line.starts_with("ALIVE")), "{rest:#?}");
    until("the peer sees the end", || lab.run(&lab.server, "ss -tnH state established").trim().is_empty());
}

#[test]
fn without_rights_one_line_says_what_to_do() {
    if !has("setpriv") {
        return;
    }
    let output = Command::new("setpriv")
        .args(["--bounding-set=-net_raw", "--inh-caps=-net_raw", env!("CARGO_BIN_EXE_keepscope")])
        .args(["probe", "127.0.0.1:9"])
        .output()
        .expect("setpriv");
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("setpriv:") {
        return skip(complaint.trim());
    }
    assert_eq!(output.status.code(), Some(3), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(complaint.contains("sudo setcap cap_net_raw+ep"), "{complaint}");
    assert!(output.stdout.is_empty());
}

#[test]
fn wrong_usage_is_refused_before_anything_is_opened() {
    for (arguments, complaint) in [
        (&["probe", "192.0.2.1"][..], "example.net:443"),
        (&["probe", "nowhere.invalid:1"], "no address for nowhere.invalid"),
        (&["probe", "-6", "192.0.2.1:1"], "has no IPv6 address"),
        (&["probe", "--idle", "5", "192.0.2.1:1"], "say the unit"),
        (&["probe", "--idle", "0s", "192.0.2.1:1"], "a time of nothing"),
        (&["probe", "--for", "5s", "--idle", "9s", "192.0.2.1:1"], "no probe would be due"),
        (&["probe", "--octets", "both", "--count", "1", "192.0.2.1:1"], "--count of 2"),
        (&["probe", "--source", "2001:db8::1", "-4", "192.0.2.1:1"], "other IP version"),
        (&["probe", "--write", "run.txt", "192.0.2.1:1"], "run.txt"),
        (&["probe", "--plain", "--format", "json", "192.0.2.1:1"], "--plain is a form of text"),
        (&["probe", "--rounds", "2", "--for", "2s", "192.0.2.1:1"], "cannot be used with"),
    ] {
        let output = crate::common::keepscope(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(complaint), "{arguments:?}: {said}");
    }
}
