//! The live screen without a wire: packets of a capture come when a test says so.

use std::path::PathBuf;

use keepscope::capture::Captures;
use keepscope::dashboard::effect::Effect;
use keepscope::dashboard::keymap;
use keepscope::dashboard::live::{Ask, Facts, Link, Manner, News, Note, Octets, Recorded, Stage};
use keepscope::dashboard::message::{Key, Message, Mouse};
use keepscope::dashboard::model::{Overlay, Screen as Which};
use keepscope::dashboard::store::feed::{Feed, Limits};
use keepscope::dashboard::theme::Theme;
use keepscope::dashboard::update::begin_live;
use keepscope::keepalive::Settings;
use keepscope::segment::Endpoint;
use keepscope::time::{Span, Timestamp};

use crate::common::capture_path;
use crate::harness::{COLOR, Screen};

/// When the program began, by the clock of the screen, before the first packet.
const BEFORE: Span = Span::from_secs(2);

/// A live screen whose source is the first packets of a capture.
pub struct Live {
    pub screen: Screen,
    capture: &'static str,
    feed: Feed,
    fed: usize,
    base: Timestamp,
    pub facts: Facts,
}

pub fn at(millis: i64) -> Span {
    Span::from_millis(millis)
}

impl Live {
    /// A connection to a host that vanishes after 3 s, probed every 2 s, four times.
    pub fn vanishing(columns: u16, rows: u16, theme: Theme) -> Live {
        let mut live = Live::of("vanish.pcap", columns, rows, theme);
        let ends = ("192.0.2.2:40011", "198.51.100.2:7011");
        live.facts.links = vec![link(ends, 2, 4)];
        live
    }

    pub fn of(capture: &'static str, columns: u16, rows: u16, theme: Theme) -> Live {
        let mut screen = Screen::start(columns, rows, theme);
        let effects = begin_live(&mut screen.model);
        assert_eq!(effects, [Effect::Live(1)]);
        let mut captures = Captures::open(&[PathBuf::from(capture_path(capture))]).expect("a capture");
        let base = captures.next_frame().expect("a packet").time;
        Live { screen, capture, feed: Feed::new(0), fed: 0, base, facts: Facts::default() }
    }

    /// All packets up to a time after the first one come, and it is that time.
    pub fn until(&mut self, time: Span) {
        self.read(time);
        self.tell(time, Vec::new());
    }

    fn read(&mut self, time: Span) {
        let mut captures = Captures::open(&[PathBuf::from(capture_path(self.capture))]).expect("a capture");
        let mut number = 0;
        while let Some(frame) = captures.next_frame() {
            number += 1;
            if number > self.fed && frame.time <= self.base.plus(time) {
                self.feed.frame(&frame);
                self.fed = number;
            }
        }
    }

    pub fn tell(&mut self, time: Span, notes: Vec<Note>) {
        self.tick(time);
        let (now, batch) = (self.base.plus(time), self.feed.take());
        let news = News { now, batch, facts: self.facts.clone(), notes };
        self.screen.send(Message::Live(1, Box::new(news)));
    }

    /// Nothing comes, but time goes on.
    pub fn tick(&mut self, time: Span) {
        self.screen.tick(BEFORE.plus(time));
    }

    /// The scene of the snapshots: the second of four probes waits.
    pub fn scene(columns: u16, rows: u16, theme: Theme) -> Live {
        let mut live = Live::vanishing(columns, rows, theme);
        live.until(at(3_000));
        let words = "our connection 1 is open, 192.0.2.2:40011 -> 198.51.100.2:7011".to_owned();
        live.tell(at(3_010), vec![Note { time: live.base.plus(at(3_010)), words }]);
        let next = live.base.plus(at(7_230));
        live.facts.links[0].unanswered = 2;
        live.facts.links[0].next = Some(next);
        live.facts.links[0].gives_up = Some(next.plus(at(4_000)));
        live.facts.recording = Some(Recorded { path: "run.pcapng".into(), packets: 7 });
        live.until(at(5_900));
        live
    }

    fn asked(&mut self) -> Vec<Ask> {
        let effects = std::mem::take(&mut self.screen.effects);
        let ask = |effect| if let Effect::Ask(ask) = effect { Some(ask) } else { None };
        effects.into_iter().filter_map(ask).collect()
    }
}

fn endpoint(text: &str) -> Endpoint {
    let address: std::net::SocketAddr = text.parse().expect("an address");
    Endpoint { address: address.ip(), port: address.port() }
}

fn link((local, remote): (&str, &str), seconds: i64, count: u32) -> Link {
    let span = Span::from_secs(seconds);
    let settings = Settings { idle: span, interval: span, count, user_timeout: None };
    Link {
        peer: remote.parse().expect("an address"),
        ends: Some((endpoint(local), endpoint(remote))),
        manner: Manner { settings, octets: Octets::Zero },
        stage: Stage::Open,
        unanswered: 0,
        next: None,
        gives_up: None,
    }
}

