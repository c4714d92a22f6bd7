//! Fleets: what they report, against what an analysis of their packets finds and what the settings promise.

use keepscope::analysis::{Collector, Outcome};
use keepscope::pipeline::Pipeline;
use keepscope::simulate::fleet::{Fleet, FleetReport, FleetSpec, GroupSpec};
use keepscope::stack::Stack;
use keepscope::time::Span;

fn group(stack: &str, idle: i64, interval: i64, count: u32) -> GroupSpec {
    let mut group = GroupSpec::new(Stack::named(stack).unwrap());
    group.idle = Some(Span::from_secs(idle));
    group.interval = Some(Span::from_secs(interval));
    group.count = Some(count);
    group
}

/// What the analyzer found in the frames of a fleet.
#[derive(Debug, Default, PartialEq)]
struct Found {
    connections: u64,
    probes: u64,
    answered: u64,
    timed_out: u64,
}

fn run(spec: &FleetSpec, seconds: i64) -> (FleetReport, Found) {
    let mut fleet = Fleet::new(spec).unwrap();
    let mut pipeline = Pipeline::new(0);
    let mut sink = |frame: &keepscope::frame::Frame<'_>| {
        pipeline.frame(frame);
    };
    fleet.run_for(Span::from_secs(seconds), Some(&mut sink));
    pipeline.finish();
    let (mut collector, mut found) = (Collector::default(), Found::default());
    found.connections = pipeline.connections();
    while let Some(event) = pipeline.poll_event() {
        let Some(record) = collector.on_event(&event) else { continue };
        assert!(record.server.probes.is_empty(), "servers do not probe");
        found.probes += record.client.probes.len() as u64;
        found.answered += record.client.probes.iter().filter(|probe| probe.answer.is_some()).count() as u64;
        found.timed_out += u64::from(record.verdict.outcome == Outcome::TimedOut);
    }
    (fleet.report(), found)
}

/// Half an hour of a hundred connections of each stack that runs, some of whose peers die.
#[test]
fn an_analysis_of_its_packets_counts_what_the_fleet_counts() {
    let stacks = ["linux", "windows-10-1709", "freebsd", "macos", "gvisor", "openbsd"];
    let groups = stacks.map(|stack| group(stack, 60, 5, 4)).to_vec();
    let mut spec = FleetSpec::new(600, groups);
    spec.deaths = 0.3;
    spec.dying = Span::from_secs(1_200);
    let (report, found) = run(&spec, 1_800);
    let truth = Found {
        connections: 600,
        probes: report.probes_sent,
        answered: report.total.answered,
        timed_out: u64::from(report.total.found_by_keepalive),
    };
    assert_eq!(found, truth);
    assert!((130..=230).contains(&report.total.deaths), "{}", report.total.deaths);
    assert_eq!(report.total.given_up_alive, 0);
    assert_eq!(report.half_open, report.total.deaths - report.total.found_by_keepalive);
    assert_eq!(report.open, 600 - report.total.found_by_keepalive);
}

#[test]
fn dead_peers_are_found_in_the_time_that_the_settings_promise() {
    let mut spec = FleetSpec::new(2_000, vec![group("freebsd", 60, 5, 4), group("linux", 60, 5, 4)]);
    spec.deaths = 1.0;
    spec.dying = Span::from_secs(600);
    let mut fleet = Fleet::new(&spec).unwrap();
    fleet.run_for(Span::from_secs(1_000), None);
    let report = fleet.report();
    let [freebsd, linux] = &report.groups[..] else { panic!("{:?}", report.groups) };
    for group in [freebsd, linux] {
        assert_eq!((group.deaths, group.found_by_keepalive), (1_000, 1_000), "{}", group.name);
    }
    let seconds = |group: &keepscope::simulate::fleet::GroupReport, percent| {
        group.detection.percentile(percent).unwrap().as_nanos() as f64 / 1e9
    };
    // From a moment of the idle time to the last interval after it: 20 to 80 s, evenly.
    for (percent, expected) in [(0, 20.0), (50, 50.0), (100, 80.0)] {
        assert!(
            (seconds(freebsd, percent) - expected).abs() < 3.0,
            "{percent}: {}",
            seconds(freebsd, percent)
        );
    }
    // The timer wheel makes it later, by two granules of two seconds and four of a quarter of one at most.
    assert!((80.0..=86.0).contains(&seconds(linux, 100)), "{}", seconds(linux, 100));
}

#[test]
fn data_keeps_probes_away_and_finds_the_dead() {
    let mut writers = group("linux", 60, 5, 4);
    (writers.data_share, writers.data_every) = (1.0, Span::from_secs(10));
    let mut spec = FleetSpec::new(500, vec![writers]);
    spec.deaths = 0.5;
    let mut fleet = Fleet::new(&spec).unwrap();
    fleet.run_for(Span::from_secs(7_200), None);
    let report = fleet.report();
    assert_eq!(report.probes_sent, 0);
    assert!(report.total.found_by_data > 200, "{}", report.total.found_by_data);
    assert_eq!(report.total.given_up_alive, 0);
    // Fifteen retransmissions of Linux take 924.6 s from an RTO of 200 ms on, here of 220 ms, behind a pause of
    // 20 s at most.
    let least = report.total.detection.percentile(0).unwrap();
    let most = report.total.detection.percentile(100).unwrap();
    assert!(least > Span::from_secs(920) && most < Span::from_secs(1_000), "{least} to {most}");
    // A user timeout holds for data too.
    spec.groups[0].user_timeout = Some(Span::from_secs(30));
    let mut fleet = Fleet::new(&spec).unwrap();
    fleet.run_for(Span::from_secs(7_200), None);
    let most = fleet.report().total.detection.percentile(100).unwrap();
    assert!(most <= Span::from_secs(51), "{most}");
}

#[test]
fn loss_makes_connections_end_that_live() {
    let mut spec = FleetSpec::new(1_000, vec![group("linux", 30, 2, 2)]);
    spec.loss = 0.3;
    let mut fleet = Fleet::new(&spec).unwrap();
    fleet.run_for(Span::from_secs(600), None);
    let report = fleet.report();
    // Two probes in a row lost, or their answers: a quarter of the runs.
    assert!(report.total.given_up_alive > 900, "{}", report.total.given_up_alive);
    assert_eq!(report.total.deaths, 0);
}

#[test]
fn one_seed_gives_one_fleet() {
    let report = |seed| {
        let mut spec =
            FleetSpec::new(300, vec![group("linux", 30, 2, 2), group("windows-10-1709", 20, 1, 3)]);
        (spec.seed, spec.loss, spec.deaths) = (seed, 0.05, 0.2);
        run(&spec, 900)
    };
    assert_eq!(report(1), report(1));
    assert_ne!(report(1), report(2));
}

#[test]
fn what_makes_no_fleet_is_refused() {
    let ok = FleetSpec::new(1, vec![group("linux", 30, 2, 2)]);
    assert!(Fleet::new(&ok).is_ok());
    for (change, text) in [
        ((|spec| spec.connections = 0) as fn(&mut FleetSpec), "connections, not 0"),
        (|spec| spec.groups.clear(), "groups, not 0"),
        (|spec| spec.loss = 1.5, "the loss is a share"),
        (|spec| spec.groups[0].weight = 0.0, "weight"),
        (|spec| spec.groups[0].stack = Stack::named("uip").unwrap(), "not enough is known of uip"),
    ] {
        let mut spec = ok.clone();
        change(&mut spec);
        let error = Fleet::new(&spec).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}
