//! What keys do to the model, without a terminal.

use keepscope::analysis::Outcome;
use keepscope::dashboard::columns::Column;
use keepscope::dashboard::effect::{Body, Effect};
use keepscope::dashboard::keymap;
use keepscope::dashboard::message::{Key, Message, Mouse};
use keepscope::dashboard::model::{Overlay, Panel, Screen as Which};
use keepscope::dashboard::replay::{SPEEDS, Speed};
use keepscope::dashboard::theme::Palette;
use keepscope::time::Span;

use crate::common::{capture_path, keepscope};
use crate::harness::{COLOR, Screen};

fn lossy() -> Screen {
    Screen::replay(&["lossy.pcap"], 100, 30, COLOR)
}

#[test]
fn a_capture_is_read_to_its_end_and_then_played_by_the_clock_outside() {
    let mut screen = lossy();
    assert!(screen.session().player.is_at_end(&screen.session().store));
    assert!(!screen.session().player.playing, "all has been read, so there is nothing to wait for");
    screen.keys(" ");
    assert!(screen.session().player.playing);
    assert_eq!(
        (screen.seconds(), screen.session().player.speed),
        (0.0, Speed::Times(1000)),
        "12 s play in real time"
    );
    screen.tick(Span::from_secs(100));
    screen.tick(Span::from_secs(103));
    assert!((screen.seconds() - 3.0).abs() < 1e-9);
    screen.keys("+");
    screen.tick(Span::from_secs(104));
    assert!((screen.seconds() - 5.0).abs() < 1e-9, "twice as fast");
    screen.keys(" ");
    screen.tick(Span::from_secs(200));
    assert!((screen.seconds() - 5.0).abs() < 1e-9, "paused");
    assert!(screen.shows("PAUSE 2x") && screen.shows("PAUSED"));
    screen.keys(" ");
    screen.tick(Span::from_secs(300));
    assert!((screen.seconds() - 5.0).abs() < 1e-9, "the time of the pause is not made up for");
    screen.tick(Span::from_secs(400));
    assert!(screen.session().player.is_at_end(&screen.session().store));
    assert!(!screen.session().player.playing);
}

#[test]
fn speeds_go_from_a_quarter_to_a_thousand_and_fit() {
    let mut screen = lossy();
    for _ in 0..20 {
        screen.keys("-");
    }
    assert_eq!(screen.session().player.speed, Speed::Times(250));
    let mut seen = vec![screen.session().player.speed];
    for _ in 0..20 {
        screen.keys("+");
        seen.push(screen.session().player.speed);
    }
    seen.dedup();
    assert_eq!(seen, SPEEDS);
    assert_eq!("8x".parse(), Ok(Speed::Times(8000)));
    for bad in ["0", "0.1", "1001", "-1", "x", "nan", "inf"] {
        assert!(bad.parse::<Speed>().is_err(), "{bad}");
    }
}

#[test]
fn time_is_moved_by_packets_seconds_events_and_words() {
    let mut screen = lossy();
    screen.key(Key::Home);
    assert_eq!((screen.session().player.at.rows, screen.seconds()), (1, 0.0));
    screen.keys("...");
    assert_eq!(screen.session().player.at.rows, 4);
    screen.keys(",");
    assert_eq!(screen.session().player.at.rows, 3);
    screen.keys("]");
    assert!((screen.seconds() - 10.0).abs() < 0.001, "{}", screen.seconds());
    screen.key(Key::Left);
    assert!((screen.seconds() - 9.0).abs() < 0.001);
    // The probe without an answer in frame 10, and that it got none.
    screen.keys(":#10");
    screen.key(Key::Enter);
    assert_eq!(screen.session().player.at.rows, 10);
    screen.keys("}");
    assert_eq!(screen.session().player.at.rows, 11, "the next event is the next probe");
    screen.keys("{");
    assert_eq!(screen.session().player.at.rows, 10);
    for (words, seconds) in [("2.5s", 2.5), ("3s 500ms", 3.5), ("1h", 12.132_773)] {
        screen.keys(":");
        screen.keys(words);
        screen.key(Key::Enter);
        assert!((screen.seconds() - seconds).abs() < 1e-6, "{words}: {}", screen.seconds());
    }
    screen.keys(":4s");
    screen.key(Key::Enter);
    screen.keys("A");
    screen.key(Key::End);
    screen.keys("B:a");
    screen.key(Key::Enter);
    assert!((screen.seconds() - 4.0).abs() < 1e-6);
    assert!(screen.shows("A-B 8.1 s"), "{}", screen.text());
    for (wrong, hint) in
        [("7", "say the unit: 7s, or #7 for a packet"), ("x", "write a time"), ("#99", "no TCP segment")]
    {
        screen.keys(":");
        screen.keys(wrong);
        screen.key(Key::Enter);
        assert!(screen.shows(hint), "{wrong}: {}", screen.text());
        screen.key(Key::Esc);
    }
}

