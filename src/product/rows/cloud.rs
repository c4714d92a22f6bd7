//! Other clouds.

use super::{idle, reported_idle, secs};
use crate::product::source;
use crate::product::value::{AtExpiry, Configurable, NextPacket, Position};
use crate::product::{Expiry, Product, Refresh, Timers};
use crate::stack::Cell;

pub(super) const AZURE_LB: Product = Product {
    name: "azure-lb",
    title: "Azure Load Balancer",
    aliases: &["azure-load-balancer", "azure"],
    position: Position::LoadBalancer,
    timers: Timers {
        idle: idle(240, &[source::AZURE_LB]),
        configurable: Cell::verified(
            Configurable::Between { least: secs(240), most: secs(6000) },
            &[source::AZURE_LB],
        )
        .note("4 to 100 minutes; older pages say 30"),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::verified(AtExpiry::Nothing, &[source::AZURE_LB])
            .note("with TCP reset on: RST to both ends, if established, not on internal HA ports"),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::verified(true, &[source::AZURE_LB])),
    ..Product::TRACKER
};

pub(super) const AZURE_NAT: Product = Product {
    name: "azure-nat-gateway",
    title: "Azure NAT gateway",
    aliases: &["azure-nat"],
    position: Position::Nat,
    timers: Timers {
        idle: idle(240, &[source::AZURE_NAT]),
        configurable: Cell::verified(
            Configurable::Between { least: secs(240), most: secs(7200) },
            &[source::AZURE_NAT],
        )
        .note("4 to 120 minutes"),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::verified(AtExpiry::Nothing, &[source::AZURE_NAT])
            .note("the port becomes free for others"),
        next_outbound: Cell::reported(NextPacket::Reset, &[source::BELIEVED]),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::verified(true, &[source::AZURE_NAT]).note("recommended there")),
    ..Product::TRACKER
};

pub(super) const AZURE_FIREWALL: Product = Product {
    name: "azure-firewall",
    title: "Azure Firewall",
    aliases: &[],
    timers: Timers {
        idle: reported_idle(240, &[source::AZURE_FIREWALL]).note("to the Internet; 300 between networks"),
        configurable: Cell::reported(
            Configurable::Between { least: secs(240), most: secs(1800) },
            &[source::AZURE_FIREWALL],
        )
        .note("on request"),
        ..Timers::UNKNOWN
    },
    expiry: Expiry { sends: Cell::reported(AtExpiry::ResetBoth, &[source::BELIEVED]), ..Expiry::UNKNOWN },
    ..Product::TRACKER
};

