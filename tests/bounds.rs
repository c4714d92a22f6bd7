//! `keepscope middlebox --from`: captures whose truth the simulator knows, captures from real kernels, and damaged
//! ones.

mod common;

use std::process::{Command, Output, Stdio};

use keepscope::analysis::bounds::{Bounds, Bracket, Doubt, Fate};
use keepscope::frame::{Frame, FrameId, LinkType};
use keepscope::pipeline::Pipeline;
use keepscope::segment::Flags;
use keepscope::simulate::scenario::Scenario;
use keepscope::time::{Span, Timestamp};
use keepscope::track::event::Party;
use proptest::prelude::*;
use serde_json::Value;

use common::{Pcap, capture_path, drops, has, indexed, keepscope, run, scratch, text};

/// What was found, whatever the exit code, which must be this one.
fn from(code: i32, arguments: &[&str]) -> Value {
    let output = keepscope(&[&["middlebox", "--format", "json"], arguments].concat());
    document(code, &output)
}

fn document(code: i32, output: &Output) -> Value {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{complaint}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("a JSON document");
    assert_eq!(document["schema"], "keepscope.bounds/1");
    document
}

/// A capture of a built-in scenario, taken there.
fn simulated(folder: &str, scenario: &str, at: &str) -> String {
    let path = scratch(folder).join("simulated.pcapng");
    let output = keepscope(&["simulate", scenario, "--at", at, "--write", text(&path)]);
    assert!(path.is_file(), "{}", String::from_utf8_lossy(&output.stderr));
    text(&path).to_owned()
}

/// The bounds of the only path, in one direction.
fn direction<'a>(document: &'a Value, name: &str) -> &'a Value {
    let paths = document["paths"].as_array().expect("paths");
    assert_eq!(paths.len(), 1, "{document:#}");
    let directions = paths[0]["directions"].as_array().expect("directions");
    directions.iter().find(|direction| direction["direction"] == name).expect(name)
}

fn words(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|word| word.as_str().expect("a word")).collect()
}

#[test]
fn a_late_probe_bounds_a_load_balancer_from_above() {
    let found = from(0, &["--from", &simulated("bounds_late", "linux-340s-behind-350s", "client")]);
    let out = direction(&found, "out");
    let dead = out["shortest_dead_s"].as_f64().expect("an upper bound");
    assert!((350.0..357.0).contains(&dead), "{out:#}");
    assert_eq!((&out["upper"]["result"], &out["upper"]["ended_by"]), (&"reset".into(), &"keepalive".into()));
    assert_eq!(words(&out["upper"]["weak"]), ["single"]);
    assert!(out["longest_alive_s"].as_f64().is_none_or(|alive| alive < 350.0), "{out:#}");
}

#[test]
fn answered_probes_bound_it_from_below() {
    let found = from(0, &["--from", &simulated("bounds_early", "linux-300s-behind-350s", "client")]);
    let out = direction(&found, "out");
    let alive = out["longest_alive_s"].as_f64().expect("a lower bound");
    assert!((300.0..350.0).contains(&alive), "{out:#}");
    assert!(out["shortest_dead_s"].is_null(), "{out:#}");
    assert_eq!(words(&out["lower"]["weak"]), ["may_recreate"]);
    assert_eq!(out["keepalives"]["asked"], out["keepalives"]["answered"]);
    assert_eq!(out["keepalives"]["protects_up_to_s"], out["longest_alive_s"]);
}

/// With a timeout of 60 s, what a client sees after 120 s proves nothing, and must say so.
#[test]
fn a_mapping_that_was_made_anew_is_weak_evidence() {
    let found = from(0, &["--from", &simulated("bounds_anew", "nat-recreates-mapping", "client")]);
    let out = direction(&found, "out");
    assert!(out["longest_alive_s"].as_f64().expect("a lower bound") > 119.0);
    assert_eq!(words(&out["lower"]["weak"]), ["may_recreate"]);
}

