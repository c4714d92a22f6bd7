//! The catalogue of middleboxes, through the library and through the binary, and each product at work.
//!
//! The facts that are spelled out here were copied from the notes on each product, not from the table.

mod common;

use std::collections::BTreeSet;

use common::{keepscope, scratch, text};
use keepscope::product::Product;
use keepscope::product::value::{AtExpiry, Class, Configurable, NextPacket};
use keepscope::stack::Status;
use keepscope::time::Span;
use serde_json::Value;

fn shown(arguments: &[&str]) -> String {
    let all: Vec<&str> = ["products"].iter().chain(arguments).copied().collect();
    let output = keepscope(&all);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn json(arguments: &[&str]) -> Value {
    let all: Vec<&str> = arguments.iter().chain(&["--format", "json"]).copied().collect();
    serde_json::from_str(&shown(&all)).expect("valid JSON")
}

fn product(name: &str) -> &'static Product {
    Product::named(name).expect("a product")
}

/// Lines are wrapped, so compare the words.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn timeouts_are_those_of_the_notes() {
    let truth: &[(&str, Option<i64>, Status, bool)] = &[
        ("linux-conntrack", Some(432_000), Status::VerifiedBySource, false),
        ("openwrt", Some(7440), Status::Unverified, false),
        ("ipvs", Some(900), Status::VerifiedBySource, false),
        ("pf", Some(86_400), Status::Unverified, false),
        ("cisco-asa", Some(3600), Status::VerifiedBySource, false),
        ("palo-alto", Some(3600), Status::VerifiedBySource, false),
        ("fortigate", Some(3600), Status::VerifiedBySource, false),
        ("juniper-srx", Some(1800), Status::VerifiedBySource, false),
        ("juniper-ms", Some(30), Status::VerifiedBySource, false),
        ("check-point", Some(3600), Status::Unverified, false),
        ("aws-nlb", Some(350), Status::VerifiedBySource, false),
        ("aws-nlb-tls", Some(350), Status::VerifiedBySource, true),
        ("aws-nat-gateway", Some(350), Status::VerifiedBySource, false),
        ("aws-gwlb", Some(350), Status::VerifiedBySource, false),
        ("aws-security-group", Some(432_000), Status::VerifiedBySource, false),
        ("aws-security-group-v6", Some(350), Status::VerifiedBySource, false),
        ("aws-alb", Some(60), Status::VerifiedBySource, true),
        ("azure-lb", Some(240), Status::VerifiedBySource, false),
        ("azure-nat-gateway", Some(240), Status::VerifiedBySource, false),
        ("gcp-firewall", Some(600), Status::VerifiedBySource, false),
        ("gcp-cloud-nat", Some(1200), Status::VerifiedBySource, false),
        ("gcp-proxy-lb", Some(610), Status::Unverified, true),
        ("alibaba-slb", Some(900), Status::VerifiedBySource, false),
        ("oracle-nlb", Some(360), Status::VerifiedBySource, false),
        ("oci-lb", Some(65), Status::VerifiedBySource, true),
        ("ibm-public-gateway", Some(240), Status::VerifiedBySource, false),
        ("twilio-super-sim", Some(21_600), Status::VerifiedBySource, false),
        ("envoy", Some(3600), Status::VerifiedBySource, true),
        ("haproxy", None, Status::Measured, true),
        ("nginx", Some(75), Status::Unverified, true),
        ("nginx-stream", Some(600), Status::Unverified, true),
        ("cloudflare", Some(400), Status::Unverified, true),
    ];
    for (name, idle, status, proxy) in truth {
        let product = product(name);
        assert_eq!(product.idle(), idle.map(Span::from_secs), "{name}");
        assert_eq!(product.timers.idle.status, *status, "{name}");
        assert_eq!(product.class == Class::Proxy, *proxy, "{name}");
    }
}

