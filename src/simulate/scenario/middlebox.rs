//! Boxes in a scenario: a product of the catalogue or a kind of box, and what is different about this one.
//!
//! Owns [`Middlebox`], the table of a box with all its fields, and which kind has which. What they become is
//! [`crate::simulate::middlebox::Description`]'s.

mod build;
mod product;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub(super) use self::build::{MOST_BOXES, Place, service_of};
use super::text::{Address, Word, Words, optional_span};
use crate::simulate::middlebox::description::{AtExpiry, Direction, Input, ProxyClose, Towards, WhenFull};
use crate::time::Span;

/// A box on the path. What is not said is as the product has it, or as the kind has it by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Middlebox {
    /// A product of the catalogue; instead of `kind`.
    pub product: Option<String>,
    /// What kind of box it is: `tracker` (of packets), `conntrack` (Linux) or `proxy`.
    pub kind: Option<Word<Kind>>,

    /// Its address towards the client, from which it sends ICMP errors.
    pub inside_address: Option<IpAddr>,
    /// Its address towards the server, likewise.
    pub outside_address: Option<IpAddr>,
    /// Whether it takes one from the TTL of what passes.
    pub decrements_ttl: Option<bool>,
    /// The TTL of packets it makes itself.
    pub own_ttl: Option<u8>,
    /// Source NAT: `none`, `preserved` (it keeps the port if that is free) or `random` ports.
    pub nat: Option<Word<Nat>>,
    /// The address that stands for the client outside of a NAT.
    pub nat_address: Option<IpAddr>,
    /// Whether packets from outside find the way to the client behind a NAT all the same.
    pub inside_is_routed: Option<bool>,
    /// What the client connects to, if the box hands connections on to the server (a load balancer), or is a
    /// proxy.
    pub service: Option<Address>,
    /// What it does with a packet for itself that belongs to no connection: `reset` or `drop`.
    pub input: Option<Word<Input>>,
    /// Who may open connections: `both`, `outward` or `inward`.
    pub opens: Option<Word<Direction>>,

    /// Silence after which an established connection is forgotten.
    #[serde(with = "optional_span")]
    pub established: Option<Span>,
    /// The same with data that was not acknowledged.
    #[serde(with = "optional_span")]
    pub unacknowledged: Option<Span>,

    /// Tracker: the same after a SYN without answer.
    #[serde(with = "optional_span")]
    pub syn: Option<Span>,
    /// Tracker: the same while the handshake is not over.
    #[serde(with = "optional_span")]
    pub handshake: Option<Span>,
    /// Tracker: the same when the client sent FIN and the server did not.
    #[serde(with = "optional_span")]
    pub closed_by_client: Option<Span>,
    /// Tracker: the same when the server sent FIN and the client did not.
    #[serde(with = "optional_span")]
    pub closed_by_server: Option<Span>,
    /// Tracker: the same when both did.
    #[serde(with = "optional_span")]
    pub closing: Option<Span>,
    /// Tracker: the same after a RST.
    #[serde(with = "optional_span")]
    pub reset: Option<Span>,
    /// Tracker: packets from where start the timer anew: `both`, `outward` or `inward`.
    pub refreshed_by: Option<Word<Direction>>,
    /// Tracker: only data counts; a keepalive without data does not.
    pub only_data: Option<bool>,
    /// Tracker: what it sends when it forgets an established connection.
    pub at_expiry: Option<Word<AtExpiry>>,
    /// Tracker: what it does with a packet from the client that fits no connection: `drop`, `reset`, `icmp`,
    /// `create` or `pass`.
    pub stray_from_inside: Option<Word<StrayPacket>>,
    /// Tracker: the same for one from the server.
    pub stray_from_outside: Option<Word<StrayPacket>>,
    /// Tracker: it looks for connections to forget only so often.
    #[serde(with = "optional_span")]
    pub sweep: Option<Span>,
    /// Tracker: how many connections it holds.
    pub limit: Option<u32>,
    /// Tracker: what it does with one more: `refuse` or `evict_longest_silent`.
    pub when_full: Option<Word<WhenFull>>,
    /// Tracker: its timers shrink as the table fills.
    pub adaptive: Option<Adaptive>,

    /// Conntrack: `nf_conntrack_tcp_timeout_syn_sent`, and so on.
    #[serde(with = "optional_span")]
    pub syn_sent: Option<Span>,
    /// Conntrack: `nf_conntrack_tcp_timeout_syn_recv`.
    #[serde(with = "optional_span")]
    pub syn_recv: Option<Span>,
    /// Conntrack: `nf_conntrack_tcp_timeout_fin_wait`.
    #[serde(with = "optional_span")]
    pub fin_wait: Option<Span>,
    /// Conntrack: `nf_conntrack_tcp_timeout_close_wait`.
    #[serde(with = "optional_span")]
    pub close_wait: Option<Span>,
    /// Conntrack: `nf_conntrack_tcp_timeout_last_ack`.
    #[serde(with = "optional_span")]
    pub last_ack: Option<Span>,
    /// Conntrack: `nf_conntrack_tcp_timeout_time_wait`.
    #[serde(with = "optional_span")]
    pub time_wait: Option<Span>,
    /// Conntrack: `nf_conntrack_tcp_timeout_close`.
    #[serde(with = "optional_span")]
    pub close: Option<Span>,
    /// Conntrack: `nf_conntrack_tcp_timeout_max_retrans`.
    #[serde(with = "optional_span")]
    pub max_retrans: Option<Span>,
    /// Conntrack: `nf_conntrack_tcp_loose`.
    pub tcp_loose: Option<bool>,
    /// Conntrack: `nf_conntrack_tcp_be_liberal`.
    pub tcp_be_liberal: Option<bool>,
    /// Conntrack: `nf_conntrack_tcp_max_retrans`.
    pub tcp_max_retrans: Option<u8>,
    /// Conntrack: `nf_conntrack_tcp_ignore_invalid_rst`.
    pub tcp_ignore_invalid_rst: Option<bool>,
    /// Conntrack: `nf_conntrack_max`.
    pub max: Option<u32>,
    /// Conntrack: rules drop what it calls invalid.
    pub drop_invalid: Option<bool>,

    /// Proxy: its own address.
    pub address: Option<IpAddr>,
    /// Proxy: silence of the client's data after which it closes both connections.
    #[serde(with = "optional_span")]
    pub timeout_client: Option<Span>,
    /// Proxy: the same for the server.
    #[serde(with = "optional_span")]
    pub timeout_server: Option<Span>,
    /// Proxy: how it closes towards the client then: `fin` or `reset`.
    pub close_client: Option<Word<ProxyClose>>,
    /// Proxy: how it closes towards the server.
    pub close_server: Option<Word<ProxyClose>>,
    /// Proxy: keepalives of its own to the client.
    pub keepalive_client: Option<Keepalive>,
    /// Proxy: keepalives of its own to the server.
    pub keepalive_server: Option<Keepalive>,
}

