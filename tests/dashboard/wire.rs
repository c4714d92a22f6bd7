//! The live screen in a real terminal, on real packets between network namespaces.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use keepscope::live::netns::NetNs;
use portable_pty::{PtySize, native_pty_system};
use socket2::{SockRef, TcpKeepalive};

use crate::common::{analyze_json, has, scratch, text};
use crate::lab::{Lab, Server, until};
use crate::terminal::{Terminal, shell};

/// Silence before a probe, and between probes: longer than the limit at which Linux answers.
const PACE: [&str; 4] = ["--idle", "700ms", "--interval", "700ms"];

/// Probes the server from the client, on a screen that shows everything.
fn probe(lab: &Lab, target: &str, options: &[&str], folder: &Path) -> Terminal {
    let words = [&["probe", "--netns", &lab.client, target], &PACE[..], options].concat();
    Terminal::keepscope(&words, 140, 44, folder)
}

/// Types a line in place of the one that is proposed.
fn instead(terminal: &mut Terminal, line: &str) {
    terminal.send(&format!("\x15{line}\r"));
}

pub fn signal(name: &str, process: &str) {
    assert!(Command::new("kill").args([name, process]).status().expect("kill").success());
}

#[test]
fn a_peer_is_probed_steered_recorded_and_seen_to_fall_silent() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let folder = scratch("dashboard_live");
    let mut terminal = probe(&lab, &server.target(0), &[], &folder);
    terminal.wait_for("* ALIVE");
    assert!(terminal.parser.screen().alternate_screen());
    terminal.wait("the next probe", |screen| screen.contains("LIVE") && screen.contains("(due)"));
    // Probes are held back: then they leave by hand only.
    terminal.send("H");
    terminal.wait_for("HELD");
    terminal.send("!");
    terminal.wait_for("a probe leaves now");
    terminal.send("H");
    terminal.wait_gone("HELD");
    // The screen stands still while packets go on, and comes back.
    terminal.send(" ");
    terminal.wait_for("PAUSED");
    terminal.send(",,");
    terminal.send("\x1b[F");
    terminal.wait_gone("PAUSED");
    terminal.send("C");
    terminal.wait_for("probe it by idle=700ms interval=700ms count=3 octets=0");
    instead(&mut terminal, "idle=800ms");
    terminal.wait_for("800ms/700ms/3");
    terminal.send("R");
    terminal.wait_for("record to");
    instead(&mut terminal, "run.pcapng");
    terminal.wait_for("RECORDING run.pcapng");
    // Another peer, over IPv6.
    terminal.send("p");
    terminal.wait_for("HOST:PORT, then how");
    terminal.send(&format!("{}\r", server.target(1)));
    terminal.wait_for("2 of 2 connections probed");
    // Each in its line, and the chosen one once more with its verdict.
    terminal.wait("both", |screen| screen.matches("* ALIVE").count() == 3);
    // The server hears nothing any more.
    lab.silence(&lab.server);
    terminal.wait_for("? UNANSWERED");
    terminal.wait("the end of both", |screen| screen.matches("X SILENT").count() == 3);
    terminal.wait_for("0 of 2 connections probed");
    terminal.send("R");
    terminal.wait_gone("RECORDING");
    // Nothing goes on, so once will do.
    terminal.send("q");
    terminal.expect_sane();
    let left = terminal.contents();
    for words in ["#1 SILENT", "#2 SILENT", "packets in run.pcapng", "exit=1"] {
        assert!(left.contains(words), "{words} does not stay:\n{left}");
    }
    let found = analyze_json(&[text(&folder.join("run.pcapng"))]);
    assert_eq!(found["connections"].as_array().map(Vec::len), Some(2), "{found:#}");
}

#[test]
fn a_peer_that_forgot_resets_and_another_one_goes_on_until_it_is_left() {
    let Some(lab) = Lab::new() else { return };
    let (server, other) = (Server::on(&lab), Server::on(&lab));
    let folder = scratch("dashboard_live_reset");
    let mut terminal = probe(&lab, &server.target(0), &[], &folder);
    terminal.wait_for("* ALIVE");
    terminal.send("p");
    terminal.wait_for("HOST:PORT, then how");
    terminal.send(&format!("{}\r", other.target(0)));
    terminal.wait("both", |screen| screen.matches("* ALIVE").count() == 3);
    server.forget(&lab);
    terminal.wait_for("X RESET");
    // Who wants a name that nobody knows is told, and it goes on.
    terminal.send("p");
    terminal.wait_for("HOST:PORT, then how");
    terminal.send("nobody.invalid:80\r");
    terminal.wait_for("nobody.invalid:80 is not probed");
    terminal.send("q");
    terminal.wait_for("q again to quit");
    terminal.send("q");
    terminal.expect_sane();
    let left = terminal.contents();
    for words in ["#1 RESET", "#2 ALIVE", "exit=1"] {
        assert!(left.contains(words), "{words} does not stay:\n{left}");
    }
}

