//! From what the path is learnt: a time, a range, a product, a result; and what is refused, with one line.

use keepscope::advice::path::{Owner, Path, PathError};
use keepscope::product::Product;
use keepscope::time::Span;

use super::{recommended, said};
use crate::common::{scratch, text};

fn result(directions: &str, products: &str) -> String {
    format!(
        "{{\"schema\": \"keepscope.middlebox/1\", \"target\": \"198.51.100.2:7440\", \"connections\": 66, \
         \"wall_s\": 383.1, \"packets\": 500, \"directions\": [{directions}], \"products\": [{products}]}}"
    )
}

fn direction(verdict: &str, alive: &str, dead: &str, by: &str, owner: &str) -> String {
    format!(
        "{{\"direction\": \"out\", \"verdict\": \"{verdict}\", \"longest_alive_s\": {alive}, \"shortest_dead_s\": {dead}, \
         \"confidence\": \"high\", \"at_expiry\": \"silent\", \"by\": \"{by}\", \"owner\": \"{owner}\", \"evidence\": []}}"
    )
}

#[test]
fn the_proven_silence_of_the_worse_direction_counts() {
    let two = format!(
        "{}, {}",
        direction("found", "346.740", "352.9", "path", "tracker"),
        direction("found", "298.5", "303", "path", "tracker")
    );
    let path = Path::of_result(&result(&two, "{\"name\": \"aws-nlb\"}, {\"name\": \"aws-nat-gateway\"}"))
        .expect("a path");
    assert_eq!((path.silence, path.owner), (Span::from_millis(298_500), Owner::Tracker));
    assert!(path.product.is_none(), "two products fit");

    // A direction that was only not seen to die says less than one that did.
    let one = format!(
        "{}, {}",
        direction("cannot_know", "120", "null", "unknown", "unknown"),
        direction("found", "346.740", "352.9", "path", "tracker")
    );
    let path = Path::of_result(&result(&one, "{\"name\": \"aws-nlb\"}")).expect("a path");
    assert_eq!(path.silence, Span::from_millis(346_740));
    assert_eq!(path.product.map(|product| product.name), Some("aws-nlb"));

    let fuzzy = direction("found", "360", "340", "path", "tracker");
    assert_eq!(Path::of_result(&result(&fuzzy, "")).expect("a path").silence, Span::from_secs(340));
    let open = direction("none_below_max", "7440", "null", "unknown", "unknown");
    assert_eq!(Path::of_result(&result(&open, "")).expect("a path").silence, Span::from_secs(7440));
}

#[test]
fn proxies_and_closing_peers_are_told() {
    let of = |by: &str, owner: &str, products: &str| {
        Path::of_result(&result(&direction("found", "59", "61", by, owner), products)).expect("a path").owner
    };
    assert_eq!(of("path", "tracker", ""), Owner::Tracker);
    assert_eq!(of("path", "proxy", ""), Owner::Proxy);
    assert_eq!(of("peer", "unknown", ""), Owner::Peer);
    assert_eq!(of("path", "unknown", "\"aws-alb\""), Owner::Proxy);
    let ended = result(&direction("ended_by_peer", "59", "61", "peer", "unknown"), "");
    let folder = scratch("advice-result");
    let file = folder.join("result.json");
    std::fs::write(&file, ended).expect("a file");
    let (out, _, code) = said(&["recommend", "--from", text(&file)]);
    assert_eq!(code, 0);
    assert!(out.contains("the application at the other end closes"), "{out}");
    assert!(out.contains("Keepalive cannot help here"), "{out}");
}

/// A direction of a path as captures show it.
fn captured(alive: &str, dead: &str, weak: &str) -> String {
    format!(
        "{{\"direction\": \"out\", \"longest_alive_s\": {alive}, \"shortest_dead_s\": {dead}, \
         \"lower\": {{\"weak\": [{weak}]}}}}"
    )
}

#[test]
fn of_captures_the_shortest_silence_that_is_safe_counts() {
    let document = |paths: &[&[String]]| {
        let path = |directions: &&[String]| format!("{{\"directions\": [{}]}}", directions.join(", "));
        let paths: Vec<String> = paths.iter().map(path).collect();
        format!("{{\"schema\": \"keepscope.bounds/1\", \"paths\": [{}]}}", paths.join(", "))
    };
    let nothing = captured("null", "null", "");
    let cases = [
        (document(&[&[captured("300", "351", ""), nothing.clone()]]), 300, "dead after 351 s"),
        // What was only not seen to die says less than what did.
        (document(&[&[captured("900", "null", ""), captured("300", "351", "")]]), 300, "dead after 351 s"),
        // Contradicting bounds: what died once is not safe.
        (document(&[&[captured("360", "340", "")]]), 340, "dead after 340 s"),
        (document(&[&[captured("300", "351", "")], &[captured("200", "351", "")]]), 200, "worst of 2 paths"),
        (document(&[&[captured("300", "null", "\"may_recreate\"")]]), 300, "weak evidence"),
        (document(&[&[captured("300", "null", ""), nothing.clone()]]), 300, "never seen dead"),
    ];
    for (document, silence, words) in cases {
        let path = Path::of_result(&document).expect("a path");
        assert_eq!((path.silence, path.owner), (Span::from_secs(silence), Owner::Tracker), "{document}");
        assert!(path.learnt.contains(words), "{document}: {}", path.learnt);
    }
    for document in [
        document(&[]),
        document(&[&[nothing]]),
        // It died of this, and nothing shorter is known to be survived.
        document(&[&[captured("null", "351", ""), captured("300", "null", "")]]),
    ] {
        assert_eq!(Path::of_result(&document).map(|path| path.silence), Err(PathError::NothingAlive));
    }
}

