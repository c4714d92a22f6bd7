//! Keys as a user bound them: they do what they are to do, and the screen names them so.

use keepscope::dashboard::columns::{Column, Columns};
use keepscope::dashboard::keymap::{Keymap, Named};
use keepscope::dashboard::message::Key;
use portable_pty::CommandBuilder;

use crate::common::{capture_path, scratch, text};
use crate::harness::{COLOR, Screen};
use crate::terminal::Terminal;

/// The table with these changes: an action and its keys.
fn bound(changes: &[(&str, &[&str])]) -> Keymap {
    let read = |keys: &&[&str]| keys.iter().map(|key| Key::read(key).expect("a key")).collect();
    let changes: Vec<_> =
        changes.iter().map(|(name, keys)| (Named::find(name).expect("an action"), read(keys))).collect();
    Keymap::with(&changes).expect("no clash")
}

#[test]
fn a_bound_key_acts_and_the_old_one_no_longer_does() {
    let mut screen = Screen::replay(&["lossy.pcap"], 100, 40, COLOR);
    screen.model.keys = bound(&[("theme", &["F5", "ctrl-t"]), ("log", &[])]);
    let palette = screen.model.choices.theme.palette;
    screen.keys("T");
    assert_eq!(screen.model.choices.theme.palette, palette, "T does nothing now");
    screen.key(Key::F(5));
    assert_ne!(screen.model.choices.theme.palette, palette);
    let second = screen.model.choices.theme.palette;
    screen.key(Key::Ctrl('t'));
    assert_ne!(screen.model.choices.theme.palette, second);
    screen.keys("L");
    assert!(!screen.model.choices.maximised, "what has no keys cannot be done");
}

#[test]
fn help_footer_and_notices_name_the_keys_as_they_are_bound() {
    let mut screen = Screen::replay(&["lossy.pcap"], 100, 60, COLOR);
    screen.model.keys = bound(&[
        ("play", &["F9"]),
        ("help", &["ctrl-h"]),
        ("quit", &["Q"]),
        ("log", &["J"]),
        ("next_event", &["ctrl-e"]),
        ("previous_event", &["E"]),
        ("reverse", &[]),
    ]);
    let text = screen.text();
    let footer = text.lines().last().unwrap_or_default().to_owned();
    assert!(footer.contains("F9 play") && footer.contains("E Ctrl-E event"), "{footer}");
    assert!(footer.contains("Ctrl-H help") && footer.ends_with("Q quit"), "{footer}");
    assert!(!footer.contains("Space"), "{footer}");
    assert!(text.contains("J full log"), "{text}");
    screen.key(Key::Ctrl('h'));
    let help = screen.text();
    for line in ["F9", "Ctrl-H", "E Ctrl-E", "these keys", "play or pause"] {
        assert!(help.contains(line), "{line}:\n{help}");
    }
    assert!(!help.contains("also Ctrl-P"), "{help}");
    let sort = help.lines().find(|line| line.contains("sort by the next column")).expect("the line");
    assert!(sort.contains(" s ") && !sort.contains(" s S "), "{sort}");
    screen.key(Key::Esc);
    screen.key(Key::Char('1'));
    assert!(screen.shows("nothing is live") || screen.model.notice.is_some());
}

#[test]
fn a_key_for_two_things_is_refused_with_both_names() {
    let change = |name: &str, key: &str| (Named::find(name).unwrap(), vec![Key::read(key).unwrap()]);
    let clashes = Keymap::with(&[change("next_packet", "j")]).expect_err("j is line_down");
    let said: Vec<String> = clashes.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("j would be both ") && said[0].contains("next_packet"), "{said:?}");
    assert!(said[0].contains("line_down"), "{said:?}");
    // Two that change places are none; nor are two that no screen has both.
    Keymap::with(&[change("sort", "S"), change("reverse", "s")]).expect("they change places");
    Keymap::with(&[change("search_next", "n")]).expect("there are no connections on that screen");
    assert!(Keymap::with(&[change("next_event", "n")]).is_err());
}

