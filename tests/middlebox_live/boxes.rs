//! Boxes that forget: NATs and firewalls, in either direction, of both IP versions, one or two in a row.

use crate::lab::Lab;
use crate::rules::{NAT, NAT_OF_RANDOM_PORTS, silent_nat, strict};
use crate::servers::Server;
use crate::{Case, at, partner, search, search_with_partner, side_by_side};

/// What is short enough for a test and long enough to be told from the tries of a probe.
const RANGE: [&str; 4] = ["--min", "3s", "--max", "30s"];

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    RANGE.iter().chain(more).copied().collect()
}

/// A NAT that answers by itself for what it forgot: the partner gets its RST.
fn nat_that_answers() {
    let Some(lab) = Lab::new(1) else { return };
    lab.rules(0, &NAT);
    lab.forgets_after(0, 9);
    let _partner = partner(&lab);
    let run = search_with_partner(&lab, &at(0, crate::PORT), &arguments(&[]));
    let found = run.expect_found("in", 9.0);
    assert_eq!((&found["at_expiry"], &found["by"]), (&"reset".into(), &"path".into()), "{found:#}");
    let translation = &run.document["translation"];
    assert_eq!((&translation["translated"], &translation["port_preserved"]), (&true.into(), &true.into()));
}

/// The same, but it drops what it does not know; and a packet from inside makes it remember, so that the other
/// direction cannot tell.
fn nat_that_drops_both_ways() {
    let Some(lab) = Lab::new(1) else { return };
    silent_nat(&lab, 0);
    lab.forgets_after(0, 7);
    let _partner = partner(&lab);
    let both = ["--min", "3s", "--max", "20s", "--direction", "both", "--connections", "64"];
    let run = search_with_partner(&lab, &at(0, crate::PORT), &both);
    let found = run.expect_found("in", 7.0);
    assert_eq!((&found["at_expiry"], &found["by"]), (&"silent".into(), &"path".into()), "{found:#}");
    let out = run.direction("out");
    assert_eq!(out["verdict"], "cannot_know", "{out:#}");
    assert!(out["longest_alive_s"].as_f64() >= Some(19.0), "{out:#}");
}

/// Without a partner: a new mapping with another port shows, since the server resets what it does not know.
fn nat_of_random_ports_without_partner() {
    let Some(lab) = Lab::new(1) else { return };
    lab.rules(0, &NAT_OF_RANDOM_PORTS);
    lab.forgets_after(0, 8);
    let server = Server::that_holds(&lab);
    let run = search(&lab, &at(0, server.port), &arguments(&["--own-target", "--connections", "32"]));
    let found = run.expect_found("out", 8.0);
    assert_eq!(found["at_expiry"], "reset", "{found:#}");
}

/// With one, it says so.
fn nat_of_random_ports_with_partner() {
    let Some(lab) = Lab::new(1) else { return };
    lab.rules(0, &NAT_OF_RANDOM_PORTS);
    lab.forgets_after(0, 8);
    let _partner = partner(&lab);
    let run = search_with_partner(&lab, &at(0, crate::PORT), &arguments(&["--direction", "out"]));
    let found = run.expect_found("out", 8.0);
    assert_eq!((&found["at_expiry"], &found["by"]), (&"new_port".into(), &"path".into()), "{found:#}");
    assert_eq!(run.document["translation"]["port_preserved"], false);
}

/// Without a partner, a loose NAT that keeps ports: nothing shows, and nothing is claimed.
fn loose_nat_without_partner() {
    let Some(lab) = Lab::new(1) else { return };
    lab.rules(0, &NAT);
    lab.forgets_after(0, 5);
    let server = Server::that_holds(&lab);
    let run = search(&lab, &at(0, server.port), &["--min", "3s", "--max", "12s"]);
    let out = run.direction("out");
    assert_eq!((&out["verdict"], run.code), (&"cannot_know".into(), 4), "{out:#}");
    assert!(out["longest_alive_s"].as_f64() >= Some(11.9), "{out:#}");
    assert!(out["shortest_dead_s"].is_null());
    let more = run.document["directions"][0]["caveats"].to_string();
    assert!(more.contains("outbound_only"), "{more}");
}

fn strict_firewall(version: usize) {
    let Some(lab) = Lab::new(1) else { return };
    strict(&lab, 0, "drop");
    lab.forgets_after(0, 10);
    let _partner = partner(&lab);
    let run = search_with_partner(&lab, &at(version, crate::PORT), &arguments(&[]));
    let found = run.expect_found("in", 10.0);
    assert_eq!((&found["at_expiry"], &found["by"]), (&"silent".into(), &"path".into()), "{found:#}");
    assert_eq!(run.document["translation"]["translated"], false);
}