/// From a capture to settings, in two commands.
#[test]
fn captures_lead_to_settings() {
    let folder = scratch("advice-captured");
    let (capture, bounds) = (folder.join("capture.pcapng"), folder.join("bounds.json"));
    let _ = said(&["simulate", "linux-340s-behind-350s", "--at", "client", "--write", text(&capture)]);
    for format in ["json", "jsonl"] {
        let (out, err, code) =
            said(&["middlebox", "--format", format, "--min", "1s", "--from", text(&capture)]);
        assert_eq!(code, 0, "{err}");
        std::fs::write(&bounds, &out).expect("a file");
        let document: serde_json::Value =
            serde_json::from_str(out.lines().last().filter(|_| format == "jsonl").unwrap_or(&out))
                .expect("a document");
        let directions = document["paths"][0]["directions"].as_array().expect("directions");
        let survived =
            directions.iter().find(|one| one["shortest_dead_s"].is_number()).expect("one that died");
        let (out, err, code) = said(&["recommend", "--format", "json", "--from", text(&bounds)]);
        match survived["longest_alive_s"].as_f64() {
            None => assert!(code == 2 && err.contains("no silence that a connection survived"), "{err}"),
            Some(alive) => {
                let advice: serde_json::Value = serde_json::from_str(&out).expect("a document");
                assert!(advice["path"]["silence_s"].as_f64() <= Some(alive), "{advice}");
            }
        }
    }
}

#[test]
fn what_is_no_result_is_refused_with_one_line() {
    let folder = scratch("advice-no-result");
    for (content, says) in [
        ("", "no JSON"),
        ("hello", "no JSON"),
        ("{}", "it has no schema"),
        ("[1]", "it has no schema"),
        ("{\"schema\": \"keepscope.analysis/1\"}", "its schema is \"keepscope.analysis/1\""),
        ("{\"schema\": \"keepscope.middlebox/1\"}", "it has no directions"),
        (
            "{\"schema\": \"keepscope.middlebox/1\", \"directions\": []}",
            "no silence that a connection survived",
        ),
        (
            "{\"schema\": \"keepscope.middlebox/1\", \"directions\": [{\"longest_alive_s\": \"x\"}]}",
            "no silence that a connection survived",
        ),
        (
            "{\"schema\": \"keepscope.middlebox/1\", \"directions\": [{\"longest_alive_s\": -1e300}]}",
            "no silence that a connection survived",
        ),
    ] {
        let file = folder.join("result.json");
        std::fs::write(&file, content).expect("a file");
        let (out, err, code) = said(&["recommend", "--from", text(&file)]);
        assert_eq!((out.as_str(), code), ("", 2), "{content}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(err.contains(says), "{content}: {err}");
    }
}

#[test]
fn wrong_usage_is_refused_with_what_would_be_right() {
    for (arguments, says) in [
        (&["recommend"][..], "--timeout"),
        (&["recommend", "--timeout", "350"], "say the unit"),
        (&["recommend", "--timeout", "0s"], "longer than nothing"),
        (&["recommend", "--timeout", "99y"], "at most 10 years"),
        (&["recommend", "--timeout", "9m..5m"], "the shorter time comes first"),
        (&["recommend", "--behind", "aws-nbl"], "aws-nlb"),
        (&["recommend", "--behind", "haproxy"], "say --timeout too"),
        (&["recommend", "--timeout", "350s", "--stack", "lunix"], "linux"),
        (&["recommend", "--timeout", "350s", "--stack", "nuttx"], "too little is known"),
        (&["recommend", "--timeout", "350s", "--stack", "freebsd", "--hz", "250"], "no timer wheel"),
        (&["recommend", "--timeout", "350s", "--for", "reddis"], "redis"),
        (&["recommend", "--timeout", "350s", "--for", "windows-registry"], "is for windows-10-1709"),
        (&["recommend", "--timeout", "1s", "--rtt", "2s"], "--rtt"),
        (&["audit", "--timeout", "350s"], "FILE"),
        (&["audit", "--timeout", "350s", "/nowhere/at/all"], "/nowhere/at/all"),
        (&["audit", "--from", "-", "-"], "can be read once"),
    ] {
        let (out, err, code) = said(arguments);
        assert_eq!((out.as_str(), code), ("", 2), "{arguments:?}: {err}");
        assert!(err.contains(says), "{arguments:?}: {err}");
    }
}

#[test]
fn a_range_counts_with_its_shorter_end_and_products_with_their_default() {
    let silence =
        |arguments: &[&str]| recommended(arguments)["path"]["silence_s"].as_f64().expect("a silence");
    assert_eq!(silence(&["--timeout", "347s..353s"]), 347.0);
    assert_eq!(silence(&["--behind", "aws-nlb"]), 350.0);
    assert_eq!(silence(&["--behind", "aws-nlb", "--timeout", "60s"]), 60.0);
    for product in Product::all() {
        match Path::behind(product, None) {
            Ok(path) => assert_eq!(Some(path.silence), product.idle()),
            Err(error) => assert_eq!((error, product.idle()), (PathError::NoDefault(product.title), None)),
        }
    }
    // Five days are no reason to probe less often than a system does by itself.
    let document = recommended(&["--behind", "linux-conntrack"]);
    assert_eq!(document["settings"]["idle_s"].as_f64(), Some(7200.0));
}
