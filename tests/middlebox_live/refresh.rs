//! What keeps a connection open, and where the box is: `--refresh` and `--locate` behind boxes that count everything,
//! what goes out only, or data only, and behind two boxes in a row.

use serde_json::Value;

use crate::common::keepscope;
use crate::lab::Lab;
use crate::rules::{silent_nat, strict};
use crate::servers::Server;
use crate::{Case, PORT, Run, at, command, partner, search, search_with_partner, side_by_side};

/// A machine that is busy may send too late what is to keep a connection open; three times in a row it does not.
const TRIES: usize = 3;

/// Runs until it came to this, or too often.
fn until(what: &str, try_it: impl Fn() -> Run, so: impl Fn(&Run) -> bool) -> Run {
    for _ in 1..TRIES {
        let run = try_it();
        if so(&run) {
            return run;
        }
        eprintln!("{what}: again: {:#}\n{}", run.document, run.complaint);
    }
    let run = try_it();
    assert!(so(&run), "{what}: {:#}\n{}", run.document, run.complaint);
    run
}

/// What a form of packet did.
fn counts<'a>(run: &'a Run, form: &str) -> &'a str {
    let forms = run.document["refresh"]["forms"].as_array().expect("forms");
    forms.iter().find(|one| one["form"] == form).expect(form)["counts"].as_str().expect("a word")
}

fn refresh_is(run: &Run, verdict: &str) -> bool {
    run.document["refresh"]["verdict"] == verdict && run.code == 0
}

/// A NAT counts every packet; its timeout is found first.
fn nat_after_a_search() {
    let Some(lab) = Lab::new(1) else { return };
    silent_nat(&lab, 0);
    lab.forgets_after(0, 8);
    let _partner = partner(&lab);
    let options = ["--min", "3s", "--max", "20s", "--refresh", "--locate"];
    let run = until(
        "nat_after_a_search",
        || search_with_partner(&lab, &at(0, PORT), &options),
        |run| refresh_is(run, "keepalives_count") && run.document["locate"]["verdict"] == "located",
    );
    assert_eq!(run.direction("in")["verdict"], "found");
    for form in ["keepalive", "keepalive_octet", "ack", "ttl_limited", "inward", "data"] {
        assert_eq!(counts(&run, form), "yes", "{:#}", run.document["refresh"]);
    }
    assert_eq!(run.document["refresh"]["one_way_out"], "yes");
    // What is answered is told from what is not.
    for one in run.document["refresh"]["forms"].as_array().expect("forms") {
        let both = !matches!(one["form"].as_str(), Some("ack" | "ttl_limited" | "inward"));
        assert_eq!(one["both_ways"], both, "{one:#}");
        assert_eq!(one["answered"].as_u64() > Some(0), both, "{one:#}");
    }
    let locate = &run.document["locate"];
    assert_eq!((&locate["hop"], &locate["hops"]), (&1.into(), &1.into()), "{locate:#}");
    assert_eq!(locate["addresses"], serde_json::json!(["192.0.2.2"]), "{locate:#}");
}

/// A firewall that counts only what goes out, and lets in what it remembers: a set instead of conntrack.
fn outbound_only() {
    let Some(lab) = Lab::new(1) else { return };
    lab.rules(
        0,
        &[
            "add table ip f",
            "add set ip f s { type ipv4_addr . inet_service . ipv4_addr . inet_service ; flags dynamic,timeout ; }",
            "add chain ip f forward { type filter hook forward priority 0 ; }",
            "add rule ip f forward oifname right meta l4proto tcp update @s \
             { ip saddr . tcp sport . ip daddr . tcp dport timeout 6s }",
            "add rule ip f forward iifname right ip daddr . tcp dport . ip saddr . tcp sport @s accept",
            "add rule ip f forward iifname right meta l4proto tcp drop",
        ],
    );
    let _partner = partner(&lab);
    let run = until(
        "outbound_only",
        || search_with_partner(&lab, &at(0, PORT), &["--refresh", "--timeout", "6s"]),
        |run| refresh_is(run, "keepalives_count") && run.document["refresh"]["one_way_out"] == "yes",
    );
    assert_eq!((counts(&run, "ack"), counts(&run, "keepalive")), ("yes", "yes"));
    assert_eq!(run.document["refresh"]["one_way_in"], "no", "{:#}", run.document["refresh"]);
    // It counts what it forwards, and what ends there is not forwarded.
    assert_eq!(counts(&run, "ttl_limited"), "no", "{:#}", run.document["refresh"]);
    assert!(run.document["directions"].as_array().is_some_and(Vec::is_empty), "nothing was searched");
}

