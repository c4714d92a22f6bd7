//! Peers that have not, or cannot be heard, and owners that change something meanwhile.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::net::{Net, SERVER, Tcpdump};
use crate::other::{Other, ss, talk};
use crate::program::Program;
use crate::{check, hosts, only};

/// A rule for everything that comes to or leaves the server, until [`open`].
fn shut(net: &Net, hook: &str, rule: &str) {
    net.nft("add table inet shut");
    net.nft(&format!("add chain inet shut all {{ type filter hook {hook} priority 0; }}"));
    net.nft(&format!("add rule inet shut all meta l4proto tcp {rule}"));
}

fn open(net: &Net) {
    net.nft("delete table inet shut");
}

#[test]
fn a_peer_that_forgot_the_connection_is_dead_and_our_socket_stays() {
    let Some(net) = hosts() else { return };
    for address in SERVER {
        let (mut client, mut server) = Other::pair(&net.client, &net.server, address);
        talk(&mut client, &mut server, "before");
        shut(&net, "output", "drop");
        server.tell("forget", "forgot");
        open(&net);
        let port = client.port.to_string();
        for options in [vec![], vec!["--confirm"]] {
            let ended = check(&net.client, &[vec!["--port", &port, "--test"], options].concat());
            assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.complaints);
            let test = only(&ended)["test"].clone();
            assert_eq!((&test["standing"], &test["verdict"]), (&"dead".into(), &"reset".into()), "{test}");
            let segments = test["segments"].as_array().expect("segments");
            // Without an ACK there is no probe, and so no RST that fits.
            assert!(segments.iter().all(|one| one["kind"] == "ack_outside_window"), "{test}");
            assert!(segments.iter().all(|one| one["answer"] == "rst"), "{test}");
            assert!(
                ss(&net.client).iter().any(|line| line.contains(&format!(":{port} "))),
                "the socket stays"
            );
        }
    }
}

#[test]
fn silence_is_unknown_and_an_icmp_error_is_not() {
    let Some(net) = hosts() else { return };
    let (mut client, mut server) = Other::pair(&net.client, &net.server, SERVER[0]);
    let port = client.port.to_string();
    let cases = [("drop", 4, "silent"), ("reject with icmpx host-unreachable", 1, "unreachable")];
    for (rule, code, verdict) in cases {
        shut(&net, "input", rule);
        let ended = check(&net.client, &["--port", &port, "--test"]);
        open(&net);
        assert_eq!(ended.code, Some(code), "{}{}", ended.out, ended.complaints);
        assert_eq!(only(&ended)["test"]["verdict"], verdict);
    }
    // The peer had it all the time.
    talk(&mut client, &mut server, "after");
}

#[test]
fn silence_to_the_kernels_own_probes_is_death() {
    let Some(net) = hosts() else { return };
    let (mut client, _server) = Other::pair(&net.client, &net.server, SERVER[0]);
    shut(&net, "input", "drop");
    client.tell("keepalive 1 1 120", "set");
    let port = client.port.to_string();
    let begin = Instant::now();
    while only(&check(&net.client, &["--port", &port]))["timer"]["unanswered"].as_u64() < Some(1) {
        assert!(begin.elapsed() < Duration::from_secs(30), "the kernel probes");
        std::thread::sleep(Duration::from_millis(100));
    }
    let ended = check(&net.client, &["--port", &port, "--test"]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.complaints);
    let test = only(&ended)["test"].clone();
    assert_eq!((&test["standing"], &test["verdict"]), (&"dead".into(), &"silent".into()), "{test}");
    assert!(test["kernel_unanswered"].as_u64() > Some(0), "{test}");
}

/// Begins a test that stays without an answer, and returns when its first segment has left.
fn begun(net: &Net, client: &Other) -> Program {
    shut(net, "input", "drop");
    let mut witness = Tcpdump::on(&net.client, "c0", &format!("tcp and src port {}", client.port));
    let port = client.port.to_string();
    let arguments = ["check", "--netns", &net.client, "--port", &port, "--test", "--format", "json"];
    let program = Program::keepscope(&arguments);
    witness.packets(1);
    program
}

#[test]
fn nothing_more_is_sent_once_the_owner_is_gone() {
    let Some(net) = hosts() else { return };
    for inherits in [false, true] {
        let (mut client, _server) = Other::pair(&net.client, &net.server, SERVER[0]);
        let child = inherits.then(|| client.tell("inherit", "child"));
        let program = begun(&net, &client);
        client.kill();
        let ended = program.end();
        // The child keeps the socket as it was.
        if let Some(child) = child {
            let _ = Command::new("kill").args(["-s", "KILL", &child]).status();
        }
        open(&net);
        assert_eq!(ended.code, Some(4), "{}{}", ended.out, ended.complaints);
        let test = only(&ended)["test"].clone();
        assert_eq!(test["verdict"], "changed", "{test}");
        let detail = test["detail"].as_str().expect("what changed");
        assert_eq!(detail.contains("which held the socket, ended"), inherits, "{detail}");
        assert!(test["segments"].as_array().expect("segments").len() < 4, "{test}");
    }
}

#[test]
fn an_interrupt_ends_it_with_what_was_found() {
    let Some(net) = hosts() else { return };
    let (client, _server) = Other::pair(&net.client, &net.server, SERVER[0]);
    let program = begun(&net, &client);
    program.signal("INT");
    let ended = program.end();
    assert_eq!(ended.code, Some(130), "{}{}", ended.out, ended.complaints);
    let document = ended.document();
    assert_eq!(document["interrupted"], true);
    assert_eq!(document["connections"][0]["test"]["verdict"], "interrupted");
}
