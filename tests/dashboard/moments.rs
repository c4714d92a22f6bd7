//! What is said of a moment is what an analysis would say had the capture ended there.

use std::io::Cursor;

use keepscope::analysis::{Collector, ConnectionRecord};
use keepscope::capture::Captures;
use keepscope::dashboard::message::{Key, Message};
use keepscope::dashboard::replay::reader;
use keepscope::dashboard::update::open;
use keepscope::pipeline::Pipeline;
use keepscope::track::LetGo;
use keepscope::track::event::{ConnectionId, Start};

use crate::common::{Pcap, analyze_json, capture_path};
use crate::harness::{COLOR, Screen};

/// Connections whose beginning was captured: of the others more is known later than at the time.
const CAPTURES: [&str; 12] = [
    "answered.pcap",
    "answers_lost.pcap",
    "both.pcap",
    "closed.pcap",
    "icmp_unreachable.pcap",
    "late_answers.pcap",
    "lossy.pcap",
    "many.pcap",
    "reset_by_peer.pcap",
    "unanswered.pcap",
    "vanish.pcap",
    "zero_window_keepalive.pcap",
];

fn analyze(octets: Vec<u8>) -> Vec<ConnectionRecord> {
    let mut captures = Captures::from_reader("cut", Cursor::new(octets));
    let (mut pipeline, mut collector, mut records) = (Pipeline::new(0), Collector::default(), Vec::new());
    while let Some(frame) = captures.next_frame() {
        pipeline.frame(&frame);
    }
    pipeline.finish();
    while let Some(event) = pipeline.poll_event() {
        records.extend(collector.on_event(&event));
    }
    records
}

#[test]
fn every_moment_is_judged_as_if_the_capture_ended_there() {
    for name in CAPTURES {
        judge_every_moment(name, &Pcap::of(name));
    }
}

/// A capture that left out a packet, whichever it was.
#[test]
fn what_the_capture_left_out_is_known_at_every_moment() {
    let mut missing = 0;
    for name in ["lossy.pcap", "closed.pcap", "late_answers.pcap"] {
        let whole = Pcap::of(name);
        for gone in 3..whole.records.len() {
            let mut records = whole.records.clone();
            records.remove(gone);
            let pcap = Pcap { header: whole.header.clone(), records };
            missing += judge_every_moment(&format!("{name} without packet {}", gone + 1), &pcap);
        }
    }
    assert!(missing > 0, "in none of them octets were missing");
}

/// Compares each moment with an analysis of the packets until then; returns in how many octets were missing.
fn judge_every_moment(name: &str, pcap: &Pcap) -> usize {
    let mut screen = Screen::start(100, 30, COLOR);
    open(&mut screen.model, vec![name.into()]);
    screen.read(Captures::from_reader(name, Cursor::new(pcap.octets())));
    screen.draw();
    let rows = screen.session().store.rows().len();
    let mut missing = 0;
    // Backward, so that each moment is reached by going back.
    for read in (1..=rows).rev() {
        let model = &mut screen.model;
        let session = model.session.as_mut().expect("a session");
        session.player.to_row(&session.store, read);
        screen.draw();
        let session = screen.session();
        let row = session.store.rows()[read - 1];
        let records = analyze(pcap.with(0..row.frame().number as usize));
        for record in records {
            if record.opened.start == Start::Midstream {
                continue;
            }
            let standing = &session.standing;
            let ours = standing.record(&session.store, record.id, session.player.at.time).expect("a record");
            let place = format!("{name} #{} after frame {}", record.id, row.frame());
            let gaps = |record: &ConnectionRecord| {
                (record.summary.client.octets_missing, record.summary.server.octets_missing)
            };
            assert_eq!(gaps(&ours), gaps(&record), "{place}");
            missing += usize::from(gaps(&record) != (false, false));
            assert_eq!(ours.verdict, record.verdict, "{place}");
            assert_eq!(ours.client_inference, record.client_inference, "{place}");
            assert_eq!(standing.seen(record.id).outcome, Some(record.verdict.outcome), "{place}");
            let counted = record.client.probes.len() + record.server.probes.len();
            assert_eq!(standing.seen(record.id).probes as usize, counted, "{place}");
        }
    }
    missing
}

#[test]
fn going_forward_and_back_leads_to_the_same() {
    let mut screen = Screen::replay(&["many.pcap", "lossy.pcap"], 120, 40, COLOR);
    let rows = screen.session().store.rows().len();
    let mut forward = Vec::new();
    screen.key(Key::Home);
    for read in 1..=rows {
        let session = screen.model.session.as_mut().expect("a session");
        session.player.to_row(&session.store, read);
        forward.push(screen.text());
    }
    for read in (1..=rows).rev() {
        let session = screen.model.session.as_mut().expect("a session");
        session.player.to_row(&session.store, read);
        assert_eq!(screen.text(), forward[read - 1], "after {read} segments");
    }
}

#[test]
fn at_the_end_every_capture_has_the_records_of_analyze() {
    let index = std::fs::read_dir(capture_path("")).expect("captures");
    for entry in index {
        let name = entry.expect("a file").file_name().to_string_lossy().into_owned();
        if !name.contains(".pcap") {
            continue;
        }
        let document = analyze_json(&["--all", &capture_path(&name)]);
        let screen = Screen::replay(&[&name], 100, 30, COLOR);
        let session = screen.session();
        let records: Vec<ConnectionRecord> = (1..=session.store.connections().len() as u64)
            .filter_map(|id| {
                session.store.record_at(ConnectionId(id), session.store.rows().len(), true).cloned()
            })
            .collect();
        let mut octets = Vec::new();
        keepscope::report::json::write(&mut octets, session.store.captures(), LetGo::default(), &records)
            .expect("JSON");
        let ours: serde_json::Value = serde_json::from_slice(&octets).expect("JSON");
        assert_eq!(ours["connections"], document["connections"], "{name}");
    }
}

/// A long capture is on the screen while the rest of it is still to come, and is not kept from being left.
#[test]
fn what_has_been_read_is_shown_before_the_rest() {
    let pcap = Pcap::of("lossy.pcap");
    let long = [pcap.header.clone(), pcap.records.concat().repeat(4000)].concat();
    let mut screen = Screen::start(100, 30, COLOR);
    screen.effects = open(&mut screen.model, vec!["long.pcap".into()]);
    let mut seen = Vec::new();
    let captures = Captures::from_reader("long.pcap", Cursor::new(long));
    reader::run(captures, 0, &|| false, |batch| {
        screen.send(Message::Batch(1, Box::new(batch)));
        let store = &screen.session().store;
        seen.push((store.rows().len(), store.reading().done));
        let done = store.reading().done;
        assert_ne!(screen.shows("reading"), done);
        assert!(screen.shows("192.0.2.2:40014"), "{}", screen.text());
        true
    });
    assert!(seen.len() > 3, "{seen:?}");
    assert!(seen.iter().rev().skip(1).all(|(rows, done)| *rows > 0 && !done), "{seen:?}");
    assert_eq!(seen.last().map(|last| last.1), Some(true));
}
