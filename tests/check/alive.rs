//! Peers that have the connection.

use crate::far::{Far, SERVER as FAR_SERVER};
use crate::net::SERVER;
use crate::other::{Other, talk, windows};
use crate::{check, hosts, only};

#[test]
fn another_programs_connection_is_tested_and_goes_on_as_before() {
    let Some(net) = hosts() else { return };
    for address in SERVER {
        let (mut client, mut server) = Other::pair(&net.client, &net.server, address);
        talk(&mut client, &mut server, "before");
        let end = std::net::SocketAddr::new(address.parse().expect("an address"), server.port);
        let look = || windows([&net.client, &net.server], end);
        let before = look();
        let port = client.port.to_string();
        for (options, verdict, kinds) in [
            (vec![], "alive", vec!["ack_outside_window"]),
            (vec!["--confirm"], "confirmed", vec!["ack_outside_window", "probe"]),
        ] {
            let ended = check(&net.client, &[vec!["--port", &port, "--test"], options].concat());
            assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.complaints);
            let test = only(&ended)["test"].clone();
            assert_eq!((&test["standing"], &test["verdict"]), (&"alive".into(), &verdict.into()), "{test}");
            let segments = test["segments"].as_array().expect("segments");
            // A busy machine may answer after the next has left.
            let mut seen: Vec<&str> = segments.iter().filter_map(|one| one["kind"].as_str()).collect();
            seen.dedup();
            assert_eq!(seen, kinds, "{test}");
            assert!(segments.len() <= 5);
            let times: Vec<f64> = segments.iter().filter_map(|one| one["after_s"].as_f64()).collect();
            assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 0.6), "{times:?}");
        }
        assert_eq!(look(), before, "the windows at both ends");
        talk(&mut client, &mut server, "after");
    }
}

/// Out of window, a tracking box passes one of the four segments only; what it does not translate, the server answers
/// with a RST, for here it can be reached without translation.
#[test]
fn through_a_translation_a_reset_to_what_was_not_translated_is_no_death() {
    if hosts().is_none() {
        return;
    }
    let Some(far) = Far::new("masquerade to :50000-50100") else { return };
    let mut all: Vec<(Other, Other)> =
        (0..6).map(|_| Other::pair(&far.client, &far.server, FAR_SERVER[0])).collect();
    let ports: Vec<String> = all.iter().map(|(client, _)| client.port.to_string()).collect();
    let options: Vec<&str> = ports.iter().flat_map(|port| ["--port", port]).chain(["--test"]).collect();
    for rule in ["", "add rule inet box through ct state invalid drop"] {
        if !rule.is_empty() {
            far.nft("add chain inet box through { type filter hook forward priority 0; }");
            far.nft(rule);
        }
        let ended = check(&far.client, &options);
        let document = ended.document();
        assert_eq!((ended.code, &document["tested"]["alive"]), (Some(0), &6.into()), "{document}");
    }
    for (client, server) in &mut all {
        talk(client, server, "after");
    }
}
