//! What is in the document, beside what JSON says of the same captures.

use std::path::PathBuf;

use serde_json::Value;

use crate::common::{Pcap, analyze_json, capture_path, indexed, scratch, text};
use crate::{array, assert_sound, read, words, write};

const OUTCOMES: [&str; 7] =
    ["timed_out", "reset", "unanswered", "inconclusive", "alive", "closed", "no_keepalive"];

/// The documents of all captures, with their names and the JSON of the same.
fn all_captures(folder: &str) -> Option<Vec<(String, Value, Value)>> {
    let (folder, names) = (scratch(folder), indexed(&PathBuf::from(capture_path(""))));
    assert!(names.len() > 30, "{names:?}");
    let paths: Vec<PathBuf> =
        names.iter().map(|name| write(&folder, name, &["--all", &capture_path(name)])).collect();
    let documents = read(&paths)?;
    let json = names.iter().map(|name| analyze_json(&["--all", &capture_path(name)]));
    Some(names.iter().cloned().zip(documents).zip(json).map(|((name, one), two)| (name, one, two)).collect())
}

fn place(outcome: &Value) -> usize {
    OUTCOMES.iter().position(|name| outcome == name).expect("an outcome")
}

fn fact<'a>(connection: &'a Value, name: &str) -> &'a str {
    let fact = array(&connection["facts"]).iter().find(|fact| fact[0] == name);
    words(&fact.unwrap_or_else(|| panic!("{name} is missing"))[1])
}

/// How many probes of a connection had this answer; `None` for none.
fn probes(connection: &Value, of_kind: impl Fn(Option<&str>) -> bool) -> usize {
    let probers = array(&connection["probers"]).iter();
    let probes = probers.flat_map(|prober| array(&prober["probes"]));
    probes.filter(|probe| of_kind(probe["answer"]["kind"].as_str())).count()
}

fn shapes(picture: &Value, name: &str) -> usize {
    picture["shapes"][name].as_u64().unwrap_or(0) as usize
}

#[test]
fn a_document_says_what_json_says_of_every_capture() {
    let Some(all) = all_captures("html_captures") else { return };
    for (name, document, json) in &all {
        assert_sound(name, document);
        let mut expected: Vec<&Value> = array(&json["connections"]).iter().collect();
        expected.sort_by_key(|connection| (place(&connection["outcome"]), connection["id"].as_u64()));
        let ids = |all: &[&Value]| all.iter().map(|one| one["id"].to_string()).collect::<Vec<_>>();
        let listed: Vec<&str> = array(&document["listed"]).iter().map(|row| words(&row[0])).collect();
        assert_eq!(listed, ids(&expected), "{name}");

        expected.retain(|connection| connection["outcome"] != "no_keepalive");
        let shown = array(&document["connections"]);
        let shown_ids: Vec<String> =
            shown.iter().map(|one| words(&one["id"]).replace("connection-", "")).collect();
        assert_eq!(shown_ids, ids(&expected), "{name}");
        for (shown, truth) in shown.iter().zip(expected) {
            let name = format!("{name} #{}", truth["id"]);
            assert_eq!(shown["outcome"], truth["outcome"], "{name}");
            assert_eq!(fact(shown, "Verdict"), words(&truth["reason"]), "{name}");
            let evidence: Vec<String> = array(&truth["evidence"]).iter().map(Value::to_string).collect();
            let said = fact(shown, "Evidence").trim_start_matches("frames ").trim_start_matches("frame ");
            assert_eq!(
                said,
                if evidence.is_empty() { "none".to_owned() } else { evidence.join(", ") },
                "{name}"
            );
            for end in ["client", "server"] {
                assert!(words(&shown["heading"]).contains(words(&truth[end])), "{name}: {end}");
                assert!(words(&shown["ladder"]["text"]).contains(words(&truth[end])), "{name}: {end}");
            }
            assert_eq!(shapes(&shown["ladder"], "lost"), probes(truth, |kind| kind.is_none()), "{name}");
            assert_eq!(
                shapes(&shown["ladder"], "refused"),
                probes(truth, |kind| kind == Some("icmp")),
                "{name}"
            );
            let by_peer = |kind: Option<&str>| kind.is_some_and(|kind| kind != "icmp");
            assert_eq!(shapes(&shown["ladder"], "probe"), probes(truth, by_peer), "{name}");
            for mark in array(&truth["probers"]).iter().flat_map(|prober| array(&prober["settings"])).take(1)
            {
                let title = words(&mark["stack"]).split('-').next().expect("a name").to_lowercase();
                assert!(words(&shown["text"]).to_lowercase().contains(&title), "{name}: {title}");
            }
        }
    }
}

/// Nothing that is drawn of the probes is drawn in the ladder only.
#[test]
fn a_timeline_shows_each_form_that_the_ladder_shows() {
    let Some(all) = all_captures("html_timelines") else { return };
    let mut forms = std::collections::BTreeSet::new();
    for (name, document, _) in &all {
        for connection in array(&document["connections"]) {
            for form in ["probe", "lost", "refused", "answer", "reset", "fin", "other"] {
                let [ladder, timeline] =
                    ["ladder", "timeline"].map(|picture| shapes(&connection[picture], form) > 0);
                assert_eq!(ladder, timeline, "{name}: {form} of {}", connection["id"]);
                forms.extend(ladder.then_some(form));
            }
        }
    }
    assert_eq!(forms.len(), 7, "not every form is drawn anywhere: {forms:?}");
}