#[test]
fn packets_are_shown_as_they_come_with_what_is_due() {
    let mut live = Live::scene(120, 40, COLOR);
    let text = live.screen.text();
    for words in [
        "KA 2/4?",
        "KA 3/4  (due)",
        "KA 4/4  (due)",
        "given up, if nothing",
        "───? S=5 L=0 A=1 waiting",
        "UNANSWERED",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    assert!(text.contains("RECORDING run.pcapng") && text.contains("LIVE"), "{text}");
    assert!(!text.contains("PAUSED"), "{text}");
    // A second after it left, the probe is lost.
    live.tick(at(6_300));
    assert!(live.screen.model.dirty);
    assert!(!live.screen.shows("waiting"));
    // The peer is given up: the verdict is ours, and the axis ends with the last packet.
    live.facts.links[0] =
        Link { stage: Stage::Silent, unanswered: 4, next: None, gives_up: None, ..live.facts.links[0] };
    live.until(at(11_300));
    let text = live.screen.text();
    assert!(text.contains("X SILENT") && text.contains("given up: 4 probes"), "{text}");
    assert!(!text.contains("(due)"), "{text}");
}

#[test]
fn nothing_is_drawn_until_something_looks_different() {
    let mut live = Live::scene(120, 40, COLOR);
    live.screen.draw();
    live.screen.model.dirty = false;
    let mut frames = 0;
    // A clock of a thousand ticks a second.
    for millis in 5_900..6_900 {
        live.tick(at(millis));
        frames += u32::from(std::mem::take(&mut live.screen.model.dirty));
        live.screen.draw();
    }
    assert!((2..=6).contains(&frames), "{frames} frames in a second");
    // Nothing of it is seen on another screen.
    live.screen.keys("0");
    live.screen.model.dirty = false;
    live.tick(at(9_000));
    live.until(at(9_500));
    assert!(!live.screen.model.dirty);
    live.screen.keys("1");
    assert!(live.screen.shows("NOW 06:29:00Z"), "{}", live.screen.text());
}

#[test]
fn time_never_goes_back_and_follows_the_source_through_suspend() {
    let mut live = Live::vanishing(100, 30, COLOR);
    live.until(at(1_000));
    let time = |live: &Live| live.screen.session().player.at.time.since(live.base);
    assert_eq!(time(&live), at(1_000));
    live.tick(at(2_000));
    assert_eq!(time(&live), at(2_000));
    // News that come late, as the screen was busy.
    live.tick(at(2_600));
    let (now, batch) = (live.base.plus(at(2_400)), live.feed.take());
    let news = News { now, batch, facts: live.facts.clone(), notes: Vec::new() };
    live.screen.send(Message::Live(1, Box::new(news)));
    assert_eq!(time(&live), at(2_600));
    // The clock of the screen stood still for an hour, that of the source did not.
    let (now, batch) = (live.base.plus(at(3_602_700)), live.feed.take());
    let news = News { now, batch, facts: live.facts.clone(), notes: Vec::new() };
    live.screen.send(Message::Live(1, Box::new(news)));
    assert_eq!(time(&live), at(3_602_700));
}

#[test]
fn the_screen_stands_still_while_packets_go_on_and_comes_back_to_now() {
    let mut live = Live::vanishing(100, 30, COLOR);
    live.until(at(5_900));
    live.screen.keys(" ");
    assert!(live.screen.shows("PAUSED"));
    let shown = live.screen.session().player.at;
    live.until(at(9_500));
    live.tick(at(10_000));
    assert_eq!(live.screen.session().player.at, shown);
    assert!(live.screen.session().store.rows().len() > shown.rows, "packets are read all the same");
    // Back in time, packet by packet, as in a capture.
    live.screen.keys(",,");
    assert!(live.screen.session().player.at.rows < shown.rows);
    live.screen.key(Key::End);
    assert_eq!(live.screen.session().player.at.time.since(live.base), at(10_000));
    assert!(!live.screen.shows("PAUSED"));
    // Who goes back does not have to pause first.
    live.screen.keys("[");
    assert!(live.screen.shows("PAUSED"));
    live.screen.keys(" ");
    assert!(!live.screen.shows("PAUSED"));
}

#[test]
fn a_peer_is_asked_for_with_how_it_is_probed() {
    let mut screen = Screen::start(100, 30, COLOR);
    screen.key(Key::Enter);
    assert!(screen.shows("probe  idle=1s interval=1s count=3 octets=0"), "{}", screen.text());
    screen.key(Key::Enter);
    assert!(screen.shows("name the peer first"));
    screen.keys("192.0.2.7:443");
    screen.key(Key::End);
    screen.keys(" idle=30");
    screen.key(Key::Enter);
    assert!(screen.shows("say the unit"), "{}", screen.text());
    screen.keys("s");
    screen.key(Key::Enter);
    let manner = Manner::default().changed(["idle=30s"].into_iter()).expect("settings");
    let ask = Ask::Probe { target: "192.0.2.7:443".to_owned(), manner };
    assert_eq!(screen.effects, [Effect::Live(1), Effect::Ask(ask)]);
    assert_eq!(screen.model.screen, Which::Live);
    // Another one is probed by what was set for those to come.
    screen.effects.clear();
    screen.keys("D");
    screen.key(Key::Ctrl('u'));
    screen.keys("count=7 octets=1");
    screen.key(Key::Enter);
    screen.keys("phost.example:22");
    screen.key(Key::Enter);
    let manner = Manner::default().changed(["count=7", "octets=1"].into_iter()).expect("settings");
    assert_eq!(screen.effects, [Effect::Ask(Ask::Probe { target: "host.example:22".to_owned(), manner })]);
}

#[test]
fn without_rights_the_entries_say_how_to_get_them() {
    let mut screen = Screen::start(120, 30, COLOR);
    screen.model.no_live = Some("probing and watching needs CAP_NET_RAW: sudo setcap".to_owned());
    for keys in ["p", "w"] {
        screen.keys(keys);
        assert!(screen.shows("needs CAP_NET_RAW: sudo setcap"), "{}", screen.text());
        assert!(screen.effects.is_empty() && screen.model.screen == Which::Start);
    }
    screen.keys("1");
    assert!(screen.shows("needs CAP_NET_RAW") && screen.model.screen == Which::Start);
}

#[test]
fn keys_ask_for_probes_holds_recordings_and_settings_of_the_chosen_connection() {
    let mut live = Live::scene(120, 40, COLOR);
    live.facts.recording = None;
    live.until(at(6_000));
    live.screen.keys("!H");
    assert_eq!(live.asked(), [Ask::ProbeNow(0), Ask::Hold(true)]);
    live.facts.held = true;
    live.until(at(6_100));
    assert!(live.screen.shows("HELD"));
    live.screen.keys("H");
    assert_eq!(live.asked(), [Ask::Hold(false)]);
    live.screen.keys("C");
    assert!(live.screen.shows("probe it by idle=2s interval=2s count=4 octets=0"), "{}", live.screen.text());
    live.screen.keys(" interval=500ms");
    live.screen.key(Key::Enter);
    let [Ask::Change { link: 0, manner }] = live.asked()[..] else { panic!("a change") };
    assert_eq!(manner.to_string(), "idle=2s interval=500ms count=4 octets=0");
    live.screen.keys("R");
    live.screen.key(Key::Ctrl('u'));
    live.screen.keys("run.txt");
    live.screen.key(Key::Enter);
    assert!(live.screen.shows("ends with .pcapng or .pcap"));
    live.screen.key(Key::Ctrl('u'));
    live.screen.keys("run.pcap");
    live.screen.key(Key::Enter);
    assert_eq!(live.asked(), [Ask::Record("run.pcap".into())]);
    live.facts.recording = Some(Recorded { path: "run.pcap".into(), packets: 1 });
    live.until(at(6_200));
    live.screen.keys("R");
    assert_eq!(live.asked(), [Ask::StopRecording]);
    // Closing wants to be asked for twice, and nothing between.
    live.screen.keys("xjx");
    assert!(live.asked().is_empty());
    live.screen.keys("x");
    assert_eq!(live.asked(), [Ask::Close(0)]);
    // What has ended is not probed.
    live.facts.links[0].stage = Stage::Closed;
    live.until(at(6_300));
    live.screen.keys("!");
    assert!(live.asked().is_empty() && live.screen.shows("no longer probed"));
}

#[test]
fn what_others_do_is_watched_and_not_steered() {
    let mut live = Live::of("lossy.pcap", 160, 40, COLOR);
    live.facts.watching = Some("eth0 for all TCP".to_owned());
    live.until(at(9_000));
    let text = live.screen.text();
    assert!(text.contains("watched") && text.contains("watching eth0 for all TCP"), "{text}");
    assert!(text.contains("next KA due"), "{text}");
    live.screen.keys("!xC");
    assert!(live.asked().is_empty() && live.screen.shows("only watched"));
}

#[test]
fn leaving_asks_twice_while_something_goes_on() {
    let mut live = Live::scene(100, 30, COLOR);
    live.screen.keys("q");
    assert!(live.screen.effects.is_empty() && live.screen.shows("q again"));
    live.screen.keys("0q");
    assert!(live.screen.effects.is_empty(), "another key between: it is asked for anew, on any screen");
    live.screen.keys("q");
    assert_eq!(live.screen.effects, [Effect::Quit(false)]);
    live.screen.effects.clear();
    live.screen.key(Key::Ctrl('c'));
    assert_eq!(live.screen.effects, [Effect::Quit(true)]);
    // When all is over, once will do.
    let mut live = Live::scene(100, 30, COLOR);
    live.facts.over = Some(Some("waiting: a system call failed".to_owned()));
    live.until(at(6_000));
    assert!(live.screen.shows("waiting: a system call failed") && live.screen.shows("ENDED"));
    live.screen.keys("p");
    assert!(live.screen.shows("has ended"));
    live.screen.keys("q");
    assert_eq!(live.screen.effects, [Effect::Quit(false)]);
}

#[test]
fn what_is_known_so_far_can_be_exported() {
    let mut live = Live::scene(100, 30, COLOR);
    live.screen.keys("ej");
    let [Effect::Write { suffix: "json", .. }] = live.screen.effects[..] else {
        panic!("{:?}", live.screen.effects)
    };
    live.screen.effects.clear();
    live.screen.keys("ep");
    assert!(live.screen.effects.is_empty() && live.screen.shows("R records them"));
    live.screen.keys("el");
    assert!(matches!(live.screen.effects[..], [Effect::Write { suffix: "svg", .. }]));
}

/// Whatever the screen has no room for is counted, and what it is told later still stands in its place.
#[test]
fn a_feed_that_is_not_emptied_leaves_ordinary_packets_out_and_counts_them() {
    let read = |limits: Option<Limits>| {
        let mut feed = limits.map_or_else(|| Feed::new(0), |limits| Feed::limited(0, limits));
        let mut captures = Captures::open(&[PathBuf::from(capture_path("many.pcap"))]).expect("a capture");
        while let Some(frame) = captures.next_frame() {
            feed.frame(&frame);
        }
        feed.finish();
        feed.take()
    };
    let whole = read(None);
    let limited = read(Some(Limits { waiting: 20, connections: 1_000 }));
    assert!(limited.reading.unshown > 0 && limited.rows.len() < whole.rows.len());
    assert_eq!(limited.reading.packets, whole.reading.packets);
    assert_eq!(limited.born.len(), whole.born.len(), "every connection is there");
    assert_eq!(limited.records.len(), whole.records.len(), "and has its last word");
    let outcomes = |batch: &keepscope::dashboard::store::feed::Batch| -> Vec<_> {
        batch.records.iter().map(|(_, record)| record.verdict.outcome).collect()
    };
    assert_eq!(outcomes(&limited), outcomes(&whole), "which is the same");
    // At most eight times as many of any kind.
    let least = read(Some(Limits { waiting: 2, connections: 1_000 }));
    assert!(least.rows.len() + least.events.len() <= 16 + least.records.len(), "{}", least.rows.len());
    let let_go = read(Some(Limits { waiting: 100_000, connections: 2 }));
    assert_eq!(let_go.records.len() as u64, let_go.born.len() as u64);
}

#[test]
fn every_size_can_be_drawn() {
    let small = (0..=40).flat_map(|columns| (0..=20).map(move |rows| (columns, rows)));
    let large =
        (40..=200).step_by(13).flat_map(|columns| (14..=100).step_by(7).map(move |rows| (columns, rows)));
    let mut ours = Live::scene(80, 24, COLOR);
    let mut others = Live::of("many.pcap", 80, 24, crate::harness::ASCII);
    others.facts.watching = Some("eth0".to_owned());
    others.until(at(4_000));
    for (number, (columns, rows)) in small.chain(large).enumerate() {
        let live = if number % 2 == 0 { &mut ours } else { &mut others };
        live.screen.send(Message::Resize(columns, rows));
        for keys in ["", "\\", "\\", "?", "C", "R"] {
            live.screen.keys(keys);
            live.screen.draw();
            if live.screen.model.overlay.is_some() {
                live.screen.key(Key::Esc);
            }
        }
        live.screen.key(Key::Tab);
        live.screen.keys("z ");
        live.screen.draw();
        live.screen.keys("Z ");
        live.screen.send(Message::Mouse(Mouse::Press(columns / 2, rows / 2)));
        live.screen.draw();
        live.screen.effects.clear();
    }
}

#[test]
fn the_keys_of_the_live_screen_are_in_its_help() {
    let mut live = Live::scene(160, 50, COLOR);
    live.screen.keys("?");
    assert!(matches!(live.screen.model.overlay, Some(Overlay::Help(0))));
    let text = live.screen.text();
    for binding in keymap::on(Which::Live).filter(|binding| binding.words.starts_with("live: ")) {
        let word = binding.words.split(' ').nth(1).expect("a word");
        assert!(text.contains(binding.shown) && text.contains(word), "{}:\n{text}", binding.shown);
    }
}