/// What kind of box it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It watches packets, with one timer for each connection.
    Tracker,
    /// The same as Linux does it.
    Conntrack,
    /// It is the other end for both ends.
    Proxy,
}

impl Words for Kind {
    const WORDS: &'static [(&'static str, Self)] =
        &[("tracker", Kind::Tracker), ("conntrack", Kind::Conntrack), ("proxy", Kind::Proxy)];
}

/// Whether it translates the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// It does not.
    None,
    /// It keeps the port if that is free.
    Preserved,
    /// Each mapping gets a random port.
    Random,
}

impl Words for Nat {
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Nat::None), ("preserved", Nat::Preserved), ("random", Nat::Random)];
}

/// What becomes of a packet that is not a SYN and fits no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrayPacket {
    /// It is dropped.
    Drop,
    /// Its sender gets a RST.
    Reset,
    /// Its sender hears that it is administratively prohibited.
    Icmp,
    /// The connection is known from now on.
    Create,
    /// It passes untranslated.
    Pass,
}

impl Words for StrayPacket {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("drop", StrayPacket::Drop),
        ("reset", StrayPacket::Reset),
        ("icmp", StrayPacket::Icmp),
        ("create", StrayPacket::Create),
        ("pass", StrayPacket::Pass),
    ];
}

impl Words for Input {
    const WORDS: &'static [(&'static str, Self)] = &[("reset", Input::Reset), ("drop", Input::Drop)];
}

impl Words for Direction {
    const WORDS: &'static [(&'static str, Self)] =
        &[("both", Direction::Both), ("outward", Direction::Outward), ("inward", Direction::Inward)];
}

impl Words for AtExpiry {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("nothing", AtExpiry::Nothing),
        ("reset_inside", AtExpiry::Reset(Towards::Inside)),
        ("reset_outside", AtExpiry::Reset(Towards::Outside)),
        ("reset_both", AtExpiry::Reset(Towards::Both)),
        ("fin_inside", AtExpiry::Finish(Towards::Inside)),
        ("fin_outside", AtExpiry::Finish(Towards::Outside)),
        ("fin_both", AtExpiry::Finish(Towards::Both)),
    ];
}

impl Words for WhenFull {
    const WORDS: &'static [(&'static str, Self)] =
        &[("refuse", WhenFull::Refuse), ("evict_longest_silent", WhenFull::EvictLongestSilent)];
}

impl Words for ProxyClose {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("fin", ProxyClose::Finish),
        ("reset", ProxyClose::Reset),
        ("fin_then_reset", ProxyClose::FinishThenReset),
    ];
}

/// Timers that shrink as the table fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adaptive {
    /// Connections up to which timers are whole.
    pub start: u32,
    /// Connections from which they are nothing.
    pub end: u32,
}

/// Keepalives of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keepalive {
    /// Silence before the first probe.
    #[serde(with = "super::text::span")]
    pub idle: Span,
    /// Time between probes.
    #[serde(with = "super::text::span")]
    pub interval: Span,
    /// Probes before it gives up.
    pub count: u32,
}