#[test]
fn a_verdict_turns_with_time_and_back() {
    let mut screen = Screen::replay(&["vanish.pcap"], 100, 30, COLOR);
    let outcome =
        |screen: &Screen| screen.session().chosen.as_ref().map(|chosen| chosen.record.verdict.outcome);
    assert_eq!(outcome(&screen), Some(Outcome::TimedOut));
    let mut seen = Vec::new();
    screen.key(Key::Home);
    for _ in 0..40 {
        seen.extend(outcome(&screen));
        screen.key(Key::Right);
    }
    seen.dedup();
    assert_eq!(seen, [Outcome::NoKeepalive, Outcome::Inconclusive, Outcome::Unanswered, Outcome::TimedOut]);
    screen.keys(":8s");
    screen.key(Key::Enter);
    assert_eq!(outcome(&screen), Some(Outcome::Unanswered));
    assert!(screen.shows("so far") && screen.shows("next KA due"), "{}", screen.text());
}

#[test]
fn connections_are_filtered_sorted_and_chosen() {
    let mut screen = Screen::replay(&["many.pcap", "vanish.pcap", "reset_by_peer.pcap"], 120, 40, COLOR);
    let order = |screen: &Screen| screen.session().table.order.clone();
    let by_verdict = order(&screen);
    let troubled = screen.session().store.connections().len() as u32;
    assert!(by_verdict.len() > 6);
    let first = screen.session().chosen.as_ref().expect("a connection").record.verdict.outcome;
    assert_eq!(first, Outcome::TimedOut, "most troubled first");
    screen.keys("s");
    assert_eq!(screen.session().table.sort, Column::Number);
    let mut sorted = by_verdict.clone();
    sorted.sort_unstable();
    assert_eq!(order(&screen), sorted);
    screen.keys("S");
    sorted.reverse();
    assert_eq!(order(&screen), sorted);
    screen.keys("Sa");
    assert_eq!(order(&screen).len(), troubled as usize, "without keepalives too");
    screen.keys("a/outcome:reset,timed_out");
    assert!(screen.shows("2 left"), "the table shows at once what is left:\n{}", screen.text());
    screen.keys(" bad:word");
    assert!(screen.shows("'bad:' means nothing"));
    assert_eq!(order(&screen).len(), 0, "the last filter that was understood, with 'bad' as text, holds");
    screen.key(Key::Esc);
    assert_eq!(order(&screen).len(), by_verdict.len(), "Esc drops what was typed");
    screen.keys("/outcome:reset");
    screen.key(Key::Enter);
    assert!(screen.model.overlay.is_none());
    let chosen = screen.session().chosen.as_ref().expect("a connection");
    assert_eq!(chosen.record.verdict.outcome, Outcome::Reset);
    screen.keys("/");
    for _ in 0..20 {
        screen.key(Key::Backspace);
    }
    screen.key(Key::Enter);
    screen.keys("G");
    let last = *order(&screen).last().expect("connections");
    assert_eq!(screen.session().selected.map(|id| id.0), Some(u64::from(last) + 1));
    screen.key(Key::Tab);
    screen.keys("N");
    assert_ne!(screen.session().selected.map(|id| id.0), Some(u64::from(last) + 1), "from any panel");
}

#[test]
fn the_connection_that_is_looked_at_stays_while_time_is_moved() {
    let mut screen = Screen::replay(&["many.pcap", "vanish.pcap", "reset_by_peer.pcap"], 120, 40, COLOR);
    let chosen = screen.session().selected;
    assert!(chosen.is_some());
    // At the beginning it has not begun, and in the middle others are in more trouble.
    screen.key(Key::Home);
    assert_eq!(screen.session().selected, chosen);
    for _ in 0..60 {
        screen.keys("]");
        assert_eq!(screen.session().selected, chosen, "at {} s", screen.seconds());
    }
}