/// The other way round: only what comes in counts, so what is not answered does not help.
fn inbound_only() {
    let Some(lab) = Lab::new(1) else { return };
    lab.rules(
        0,
        &[
            "add table ip f",
            "add set ip f s { type ipv4_addr . inet_service . ipv4_addr . inet_service ; flags dynamic,timeout ; }",
            "add chain ip f forward { type filter hook forward priority 0 ; }",
            "add rule ip f forward oifname right tcp flags syn add @s \
             { ip saddr . tcp sport . ip daddr . tcp dport timeout 6s } accept",
            "add rule ip f forward oifname right ip saddr . tcp sport . ip daddr . tcp dport @s accept",
            "add rule ip f forward iifname right ip daddr . tcp dport . ip saddr . tcp sport @s \
             update @s { ip daddr . tcp dport . ip saddr . tcp sport timeout 6s } accept",
            "add rule ip f forward meta l4proto tcp drop",
        ],
    );
    let _partner = partner(&lab);
    let run = until(
        "inbound_only",
        || search_with_partner(&lab, &at(0, PORT), &["--refresh", "--locate", "--timeout", "6s"]),
        |run| run.document["refresh"]["verdict"] == "keepalives_count" && counts(run, "inward") == "yes",
    );
    assert_eq!(run.document["refresh"]["one_way_in"], "yes");
    assert_eq!(run.document["refresh"]["one_way_out"], "no", "{:#}", run.document["refresh"]);
    assert_eq!((counts(&run, "ack"), counts(&run, "data")), ("no", "yes"));
    let located = (&run.document["locate"]["verdict"], run.code);
    assert_eq!(located, (&"one_way_does_not_count".into(), 4), "{:#}", run.document["locate"]);
}

/// A proxy answers keepalives by itself, and counts data only.
fn proxy() {
    let Some(lab) = Lab::new(1) else { return };
    let _partner = partner(&lab);
    let Some(_proxy) = crate::peers::proxy(&lab, PORT, 6, "middlebox_refresh_proxy") else { return };
    let target = format!("192.0.2.2:{PORT}");
    let run = until(
        "proxy",
        || search_with_partner(&lab, &target, &["--refresh", "--locate", "--timeout", "6s"]),
        |run| run.document["refresh"]["verdict"] == "only_data",
    );
    for (form, does) in
        [("keepalive", "no"), ("keepalive_octet", "no"), ("ack", "no"), ("inward", "no"), ("data", "yes")]
    {
        assert_eq!(counts(&run, form), does, "{form}: {:#}", run.document["refresh"]);
    }
    let located = (&run.document["locate"]["verdict"], run.code);
    assert_eq!(located, (&"no_hops".into(), 4), "{:#}", run.document["locate"]);
}

/// Nothing forgets at that time: that is said, and nothing else.
fn no_timeout() {
    let Some(lab) = Lab::new(1) else { return };
    let _partner = partner(&lab);
    let run = search_with_partner(&lab, &at(1, PORT), &["--refresh", "--locate", "--timeout", "3s"]);
    let said = (&run.document["refresh"]["verdict"], &run.document["locate"]["verdict"], run.code);
    assert_eq!(said, (&"no_timeout".into(), &"no_timeout".into(), 4), "{:#}", run.document);
}

