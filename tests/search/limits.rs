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

/// More of everything.
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
        for timeout in timeouts(1000 * campaign()) {
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
