//! Disks that are full, or may not be written to: the run goes on and says so, and what was recorded before is whole.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{analyze_json, keepscope, scratch, skip, text};
use crate::net::{Net, SERVER};
use crate::program::{Ended, Program};
use crate::server::serve;

/// A small disk of its own. It goes away with the value.
struct Disk(PathBuf);

impl Disk {
    /// None, with a word about it, where this machine does not let us.
    fn new(name: &str, octets: &str) -> Option<Disk> {
        let folder = scratch(name);
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={octets}"), "none", text(&folder)])
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Disk(folder)),
            Ok(output) => {
                skip(&format!("no disk can be mounted: {}", String::from_utf8_lossy(&output.stderr).trim()));
                None
            }
            Err(_) => {
                skip("mount is not installed");
                None
            }
        }
    }

    fn may_not_be_written_to(&self) {
        let done = Command::new("mount").args(["-o", "remount,ro", text(&self.0)]).status().expect("mount");
        assert!(done.success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", text(&self.0)]).status();
    }
}

/// A journal whose last line was torn when its run was killed goes on, as often as that happens.
#[test]
fn a_torn_line_of_a_journal_is_cut_off_when_it_goes_on() {
    let Some(net) = Net::new() else { return };
    let server = serve(&net, SERVER[0]).to_string();
    let journal = scratch("tough-torn").join("run.jsonl");
    let options = format!("middlebox --no-partner --mode confirm=3s --journal {}", text(&journal));
    let first = run(&net, &server, &options);
    assert_eq!(first.code, Some(4), "{}{}", first.out, first.complaints);
    let torn = |journal: &Path| {
        let text = std::fs::read_to_string(journal).expect("a journal");
        text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_err()).count()
    };
    for _ in 0..2 {
        let mut file = std::fs::OpenOptions::new().append(true).open(&journal).expect("a journal");
        std::io::Write::write_all(&mut file, b"{\"type\":\"trial\",\"direction\":\"ou").expect("a torn line");
        assert_eq!(torn(&journal), 1);
        let again = run(&net, &server, &format!("{options} --resume"));
        assert_eq!(again.code, Some(4), "{}{}", again.out, again.complaints);
        assert_eq!(torn(&journal), 0, "the torn line is gone");
    }
}

/// A run that sends more packets than the disk holds.
fn run(net: &Net, server: &str, options: &str) -> Ended {
    let mut words: Vec<&str> = options.split(' ').collect();
    words.extend(["--netns", &net.client]);
    if !options.starts_with("watch") {
        words.push(server);
    }
    Program::keepscope(&words).end()
}

const FAST: &str = "--octets 1 --idle 5ms --interval 5ms --max-rate 1000 --rounds 150";

/// The file holds a part of it, whole.
fn whole_as_far_as_it_goes(file: &Path) {
    let document = analyze_json(&["--all", text(file)]);
    let capture = &document["captures"][0];
    assert!(capture["packets"].as_u64().is_some_and(|packets| packets > 20), "{capture}");
    assert_eq!(capture["problems"], serde_json::json!([]), "{capture}");
}

#[test]
fn a_disk_that_fills_up_ends_the_recording_and_not_the_run() {
    let Some(net) = Net::new() else { return };
    let Some(disk) = Disk::new("tough-full", "16k") else { return };
    let server = serve(&net, SERVER[0]).to_string();
    for (name, goes_on) in [("a.pcapng", "probing goes on"), ("b.pcap", "probing goes on")] {
        let file = disk.0.join(name);
        let ended = run(&net, &server, &format!("probe {FAST} --write {}", text(&file)));
        let all = format!("{}{}", ended.out, ended.complaints);
        assert_eq!(ended.complaints.matches("No space left on device").count(), 1, "{all}");
        assert!(ended.complaints.contains(name) && ended.complaints.contains(goes_on), "{all}");
        // The verdict is there; but not all that was asked for was done.
        assert!(ended.out.contains("ALIVE") && ended.code == Some(2), "{:?} {all}", ended.code);
        whole_as_far_as_it_goes(&file);
        std::fs::remove_file(&file).expect("a file");
    }
    let file = disk.0.join("c.pcapng");
    let mut watching = Program::keepscope(&[
        "watch",
        "--netns",
        &net.client,
        "--interface",
        "c0",
        "--for",
        "4s",
        "--write",
        text(&file),
    ]);
    watching.wait_for_complaint("watching");
    assert_eq!(run(&net, &server, &format!("probe {FAST}")).code, Some(0));
    let ended = watching.end();
    assert!(ended.complaints.contains("the recording ends here, the watch goes on"), "{}", ended.complaints);
    assert_eq!(ended.code, Some(2), "{}{}", ended.out, ended.complaints);
    whole_as_far_as_it_goes(&file);
}

#[test]
fn a_disk_that_takes_nothing_is_said_before_anything_is_sent() {
    let Some(net) = Net::new() else { return };
    let Some(disk) = Disk::new("tough-read-only", "16k") else { return };
    let server = serve(&net, SERVER[0]).to_string();
    // Full to the last octet; then not even that may be tried.
    let full = disk.0.join("full");
    let _ = std::fs::write(&full, vec![0; 1 << 20]);
    for reason in ["No space left on device", "Read-only file system"] {
        for (command, option) in [
            ("probe", "--write"),
            ("probe --kernel", "--write"),
            ("watch --for 100ms", "--write"),
            ("middlebox --no-partner --max 20s", "--write"),
            ("middlebox --no-partner --max 20s", "--journal"),
        ] {
            let suffixes: &[&str] = if option == "--journal" { &["jsonl"] } else { &["pcapng", "pcap"] };
            for suffix in suffixes {
                let file = disk.0.join(format!("none.{suffix}"));
                let ended = run(&net, &server, &format!("{command} {option} {}", text(&file)));
                let all = format!("{command} {option}: {}{}", ended.out, ended.complaints);
                assert_eq!(ended.code, Some(2), "{all}");
                assert!(ended.complaints.contains(reason), "{all}");
                assert!(ended.out.is_empty() && !file.exists(), "{all}");
            }
        }
        let left: Vec<_> = std::fs::read_dir(&disk.0).expect("a folder").collect();
        assert_eq!(left.len(), 1, "no half-made files: {left:?}");
        disk.may_not_be_written_to();
    }
    let output = keepscope(&["analyze", text(&full)]);
    assert_eq!(output.status.code(), Some(2));
}
