//! Names by somebody who means harm, on a real terminal: on the screens, and in what stays when they are left.

use keepscope::printable::is_harmful;

use crate::common::{capture_path, scratch, text};
use crate::names::{HOSTILE, scenario};
use crate::terminal::Terminal;

/// Nothing of a name reached the terminal as it stands. The screen is drawn by control characters; none of those is C1,
/// DEL or a mark of direction, and no title is set but by a name.
fn expect_harmless(terminal: &Terminal, what: &str) {
    let raw = String::from_utf8_lossy(&terminal.raw);
    let drawn = |letter: &char| matches!(letter, '\x07'..='\x0f' | '\x1b');
    let harmful: String = raw.chars().filter(|letter| is_harmful(*letter) && !drawn(letter)).collect();
    assert_eq!(harmful, "", "{what}");
    for forged in ["\x1b]0;x", "\nkeepscope: error: forged", "b\x1b[2J", "k\x1b[2J"] {
        assert!(!raw.contains(forged), "{what}: {forged:?}");
    }
}

/// Looks at the help and comes back, so that all is drawn once more.
fn see_keys(terminal: &mut Terminal) {
    terminal.send("?");
    terminal.wait_for("Esc closes");
    terminal.send("\x1b");
    terminal.wait_gone("Esc closes");
}

/// Leaves a screen, and what stays is judged, too.
fn leave(mut terminal: Terminal, what: &str) {
    terminal.send("q");
    terminal.wait(what, |screen| screen.contains("q again") || screen.contains("exit="));
    if !terminal.contents().contains("exit=") {
        terminal.send("q");
    }
    terminal.expect_sane();
    expect_harmless(&terminal, what);
}

#[test]
fn a_scenario_and_what_stays_of_it() {
    let folder = scratch("dashboard_hostile_scenario");
    std::fs::write(folder.join("all.toml"), scenario()).expect("a file");
    let mut terminal = Terminal::keepscope(&["simulate", "--tui", "all.toml"], 140, 50, &folder);
    terminal.wait_for("State at");
    // Every field once: the names of links and boxes are among them.
    for _ in 0..60 {
        terminal.send("\x1b[B");
    }
    see_keys(&mut terminal);
    leave(terminal, "the simulator");
}

#[test]
fn a_rehearsal() {
    let folder = scratch("dashboard_hostile_rehearsal");
    // Neither a question nor expectations, which a rehearsal has of its own.
    let written = scenario();
    let path = written.split("[[expect.events]]").next().expect("a scenario");
    std::fs::write(folder.join("path.toml"), path).expect("a file");
    let mut terminal =
        Terminal::keepscope(&["middlebox", "--simulate", "path.toml", "--tui"], 140, 50, &folder);
    terminal.wait_for("* lived");
    leave(terminal, "a rehearsal");
}

#[test]
fn names_of_files() {
    let folder = scratch("dashboard_hostile_files");
    let name = format!("{}.pcap", HOSTILE.replace('\'', ""));
    std::fs::copy(capture_path("answered.pcap"), folder.join(&name)).expect("a file");
    let mut terminal = Terminal::keepscope(&["replay", &name], 140, 40, &folder);
    terminal.wait_for("PLAY");
    see_keys(&mut terminal);
    // An export has a name made from that of the capture.
    terminal.send("ej");
    terminal.wait_for("wrote");
    leave(terminal, "a replay");
    let mut terminal = Terminal::keepscope(&["replay", &format!("gone{name}")], 140, 40, &folder);
    terminal.expect_sane();
    expect_harmless(&terminal, "a file that is not there");
}

#[test]
fn where_the_configuration_is() {
    let folder = scratch("dashboard_hostile_configuration");
    let mut terminal =
        Terminal::keepscope(&["--config", text(&folder.join(HOSTILE)), "config", "path"], 140, 40, &folder);
    terminal.expect_sane();
    assert!(terminal.contents().contains("exit=0"), "{}", terminal.contents());
    expect_harmless(&terminal, "a path");
}

#[cfg(feature = "live")]
mod live {
    use std::process::Command;

    use super::{leave, scratch, see_keys};
    use crate::lab::Lab;
    use crate::terminal::Terminal;

    #[test]
    fn interfaces_and_a_recording() {
        const INTERFACE: &str = "k\x1b[2J\u{202e}\u{9b}1m";
        let Some(lab) = Lab::new() else { return };
        for words in
            [["link", "set", "c0", "down"], ["link", "set", "c0", "name"], ["link", "set", INTERFACE, "up"]]
        {
            let mut ip = Command::new("ip");
            ip.args(["-n", &lab.client]).args(words);
            let done = if words[3] == "name" { ip.arg(INTERFACE) } else { &mut ip }.output().expect("ip");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        let folder = scratch("dashboard_hostile_live");
        let file = "all\u{202e}\u{9b}31m.pcapng";
        for only in [&["--interface", INTERFACE, "--write", file][..], &[]] {
            let words = [&["watch", "--netns", &lab.client], only].concat();
            let mut terminal = Terminal::keepscope(&words, 140, 40, &folder);
            terminal.wait_for("LIVE");
            see_keys(&mut terminal);
            leave(terminal, "a watch");
        }
    }
}
