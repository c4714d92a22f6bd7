//! Every product of the catalogue, in both directions, with a partner and without.

use std::collections::BTreeMap;

use keepscope::product::Product;
use keepscope::search::{AtExpiry, By, Owner, Verdict, Wanted, Way};
use keepscope::simulate::idle::Path;

use crate::kit::{Searched, alone, partner, scenario, search, secs};

/// Products that make a forgotten mapping anew from the client's next packet, so that no outbound probe shows
/// what happened: Linux and what is built on it, and what Google documents of its firewall.
const RECREATES: [&str; 4] = ["linux-conntrack", "openwrt", "mikrotik", "gcp-firewall"];

/// Those that end the client's connection themselves.
const PROXIES: [&str; 9] = [
    "aws-nlb-tls",
    "aws-alb",
    "aws-classic-elb",
    "gcp-proxy-lb",
    "oci-lb",
    "nginx",
    "nginx-stream",
    "envoy",
    "cloudflare",
];

fn through(product: &str, extra: &str) -> Path {
    scenario(&format!(
        "path = [\"lan\", \"box\", \"core\"]\n[link.lan]\ndelay = \"1ms\"\n[link.core]\ndelay = \"10ms\"\n\
         [box.box]\nproduct = \"{product}\"\n{extra}"
    ))
}

/// A question with room above the product's timeout.
fn reaching(wanted: Wanted, idle: i64) -> Wanted {
    Wanted { max: secs((idle + idle / 5).max(7440)), ..wanted }
}

/// The interval holds the timeout; what packets show of it at the hosts differs from what the box sees by less
/// than a round trip.
fn holds(searched: &Searched, idle: i64, sweep: i64) -> bool {
    let round_trip = 0.05;
    let (from, to) = searched.interval().unwrap_or((f64::NAN, f64::NAN));
    from <= idle as f64 + sweep as f64 + round_trip && to >= idle as f64 - round_trip
}

/// ±1 %, or ±1 s.
fn is_narrow(searched: &Searched, idle: i64) -> bool {
    let (from, to) = searched.interval().unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
    to - from <= (0.02 * idle as f64).max(2.0) + 0.1
}

fn timeouts() -> BTreeMap<&'static str, i64> {
    let all = Product::all().iter();
    all.filter_map(|product| Some((product.name, product.idle()?.as_nanos() / 1_000_000_000))).collect()
}

#[test]
fn inbound_probes_find_the_timeout_of_every_product() {
    let all = timeouts();
    assert!(all.len() > 28, "{}", all.len());
    for (name, idle) in all {
        let sweep = if name == "pf" { 10 } else { 0 };
        let searched = search(&through(name, ""), reaching(partner(Way::In), idle), 1);
        let said = format!("{name} {idle}: {}", searched.said());
        let found = &searched.found;
        assert_eq!(found.verdict, Verdict::Found, "{said}");
        assert!(holds(&searched, idle, sweep) && is_narrow(&searched, idle + sweep), "{said}");
        assert_eq!(found.by, By::Path, "{said}");
        assert_eq!(found.owner == Owner::Proxy, PROXIES.contains(&name), "{said}");
        assert!(found.products.iter().any(|(fits, _)| *fits == name), "{said}");
        assert!(searched.wall <= 1.1 * (idle + sweep) as f64 + 15.0, "{said}");
    }
}

#[test]
fn outbound_probes_find_it_where_the_box_does_not_make_the_mapping_anew() {
    for (name, idle) in timeouts() {
        let sweep = if name == "pf" { 10 } else { 0 };
        for wanted in [partner(Way::Out), alone()] {
            let has_partner = wanted.partner;
            let searched = search(&through(name, ""), reaching(wanted, idle), 2);
            let said = format!("{name} {idle}, partner {has_partner}: {}", searched.said());
            let found = &searched.found;
            if RECREATES.contains(&name) {
                assert_eq!(found.verdict, Verdict::CannotKnow, "{said}");
                assert!(found.longest_alive >= Some(secs(idle)), "{said}");
                assert!(found.products.is_empty(), "what cannot be known names no product: {said}");
                continue;
            }
            // A proxy that closes is the far end, for all that who is alone can see.
            if PROXIES.contains(&name) && !has_partner {
                let Verdict::EndedByPeer { after } = found.verdict else { panic!("{said}") };
                assert!((after.as_nanos() - secs(idle).as_nanos()).abs() < 100_000_000, "{said}");
                continue;
            }
            assert_eq!(found.verdict, Verdict::Found, "{said}");
            assert!(holds(&searched, idle, sweep) && is_narrow(&searched, idle + sweep), "{said}");
            assert!(searched.wall <= 1.1 * (idle + sweep) as f64 + 15.0, "{said}");
        }
    }
}

/// A proxy that has no timeout until somebody sets one.
#[test]
fn a_configured_proxy_is_found_as_a_proxy() {
    let extra = "timeout_client = \"20s\"\ntimeout_server = \"20s\"\n";
    let searched = search(&through("haproxy", extra), partner(Way::In), 1);
    let said = searched.said();
    assert_eq!(searched.found.verdict, Verdict::Found, "{said}");
    assert!(holds(&searched, 20, 0), "{said}");
    assert_eq!(searched.found.owner, Owner::Proxy, "{said}");
    assert_eq!(searched.found.at_expiry, AtExpiry::Fin, "{said}");
}
