//! From the octets of a capture to every report of it: programs can read them, terminals come to no harm, and the
//! books balance.

use std::collections::BTreeMap;

use keepscope::analysis::{Collector, ConnectionRecord};
use keepscope::capture::Captures;
use keepscope::pipeline::Pipeline;
use keepscope::report::ladder::Ladder;
use keepscope::report::text::{Style, Totals};
use keepscope::report::{CaptureReport, csv, json, jsonl, text};
use keepscope::track::event::{ConnectionId, Event};

/// What is read of one input.
const MOST_FRAMES: usize = 2_000;

struct Analysis {
    captures: Vec<CaptureReport>,
    connections: u64,
    events: Vec<Event>,
    records: Vec<ConnectionRecord>,
    ladders: Vec<Ladder>,
}

fn analyze(octets: &[u8], hash_seed: u64) -> Analysis {
    let mut captures = Captures::from_reader("a\x1b[31mb", std::io::Cursor::new(octets.to_vec()));
    let mut pipeline = Pipeline::new(hash_seed);
    let mut collector = Collector::default();
    let mut ladders: Vec<Ladder> = (1..=2).map(|id| Ladder::new(ConnectionId(id))).collect();
    let (mut events, mut records) = (Vec::new(), Vec::new());
    let mut frames = 0;
    while frames < MOST_FRAMES
        && let Some(frame) = captures.next_frame()
    {
        frames += 1;
        pipeline.frame_shown(&frame, |segment, observed| {
            ladders.iter_mut().for_each(|ladder| ladder.segment(segment, observed));
        });
    }
    pipeline.finish();
    while let Some(event) = pipeline.poll_event() {
        ladders.iter_mut().for_each(|ladder| ladder.event(&event));
        records.extend(collector.on_event(&event));
        events.push(event);
    }
    let counts = pipeline.counts(0);
    let skipped: u64 = counts.skipped.values().sum();
    let accounted = counts.segments + counts.icmp_errors + counts.fragments + skipped;
    assert_eq!(accounted, frames as u64, "{counts:?}");
    assert!(counts.copies <= counts.segments);
    let connections = pipeline.connections();
    Analysis { captures: CaptureReport::of(&captures, &pipeline), connections, events, records, ladders }
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("memory can be written to");
    let out = String::from_utf8(out).expect("reports are UTF-8");
    assert!(super::is_plain(&out), "control characters in {out:?}");
    out
}

/// The input is the capture.
pub fn hold(octets: &[u8]) {
    let done = analyze(octets, 1);
    let other = analyze(octets, 0x5eed_0000_ffff_ffff);
    assert_eq!(done.events, other.events, "the seed of the hashes shows");
    assert_eq!(done.records, other.records, "the seed of the hashes shows");

    let records = &done.records;
    assert_eq!(records.len() as u64, done.connections);
    json_holds(&done);
    jsonl_holds(&done);
    csv_holds(records);
    let style = Style::default();
    let with_keepalives = records.iter().filter(|record| record.has_keepalives()).count() as u64;
    let totals = Totals {
        connections: done.connections,
        with_keepalives,
        chosen: false,
        let_go: keepscope::track::LetGo::default(),
    };
    written(|out| text::write(out, &done.captures, records, totals, style, 1));
    for (ladder, id) in done.ladders.iter().zip(1..) {
        if let Some(record) = records.iter().find(|record| record.id == ConnectionId(id)) {
            written(|out| ladder.write(out, record, style));
        }
    }
}

fn json_holds(done: &Analysis) {
    let document =
        written(|out| json::write(out, &done.captures, keepscope::track::LetGo::default(), &done.records));
    let document: serde_json::Value =
        serde_json::from_str(&document).unwrap_or_else(|error| panic!("{error} in {document}"));
    let connections = document["connections"].as_array().expect("connections");
    assert_eq!(connections.len(), done.records.len());
    let numbers: Vec<_> = connections.iter().map(|connection| connection["id"].as_u64()).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
}

fn jsonl_holds(done: &Analysis) {
    let lines = written(|out| {
        jsonl::header(out)?;
        done.events.iter().try_for_each(|event| jsonl::event(out, event))?;
        let mut last = BTreeMap::new();
        done.events.iter().for_each(|event| {
            last.insert(event.connection, event.number);
        });
        for record in &done.records {
            jsonl::last(out, record.id, last.get(&record.id).copied().unwrap_or(1), record)?;
        }
        jsonl::captures(out, &done.captures)
    });
    for line in lines.lines() {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok_and(|value| value.is_object()), "{line}");
    }
}

fn csv_holds(records: &[ConnectionRecord]) {
    let table = written(|out| {
        csv::header(out)?;
        records.iter().try_for_each(|record| csv::connection(out, record))
    });
    let columns: Vec<usize> = table.lines().map(|line| line.split(',').count()).collect();
    assert!(columns.iter().all(|count| *count == columns[0]), "{table}");
    let probes: usize =
        records.iter().flat_map(|record| record.probers()).map(|(_, prober)| prober.probes.len()).sum();
    assert_eq!(columns.len(), probes + 1);
}
