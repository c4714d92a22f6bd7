//! What is not the path: servers that speak or close by themselves; and proxies, which are and look like servers.

use std::time::Duration;

use crate::common::{has, scratch, text};
use crate::lab::{Lab, Running, until_listening};
use crate::servers::Server;
use crate::{Case, PORT, at, partner, search, search_with_partner, side_by_side};

/// HAProxy on the box, which forgets after so many seconds; none, with a word about it, where there is none.
pub fn proxy(lab: &Lab, to: u16, seconds: u32, name: &str) -> Option<Running> {
    if !has("haproxy") {
        return None;
    }
    let configuration = format!(
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client {seconds}s\n  timeout server {seconds}s\n\
         listen one\n  bind 192.0.2.2:{to}\n  server far 198.51.100.2:{to}\n"
    );
    let path = scratch(name).join("haproxy.cfg");
    std::fs::write(&path, configuration).expect("a file");
    let running = Running::on(&lab.boxes[0], &["haproxy", "-f", text(&path)]);
    until_listening(&lab.boxes[0], to);
    Some(running)
}

/// Behind a proxy there is a partner, who closes nothing: it is the path that does.
fn proxy_with_partner() {
    let Some(lab) = Lab::new(1) else { return };
    let _partner = partner(&lab);
    let Some(_proxy) = proxy(&lab, PORT, 8, "middlebox_proxy_with_partner") else { return };
    let target = format!("192.0.2.2:{PORT}");
    let run = search_with_partner(&lab, &target, &["--min", "3s", "--max", "30s"]);
    let found = run.expect_found("in", 8.0);
    let said = (&found["at_expiry"], &found["by"], &found["owner"]);
    assert_eq!(said, (&"fin".into(), &"path".into(), &"proxy".into()), "{found:#}");
}

/// Without one, a proxy is the far end.
fn proxy_without_partner() {
    let Some(lab) = Lab::new(1) else { return };
    let server = Server::that_holds(&lab);
    let Some(_proxy) = proxy(&lab, server.port, 8, "middlebox_proxy_alone") else { return };
    let target = format!("192.0.2.2:{}", server.port);
    let run = search(&lab, &target, &["--min", "3s", "--max", "30s"]);
    ended_after(&run, 8.0);
}

fn ended_after(run: &crate::Run, seconds: f64) {
    let found = run.direction("out");
    assert_eq!((&found["verdict"], run.code), (&"ended_by_peer".into(), 4), "{found:#}");
    let after = found["ended_after_s"].as_f64().expect("a time");
    assert!((after - seconds).abs() < 0.5, "{after} for {seconds}");
    assert_eq!((&found["at_expiry"], &found["by"]), (&"fin".into(), &"peer".into()), "{found:#}");
}

fn server_that_closes() {
    let Some(lab) = Lab::new(1) else { return };
    let server = Server::that_closes(&lab, Duration::from_secs(6));
    let run = search(&lab, &at(0, server.port), &["--min", "3s", "--max", "30s"]);
    ended_after(&run, 6.0);
}

fn server_that_probes() {
    let Some(lab) = Lab::new(1) else { return };
    let server = Server::that_probes(&lab, Duration::from_secs(3));
    let run = search(&lab, &at(1, server.port), &["--min", "4s", "--max", "30s"]);
    let found = run.direction("out");
    assert_eq!((&found["verdict"], run.code), (&"kept_open_by_peer".into(), 4), "{found:#}");
    let period = found["period_s"].as_f64().expect("a time");
    // A kernel that is busy probes a little later.
    assert!((2.9..3.6).contains(&period), "{period}");
    assert!(run.took < Duration::from_secs(25), "{:?}", run.took);
}

/// What a server says at once is no disturbance.
fn server_that_greets() {
    let Some(lab) = Lab::new(1) else { return };
    let server = Server::that_greets(&lab);
    let run = search(&lab, &at(0, server.port), &["--min", "3s", "--max", "6s"]);
    let found = run.direction("out");
    assert_eq!(found["verdict"], "cannot_know", "{found:#}");
    assert!(!found["caveats"].to_string().contains("peer_speaks"), "{found:#}");
}

#[test]
fn what_the_far_end_does_is_not_blamed_on_the_path() {
    let cases: &[Case] = &[
        ("proxy_with_partner", proxy_with_partner),
        ("proxy_without_partner", proxy_without_partner),
        ("server_that_closes", server_that_closes),
        ("server_that_probes", server_that_probes),
        ("server_that_greets", server_that_greets),
    ];
    side_by_side(cases);
}
