//! How it looks in a real terminal, and what it does where there is none to speak of: themes, ASCII, plain lines,
//! filters, columns and the clipboard.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::common::{capture_path, keepscope, scratch, text};
use crate::terminal::{Terminal, shell};

fn run(arguments: &str, environment: &[(&str, &str)]) -> Terminal {
    // Tests run side by side, and each of them more than once.
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let folder = scratch(&format!("dashboard_looks_{}", RUNS.fetch_add(1, Ordering::Relaxed)));
    let program = env!("CARGO_BIN_EXE_keepscope");
    let mut command = shell(&format!("'{program}' {arguments}; echo exit=$?; stty -a"), &folder);
    for (name, value) in environment {
        if value.is_empty() {
            command.env_remove(name);
        } else {
            command.env(name, value);
        }
    }
    Terminal::run(command, 100, 30)
}

/// What was put on the clipboard last.
fn copied(terminal: &Terminal) -> String {
    let raw = String::from_utf8_lossy(&terminal.raw).into_owned();
    let (_, last) = raw.rsplit_once("\x1b]52;c;").expect("OSC 52");
    let encoded = last.split(['\x1b', '\x07']).next().expect("a text");
    let value = |octet: u8| {
        let alphabet = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']);
        alphabet.map(|letter| letter as u8).position(|letter| letter == octet)
    };
    let (mut octets, mut bits, mut held) = (Vec::new(), 0, 0_usize);
    for digit in encoded.bytes().filter_map(value) {
        (held, bits) = (held << 6 | digit, bits + 6);
        if bits >= 8 {
            bits -= 8;
            octets.push((held >> bits & 0xff) as u8);
        }
    }
    String::from_utf8(octets).expect("text")
}

#[test]
fn filters_columns_and_the_clipboard() {
    let many = capture_path("many.pcap");
    let mut terminal = run(&format!("replay '{many}'"), &[]);
    terminal.wait_for("Connections 6 of 7");
    terminal.send("/idle>60");
    terminal.wait_for("at 6: '60' is no duration");
    terminal.send("s or ka.probes>3");
    terminal.wait_for("1 left");
    terminal.send("\r");
    terminal.wait_for("Connections 1 of 7");
    terminal.wait_for("/ idle>60s or ka.probes>3");
    // Packets in, which is third from the last; and sorted by.
    terminal.send("ckk ");
    terminal.wait_for("[x] packets");
    terminal.send("\r\x1b");
    terminal.wait_for("sort: packets");
    terminal.wait("the column", |screen| screen.lines().nth(2).is_some_and(|line| line.contains("packets")));
    terminal.send("y");
    terminal.wait_for("copied connection #1");
    let words = copied(&terminal);
    assert!(words.starts_with("#1 ALIVE  192.0.2.2:40081 -> 198.51.100.2:7081\n"), "{words}");
    // The panel that has the keys: first the table, then the ladder, all of it.
    terminal.send("Y");
    terminal.wait_for("copied the panel Connections");
    assert!(copied(&terminal).contains("1 192.0.2.2:40081 > 198.51.100.2:7081"), "{}", copied(&terminal));
    terminal.send("\tY");
    terminal.wait_for("copied the panel Ladder");
    let ladder = copied(&terminal);
    assert!(ladder.contains("KA-ACK") && ladder.lines().count() > 12, "{ladder}");
    assert!(!ladder.contains('│') && !ladder.contains("  \n"), "without its frame: {ladder}");
    terminal.send("ex");
    terminal.wait_for("wrote many-connection-1-ladder.txt");
    terminal.send("q");
    terminal.expect_sane();
}

