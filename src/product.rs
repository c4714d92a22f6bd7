//! Middleboxes as data: after how much silence each product forgets a connection, and what it does then.
//!
//! Owns the catalogue of [`Product`]s, each fact with its source and how far it can be trusted, and what may be
//! concluded from it about a timeout that was measured ([`Product::idle_timeouts`]). All of it is constant. Uses
//! [`crate::stack`] for cells, their names and the search of a name, and [`crate::time`].

mod rows;
mod source;
pub mod value;

use crate::stack::{Cell, Group, Shown, Unknown, duration, find, shown};
use crate::time::Span;
use value::{AtExpiry, Class, Configurable, Idle, NextPacket, PortChoice, Position, RefreshedBy};

/// A box of some maker, as it comes.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Lower case with dashes; never changes.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// Whether keepalives of the ends can mean anything to it.
    pub class: Class,
    /// What it is on a path.
    pub position: Position,
    /// Its timers.
    pub timers: Timers,
    /// What it does when the timer runs out, and after that.
    pub expiry: Expiry,
    /// What starts the timer anew.
    pub refresh: Refresh,
    /// What does not fit elsewhere; empty if nothing.
    pub note: &'static str,
}

/// After how much silence a connection is forgotten.
#[derive(Clone, Copy, Debug)]
pub struct Timers {
    /// Established, by default.
    pub idle: Cell<Idle>,
    /// Which values it can be set to.
    pub configurable: Cell<Configurable>,
    /// During the handshake.
    pub opening: Cell<Span>,
    /// After one FIN.
    pub half_closed: Cell<Span>,
    /// After both, or after a RST.
    pub closed: Cell<Span>,
    /// It looks for connections to forget only so often.
    pub sweep: Cell<Span>,
}

/// What happens when the timer of an established connection runs out, and after that.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    /// What it sends at that moment.
    pub sends: Cell<AtExpiry>,
    /// What becomes of the next packet of the client.
    pub next_outbound: Cell<NextPacket>,
    /// What becomes of the next packet of the server.
    pub next_inbound: Cell<NextPacket>,
    /// Where it translates sources: which port a new mapping gets.
    pub ports: Cell<PortChoice>,
}

/// What starts the timer anew.
#[derive(Clone, Copy, Debug)]
pub struct Refresh {
    /// Whether a keepalive without payload does.
    pub keepalive: Cell<bool>,
    /// Packets from where do.
    pub direction: Cell<RefreshedBy>,
}

impl Product {
    /// All products, in the order of the table.
    pub fn all() -> &'static [&'static Product] {
        rows::ALL
    }

    /// The product of that name or alias, whatever the case of its letters.
    ///
    /// # Errors
    /// If there is none; with the names that come nearest.
    pub fn named(name: &str) -> Result<&'static Product, Unknown> {
        find(name, Product::all().iter().copied(), |product| (product.name, product.aliases))
    }

    /// Its idle timeout by default, if it has one and somebody says which.
    pub fn idle(&self) -> Option<Span> {
        self.timers.idle.value.and_then(Idle::get)
    }

    /// The idle timeouts that products come with, shortest first, each with the products that have it: what a
    /// measured timeout may turn out to be.
    pub fn idle_timeouts() -> Vec<(Span, Vec<&'static Product>)> {
        let mut found: Vec<(Span, Vec<&'static Product>)> = Vec::new();
        for product in Product::all() {
            let Some(idle) = product.idle() else { continue };
            match found.iter_mut().find(|(known, _)| *known == idle) {
                Some((_, products)) => products.push(product),
                None => found.push((idle, vec![product])),
            }
        }
        found.sort_by_key(|(idle, _)| *idle);
        found
    }

    /// All cells.
    pub fn groups(&self) -> Vec<Group> {
        vec![
            Group { name: "timers", title: "Timers", cells: self.timers.cells() },
            Group { name: "expiry", title: "When the timer runs out", cells: self.expiry.cells() },
            Group { name: "refresh", title: "What starts the timer anew", cells: self.refresh.cells() },
        ]
    }
}

impl Timers {
    fn cells(&self) -> Vec<Shown> {
        vec![
            duration("idle", "idle, established", &self.idle),
            shown("configurable", "can be set to", &self.configurable),
            duration("opening", "handshake", &self.opening),
            duration("half_closed", "after one FIN", &self.half_closed),
            duration("closed", "after both FINs or a RST", &self.closed),
            duration("sweep", "looks only every", &self.sweep),
        ]
    }
}

impl Expiry {
    fn cells(&self) -> Vec<Shown> {
        vec![
            shown("sends", "it sends", &self.sends),
            shown("next_outbound", "client's next packet", &self.next_outbound),
            shown("next_inbound", "server's next packet", &self.next_inbound),
            shown("ports", "port of a new mapping", &self.ports),
        ]
    }
}

impl Refresh {
    fn cells(&self) -> Vec<Shown> {
        vec![
            shown("keepalive", "keepalive of 0 octets", &self.keepalive),
            shown("direction", "packets from", &self.direction),
        ]
    }
}
