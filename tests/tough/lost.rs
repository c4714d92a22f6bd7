//! What a run needs goes away: interfaces, addresses, routes, whole namespaces. That is said, and nobody is blamed.

use crate::net::{Net, SERVER};
use crate::program::Program;
use crate::server::{serve, until};

/// What goes away, on the client.
const LOSSES: [&str; 4] =
    ["link del c0", "link set c0 down", "addr del 192.0.2.1/24 dev c0", "route del 192.0.2.0/24 dev c0"];

#[test]
fn a_probe_that_loses_its_own_end_does_not_blame_the_peer() {
    for loss in LOSSES {
        for mode in ["", "--kernel"] {
            let Some(net) = Net::new() else { return };
            let server = serve(&net, SERVER[0]).to_string();
            let mut words = vec!["probe", "--netns", &net.client, &server, "--rounds", "100", "--count", "2"];
            words.extend(Some(mode).filter(|mode| !mode.is_empty()));
            let mut program = Program::keepscope(&words);
            program.wait_for("answer");
            net.ip(&net.client, loss);
            let ended = program.end();
            let all = format!("{loss} {mode}: {}{}", ended.out, ended.complaints);
            assert_eq!(ended.code, Some(4), "{all}");
            assert!(ended.out.contains("INCONCLUSIVE"), "{all}");
            let why = ["c0 was lost", "Network is unreachable", "Cannot assign requested address"];
            assert!(why.iter().any(|why| all.contains(why)), "{all}");
        }
    }
}

#[test]
fn a_search_that_loses_its_own_end_finds_nothing_and_says_why() {
    for loss in LOSSES {
        let Some(net) = Net::new() else { return };
        let server = serve(&net, SERVER[0]).to_string();
        let words = ["middlebox", "--no-partner", "--own-target", "--netns", &net.client, &server];
        let mut program = Program::keepscope(&[&words[..], &["--min", "3s", "--max", "6s"]].concat());
        program.wait_for_complaint("plan");
        until("connections", || {
            let listed = std::process::Command::new("ip")
                .args(["netns", "exec", &net.client, "ss", "-tnH", "state", "established"])
                .output()
                .expect("ip");
            String::from_utf8_lossy(&listed.stdout).lines().count() >= 5
        });
        net.ip(&net.client, loss);
        let ended = program.end();
        let all = format!("{loss}: {}{}", ended.out, ended.complaints);
        assert_eq!(ended.code, Some(4), "{all}");
        assert!(ended.complaints.contains("note: "), "{all}");
        let link = loss.starts_with("link");
        assert_eq!(ended.out.contains("an interface of this end went away"), link, "{all}");
        assert!(!ended.out.contains("forgets it"), "{all}");
    }
}

/// A name that is gone is not the namespace: it stays as long as somebody is in it.
#[test]
fn a_namespace_that_is_deleted_stays_for_who_is_in_it() {
    let Some(net) = Net::new() else { return };
    let server = serve(&net, SERVER[0]).to_string();
    let mut probe = Program::keepscope(&["probe", "--netns", &net.client, &server]);
    let mut watch = Program::keepscope(&["watch", "--netns", &net.client, "--format", "jsonl"]);
    watch.wait_for_complaint("watching");
    probe.wait_for("answered by");
    let deleted = std::process::Command::new("ip").args(["netns", "del", &net.client]).status().expect("ip");
    assert!(deleted.success());
    let ended = probe.end();
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.complaints);
    watch.signal("TERM");
    assert_eq!(watch.end().code, Some(130));
    let ended = Program::keepscope(&["probe", "--netns", &net.client, &server]).end();
    assert_eq!(ended.code, Some(2));
    assert!(ended.complaints.contains("there is no network namespace"), "{}", ended.complaints);
}

/// The other end of the cable, with the host behind it.
#[test]
fn a_peer_that_goes_away_with_its_interface_tells_nothing_of_it() {
    let Some(net) = Net::new() else { return };
    let server = serve(&net, SERVER[0]).to_string();
    let mut program = Program::keepscope(&["probe", "--netns", &net.client, &server, "--rounds", "100"]);
    program.wait_for("answer");
    net.ip(&net.server, "link del s0");
    let ended = program.end();
    assert_eq!(ended.code, Some(4), "{}{}", ended.out, ended.complaints);
    assert!(ended.complaints.contains("note: the interface c0 was lost"), "{}", ended.complaints);
}

#[test]
fn a_partner_without_interfaces_waits_for_better_times() {
    let Some(net) = Net::new() else { return };
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_keepscope"));
    command.env("KEEPSCOPE_TOKEN", "a secret of more than sixteen octets");
    command.args(["respond", "--netns", &net.server, "--listen", "0.0.0.0:7440"]);
    let mut program = Program::start(command);
    program.wait_for_complaint("listening on");
    net.ip(&net.server, "link del s0");
    program.signal("TERM");
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.complaints);
}
