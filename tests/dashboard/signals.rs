//! Signals while a screen stands, in what it shows: the terminal is sane afterwards, and while it is stopped.

use std::fs::read_to_string;

use crate::common::{capture_path, scratch};
use crate::lab::{Lab, Server, until};
use crate::terminal::Terminal;
use crate::wire::signal;

/// What a terminal looks like that is nobody's: main screen, cursor, no mouse, lines and echo.
fn is_given_back(terminal: &mut Terminal) {
    terminal.wait_screen("the main screen", |screen| {
        let mouse = screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None;
        !screen.alternate_screen() && !screen.hide_cursor() && mouse
    });
    let settings = terminal.settings();
    assert!(settings.contains(" icanon") && settings.contains(" echo "), "{settings}");
}

/// The screen of each live command in each of its phases: words that open it, keys, and what it shows then.
fn phases(lab: &Lab, server: &Server) -> Vec<(Vec<String>, &'static str, &'static str)> {
    let (netns, target) = (lab.client.clone(), server.target(0));
    // Nobody answers there.
    let nobody = "198.51.100.77:9".to_owned();
    let words = |words: &str, target: &str| -> Vec<String> {
        let words = words.split(' ').chain([target]).map(str::to_owned);
        words.filter(|word| !word.is_empty()).chain(["--netns".to_owned(), netns.clone()]).collect()
    };
    vec![
        (words("probe --connect-timeout 60s", &nobody), "", "SYN"),
        (words("probe --idle 700ms --interval 700ms", &target), "", "* ALIVE"),
        (words("probe --idle 700ms --interval 700ms", &target), "H", "HELD"),
        (words("watch", ""), "", "watching"),
        (words("middlebox --no-partner --max 60s", &target), "", "4 Search"),
    ]
}

#[test]
fn whatever_signal_ends_a_live_screen_the_terminal_is_sane() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let folder = scratch("dashboard_signals");
    // Each signal in two of the phases at least, each phase with two of the signals.
    let signals = ["-TERM", "-HUP", "-INT", "-QUIT"];
    for (number, (words, keys, shown)) in phases(&lab, &server).into_iter().enumerate() {
        for name in [signals[number % 4], signals[(number + 2) % 4]] {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let mut terminal = Terminal::keepscope(&words, 140, 44, &folder);
            terminal.wait_screen("the screen", vt100::Screen::alternate_screen);
            terminal.send("m");
            terminal.wait_for("mouse on");
            terminal.send(keys);
            terminal.wait_for(shown);
            signal(name, &terminal.program());
            terminal.expect_sane();
            let left = terminal.contents();
            assert!(left.contains("exit=130"), "{words:?} {name}:\n{left}");
            assert!(!left.contains("panicked"), "{words:?} {name}:\n{left}");
        }
    }
}

#[test]
fn a_screen_that_is_stopped_gives_the_terminal_back_and_takes_it_again() {
    let folder = scratch("dashboard_stopped");
    let mut terminal = Terminal::keepscope(&["replay", &capture_path("vanish.pcap")], 80, 24, &folder);
    terminal.wait_for("TIMED OUT");
    terminal.send("m");
    terminal.wait_for("mouse on");
    // Something else wrote over it; all is drawn anew.
    terminal.parser.process(b"\x1b[H\x1b[2J");
    terminal.send("\x0c");
    terminal.wait_for("TIMED OUT");
    let program = terminal.program();
    let stopped = || read_to_string(format!("/proc/{program}/stat")).is_ok_and(|stat| stat.contains(") T "));
    for by in ["Ctrl-Z", "SIGTSTP"] {
        match by {
            "Ctrl-Z" => terminal.send("\x1a"),
            _ => signal("-TSTP", &program),
        }
        until("it has stopped", stopped);
        is_given_back(&mut terminal);
        // What a shell would write meanwhile, and what its user would type.
        signal("-CONT", &program);
        terminal.wait_screen("the screen again", |screen| {
            let mouse = screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None;
            screen.alternate_screen() && screen.hide_cursor() && mouse
        });
        terminal.wait_for("TIMED OUT");
        assert!(terminal.settings().contains("-icanon"), "{by}: {}", terminal.settings());
        // Keys are keys again.
        terminal.send("?");
        terminal.wait_for("Esc closes");
        terminal.send("\x1b");
        terminal.wait_gone("Esc closes");
    }
    // Stopped by what cannot be caught, and its terminal used by others.
    signal("-STOP", &program);
    until("it has stopped", stopped);
    signal("-CONT", &program);
    terminal.wait_for("TIMED OUT");
    terminal.send("q");
    terminal.expect_sane();
    assert!(terminal.contents().contains("exit=0"), "{}", terminal.contents());
}
