//! Peers that have the connection.

use keepscope::frame::{Frame, FrameId, LinkType};
use keepscope::segment::decode::{Decoded, decode};
use keepscope::time::Timestamp;

use crate::common::{run, skip};
use crate::far::{Far, SERVER as FAR_SERVER};
use crate::net::{SERVER, Tcpdump};
use crate::other::{Other, talk, windows};
use crate::{check, hosts, only};

/// SEQ of the first segment with data.
fn first_data(witness: &mut Tcpdump) -> u32 {
    loop {
        let seen = witness.packets(1).remove(0);
        let frame = Frame {
            id: FrameId::default(),
            time: Timestamp::from_nanos(seen.nanos),
            interface: 0,
            link: LinkType::Ethernet,
            fcs_len: 0,
            flags: None,
            names: None,
            wire_len: u32::try_from(seen.octets.len()).expect("a frame"),
            data: &seen.octets,
        };
        match decode(&frame) {
            Decoded::Segment(segment) if segment.len > 0 => return segment.seq.0,
            _ => {}
        }
    }
}

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
        let mut probe = None;
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
            let probes = segments.iter().filter(|one| one["kind"] == "probe");
            probe = probes.filter_map(|one| u32::try_from(one["seq"].as_u64()?).ok()).next();
            let times: Vec<f64> = segments.iter().filter_map(|one| one["after_s"].as_f64()).collect();
            assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 0.6), "{times:?}");
        }
        assert_eq!(look(), before, "the windows at both ends");
        // What the program sends next begins at SND.NXT: the probe stood one below it.
        let mut witness = Tcpdump::on(&net.client, "c0", &format!("tcp and src port {}", client.port));
        talk(&mut client, &mut server, "after");
        let next = first_data(&mut witness);
        assert_eq!(probe.map(|seq| seq.wrapping_add(1)), Some(next));
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

/// What is sent for one end is no answer to the test of the other.
#[test]
fn both_ends_of_a_connection_within_the_host_are_tested() {
    let Some(net) = hosts() else { return };
    for address in ["127.0.0.1", "::1"] {
        let (mut client, mut server) = Other::pair(&net.client, &net.client, address);
        talk(&mut client, &mut server, "before");
        let port = server.port.to_string();
        let ended = check(&net.client, &["--port", &port, "--test", "--confirm"]);
        let document = ended.document();
        assert_eq!((ended.code, &document["tested"]["alive"]), (Some(0), &2.into()), "{document}");
        let probe = |end: usize| {
            let segments = document["connections"][end]["test"]["segments"].as_array().expect("segments");
            let probe = segments.iter().find(|one| one["kind"] == "probe").expect("a probe").clone();
            let number =
                |key: &str| probe[key].as_u64().and_then(|number| u32::try_from(number).ok()).expect(key);
            (number("seq").wrapping_add(1), number("ack"))
        };
        // SND.NXT of one is RCV.NXT of the other.
        let (one, other) = (probe(0), probe(1));
        assert_eq!(one, (other.1, other.0), "{document}");
        talk(&mut client, &mut server, "after");
    }
}

/// This host gives its connections other ports on the wire, as it does for containers and services.
#[test]
fn what_this_host_itself_translates_is_tested_as_well() {
    let Some(net) = hosts() else { return };
    if !std::path::Path::new("/proc/net/nf_conntrack").exists() {
        return skip("this kernel has no /proc/net/nf_conntrack");
    }
    for rule in [
        "add table ip own",
        "add chain ip own post { type nat hook postrouting priority srcnat ; }",
        "add rule ip own post meta l4proto tcp masquerade to :50000-50100",
    ] {
        run("ip", &["netns", "exec", &net.client, "nft", rule]);
    }
    let (mut client, mut server) = Other::pair(&net.client, &net.server, SERVER[0]);
    talk(&mut client, &mut server, "before");
    let port = client.port.to_string();
    for (options, verdict) in [(vec![], "alive"), (vec!["--confirm"], "confirmed")] {
        let ended = check(&net.client, &[vec!["--port", &port, "--test"], options].concat());
        assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.complaints);
        let test = only(&ended)["test"].clone();
        assert_eq!(test["verdict"], verdict, "{test}");
    }
    talk(&mut client, &mut server, "after");
}
