//! Simulated boxes: against their rules, against a real netfilter and a real HAProxy, and against anything at all.

mod common;
#[path = "middlebox/conntrack.rs"]
mod conntrack;
#[path = "middlebox/flows.rs"]
mod flows;
#[path = "middlebox/haproxy.rs"]
mod haproxy;
#[path = "middlebox/kit.rs"]
mod kit;
#[path = "middlebox/properties.rs"]
mod properties;
#[path = "middlebox/rules.rs"]
mod rules;