#[test]
fn a_server_is_told_by_a_reset_that_the_nat_forgot() {
    let file = simulated("bounds_push", "nat-server-push", "server");
    let found = from(0, &["--from", &file]);
    let paths = found["paths"].as_array().expect("paths");
    let inward = &paths[0]["directions"][1];
    assert_eq!(
        (&inward["direction"], &inward["upper"]["result"]),
        (&"in".into(), &"reset".into()),
        "{found:#}"
    );
    let dead = inward["shortest_dead_s"].as_f64().expect("an upper bound");
    assert!((119.0..121.0).contains(&dead), "{inward:#}");
    let file = simulated("bounds_port", "nat-random-port", "client");
    let out = from(0, &["--from", &file]);
    let dead = direction(&out, "out")["shortest_dead_s"].as_f64().expect("an upper bound");
    assert!((120.0..126.0).contains(&dead));
}

/// Its keepalives are answered, and it closes all the same: a time without data is what counts.
#[test]
fn a_proxy_shows_by_its_closing() {
    let found = from(0, &["--from", &simulated("bounds_proxy", "proxy-in-between", "client")]);
    let inward = direction(&found, "in");
    let closed = inward["closings"]["shortest_s"].as_f64().expect("a closing");
    assert!((59.9..60.1).contains(&closed), "{inward:#}");
    let alive = direction(&found, "out")["longest_alive_s"].as_f64().expect("a keepalive");
    assert!((20.0..30.0).contains(&alive));
}

#[test]
fn what_one_number_does_not_explain_is_said() {
    let file = simulated("bounds_one_side", "firewall-counts-one-side", "server");
    let found = from(0, &["--from", &file]);
    let inward = direction(&found, "in");
    let contradictions = inward["contradictions"].as_array().expect("a list");
    assert_eq!(contradictions.len(), 1, "{inward:#}");
    assert_eq!(contradictions[0]["name"], "died_sooner");
    assert_eq!(inward["died_sooner"]["longest"]["result"], "unanswered");
}

#[test]
fn a_peer_that_lost_its_power_is_one_death_and_no_timeout() {
    let found = from(0, &["--from", &simulated("bounds_power", "go-through-azure", "client")]);
    let out = direction(&found, "out");
    assert_eq!(words(&out["upper"]["weak"]), ["single"]);
    assert_eq!(out["died"], 1);
    assert_eq!(out["contradictions"][0]["name"], "survived_longer");
    assert_eq!(out["products"].as_array().map(Vec::len), Some(0));
}

/// The bounds of a scenario, captured there, in both directions.
fn bounds_of(document: &str, tap: &str) -> [Bracket; 2] {
    let plan = Scenario::read(document, &[]).unwrap_or_else(|error| panic!("{error}: {document}"));
    let index = plan.taps.iter().position(|known| known.name == tap).expect("a tap");
    let done = plan.run(&[index]).expect("a simulation");
    let captured = done.captures.iter().find(|captured| captured.tap.name == tap).expect("a capture");
    let (mut pipeline, mut bounds) = (Pipeline::new(0), Bounds::new(Span::from_secs(5)));
    for frame in captured.frames() {
        bounds.on_frame(&frame);
        pipeline.frame_shown(&frame, |segment, observed| bounds.on_segment(segment, observed));
        while let Some(event) = pipeline.poll_event() {
            bounds.on_event(&event);
        }
    }
    pipeline.finish();
    while let Some(event) = pipeline.poll_event() {
        bounds.on_event(&event);
    }
    let path = bounds.paths().next().expect("a path");
    [Party::Client, Party::Server].map(|party| path.way(party).bracket())
}

/// A packet between 192.0.2.1 and 198.51.100.1:443.
struct Packet {
    millis: i64,
    from_client: bool,
    port: u16,
    flags: Flags,
    seq: u32,
    ack: u32,
    len: usize,
}

impl Packet {
    fn octets(&self) -> Vec<u8> {
        let (client, server) = ([192, 0, 2, 1], [198, 51, 100, 1]);
        let ends = if self.from_client { [client, server] } else { [server, client] };
        let ports = if self.from_client { [self.port, 443] } else { [443, self.port] };
        let total = u16::try_from(40 + self.len).expect("a short packet").to_be_bytes();
        let ip = [&[0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, 6, 0, 0][..], &ends.concat()].concat();
        let tcp = [
            &ports[0].to_be_bytes()[..],
            &ports[1].to_be_bytes(),
            &self.seq.to_be_bytes(),
            &self.ack.to_be_bytes(),
            &[0x50, self.flags.0, 0x10, 0, 0, 0, 0, 0],
        ];
        [ip, tcp.concat(), vec![7; self.len]].concat()
    }
}

