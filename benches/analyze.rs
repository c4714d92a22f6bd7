//! What an analysis costs, step by step, over one generated capture in memory: reading alone, reading and
//! decoding, all of the pipeline, the pipeline with its results gathered, and the same on two threads.
//!
//! `cargo bench --bench analyze` measures each and then compares them in turn, so that a machine whose speed
//! drifts still gives the ratio. The last step reads the same packets with their times spread over a year: cost
//! follows packets, not time.

mod traffic;

use std::convert::Infallible;
use std::hint::black_box;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use keepscope::analysis::Collector;
use keepscope::capture::Captures;
use keepscope::pipeline::Pipeline;
use keepscope::reading::Reading;
use keepscope::segment::decode::decode;
use keepscope::track::event::Event;

/// Rounds of the comparison; in each, every step runs once.
const ROUNDS: usize = 15;

type Capture = Arc<[u8]>;
type Step = (&'static str, fn(&Spread));

const STEPS: [Step; 6] = [
    ("bare walk", |captures| walk(&captures.hour)),
    ("walk and decode", |captures| walk_and_decode(&captures.hour)),
    ("walk, decode and track", |captures| pipeline(&captures.hour)),
    ("analyze, one thread", |captures| analyze(&captures.hour, Reading::Alone)),
    ("analyze, two threads", |captures| analyze(&captures.hour, Reading::Beside)),
    ("analyze, a year", |captures| analyze(&captures.year, Reading::Alone)),
];

/// The same packets in little time and in much.
struct Spread {
    hour: Capture,
    year: Capture,
}

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
    read(Reading::Alone, &mut captures, &mut pipeline, |event| {
        black_box(event);
    });
}

fn read(reading: Reading, captures: &mut Captures, pipeline: &mut Pipeline, mut take: impl FnMut(Event)) {
    let read = reading.read(
        captures,
        pipeline,
        |_, _| ControlFlow::Continue(()),
        |event| {
            take(event);
            Ok::<_, Infallible>(())
        },
    );
    read.expect("nothing fails");
}

fn analyze(capture: &Capture, reading: Reading) {
    let (mut captures, mut pipeline) = (open(capture), Pipeline::new(0));
    let (mut collector, mut kept) = (Collector::default(), Vec::new());
    let take = |event| {
        kept.extend(collector.on_event(&event).filter(|record| record.has_keepalives()));
    };
    read(reading, &mut captures, &mut pipeline, take);
    assert!(!kept.is_empty(), "the generated capture has keepalives");
    black_box(kept);
}

fn main() {
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let packets = if measuring { 500_000 } else { 5_000 };
    let make = |pace| {
        let connections = packets as u32 / 25;
        let plan = traffic::Plan { packets, connections, concurrent: 256, payload: 90, pace };
        let mut octets = Vec::new();
        traffic::write(&plan, &mut octets).expect("memory takes everything");
        Capture::from(octets)
    };
    let year = 365 * 86_400 * 1_000_000_000 / packets;
    let capture = Spread { hour: make(traffic::PACE), year: make(year) };

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
fn compare(capture: &Spread, packets: u64) {
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
