//! The table: filters that find what `analyze` finds, and columns that are chosen and sorted by.

use keepscope::analysis::filter::Quantity;
use keepscope::dashboard::columns::Column;
use keepscope::dashboard::effect::{Body, Effect};
use keepscope::dashboard::message::Key;
use keepscope::track::event::ConnectionId;

use crate::common::{analyze_json, capture_path};
use crate::harness::{COLOR, MONO, Screen};

const SEVERAL: [&str; 5] = ["many.pcap", "both.pcap", "reset_by_peer.pcap", "vanish.pcap", "lossy.pcap"];

/// The connections of the table by their numbers, in order.
fn numbers(screen: &Screen) -> Vec<u64> {
    screen.session().table.order.iter().map(|index| u64::from(*index) + 1).collect()
}

fn analyzed(filter: &str) -> Vec<u64> {
    let paths = SEVERAL.map(capture_path);
    let mut arguments = vec!["--filter", filter];
    arguments.extend(paths.iter().map(String::as_str));
    let document = analyze_json(&arguments);
    let connections = document["connections"].as_array().expect("connections");
    connections.iter().map(|connection| connection["id"].as_u64().expect("a number")).collect()
}

#[test]
fn a_filter_finds_what_analyze_finds() {
    let mut screen = Screen::replay(&SEVERAL, 160, 50, COLOR);
    let all = numbers(&screen).len();
    for filter in [
        "ka.lost>0",
        "ka.probes>=3 and not ka.lost=0",
        "idle>1s",
        "idle<=1s or interval=3s",
        "cnt>=3",
        "rtt>50us",
        "rtt.p99<100us",
        "dur>10s",
        "gap>2s",
        "packets<20",
        "!stack:linux",
        "!(stack:linux) or reset,timed_out",
        "/:7014 (alive|timed)/",
        "timed",
        "#2",
        "ka=0",
    ] {
        screen.keys("/");
        screen.keys(filter);
        screen.key(Key::Enter);
        let mut shown = numbers(&screen);
        shown.sort_unstable();
        assert_eq!(shown, analyzed(filter), "{filter}");
        assert!(shown.len() < all || filter == "ka=0", "{filter} chooses nothing away");
        screen.keys("/");
        screen.key(Key::Ctrl('u'));
        screen.key(Key::Enter);
    }
    assert_eq!(numbers(&screen).len(), all);
}

#[test]
fn the_table_is_exported_as_analyze_has_it() {
    let mut screen = Screen::replay(&SEVERAL, 160, 50, COLOR);
    screen.keys("/ka.lost>0");
    screen.key(Key::Enter);
    screen.keys("eJesex");
    let written: Vec<(&str, &str, &[u8])> = screen
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Write { stem, suffix, body: Body::Octets(octets) } => {
                Some((stem.as_str(), *suffix, octets.as_slice()))
            }
            _ => None,
        })
        .collect();
    let names: Vec<(&str, &str)> = written.iter().map(|(stem, suffix, _)| (*stem, *suffix)).collect();
    assert_eq!(names, [("many-connections", "json"), ("many-screen", "svg"), ("many-connections", "txt")]);
    let document: serde_json::Value = serde_json::from_slice(written[0].2).expect("JSON");
    let mut ids: Vec<u64> = document["connections"]
        .as_array()
        .expect("connections")
        .iter()
        .filter_map(|connection| connection["id"].as_u64())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, analyzed("ka.lost>0"));
    let picture = String::from_utf8_lossy(written[1].2);
    assert!(picture.starts_with("<svg ") && picture.contains("TIMED OUT") && !picture.contains("Export"));
    let lines = String::from_utf8_lossy(written[2].2);
    assert_eq!(lines.lines().count(), 1 + ids.len(), "{lines}");
}

#[test]
fn what_holds_is_asked_of_the_moment_shown() {
    let mut screen = Screen::replay(&["vanish.pcap"], 100, 30, COLOR);
    screen.keys("/ka.lost>2");
    screen.key(Key::Enter);
    assert_eq!(numbers(&screen), [1]);
    screen.key(Key::Home);
    assert_eq!(numbers(&screen), [] as [u64; 0], "nothing is lost yet at the beginning");
    screen.key(Key::End);
    assert_eq!(numbers(&screen), [1]);
}

#[test]
fn a_wrong_filter_is_marked_where_it_is_wrong() {
    let mut screen = Screen::replay(&["vanish.pcap"], 100, 30, MONO);
    screen.keys("/alive or port:x");
    assert!(screen.shows("at 15: 'x' is not a port"), "{}", screen.text());
    let buffer = screen.draw();
    let row = 28;
    let place = (0..100).find(|x| buffer[(*x, row)].symbol() == "x").expect("the word");
    assert_ne!(buffer[(place, row)].style(), buffer[(place - 1, row)].style(), "it is marked");
    screen.key(Key::Enter);
    assert!(screen.shows("is not a port"), "it is not taken");
}

#[test]
fn columns_are_chosen_and_sorted_by() {
    let mut screen = Screen::replay(&SEVERAL, 200, 50, COLOR);
    assert!(screen.shows("idle~") && !screen.shows("rtt p99") && !screen.shows("gap"));
    screen.keys("c");
    // From the verdict, which is the last, up to the packets.
    screen.keys("kk ");
    assert!(screen.shows("[x] packets"), "{}", screen.text());
    screen.key(Key::Enter);
    screen.key(Key::Esc);
    let line = screen.text().lines().nth(2).expect("a heading").to_owned();
    assert!(line.contains("packets") && screen.shows("sort: packets"), "{}", screen.text());
    let packets = |screen: &Screen| -> Vec<u64> {
        let standing = &screen.session().standing;
        numbers(screen).into_iter().map(|id| standing.packets(ConnectionId(id))).collect()
    };
    assert!(packets(&screen).is_sorted_by(|one, other| one >= other), "{:?}", packets(&screen));
    screen.keys("S");
    assert!(packets(&screen).is_sorted(), "{:?}", packets(&screen));
    // The ends cannot be left out.
    screen.keys("cgj ");
    assert!(screen.shows("[x] client > server"), "{}", screen.text());
}

#[test]
fn it_is_sorted_by_whatever_is_shown() {
    let mut screen = Screen::replay(&SEVERAL, 200, 50, COLOR);
    let mut seen = Vec::new();
    for _ in 0..Column::ALL.len() {
        screen.keys("s");
        let by = screen.session().table.sort;
        if seen.contains(&by) {
            continue;
        }
        seen.push(by);
        screen.draw();
        let Some(quantity) = by.quantity() else { continue };
        let standing = &screen.session().standing;
        let amounts: Vec<Option<i64>> = numbers(&screen)
            .into_iter()
            .filter_map(|id| standing.figures(ConnectionId(id)))
            .map(|figures| figures.amount(quantity))
            .collect();
        assert!(amounts.is_sorted_by(|one, other| one >= other), "{by:?}: {amounts:?}");
        assert!(quantity != Quantity::RttMedian || amounts.iter().any(Option::is_some), "{amounts:?}");
    }
    assert!(seen.len() >= 11 && seen.contains(&Column::Idle) && seen.contains(&Column::Ends), "{seen:?}");
}
