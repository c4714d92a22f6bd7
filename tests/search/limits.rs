//! The bracket, the wall time and the packets, over the range of timeouts.

use std::fmt::Write;

use keepscope::search::{Verdict, Wanted, Way};
use keepscope::time::Span;

use super::path::{Path, Run, run};

fn secs(span: Span) -> f64 {
    span.as_nanos() as f64 / 1e9
}

/// Timeouts from 30 s to 7440 s, evenly on the scale of their logarithm.
fn timeouts(count: u32) -> impl Iterator<Item = Span> {
    (0..count).map(move |index| {
        let share = (f64::from(index) + 0.37) / f64::from(count);
        Span::from_nanos((30.0 * (7430.0_f64 / 30.0).powf(share) * 1e9) as i64)
    })
}

fn wanted(connections: u16) -> Wanted {
    Wanted { connections, ..Wanted::new(Way::In, true) }
}

/// So many times more of everything: `KEEPSCOPE_SEARCH_CAMPAIGN=20` looks at ten thousands of searches.
fn campaign() -> u32 {
    std::env::var("KEEPSCOPE_SEARCH_CAMPAIGN").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

fn limit(connections: u16, timeout: f64) -> f64 {
    timeout * if connections == 64 { 1.10 } else { 1.17 } + 15.0
}

fn covers(run: &Run, from: f64, to: f64) -> bool {
    let Some((low, high)) = run.finding.interval() else { return false };
    run.finding.verdict == Verdict::Found && secs(low) <= to && secs(high) >= from
}

/// Half of the packets of either direction leave by this host, so the sum of both ways counts here.
fn packets(run: &Run) -> u32 {
    run.packets.0.max(run.packets.1)
}

#[test]
fn without_loss_every_timeout_is_found_within_one_percent_and_the_wall_limit() {
    for connections in [64, 32] {
        let (mut wrong, mut worst, mut most) = (String::new(), 0.0_f64, 0);
        for timeout in timeouts(200 * campaign()) {
            let run = run(wanted(connections), &Path::new(timeout));
            let truth = secs(timeout);
            let wall = secs(run.wall);
            let interval = run.finding.interval().map(|(low, high)| (secs(low), secs(high)));
            let (low, high) = interval.unwrap_or((0.0, f64::INFINITY));
            worst = worst.max(wall / limit(connections, truth));
            most = most.max(packets(&run));
            let narrow = high - low <= (0.02 * truth).max(2.0) + 0.15;
            let good = covers(&run, truth, truth) && narrow && wall <= limit(connections, truth);
            if !good || packets(&run) >= 800 || run.most_open > usize::from(connections) + 2 {
                let _ = writeln!(
                    wrong,
                    "{connections}: {truth:.2}: ({low:.2}, {high:.2}] at {wall:.1} of {:.1}, {:?} packets, {:?} {:?}",
                    limit(connections, truth),
                    run.packets,
                    run.finding.verdict,
                    run.finding.caveats
                );
            }
        }
        println!("{connections} connections: at worst {worst:.3} of the wall limit, {most} packets");
        assert!(wrong.is_empty(), "{} wrong\n{wrong}", wrong.lines().count());
    }
}

/// At 5 % loss in each direction the bracket may be 3 s wider, the wall limit is one of 99 %, and the timeout lies
/// in the interval in 99.8 %.
#[test]
fn with_loss_the_timeout_is_in_the_interval_and_nearly_all_are_in_time() {
    for (connections, loss) in [(64, 0.05), (64, 0.01), (32, 0.05)] {
        let (mut late, mut outside, mut wide, mut heavy) = (0, Vec::new(), 0, 0);
        let count = 300 * campaign();
        for (timeout, seed) in timeouts(count).zip(1..) {
            let path = Path { loss, seed, ..Path::new(timeout) };
            let run = run(wanted(connections), &path);
            let truth = secs(timeout);
            let (low, high) =
                run.finding.interval().map_or((0.0, 0.0), |(low, high)| (secs(low), secs(high)));
            late += u32::from(secs(run.wall) > limit(connections, truth));
            wide += u32::from(high - low > (0.02 * truth).max(2.0) + 3.15);
            heavy += u32::from(packets(&run) >= 800);
            if !covers(&run, truth, truth) {
                outside.push(format!(
                    "{truth:.2} seed {seed}: ({low:.2}, {high:.2}] {:?} {:?}",
                    run.finding.verdict, run.finding.caveats
                ));
            }
        }
        println!(
            "{connections}, {loss}: of {count} {late} late, {wide} wide, {heavy} heavy, {} outside",
            outside.len()
        );
        assert!(f64::from(late) <= 0.01 * f64::from(count), "{late} late");
        assert!(outside.len() as f64 <= (0.002 * f64::from(count)).max(1.0), "{}", outside.join("\n"));
        assert!(wide <= count / 100 && heavy == 0);
    }
}

/// Where nothing is forgotten, it takes the longest silence and little more.
#[test]
fn a_negative_result_takes_hardly_longer_than_its_silence() {
    for connections in [64, 32, 16, 8, 4] {
        for loss in [0.0, 0.05] {
            let path = Path { timeout: |_, _| None, loss, seed: 7, ..Path::new(Span::ZERO) };
            let run = run(Wanted { budget: None, ..wanted(connections) }, &path);
            assert_eq!(run.finding.verdict, Verdict::NoneBelowMax, "{connections} {loss}");
            assert_eq!(run.finding.shortest_dead, None);
            assert!(run.finding.longest_alive >= Some(Span::from_secs(7440)));
            assert!(secs(run.wall) <= 1.02 * 7440.0 + 5.0, "{connections} {loss}: {}", secs(run.wall));
            assert!(packets(&run) < 800, "{:?}", run.packets);
        }
    }
}

/// A box that looks only every so often forgets at the first look after the timeout: the truth lies anywhere up to
/// that much later.
#[test]
fn a_box_that_sweeps_gives_a_range_that_holds_its_timeout() {
    let count = 40 * campaign();
    for every in [2_000, 10_000, 30_000] {
        let every = Span::from_millis(every);
        for (timeout, index) in timeouts(count).zip(0_i64..) {
            let phase = Span::from_nanos(every.as_nanos() * (index % 13) / 13);
            let run = run(wanted(64), &Path { sweep: Some((every, phase)), ..Path::new(timeout) });
            let truth = secs(timeout);
            let told =
                format!("{truth} +{}: {:?} {:?}", secs(every), run.finding.interval(), run.finding.caveats);
            assert!(covers(&run, truth, truth + secs(every)), "{told}");
            let (alive, dead) = (run.finding.longest_alive, run.finding.shortest_dead);
            assert!(alive <= dead || run.finding.is_range(), "{told}");
            assert!(
                secs(run.wall) <= 1.1 * (truth + secs(every)) + 2.0 * secs(every) + 20.0,
                "{told} at {}",
                secs(run.wall)
            );
        }
    }
}

/// Few connections need longer, but not for ever, and what they say is as true.
#[test]
fn few_connections_find_it_later_but_find_it() {
    for connections in 1..=16 {
        for timeout in timeouts(8) {
            let wanted = Wanted { budget: None, ..wanted(connections) };
            let run = run(wanted, &Path::new(timeout));
            let truth = secs(timeout);
            let told = format!(
                "{connections}: {truth:.1}: {:?} {:?} at {}",
                run.finding.verdict,
                run.finding.interval(),
                secs(run.wall) / truth
            );
            println!("{told}");
            assert!(covers(&run, truth, truth), "{told}");
            let (low, high) = run.finding.interval().expect("an interval");
            assert!(secs(high) - secs(low) <= (0.02 * truth).max(2.0) + 0.2, "{told}");
            assert!(run.most_open <= usize::from(connections) + 2, "{told}");
        }
    }
}
