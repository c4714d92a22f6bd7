//! Amazon Web Services.

use super::{idle, secs};
use crate::product::source::{BELIEVED, EC2_API, ELB_ALB, ELB_NLB, GWLB_API, INGRESS_5695, VPC_NAT};
use crate::product::value::{AtExpiry, Configurable, NextPacket, Position, RefreshedBy};
use crate::product::{Expiry, Product, Refresh, Timers};
use crate::stack::Cell;

/// What can be set per listener.
const PER_LISTENER: Configurable = Configurable::Between { least: secs(60), most: secs(6000) };

pub(super) const NLB: Product = Product {
    name: "aws-nlb",
    title: "AWS Network Load Balancer, TCP listener",
    aliases: &["nlb"],
    position: Position::LoadBalancer,
    timers: Timers {
        idle: idle(350, &[ELB_NLB]),
        configurable: Cell::verified(PER_LISTENER, &[ELB_NLB]).note("for each listener"),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::reported(AtExpiry::Nothing, &[INGRESS_5695]),
        next_outbound: Cell::verified(NextPacket::Reset, &[ELB_NLB, INGRESS_5695]),
        next_inbound: Cell::verified(NextPacket::Reset, &[ELB_NLB, INGRESS_5695]),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh {
        keepalive: Cell::verified(true, &[ELB_NLB]),
        direction: Cell::verified(RefreshedBy::Both, &[ELB_NLB]),
    },
    ..Product::TRACKER
};

pub(super) const NLB_TLS: Product = Product {
    name: "aws-nlb-tls",
    title: "AWS Network Load Balancer, TLS listener",
    aliases: &["nlb-tls"],
    timers: Timers {
        idle: idle(350, &[ELB_NLB]),
        configurable: Cell::verified(Configurable::Fixed, &[ELB_NLB]),
        ..Timers::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::verified(false, &[ELB_NLB]).note("keepalives have no payload")),
    note: "It ends the connection of the client for TLS, so it is a proxy here.",
    ..Product::PROXY
};

pub(super) const NAT_GATEWAY: Product = Product {
    name: "aws-nat-gateway",
    title: "AWS NAT gateway",
    aliases: &["nat-gateway"],
    position: Position::Nat,
    timers: Timers {
        idle: idle(350, &[VPC_NAT]),
        configurable: Cell::verified(Configurable::Fixed, &[VPC_NAT]),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::verified(AtExpiry::Nothing, &[VPC_NAT]).note("no FIN, as a NAT instance would send"),
        next_outbound: Cell::verified(NextPacket::Reset, &[VPC_NAT]),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::verified(true, &[VPC_NAT])),
    ..Product::TRACKER
};

pub(super) const GWLB: Product = Product {
    name: "aws-gwlb",
    title: "AWS Gateway Load Balancer, Network Firewall",
    aliases: &["gwlb", "aws-network-firewall"],
    timers: Timers {
        idle: idle(350, &[GWLB_API]),
        configurable: Cell::verified(PER_LISTENER, &[GWLB_API]),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::verified(AtExpiry::Nothing, &[GWLB_API]),
        next_outbound: Cell::verified(NextPacket::Dropped, &[GWLB_API]).note("until a new SYN"),
        next_inbound: Cell::verified(NextPacket::Dropped, &[GWLB_API]),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::verified(true, &[GWLB_API])),
    ..Product::TRACKER
};

pub(super) const SECURITY_GROUP: Product = Product {
    name: "aws-security-group",
    title: "AWS EC2 security group, connection tracking",
    aliases: &["aws-ec2", "security-group"],
    timers: Timers {
        idle: idle(432_000, &[EC2_API]).note("see aws-security-group-v6 for instances on Nitro v6"),
        configurable: Cell::verified(
            Configurable::Between { least: secs(60), most: secs(432_000) },
            &[EC2_API],
        ),
        ..Timers::UNKNOWN
    },
    expiry: Expiry { sends: Cell::reported(AtExpiry::Nothing, &[BELIEVED]), ..Expiry::UNKNOWN },
    refresh: Refresh::by_keepalive(Cell::reported(true, &[BELIEVED])),
    ..Product::TRACKER
};

pub(super) const SECURITY_GROUP_V6: Product = Product {
    name: "aws-security-group-v6",
    title: "AWS EC2 security group on Nitro v6",
    aliases: &["aws-nitro-v6"],
    timers: Timers { idle: idle(350, &[EC2_API]).note("432000 on P6e-GB200"), ..SECURITY_GROUP.timers },
    ..SECURITY_GROUP
};

pub(super) const ALB: Product = Product {
    name: "aws-alb",
    title: "AWS Application Load Balancer",
    aliases: &["alb"],
    timers: Timers {
        idle: idle(60, &[ELB_ALB]),
        configurable: Cell::reported(Configurable::Between { least: secs(1), most: secs(4000) }, &[BELIEVED]),
        ..Timers::UNKNOWN
    },
    expiry: Expiry { sends: Cell::verified(AtExpiry::Closes, &[ELB_ALB]), ..Expiry::UNKNOWN },
    refresh: Refresh::by_keepalive(
        Cell::reported(false, &[BELIEVED])
            .note("a proxy by construction; HTTP/2 PING does not either (elb-alb)"),
    ),
    ..Product::PROXY
};

pub(super) const CLASSIC_ELB: Product = Product {
    name: "aws-classic-elb",
    title: "AWS Classic Load Balancer",
    aliases: &["elb", "classic-elb"],
    refresh: Refresh::by_keepalive(
        Cell::verified(false, &[ELB_ALB]).note("\"TCP keep-alive probes carry no payload\""),
    ),
    ..ALB
};
