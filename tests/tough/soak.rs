//! Many connections for a long time, with loss: memory and descriptors stay as they are, and the books balance.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use keepscope::capture::Captures;
use serde_json::Value;

use crate::common::packets::{FIN, SYN};
use crate::common::{has, scratch};
use crate::net::{Net, SERVER};
use crate::program::Program;
use crate::server::{number, serve};
use crate::witness::Witness;

/// Connections.
const CONNECTIONS: usize = 64;

/// Octets that a probe may cost in memory: all are in the result. Twice what one takes that is kept, for what an
/// allocator adds to many small pieces.
const OCTETS_A_PROBE: u64 = 2 * 48;

/// What memory may otherwise vary by, in octets: the allocator's.
const SLACK: u64 = 2 << 20;

/// What was seen of a process at some moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Memory in use, in octets.
    resident: u64,
    /// Open descriptors.
    descriptors: usize,
}

impl Sample {
    /// Of a process; none when it has ended.
    fn of(process: u32) -> Option<Sample> {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?.count();
        Some(Sample { resident: kib * 1024, descriptors })
    }
}

/// Probes of one connection: how many left, and how many of those were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Books {
    sent: u64,
    answered: u64,
}

#[test]
fn a_long_run_with_loss_stays_small_and_its_books_balance() {
    if !has("nft") {
        return;
    }
    let Some(net) = Net::new() else { return };
    let folder = scratch("tough-soak");
    let server = serve(&net, SERVER[0]).to_string();
    // Behind the witness, which stands at the client: what it sees leave may be lost, what comes has come.
    // A SYN,ACK that its own host drops is an error to the kernel, which then forgets the connection: not those.
    net.nft("add table inet loss");
    for (hook, which) in [("input", "meta l4proto tcp"), ("output", "tcp flags & syn == 0")] {
        net.nft(&format!("add chain inet loss {hook} {{ type filter hook {hook} priority 0 ; }}"));
        net.nft(&format!("add rule inet loss {hook} {which} numgen random mod 100 < 5 drop"));
    }
    let witness = folder.join("witness.pcap");
    let tcpdump = Witness::on(&net, &witness, 128);
    let seconds = number("KEEPSCOPE_SOAK", 0) * 60;
    let seconds = if seconds == 0 { 20 } else { seconds };
    let time = format!("{seconds}s");
    let program = Program::keepscope(&[
        "probe",
        "--netns",
        &net.client,
        "--octets",
        "1",
        "--idle",
        "1s",
        "--interval",
        "1s",
        "--count",
        "60",
        "--connections",
        &CONNECTIONS.to_string(),
        "--connect-timeout",
        "60s",
        "--for",
        &time,
        "--format",
        "json",
        &server,
    ]);
    let (samples, ended) = sampled(program);
    let document = ended.document();
    let verdicts = document["probe"]["verdicts"].as_array().expect("verdicts");
    let dead: Vec<_> = verdicts.iter().filter(|verdict| verdict["verdict"] != "alive").collect();
    assert!(dead.is_empty() && ended.code == Some(0), "{:?} {dead:#?}", ended.code);
    assert_eq!(ended.complaints, "");
    assert_eq!(document["probe"]["received"]["dropped"], 0);
    let ours = books_of(&document);
    assert_eq!(ours.len(), CONNECTIONS);
    let total = total(&ours);
    tcpdump.end_when(|| {
        let seen = self::total(&books_on_the_wire(&witness));
        seen.sent >= total.sent && seen.answered >= total.answered
    });
    let theirs = books_on_the_wire(&witness);
    let differs = |(port, one): (&u16, &Books)| {
        let other = theirs.get(port).copied().unwrap_or_default();
        (*one != other).then(|| format!("port {port}: {one:?} reported, {other:?} on the wire"))
    };
    assert_eq!(ours.iter().filter_map(differs).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(theirs.len(), CONNECTIONS);
    eprintln!(
        "{seconds} s, {CONNECTIONS} connections: {} probes sent, {} answered, {} lost",
        total.sent,
        total.answered,
        total.sent - total.answered
    );
    assert!(total.answered < total.sent && total.sent > u64::from(seconds) * 10, "{total:?}");
    stays_small(&samples, total.sent);
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

/// Waits for the end of a program, and looks at it twice a second until then.
fn sampled(program: Program) -> (Vec<Sample>, crate::program::Ended) {
    let process = program.id();
    let (done, over) = std::sync::mpsc::channel::<()>();
    let looking = std::thread::spawn(move || {
        let mut samples = Vec::new();
        while over.recv_timeout(Duration::from_millis(500)).is_err() {
            samples.extend(Sample::of(process));
        }
        samples
    });
    let ended = program.end();
    done.send(()).expect("somebody who looks");
    (looking.join().expect("samples"), ended)
}

/// Neither memory nor descriptors grow between the time at which all connections are open and the end.
fn stays_small(samples: &[Sample], probes: u64) {
    // All connections are open after a fifth of the time, and none is closed before the last one.
    let steady = &samples[samples.len() / 4..samples.len() * 4 / 5];
    let (first, last) = (steady[0], steady[steady.len() - 1]);
    let most = steady.iter().map(|sample| sample.resident).max().expect("samples");
    eprintln!(
        "{} KiB resident at first, {} KiB at most, {} KiB at last; {} descriptors",
        first.resident >> 10,
        most >> 10,
        last.resident >> 10,
        last.descriptors
    );
    assert!(steady.iter().all(|sample| sample.descriptors == first.descriptors), "{steady:?}");
    let allowed = first.resident + probes * OCTETS_A_PROBE + SLACK;
    assert!(most <= allowed, "{most} octets resident, {allowed} expected at most: {steady:?}");
}

fn total(books: &BTreeMap<u16, Books>) -> Books {
    let sum = |of: fn(&Books) -> u64| books.values().map(of).sum();
    Books { sent: sum(|one| one.sent), answered: sum(|one| one.answered) }
}

/// What is reported, by our port.
fn books_of(document: &Value) -> BTreeMap<u16, Books> {
    let connections = document["connections"].as_array().expect("connections");
    let books = connections.iter().map(|connection| {
        let client = connection["client"].as_str().expect("an end");
        let port = client.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let prober = &connection["probers"][0];
        let counted = |name: &str| prober[name].as_u64().expect("a number");
        let probes = prober["probes"].as_array().expect("probes");
        let without = probes.iter().filter(|probe| probe["answer"].is_null()).count() as u64;
        let books = Books { sent: counted("sent"), answered: counted("answered") };
        assert_eq!((books.sent, probes.len() as u64), (books.answered + without, books.sent), "{client}");
        (port, books)
    });
    books.collect()
}

/// What was on the wire, by the client's port, counted without any of our rules: a probe is what has one octet, and it
/// is answered where anything comes before the next one. A SYN,ACK answers no probe: where our ACK of
/// it was lost it is sent again after 1 s, so among the first probes.
fn books_on_the_wire(file: &Path) -> BTreeMap<u16, Books> {
    let mut books: BTreeMap<u16, Books> = BTreeMap::new();
    let mut waiting: BTreeMap<u16, bool> = BTreeMap::new();
    let mut captures = Captures::open(&[file]).expect("a capture");
    while let Some(frame) = captures.next_frame() {
        // Ethernet, and IPv4 without options.
        let word = |at: usize| u16::from_be_bytes([frame.data[at], frame.data[at + 1]]);
        let leaves = frame.data[26..30] == [192, 0, 2, 1];
        let port = word(if leaves { 34 } else { 36 });
        let octets = word(16) - 20 - u16::from(frame.data[46] >> 4) * 4;
        let entry = books.entry(port).or_default();
        let waits = waiting.entry(port).or_default();
        if leaves && frame.data[47] & FIN != 0 {
            // Behind our FIN everything may be an answer to that.
            *waits = false;
        } else if leaves && octets == 1 {
            entry.sent += 1;
            *waits = true;
        } else if !leaves && frame.data[47] & SYN == 0 && std::mem::take(waits) {
            entry.answered += 1;
        }
    }
    books
}