#[test]
fn the_terminal_is_asked_for_its_background() {
    let lossy = capture_path("lossy.pcap");
    let mut terminal = run(&format!("replay '{lossy}'"), &[("COLORFGBG", "")]);
    terminal.wait_octets("\x1b]11;?");
    terminal.wait_octets("\x1b[c");
    terminal.send("\x1b]10;rgb:0000/0000/0000\x1b\\\x1b]11;rgb:ffff/fafa/f0f0\x1b\\\x1b[?62;22c");
    terminal.wait_for("END fit");
    // After the light theme comes this one.
    terminal.send("T");
    terminal.wait_for("theme: high-contrast");
    terminal.send("q");
    terminal.expect_sane();

    for (arguments, name, value, after) in [
        ("", "COLORFGBG", "0;15", "high-contrast"),
        ("", "COLORFGBG", "15;default;0", "light"),
        ("--theme light", "COLORFGBG", "15;0", "high-contrast"),
        ("", "NO_COLOR", "1", "dark"),
        ("--color never --theme light", "COLORFGBG", "15;0", "dark"),
        ("--color always", "NO_COLOR", "1", "light"),
    ] {
        let mut terminal = run(&format!("replay {arguments} '{lossy}'"), &[(name, value)]);
        terminal.wait_for("END fit");
        terminal.send("T");
        terminal.wait_for(&format!("theme: {after}"));
        assert!(!String::from_utf8_lossy(&terminal.raw).contains("\x1b]11;?"), "nothing had to be asked");
        terminal.send("q");
        terminal.expect_sane();
    }
}

#[test]
fn a_terminal_that_answers_late_or_never_keeps_nobody_waiting() {
    let lossy = capture_path("lossy.pcap");
    let mut terminal = run(&format!("replay '{lossy}'"), &[("COLORFGBG", "")]);
    terminal.wait_octets("\x1b]11;?");
    terminal.wait_for("END fit");
    terminal.send("\x1b]10;rgb:0000/0000/0000\x1b\\\x1b]11;rgb:ffff/ffff/ffff\x07\x1b[?62;22c");
    terminal.send("T");
    terminal.wait_for("theme: light");
    let screen = terminal.contents();
    assert!(
        screen.contains("SEQ relative") && screen.contains("[2 Replay]"),
        "no answer is a key:\n{screen}"
    );
    terminal.send("q");
    terminal.expect_sane();
}

#[test]
fn where_the_locale_is_not_utf_8_there_is_nothing_but_ascii() {
    let lossy = capture_path("lossy.pcap");
    for (arguments, environment) in
        [("", [("LC_ALL", "C"), ("LANG", "C")]), ("--ascii", [("LC_ALL", "C.UTF-8"), ("LANG", "C.UTF-8")])]
    {
        let mut terminal = run(&format!("replay {arguments} '{lossy}'"), &environment);
        terminal.wait_for("END fit");
        terminal.send("?");
        terminal.wait_for("Keys: Replay");
        terminal.send("qq");
        terminal.expect_sane();
        assert!(terminal.raw.is_ascii(), "{}", terminal.contents());
    }
}

#[test]
fn a_terminal_that_can_only_show_lines_gets_lines() {
    let vanish = capture_path("vanish.pcap");
    let mut dumb = run(&format!("dashboard '{vanish}'"), &[("TERM", "dumb")]);
    dumb.expect_sane();
    let written = String::from_utf8_lossy(&dumb.raw).into_owned();
    assert!(written.contains("exit=0") && !written.contains('\x1b'), "{written}");
    assert!(written.contains("9.251 s  #1 KA 4 by the client"), "{written}");

    let output = keepscope(&["replay", "--plain", &vanish]);
    let lines = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(0));
    let events: Vec<&str> = lines.lines().filter(|line| line.contains(" s  #1 ")).collect();
    assert_eq!(events.len(), 10, "{lines}");
    assert_eq!(events[0], "3.207 s  #1 KA 1 by the client after 3.207 s  [frame 6]");
    assert_eq!(events[7], "11.271 s  #1 no answer to the KA of frame 9");
    assert!(events[9].starts_with("11.271 s  #1 X TIMED OUT: 4 probes without an answer"), "{lines}");
    assert!(lines.lines().next().expect("a line").starts_with("times are in seconds since 20"));
    assert!(lines.contains("keepalives in 1 of 1 connection"), "the summary is at the end: {lines}");

    let folder = scratch("dashboard_plain_damaged");
    let cut = folder.join("cut.pcap");
    let mut octets = std::fs::read(&vanish).expect("a capture");
    octets.truncate(octets.len() - 5);
    std::fs::write(&cut, octets).expect("a file");
    let output = keepscope(&["dashboard", "--plain", text(&cut)]);
    assert_eq!(output.status.code(), Some(2), "what is damaged says so here too");
    assert!(String::from_utf8_lossy(&output.stdout).contains("KA 4 by the client"));
    let output = keepscope(&["replay", "--plain", "missing.pcap"]);
    assert_eq!(output.status.code(), Some(2));
}
