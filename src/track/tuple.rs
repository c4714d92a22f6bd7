//! The two ends of a connection in 36 octets, whichever IP version they are of.
//!
//! Owns how ends are kept and compared. Uses [`crate::segment`] and the event types.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::event::Party;
use crate::segment::Endpoint;

/// An address with its octets as they are; that of IPv4 in the first word, and the others 0.
type Words = [u32; 4];

/// The 4-tuple of a connection. Which IP version its addresses are of is kept elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tuple {
    client: Words,
    server: Words,
    client_port: u16,
    server_port: u16,
}

#[inline(always)]
fn word(address: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(address.octets())
}

#[inline]
fn words(address: IpAddr) -> Words {
    match address {
        IpAddr::V4(address) => [word(address), 0, 0, 0],
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = address.octets();
            [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]].map(u32::from_ne_bytes)
        }
    }
}

fn address(words: Words, is_v6: bool) -> IpAddr {
    let [first, second, third, fourth] = words.map(|word| u128::from(u32::from_be(word)));
    if is_v6 {
        Ipv6Addr::from_bits((first << 96) | (second << 64) | (third << 32) | fourth).into()
    } else {
        Ipv4Addr::from(words[0].to_ne_bytes()).into()
    }
}

/// Two numbers as one.
#[inline(always)]
fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | (u64::from(high) << 32)
}

/// The same of ports.
#[inline(always)]
fn ports(low: u16, high: u16) -> u32 {
    u32::from(low) | (u32::from(high) << 16)
}

impl Tuple {
    #[inline]
    pub(super) fn new(client: Endpoint, server: Endpoint) -> Self {
        Self {
            client: words(client.address),
            server: words(server.address),
            client_port: client.port,
            server_port: server.port,
        }
    }

    /// The same ends with their roles changed.
    #[inline]
    pub(super) fn reversed(self) -> Self {
        let Self { client, server, client_port, server_port } = self;
        Self { client: server, server: client, client_port: server_port, server_port: client_port }
    }

    /// Who sends from `source` to `destination`, if these are its ends; all addresses are of one IP version. Where both
    /// ends are the same, the client does.
    #[inline(always)]
    pub(super) fn sender_of(&self, source: Endpoint, destination: Endpoint) -> Option<Party> {
        let (by_client, by_server) = match (source.address, destination.address) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                // The other words are 0.
                let (own, ends) = (pair(self.client[0], self.server[0]), pair(word(from), word(to)));
                let own_ports = ports(self.client_port, self.server_port);
                let end_ports = ports(source.port, destination.port);
                // Compared as a whole, as whose turn it is cannot be foretold.
                let client = (own ^ ends) | u64::from(own_ports ^ end_ports);
                let server = (own ^ ends.rotate_left(32)) | u64::from(own_ports ^ end_ports.rotate_left(16));
                (client == 0, server == 0)
            }
            _ => {
                let tuple = Self::new(source, destination);
                (*self == tuple, *self == tuple.reversed())
            }
        };
        let sender = if by_client { Party::Client } else { Party::Server };
        (by_client | by_server).then_some(sender)
    }

    /// Whether a segment from `source`, an end of this connection, comes from the client.
    #[inline]
    pub(super) fn is_client(&self, source: Endpoint) -> bool {
        // The port alone tells them apart nearly always, and is quicker to compare.
        source.port == self.client_port
            && (self.client_port != self.server_port || words(source.address) == self.client)
    }

    pub(super) fn client(&self, is_v6: bool) -> Endpoint {
        Endpoint { address: address(self.client, is_v6), port: self.client_port }
    }

    pub(super) fn server(&self, is_v6: bool) -> Endpoint {
        Endpoint { address: address(self.server, is_v6), port: self.server_port }
    }
}
