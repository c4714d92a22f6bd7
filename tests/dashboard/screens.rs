//! Every screen as it is drawn, with its styles, against files.
//!
//! `KEEPSCOPE_BLESS=1 cargo test --test dashboard screens` writes them anew; then look at what changed.

use std::path::PathBuf;

use keepscope::dashboard::keymap;
use keepscope::dashboard::message::Key;
use keepscope::dashboard::theme::{Palette, Theme};

use crate::harness::{ASCII, COLOR, MONO, Screen, dump};
use crate::live::{Live, at};

pub const SIZES: [(u16, u16); 4] = [(60, 16), (80, 24), (100, 30), (160, 50)];
pub const THEMES: [(&str, Theme); 3] = [("color", COLOR), ("mono", MONO), ("ascii", ASCII)];

/// Compares what is drawn with the file of this name; returns what is wrong.
pub fn differs(name: &str, screen: &mut Screen) -> Option<String> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "dashboard", "screens", &format!("{name}.txt")]
        .iter()
        .collect();
    let drawn = dump(&screen.draw());
    if std::env::var_os("KEEPSCOPE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, &drawn).expect("a file");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let pairs = expected.lines().zip(drawn.lines()).find(|(one, other)| one != other);
    let first = pairs.map_or(String::new(), |(one, other)| format!("\n  was {one}\n  is  {other}"));
    (expected != drawn).then(|| format!("{name} has changed{first}\n{drawn}"))
}

