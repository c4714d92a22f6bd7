//! The table of snippets: every row has units, defaults, sources and marks, and what it prints has passed.

use std::collections::BTreeSet;

use keepscope::advice::path::Dial;
use keepscope::advice::snippets::{Means, Snippet};
use keepscope::product::Product;
use keepscope::product::value::Class;
use keepscope::stack::{Stack, Status};

use super::{flat, recommended, said};

#[test]
fn every_row_says_units_defaults_and_who_says_so() {
    let mut names = BTreeSet::new();
    for snippet in Snippet::all() {
        for name in [snippet.name].iter().chain(snippet.aliases) {
            assert!(names.insert(name.to_ascii_lowercase()), "{name} stands there twice");
        }
        assert!(!snippet.parameters.is_empty(), "{}", snippet.name);
        assert!(
            snippet.stacks.iter().all(|stack| Stack::named(stack).is_ok_and(|found| found.name == *stack))
        );
        for parameter in snippet.parameters {
            let place = format!("{}: {}", snippet.name, parameter.name);
            assert!(parameter.unit.value.is_some() && !parameter.unit.sources.is_empty(), "{place}");
            assert!(parameter.default.value.is_some() && !parameter.default.sources.is_empty(), "{place}");
        }
    }
    for wanted in [
        "sysctl",
        "windows-registry",
        "sio-keepalive-vals",
        "c",
        "python",
        "go",
        "rust",
        "java",
        "dotnet",
        "node",
        "postgres",
        "libpq",
        "mysql",
        "redis",
        "nginx",
        "haproxy",
        "envoy",
        "istio",
        "openssh",
        "grpc",
        "kubernetes",
        "docker",
    ] {
        assert!(Snippet::named(wanted).is_ok(), "{wanted}");
    }
}

/// What was copied from makers' pages: name, default.
#[test]
fn defaults_are_those_of_the_makers() {
    for (name, parameter, default, verified) in [
        ("sysctl", "net.ipv4.tcp_keepalive_time", "7200", true),
        ("sysctl", "net.ipv4.tcp_keepalive_intvl", "75", true),
        ("sysctl", "net.ipv4.tcp_keepalive_probes", "9", true),
        ("sysctl-freebsd", "net.inet.tcp.keepidle", "7200000", true),
        ("windows-registry", "KeepAliveTime", "7200000", true),
        ("windows-registry", "KeepAliveInterval", "1000", true),
        ("redis", "tcp-keepalive", "300", true),
        ("go", "Idle", "15 s", true),
        ("grpc", "MinTime", "5 min", true),
        ("envoy", "keepalive_time", "the system's", false),
        ("postgresql", "tcp_keepalives_idle", "0: the system's", true),
        ("openssh", "ServerAliveInterval", "0: off", true),
    ] {
        let snippet = Snippet::named(name).expect("a snippet");
        let found = snippet.parameters.iter().find(|one| one.name == parameter).expect("a parameter");
        assert_eq!(found.default.value, Some(default), "{name}");
        assert_eq!(found.default.status != Status::Unverified, verified, "{name}");
    }
    let (out, ..) = said(&["recommend", "--timeout", "350s", "--for", "envoy,redis"]);
    assert!(out.contains("keepalive_time in s?, default the system's [Unverified: envoy]"), "{out}");
    assert!(flat(&out).contains("tcp-keepalive in s, default 300; 0 turns keepalives off"), "{out}");
}

/// Every number that is printed was simulated, also where a program cannot have the common ones.
#[test]
fn each_snippet_has_evidence_of_its_own() {
    for (stack, silences) in [("linux", ["60s", "350s", "2h"]), ("windows", ["60s", "240s", "1h"])] {
        for silence in silences {
            let document = recommended(&["--timeout", silence, "--stack", stack, "--for", "all"]);
            let silence_s = document["path"]["silence_s"].as_f64().expect("a silence");
            for snippet in document["snippets"].as_array().expect("snippets") {
                let place = format!("{} behind {silence} on {stack}", snippet["name"]);
                assert!(snippet["problem"].is_null(), "{place}: {}", snippet["problem"]);
                if let Some(every) = snippet["heartbeat_s"].as_f64() {
                    assert!(every > 0.0 && every < silence_s, "{place}");
                    continue;
                }
                let by_hz = snippet["evidence"]["by_hz"].as_array().expect("evidence");
                assert_eq!(by_hz.len(), if stack == "linux" { 4 } else { 1 }, "{place}");
                for kept in by_hz {
                    assert_eq!(kept["kept_with_loss"], kept["phases"], "{place}");
                    assert_eq!(kept["kept_without_loss"], kept["phases"], "{place}");
                    assert!(kept["longest_silence_s"].as_f64().expect("a time") < silence_s, "{place}");
                }
            }
        }
    }
}

#[test]
fn what_follows_from_one_value_follows() {
    let of = |name: &str| {
        let document = recommended(&["--timeout", "350s", "--for", name]);
        let settings = document["snippets"][0]["settings"].clone();
        let number = |key: &str| settings[key].as_f64().expect("a number");
        (number("idle_s"), number("interval_s"), number("count"))
    };
    let (idle, interval, count) = of("redis");
    assert_eq!((interval, count), ((idle / 3.0).floor(), 3.0));
    let (_, interval, count) = of("node");
    assert_eq!((interval, count), (1.0, 10.0));
    let document = recommended(&["--timeout", "350s", "--stack", "windows", "--for", "windows-registry"]);
    assert_eq!(document["snippets"][0]["settings"]["count"], 10);
}

#[test]
fn every_proxy_says_where_its_timeout_is_raised() {
    for product in Product::all().iter().filter(|product| product.class == Class::Proxy) {
        let dial = Dial::of(product).unwrap_or_else(|| panic!("{}", product.name));
        assert!(dial.parameter.value.is_some() && !dial.parameter.sources.is_empty());
    }
    for dial in Dial::all() {
        assert!(
            Product::named(dial.product).is_ok_and(|product| product.class == Class::Proxy),
            "{}",
            dial.product
        );
    }
}

#[test]
fn behind_a_proxy_only_what_sends_data_is_offered() {
    for (product, parameter) in [
        ("haproxy", "timeout client"),
        ("aws-alb", "idle_timeout.timeout_seconds"),
        ("nginx-stream", "proxy_timeout"),
    ] {
        let timeout = ["--timeout", "50s"];
        let arguments =
            [&["recommend", "--behind", product, "--for", "openssh,redis"][..], &timeout].concat();
        let (out, _, code) = said(&arguments);
        assert_eq!(code, 0, "{product}");
        let out = flat(&out);
        assert!(out.contains("Keepalive cannot help here"), "{out}");
        assert!(out.contains(parameter), "{out}");
        assert!(out.contains("ServerAliveInterval 25"), "{out}");
        assert!(out.contains("redis: Redis server nothing to set keepalives do not count here"), "{out}");
    }
    let document = recommended(&["--behind", "aws-alb"]);
    assert_eq!(document["keepalive_helps"], false);
    assert_eq!(document["path"]["class"], "proxy");
    assert!(document["settings"].is_null());
    assert_eq!(document["heartbeat_s"].as_f64(), Some(30.0));
    assert!(Snippet::all().any(|snippet| snippet.means == Means::Heartbeat));
}
