//! From the table of a box to what the simulator builds it from.

use std::net::IpAddr;

use super::{Keepalive, Kind, Middlebox, Nat, StrayPacket, Word, product};
use crate::keepalive::Settings;
use crate::segment::{Endpoint, IcmpKind};
use crate::simulate::middlebox::description::{
    Adaptive, AtExpiry, Conntrack, ConntrackTimeouts, Description, Direction, Input, Ports, Proxy,
    ProxyClose, Refresh, Router, Service, SourceTranslation, Stray, Table, Timers, Tracker, WhenFull,
};
use crate::simulate::scenario::problem::Wrong;
use crate::time::Span;

/// Where a box stands: what it has to know of its surroundings.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulate::scenario) struct Place {
    /// Which of the boxes, from the client, from 0.
    pub(in crate::simulate::scenario) index: u8,
    /// What its connections to the outside go to.
    pub(in crate::simulate::scenario) server: Endpoint,
}

impl Place {
    /// An address of its own in a documentation range, of the family of the server.
    fn address(&self, host: u8) -> IpAddr {
        let host = host.saturating_add(self.index);
        match self.server.address {
            IpAddr::V4(_) => IpAddr::from([203, 0, 113, host]),
            IpAddr::V6(_) => IpAddr::from([0x2001, 0xdb8, 0xb0, 0, 0, 0, 0, u16::from(host)]),
        }
    }

    /// What stands for the client behind a NAT.
    pub(super) fn nat_address(&self) -> IpAddr {
        self.address(NAT)
    }

    /// "Administratively prohibited" (RFC 1812 §5.2.7.1, RFC 4443 §3.1).
    fn prohibited(&self) -> IcmpKind {
        match self.server.address {
            IpAddr::V4(_) => IcmpKind::Unreachable(13),
            IpAddr::V6(_) => IcmpKind::Unreachable(1),
        }
    }
}

/// The parts of a host number in the range of documentation addresses that boxes take theirs from.
const OUTSIDE: u8 = 1;
const NAT: u8 = 17;
const SERVICE: u8 = 33;
const PROXY: u8 = 49;
const INSIDE: u8 = 65;

/// Most boxes on a path, so that their addresses differ.
pub(in crate::simulate::scenario) const MOST_BOXES: usize = 16;

/// Takes a value where one is said.
fn take<T: Copy>(into: &mut T, from: Option<T>) {
    if let Some(value) = from {
        *into = value;
    }
}

fn take_word<T: Copy>(into: &mut T, from: Option<Word<T>>) {
    take(into, from.map(|word| word.0));
}

/// The names of those fields that are said.
macro_rules! said {
    ($table:expr; $($field:ident)*) => {
        [$((stringify!($field), $table.$field.is_some())),*].into_iter().filter(|(_, said)| *said).map(|(name, _)| name)
    };
}

impl Middlebox {
    /// The box for the simulator, and what about it nobody knows and is assumed.
    pub(in crate::simulate::scenario) fn description(
        &self,
        key: &str,
        place: &Place,
    ) -> Result<(Description, Vec<String>), Wrong> {
        let (mut description, assumed) = self.base(key, place)?;
        self.check_fields(key, kind_of(&description))?;
        match &mut description {
            Description::Tracker(tracker) => self.tracker(tracker, key, place)?,
            Description::Conntrack(conntrack) => self.conntrack(conntrack, place),
            Description::Proxy(proxy) => self.proxy(proxy),
        }
        description.check().map_err(|error| Wrong::new(key, error.to_string()))?;
        Ok((description, assumed))
    }

    fn base(&self, key: &str, place: &Place) -> Result<(Description, Vec<String>), Wrong> {
        match (&self.product, self.kind) {
            (Some(_), Some(_)) => {
                Err(Wrong::new(format!("{key}.kind"), "the product says it; say one of the two"))
            }
            (None, None) => Err(Wrong::new(
                key,
                "say which product it is, or which kind of box: tracker, conntrack or proxy",
            )),
            (Some(name), None) => product::named(self, name, key, place),
            (None, Some(Word(kind))) => Ok((plain(kind, place), Vec::new())),
        }
    }

