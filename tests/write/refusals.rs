//! When no file is written, and what is left then: nothing, and one line that says why.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{capture_path, keepscope, scratch, text};

/// Runs an analysis that must not write; returns the line that says why.
fn refused(arguments: &[&str]) -> String {
    let output = keepscope(&[&["analyze", "--write"], arguments].concat());
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    let complaint = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    complaint
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

#[test]
fn other_files_are_left_alone_without_force() {
    let folder = scratch("write-exists");
    let (out, source) = (folder.join("out.pcapng"), capture_path("answered.pcap"));
    fs::write(&out, "mine").expect("a file");
    let complaint = refused(&[text(&out), &source]);
    assert!(
        complaint.contains("this file exists; name another, or overwrite it with --force"),
        "{complaint}"
    );
    assert_eq!(fs::read(&out).expect("the file"), b"mine");
    assert!(keepscope(&["analyze", "--force", "--write", text(&out), &source]).status.success());
    assert_ne!(fs::read(&out).expect("the file"), b"mine");
    assert_eq!(names(&folder), ["out.pcapng"]);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_what_was_written() {
    use std::os::unix::fs::PermissionsExt;
    let folder = scratch("write-mode");
    let (out, source) = (folder.join("out.pcapng"), capture_path("answered.pcap"));
    fs::write(&out, "open to all").expect("a file");
    assert!(keepscope(&["analyze", "--force", "--write", text(&out), &source]).status.success());
    assert_eq!(fs::metadata(&out).expect("the file").permissions().mode() & 0o777, 0o600);
}

#[test]
fn names_say_the_format() {
    let folder = scratch("write-suffix");
    let source = capture_path("answered.pcap");
    for name in ["out", "out.txt", "out.pcapng.gz"] {
        let complaint = refused(&[text(&folder.join(name)), &source]);
        assert!(complaint.contains("name it .pcapng, or .pcap for packets without comments"), "{complaint}");
    }
    let output = keepscope(&["analyze", "--write", text(&folder.join("out.pcap")), &source]);
    assert_eq!(output.status.code(), Some(0));
    let note = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(note.contains("out.pcap has the packets only: pcap has no comments, .pcapng has"), "{note}");
    assert_eq!(names(&folder), ["out.pcap"]);
}

#[test]
fn pcap_has_one_link_type() {
    let folder = scratch("write-links-of-pcap");
    let out = folder.join("out.pcap");
    let complaint = refused(&[text(&out), &capture_path("answered.pcap"), &capture_path("any.pcap")]);
    assert!(complaint.contains("name the file .pcapng"), "{complaint}");
    assert_eq!(names(&folder), [""; 0]);
}

#[test]
fn what_can_be_read_only_once_is_refused() {
    let folder = scratch("write-stdin");
    let output = Command::new(env!("CARGO_BIN_EXE_keepscope"))
        .args(["analyze", "--write", text(&folder.join("out.pcapng")), "-"])
        .stdin(fs::File::open(capture_path("answered.pcap")).expect("a capture"))
        .stdout(Stdio::null())
        .output()
        .expect("keepscope runs");
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(complaint.contains("standard input can be read only once; save it first"), "{complaint}");
    assert_eq!(names(&folder), [""; 0]);
}

#[test]
fn inputs_folders_and_places_that_are_not_there_are_refused() {
    let folder = scratch("write-places");
    let source = capture_path("answered.pcap");
    let copy = folder.join("copy.pcap");
    fs::copy(&source, &copy).expect("a copy");
    let complaint = refused(&[text(&copy), "--force", text(&copy)]);
    assert!(complaint.contains("this is an input"), "{complaint}");
    fs::create_dir(folder.join("folder.pcapng")).expect("a folder");
    let complaint = refused(&[text(&folder.join("folder.pcapng")), "--force", &source]);
    assert!(complaint.contains("this is no file"), "{complaint}");
    let complaint = refused(&[text(&folder.join("missing/out.pcapng")), &source]);
    assert!(complaint.contains("cannot be written: No such file"), "{complaint}");
    assert_eq!(names(&folder), ["copy.pcap", "folder.pcapng"]);
}

/// A full disk, as far as that can be had without one: files may not grow beyond a few blocks.
#[cfg(unix)]
#[test]
fn nothing_is_left_where_the_file_does_not_fit() {
    let folder = scratch("write-full");
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" analyze --all --write \"$1\" \"$2\" >/dev/null";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_keepscope"), text(&folder.join("out.pcapng"))])
        .arg(capture_path("many.pcap"))
        .output()
        .expect("a shell");
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(complaint.contains("out.pcapng: cannot be written: File too large"), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert_eq!(names(&folder), [""; 0]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing() {
    let folder = scratch("write-interrupted");
    let (source, out) = (folder.join("long.pcap"), folder.join("out/out.pcapng"));
    let capture = crate::common::Pcap::of("answered.pcap");
    let packets = capture.with(0..capture.records.len()).split_off(capture.header.len());
    fs::write(&source, [capture.header.clone(), packets.repeat(20_000)].concat()).expect("a capture");
    fs::create_dir(folder.join("out")).expect("a folder");
    for signal in ["-INT", "-TERM"] {
        let mut process = Command::new(env!("CARGO_BIN_EXE_keepscope"))
            .args(["analyze", "--force", "--write", text(&out), text(&source)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("keepscope runs");
        // It has begun when there is something to clean up.
        while names(&folder.join("out")).is_empty() && process.try_wait().expect("a process").is_none() {
            std::thread::yield_now();
        }
        for _ in 0..2 {
            let _ = Command::new("kill").args([signal, &process.id().to_string()]).output();
        }
        match process.wait().expect("a process").code() {
            Some(130) => assert_eq!(names(&folder.join("out")), [""; 0], "{signal}"),
            // It was faster than the signal.
            code => {
                assert_eq!(
                    (code, names(&folder.join("out"))),
                    (Some(0), vec!["out.pcapng".to_owned()]),
                    "{signal}"
                );
                fs::remove_file(&out).expect("the file");
            }
        }
    }
}

#[test]
fn a_connection_that_is_not_there_writes_nothing() {
    let folder = scratch("write-absent");
    let out = folder.join("out.pcapng");
    let complaint = refused(&[text(&out), "--connection", "9", &capture_path("many.pcap")]);
    assert!(complaint.contains("no connection 9"), "{complaint}");
    assert_eq!(names(&folder), [""; 0]);
    let output = keepscope(&["analyze", "--write", text(&out), &capture_path("zero_window.pcap")]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has no packets, as no connection was chosen"));
    assert_eq!(names(&folder), ["out.pcapng"]);
}

/// What could be read of a damaged capture is written, and the exit code tells.
#[test]
fn damage_is_told_and_the_rest_is_written() {
    let folder = scratch("write-damaged");
    let (source, out) = (folder.join("cut.pcap"), folder.join("out.pcapng"));
    let whole = fs::read(capture_path("answered.pcap")).expect("a capture");
    fs::write(&source, &whole[..whole.len() - 5]).expect("a capture");
    let complaint = refused(&[text(&out), text(&source)]);
    assert!(complaint.contains("the capture ends inside a record"), "{complaint}");
    assert!(out.exists());
}
