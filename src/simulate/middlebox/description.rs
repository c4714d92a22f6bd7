//! What a box is built from: plain data, complete, without defaults that depend on anything.
//!
//! Owns [`Description`] and its parts. Nothing is done here.

use std::net::IpAddr;

use super::Side;
use crate::segment::{Endpoint, IcmpKind};
use crate::time::Span;

/// A box.
#[derive(Clone, Debug, PartialEq)]
pub enum Description {
    /// It watches packets and keeps a timer for each connection: a NAT, a stateful firewall, a load balancer
    /// that passes packets on.
    Tracker(Tracker),
    /// The same as Linux does it, with the windows of both ends.
    Conntrack(Conntrack),
    /// It is the other end for both ends.
    Proxy(Proxy),
}

/// What all boxes that pass packets on have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Router {
    /// Its address towards the client, from which its ICMP errors go there; without one it sends none.
    pub inside_address: Option<IpAddr>,
    /// Its address towards the server, likewise.
    pub outside_address: Option<IpAddr>,
    /// Whether it takes one off the TTL or hop limit of what passes, as a router does and a bridge does not.
    pub decrements_ttl: bool,
    /// The TTL of packets it makes itself; 64 for Linux.
    pub own_ttl: u8,
    /// The source of connections from inside becomes this one.
    pub source: Option<SourceTranslation>,
    /// The destination of connections from inside becomes another one.
    pub service: Option<Service>,
    /// What it does with a packet from outside for its own address (see [`Router::source`]) that no mapping
    /// wants.
    pub input: Input,
    /// Where sources are translated: whether packets from outside find the way to the addresses inside all the
    /// same. They do in a laboratory, and never behind an ordinary NAT.
    pub inside_is_routed: bool,
}

/// Source NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceTranslation {
    /// The address that stands for all clients.
    pub address: IpAddr,
    /// Which port a new mapping gets.
    pub ports: Ports,
}

/// Which port a new mapping gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ports {
    /// That of the client, if it is free; another one otherwise.
    Preserved,
    /// A random one, each time.
    Random,
}

/// Destination NAT, as load balancers do: clients talk to one address, the connections go to others in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What clients connect to. Packets for other ends are not translated.
    pub endpoint: Endpoint,
    /// Who gets the connections, one after the other.
    pub backends: Vec<Endpoint>,
}

/// What becomes of a packet for the box itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Its own TCP answers: RST, with a TTL that was not counted down on the way.
    Reset,
    /// Nothing: the packet is dropped.
    Drop,
}

/// A tracker of packets with one timer for each connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracker {
    /// Addresses and TTL.
    pub router: Router,
    /// After how much silence a connection is forgotten.
    pub timers: Timers,
    /// Which packets start the timer anew.
    pub refresh: Refresh,
    /// Who may open connections through it.
    pub opens: Direction,
    /// What it sends when it forgets an established connection.
    pub at_expiry: AtExpiry,
    /// What it does with a packet from inside that is not a SYN and fits no mapping.
    pub stray_from_inside: Stray,
    /// The same from outside; for a NAT, whose packets from outside are for itself, [`Router::input`] comes
    /// first.
    pub stray_from_outside: Stray,
    /// It looks for connections to forget only so often; without, each is forgotten at its time.
    pub sweep: Option<Span>,
    /// Its timers shrink as the table fills.
    pub adaptive: Option<Adaptive>,
    /// How many connections it holds.
    pub table: Option<Table>,
}

/// After how much silence a connection is forgotten, by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// A SYN was seen, and no answer.
    pub syn: Span,
    /// The handshake is not over yet.
    pub handshake: Span,
    /// Established.
    pub established: Span,
    /// Established, with data that was not acknowledged.
    pub unacknowledged: Span,
    /// The client sent FIN, and the server did not.
    pub closed_by_client: Span,
    /// The server sent FIN, and the client did not.
    pub closed_by_server: Span,
    /// Both ends sent FIN.
    pub closing: Span,
    /// A RST was seen.
    pub reset: Span,
}

/// Which packets start the timer anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refresh {
    /// Packets from where.
    pub direction: Direction,
    /// Only packets with data, SYN or FIN; a keepalive without data does not count then.
    pub only_data: bool,
}

/// Packets or connections from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From both sides.
    Both,
    /// From inside only.
    Outward,
    /// From outside only.
    Inward,
}

impl Direction {
    /// Whether that side is among them.
    pub(super) const fn includes(self, side: Side) -> bool {
        match self {
            Direction::Both => true,
            Direction::Outward => matches!(side, Side::Inside),
            Direction::Inward => matches!(side, Side::Outside),
        }
    }
}

/// What a box sends when it forgets an established connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtExpiry {
    /// Nothing.
    Nothing,
    /// A RST.
    Reset(Towards),
    /// A FIN.
    Finish(Towards),
}

/// To whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Towards {
    /// The end inside.
    Inside,
    /// The end outside.
    Outside,
    /// Both.
    Both,
}

