//! Signals, in what each command does: the result so far, the documented exit code, nothing left behind.

use std::process::Command;

use crate::common::{analyze_json, scratch, text};
use crate::net::{Net, SERVER};
use crate::program::{Ended, Program};
use crate::server::{serve, until};

/// A command in one of its phases.
struct Phase {
    name: &'static str,
    options: String,
    /// Reached when it says this on standard output,
    says: Option<&'static str>,
    /// and the client has so many connections, established or being opened.
    connections: usize,
    code: i32,
    /// On standard output or standard error at the end.
    told: &'static str,
}

/// What there is to interrupt: `server` takes connections, and to `silent` SYNs go unanswered.
fn phases(server: &str, silent: &str) -> Vec<Phase> {
    let phase = |name, options: String, says, connections, told| Phase {
        name,
        options,
        says,
        connections,
        code: 130,
        told,
    };
    let mut phases = vec![
        phase("probe, opening", format!("probe {silent}"), None, 1, "INCONCLUSIVE"),
        phase(
            "probe, before the first probe",
            format!("probe --idle 60s {server}"),
            Some("opened"),
            1,
            "INCONCLUSIVE",
        ),
        phase("probe, steady", format!("probe {server} --rounds 1000"), Some("answered by"), 1, "ALIVE"),
        phase("probe, many", format!("probe --connections 20 --idle 20s {server}"), None, 20, "INCONCLUSIVE"),
        phase("kernel, opening", format!("probe --kernel {silent}"), None, 1, "130"),
        phase(
            "kernel, steady",
            format!("probe --kernel {server} --rounds 1000"),
            Some("answer to probe 1"),
            1,
            "ALIVE",
        ),
        phase("watch", "watch".to_owned(), None, 0, "0 connections"),
        phase(
            "search, arming",
            format!("middlebox --no-partner --max 60s {silent}"),
            None,
            1,
            "It was not found out",
        ),
        phase(
            "search, waiting",
            format!("middlebox --no-partner --max 60s {server}"),
            None,
            8,
            "It was not found out",
        ),
        phase("check, testing", format!("check --test --port {}", port(silent)), None, 0, "connection"),
    ];
    phases.push(Phase {
        code: 0,
        ..phase("respond", "respond --listen 127.0.0.1:0".to_owned(), None, 0, "0 sessions")
    });
    phases
}

fn port(address: &str) -> &str {
    address.rsplit(':').next().expect("a port")
}

/// Whether a process catches SIGTERM: signal 15 in the mask of proc_pid_status(5).
fn takes_signals(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask >> 14 & 1 == 1)
}

fn lines_of(net: &Net, words: &str) -> Vec<String> {
    let output =
        Command::new("ip").args(["netns", "exec", &net.client]).args(words.split(' ')).output().expect("ip");
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Connections that are established or being opened.
fn connections(net: &Net) -> usize {
    lines_of(net, "ss -tnH state established state syn-sent").len()
}

/// A world with a server and a port that answers nothing, not even on a connection that was there before.
fn world() -> Option<(Net, String, String)> {
    if !crate::common::has("nft") {
        return None;
    }
    let net = Net::new()?;
    let server = serve(&net, SERVER[0]).to_string();
    let silent = serve(&net, SERVER[0]).to_string();
    Some((net, server, silent))
}

fn silence(net: &Net, address: &str) {
    net.nft("add table inet silent");
    net.nft("add chain inet silent in { type filter hook input priority 0 ; }");
    net.nft(&format!("add rule inet silent in tcp dport {} drop", port(address)));
}

#[test]
fn what_ends_a_command_ends_it_in_order_in_every_phase() {
    for signal in ["INT", "TERM", "HUP"] {
        let Some((net, server, silent)) = world() else { return };
        // For `check` to test: the peer is there, and nothing reaches it.
        let _tested = net.connect(&net.client, silent.parse().expect("an address"));
        silence(&net, &silent);
        for phase in phases(&server, &silent) {
            let Phase { name, options, says, .. } = &phase;
            let mut words: Vec<&str> = options.split(' ').collect();
            words.extend(["--netns", &net.client]);
            let before = connections(&net);
            let mut program = Program::keepscope(&words);
            if let Some(says) = says {
                program.wait_for(says);
            }
            until(name, || takes_signals(program.id()) && connections(&net) >= before + phase.connections);
            program.signal(signal);
            let Ended { code, out, complaints } = program.end();
            let all = format!("{name}, SIG{signal}:\n{out}{complaints}");
            assert_eq!(code, Some(phase.code), "{all}");
            assert!(out.contains(phase.told) || phase.told == "130", "{all}");
            assert!(!complaints.contains("error:") && !complaints.contains("panicked"), "{all}");
            // Its connections are closed, and nothing it set up is there.
            until(&all, || connections(&net) == before);
            assert_eq!(lines_of(&net, "nft list ruleset"), [""; 0], "{all}");
            assert_eq!(pids(&net), 0, "{all}");
        }
    }
}

fn pids(net: &Net) -> usize {
    let output = Command::new("ip").args(["netns", "pids", &net.client]).output().expect("ip");
    String::from_utf8_lossy(&output.stdout).lines().count()
}

/// nohup, and shells that do the same: a hang-up that was ignored before stays ignored.
#[test]
fn a_hang_up_that_is_ignored_stays_so() {
    let Some((net, ..)) = world() else { return };
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" watch --netns \"$1\""]);
    command.args([env!("CARGO_BIN_EXE_keepscope"), &net.client]);
    let mut program = Program::start(command);
    program.wait_for_complaint("watching");
    until("signals are taken", || takes_signals(program.id()));
    program.signal("HUP");
    let file = format!("/proc/{}/status", program.id());
    let status = std::fs::read_to_string(file).expect("it runs");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
    assert_eq!(u64::from_str_radix(ignored.trim(), 16).map(|mask| mask & 1), Ok(1), "{status}");
    program.signal("TERM");
    assert_eq!(program.end().code, Some(130));
}

