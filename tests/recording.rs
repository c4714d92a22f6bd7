//! Recordings of programs that are killed: the file reads back to the last packet that was recorded.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{capture_path, keepscope, scratch, text};
use keepscope::capture::Captures;
use keepscope::live::recording::Recording;

/// Where the program that is killed records to.
const RECORD_TO: &str = "KEEPSCOPE_RECORD_TO";

/// How often a program is killed, for each format.
const KILLS: u32 = 15;

/// Records the packets of a capture over and over until it is killed, and says after each that it is recorded.
#[test]
#[ignore = "run and killed by the test below"]
fn records_until_it_is_killed() {
    let Some(path) = std::env::var_os(RECORD_TO) else { return };
    let mut recording = Recording::create(Path::new(&path), false, "to be killed").expect("a new file");
    let mut out = std::io::stdout().lock();
    loop {
        let mut captures = Captures::open(&[capture_path("answered.pcap")]).expect("a capture");
        while let Some(frame) = captures.next_frame() {
            recording.frame(&frame).expect("a packet is recorded");
            writeln!(out, "recorded {}", recording.packets()).expect("the test reads");
        }
    }
}

#[test]
fn nothing_that_was_recorded_is_lost_when_the_program_is_killed() {
    let folder = scratch("recording-killed");
    let mut counts = Vec::new();
    for suffix in ["pcapng", "pcap"] {
        for kill in 0..KILLS {
            let path = folder.join(format!("{kill}.{suffix}"));
            // Killed after another number of packets each time, and at any moment of those after it.
            let recorded = recorded_until_killed(&path, 1 + u64::from(kill * kill * 7));
            let output = keepscope(&["analyze", "--format", "json", text(&path)]);
            let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
            let capture = &document["captures"][0];
            let read = capture["packets"].as_u64().expect("a number");
            assert!(read >= recorded, "{}: {recorded} were recorded, {read} are read", path.display());
            let problems = capture["problems"].as_array().expect("problems");
            // Only the very end may be torn, and that is said. Each round of the source goes back in time.
            let damage: Vec<_> = problems.iter().filter(|problem| problem["damage"] == true).collect();
            assert!(damage.iter().all(|problem| problem["kind"] == "cut_off"), "{damage:?}");
            assert_eq!(output.status.code(), Some(if damage.is_empty() { 0 } else { 2 }));
            counts.push(read);
        }
    }
    counts.sort_unstable();
    counts.dedup();
    assert!(counts.len() > 10, "the programs were not killed at random moments: {counts:?}");
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

/// Runs the program until it has recorded some packets, kills it, returns how many it said it recorded.
fn recorded_until_killed(path: &Path, at_least: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "records_until_it_is_killed", "--ignored", "--nocapture"])
        .env(RECORD_TO, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this test runs again");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut number = || lines.find_map(|line| line.ok()?.strip_prefix("recorded ")?.parse::<u64>().ok());
    let mut last = 0;
    while last < at_least {
        last = number().expect("the program records on");
    }
    child.kill().expect("the program is killed");
    // What it said before it was killed is still in the pipe; the last line may be torn.
    while let Some(next) = number() {
        last = last.max(next);
    }
    child.wait().expect("the program ended");
    last
}

#[cfg(unix)]
#[test]
fn a_recording_is_its_owners_and_takes_no_other_files_place() {
    use std::os::unix::fs::PermissionsExt;
    let folder = scratch("recording-mode");
    for name in ["a.pcapng", "a.pcap"] {
        let path = folder.join(name);
        std::fs::write(&path, "mine").expect("a file");
        let refused = Recording::create(&path, false, "").expect_err("the file is there").to_string();
        assert!(
            refused.contains("this file exists; name another, or overwrite it with --force"),
            "{refused}"
        );
        assert_eq!(std::fs::read(&path).expect("the file"), b"mine");
        let recording = Recording::create(&path, true, "").expect("with force it is replaced");
        // It is there from the start, not only at the end.
        assert_ne!(std::fs::read(&path).expect("the file"), b"mine");
        assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
        drop(recording);
        assert!(path.exists(), "a recording stays that did not end in order");
    }
    let unknown = Recording::create(&folder.join("a.txt"), false, "").expect_err("no format").to_string();
    assert!(unknown.contains("name it .pcapng"), "{unknown}");
}

/// Where no more can be written, that is said once, and the packets before it are all there.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_recording_with_what_exists() {
    let folder = scratch("recording-full");
    let path = folder.join("full.pcapng");
    // A limit on the size of files is the smallest full disk that needs no rights.
    let output = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 8; exec \"$0\" --exact records_until_it_is_full --ignored --nocapture",
        ])
        .arg(std::env::current_exe().expect("this test"))
        .env(RECORD_TO, &path)
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let recorded = said.lines().find_map(|line| line.strip_prefix("full after ")?.parse::<u64>().ok());
    let recorded = recorded.unwrap_or_else(|| panic!("{said}"));
    assert!(said.contains("full.pcapng: cannot be written: File too large"), "{said}");
    let output = keepscope(&["analyze", "--format", "json", text(&path)]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(document["captures"][0]["packets"], recorded);
}

/// Records until that fails, then goes on for a while as its user would.
#[test]
#[ignore = "run by the test above, with a limit on the size of files"]
fn records_until_it_is_full() {
    let Some(path) = std::env::var_os(RECORD_TO) else { return };
    let mut recording = Recording::create(Path::new(&path), false, "to be full").expect("a new file");
    let mut complaints = Vec::new();
    for _ in 0..100 {
        let mut captures = Captures::open(&[capture_path("answered.pcap")]).expect("a capture");
        while let Some(frame) = captures.next_frame() {
            complaints.extend(recording.frame(&frame).err());
        }
    }
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    println!("{}\nfull after {}", complaints[0], recording.packets());
}
