//! Reading on two threads says what reading on one says, to the octet.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use keepscope::capture::{Captures, ProblemKind};
use keepscope::pipeline::Pipeline;
use keepscope::reading::Reading;
use keepscope::track::event::{ConnectionId, Event, EventKind};

use common::{Pcap, keepscope, scratch, text};

/// The same analysis on one thread and on two.
fn both(arguments: &[&str]) -> [Output; 2] {
    ["1", "2"].map(|threads| {
        let all: Vec<&str> = ["analyze", "--threads", threads].iter().chain(arguments).copied().collect();
        keepscope(&all)
    })
}

#[track_caller]
fn assert_same(arguments: &[&str]) {
    let [one, two] = both(arguments);
    assert_eq!(one.status.code(), two.status.code(), "{arguments:?}");
    assert_eq!(String::from_utf8_lossy(&one.stderr), String::from_utf8_lossy(&two.stderr), "{arguments:?}");
    assert!(one.stdout == two.stdout, "{arguments:?}: the output differs");
    assert!(!one.stdout.is_empty(), "{arguments:?}");
}

fn kept_captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("captures").map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_none_or(|extension| extension != "toml"));
    paths.sort();
    assert!(paths.len() > 20);
    paths
}

/// A capture of many batches: connections that open, write, keep alive and die.
fn fleet(folder: &Path, seed: &str) -> PathBuf {
    let path = folder.join(format!("fleet-{seed}.pcap"));
    let written = keepscope(&[
        "simulate",
        "--fleet",
        "--seed",
        seed,
        "--connections",
        "600",
        "--rate",
        "20",
        "--lasting",
        "10m",
        "--mix",
        "linux@30s/5s/4",
        "--data",
        "60%",
        "--data-every",
        "20s",
        "--loss",
        "1%",
        "--deaths",
        "20%",
        "--write",
        text(&path),
    ]);
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    path
}

#[test]
fn every_kept_capture_in_every_format() {
    for path in kept_captures() {
        for format in ["text", "json", "jsonl", "csv"] {
            assert_same(&["--all", "--format", format, text(&path)]);
        }
    }
    let all = kept_captures();
    let all: Vec<&str> = all.iter().map(|path| text(path)).collect();
    assert_same(&[&["--format", "jsonl"][..], &all].concat());
}

#[test]
fn a_capture_of_many_batches_whole_and_damaged_and_beside_another() {
    let folder = scratch("threads-fleet");
    let (one, other) = (fleet(&folder, "1"), fleet(&folder, "2"));
    let octets = std::fs::read(&one).expect("the capture");
    assert!(octets.len() > 2_000_000, "{} octets are too few batches", octets.len());
    for format in ["text", "json", "jsonl", "csv"] {
        assert_same(&["--format", format, text(&one)]);
    }
    assert_same(&["--format", "jsonl", text(&one), text(&other)]);
    assert_same(&["--format", "jsonl", "--filter", "ka.lost>0", text(&one)]);

    let cut = folder.join("cut.pcap");
    std::fs::write(&cut, &octets[..octets.len() / 2 + 7]).expect("a file");
    let [ended, _] = both(&["--format", "jsonl", text(&cut)]);
    assert_eq!(ended.status.code(), Some(2));
    assert_same(&["--format", "jsonl", text(&cut), text(&other)]);

    // A record that claims more than there can be, in the middle of a batch.
    let packets = Pcap::from_octets(&octets);
    let mut broken = octets.clone();
    let at = packets.offset(5_000) + 8;
    broken[at..at + 4].fill(0x7f);
    let path = folder.join("broken.pcap");
    std::fs::write(&path, &broken).expect("a file");
    assert_same(&["--format", "json", text(&path)]);
}

/// All that is said of a capture, and how many connections it has.
fn events(path: &Path, reading: Reading, silent_too: bool) -> (Vec<Event>, u64) {
    let (mut captures, mut pipeline) = (Captures::open(&[path]).expect("a path"), Pipeline::new(0));
    if !silent_too {
        pipeline.only_spoken_of();
    }
    let mut events = Vec::new();
    let go_on = |_: &Captures, _| ControlFlow::Continue(());
    let read = reading.read::<()>(&mut captures, &mut pipeline, go_on, |event| {
        events.push(event);
        Ok(())
    });
    read.expect("nothing that ends it");
    (events, pipeline.connections())
}