#[test]
fn an_orderly_end_and_an_interruption_have_the_exit_codes_of_the_plain_command() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let folder = scratch("dashboard_live_exit");
    for (keys, code) in [("qq", "exit=0"), ("\x03", "exit=130")] {
        let mut terminal = probe(&lab, &server.target(0), &[], &folder);
        terminal.wait_for("* ALIVE");
        terminal.send(keys);
        terminal.expect_sane();
        let left = terminal.contents();
        assert!(left.contains("ALIVE") && left.contains(code), "{code}:\n{left}");
    }
    // With an end of its own the connection ends, and the screen waits for more.
    let mut terminal = probe(&lab, &server.target(0), &["--rounds", "2"], &folder);
    terminal.wait_for("0 of 1 connection probed");
    terminal.send("q");
    terminal.expect_sane();
    assert!(terminal.contents().contains("exit=0"), "{}", terminal.contents());
}

#[test]
fn a_signal_leaves_the_terminal_sane_and_the_recording_whole() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    for name in ["-TERM", "-HUP"] {
        let folder = scratch(&format!("dashboard_live{name}"));
        let mut terminal = probe(&lab, &server.target(0), &["--write", "all.pcapng"], &folder);
        terminal.wait_for("* ALIVE");
        signal(name, &terminal.program());
        terminal.expect_sane();
        let left = terminal.contents();
        assert!(left.contains("exit=130") && left.contains("packets in all.pcapng"), "{name}:\n{left}");
        let found = analyze_json(&[text(&folder.join("all.pcapng"))]);
        assert_eq!(found["captures"][0]["problems"], serde_json::json!([]), "{name}: {found:#}");
        assert_eq!(found["connections"][0]["outcome"], "closed", "{name}: {found:#}");
    }
}

#[test]
fn a_watch_begun_on_the_start_screen_sees_others_and_has_no_rights_left() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let folder = scratch("dashboard_live_watch");
    let script = format!("exec ip netns exec {} '{}'", lab.client, env!("CARGO_BIN_EXE_keepscope"));
    let mut terminal = Terminal::run(shell(&format!("({script}); echo exit=$?; stty -a"), &folder), 140, 44);
    terminal.wait_for("Probe a peer");
    terminal.send("w");
    terminal.wait_for("watching");
    let held = kept_alive(&lab, &server);
    terminal.wait("its probes", |screen| screen.contains("watched") && screen.contains("* ALIVE"));
    for status in threads_of(&lab.client) {
        assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
        assert!(status.contains("CapPrm:\t0000000000000000"), "{status}");
    }
    // A peer is probed beside the watch.
    terminal.send("p");
    terminal.wait_for("HOST:PORT, then how");
    terminal.send(&format!("{}\r", server.target(0)));
    terminal.wait_for("1 of 1 connection probed");
    terminal.wait("both", |screen| screen.matches("* ALIVE").count() == 3);
    drop(held);
    terminal.send("qq");
    terminal.expect_sane();
    let left = terminal.contents();
    assert!(left.contains("keepalives in 2 of 2 connections") && left.contains("exit=0"), "{left}");
}

#[test]
fn a_peer_is_probed_beside_a_watch_whose_filter_leaves_it_out() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let folder = scratch("dashboard_live_beside");
    let words = ["watch", "--netns", &lab.client, "--filter", "port:9"];
    let mut terminal = Terminal::keepscope(&words, 140, 44, &folder);
    terminal.wait_for("for TCP of port:9");
    terminal.send("p");
    terminal.wait_for("HOST:PORT, then how");
    terminal.send(&format!("{}\r", server.target(0)));
    terminal.wait_for("* ALIVE");
    terminal.send("qq");
    terminal.expect_sane();
    assert!(terminal.contents().contains("exit=0"), "{}", terminal.contents());
}

/// Another program's connection with its kernel's keepalives.
fn kept_alive(lab: &Lab, server: &Server) -> TcpStream {
    let client = NetNs::Name(lab.client.clone());
    let target: SocketAddr = server.target(0).parse().expect("an address");
    let connecting = std::thread::spawn(move || {
        client.enter().expect("the namespace");
        TcpStream::connect(target).expect("a connection")
    });
    let stream = connecting.join().expect("a connection");
    let second = Duration::from_secs(1);
    let keepalive = TcpKeepalive::new().with_time(second).with_interval(second).with_retries(9);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive).expect("keepalives");
    stream
}

