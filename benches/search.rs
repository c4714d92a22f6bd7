//! What the idle-timeout search costs: planning (a search that was just begun), and a whole search of 64 connections
//! over a path that answers at once and forgets after a known silence. `cargo bench --bench search`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use keepscope::search::{Command, Id, Input, Search, Sign, Verdict, Wanted, Way};
use keepscope::time::{Span, Timestamp};

const START: Timestamp = Timestamp::from_nanos(0);

fn wanted(connections: u16) -> Wanted {
    Wanted { connections, ..Wanted::new(Way::In, true) }
}

/// Runs a search to its end; how long it would have taken.
fn run(connections: u16, timeout: Span) -> Span {
    let mut search = Search::new(wanted(connections), START).expect("a question");
    let mut since: BTreeMap<Id, Timestamp> = BTreeMap::new();
    let mut opening: BinaryHeap<Reverse<(Timestamp, Id)>> = BinaryHeap::new();
    let mut now = START;
    while !search.is_done() {
        while let Some(command) = search.poll_command() {
            match command {
                Command::Open(id) | Command::Arm(id) => opening.push(Reverse((now, id))),
                Command::Probe { id, attempt, .. } => {
                    let idle = now.since(since.get(&id).copied().unwrap_or(now));
                    search.on(now, id, Input::Sent { attempt, at: now, idle });
                    if idle < timeout {
                        since.insert(id, now);
                        search.on(now, id, Input::Answered { attempt, at: now, sign: Sign::default() });
                    }
                }
                Command::Close(id) => drop(since.remove(&id)),
            }
        }
        while search.poll_news().is_some() {}
        if let Some(Reverse((at, id))) = opening.pop() {
            since.insert(id, at);
            search.on(now, id, Input::Opened { since: at });
        } else if let Some(due) = search.next_timeout() {
            now = now.max(due);
            search.on_timeout(now);
        }
    }
    assert_eq!(search.finding().verdict, Verdict::Found);
    now.since(START)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("search");
    for connections in [8, 64, 1024] {
        group.bench_function(BenchmarkId::new("plan", connections), |bencher| {
            bencher.iter(|| black_box(Search::new(wanted(connections), START)).is_ok());
        });
    }
    for seconds in [30, 350, 7200] {
        group.bench_function(BenchmarkId::new("whole", seconds), |bencher| {
            bencher.iter(|| black_box(run(64, Span::from_secs(seconds))));
        });
    }
    group.finish();
    criterion.final_summary();
}
