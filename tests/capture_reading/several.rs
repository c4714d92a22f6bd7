//! Several captures as one stream.

use std::fs;
use std::path::{Path, PathBuf};

use keepscope::capture::{CaptureError, Captures, ProblemKind};

use crate::bytes::*;

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, octets).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn pcap_at(seconds: &[u32]) -> Vec<u8> {
    let mut out = Out::new(Order::Little);
    out.pcap_header(MICROS, 65_535, 1);
    for second in seconds {
        out.pcap_record(*second, 0, 4, &second.to_le_bytes());
    }
    out.octets
}

/// Capture and second of each frame.
fn order(read: &Read) -> Vec<(u32, i64)> {
    read.frames.iter().map(|frame| (frame.capture, frame.nanos / 1_000_000_000)).collect()
}

#[test]
fn a_rotated_set_in_any_order_and_overlapping_captures() {
    let dir = Scratch::new("merge");
    let third = dir.file("c.pcap", &pcap_at(&[30, 31]));
    let first = dir.file("a.pcap.gz", &gzip(&pcap_at(&[10, 11])));
    let second = dir.file("b.pcap", &pcap_at(&[20, 21]));
    let across = dir.file("x.pcap", &pcap_at(&[11, 20, 40]));
    let read = drain(&mut Captures::open(&[third, first, second, across]).unwrap());
    assert_eq!(read.kinds(), []);
    let wanted = [(1, 10), (1, 11), (3, 11), (2, 20), (3, 20), (2, 21), (0, 30), (0, 31), (3, 40)];
    assert_eq!(order(&read), wanted);
    for frame in &read.frames {
        assert_eq!(frame.data, (frame.nanos as u64 / 1_000_000_000).to_le_bytes()[..4]);
    }
}

#[test]
fn readers_are_merged_as_files_are() {
    let reader = |seconds: &[u32]| -> Box<dyn std::io::Read + Send> {
        Box::new(std::io::Cursor::new(pcap_at(seconds)))
    };
    let readers = vec![("a".to_owned(), reader(&[5, 7, 9])), ("b".to_owned(), reader(&[1, 7, 8]))];
    let read = drain(&mut Captures::from_readers(readers).unwrap());
    assert_eq!(order(&read), [(1, 1), (0, 5), (0, 7), (1, 7), (1, 8), (0, 9)]);
    let numbers: Vec<_> = read.frames.iter().map(|frame| (frame.capture, frame.number)).collect();
    assert_eq!(numbers, [(1, 1), (0, 1), (0, 2), (1, 2), (1, 3), (0, 3)]);
}

#[test]
fn the_order_within_a_file_is_kept_where_time_goes_back() {
    let dir = Scratch::new("back");
    let one = dir.file("one", &pcap_at(&[10, 5, 11]));
    let two = dir.file("two", &pcap_at(&[6, 12]));
    let read = drain(&mut Captures::open(&[one, two]).unwrap());
    assert_eq!(order(&read), [(1, 6), (0, 10), (0, 5), (0, 11), (1, 12)]);
    assert_eq!(read.kinds(), [ProblemKind::TimeGoesBack]);
}

#[test]
fn one_that_cannot_be_read_does_not_cost_the_others() {
    let dir = Scratch::new("missing");
    let good = dir.file("good.pcap", &pcap_at(&[10, 20]));
    let text = dir.file("notes.txt", b"just some notes\n");
    let cut = dir.file("cut.pcap", &pcap_at(&[15, 16])[..60]);
    let empty = dir.file("empty.pcap", &pcap_at(&[]));
    let missing = dir.0.join("missing\n.pcap");
    let paths = [missing, good.clone(), dir.0.clone(), text, cut, empty];
    let read = drain(&mut Captures::open(&paths).unwrap());
    assert_eq!(order(&read), [(1, 10), (4, 15), (1, 20)]);
    let problems: Vec<_> = read.problems.iter().map(|problem| (problem.capture, problem.kind)).collect();
    let wanted = [
        (0, ProblemKind::NotFound),
        (2, ProblemKind::IsDirectory),
        (3, ProblemKind::NotACapture),
        (4, ProblemKind::CutOff),
    ];
    assert_eq!(problems, wanted);
    assert!(read.problems.iter().all(|problem| problem.is_damage()));

    let only_missing = drain(&mut Captures::open(&[dir.0.join("none")]).unwrap());
    assert_eq!(only_missing.kinds(), [ProblemKind::NotFound]);
}

#[test]
fn a_file_that_vanishes_or_changes_before_its_turn() {
    let dir = Scratch::new("vanish");
    let first = dir.file("1", &pcap_at(&[10, 11]));
    let second = dir.file("2", &pcap_at(&[20, 21]));
    let third = dir.file("3", &pcap_at(&[30, 31]));
    let mut captures = Captures::open(&[first, second.clone(), third.clone()]).unwrap();
    assert!(captures.next_frame().is_some());
    fs::remove_file(&second).unwrap();
    fs::write(&third, pcap_at(&[33])).unwrap();
    let read = drain(&mut captures);
    assert_eq!(order(&read), [(0, 11), (2, 33)]);
    assert_eq!(read.kinds(), [ProblemKind::NotFound]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_long_rotated_set_needs_few_open_files() {
    let dir = Scratch::new("many");
    let paths: Vec<_> =
        (0..200u32).map(|index| dir.file(&format!("{index}"), &pcap_at(&[1_000 - index]))).collect();
    let mut captures = Captures::open(&paths).unwrap();
    let open = || {
        let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
        links.filter(|entry| fs::read_link(entry.path()).is_ok_and(|to| to.starts_with(&dir.0))).count()
    };
    let mut frames = 0;
    while captures.next_frame().is_some() {
        frames += 1;
        assert!(open() <= 1, "{} files open", open());
    }
    assert_eq!(frames, 200);
    assert_eq!(open(), 0);
}

#[test]
fn progress_counts_stored_octets() {
    let dir = Scratch::new("progress");
    let packed = gzip(&pcap_at(&[1, 2, 3]));
    let path = dir.file("p.gz", &packed);
    let mut captures = Captures::open(&[path.clone(), dir.0.join("none")]).unwrap();
    let totals: Vec<_> = captures.progress().map(|progress| progress.octets_total).collect();
    assert_eq!(totals, [Some(packed.len() as u64), None]);
    drain(&mut captures);
    let progress = captures.progress().next().unwrap();
    assert_eq!((progress.frames, progress.octets_read), (3, packed.len() as u64));
    assert_eq!(progress.name, path.to_str().unwrap());
}

#[test]
fn what_cannot_be_asked_for() {
    assert_eq!(Captures::open::<&str>(&[]).unwrap_err(), CaptureError::NoCaptures);
    assert_eq!(Captures::open(&["-", "a", "-"]).unwrap_err(), CaptureError::StandardInputTwice(2));
    assert!(Captures::from_readers(Vec::new()).is_err());
}
