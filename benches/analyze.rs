//! What an analysis costs, step by step, over one generated capture in memory: reading alone, reading and
//! decoding, all of the pipeline, and the pipeline with its results gathered.
//!
//! `cargo bench --bench analyze` measures each and then compares them in turn, so that a machine whose speed
//! drifts still gives the ratio.

mod traffic;

use std::hint::black_box;
use std::io::Cursor;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use keepscope::analysis::Collector;
use keepscope::capture::Captures;
use keepscope::pipeline::Pipeline;
use keepscope::segment::decode::decode;

/// Rounds of the comparison; in each, every step runs once.
const ROUNDS: usize = 15;

type Capture = Arc<[u8]>;
type Step = (&'static str, fn(&Capture));

const STEPS: [Step; 4] = [
    ("bare walk", walk),
    ("walk and decode", walk_and_decode),
    ("walk, decode and track", pipeline),
    ("analyze", analyze),
];

fn open(capture: &Capture) -> Captures {
    Captures::from_reader("generated", Cursor::new(Arc::clone(capture)))
}

fn walk(capture: &Capture) {
    let mut captures = open(capture);
    while let Some(frame) = captures.next_frame() {
        black_box(&frame);
    }
}

fn walk_and_decode(capture: &Capture) {
    let mut captures = open(capture);
    while let Some(frame) = captures.next_frame() {
        black_box(decode(&frame));
    }
}

fn pipeline(capture: &Capture) {
    let (mut captures, mut pipeline) = (open(capture), Pipeline::new(0));
    while let Some(frame) = captures.next_frame() {
        black_box(pipeline.frame(&frame));
        while let Some(event) = pipeline.poll_event() {
            black_box(event);
        }
    }
    pipeline.finish();
    while let Some(event) = pipeline.poll_event() {
        black_box(event);
    }
}

fn analyze(capture: &Capture) {
    let (mut captures, mut pipeline) = (open(capture), Pipeline::new(0));
    let (mut collector, mut kept) = (Collector::default(), Vec::new());
    let mut take = |pipeline: &mut Pipeline| {
        while let Some(event) = pipeline.poll_event() {
            kept.extend(collector.on_event(&event).filter(|record| record.has_keepalives()));
        }
    };
    while let Some(frame) = captures.next_frame() {
        pipeline.frame(&frame);
        take(&mut pipeline);
    }
    pipeline.finish();
    take(&mut pipeline);
    assert!(!kept.is_empty(), "the generated capture has keepalives");
    black_box(kept);
}

fn main() {
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let packets = if measuring { 500_000 } else { 5_000 };
    let plan = traffic::Plan { packets, connections: packets as u32 / 25, concurrent: 256, payload: 90 };
    let mut octets = Vec::new();
    traffic::write(&plan, &mut octets).expect("memory takes everything");
    let capture = Capture::from(octets);

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("analyze");
    group.sampling_mode(SamplingMode::Flat).sample_size(15).measurement_time(Duration::from_secs(4));
    group.throughput(Throughput::Elements(packets));
    for (name, step) in STEPS {
        group.bench_function(name, |bencher| bencher.iter(|| step(&capture)));
    }
    group.finish();
    criterion.final_summary();
    if measuring {
        compare(&capture, packets);
    }
}

/// Runs the steps in turn and prints the median time of each, and its median ratio to the bare walk of the
/// same round.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn compare(capture: &Capture, packets: u64) {
    let mut times = vec![Vec::with_capacity(ROUNDS); STEPS.len()];
    for _ in 0..ROUNDS {
        for ((_, step), times) in STEPS.iter().zip(&mut times) {
            let start = Instant::now();
            step(capture);
            times.push(start.elapsed().as_secs_f64());
        }
    }
    println!("\n{packets} packets, median of {ROUNDS} rounds:");
    for ((name, _), own) in STEPS.iter().zip(&times) {
        let ratios = own.iter().zip(&times[0]).map(|(time, walk)| time / walk).collect();
        let nanos = median(own.clone()) * 1e9 / packets as f64;
        println!("{name:22} {nanos:6.1} ns per packet; {name} / bare walk = {:.2}", median(ratios));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