#[test]
fn panels_get_the_keys_in_turn_and_fill_the_screen() {
    let mut screen = lossy();
    for panel in Panel::ALL {
        assert_eq!(screen.model.choices.focus, panel);
        screen.key(Key::Tab);
    }
    assert_eq!(screen.model.choices.focus, Panel::Connections);
    screen.key(Key::BackTab);
    assert_eq!(screen.model.choices.focus, Panel::Events);
    screen.key(Key::Enter);
    assert!(screen.shows("KA 1 by the client after 2.020 s") && !screen.shows("Ladder"), "{}", screen.text());
    screen.key(Key::Esc);
    assert!(screen.shows("Ladder"));
    screen.keys("L");
    assert!(!screen.shows("Ladder"));
    screen.keys("L");
    assert!(screen.shows("Ladder"));
}

#[test]
fn the_ladder_says_more_on_demand() {
    let mut screen = Screen::replay(&["lossy.pcap"], 120, 60, COLOR);
    assert!(screen.shows("S=5 L=0 A=1") && screen.shows("2.016 s of silence"));
    screen.keys("r");
    assert!(screen.shows("SEQ absolute") && !screen.shows("S=5 L=0 A=1"));
    let folded = screen.text().matches('\n').count();
    screen.keys("ri");
    assert_eq!(screen.text().matches('\n').count(), folded);
    screen.keys("t");
    assert!(screen.shows("06:28:57.660"), "UTC: {}", screen.text());
    screen.keys("t");
    assert!(screen.shows("2.020464"), "since the line before: {}", screen.text());
}

#[test]
fn help_lists_every_key_of_the_screen() {
    let mut screen = Screen::replay(&["lossy.pcap"], 100, 60, COLOR);
    screen.keys("?");
    let text = screen.text();
    for binding in keymap::on(Which::Replay) {
        assert!(text.contains(binding.shown), "{} is missing:\n{text}", binding.shown);
    }
    screen.keys("jj");
    assert_eq!(screen.model.overlay, Some(Overlay::Help(2)));
    screen.keys("q");
    assert_eq!(screen.model.overlay, None, "q closes the help and not the program");
    assert!(!screen.effects.iter().any(|effect| matches!(effect, Effect::Quit(_))));
}

#[test]
fn themes_go_round_and_the_mouse_is_off_until_it_is_wanted() {
    let mut screen = lossy();
    screen.keys("T");
    assert_eq!(screen.model.choices.theme.palette, Palette::Light);
    screen.keys("T");
    assert_eq!(screen.model.choices.theme.palette, Palette::HighContrast);
    assert!(screen.shows("theme: high-contrast"));
    screen.keys("TT");
    assert_eq!(screen.model.choices.theme.palette, Palette::Dark);
    assert!(!screen.effects.iter().any(|effect| matches!(effect, Effect::Mouse(_))));
    screen.keys("mm");
    assert_eq!(screen.effects[screen.effects.len() - 2..], [Effect::Mouse(true), Effect::Mouse(false)]);
}

#[test]
fn the_way_out() {
    for (keys, interrupted) in [(Key::Char('q'), false), (Key::Ctrl('c'), true)] {
        let mut screen = lossy();
        screen.key(keys);
        assert_eq!(screen.effects.last(), Some(&Effect::Quit(interrupted)));
    }
    let mut screen = lossy();
    screen.keys("/q");
    assert!(
        !screen.effects.iter().any(|effect| matches!(effect, Effect::Quit(_))),
        "a letter is a letter here"
    );
    screen.key(Key::Ctrl('c'));
    assert_eq!(screen.effects.last(), Some(&Effect::Quit(true)), "but Ctrl-C always quits");
    let mut screen = Screen::start(80, 24, COLOR);
    screen.send(Message::Terminate);
    assert_eq!(screen.effects, [Effect::Quit(true)]);
}

#[test]
fn the_start_screen_opens_a_capture() {
    let mut screen = Screen::start(80, 24, COLOR);
    screen.keys("2");
    assert!(screen.shows("no capture is open"));
    screen.keys("j");
    screen.key(Key::Enter);
    screen.keys("captures/x.pcap");
    screen.key(Key::Left);
    screen.key(Key::Delete);
    screen.keys("p");
    screen.key(Key::Enter);
    assert_eq!(screen.effects, [Effect::Open(1, vec!["captures/x.pcap".into()])]);
    assert_eq!(screen.model.screen, Which::Replay);
    screen.send(Message::Failed(1, "captures/x.pcap: no such file\x1b[2J".to_owned()));
    assert!(screen.shows("no such file?[2J"), "{}", screen.text());
}