/// What the kernel says of each thread of the programs in a namespace that are ours.
pub fn threads_of(namespace: &str) -> Vec<String> {
    let listed = Command::new("ip").args(["netns", "pids", namespace]).output().expect("ip");
    let listed = String::from_utf8(listed.stdout).expect("numbers");
    let mut found = Vec::new();
    for process in listed.split_whitespace() {
        let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else { continue };
        if name.trim() == "keepscope" {
            let status = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("status"));
            found.extend(tasks.map(|task| status(task.expect("a thread")).expect("its status")));
        }
    }
    assert!(found.len() >= 3, "{found:?}");
    found
}

#[test]
fn without_rights_the_start_screen_says_how_to_get_them() {
    if !has("setpriv") {
        return;
    }
    let folder = scratch("dashboard_live_rights");
    let drop = "setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs";
    let script = format!("{drop} '{}'; echo exit=$?; stty -a", env!("CARGO_BIN_EXE_keepscope"));
    let mut terminal = Terminal::run(shell(&script, &folder), 160, 30);
    terminal.wait_for("Probe a peer");
    terminal.send("p");
    terminal.wait_for("setcap cap_net_raw+ep");
    terminal.send("q");
    terminal.expect_sane();
    assert!(terminal.contents().contains("exit=0"), "{}", terminal.contents());
}

#[test]
fn other_forms_open_no_screen() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let folder = scratch("dashboard_live_plain");
    for options in [&["--plain", "--rounds", "1"][..], &["--format", "text", "--rounds", "1"]] {
        let mut terminal = probe(&lab, &server.target(0), options, &folder);
        terminal.expect_sane();
        assert!(terminal.contents().contains("exit=0"), "{}", terminal.contents());
        assert!(!String::from_utf8_lossy(&terminal.raw).contains("\x1b[?1049h"), "{options:?}");
    }
    let words = ["watch", "--netns", &lab.client, "--plain", "--for", "300ms"];
    let mut terminal = Terminal::keepscope(&words, 140, 44, &folder);
    terminal.expect_sane();
    assert!(terminal.contents().contains("nothing is sent") && terminal.contents().contains("exit=0"));
    assert!(!String::from_utf8_lossy(&terminal.raw).contains("\x1b[?1049h"));
}

#[test]
fn a_target_of_the_dashboard_is_probed_and_a_terminal_that_goes_away_ends_it() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let folder = scratch("dashboard_live_target");
    let program = env!("CARGO_BIN_EXE_keepscope");
    let script = format!("exec ip netns exec {} '{program}' dashboard '{}'", lab.client, server.target(0));
    let mut terminal = Terminal::run(shell(&script, &folder), 140, 44);
    terminal.wait_for("* ALIVE");
    let running = || {
        let listed = Command::new("ip").args(["netns", "pids", &lab.client]).output().expect("ip");
        !listed.stdout.is_empty()
    };
    assert!(running());
    terminal.close();
    until("the end of the program", || !running());
}

/// A terminal that takes nothing, as one that was stopped by Ctrl-S: the screen waits for it, and nothing else does.
#[test]
fn probing_and_recording_never_wait_for_the_terminal() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let folder = scratch("dashboard_live_stopped");
    let file = folder.join("all.pcapng");
    let size = PtySize { rows: 50, cols: 160, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
    // Probes of one octet are always answered, however fast they come.
    let script = format!(
        "'{}' probe --netns {} '{}' --idle 20ms --interval 20ms --octets 1 --write all.pcapng",
        env!("CARGO_BIN_EXE_keepscope"),
        lab.client,
        server.target(0)
    );
    let mut child = pair.slave.spawn_command(shell(&script, &folder)).expect("a program");
    drop(pair.slave);
    // More than a screen and the buffers before it hold, as each of these packets is drawn.
    let length = || std::fs::metadata(&file).map_or(0, |found| found.len());
    until("packets that nobody sees", || length() > 60_000);
    let mut reader = pair.master.try_clone_reader().expect("a reader");
    let reading = std::thread::spawn(move || {
        let mut seen = Vec::new();
        // The end of a pseudo-terminal is an error.
        let _ = reader.read_to_end(&mut seen);
        String::from_utf8_lossy(&seen).into_owned()
    });
    let mut writer = pair.master.take_writer().expect("a writer");
    writer.write_all(b"qq").expect("keys");
    child.wait().expect("an end");
    let seen = reading.join().expect("a screen");
    assert!(seen.contains("packets in all.pcapng"), "{seen}");
    let found = analyze_json(&[text(&file)]);
    let probes = &found["connections"][0]["probers"][0];
    // The last one may have been under way.
    let count = |name: &str| probes[name].as_u64().expect("a number");
    assert!(count("sent") > 100 && count("answered") + 1 >= count("sent"), "{found:#}");
}