/// A connection from this port that is silent for 100 s after 100 octets and their acknowledgment; the next octets are
/// sent twice, and the client opens another one.
fn given_up(port: u16, at: i64) -> Vec<Packet> {
    let (syn, ack) = (Flags::SYN, Flags::ACK);
    let packet = |millis, from_client, flags, seq, ack, len| Packet {
        millis: at + millis,
        from_client,
        port,
        flags,
        seq,
        ack,
        len,
    };
    let mut packets = vec![
        packet(0, true, syn, 1000, 0, 0),
        packet(10, false, syn.with(ack), 5000, 1001, 0),
        packet(20, true, ack, 1001, 5001, 0),
        packet(30, true, ack, 1001, 5001, 100),
        packet(40, false, ack, 5001, 1101, 0),
        packet(100_040, true, ack, 1101, 5001, 50),
        packet(100_300, true, ack, 1101, 5001, 50),
        packet(101_000, true, syn, 9000, 0, 0),
    ];
    packets[7].port += 1000;
    packets
}

#[test]
fn a_new_connection_after_few_tries_is_a_weak_death_and_two_agree() {
    let mut weak = Vec::new();
    for ports in [&[40_001][..], &[40_001, 40_002]] {
        let packets: Vec<Packet> =
            (0..).zip(ports).flat_map(|(index, port)| given_up(*port, index * 200_000)).collect();
        let (mut pipeline, mut bounds) = (Pipeline::new(0), Bounds::new(Span::from_secs(10)));
        for (number, packet) in (1..).zip(&packets) {
            let data = packet.octets();
            let frame = Frame {
                id: FrameId { capture: 0, number },
                time: Timestamp::from_nanos(packet.millis * 1_000_000),
                interface: 0,
                link: LinkType::Raw,
                fcs_len: 0,
                wire_len: u32::try_from(data.len()).expect("a short packet"),
                flags: None,
                names: None,
                data: &data,
            };
            bounds.on_frame(&frame);
            pipeline.frame_shown(&frame, |segment, observed| bounds.on_segment(segment, observed));
        }
        pipeline.finish();
        while let Some(event) = pipeline.poll_event() {
            bounds.on_event(&event);
        }
        let path = bounds.paths().next().expect("a path");
        let bracket = path.way(Party::Client).bracket();
        let upper = bracket.upper.expect("a death");
        assert_eq!((upper.fate, upper.idle, upper.tries), (Fate::NewConnection, Span::from_secs(100), 2));
        assert_eq!((upper.before.frame.number, upper.opener.frame.number, upper.end.frame.number), (5, 6, 8));
        assert_eq!(bracket.deaths, ports.len() as u64);
        weak.push(upper.doubts.iter().collect::<Vec<_>>());
    }
    assert_eq!(weak, [vec![Doubt::FewTries, Doubt::Single], vec![Doubt::FewTries]]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Without loss and with peers that live, and with a box that makes nothing anew, whatever is said holds.
    #[test]
    fn the_timeout_lies_in_the_bounds(
        timeout in 10_u32..400,
        idle in 5_u32..500,
        interval in 1_u32..80,
        server_data in prop::collection::vec(1_u32..3000, 0..6),
        client_data in prop::collection::vec(1_u32..3000, 0..6),
        resets in any::<bool>(),
        at_server in any::<bool>(),
        keepalive in any::<bool>(),
        seed in 0_u32..1000,
    ) {
        let data = |times: &[u32]| {
            let list: Vec<String> = times.iter().map(|at| format!("{{ at = \"{at}s\", octets = 100 }}")).collect();
            format!("data = [{}]", list.join(", "))
        };
        let stray = if resets { "reset" } else { "drop" };
        let document = format!(
            "title = \"random\"\nlength = \"2h\"\nseed = {seed}\npath = [\"lan\", \"box\", \"core\"]\n\
             [client]\nstack = \"linux\"\nhz = 250\nkeepalive = {keepalive}\nidle = \"{idle}s\"\n\
             interval = \"{interval}s\"\ncount = 5\n{}\n[server]\n{}\n[link.lan]\ndelay = \"3ms\"\n\
             [box.box]\nkind = \"tracker\"\nestablished = \"{timeout}s\"\nunacknowledged = \"{timeout}s\"\n\
             stray_from_inside = \"{stray}\"\nstray_from_outside = \"{stray}\"\n[link.core]\ndelay = \"7ms\"\n",
            data(&client_data),
            data(&server_data),
        );
        let tap = if at_server { "server" } else { "client" };
        let (low, high) = (f64::from(timeout) - 0.1, f64::from(timeout) + 0.1);
        for bracket in bounds_of(&document, tap) {
            let seconds = |span: Span| span.as_nanos() as f64 / 1e9;
            if let Some(lower) = bracket.lower {
                prop_assert!(seconds(lower.idle) <= high, "{lower:?}\n{document}");
                prop_assert_eq!(lower.fate, Fate::Survived);
            }
            if let Some(upper) = bracket.upper {
                prop_assert!(seconds(upper.idle) >= low, "{upper:?}\n{document}");
            }
            prop_assert!(!bracket.is_contradicted(), "{bracket:?}\n{document}");
        }
    }
}

/// Every silence that is told lies between two packets that are as far apart as another program says.
#[test]
fn silences_are_as_long_as_tshark_says() {
    if !has("tshark") {
        return;
    }
    let mut told = 0;
    for name in [
        "answered.pcap",
        "both.pcap",
        "unanswered.pcap",
        "reset_by_peer.pcap",
        "server_prober.pcap",
        "ipv6.pcap",
    ] {
        let path = capture_path(name);
        let output = keepscope(&["middlebox", "--min", "1s", "--format", "jsonl", "--from", &path]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let fields = ["-T", "fields", "-e", "frame.number", "-e", "tcp.time_delta", "-e", "frame.time_epoch"];
        let listed = run(
            "tshark",
            &[&["-n", "-r", &path, "-o", "tcp.calculate_timestamps:TRUE"], &fields[..]].concat(),
        );
        let deltas: Vec<(u64, f64)> = listed
            .lines()
            .filter_map(|line| {
                let mut fields = line.split('\t');
                Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
            })
            .collect();
        for line in String::from_utf8(output.stdout).expect("UTF-8").lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            if line["type"] != "silence" {
                continue;
            }
            told += 1;
            let frame = line["opener"]["frame"].as_u64().expect("a frame");
            let (_, delta) = deltas.iter().find(|(number, _)| *number == frame).expect("a frame of TCP");
            let idle = line["idle_s"].as_f64().expect("a time");
            assert!((idle - delta).abs() < 1e-5, "{name} {frame}: {idle}, {delta}");
        }
    }
    assert!(told > 10, "{told}");
}

#[test]
fn captures_of_real_kernels_give_sane_answers() {
    let found = from(0, &["--min", "1s", "--from", &capture_path("answered.pcap")]);
    let out = direction(&found, "out");
    assert_eq!(out["died"], 0);
    let alive = out["longest_alive_s"].as_f64().expect("a lower bound");
    assert!((1.0..3.0).contains(&alive), "{out:#}");
    // Two tries, and the capture ends.
    let found = from(0, &["--min", "1s", "--from", &capture_path("unanswered.pcap")]);
    assert_eq!(direction(&found, "out")["undecided"], 1);
    for (name, result, tries) in [("vanish.pcap", "unanswered", 4), ("icmp_unreachable.pcap", "icmp", 3)] {
        let found = from(0, &["--min", "1s", "--from", &capture_path(name)]);
        let upper = &direction(&found, "out")["upper"];
        assert_eq!((&upper["result"], &upper["tries"]), (&result.into(), &tries.into()), "{name}");
    }
    // An application that resets after less than was survived is no bound.
    let found = from(0, &["--min", "1s", "--from", &capture_path("answers_lost.pcap")]);
    let out = direction(&found, "out");
    assert!(out["shortest_dead_s"].is_null(), "{out:#}");
    assert_eq!(out["died_sooner"]["longest"]["result"], "unasked_reset");
    let found = from(0, &["--min", "1s", "--from", &capture_path("midstream.pcap")]);
    assert!(words(&direction(&found, "out")["lower"]["weak"]).contains(&"midstream"));
    for name in indexed(&std::path::PathBuf::from(capture_path(""))) {
        let output = keepscope(&["middlebox", "--min", "1s", "--from", &capture_path(&name)]);
        assert!(
            matches!(output.status.code(), Some(0 | 4)),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn nothing_to_say_is_no_success() {
    let found = from(4, &["--from", &capture_path("answered.pcap")]);
    assert_eq!(found["paths"].as_array().expect("paths").len(), 0);
    let output = keepscope(&["middlebox", "--from", &capture_path("answered.pcap")]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("--min takes shorter ones"));
}

#[test]
fn a_damaged_capture_says_what_could_be_read() {
    let path = scratch("bounds_damaged").join("cut.pcap");
    let mut octets = Pcap::of("answered.pcap").octets();
    octets.truncate(octets.len() - 7);
    std::fs::write(&path, octets).expect("a file");
    let found = from(2, &["--min", "1s", "--from", text(&path)]);
    assert!(direction(&found, "out")["survived"].as_u64().expect("a count") > 0);
    assert_eq!(found["cautions"][0]["name"], "damaged");
    let output = keepscope(&["middlebox", "--from", "/nonexistent.pcap"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nonexistent.pcap"));
}

#[test]
fn dropped_packets_are_a_caution() {
    let path = scratch("bounds_drops").join("drops.pcapng");
    let octets = [Pcap::of("answered.pcap").to_pcapng().octets(), drops(3)].concat();
    std::fs::write(&path, octets).expect("a file");
    let found = from(0, &["--min", "1s", "--from", text(&path)]);
    assert_eq!(found["cautions"][0]["name"], "dropped");
}

/// A capture in two parts is the same as in one; where a time between them was not captured, what was silent then is
/// not known.
#[test]
fn several_files_are_one_stream_with_its_holes() {
    let folder = scratch("bounds_parts");
    let whole = Pcap::of("answered.pcap");
    let middle = whole.records.len() / 2;
    let (first, second) = (folder.join("1.pcap"), folder.join("2.pcap"));
    std::fs::write(&first, whole.with(0..middle)).expect("a file");
    std::fs::write(&second, whole.with(middle..whole.records.len())).expect("a file");
    let one = from(0, &["--min", "1s", "--from", &capture_path("answered.pcap")]);
    let both = from(0, &["--min", "1s", "--from", text(&first), text(&second)]);
    let counts = |found: &Value| {
        let out = direction(found, "out");
        ["survived", "not_captured"].map(|name| out[name].as_u64().expect("a count"))
    };
    let ([all, none], [some, lost]) = (counts(&one), counts(&both));
    assert_eq!((none, some + lost), (0, all), "{both:#}");
    assert!(lost <= 1, "{both:#}");
    // The same capture twice: the copies count once, and no hole is in it.
    let path = capture_path("answered.pcap");
    let twice = from(0, &["--min", "1s", "--from", &path, &path]);
    assert_eq!(counts(&twice), [all, 0]);
}

#[test]
fn a_pipe_is_read_as_a_file_is() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_keepscope"))
        .args(["middlebox", "--min", "1s", "--format", "json", "--from", "-"])
        .stdin(Stdio::from(std::fs::File::open(capture_path("answered.pcap")).expect("a capture")))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("keepscope runs");
    let _ = child.stdin.take();
    let piped = document(0, &child.wait_with_output().expect("keepscope ends"));
    let file = from(0, &["--min", "1s", "--from", &capture_path("answered.pcap")]);
    assert_eq!(piped["paths"], file["paths"]);
}

#[test]
fn what_would_send_is_refused_beside_it() {
    for other in [&["example.net:443"][..], &["--partner"], &["--mode", "quick"], &["--write", "x.pcap"]] {
        let output =
            keepscope(&[&["middlebox"], other, &["--from", &capture_path("answered.pcap")]].concat());
        assert_eq!(output.status.code(), Some(2), "{other:?}");
        assert!(output.stdout.is_empty(), "{other:?}");
    }
}
