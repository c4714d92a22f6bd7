//! `kill -9` while packets are recorded, at random moments: everything that was seen up to then is in the file.
//!
//! Three witnesses. What the program said on standard output names its frames: those are in the file. tcpdump beside it
//! saw the same packets: the file has all of them from its first to its last. capinfos and tshark read the file to the
//! same packet as we do, and only the last one may be torn.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use keepscope::capture::Captures;

use crate::common::{has, keepscope, scratch, text};
use crate::net::{Net, SERVER};
use crate::program::Program;
use crate::server::{number, serve};
use crate::witness::Witness;

/// Programs that run at once; each sees the packets of all.
const AT_ONCE: u32 = 6;

/// A program lives this long at most: some are killed before they have begun to record, most are not.
const LIVES_MS: u64 = 1500;

/// What is killed: options, and the suffix of its recording.
const KILLED: [(&str, &str); 5] = [
    ("probe --octets 1 --idle 20ms --interval 20ms --rounds 100000 --format jsonl", "pcapng"),
    ("watch --interface c0 --format jsonl", "pcap"),
    ("probe --octets 1 --idle 15ms --interval 15ms --rounds 100000 --format jsonl", "pcap"),
    ("watch --interface c0 --format jsonl", "pcapng"),
    ("middlebox --no-partner --own-target --min 3s --max 60s --connections 40 --format jsonl", "pcapng"),
];

/// A program that was killed.
struct Killed {
    file: PathBuf,
    /// Milliseconds after its start.
    after: u64,
    /// The highest number of a frame in what it said.
    said: u64,
}

#[test]
fn a_kill_at_any_moment_loses_at_most_the_last_packet() {
    if !has("capinfos") || !has("tshark") {
        return;
    }
    let Some(net) = Net::new() else { return };
    let folder = scratch("tough-killed");
    let server = serve(&net, SERVER[0]).to_string();
    let witness = folder.join("witness.pcap");
    // All that comes.
    let tcpdump = Witness::on(&net, &witness, 0);
    let kills = number("KEEPSCOPE_KILLS", 100);
    let next = AtomicU32::new(0);
    let killed = std::thread::scope(|scope| {
        let work = || {
            let mut killed = Vec::new();
            loop {
                let kill = next.fetch_add(1, Ordering::Relaxed);
                if kill >= kills {
                    return killed;
                }
                killed.push(record_until_killed(&net, &server, &folder, kill));
            }
        };
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("programs to kill")).collect::<Vec<_>>()
    });
    let last: Vec<Vec<u8>> = killed.iter().filter_map(|one| packets(&one.file).pop()).collect();
    tcpdump.end_when(|| {
        let seen: HashSet<Vec<u8>> = packets(&witness).into_iter().collect();
        last.iter().all(|packet| seen.contains(packet))
    });
    let seen = by_connection(&packets(&witness));
    let mut counts: Vec<u64> = killed.iter().map(|one| whole_to_the_last(one, &seen)).collect();
    counts.sort_unstable();
    let with_packets = counts.iter().filter(|count| **count > 0).count();
    eprintln!("{kills} kills: recordings of {counts:?} packets");
    assert!(with_packets * 2 > killed.len(), "most were killed before they recorded: {counts:?}");
    counts.dedup();
    assert!(counts.len() * 3 > killed.len(), "they were not killed at random moments: {counts:?}");
    // tshark takes its time: a part of them.
    for one in killed.iter().filter(|one| one.file.exists()).step_by(10) {
        tshark_agrees(&one.file);
    }
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

