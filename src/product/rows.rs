//! The rows of the catalogue, one file per family.
//!
//! Owns the order of the rows and what a row says where nobody knows anything.

use super::value::{Class, Idle, Position};
use super::{Expiry, Product, Refresh, Timers};
use crate::stack::{Cell, Source};
use crate::time::Span;

mod aws;
mod cloud;
mod firewall;
mod linux;
mod proxy;

/// All rows.
pub(super) const ALL: &[&Product] = &[
    &linux::CONNTRACK,
    &linux::OPENWRT,
    &linux::MIKROTIK,
    &linux::IPVS,
    &firewall::PF,
    &firewall::CISCO_ASA,
    &firewall::PALO_ALTO,
    &firewall::FORTIGATE,
    &firewall::JUNIPER_SRX,
    &firewall::JUNIPER_MS,
    &firewall::CHECK_POINT,
    &aws::NLB,
    &aws::NLB_TLS,
    &aws::NAT_GATEWAY,
    &aws::GWLB,
    &aws::SECURITY_GROUP,
    &aws::SECURITY_GROUP_V6,
    &aws::ALB,
    &aws::CLASSIC_ELB,
    &cloud::AZURE_LB,
    &cloud::AZURE_NAT,
    &cloud::AZURE_FIREWALL,
    &cloud::GCP_FIREWALL,
    &cloud::GCP_NAT,
    &cloud::GCP_PASSTHROUGH,
    &cloud::GCP_PROXY,
    &cloud::ALIBABA_SLB,
    &cloud::ORACLE_NLB,
    &cloud::OCI_LB,
    &cloud::IBM_GATEWAY,
    &cloud::TWILIO_SIM,
    &proxy::HAPROXY,
    &proxy::NGINX,
    &proxy::NGINX_STREAM,
    &proxy::ENVOY,
    &proxy::CLOUDFLARE,
];

impl Product {
    /// A packet tracker of which nothing is known, not even its name.
    const TRACKER: Product = Product {
        name: "",
        title: "",
        aliases: &[],
        class: Class::PacketTracker,
        position: Position::Firewall,
        timers: Timers::UNKNOWN,
        expiry: Expiry::UNKNOWN,
        refresh: Refresh::UNKNOWN,
        note: "",
    };

    /// The same of a proxy.
    const PROXY: Product = Product { class: Class::Proxy, position: Position::Proxy, ..Product::TRACKER };
}

impl Timers {
    const UNKNOWN: Timers = Timers {
        idle: Cell::UNKNOWN,
        configurable: Cell::UNKNOWN,
        opening: Cell::UNKNOWN,
        half_closed: Cell::UNKNOWN,
        closed: Cell::UNKNOWN,
        sweep: Cell::UNKNOWN,
    };
}

impl Expiry {
    const UNKNOWN: Expiry = Expiry {
        sends: Cell::UNKNOWN,
        next_outbound: Cell::UNKNOWN,
        next_inbound: Cell::UNKNOWN,
        ports: Cell::UNKNOWN,
    };
}

impl Refresh {
    const UNKNOWN: Refresh = Refresh { keepalive: Cell::UNKNOWN, direction: Cell::UNKNOWN };

    /// A keepalive without payload starts the timer anew, or does not; the rest is unknown.
    const fn by_keepalive(keepalive: Cell<bool>) -> Refresh {
        Refresh { keepalive, ..Refresh::UNKNOWN }
    }
}

const fn secs(seconds: i64) -> Span {
    Span::from_secs(seconds)
}

/// A timeout by default that a source says.
const fn idle(seconds: i64, sources: &'static [Source]) -> Cell<Idle> {
    Cell::verified(Idle::Is(secs(seconds)), sources)
}

/// A timeout by default that nobody has verified.
const fn reported_idle(seconds: i64, sources: &'static [Source]) -> Cell<Idle> {
    Cell::reported(Idle::Is(secs(seconds)), sources)
}