/// Whoever asks twice does not wait for a peer that is silent.
#[test]
fn a_second_interruption_ends_it_at_once() {
    let Some((net, server, _)) = world() else { return };
    let mut program = Program::keepscope(&["probe", "--netns", &net.client, &server, "--rounds", "1000"]);
    program.wait_for("answered by");
    silence(&net, &server);
    // Both, before it runs again: the second finds the first.
    program.signal("STOP");
    program.signal("INT");
    program.signal("CONT");
    until("the FIN is not answered", || {
        !lines_of(&net, "ss -tnH state fin-wait-1 state last-ack state closing").is_empty()
    });
    program.signal("INT");
    assert_eq!(program.end().code, Some(130));
}

/// SIGQUIT ends it where it is; what was recorded is there.
#[test]
fn a_quit_leaves_the_recording() {
    let Some((net, server, _)) = world() else { return };
    let file = scratch("tough-quit").join("run.pcapng");
    let options = ["--rounds", "1000", "--write", text(&file), "--netns", &net.client];
    let mut program = Program::keepscope(&[&["probe", &server], &options[..]].concat());
    program.wait_for("answered by");
    program.signal("QUIT");
    assert_eq!(program.end().code, None);
    let document = analyze_json(&[text(&file)]);
    assert_eq!(document["connections"][0]["probers"][0]["answered"], 1, "{document}");
}

/// Stopped and continued, as by Ctrl-Z and fg: interrupted system calls are no errors, and silences of our own making
/// are nobody's fault.
#[test]
fn what_was_stopped_goes_on() {
    let Some((net, server, _)) = world() else { return };
    for (stop, kernel) in [("TSTP", false), ("STOP", false), ("STOP", true)] {
        let mode: &[&str] = if kernel { &["--kernel"] } else { &[] };
        let words = [&["probe", "--netns", &net.client, &server, "--rounds", "3"], mode].concat();
        let mut program = Program::keepscope(&words);
        program.wait_for("answer");
        for _ in 0..3 {
            program.signal(stop);
            let state = format!("/proc/{}/stat", program.id());
            let stopped = || std::fs::read_to_string(&state).is_ok_and(|stat| stat.contains(") T "));
            // A process without a shell above it is not stopped by SIGTSTP.
            if stop == "STOP" {
                until("it has stopped", stopped);
            }
            program.signal("CONT");
        }
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{stop}: {}{}", ended.out, ended.complaints);
        assert!(ended.out.contains("ALIVE"), "{stop}: {}", ended.out);
    }
}

/// A name that nobody resolves: nothing is opened yet, so nothing is caught.
#[test]
fn while_a_name_is_looked_up_a_signal_ends_it_at_once() {
    let file = scratch("tough-resolving").join("none.pcapng");
    let Some((net, _, _)) = world() else { return };
    net.nft("add table inet mute");
    net.nft("add chain inet mute in { type filter hook input priority 0 ; policy drop ; }");
    let folder = std::path::PathBuf::from(format!("/etc/netns/{}", net.client));
    // `ip netns exec` puts it in the place of the system's own.
    let made = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join("resolv.conf"), format!("nameserver {}\n", SERVER[0])));
    if made.is_err() {
        return crate::common::skip("/etc/netns cannot be written to");
    }
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &net.client, env!("CARGO_BIN_EXE_keepscope"), "probe"]);
    command.args(["nobody.example:7", "--write", text(&file)]);
    let program = Program::start(command);
    // It waits for the resolver.
    until("the name is asked for", || !lines_of(&net, "ss -unH").is_empty());
    program.signal("TERM");
    let ended = program.end();
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
    assert_eq!(ended.code, None, "{}{}", ended.out, ended.complaints);
    assert!(!file.exists());
}
