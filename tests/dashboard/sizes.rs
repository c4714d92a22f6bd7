//! No size and no moment makes drawing fail.

use keepscope::dashboard::message::{Key, Message, Mouse};
use keepscope::dashboard::model::Panel;

use crate::harness::{ASCII, COLOR, Screen};

/// Draws everything there is at one size.
fn draw_all(screen: &mut Screen, columns: u16, rows: u16) {
    screen.send(Message::Resize(columns, rows));
    screen.draw();
    for panel in 0..6 {
        screen.key(Key::Tab);
        if panel % 2 == 0 {
            screen.keys("\\");
            screen.draw();
            screen.keys("\\");
        }
        screen.draw();
    }
    for overlay in ["?", "e", "/", ":", "c"] {
        screen.keys(overlay);
        screen.draw();
        screen.key(Key::Esc);
    }
    screen.send(Message::Mouse(Mouse::Press(columns / 2, rows / 2)));
    screen.send(Message::Mouse(Mouse::Press(columns.saturating_sub(1), rows.saturating_sub(3))));
    screen.draw();
    screen.keys("0");
    screen.draw();
    screen.keys("2");
}

/// Draws every panel and overlay of the simulator at one size.
fn draw_simulator(screen: &mut Screen, columns: u16, rows: u16) {
    screen.send(Message::Resize(columns, rows));
    for panel in 0..5 {
        screen.draw();
        if panel % 2 == 0 {
            screen.keys("\\");
            screen.draw();
            screen.keys("\\");
        }
        screen.key(Key::Tab);
    }
    for overlay in ["?", "e", "p", ":", "g"] {
        screen.keys(overlay);
        screen.draw();
        screen.key(Key::Esc);
    }
    screen.key(Key::Enter);
    screen.draw();
    screen.key(Key::Esc);
    screen.send(Message::Mouse(Mouse::Press(columns / 2, rows / 2)));
    screen.send(Message::Mouse(Mouse::Press(columns / 3, rows.saturating_sub(3))));
    screen.draw();
    screen.key(Key::End);
    screen.model.choices.focus = Panel::Settings;
}

#[test]
fn the_simulator_can_be_drawn_at_every_size() {
    let small = (0..=40).flat_map(|columns| (0..=20).map(move |rows| (columns, rows)));
    let large =
        (40..=200).step_by(13).flat_map(|columns| (14..=100).step_by(7).map(move |rows| (columns, rows)));
    let mut screen = Screen::simulate("go-through-azure", 80, 24, COLOR);
    let mut compared = Screen::simulate("proxy-in-between", 80, 24, ASCII);
    compared.keys("D>>");
    compared.model.simulation.as_mut().expect("a simulation").runs = 3;
    compared.keys("b");
    for (number, (columns, rows)) in small.chain(large).enumerate() {
        let screen = if number % 2 == 0 { &mut screen } else { &mut compared };
        draw_simulator(screen, columns, rows);
    }
}

#[test]
fn every_scenario_can_be_drawn_at_every_event() {
    for name in keepscope::dashboard::simulation::choices() {
        let mut screen = Screen::simulate(name, 120, 36, COLOR);
        screen.draw();
        screen.keys(":0s");
        screen.key(Key::Enter);
        screen.draw();
        for step in ["}", ".", "]", "z", "}", "}", ".", "{", "i", "r", "t"] {
            screen.keys(step);
            screen.draw();
        }
    }
}

#[test]
fn every_size_can_be_drawn() {
    let small = (0..=40).flat_map(|columns| (0..=20).map(move |rows| (columns, rows)));
    let large =
        (40..=200).step_by(13).flat_map(|columns| (14..=100).step_by(7).map(move |rows| (columns, rows)));
    let mut screen = Screen::replay(&["lossy.pcap"], 80, 24, COLOR);
    let mut several = Screen::replay(&["many.pcap", "no_data.pcap"], 80, 24, ASCII);
    for (number, (columns, rows)) in small.chain(large).enumerate() {
        let screen = if number % 2 == 0 { &mut screen } else { &mut several };
        draw_all(screen, columns, rows);
    }
}

#[test]
fn a_terminal_that_is_too_small_says_so_and_recovers() {
    let mut screen = Screen::replay(&["vanish.pcap"], 59, 16, COLOR);
    assert!(screen.shows("too small") && screen.shows("60x16"), "{}", screen.text());
    screen.send(Message::Resize(60, 16));
    assert!(screen.shows("TIMED OUT"), "{}", screen.text());
}

#[test]
fn every_capture_can_be_drawn_at_every_packet() {
    let index = std::fs::read_dir(crate::common::capture_path("")).expect("captures");
    let mut names: Vec<String> =
        index.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.contains(".pcap"));
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        let mut screen = Screen::replay(&[&name], 120, 36, COLOR);
        screen.draw();
        screen.key(Key::Home);
        for step in ["}", ".", "]", "}", "."] {
            screen.keys(step);
            screen.draw();
            screen.keys("z");
            screen.draw();
        }
        screen.key(Key::Left);
        screen.draw();
    }
}