pub(super) const GCP_FIREWALL: Product = Product {
    name: "gcp-firewall",
    title: "Google Cloud VPC firewall",
    aliases: &["gcp-vpc", "gcp"],
    timers: Timers {
        idle: idle(600, &[source::GCP_TROUBLE]),
        configurable: Cell::verified(Configurable::Fixed, &[source::GCP_TROUBLE]),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::verified(AtExpiry::Nothing, &[source::GCP_TROUBLE]),
        next_outbound: Cell::verified(NextPacket::Recreated, &[source::GCP_TROUBLE]),
        next_inbound: Cell::verified(NextPacket::Dropped, &[source::GCP_TROUBLE])
            .note("until a new packet goes out"),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh::by_keepalive(
        Cell::verified(true, &[source::GCP_TROUBLE]).note("the page advises less than 600 s, say 60"),
    ),
    ..Product::TRACKER
};

pub(super) const GCP_NAT: Product = Product {
    name: "gcp-cloud-nat",
    title: "Google Cloud NAT",
    aliases: &["cloud-nat", "gcp-nat"],
    position: Position::Nat,
    timers: Timers {
        idle: idle(1200, &[source::GCP_NAT_API]),
        configurable: Cell::verified(Configurable::Yes, &[source::GCP_NAT_API]),
        opening: Cell::verified(secs(30), &[source::GCP_NAT_API]).note("transitory"),
        half_closed: Cell::verified(secs(30), &[source::GCP_NAT_API]).note("transitory"),
        closed: Cell::verified(secs(120), &[source::GCP_NAT_API]).note("time wait"),
        sweep: Cell::UNKNOWN,
    },
    expiry: Expiry { sends: Cell::reported(AtExpiry::Nothing, &[source::GCP_REPORT]), ..Expiry::UNKNOWN },
    refresh: Refresh::by_keepalive(Cell::reported(true, &[source::BELIEVED])),
    ..Product::TRACKER
};

pub(super) const GCP_PASSTHROUGH: Product = Product {
    name: "gcp-passthrough-lb",
    title: "Google Cloud passthrough load balancer",
    aliases: &["gcp-network-lb"],
    position: Position::LoadBalancer,
    timers: Timers { idle: reported_idle(600, &[source::BELIEVED]), ..Timers::UNKNOWN },
    refresh: Refresh::by_keepalive(Cell::reported(true, &[source::BELIEVED])),
    ..Product::TRACKER
};

pub(super) const GCP_PROXY: Product = Product {
    name: "gcp-proxy-lb",
    title: "Google Cloud proxy load balancer",
    aliases: &["gcp-http-lb"],
    timers: Timers {
        idle: reported_idle(610, &[source::BELIEVED]).note("HTTP keepalive"),
        ..Timers::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::reported(false, &[source::BELIEVED])),
    ..Product::PROXY
};

pub(super) const ALIBABA_SLB: Product = Product {
    name: "alibaba-slb",
    title: "Alibaba Cloud SLB, layer 4",
    aliases: &["alibaba", "aliyun-slb"],
    position: Position::LoadBalancer,
    timers: Timers {
        idle: idle(900, &[source::ALIYUN]),
        configurable: Cell::verified(
            Configurable::Between { least: secs(10), most: secs(900) },
            &[source::ALIYUN],
        ),
        ..Timers::UNKNOWN
    },
    expiry: Expiry { sends: Cell::verified(AtExpiry::ResetBoth, &[source::ALIYUN]), ..Expiry::UNKNOWN },
    refresh: Refresh::by_keepalive(Cell::reported(true, &[source::BELIEVED])),
    ..Product::TRACKER
};

pub(super) const ORACLE_NLB: Product = Product {
    name: "oracle-nlb",
    title: "Oracle Cloud network load balancer",
    aliases: &["oci-nlb"],
    position: Position::LoadBalancer,
    timers: Timers {
        idle: idle(360, &[source::OCI]),
        configurable: Cell::verified(Configurable::Yes, &[source::OCI]).note("by CLI or API"),
        ..Timers::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::reported(true, &[source::BELIEVED])),
    ..Product::TRACKER
};

pub(super) const OCI_LB: Product = Product {
    name: "oci-lb",
    title: "Oracle Cloud load balancer",
    aliases: &["oracle-lb"],
    timers: Timers {
        idle: idle(65, &[source::OCI]).note("towards the client; 300 towards the backend"),
        ..Timers::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::reported(false, &[source::BELIEVED])),
    ..Product::PROXY
};

pub(super) const IBM_GATEWAY: Product = Product {
    name: "ibm-public-gateway",
    title: "IBM Cloud VPC public gateway",
    aliases: &["ibm-vpc"],
    position: Position::Nat,
    timers: Timers { idle: idle(240, &[source::IBM_BLOG]), ..Timers::UNKNOWN },
    expiry: Expiry { sends: Cell::reported(AtExpiry::Nothing, &[source::BELIEVED]), ..Expiry::UNKNOWN },
    refresh: Refresh::by_keepalive(Cell::reported(true, &[source::BELIEVED])),
    ..Product::TRACKER
};

pub(super) const TWILIO_SIM: Product = Product {
    name: "twilio-super-sim",
    title: "Twilio Super SIM, NAT",
    aliases: &["twilio"],
    position: Position::Nat,
    timers: Timers { idle: idle(21_600, &[source::TWILIO]), ..Timers::UNKNOWN },
    ..Product::TRACKER
};