/// What becomes of a packet that is not a SYN and fits no mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stray {
    /// It is dropped.
    Drop,
    /// It is dropped, and its sender gets a RST.
    Reset,
    /// It is dropped, and its sender gets an ICMP error.
    Icmp(IcmpKind),
    /// A mapping is made from it, as if the connection had always been known.
    Create,
    /// It passes untouched, translated by nobody.
    Pass,
}

/// Timers that shrink as the table fills: from `start` connections on each timer is multiplied by
/// (`end` − connections) / (`end` − `start`), as pf's adaptive.start and adaptive.end do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Adaptive {
    /// Connections up to which timers are whole.
    pub start: u32,
    /// Connections from which timers are nothing; more than `start`.
    pub end: u32,
}

/// How many connections a box holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Table {
    /// That many.
    pub limit: u32,
    /// What happens to one more.
    pub when_full: WhenFull,
}

/// What happens to a new connection when the table is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhenFull {
    /// Its SYN is dropped.
    Refuse,
    /// It takes the place of the one that was silent longest.
    EvictLongestSilent,
}

/// Linux conntrack, with its sysctls (`net.netfilter.nf_conntrack_…`) by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Conntrack {
    /// Addresses and TTL.
    pub router: Router,
    /// `nf_conntrack_tcp_timeout_…`.
    pub timeouts: ConntrackTimeouts,
    /// `nf_conntrack_tcp_loose`: packets from the middle of a connection make an entry.
    pub tcp_loose: bool,
    /// `nf_conntrack_tcp_be_liberal`: only RSTs are held against the window.
    pub tcp_be_liberal: bool,
    /// `nf_conntrack_tcp_max_retrans`: repetitions without an answer from which the timer is
    /// [`ConntrackTimeouts::max_retrans`] at most.
    pub tcp_max_retrans: u8,
    /// `nf_conntrack_tcp_ignore_invalid_rst`: a RST out of the window is none.
    pub tcp_ignore_invalid_rst: bool,
    /// `nf_conntrack_max`: entries; more are refused.
    pub max: Option<u32>,
    /// Whether rules drop what conntrack calls invalid (`ct state invalid drop`); it leaves untranslated
    /// otherwise.
    pub drop_invalid: bool,
    /// Whether rules let connections in that were opened from outside.
    pub opens: Direction,
}

/// `nf_conntrack_tcp_timeout_…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConntrackTimeouts {
    /// `syn_sent`.
    pub syn_sent: Span,
    /// `syn_recv`.
    pub syn_recv: Span,
    /// `established`.
    pub established: Span,
    /// `fin_wait`.
    pub fin_wait: Span,
    /// `close_wait`.
    pub close_wait: Span,
    /// `last_ack`.
    pub last_ack: Span,
    /// `time_wait`.
    pub time_wait: Span,
    /// `close`.
    pub close: Span,
    /// `max_retrans`.
    pub max_retrans: Span,
    /// `unacknowledged`.
    pub unacknowledged: Span,
}

impl Default for ConntrackTimeouts {
    /// The kernel's own (Documentation/networking/nf_conntrack-sysctl.rst).
    fn default() -> Self {
        Self {
            syn_sent: Span::from_secs(120),
            syn_recv: Span::from_secs(60),
            established: Span::from_secs(432_000),
            fin_wait: Span::from_secs(120),
            close_wait: Span::from_secs(60),
            last_ack: Span::from_secs(30),
            time_wait: Span::from_secs(120),
            close: Span::from_secs(10),
            max_retrans: Span::from_secs(300),
            unacknowledged: Span::from_secs(300),
        }
    }
}

/// A proxy: it accepts the client's connection and opens one of its own for it. Nothing but data passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// What clients connect to.
    pub listen: Endpoint,
    /// Where it connects to, in turn.
    pub backends: Vec<Endpoint>,
    /// From which address.
    pub address: IpAddr,
    /// `timeout client`: silence (of data) from the client after which it closes both; none is for ever.
    pub timeout_client: Option<Span>,
    /// `timeout server`: the same for the server.
    pub timeout_server: Option<Span>,
    /// How it closes towards the client, when a timeout ran out or the server broke off.
    pub close_client: ProxyClose,
    /// How it closes towards the server when a timeout ran out; if the client broke off, the server gets a RST.
    pub close_server: ProxyClose,
    /// The keepalive of its own connection to the client (`option clitcpka`).
    pub keepalive_client: Option<crate::keepalive::Settings>,
    /// The keepalive of its own connection to the server (`option srvtcpka`).
    pub keepalive_server: Option<crate::keepalive::Settings>,
}

/// How a proxy closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyClose {
    /// In order, with a FIN.
    Finish,
    /// At once, with a RST.
    Reset,
    /// In order; and if it was this end whose silence lasted too long, a RST right behind the FIN. HAProxy 2.6
    /// does so towards its servers.
    FinishThenReset,
}
