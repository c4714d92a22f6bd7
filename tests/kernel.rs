//! The keepalive machine against real stacks: the kernel of this machine, smoltcp and lwIP.
//!
//! The lab holds planned connections in network namespaces and notes what it did when. Here the same journal
//! and the same arriving packets go through the machine, whose own segments must be those of the kernel. The
//! phase of the timer wheel is read from the kernel, never fitted.

mod common;
#[path = "kernel/journal.rs"]
mod journal;
#[path = "kernel/plan.rs"]
mod plan;
#[path = "kernel/random.rs"]
mod random;
#[path = "kernel/replay.rs"]
mod replay;
#[path = "kernel/scenarios.rs"]
mod scenarios;
#[path = "kernel/stacks.rs"]
mod stacks;
#[path = "kernel/wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{has, scratch, skip, text};
use journal::Journal;
use plan::Plan;

/// The lab's exit status where the machine lacks something.
const LACKS_SOMETHING: i32 = 77;

/// How often a plan is run before it counts as wrong.
const ATTEMPTS: u32 = 3;

/// Chooses other random plans than the usual ones.
const SEED: &str = "KEEPSCOPE_SEED";

#[test]
fn the_machine_does_what_the_kernel_does() {
    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut plans: Vec<Plan> = scenarios::all().into_iter().chain(random::plans(seed, 40)).collect();
    // A machine that was not run for a moment sends late. Where the rules are wrong, they are wrong each time.
    for attempt in 1.. {
        let folder = scratch("kernel");
        if !drive(&plans, &folder) {
            return;
        }
        let wrong = compare(&plans, &folder);
        if wrong.is_empty() {
            std::fs::remove_dir_all(&folder).expect("the folder can be removed");
            return;
        }
        // Kept where something is wrong, so that it can be looked at.
        let (count, all) = (wrong.len(), wrong.values().cloned().collect::<Vec<_>>().join("\n"));
        let message = format!("seed {seed}, {count} wrong, in {}:\n{all}", folder.display());
        assert!(attempt < ATTEMPTS, "{message}");
        eprintln!("once more, since {message}");
        plans.retain(|plan| wrong.contains_key(plan.name()));
    }
}

/// What the kernel did otherwise, by the name of the plan.
fn compare(plans: &[Plan], folder: &Path) -> BTreeMap<String, String> {
    let journal = Journal::read(&folder.join("journal.json"));
    let wheel = journal.wheel();
    let client = wire::read(&folder.join("client.pcap"));
    let server = wire::read(&folder.join("server.pcap"));
    let (mut wrong, mut largest, mut segments) = (BTreeMap::new(), 0, 0);
    for plan in plans {
        for end in plan.ends() {
            let packets = if *end == plan::End::Client { &client } else { &server };
            match replay::check(plan, *end, &journal, wheel, packets) {
                Ok(result) => {
                    eprintln!("{} ({end:?}): {result}", plan.name());
                    largest = largest.max(result.largest);
                    segments += result.segments;
                }
                Err(complaint) => {
                    wrong.insert(plan.name().to_owned(), format!("{} ({end:?}): {complaint}", plan.name()));
                }
            }
        }
    }
    let largest = largest as f64 / 1e6;
    eprintln!("{segments} segments of {} connections, at most {largest:.3} ms apart", plans.len());
    wrong
}

/// Runs the plans; false if this machine lacks something.
fn drive(plans: &[Plan], folder: &Path) -> bool {
    if !has("python3") {
        return false;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/drive");
    let child = Command::new(&program)
        .arg(text(folder))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            skip(&format!("{}: {error}", program.display()));
            return false;
        }
    };
    let document = serde_json::to_vec(plans).expect("plans as JSON");
    child.stdin.take().expect("a pipe").write_all(&document).expect("the lab reads its plan");
    let output = child.wait_with_output().expect("the lab ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(LACKS_SOMETHING) {
        skip(complaint.trim().trim_start_matches("SKIPPED: "));
        return false;
    }
    assert!(output.status.success(), "the lab failed: {complaint}");
    true
}