#[test]
fn what_products_do_is_that_of_the_notes() {
    for product in Product::all() {
        let refreshes = product.refresh.keepalive.value;
        assert!(refreshes != Some(product.class == Class::Proxy), "{}: {refreshes:?}", product.name);
    }
    assert_eq!(product("alibaba-slb").expiry.sends.value, Some(AtExpiry::ResetBoth));
    assert_eq!(product("aws-nlb").expiry.next_outbound.value, Some(NextPacket::Reset));
    assert_eq!(product("aws-gwlb").expiry.next_outbound.value, Some(NextPacket::Dropped));
    assert_eq!(product("linux").expiry.next_outbound.value, Some(NextPacket::Recreated));
    assert_eq!(product("linux").expiry.next_inbound.status, Status::Measured);
    assert_eq!(product("gcp").expiry.next_inbound.value, Some(NextPacket::Dropped));
    let between =
        |least, most| Configurable::Between { least: Span::from_secs(least), most: Span::from_secs(most) };
    assert_eq!(product("nlb").timers.configurable.value, Some(between(60, 6000)));
    assert_eq!(product("fortios").timers.configurable.value, Some(between(300, 604_800)));
    assert_eq!(product("azure").timers.configurable.value, Some(between(240, 6000)));
    assert_eq!(product("aws-nat-gateway").timers.configurable.value, Some(Configurable::Fixed));
    assert_eq!(product("pf").timers.sweep.value, Some(Span::from_secs(10)));
    assert_eq!(product("gcp-cloud-nat").timers.opening.value, Some(Span::from_secs(30)));
}

#[test]
fn nothing_is_said_without_a_source() {
    for product in Product::all() {
        for group in product.groups() {
            for cell in group.cells {
                let place = format!("{} {}.{}", product.name, group.name, cell.column);
                assert!(cell.value.is_none() || !cell.sources.is_empty(), "{place}: no source");
                assert!(
                    cell.value.is_some() || cell.status == Status::Unverified,
                    "{place}: unknown yet trusted"
                );
                for source in cell.sources {
                    assert!(!source.reference.contains("/work"), "{place}");
                }
            }
        }
    }
}

#[test]
fn names_are_told_apart() {
    let mut names = BTreeSet::new();
    for product in Product::all() {
        for name in std::iter::once(&product.name).chain(product.aliases) {
            assert!(names.insert(*name), "{name} is given twice");
            assert_eq!(Product::named(&name.to_uppercase()).expect("a product").name, product.name);
        }
    }
}

#[test]
fn timeouts_by_default_are_a_sorted_list() {
    let timeouts = Product::idle_timeouts();
    assert!(timeouts.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let of = |seconds| {
        let found = timeouts.iter().find(|(idle, _)| *idle == Span::from_secs(seconds));
        found.map(|(_, products)| products.iter().map(|product| product.name).collect::<Vec<_>>())
    };
    assert_eq!(
        of(350),
        Some(vec!["aws-nlb", "aws-nlb-tls", "aws-nat-gateway", "aws-gwlb", "aws-security-group-v6"])
    );
    assert_eq!(of(7440), Some(vec!["openwrt"]));
    assert_eq!(of(351), None);
}

#[test]
fn the_document_has_every_column_of_every_product() {
    let document = json(&[]);
    assert_eq!(document["schema"], "keepscope.products/1");
    let products = document["products"].as_array().expect("products");
    assert_eq!(products.len(), Product::all().len());
    for (row, product) in products.iter().zip(Product::all()) {
        assert_eq!(row["name"], product.name);
        assert_eq!(row["class"], product.class.name());
        for group in product.groups() {
            for shown in group.cells {
                let cell = &row[group.name][shown.column];
                let place = format!("{} {}.{}", product.name, group.name, shown.column);
                assert_eq!(cell["status"], shown.status.name(), "{place}");
                assert_eq!(
                    cell["sources"].as_array().expect("sources").len(),
                    shown.sources.len(),
                    "{place}"
                );
                let is_known = ["value", "value_s"].iter().any(|key| !cell[*key].is_null());
                assert_eq!(is_known, shown.value.is_some(), "{place}");
            }
        }
    }
    let nlb = json(&["nlb"]);
    assert_eq!(nlb["products"].as_array().map(Vec::len), Some(1));
    assert_eq!(nlb["products"][0]["timers"]["idle"]["value_s"], 350.0);
    assert_eq!(nlb["products"][0]["timers"]["configurable"]["value"]["most_s"], 6000.0);
    assert_eq!(nlb["idle_timeouts"], document["idle_timeouts"]);
    assert!(shown(&["nlb", "--format", "json"]).contains("\"value_s\": 350.000000000"));
}

#[test]
fn text_fits_in_a_hundred_columns_and_says_where_it_is_from() {
    let all = shown(&[]);
    let line = |name: &str| {
        let found = all.lines().find(|line| line.split_whitespace().next() == Some(name));
        flat(found.unwrap_or_else(|| panic!("{name}")))
    };
    assert_eq!(line("aws-nlb"), "aws-nlb 350 s 60 to 6000 s yes nothing? RST");
    assert_eq!(line("linux-conntrack"), "linux-conntrack 432000 s yes yes nothing a new mapping");
    assert_eq!(line("haproxy"), "haproxy config yes no FIN ?");
    assert_eq!(line("cloudflare"), "cloudflare 400 s? ? no? ? ?");
    assert!(flat(&all).contains("Idle timeouts by default: 30, 60, 65, 75, 240, 350, 360, "));
    for name in [None].into_iter().chain(Product::all().iter().map(|product| Some(product.name))) {
        let text = name.map_or_else(|| all.clone(), |name| shown(&[name]));
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{name:?}: {line}");
            assert_eq!(line.trim_end(), line, "{name:?}: {line:?}");
        }
    }
    let words = flat(&shown(&["fortigate"]));
    assert!(words.contains("can be set to 300 to 604800 s [Verified by source: fortios-cli]"), "{words}");
    assert!(words.contains("packets from both sides, or one if it is set so"), "{words}");
    assert!(words.contains("handshake unknown [Unverified]"), "{words}");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    for (name, suggested) in [("aws-nbl", "aws-nlb"), ("fortigat", "fortigate"), ("azur", "azure")] {
        let output = keepscope(&["products", name]);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let message = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(message.starts_with("keepscope: error: ") && message.contains(suggested), "{message}");
    }
    let output = keepscope(&["products", "zzzzzzzz"]);
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(message.contains("lists all names"), "{message}");
}