pub fn all_same(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn replay_at_every_size_and_in_every_theme() {
    let mut wrong = Vec::new();
    for (columns, rows) in SIZES {
        for (name, theme) in THEMES {
            let mut screen = Screen::replay(&["vanish.pcap"], columns, rows, theme);
            wrong.extend(differs(&format!("vanish_{columns}x{rows}_{name}"), &mut screen));
        }
    }
    all_same(wrong);
}

#[test]
fn columns_and_filters_at_every_size_and_in_every_theme() {
    let mut wrong = Vec::new();
    for (columns, rows) in SIZES {
        for (name, theme) in THEMES {
            let mut screen = Screen::replay(&["vanish.pcap", "both.pcap"], columns, rows, theme);
            screen.keys("cj ");
            wrong.extend(differs(&format!("columns_{columns}x{rows}_{name}"), &mut screen));
            screen.key(Key::Esc);
            screen.keys("/ka.lost>0 or idle>60 and alive");
            wrong.extend(differs(&format!("filter_{columns}x{rows}_{name}"), &mut screen));
        }
    }
    let contrast = Theme { palette: Palette::HighContrast, ..COLOR };
    let mut screen = Screen::replay(&["vanish.pcap"], 100, 30, contrast);
    wrong.extend(differs("vanish_100x30_high_contrast", &mut screen));
    all_same(wrong);
}

#[test]
fn simulate_at_every_size_and_in_every_theme() {
    let mut wrong = Vec::new();
    for (columns, rows) in SIZES {
        for (name, theme) in THEMES {
            let mut screen = Screen::simulate("go-through-azure", columns, rows, theme);
            wrong.extend(differs(&format!("simulate_{columns}x{rows}_{name}"), &mut screen));
        }
        let mut middle = Screen::simulate("linux-340s-behind-350s", columns, rows, COLOR);
        middle.keys("D<");
        middle.keys(":352s");
        middle.key(Key::Enter);
        wrong.extend(differs(&format!("simulate_difference_{columns}x{rows}"), &mut middle));
    }
    all_same(wrong);
}

#[test]
fn simulate_moments_and_overlays() {
    let mut wrong = Vec::new();
    let mut check = |name: &str, screen: &mut Screen| wrong.extend(differs(name, screen));
    let mut screen = Screen::simulate("plain", 100, 30, COLOR);
    screen.keys(":131s");
    screen.key(Key::Enter);
    check("simulate_middle_100x30", &mut screen);
    screen.keys("b");
    check("simulate_batch_100x30", &mut screen);
    screen.keys("p");
    check("simulate_scenarios_100x30", &mut screen);
    let mut windows = Screen::simulate("windows-keepalive-vals", 100, 30, ASCII);
    check("simulate_windows_100x30", &mut windows);
    windows.key(Key::Enter);
    windows.keys("x");
    check("simulate_edit_100x30", &mut windows);
    windows.key(Key::Enter);
    check("simulate_edit_wrong_100x30", &mut windows);
    let mut impossible = Screen::simulate("plain", 80, 24, MONO);
    impossible.key(Key::Enter);
    impossible.key(Key::Ctrl('u'));
    impossible.keys("0s");
    impossible.key(Key::Enter);
    check("simulate_impossible_80x24", &mut impossible);
    all_same(wrong);
}

#[test]
fn live_at_every_size_and_in_every_theme() {
    let mut wrong = Vec::new();
    for (columns, rows) in SIZES {
        for (name, theme) in THEMES {
            let mut live = Live::scene(columns, rows, theme);
            wrong.extend(differs(&format!("live_{columns}x{rows}_{name}"), &mut live.screen));
        }
    }
    let mut watched = Live::of("many.pcap", 120, 40, COLOR);
    watched.facts.watching = Some("eth0 for all TCP and ICMP errors".to_owned());
    watched.facts.dropped = 3;
    watched.until(at(4_000));
    watched.screen.keys("a ");
    wrong.extend(differs("live_watching_paused_120x40", &mut watched.screen));
    let mut held = Live::scene(80, 24, ASCII);
    held.facts.held = true;
    held.facts.links[0].next = None;
    held.facts.links[0].gives_up = None;
    held.until(at(6_500));
    wrong.extend(differs("live_held_80x24", &mut held.screen));
    held.screen.keys("p");
    wrong.extend(differs("live_peer_80x24", &mut held.screen));
    all_same(wrong);
}

#[test]
fn moments_and_overlays() {
    let mut wrong = Vec::new();
    let mut check = |name: &str, screen: &mut Screen| wrong.extend(differs(name, screen));
    check("start_80x24", &mut Screen::start(80, 24, COLOR));

    let mut middle = Screen::replay(&["lossy.pcap"], 100, 30, COLOR);
    middle.keys(":6.5s");
    middle.key(Key::Enter);
    check("lossy_middle_100x30", &mut middle);
    middle.keys("Ari");
    middle.keys("]B");
    check("lossy_marks_absolute_unfolded_100x30", &mut middle);

    let mut many = Screen::replay(&["many.pcap", "both.pcap", "reset_by_peer.pcap"], 160, 50, COLOR);
    check("several_160x50", &mut many);
    many.keys("sj/port:40083");
    check("several_filter_160x50", &mut many);
    many.keys(" nonsense");
    check("several_filter_wrong_160x50", &mut many);

    let mut help = Screen::replay(&["answered.pcap"], 80, 24, ASCII);
    help.keys("?");
    check("help_80x24", &mut help);
    let mut export = Screen::replay(&["answered.pcap"], 80, 24, MONO);
    export.keys("e");
    check("export_80x24", &mut export);
    let mut log = Screen::replay(&["window_probes_then_keepalives.pcap"], 100, 30, MONO);
    log.keys("L");
    check("log_100x30", &mut log);
    all_same(wrong);
}

/// The picture that the README shows is what is drawn; the example makes the same.
#[test]
fn the_picture_is_the_screen() {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "dashboard", "screen.svg"].iter().collect();
    let name = "captures/lossy.pcap";
    let mut screen = Screen::replay_as("lossy.pcap", name, 120, 36, COLOR);
    screen.keys(":8.5s");
    screen.key(Key::Enter);
    let drawn = keepscope::dashboard::svg::screen(&screen.draw(), &COLOR, &format!("keepscope {name}"));
    if std::env::var_os("KEEPSCOPE_BLESS").is_some() {
        std::fs::write(&path, &drawn).expect("a file");
    }
    assert_eq!(std::fs::read_to_string(&path).expect("a picture"), drawn);
}

/// What the README shows is what is drawn, and what keys do is what the table says.
#[test]
fn the_readme_shows_the_screen_and_the_keys() {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "README.md"].iter().collect();
    let readme = std::fs::read_to_string(path).expect("a README");
    let mut screen = Screen::replay_as("lossy.pcap", "captures/lossy.pcap", 100, 30, COLOR);
    screen.keys(":8.5s");
    screen.key(Key::Enter);
    let drawn = screen.text();
    assert!(readme.contains(drawn.trim_end()), "the README should have this screen:\n{drawn}");
    let mut screen = Screen::simulate("linux-340s-behind-350s", 100, 30, COLOR);
    screen.keys("D<<");
    let drawn = screen.text();
    assert!(readme.contains(drawn.trim_end()), "the README should have this screen:\n{drawn}");
    for keys in [keymap::markdown(false), keymap::markdown(true)] {
        assert!(readme.contains(&keys), "the README should have this list:\n{keys}");
    }
}