/// Without a partner, in eight connections: what is not known is said.
fn without_partner() {
    let Some(lab) = Lab::new(1) else { return };
    strict(&lab, 0, "drop");
    lab.forgets_after(0, 6);
    let server = Server::that_holds(&lab);
    let run = until(
        "without_partner",
        || search(&lab, &at(1, server.port), &["--refresh", "--timeout", "6s"]),
        |run| refresh_is(run, "keepalives_count"),
    );
    assert_eq!(run.document["connections"], 8);
    assert_eq!(run.document["refresh"]["tested_by"], "probe");
    let output =
        command(&lab, &at(0, server.port), &["--refresh", "--timeout", "6s"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("without a partner nothing was sent from the other side"), "{said}");
}

/// A server that closes idle connections itself is no box that forgets, and keepalives are not for it.
fn ended_by_the_far_end() {
    let Some(lab) = Lab::new(1) else { return };
    let server = Server::that_closes(&lab, std::time::Duration::from_secs(3));
    let run = until(
        "ended_by_the_far_end",
        || search(&lab, &at(0, server.port), &["--refresh", "--locate", "--timeout", "6s"]),
        |run| run.document["refresh"]["verdict"] == "ended_by_peer",
    );
    let located = (&run.document["locate"]["verdict"], &run.document["refresh"]["one_way_out"], run.code);
    assert_eq!(located, (&"ended_by_peer".into(), &"unknown".into(), 4), "{:#}", run.document);
}

/// Two boxes in a row, of which this one forgets first.
fn located_at(hop: usize, version: usize) {
    let Some(lab) = Lab::new(2) else { return };
    strict(&lab, 0, "drop");
    lab.forgets_after(0, if hop == 1 { 6 } else { 30 });
    strict(&lab, 1, "drop");
    lab.forgets_after(1, if hop == 2 { 6 } else { 30 });
    let _partner = partner(&lab);
    let run = until(
        "located_at",
        || search_with_partner(&lab, &at(version, PORT), &["--locate", "--timeout", "6s"]),
        |run| run.document["locate"]["verdict"] == "located" && run.code == 0,
    );
    let locate = &run.document["locate"];
    assert_eq!((&locate["hop"], &locate["hops"]), (&hop.into(), &2.into()), "{locate:#}");
    let routers = [["192.0.2.2", "203.0.113.2"], ["2001:db8:1::2", "2001:db8:3::2"]][version];
    // A box that reports may be asked too often; the one that is meant is not.
    let named = locate["at"].as_array().expect("hops").iter().zip(routers).all(|(one, router)| {
        one["addresses"].as_array().is_some_and(|all| all.iter().all(|address| address == router))
    });
    assert!(named, "{locate:#}");
    assert_eq!(locate["addresses"], serde_json::json!([routers[hop - 1]]), "{locate:#}");
    assert!(run.document.get("refresh").is_none_or(Value::is_null), "it was not asked");
}

/// The box tells itself by its RST as well, seen without a partner.
fn located_by_its_reset() {
    let Some(lab) = Lab::new(2) else { return };
    strict(&lab, 0, "drop");
    lab.forgets_after(0, 30);
    strict(&lab, 1, "meta l4proto tcp reject with tcp reset");
    lab.forgets_after(1, 6);
    let server = Server::that_holds(&lab);
    let run = until(
        "located_by_its_reset",
        || search(&lab, &at(0, server.port), &["--own-target", "--locate", "--timeout", "6s"]),
        |run| run.document["locate"]["verdict"] == "located" && run.code == 0,
    );
    let locate = &run.document["locate"];
    assert_eq!((&locate["hop"], &locate["sender"]["hop"]), (&2.into(), &2.into()), "{locate:#}");
    let ttl = |name: &str| locate["sender"][name].as_u64();
    assert!(ttl("ttl") > ttl("usual_ttl"), "it is nearer than the far end: {locate:#}");
}

#[test]
fn what_keeps_a_connection_open_is_found() {
    let cases: &[Case] = &[
        ("nat_after_a_search", nat_after_a_search),
        ("outbound_only", outbound_only),
        ("inbound_only", inbound_only),
        ("proxy", proxy),
        ("no_timeout", no_timeout),
        ("without_partner", without_partner),
        ("ended_by_the_far_end", ended_by_the_far_end),
    ];
    side_by_side(cases);
}

#[test]
fn the_box_that_forgets_is_located() {
    let cases: &[Case] = &[
        ("near_v4", || located_at(1, 0)),
        ("far_v4", || located_at(2, 0)),
        ("near_v6", || located_at(1, 1)),
        ("far_v6", || located_at(2, 1)),
        ("located_by_its_reset", located_by_its_reset),
    ];
    side_by_side(cases);
}

#[test]
fn what_cannot_be_examined_is_refused() {
    let strangers = "192.0.2.1:443";
    for (arguments, words) in [
        (&["--timeout", "350s", strangers][..], "--refresh and --locate"),
        (&["--refresh", "--timeout", "1s", strangers], "less than 3s is too short"),
        (&["--refresh", "--timeout", "2h", strangers], "--own-target"),
        (&["--refresh", "--timeout", "350s", "--mode", "quick", strangers], "cannot be used with"),
        (&["--locate", "--simulate", "aws-nlb"], "cannot be used with"),
    ] {
        let output = keepscope(&[&["middlebox"], arguments].concat());
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {complaint}");
        assert!(complaint.contains(words), "{arguments:?}: {complaint}");
    }
    let plan = keepscope(&["middlebox", "--plan", "--partner", "--refresh", "--timeout", "350s", strangers]);
    let said = String::from_utf8_lossy(&plan.stderr);
    assert!(plan.status.success() && said.contains("behind a timeout of 350s"), "{said}");
}
