//! Linux and what is made of it.

use super::{idle, reported_idle, secs};
use crate::product::source::{
    BELIEVED, IPVS_TCP, K8S_84041, KUBE_ROUTER_521, MOBY_29655, MOBY_31208, NF_MEASURED, NF_SYSCTL, NF_TCP,
};
use crate::product::value::{AtExpiry, Configurable, NextPacket, PortChoice, Position, RefreshedBy};
use crate::product::{Expiry, Product, Refresh, Timers};
use crate::stack::Cell;

/// What netfilter does, whoever chose its timers.
const EXPIRY: Expiry = Expiry {
    sends: Cell::measured(AtExpiry::Nothing, &[NF_MEASURED]),
    next_outbound: Cell::measured(NextPacket::Recreated, &[NF_MEASURED])
        .note("nf_conntrack_tcp_loose = 1, the default; with 0 it passes untranslated or rules drop it"),
    next_inbound: Cell::measured(NextPacket::Reset, &[NF_MEASURED])
        .note("a NAT's own TCP sends it, with a TTL that was not counted down; with INPUT dropped: silence"),
    ports: Cell::measured(PortChoice::Preserved, &[NF_MEASURED])
        .note("so the client never learns of the expiry; masquerade random changes it"),
};

const REFRESH: Refresh = Refresh {
    keepalive: Cell::measured(true, &[NF_MEASURED, NF_TCP])
        .note("the fourth one that nothing answers shortens the timer to 300 s"),
    direction: Cell::measured(RefreshedBy::Both, &[NF_MEASURED]),
};

pub(super) const CONNTRACK: Product = Product {
    name: "linux-conntrack",
    title: "Linux netfilter (iptables, nftables)",
    aliases: &["linux", "conntrack", "netfilter", "iptables", "nftables", "linux-nat", "kube-proxy"],
    position: Position::Nat,
    timers: Timers {
        idle: idle(432_000, &[NF_SYSCTL]).note("kube-proxy sets 86400"),
        configurable: Cell::verified(Configurable::Yes, &[NF_SYSCTL])
            .note("nf_conntrack_tcp_timeout_established; 300 at most while data is not acknowledged"),
        opening: Cell::verified(secs(120), &[NF_SYSCTL]).note("60 once the SYN is answered"),
        half_closed: Cell::verified(secs(120), &[NF_SYSCTL]).note("60 once the FIN is acknowledged"),
        closed: Cell::verified(secs(120), &[NF_SYSCTL]).note("10 after a RST"),
        sweep: Cell::unknown("none that shows: the time is compared with each packet", &[NF_MEASURED]),
    },
    expiry: EXPIRY,
    refresh: REFRESH,
    note: "A packet below the window passes and starts no timer; one that dies of its TTL here does start it.",
    ..Product::TRACKER
};

pub(super) const OPENWRT: Product = Product {
    name: "openwrt",
    title: "OpenWrt",
    timers: Timers { idle: reported_idle(7440, &[BELIEVED]), ..CONNTRACK.timers },
    aliases: &["lede"],
    note: "Linux netfilter with another timer.",
    ..CONNTRACK
};

pub(super) const MIKROTIK: Product = Product {
    name: "mikrotik",
    title: "MikroTik RouterOS",
    aliases: &["routeros"],
    timers: Timers { idle: reported_idle(86_400, &[BELIEVED]), ..Timers::UNKNOWN },
    refresh: Refresh::by_keepalive(Cell::reported(true, &[BELIEVED])),
    expiry: Expiry { sends: Cell::reported(AtExpiry::Nothing, &[BELIEVED]), ..Expiry::UNKNOWN },
    note: "Linux inside.",
    ..CONNTRACK
};

pub(super) const IPVS: Product = Product {
    name: "ipvs",
    title: "Linux IPVS (kube-proxy in ipvs mode, Docker Swarm VIP)",
    aliases: &["kube-proxy-ipvs", "docker-swarm", "lvs", "swarm"],
    position: Position::LoadBalancer,
    timers: Timers {
        idle: idle(900, &[IPVS_TCP]).note("ipvsadm --set, kube-proxy --ipvs-tcp-timeout"),
        configurable: Cell::verified(Configurable::Yes, &[IPVS_TCP]),
        half_closed: Cell::verified(secs(120), &[IPVS_TCP, MOBY_29655])
            .note("60 where the client closed first, which cuts off what it still waits for"),
        sweep: Cell::unknown("910 to 920 s instead of 901 to 903 were seen on one machine", &[MOBY_31208]),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::reported(AtExpiry::Nothing, &[K8S_84041, MOBY_31208]),
        next_outbound: Cell::reported(NextPacket::Reset, &[KUBE_ROUTER_521]).note(
            "only a SYN makes an entry, so the node's own stack answers; elsewhere it hangs (moby-37466)",
        ),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::reported(true, &[K8S_84041, MOBY_31208])),
    note: "",
    ..Product::TRACKER
};
