//! What stands between: NAT, a router that refuses, other terms of the connection.

use crate::lab::{Lab, Server};
use crate::{probe, probe_watched};

#[test]
fn a_router_that_refuses_makes_the_peer_unreachable() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let refuse = [
        "add table inet q",
        "add chain inet q forward { type filter hook forward priority 0 ; }",
        "add rule inet q forward iifname r0 reject with icmpx type host-unreachable",
    ];
    for (version, reporter, code) in [(0, "192.0.2.254", 1), (1, "2001:db8:1::fe", 3)] {
        let rounds = &["--rounds", "100"];
        let run = probe_watched(&lab, &server.target(version), rounds, || lab.nft(&lab.router, &refuse));
        run.expect("unreachable", 1);
        let icmp = &run.verdict()["icmp"];
        assert_eq!((&icmp["error"], &icmp["reporter"]), (&"unreachable".into(), &reporter.into()));
        assert_eq!(icmp["code"], code, "host unreachable");
        let refused = run.probes().iter().filter(|probe| probe["answer"]["kind"] == "icmp").count();
        assert!(refused >= 1, "{:#?}", run.probes());
        lab.nft(&lab.router, &["delete table inet q"]);
    }
}

#[test]
fn a_router_that_resets_is_told_from_the_peer() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let resets = [
        "add table inet q",
        "add chain inet q forward { type filter hook forward priority 0 ; }",
        "add rule inet q forward iifname r0 meta l4proto tcp reject with tcp reset",
    ];
    let run = probe_watched(&lab, &server.target(0), &["--rounds", "100"], || lab.nft(&lab.router, &resets));
    run.expect("reset_on_path", 1);
    let cues = run.verdict()["reset"]["cues"].to_string();
    assert!(cues.contains("TTL 64 where its other segments have 63"), "{cues}");
}

#[test]
fn nat_changes_nothing_for_a_peer_that_answers() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    lab.nft(
        &lab.router,
        &[
            "add table ip nat",
            "add chain ip nat post { type nat hook postrouting priority srcnat ; }",
            "add rule ip nat post oifname r1 masquerade",
        ],
    );
    let run = probe_watched(&lab, &server.target(0), &["--rounds", "2"], || {
        let peers = lab.run(&lab.server, "ss -tnH state established");
        assert!(peers.contains("198.51.100.254"), "the router's address: {peers}");
    });
    run.expect("alive", 0);
}

#[test]
fn terms_that_were_not_agreed_on_are_not_used() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    lab.run(&lab.server, "sysctl -qw net.ipv4.tcp_timestamps=0 net.ipv4.tcp_sack=0");
    for octets in ["0", "1"] {
        let run = probe_watched(&lab, &server.target(1), &["--rounds", "2", "--octets", octets], || {});
        run.expect("alive", 0);
        let terms = &run.verdict()["negotiated"];
        assert_eq!((&terms["timestamps"], &terms["sack"]), (&false.into(), &false.into()));
        for probe in run.probes() {
            assert!(probe["timestamps"].is_null());
            assert_eq!(probe["answer"]["dsack"], false);
        }
    }
}

#[test]
fn a_peer_that_talks_between_is_followed() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let data = vec![7; 300_000];
    let run =
        probe_watched(&lab, &server.target(0), &["--rounds", "4", "--octets", "1"], || server.say(&data));
    run.expect("alive", 0);
    let irs = run.verdict()["negotiated"]["server_isn"].as_u64().expect("a number");
    let last = run.probes().pop().expect("a probe");
    let ack = last["ack"].as_u64().expect("a number");
    assert_eq!((ack + (1 << 32) - irs) % (1 << 32), 300_001, "all of it was read and acknowledged");
}

#[test]
fn a_source_address_and_an_interface_can_be_chosen() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    crate::lab::ip(&format!("-n {} addr add 192.0.2.77/24 dev c0", lab.client));
    let run =
        probe(&lab, &server.target(0), &["--rounds", "1", "--source", "192.0.2.77", "--interface", "c0"]);
    run.expect("alive", 0);
    assert!(run.verdict()["local"].as_str().expect("an address").starts_with("192.0.2.77:"));
    let output = crate::command(&lab, &server.target(0), &["--interface", "eth9"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("there is no interface eth9; there are"), "{complaint}");
}
