//! Many connections at once.

use crate::lab::{Lab, Server};
use crate::probe_watched;

/// Two hundred connections, each with its own verdict, within the rate that was allowed.
#[test]
fn two_hundred_connections_at_once() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    // Longer silences: at 100 packets a second 200 connections are probed every two seconds at most.
    let arguments = ["--connections", "200", "--rounds", "2", "--idle", "2500ms"];
    let run = probe_watched(&lab, &server.target(0), &arguments, || {});
    run.expect("alive", 0);
    let connections = run.document["connections"].as_array().expect("connections");
    assert_eq!(connections.len(), 200);
    let mut sent: Vec<f64> = connections
        .iter()
        .flat_map(|one| {
            let probes = one["probers"][0]["probes"].as_array().expect("probes").clone();
            assert_eq!(probes.len(), 2);
            probes.into_iter().map(|probe| probe["time_s"].as_f64().expect("a time"))
        })
        .collect();
    sent.sort_by(f64::total_cmp);
    // A hundred slots in a second, and as much as the sending of one may be late.
    for (earlier, later) in sent.iter().zip(&sent[101..]) {
        assert!(later - earlier > 0.95, "{earlier} {later}");
    }
    assert_eq!(run.document["probe"]["received"]["dropped"], 0);
}

#[test]
fn when_the_host_falls_silent_all_of_them_are() {
    let Some(lab) = Lab::new() else { return };
    let server = Server::on(&lab);
    let arguments = ["--connections", "20", "--rounds", "100"];
    let run = probe_watched(&lab, &server.target(1), &arguments, || lab.silence(&lab.server));
    run.expect("silent", 1);
    for verdict in run.document["probe"]["verdicts"].as_array().expect("verdicts") {
        assert_eq!(verdict["verdict"], "silent", "{verdict}");
    }
}
