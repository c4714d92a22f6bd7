//! From a product of the catalogue to a box that behaves as it does, as far as that is known.
//!
//! Owns what is assumed where nobody knows, and says so.

use super::build::{Place, plain};
use super::{Kind, Middlebox};
use crate::product::Product;
use crate::product::value::{self, Class, NextPacket, PortChoice, Position, RefreshedBy};
use crate::simulate::middlebox::description::{
    AtExpiry, Description, Direction, Ports, ProxyClose, SourceTranslation, Stray, Towards, Tracker,
};
use crate::simulate::scenario::problem::Wrong;
use crate::time::Span;

/// Products that are Linux conntrack with other numbers.
const CONNTRACK: [&str; 3] = ["linux-conntrack", "openwrt", "mikrotik"];

/// The box of that product, and what about it is assumed.
pub(super) fn named(
    table: &Middlebox,
    name: &str,
    key: &str,
    place: &Place,
) -> Result<(Description, Vec<String>), Wrong> {
    let product = Product::named(name).map_err(|unknown| {
        Wrong::new(format!("{key}.product"), format!("{unknown}; `keepscope products` lists them"))
    })?;
    let mut assumed = Vec::new();
    let description = match product.class {
        Class::Proxy => proxy(table, product, key, place, &mut assumed)?,
        Class::PacketTracker if CONNTRACK.contains(&product.name) => conntrack(product, place),
        Class::PacketTracker => tracker(table, product, key, place, &mut assumed)?,
    };
    Ok((description, assumed))
}

/// Its timeout, or what to say where it comes without one.
fn idle(said: Option<Span>, product: &Product, key: &str, field: &str) -> Result<Span, Wrong> {
    said.or_else(|| product.idle()).ok_or_else(|| {
        Wrong::new(key, format!("{field} is missing: {} has no default that is known", product.title))
    })
}

/// A value, or what is assumed instead; said so.
fn known<T: Copy>(value: Option<T>, assumed: &mut Vec<String>, otherwise: T, sentence: &str) -> T {
    value.unwrap_or_else(|| {
        assumed.push(sentence.to_owned());
        otherwise
    })
}

fn proxy(
    table: &Middlebox,
    product: &Product,
    key: &str,
    place: &Place,
    assumed: &mut Vec<String>,
) -> Result<Description, Wrong> {
    let mut description = plain(Kind::Proxy, place);
    let Description::Proxy(proxy) = &mut description else { return Ok(description) };
    let idle = match (table.timeout_client, table.timeout_server) {
        // With one of them said, the other may well be none.
        (None, None) => Some(idle(None, product, key, "timeout_client")?),
        _ => product.idle(),
    };
    (proxy.timeout_client, proxy.timeout_server) = (idle, idle);
    let sends = known(product.expiry.sends.value, assumed, value::AtExpiry::Fin, "it closes with a FIN");
    (proxy.close_client, proxy.close_server) = match sends {
        value::AtExpiry::ResetBoth => (ProxyClose::Reset, ProxyClose::Reset),
        value::AtExpiry::FinThenReset => (ProxyClose::Finish, ProxyClose::FinishThenReset),
        _ => (ProxyClose::Finish, ProxyClose::Finish),
    };
    Ok(description)
}

fn conntrack(product: &Product, place: &Place) -> Description {
    let mut description = plain(Kind::Conntrack, place);
    if let Description::Conntrack(conntrack) = &mut description {
        conntrack.timeouts.established = product.idle().unwrap_or(conntrack.timeouts.established);
        let address = place.nat_address();
        conntrack.router.source = Some(SourceTranslation { address, ports: Ports::Preserved });
    }
    description
}

fn tracker(
    table: &Middlebox,
    product: &Product,
    key: &str,
    place: &Place,
    assumed: &mut Vec<String>,
) -> Result<Description, Wrong> {
    let mut description = plain(Kind::Tracker, place);
    let Description::Tracker(tracker) = &mut description else { return Ok(description) };
    let established = idle(table.established, product, key, "established")?;
    timers(tracker, product, established);
    let expiry = &product.expiry;
    tracker.at_expiry = match known(
        expiry.sends.value,
        assumed,
        value::AtExpiry::Nothing,
        "it sends nothing when it forgets a connection",
    ) {
        value::AtExpiry::Nothing => AtExpiry::Nothing,
        value::AtExpiry::ResetBoth => AtExpiry::Reset(Towards::Both),
        value::AtExpiry::Closes | value::AtExpiry::Fin | value::AtExpiry::FinThenReset => {
            AtExpiry::Finish(Towards::Both)
        }
    };
    let next = known(
        expiry.next_outbound.value,
        assumed,
        NextPacket::Dropped,
        "it drops packets of the client that fit no connection",
    );
    tracker.stray_from_inside = stray(next);
    let next = known(
        expiry.next_inbound.value,
        assumed,
        NextPacket::Dropped,
        "it drops packets of the server that fit no connection",
    );
    tracker.stray_from_outside = stray(next);
    let counts = known(
        product.refresh.keepalive.value,
        assumed,
        true,
        "a keepalive without data starts its timer anew",
    );
    tracker.refresh.only_data = !counts;
    tracker.refresh.direction = match known(
        product.refresh.direction.value,
        assumed,
        RefreshedBy::Both,
        "packets from both sides start its timer anew",
    ) {
        RefreshedBy::Both | RefreshedBy::AsConfigured => Direction::Both,
        RefreshedBy::Outbound => Direction::Outward,
        RefreshedBy::Inbound => Direction::Inward,
    };
    if product.position == Position::Nat {
        let choice = known(
            expiry.ports.value,
            assumed,
            PortChoice::Preserved,
            "a new mapping keeps the port if it is free",
        );
        let ports = if choice == PortChoice::Preserved { Ports::Preserved } else { Ports::Random };
        tracker.router.source = Some(SourceTranslation { address: place.nat_address(), ports });
    }
    Ok(description)
}

fn timers(tracker: &mut Tracker, product: &Product, established: Span) {
    let known = &product.timers;
    let timers = &mut tracker.timers;
    timers.established = established;
    timers.unacknowledged = established;
    if let Some(opening) = known.opening.value {
        (timers.syn, timers.handshake) = (opening, opening);
    }
    if let Some(half) = known.half_closed.value {
        (timers.closed_by_client, timers.closed_by_server) = (half, half);
    }
    if let Some(closed) = known.closed.value {
        (timers.closing, timers.reset) = (closed, closed);
    }
    tracker.sweep = known.sweep.value;
}

fn stray(next: NextPacket) -> Stray {
    match next {
        NextPacket::Dropped => Stray::Drop,
        NextPacket::Reset => Stray::Reset,
        NextPacket::Recreated => Stray::Create,
        NextPacket::PassedOn => Stray::Pass,
    }
}