/// Every product on a path: a client that probes in time keeps its connection through every packet tracker; a
/// proxy closes it at its time.
#[test]
fn every_product_can_be_simulated() {
    let folder = scratch("products");
    for product in Product::all() {
        let configured = product.idle().is_none();
        let idle = product.idle().unwrap_or(Span::from_secs(30)).as_nanos() / 1_000_000_000;
        let timeouts = if configured { "timeout_client = \"30s\"\ntimeout_server = \"30s\"\n" } else { "" };
        let scenario = format!(
            "title = \"{name}\"\nlength = \"{length}s\"\npath = [\"lan\", \"box\", \"core\"]\n\
             [client]\nstack = \"linux\"\nidle = \"{probe}s\"\ninterval = \"{probe}s\"\ncount = 9\n\
             [link.lan]\ndelay = \"1ms\"\n[link.core]\ndelay = \"1ms\"\n\
             [box.box]\nproduct = \"{name}\"\n{timeouts}",
            name = product.name,
            // Of days a few hours will do.
            length = (idle * 2 + 20).min(7220),
            probe = (idle / 4).clamp(1, 900),
        );
        let path = folder.join(format!("{}.toml", product.name));
        std::fs::write(&path, scenario).expect("a scenario");
        let output = keepscope(&["simulate", text(&path), "--format", "json"]);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {complaint}", product.name);
        let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let client = &result["ends"][0];
        match product.class {
            Class::PacketTracker => assert_eq!(client["outcome"], "open", "{}", product.name),
            Class::Proxy => {
                assert_eq!(client["outcome"], "in_order", "{}", product.name);
                let after = client["at_s"].as_f64().expect("a time") - idle as f64;
                assert!((0.0..0.1).contains(&after), "{}: {after} s after its time", product.name);
            }
        }
        // What nobody knows is assumed, and said so.
        let unknown = product.class == Class::PacketTracker && product.refresh.keepalive.value.is_none();
        let assumed = result["assumed"].as_array().expect("what is assumed");
        let said = assumed.iter().any(|line| line.to_string().contains("keepalive"));
        assert_eq!(unknown, said, "{}: {assumed:?}", product.name);
    }
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}
