//! Firewalls of networks.

use super::{idle, secs};
use crate::product::source::{
    ASA_GUIDE, BELIEVED, CHECKMATES, CISCO_FORUM, FORTIOS_CLI, JUNOS, JUNOS_FORUM, PANOS_FORUM, PANOS_KB,
    PF_HELP,
};
use crate::product::value::{AtExpiry, Configurable, Idle, NextPacket, RefreshedBy};
use crate::product::{Expiry, Product, Refresh, Timers};
use crate::stack::Cell;

pub(super) const PF: Product = Product {
    name: "pf",
    title: "OpenBSD and FreeBSD pf (pfSense, OPNsense)",
    aliases: &["openbsd", "freebsd", "pfsense", "opnsense"],
    timers: Timers {
        idle: Cell::reported(Idle::Is(secs(86_400)), &[PF_HELP])
            .note("all timers shrink as the table fills, from adaptive.start states to adaptive.end"),
        configurable: Cell::reported(Configurable::Yes, &[PF_HELP]).note("set timeout tcp.established"),
        sweep: Cell::reported(secs(10), &[PF_HELP]).note("set timeout interval"),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::reported(AtExpiry::Nothing, &[BELIEVED]),
        next_outbound: Cell::reported(NextPacket::Dropped, &[PF_HELP])
            .note("rules let in SYNs only (flags S/SA); RST with block-policy return"),
        next_inbound: Cell::reported(NextPacket::Dropped, &[PF_HELP]).note("RST with block-policy return"),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh::by_keepalive(
        Cell::reported(true, &[BELIEVED]).note("sloppy state does not look at sequence numbers"),
    ),
    ..Product::TRACKER
};

pub(super) const CISCO_ASA: Product = Product {
    name: "cisco-asa",
    title: "Cisco ASA",
    aliases: &["asa", "cisco"],
    timers: Timers {
        idle: idle(3600, &[ASA_GUIDE]),
        configurable: Cell::verified(Configurable::Yes, &[ASA_GUIDE]).note("timeout conn"),
        half_closed: Cell::verified(secs(600), &[ASA_GUIDE]),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::verified(AtExpiry::Nothing, &[ASA_GUIDE, CISCO_FORUM])
            .note("with reset: RST to both ends"),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::reported(true, &[CISCO_FORUM])),
    note: "Dead connection detection: at the end of the timer it probes both ends itself (SEQ-1, no octets, 5 \
           times 15 s) and keeps the connection if both answer.",
    ..Product::TRACKER
};

pub(super) const PALO_ALTO: Product = Product {
    name: "palo-alto",
    title: "Palo Alto Networks PAN-OS",
    aliases: &["pan-os", "panos"],
    timers: Timers {
        idle: idle(3600, &[PANOS_KB]).note("applications may have their own"),
        configurable: Cell::verified(Configurable::Yes, &[PANOS_KB]),
        half_closed: Cell::verified(secs(120), &[PANOS_KB]),
        closed: Cell::verified(secs(15), &[PANOS_KB]),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::reported(AtExpiry::Nothing, &[BELIEVED]),
        next_outbound: Cell::reported(NextPacket::Dropped, &[PANOS_FORUM]),
        next_inbound: Cell::reported(NextPacket::Dropped, &[PANOS_FORUM]),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::reported(true, &[BELIEVED])),
    ..Product::TRACKER
};

pub(super) const FORTIGATE: Product = Product {
    name: "fortigate",
    title: "Fortinet FortiGate",
    aliases: &["fortios", "fortinet"],
    timers: Timers {
        idle: idle(3600, &[FORTIOS_CLI]).note("session-ttl"),
        configurable: Cell::verified(
            Configurable::Between { least: secs(300), most: secs(604_800) },
            &[FORTIOS_CLI],
        ),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::reported(AtExpiry::Nothing, &[BELIEVED]).note("RST can be turned on"),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh {
        keepalive: Cell::verified(true, &[FORTIOS_CLI]).note("from the side that counts"),
        direction: Cell::verified(RefreshedBy::AsConfigured, &[FORTIOS_CLI]).note("refresh-direction"),
    },
    ..Product::TRACKER
};

pub(super) const JUNIPER_SRX: Product = Product {
    name: "juniper-srx",
    title: "Juniper SRX",
    aliases: &["srx", "junos"],
    timers: Timers {
        idle: idle(1800, &[JUNOS]).note("telnet 28800 (junos-forum); shorter as the table fills"),
        configurable: Cell::verified(Configurable::Yes, &[JUNOS, JUNOS_FORUM]).note("inactivity-timeout"),
        ..Timers::UNKNOWN
    },
    expiry: Expiry { sends: Cell::reported(AtExpiry::Nothing, &[BELIEVED]), ..Expiry::UNKNOWN },
    refresh: Refresh::by_keepalive(Cell::reported(true, &[BELIEVED])),
    ..Product::TRACKER
};

pub(super) const JUNIPER_MS: Product = Product {
    name: "juniper-ms",
    title: "Juniper MS services card",
    aliases: &["ms-mpc", "ms-mic"],
    timers: Timers {
        idle: idle(30, &[JUNOS]),
        configurable: Cell::verified(Configurable::Yes, &[JUNOS]),
        ..Timers::UNKNOWN
    },
    expiry: Expiry { sends: Cell::reported(AtExpiry::Nothing, &[BELIEVED]), ..Expiry::UNKNOWN },
    refresh: Refresh::by_keepalive(Cell::reported(true, &[BELIEVED])),
    ..Product::TRACKER
};

pub(super) const CHECK_POINT: Product = Product {
    name: "check-point",
    title: "Check Point",
    aliases: &["checkpoint"],
    timers: Timers {
        idle: Cell::reported(Idle::Is(secs(3600)), &[CHECKMATES])
            .note("shorter under load (aggressive aging)"),
        configurable: Cell::reported(Configurable::Yes, &[CHECKMATES]),
        closed: Cell::reported(secs(20), &[CHECKMATES]),
        ..Timers::UNKNOWN
    },
    expiry: Expiry {
        sends: Cell::reported(AtExpiry::Nothing, &[CHECKMATES]).note("RST to both ends can be turned on"),
        next_outbound: Cell::reported(NextPacket::Dropped, &[CHECKMATES]).note("\"First packet isn't SYN\""),
        next_inbound: Cell::reported(NextPacket::Dropped, &[CHECKMATES]),
        ..Expiry::UNKNOWN
    },
    refresh: Refresh::by_keepalive(Cell::reported(true, &[BELIEVED])),
    ..Product::TRACKER
};