/// Keepalive probes from here, without a partner, are dropped once the firewall forgot.
fn strict_firewall_without_partner(version: usize) {
    let Some(lab) = Lab::new(1) else { return };
    strict(&lab, 0, "drop");
    lab.forgets_after(0, 6);
    let server = Server::that_holds(&lab);
    let own = arguments(&["--own-target", "--connections", "32"]);
    let run = search(&lab, &at(version, server.port), &own);
    let found = run.expect_found("out", 6.0);
    assert_eq!(found["at_expiry"], "silent", "{found:#}");
}

/// The box answers by a RST of its own, which its TTL gives away.
fn firewall_that_resets() {
    let Some(lab) = Lab::new(1) else { return };
    strict(&lab, 0, "meta l4proto tcp reject with tcp reset");
    lab.forgets_after(0, 7);
    let server = Server::that_holds(&lab);
    let run = search(&lab, &at(0, server.port), &arguments(&["--own-target", "--connections", "32"]));
    let found = run.expect_found("out", 7.0);
    assert_eq!((&found["at_expiry"], &found["by"]), (&"reset".into(), &"path".into()), "{found:#}");
}

fn firewall_that_says_icmp(version: usize) {
    let Some(lab) = Lab::new(1) else { return };
    strict(&lab, 0, "reject with icmpx type admin-prohibited");
    lab.forgets_after(0, 7);
    let server = Server::that_holds(&lab);
    let run = search(&lab, &at(version, server.port), &arguments(&["--own-target", "--connections", "32"]));
    let found = run.expect_found("out", 7.0);
    assert_eq!((&found["at_expiry"], &found["by"]), (&"icmp".into(), &"path".into()), "{found:#}");
}

/// Of two boxes the one that forgets first is found.
fn two_boxes() {
    let Some(lab) = Lab::new(2) else { return };
    lab.rules(0, &NAT);
    lab.forgets_after(0, 20);
    strict(&lab, 1, "drop");
    lab.forgets_after(1, 6);
    let _partner = partner(&lab);
    let run = search_with_partner(&lab, &at(0, crate::PORT), &arguments(&[]));
    let found = run.expect_found("in", 6.0);
    assert_eq!((&found["at_expiry"], &found["by"]), (&"silent".into(), &"path".into()), "{found:#}");
}

/// A timeout for some connections only, by a rule.
fn timeout_object() {
    let Some(lab) = Lab::new(1) else { return };
    strict(&lab, 0, "drop");
    lab.rules(
        0,
        &[
            "add table ip t",
            "add ct timeout ip t short { protocol tcp ; l3proto ip ; policy = { established : 8 } ; }",
            "add chain ip t pre { type filter hook prerouting priority -150 ; }",
            "add rule ip t pre tcp dport 7440 ct timeout set \"short\"",
        ],
    );
    let _partner = partner(&lab);
    let run = search_with_partner(&lab, &at(0, crate::PORT), &arguments(&[]));
    run.expect_found("in", 8.0);
}

/// Nothing forgets: from outside that can be said.
fn nothing_on_the_path() {
    let Some(lab) = Lab::new(1) else { return };
    let _partner = partner(&lab);
    let run = search_with_partner(&lab, &at(1, crate::PORT), &["--min", "3s", "--max", "8s"]);
    let found = run.direction("in");
    assert_eq!((&found["verdict"], run.code), (&"none_below_max".into(), 0), "{found:#}");
    assert!(run.took.as_secs_f64() < 8.0 * 1.02 + 5.0, "{:?}", run.took);
}

#[test]
fn boxes_that_forget_are_found_with_a_partner() {
    let cases: &[Case] = &[
        ("nat_that_answers", nat_that_answers),
        ("nat_that_drops_both_ways", nat_that_drops_both_ways),
        ("nat_of_random_ports_with_partner", nat_of_random_ports_with_partner),
        ("strict_firewall_v4", || strict_firewall(0)),
        ("strict_firewall_v6", || strict_firewall(1)),
        ("two_boxes", two_boxes),
        ("timeout_object", timeout_object),
        ("nothing_on_the_path", nothing_on_the_path),
    ];
    side_by_side(cases);
}

#[test]
fn boxes_that_forget_are_found_without_a_partner_where_that_can_be_known() {
    let cases: &[Case] = &[
        ("nat_of_random_ports_without_partner", nat_of_random_ports_without_partner),
        ("loose_nat_without_partner", loose_nat_without_partner),
        ("strict_firewall_without_partner_v4", || strict_firewall_without_partner(0)),
        ("strict_firewall_without_partner_v6", || strict_firewall_without_partner(1)),
        ("firewall_that_resets", firewall_that_resets),
        ("firewall_that_says_icmp_v4", || firewall_that_says_icmp(0)),
        ("firewall_that_says_icmp_v6", || firewall_that_says_icmp(1)),
    ];
    side_by_side(cases);
}