#[test]
fn silences_and_settings_are_written_out() {
    let folder = scratch("html_vanish");
    let path = write(&folder, "vanish", &[&capture_path("vanish.pcap")]);
    let Some(documents) = read(&[path]) else { return };
    let connection = &documents[0]["connections"][0];
    for picture in ["ladder", "timeline"] {
        assert!(words(&connection[picture]["text"]).contains("2.016 s"), "{}", connection[picture]["text"]);
        assert!(words(&connection[picture]["text"]).contains("RST"), "{}", connection[picture]["text"]);
    }
    let text = words(&connection["text"]);
    assert!(text.contains("Linux (HZ=250) 3 s 2 s 4"), "{text}");
    assert!(text.contains("SEQ = SND.NXT−1"), "{text}");
    assert_eq!(words(&documents[0]["title"]), "TCP keepalives in vanish.pcap");
}

#[test]
fn options_choose_as_for_every_format() {
    let (folder, many) = (scratch("html_choice"), capture_path("many.pcap"));
    let written = folder.join("marked.pcapng");
    let choices: [&[&str]; 5] =
        [&[], &["--all"], &["--connection", "3"], &["--filter", "port:7083"], &["--write", text(&written)]];
    let paths: Vec<PathBuf> = choices
        .iter()
        .enumerate()
        .map(|(index, choice)| write(&folder, &index.to_string(), &[choice, &[many.as_str()][..]].concat()))
        .collect();
    assert!(written.exists());
    let Some(documents) = read(&paths) else { return };
    for (choice, document) in choices.iter().zip(&documents) {
        let choice: Vec<&str> =
            choice.iter().copied().filter(|word| !["--write", text(&written)].contains(word)).collect();
        let json = analyze_json(&[&choice[..], &[many.as_str()]].concat());
        let mut listed: Vec<String> =
            array(&document["listed"]).iter().map(|row| words(&row[0]).to_owned()).collect();
        let mut expected: Vec<String> =
            array(&json["connections"]).iter().map(|one| one["id"].to_string()).collect();
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected, "{choice:?}");
    }
}

#[test]
fn several_captures_name_the_file_of_each_frame() {
    let folder = scratch("html_several");
    let captures = [capture_path("vanish.pcap"), capture_path("lossy.pcap")];
    let path = write(&folder, "both", &[&captures[0], &captures[1]]);
    let Some(documents) = read(&[path]) else { return };
    assert_sound("both", &documents[0]);
    assert_eq!(words(&documents[0]["title"]), "TCP keepalives in 2 captures");
    assert_eq!(fact(&documents[0]["connections"][0], "Evidence"), "frames 1:6, 1:7, 1:8, 1:9, 1:10");
    assert_eq!(fact(&documents[0]["connections"][1], "Evidence"), "frames 2:16, 2:17");
}

#[test]
fn the_same_capture_gives_the_same_document() {
    let folder = scratch("html_same");
    for name in ["many.pcap", "crossing.pcap", "icmp_unreachable.pcap"] {
        let [one, two] = ["one", "two"]
            .map(|which| std::fs::read(write(&folder, which, &[&capture_path(name)])).expect(name));
        assert!(one == two, "{name}");
    }
}

#[test]
fn what_a_damaged_capture_still_shows_is_there_with_the_damage() {
    let folder = scratch("html_damaged");
    let (capture, whole) = (folder.join("damaged.pcap"), Pcap::of("vanish.pcap").octets());
    std::fs::write(&capture, &whole[..whole.len() - 5]).expect("a file to write");
    let output = crate::common::keepscope(&["analyze", "--format", "html", text(&capture)]);
    assert_eq!(output.status.code(), Some(2));
    let path = folder.join("damaged.html");
    std::fs::write(&path, output.stdout).expect("a file to write");
    let Some(documents) = read(&[path]) else { return };
    assert_sound("damaged", &documents[0]);
    let (complaint, text) = (String::from_utf8_lossy(&output.stderr), words(&documents[0]["text"]));
    let complaint = complaint.lines().find(|line| line.contains("error: ")).expect("an error");
    let complaint = &complaint[complaint.find("error: ").expect("an error")..];
    assert!(text.contains(complaint), "{complaint}\n{text}");
    assert_eq!(documents[0]["connections"][0]["outcome"], "unanswered");
}

#[test]
fn a_capture_without_keepalives_says_so() {
    let folder = scratch("html_nothing");
    let path = write(&folder, "nothing", &[&capture_path("zero_window.pcap")]);
    let Some(documents) = read(&[path]) else { return };
    assert_sound("nothing", &documents[0]);
    let text = words(&documents[0]["text"]);
    assert!(
        text.contains("Keepalives in 0 of 1 connection") && text.contains("No connection to show"),
        "{text}"
    );
}
