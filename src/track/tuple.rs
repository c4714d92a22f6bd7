//! The two ends of a connection in 36 octets, whichever IP version they are of.
//!
//! Owns how ends are kept and compared. Uses [`crate::segment`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::segment::Endpoint;

/// An address; that of IPv4 in the first word, and the others 0.
type Words = [u32; 4];

/// The 4-tuple of a connection. Which IP version its addresses are of is kept elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tuple {
    client: Words,
    server: Words,
    client_port: u16,
    server_port: u16,
}

#[inline]
fn words(address: IpAddr) -> Words {
    match address {
        IpAddr::V4(address) => [address.to_bits(), 0, 0, 0],
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            [(bits >> 96) as u32, (bits >> 64) as u32, (bits >> 32) as u32, bits as u32]
        }
    }
}

fn address(words: Words, is_v6: bool) -> IpAddr {
    let [first, second, third, fourth] = words.map(u128::from);
    if is_v6 {
        Ipv6Addr::from_bits((first << 96) | (second << 64) | (third << 32) | fourth).into()
    } else {
        Ipv4Addr::from_bits(words[0]).into()
    }
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

    /// Whether these are its ends, in either order; all addresses are of one IP version.
    #[inline(always)]
    pub(super) fn is_between(&self, one: Endpoint, other: Endpoint) -> bool {
        let (ports, turned) = ((one.port, other.port), (other.port, one.port));
        let own = (self.client_port, self.server_port);
        if own != ports && own != turned {
            return false;
        }
        match (one.address, other.address) {
            (IpAddr::V4(first), IpAddr::V4(second)) => {
                // The other words are 0.
                let (first, second) = (first.to_bits(), second.to_bits());
                let (client, server) = (self.client[0], self.server[0]);
                (client == first && server == second && own == ports)
                    || (client == second && server == first && own == turned)
            }
            _ => {
                let tuple = Self::new(one, other);
                *self == tuple || *self == tuple.reversed()
            }
        }
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