    /// Refuses fields that this kind of box does not have.
    fn check_fields(&self, key: &str, kind: Kind) -> Result<(), Wrong> {
        let refuse = |name: &str, owner: &str| {
            Err(Wrong::new(
                format!("{key}.{name}"),
                format!("only a {owner} has it, and this is a {}", Word(kind).name()),
            ))
        };
        let tracker = said!(self; syn handshake closed_by_client closed_by_server closing reset refreshed_by only_data at_expiry
            stray_from_inside stray_from_outside sweep limit when_full adaptive);
        let conntrack = said!(self; syn_sent syn_recv fin_wait close_wait last_ack time_wait close max_retrans
            tcp_loose tcp_be_liberal tcp_max_retrans tcp_ignore_invalid_rst max drop_invalid);
        let packets = said!(self; inside_address outside_address decrements_ttl own_ttl nat nat_address inside_is_routed input
            opens established unacknowledged);
        let proxy = said!(self; address timeout_client timeout_server close_client close_server
            keepalive_client keepalive_server);
        for (of, names) in [
            (Kind::Tracker, tracker.collect::<Vec<_>>()),
            (Kind::Conntrack, conntrack.collect()),
            (Kind::Proxy, proxy.collect()),
        ] {
            if let Some(name) = names.first().filter(|_| kind != of) {
                return refuse(name, Word(of).name());
            }
        }
        match packets.collect::<Vec<_>>().first() {
            Some(name) if kind == Kind::Proxy => refuse(name, "tracker or conntrack"),
            _ => Ok(()),
        }
    }

    fn router(&self, router: &mut Router, place: &Place) {
        router.inside_address = self.inside_address.or(router.inside_address);
        router.outside_address = self.outside_address.or(router.outside_address);
        take(&mut router.decrements_ttl, self.decrements_ttl);
        take(&mut router.own_ttl, self.own_ttl);
        take_word(&mut router.input, self.input);
        take(&mut router.inside_is_routed, self.inside_is_routed);
        if let Some(Word(nat)) = self.nat {
            let address = router.source.map_or(place.nat_address(), |source| source.address);
            let translation = |ports| Some(SourceTranslation { address, ports });
            router.source = match nat {
                Nat::None => None,
                Nat::Preserved => translation(Ports::Preserved),
                Nat::Random => translation(Ports::Random),
            };
        }
        if let (Some(source), Some(address)) = (router.source.as_mut(), self.nat_address) {
            source.address = address;
        }
        if let Some(service) = self.service {
            router.service = Some(Service { endpoint: service.0, backends: vec![place.server] });
        }
    }

    fn tracker(&self, tracker: &mut Tracker, key: &str, place: &Place) -> Result<(), Wrong> {
        self.router(&mut tracker.router, place);
        let timers = &mut tracker.timers;
        for (into, from) in [
            (&mut timers.syn, self.syn),
            (&mut timers.handshake, self.handshake),
            (&mut timers.established, self.established),
            // Unless it is said, unacknowledged data is no other case.
            (&mut timers.unacknowledged, self.unacknowledged.or(self.established)),
            (&mut timers.closed_by_client, self.closed_by_client),
            (&mut timers.closed_by_server, self.closed_by_server),
            (&mut timers.closing, self.closing),
            (&mut timers.reset, self.reset),
        ] {
            take(into, from);
        }
        take_word(&mut tracker.refresh.direction, self.refreshed_by);
        take(&mut tracker.refresh.only_data, self.only_data);
        take_word(&mut tracker.opens, self.opens);
        take_word(&mut tracker.at_expiry, self.at_expiry);
        let stray = |word: Option<Word<StrayPacket>>| word.map(|word| word.0.stray(place));
        take(&mut tracker.stray_from_inside, stray(self.stray_from_inside));
        take(&mut tracker.stray_from_outside, stray(self.stray_from_outside));
        tracker.sweep = self.sweep.or(tracker.sweep).filter(|sweep| *sweep > Span::ZERO);
        if let Some(limit) = self.limit {
            let when_full = tracker.table.map_or(WhenFull::Refuse, |table| table.when_full);
            tracker.table = Some(Table { limit, when_full });
        }
        match (tracker.table.as_mut(), self.when_full) {
            (Some(table), Some(Word(when_full))) => table.when_full = when_full,
            (None, Some(_)) => {
                return Err(Wrong::new(format!("{key}.when_full"), "say limit too"));
            }
            (_, None) => {}
        }
        if let Some(super::Adaptive { start, end }) = self.adaptive {
            if end <= start {
                return Err(Wrong::new(format!("{key}.adaptive.end"), "must be more than start"));
            }
            tracker.adaptive = Some(Adaptive { start, end });
        }
        Ok(())
    }

