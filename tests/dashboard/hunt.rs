//! The search on a real path in a real terminal: a box that forgets, a partner behind it, and a search that is left.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::{analyze_json, scratch, text};
use crate::lab::{Lab, SERVER, Server, until};
use crate::terminal::{Terminal, shell};
use crate::wire::{signal, threads_of};

const TOKEN: &str = "correct horse battery";

const PORT: u16 = 7440;

/// `keepscope respond` on the server; it goes away with the value.
struct Partner(Child);

impl Partner {
    fn on(lab: &Lab) -> Partner {
        let listen = format!("[::]:{PORT}");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &lab.server, env!("CARGO_BIN_EXE_keepscope"), "respond", "--listen"]);
        command.arg(&listen).env("KEEPSCOPE_TOKEN", TOKEN);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let partner = Partner(quiet.spawn().expect("a partner"));
        let end = format!(":{PORT}");
        until("a listener", || {
            lab.run(&lab.server, "ss -tlnH").split_whitespace().any(|word| word.ends_with(&end))
        });
        partner
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A NAT between client and server that forgets after so many seconds.
fn nat(lab: &Lab, seconds: u32) {
    lab.nft(
        &lab.router,
        &[
            "add table ip nat",
            "add chain ip nat post { type nat hook postrouting priority srcnat ; }",
            "add rule ip nat post oifname r1 masquerade",
        ],
    );
    let setting = format!("sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established={seconds}");
    lab.run(&lab.router, &setting);
}

/// Searches from the client on a screen that has room for the summary, too.
fn search(lab: &Lab, target: &str, options: &str, folder: &Path) -> Terminal {
    let program = env!("CARGO_BIN_EXE_keepscope");
    let script =
        format!("'{program}' middlebox --netns {} {options} '{target}'; echo exit=$?; stty -a", lab.client);
    let mut command = shell(&script, folder);
    command.env_remove("KEEPSCOPE_TOKEN");
    if options.contains("--partner") {
        command.env("KEEPSCOPE_TOKEN", TOKEN);
    }
    Terminal::run(command, 140, 60)
}

fn partner_at() -> String {
    format!("{}:{PORT}", SERVER[0])
}

/// The recording reads to its end. Stamps of two processors may lie some hundred nanoseconds apart, which is no damage.
fn expect_whole(found: &serde_json::Value) {
    let problems = found["captures"][0]["problems"].as_array().expect("problems");
    assert!(problems.iter().all(|problem| problem["kind"] == "time_goes_back"), "{problems:#?}");
}

#[test]
fn a_timeout_is_found_on_the_screen_and_what_it_came_to_stays() {
    let Some(lab) = Lab::new() else { return };
    nat(&lab, 7);
    let _partner = Partner::on(&lab);
    let folder = scratch("dashboard_hunt");
    let options = "--partner --direction both --connections 32 --min 3s --max 15s --write all.pcapng --journal run.jsonl";
    let mut terminal = search(&lab, &partner_at(), options, &folder);
    terminal.wait_for("outbound (d: 1 of 2)");
    assert!(terminal.parser.screen().alternate_screen());
    terminal.wait("the search", |screen| screen.contains("LIVE") && screen.contains("Search (ladder)"));
    for status in threads_of(&lab.client) {
        assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    }
    // Silences grow by themselves, long before anything comes of them.
    terminal.wait("a silence of two seconds", |screen| {
        screen.contains("2.0 s of ") || screen.contains("2.5 s of ")
    });
    terminal.send("d");
    terminal.wait_for("inbound (d: 2 of 2)");
    terminal.wait_for("lived");
    terminal.wait("a bracket", |screen| screen.contains("survived ") && screen.contains("died of "));
    terminal.wait_for("DONE");
    assert!(terminal.contents().contains("The path keeps an idle connection"), "{}", terminal.contents());
    // What the line below says of packets is what the summary says.
    let shown = terminal.contents();
    let words: Vec<&str> = shown.split_whitespace().collect();
    let packets = words.windows(2).find(|pair| pair[1] == "packets").expect("packets").join(" ");
    // Nothing goes on, so once will do.
    terminal.send("q");
    terminal.expect_sane();
    let left = terminal.contents();
    assert!(left.contains(&packets), "{packets}:\n{left}");
    for words in ["bracket", "cannot be known", "exit=0"] {
        assert!(left.contains(words), "{words} does not stay:\n{left}");
    }
    let found = analyze_json(&[text(&folder.join("all.pcapng"))]);
    expect_whole(&found);
    let journal = std::fs::read_to_string(folder.join("run.jsonl")).expect("a journal");
    assert!(journal.lines().count() > 10, "{journal}");
}

#[test]
fn a_search_that_is_left_keeps_what_it_knows() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let options = "--min 3s --max 10m --write all.pcapng --force";
    let folder = scratch("dashboard_hunt_left");
    for keys in ["q", "\x03"] {
        let mut terminal = search(&lab, &server.target(0), options, &folder);
        terminal.wait_for("lived");
        terminal.send(keys);
        if keys == "q" {
            terminal.wait_for("q again to quit");
            terminal.send("q");
        }
        terminal.expect_sane();
        let left = terminal.contents();
        assert!(left.contains("exit=130") && left.contains("interrupted"), "{keys:?}:\n{left}");
    }
    for name in ["-TERM", "-HUP"] {
        let mut terminal = search(&lab, &server.target(1), options, &folder);
        terminal.wait_for("lived");
        signal(name, &terminal.program());
        terminal.expect_sane();
        let left = terminal.contents();
        assert!(left.contains("exit=130"), "{name}:\n{left}");
        let found = analyze_json(&[text(&folder.join("all.pcapng"))]);
        expect_whole(&found);
        // Where the last ACKs cross, the server has forgotten the connection and answers the second by RST: that
        // changes nothing.
        assert_eq!(found["connections"][0]["outcome"], "closed", "{name}: {found:#}");
    }
}

#[test]
fn who_is_no_partner_is_said_below_and_other_forms_open_no_screen() {
    let Some(lab) = Lab::new() else { return };
    let folder = scratch("dashboard_hunt_nobody");
    let mut terminal = search(&lab, &partner_at(), "--partner", &folder);
    terminal.expect_sane();
    let left = terminal.contents();
    assert!(left.contains("exit=2") && left.contains("error: "), "{left}");
    for options in ["--plain --partner", "--format text --partner", "--plan"] {
        let mut terminal = search(&lab, &partner_at(), options, &folder);
        terminal.expect_sane();
        assert!(!String::from_utf8_lossy(&terminal.raw).contains("\x1b[?1049h"), "{options}");
    }
}
