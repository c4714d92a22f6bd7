//! What a simulated fleet costs: events a second on one core, and memory for a connection that is idle.
//!
//! An event is a timer that fires or a segment that is delivered. `cargo bench --bench simulate` runs fleets of
//! growing size for as many events each, so that the numbers show what size costs; then it measures the memory of a
//! fleet of 300 000 connections by what the allocator handed out. Time is that on the processor, so that others on
//! the machine change little.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use keepscope::simulate::fleet::{Fleet, FleetSpec, GroupSpec};
use keepscope::stack::Stack;
use keepscope::time::Span;
use rustix::time::{ClockId, clock_gettime};

/// The system's allocator, which counts.
struct Counting;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything over to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Linux, Windows and macOS as servers meet them, probing every minute; one in ten writes now and then.
fn fleet(connections: u32, data: bool) -> Fleet {
    let group = |stack: &str, weight: f64| {
        let mut group = GroupSpec::new(Stack::named(stack).expect("a stack"));
        group.peer = Stack::named("linux").expect("a stack");
        group.weight = weight;
        group.idle = Some(Span::from_secs(60));
        group.interval = Some(Span::from_secs(15));
        group.hosts = 1_000;
        group.data_share = if data { 0.1 } else { 0.0 };
        group
    };
    let mut spec = FleetSpec::new(
        connections,
        vec![group("linux", 0.6), group("windows-10-1709", 0.3), group("macos", 0.1)],
    );
    spec.deaths = if data { 0.01 } else { 0.0 };
    Fleet::new(&spec).expect("a fleet")
}

/// Runs until so many events have been.
fn run(fleet: &mut Fleet, events: u64) -> u64 {
    let before = fleet.report().events;
    let mut after = before;
    while after - before < events {
        fleet.run_for(Span::from_secs(10), None);
        after = fleet.report().events;
    }
    after - before
}

/// Time that this thread has had the processor.
fn on_processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).expect("less than a second"))
}

fn main() {
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let (sizes, events): (&[u32], u64) =
        if measuring { (&[1_000, 30_000, 300_000], 1_000_000) } else { (&[1_000], 1_000) };
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("simulate");
    group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(5));
    for &connections in sizes {
        let mut fleet = fleet(connections, true);
        // Opened, and every timer once round.
        fleet.run_for(Span::from_secs(180), None);
        group.throughput(Throughput::Elements(events));
        group.bench_function(BenchmarkId::new("fleet", connections), |bencher| {
            bencher.iter_custom(|rounds| {
                // As many as were asked for, to the event.
                let start = on_processor();
                let done = black_box(run(&mut fleet, rounds * events));
                let share = (rounds * events) as f64 / done as f64;
                (on_processor() - start).mul_f64(share)
            });
        });
    }
    group.finish();
    criterion.final_summary();
    if measuring {
        memory(300_000);
    }
}

/// What the allocator handed out for a fleet whose connections are all open and idle.
fn memory(connections: u32) {
    let before = TAKEN.load(Ordering::Relaxed);
    let mut fleet = fleet(connections, false);
    fleet.run_for(Span::from_secs(600), None);
    let taken = TAKEN.load(Ordering::Relaxed) - before;
    assert_eq!(fleet.report().open, connections);
    let each = taken as f64 / f64::from(connections);
    println!("\n{connections} idle connections: {each:.0} octets each");
}