/// Runs a program that records, and kills it at some moment.
#[expect(
    clippy::disallowed_methods,
    reason = "the moment is to have nothing to do with what the program does"
)]
fn record_until_killed(net: &Net, server: &str, folder: &Path, kill: u32) -> Killed {
    let (options, suffix) = KILLED[kill as usize % KILLED.len()];
    let file = folder.join(format!("{kill}.{suffix}"));
    let mut arguments: Vec<&str> = options.split(' ').collect();
    arguments.extend(["--netns", &net.client, "--write", text(&file)]);
    if !options.starts_with("watch") {
        arguments.push(server);
    }
    let after = RandomState::new().hash_one(kill) % LIVES_MS;
    let program = Program::keepscope(&arguments);
    std::thread::sleep(Duration::from_millis(after));
    program.signal("KILL");
    let ended = program.end();
    assert_eq!(ended.code, None, "{arguments:?} ended by itself: {}{}", ended.out, ended.complaints);
    Killed { file, after, said: highest_frame(&ended.out) }
}

/// The highest number of a frame in lines of JSON, of which the last may be torn.
fn highest_frame(lines: &str) -> u64 {
    let number = |after: &str| {
        let digits = after.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(0);
        after[..digits].parse::<u64>().ok()
    };
    lines.split("\"frame\":").skip(1).filter_map(number).max().unwrap_or(0)
}

/// Holds a recording against what its program said and what the witness saw; returns how many packets are in it.
fn whole_to_the_last(killed: &Killed, seen: &BTreeMap<u16, Vec<Vec<u8>>>) -> u64 {
    let Killed { file, after, said } = killed;
    let name = format!("{}, killed after {after} ms", file.display());
    if !file.exists() {
        assert_eq!(*said, 0, "{name}: what was said is in no file");
        return 0;
    }
    let ours = packets(file);
    let count = ours.len() as u64;
    assert!(count >= *said, "{name}: packet {said} was spoken of, {count} are in the file");
    for (port, recorded) in by_connection(&ours) {
        let all = &seen[&port];
        let whole = all.windows(recorded.len()).any(|window| window == recorded);
        assert!(whole, "{name}: the witness saw other packets of the connection from port {port}");
    }
    let output = keepscope(&["analyze", "--format", "json", "--all", text(file)]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
    let capture = &document["captures"][0];
    assert_eq!(capture["packets"], count, "{name}");
    let problems = capture["problems"].as_array().expect("problems");
    let damage: Vec<_> = problems.iter().filter(|problem| problem["damage"] == true).collect();
    assert!(damage.iter().all(|problem| problem["kind"] == "cut_off"), "{name}: {damage:?}");
    assert_eq!(output.status.code(), Some(if damage.is_empty() { 0 } else { 2 }), "{name}");
    // It says so on standard error where the last packet is torn, and goes on.
    let said =
        Command::new("capinfos").args(["-c", "-T", "-r", "-m", text(file)]).output().expect("capinfos");
    let line = String::from_utf8_lossy(&said.stdout).into_owned();
    let wanted = format!(",{count}");
    assert!(line.trim_end().ends_with(&wanted), "{name}: {count} packets, but capinfos says {line}");
    count
}

fn tshark_agrees(file: &Path) {
    let output = Command::new("tshark").args(["-n", "-r", text(file)]).output().expect("tshark");
    let lines = output.stdout.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()).count();
    assert_eq!(lines, packets(file).len(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
}

/// All packets of a capture; none where there is no file.
fn packets(file: &Path) -> Vec<Vec<u8>> {
    if !file.exists() {
        return Vec::new();
    }
    let mut captures = Captures::open(&[file]).expect("a capture");
    let mut packets = Vec::new();
    while let Some(frame) = captures.next_frame() {
        packets.push(frame.data.to_vec());
    }
    packets
}

/// The packets of each of the client's ports, in their order. Packets of different connections may pass two packet
/// sockets in different order, where they come on different processors; those of one do not.
fn by_connection(packets: &[Vec<u8>]) -> BTreeMap<u16, Vec<Vec<u8>>> {
    let mut connections: BTreeMap<u16, Vec<Vec<u8>>> = BTreeMap::new();
    for packet in packets {
        // Ethernet, and IPv4 without options.
        let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
        let own = if packet[26..30] == [192, 0, 2, 1] { port(34) } else { port(36) };
        connections.entry(own).or_default().push(packet.clone());
    }
    connections
}