/// The files an export would write.
fn exported(screen: &mut Screen, key: &str) -> (String, &'static str, Body) {
    screen.keys("e");
    screen.keys(key);
    match screen.effects.pop() {
        Some(Effect::Write { stem, suffix, body }) => (stem, suffix, body),
        other => panic!("{key}: {other:?}"),
    }
}

#[test]
fn what_is_exported_is_what_analyze_says() {
    let mut screen = lossy();
    let (stem, suffix, body) = exported(&mut screen, "j");
    assert_eq!((stem.as_str(), suffix), ("lossy-connection-1", "json"));
    let Body::Octets(octets) = body else { panic!("octets") };
    let ours: serde_json::Value = serde_json::from_slice(&octets).expect("JSON");
    let output =
        keepscope(&["analyze", "--format", "json", "--connection", "1", &capture_path("lossy.pcap")]);
    let theirs: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(ours["connections"], theirs["connections"]);
    assert_eq!(ours["schema"], theirs["schema"]);
    // Also when another moment is shown.
    screen.key(Key::Home);
    screen.keys("a");
    assert_eq!(exported(&mut screen, "j").2, Body::Octets(octets));
    assert!(matches!(exported(&mut screen, "p"), (_, "pcapng", Body::Packets(_))));
    screen.key(Key::End);
    for (key, words) in [("l", "no answer"), ("t", "idle 2.0 s")] {
        let (stem, suffix, body) = exported(&mut screen, key);
        assert!(stem.starts_with("lossy-connection-1-") && suffix == "svg", "{stem}.{suffix}");
        let Body::Octets(octets) = body else { panic!("octets") };
        let text = String::from_utf8(octets).expect("UTF-8");
        assert!(
            text.starts_with("<svg ") && text.trim_end().ends_with("</svg>") && text.contains(words),
            "{text}"
        );
        assert_eq!(text.matches("<text").count(), text.matches("</text>").count());
    }
    screen.keys("y");
    let Some(Effect::Copy(text)) = screen.effects.last() else { panic!("a copy") };
    let output = keepscope(&["analyze", &capture_path("lossy.pcap")]);
    assert!(String::from_utf8_lossy(&output.stdout).ends_with(text.as_str()), "{text}");
}

#[test]
fn names_and_text_from_outside_cannot_reach_the_terminal() {
    let mut screen = Screen::start(100, 30, COLOR);
    let name = std::path::PathBuf::from("/tmp/ev\x1b]0;il\x07\u{202e}.pcap");
    screen.effects = keepscope::dashboard::update::open(&mut screen.model, vec![name]);
    screen.send(Message::Trouble("bad\x1b[31m".to_owned()));
    let text = screen.text();
    assert!(text.contains("ev?]0;il??.pcap") && text.contains("bad?[31m"), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn the_mouse_chooses_connections_panels_and_moments() {
    let mut screen = Screen::replay(&["many.pcap"], 120, 40, COLOR);
    let order = screen.session().table.order.clone();
    // Header, frame and heading stand above the first line of the table.
    screen.send(Message::Mouse(Mouse::Press(20, 5)));
    assert_eq!(screen.session().selected.map(|id| id.0), Some(u64::from(order[2]) + 1));
    screen.send(Message::Mouse(Mouse::WheelUp(20, 5)));
    assert_eq!(screen.session().selected.map(|id| id.0), Some(u64::from(order[1]) + 1));
    screen.send(Message::Mouse(Mouse::Press(20, 15)));
    assert_eq!(screen.model.choices.focus, Panel::Ladder);
    // The bar stands in a frame above the last two lines.
    screen.send(Message::Mouse(Mouse::Press(60, 35)));
    let (middle, end) = (screen.seconds(), 5.045);
    assert!((middle - end / 2.0).abs() < 0.1, "{middle}");
    screen.send(Message::Mouse(Mouse::Press(1, 35)));
    assert!(screen.seconds() < 0.1, "{}", screen.seconds());
    assert_eq!(screen.session().selected.map(|id| id.0), Some(u64::from(order[1]) + 1));
}
