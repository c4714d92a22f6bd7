//! keepscope against other programs on the same file, and how soon it starts:
//!
//! ```text
//! cargo bench --bench others -- FILE [PACKETS]
//! ```
//!
//! FILE is read by nobody first (the bare walk: what the fastest analysis would take), by `keepscope analyze` on one
//! thread and on two, by tshark with its keepalive filter and by tcptrace. tshark takes hundreds of times as long, so
//! with PACKETS it and tcptrace get no more than the first so many (cut off by editcap), and their times are for as
//! many packets as all others read.

use std::fs;
use std::hint::black_box;
use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

use keepscope::capture::Captures;

/// Rounds of the comparison; of each step the quickest counts, as all that disturbs makes slower.
const ROUNDS: usize = 5;
/// Runs of a program that hardly does anything.
const STARTS: usize = 50;

const KEEPSCOPE: &str = env!("CARGO_BIN_EXE_keepscope");

fn main() -> io::Result<()> {
    // Cargo adds options of its own.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    start_up()?;
    let Some(file) = arguments.first() else {
        eprintln!("cargo bench --bench others -- FILE [PACKETS]");
        return Ok(());
    };
    let packets = walk(file)?;
    let least = |run: &dyn Fn() -> io::Result<()>| -> io::Result<f64> {
        (0..ROUNDS).map(|_| seconds(run)).try_fold(f64::INFINITY, |least, took| Ok(took?.min(least)))
    };
    let bare = least(&|| walk(file).map(|_| ()))?;
    let analyze = |threads: &'static str| {
        least(&|| quietly(KEEPSCOPE, &["analyze", "--quiet", "--threads", threads, file]))
    };
    let (one, two) = (analyze("1")?, analyze("2")?);
    println!("{packets} packets in {file}");
    let show = |name: &str, took: f64| {
        let nanos = took * 1e9 / packets as f64;
        println!(
            "{name:32} {took:8.2} s {nanos:8.1} ns per packet {:8.2} walks {:8.1} analyses",
            took / bare,
            took / two
        );
    };
    show("bare walk", bare);
    show("keepscope analyze --threads 1", one);
    show("keepscope analyze --threads 2", two);

    let most = arguments.get(1).and_then(|most| most.parse().ok()).unwrap_or(packets).min(packets);
    let first = format!("{file}.first");
    quietly("editcap", &["-F", "pcap", "-r", file, &first, &format!("1-{most}")])?;
    let scale = packets as f64 / most as f64;
    let others: [(&str, &[&str]); 2] =
        [("tshark", &["-r", &first, "-Y", "tcp.analysis.keep_alive"]), ("tcptrace", &["-n", &first])];
    for (name, arguments) in others {
        match seconds(&|| quietly(name, arguments)) {
            Ok(took) => show(name, took * scale),
            Err(error) => println!("{name}: {error}"),
        }
    }
    fs::remove_file(first)
}

/// How long it takes until keepscope has done next to nothing.
fn start_up() -> io::Result<()> {
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/answered.pcap");
    for arguments in [&["--version"][..], &["analyze", tiny]] {
        let mut times: Vec<f64> =
            (0..STARTS).map(|_| seconds(&|| quietly(KEEPSCOPE, arguments))).collect::<io::Result<_>>()?;
        times.sort_by(f64::total_cmp);
        println!("keepscope {:8} {:.1} ms, median of {STARTS} starts", arguments[0], times[STARTS / 2] * 1e3);
    }
    Ok(())
}

fn walk(file: &str) -> io::Result<u64> {
    let mut captures = Captures::open(&[file]).map_err(io::Error::other)?;
    let mut packets = 0;
    while let Some(frame) = captures.next_frame() {
        black_box(&frame);
        packets += 1;
    }
    Ok(packets)
}

fn quietly(program: &str, arguments: &[&str]) -> io::Result<()> {
    let status =
        Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{program} ended with {status}"))) }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn seconds(run: &dyn Fn() -> io::Result<()>) -> io::Result<f64> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed().as_secs_f64())
}
