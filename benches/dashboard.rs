//! What the screen costs: a frame with 100,000 connections, a step back in time, and replay at fit speed against
//! the analysis of the same capture.
//!
//! `cargo bench --bench dashboard` measures each and then compares the last two in turn.

mod traffic;

use std::hint::black_box;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};
use keepscope::analysis::Collector;
use keepscope::capture::Captures;
use keepscope::dashboard::message::{Key, Message};
use keepscope::dashboard::model::Model;
use keepscope::dashboard::replay::{Speed, reader};
use keepscope::dashboard::theme::{Palette, Theme};
use keepscope::dashboard::update::{open, settle, update};
use keepscope::dashboard::view;
use keepscope::pipeline::Pipeline;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Rounds of the comparison.
const ROUNDS: usize = 7;

/// Least time between two frames, as in the program.
const FRAME: Duration = Duration::from_millis(50);

type Capture = Arc<[u8]>;

fn generated(packets: u64, connections: u32) -> Capture {
    let plan = traffic::Plan { packets, connections, concurrent: 256, payload: 90, pace: traffic::PACE };
    let mut octets = Vec::new();
    traffic::write(&plan, &mut octets).expect("memory takes everything");
    Capture::from(octets)
}

fn captures(capture: &Capture) -> Captures {
    Captures::from_reader("generated", Cursor::new(Arc::clone(capture)))
}

fn buffer() -> Buffer {
    Buffer::empty(Rect { x: 0, y: 0, width: 200, height: 60 })
}

/// Reads a capture as the program does: on a thread of its own, with a frame now and then.
#[expect(clippy::disallowed_methods, reason = "frames come by the clock")]
fn replay(capture: &Capture) -> Model {
    let theme = Theme { palette: Palette::Dark, truecolor: true, ascii: false };
    let mut model = Model::new((200, 60), theme, Speed::Fit);
    open(&mut model, vec!["generated.pcap".into()]);
    let (mut buffer, mut drawn) = (buffer(), Instant::now());
    let (sender, receiver) = sync_channel(8);
    let captures = captures(capture);
    std::thread::spawn(move || reader::run(captures, 0, &|| false, |batch| sender.send(batch).is_ok()));
    for batch in receiver {
        update(&mut model, Message::Batch(1, Box::new(batch)));
        if drawn.elapsed() >= FRAME {
            settle(&mut model);
            view::draw(&model, &mut buffer);
            drawn = Instant::now();
        }
    }
    settle(&mut model);
    view::draw(&model, &mut buffer);
    black_box(&buffer);
    model
}

fn analyze(capture: &Capture) {
    let (mut captures, mut pipeline) = (captures(capture), Pipeline::new(0));
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
    black_box(kept);
}

fn press(model: &mut Model, key: Key) {
    update(model, Message::Key(key));
    settle(model);
}

fn main() {
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let packets: u64 = if measuring { 1_000_000 } else { 10_000 };
    let many = generated(packets, packets as u32 / 10);
    let mut model = replay(&many);
    press(&mut model, Key::Char('a'));
    let session = model.session.as_ref().expect("a session");
    assert!(
        session.table.order.len() as u64 * 100 > packets * 9,
        "{} connections",
        session.table.order.len()
    );

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("dashboard");
    group.sampling_mode(SamplingMode::Flat).sample_size(15).measurement_time(Duration::from_secs(4));
    let mut shown = buffer();
    group.bench_function("frame, 100000 connections", |bencher| {
        bencher.iter(|| view::draw(&model, &mut shown));
    });
    group.bench_function("next connection and frame", |bencher| {
        bencher.iter(|| {
            press(&mut model, Key::Char('j'));
            view::draw(&model, &mut shown);
        });
    });
    group.bench_function("one second back and frame", |bencher| {
        bencher.iter(|| {
            press(&mut model, Key::End);
            press(&mut model, Key::Left);
            view::draw(&model, &mut shown);
        });
    });
    group.finish();
    criterion.final_summary();
    if measuring {
        compare(&generated(packets, packets as u32 / 25), packets);
    }
}

/// Runs both in turn and prints the median time of each, and of their ratio in the same round.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn compare(capture: &Capture, packets: u64) {
    let timed = |work: &dyn Fn(&Capture)| {
        let start = Instant::now();
        work(capture);
        start.elapsed().as_secs_f64()
    };
    let rounds: Vec<(f64, f64)> =
        (0..ROUNDS).map(|_| (timed(&analyze), timed(&|capture| drop(black_box(replay(capture)))))).collect();
    let nanos = |seconds: f64| seconds * 1e9 / packets as f64;
    println!("\n{packets} packets, median of {ROUNDS} rounds:");
    println!(
        "analyze         {:6.1} ns per packet",
        nanos(median(rounds.iter().map(|round| round.0).collect()))
    );
    println!(
        "replay at fit   {:6.1} ns per packet",
        nanos(median(rounds.iter().map(|round| round.1).collect()))
    );
    println!("ratio           {:6.2}", median(rounds.iter().map(|round| round.1 / round.0).collect()));
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