#[test]
fn columns_can_be_chosen_beforehand() {
    let columns = Columns::of(&[Column::Probes, Column::Packets]);
    let shown: Vec<&str> = columns.fitting(120).iter().map(|(column, _)| column.name()).collect();
    assert_eq!(shown, ["ends", "probes", "packets", "verdict"]);
}

/// A replay in a terminal with a configuration file.
fn configured(name: &str, content: &str, more: &[&str]) -> Terminal {
    let folder = scratch(&format!("bound-{name}"));
    let file = folder.join("config.toml");
    std::fs::write(&file, content).expect("a file");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_keepscope"));
    command.args(["--config", text(&file)]);
    command.args(more);
    command.env_clear();
    for (variable, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("COLORFGBG", "15;0")] {
        command.env(variable, value);
    }
    command.env("HOME", &folder);
    command.cwd(&folder);
    Terminal::run(command, 120, 40)
}

const WANTED: &str = "\
[screen]
theme = \"mono\"
ascii = true
mouse = true
columns = [\"probes\", \"packets\"]
times = \"utc\"
[keys]
quit = [\"ctrl-q\", \"F4\"]
play = \"P\"
";

#[test]
fn the_screen_begins_as_the_file_says_and_takes_its_keys() {
    let capture = capture_path("lossy.pcap");
    let mut terminal = configured("replay", WANTED, &["replay", &capture]);
    terminal.wait_for("17 packets");
    terminal.wait_for("ALIVE");
    terminal.wait_for("P play");
    terminal.wait_for("END");
    let screen = terminal.contents();
    assert!(screen.contains("+-") && !screen.contains('─'), "ASCII: {screen}");
    let head = screen.lines().find(|line| line.contains("client > server")).expect("the table");
    assert!(head.contains("packets") && head.contains("KA") && !head.contains("lost"), "{head}");
    assert!(screen.contains("mouse on"), "{screen}");
    assert!(screen.contains("06:28:57") || screen.contains("06:29:"), "UTC: {screen}");
    let raw = String::from_utf8_lossy(&terminal.raw).into_owned();
    assert!(raw.contains("\u{1b}[?1000h"), "the terminal is told of the mouse");
    assert!(!raw.contains("38;2;") && !raw.contains("38;5;"), "mono");
    terminal.send("P");
    terminal.wait_gone("END");
    terminal.wait_for("PLAY");
    // All is drawn anew, and the terminal is asked nothing: one that does not answer would be waited for.
    let before = terminal.raw.len();
    terminal.send("\u{c}");
    terminal.wait_octets("\u{1b}[2J");
    terminal.wait("all of it", |screen| screen.contains("Scrubber"));
    assert!(
        !terminal.raw[before..].windows(4).any(|octets| octets == b"\x1b[6n"),
        "the cursor was asked for"
    );
    terminal.send("\u{11}");
    terminal.wait("the summary", |_| true);
    terminal.wait_for("17 packets");
    // An option comes before the file.
    let mut terminal = configured("option", WANTED, &["replay", "--theme", "dark", &capture]);
    terminal.wait_for("P play");
    let raw = String::from_utf8_lossy(&terminal.raw).into_owned();
    assert!(raw.contains("38;") || raw.contains("\u{1b}[3"), "colours");
}

#[test]
fn the_start_screen_and_the_simulator_heed_it_too() {
    let mut terminal = configured("start", WANTED, &[]);
    terminal.wait_for("Ctrl-Q quit");
    assert!(terminal.contents().contains("mouse on") || !terminal.contents().contains('─'));
    let mut terminal = configured("simulate", WANTED, &["simulate", "--tui"]);
    terminal.wait_for("Ctrl-Q quit");
    assert!(!terminal.contents().contains('─'), "{}", terminal.contents());
}

#[test]
fn a_file_with_a_clash_opens_no_screen() {
    let mut terminal =
        configured("clash", "[keys]\nplay = \"j\"\n", &["replay", &capture_path("lossy.pcap")]);
    terminal.wait_for("config.toml:2: keys: j would be both");
    assert!(!terminal.parser.screen().alternate_screen());
}