/// Where nobody asks for silent connections, their last words are left out, and nothing else.
#[test]
fn last_words_are_left_out_where_nothing_else_was_said() {
    let fleet = fleet(&scratch("threads-silent"), "5");
    let (mut kept, mut left_out) = (0, 0);
    for path in kept_captures().into_iter().chain([fleet]) {
        let (all, connections) = events(&path, Reading::Alone, true);
        let is_said = |event: &&Event| !matches!(event.kind, EventKind::Opened(_) | EventKind::Final(_));
        let spoken_of: BTreeSet<ConnectionId> =
            all.iter().filter(is_said).map(|event| event.connection).collect();
        let expected: Vec<&Event> =
            all.iter().filter(|event| spoken_of.contains(&event.connection)).collect();
        for reading in [Reading::Alone, Reading::Beside] {
            let (told, counted) = events(&path, reading, false);
            assert!(told.iter().eq(expected.iter().copied()), "{}: {reading:?}", path.display());
            assert_eq!(counted, connections, "{}", path.display());
        }
        kept += expected.len();
        left_out += all.len() - expected.len();
    }
    assert!(kept > 1_000 && left_out > 10, "{kept} kept, {left_out} left out");
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let path = fleet(&scratch("threads-pipe"), "3");
    let mut child = Command::new(env!("CARGO_BIN_EXE_keepscope"))
        .args(["analyze", "--threads", "2", "--format", "jsonl", text(&path)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("keepscope runs");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut first).expect("a line");
    assert!(first.starts_with('{'), "{first}");
    let ended = child.wait_with_output().expect("an end");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

/// Files are read with read(2), never mapped: what is gone is an end, not a signal.
#[test]
fn a_file_that_shrinks_while_it_is_read_is_a_damaged_file() {
    let folder = scratch("threads-shrinks");
    let whole = std::fs::read(fleet(&folder, "4")).expect("the capture");
    for reading in [Reading::Alone, Reading::Beside] {
        let path = folder.join(format!("{reading:?}.pcap"));
        std::fs::write(&path, &whole).expect("a file");
        let (mut captures, mut pipeline) = (Captures::open(&[&path]).expect("a path"), Pipeline::new(0));
        let (mut shrunk, mut frames) = (false, 0_u64);
        let go_on = |_: &Captures, count: usize| {
            if !std::mem::replace(&mut shrunk, true) {
                let file = std::fs::File::options().write(true).open(&path).expect("the file");
                file.set_len(100).expect("a shorter file");
            }
            frames += count as u64;
            ControlFlow::Continue(())
        };
        reading.read::<()>(&mut captures, &mut pipeline, go_on, |_| Ok(())).expect("no error");
        let read = pipeline.counts(0).segments;
        assert!(read > 0 && (read as usize) < Pcap::from_octets(&whole).records.len(), "{read}");
        let problems: Vec<_> =
            captures.problems().map(|problem| (problem.kind, problem.is_damage())).collect();
        assert_eq!(problems, [(ProblemKind::CutOff, true)]);
        assert!(pipeline.connections() > 0);
    }
}

/// Cut between two packets it looks whole, but for its length.
#[test]
fn a_file_that_shrinks_to_whole_packets_is_a_damaged_file() {
    let folder = scratch("threads-shrinks-whole");
    let path = fleet(&folder, "5");
    let mut captures = Captures::open(&[&path]).expect("a path");
    let octets = std::fs::read(&path).expect("the capture");
    let packets = Pcap::from_octets(&octets);
    // Half of them is more than is read ahead.
    let half = packets.records.len() / 2;
    assert!(captures.next_frame().is_some());
    std::fs::write(&path, packets.with(0..half)).expect("a shorter file");
    let mut frames = 1;
    while captures.next_frame().is_some() {
        frames += 1;
    }
    assert_eq!(frames, half);
    let problem = captures.problems().next().expect("a problem").to_string();
    assert!(problem.contains("shorter"), "{problem}");
}

#[test]
fn other_numbers_of_threads_are_refused() {
    for threads in ["0", "3", "two"] {
        let refused = keepscope(&["analyze", "--threads", threads, "x.pcap"]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("1 or 2"));
    }
}