    fn conntrack(&self, conntrack: &mut Conntrack, place: &Place) {
        self.router(&mut conntrack.router, place);
        let ConntrackTimeouts {
            syn_sent,
            syn_recv,
            established,
            fin_wait,
            close_wait,
            last_ack,
            time_wait,
            close,
            max_retrans,
            unacknowledged,
        } = &mut conntrack.timeouts;
        for (into, from) in [
            (syn_sent, self.syn_sent),
            (syn_recv, self.syn_recv),
            (established, self.established),
            (fin_wait, self.fin_wait),
            (close_wait, self.close_wait),
            (last_ack, self.last_ack),
            (time_wait, self.time_wait),
            (close, self.close),
            (max_retrans, self.max_retrans),
            (unacknowledged, self.unacknowledged),
        ] {
            take(into, from);
        }
        take(&mut conntrack.tcp_loose, self.tcp_loose);
        take(&mut conntrack.tcp_be_liberal, self.tcp_be_liberal);
        take(&mut conntrack.tcp_max_retrans, self.tcp_max_retrans);
        take(&mut conntrack.tcp_ignore_invalid_rst, self.tcp_ignore_invalid_rst);
        conntrack.max = self.max.or(conntrack.max);
        take(&mut conntrack.drop_invalid, self.drop_invalid);
        take_word(&mut conntrack.opens, self.opens);
    }

    fn proxy(&self, proxy: &mut Proxy) {
        take(&mut proxy.listen, self.service.map(|service| service.0));
        take(&mut proxy.address, self.address);
        let timeout = |said: Option<Span>, base| said.or(base).filter(|timeout| *timeout > Span::ZERO);
        proxy.timeout_client = timeout(self.timeout_client, proxy.timeout_client);
        proxy.timeout_server = timeout(self.timeout_server, proxy.timeout_server);
        take_word(&mut proxy.close_client, self.close_client);
        take_word(&mut proxy.close_server, self.close_server);
        proxy.keepalive_client = self.keepalive_client.map(Keepalive::settings).or(proxy.keepalive_client);
        proxy.keepalive_server = self.keepalive_server.map(Keepalive::settings).or(proxy.keepalive_server);
    }
}

impl Keepalive {
    fn settings(self) -> Settings {
        Settings { idle: self.idle, interval: self.interval, count: self.count, user_timeout: None }
    }
}

impl StrayPacket {
    fn stray(self, place: &Place) -> Stray {
        match self {
            StrayPacket::Drop => Stray::Drop,
            StrayPacket::Reset => Stray::Reset,
            StrayPacket::Icmp => Stray::Icmp(place.prohibited()),
            StrayPacket::Create => Stray::Create,
            StrayPacket::Pass => Stray::Pass,
        }
    }
}

fn kind_of(description: &Description) -> Kind {
    match description {
        Description::Tracker(_) => Kind::Tracker,
        Description::Conntrack(_) => Kind::Conntrack,
        Description::Proxy(_) => Kind::Proxy,
    }
}

/// What the client connects to where this box is on the path, if not the server itself.
pub(in crate::simulate::scenario) fn service_of(description: &Description) -> Option<Endpoint> {
    match description {
        Description::Tracker(Tracker { router, .. }) | Description::Conntrack(Conntrack { router, .. }) => {
            router.service.as_ref().map(|service| service.endpoint)
        }
        Description::Proxy(proxy) => Some(proxy.listen),
    }
}

/// A box of a kind, with nothing said of it.
pub(super) fn plain(kind: Kind, place: &Place) -> Description {
    let router = Router {
        inside_address: Some(place.address(INSIDE)),
        outside_address: Some(place.address(OUTSIDE)),
        decrements_ttl: true,
        own_ttl: 64,
        source: None,
        service: None,
        input: Input::Reset,
        inside_is_routed: false,
    };
    match kind {
        Kind::Tracker => Description::Tracker(Tracker {
            router,
            timers: plain_timers(),
            refresh: Refresh { direction: Direction::Both, only_data: false },
            opens: Direction::Outward,
            at_expiry: AtExpiry::Nothing,
            stray_from_inside: Stray::Drop,
            stray_from_outside: Stray::Drop,
            sweep: None,
            adaptive: None,
            table: None,
        }),
        Kind::Conntrack => Description::Conntrack(Conntrack {
            router,
            timeouts: ConntrackTimeouts::default(),
            tcp_loose: true,
            tcp_be_liberal: false,
            tcp_max_retrans: 3,
            tcp_ignore_invalid_rst: false,
            max: None,
            drop_invalid: false,
            opens: Direction::Both,
        }),
        Kind::Proxy => Description::Proxy(Proxy {
            listen: Endpoint { address: place.address(SERVICE), port: place.server.port },
            backends: vec![place.server],
            address: place.address(PROXY),
            timeout_client: None,
            timeout_server: None,
            close_client: ProxyClose::Finish,
            close_server: ProxyClose::Finish,
            keepalive_client: None,
            keepalive_server: None,
        }),
    }
}

/// The least that RFC 5382 (REQ-5) allows a NAT.
fn plain_timers() -> Timers {
    let established = Span::from_secs(7440);
    let transitory = Span::from_secs(240);
    Timers {
        syn: transitory,
        handshake: transitory,
        established,
        unacknowledged: established,
        closed_by_client: transitory,
        closed_by_server: transitory,
        closing: transitory,
        reset: Span::from_secs(10),
    }
}
