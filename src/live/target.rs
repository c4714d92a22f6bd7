//! The peer to probe: HOST:PORT, and the address it stands for.
//!
//! Owns [`Target`]. Names are looked up by the system.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// A name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name or the address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape = || "write it like example.net:443, 192.0.2.1:22 or [2001:db8::1]:80".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(shape)?;
        let port =
            port.parse().ok().filter(|port| *port > 0).ok_or_else(|| match text.parse::<Ipv6Addr>() {
                Ok(_) => format!("which port? Write it like [{text}]:443"),
                Err(_) => "the port is a number from 1 to 65535".to_owned(),
            })?;
        let host = match host.strip_prefix('[').map(|inner| inner.strip_suffix(']')) {
            Some(Some(inner)) => inner,
            Some(None) => return Err(shape()),
            None if host.contains(':') => return Err(shape()),
            None => host,
        };
        if host.is_empty() {
            return Err(shape());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Target {
    /// The first address that will do, in the order in which the system would try them (RFC 6724); IPv4 only
    /// (true), IPv6 only (false), or either.
    ///
    /// # Errors
    /// If there is no such address.
    pub fn resolve(&self, family: Option<bool>) -> Result<SocketAddr, String> {
        let found: Vec<SocketAddr> = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|error| format!("no address for {}: {error}", self.host))?
            .collect();
        let fits = |address: &&SocketAddr| family.is_none_or(|v4| address.is_ipv4() == v4);
        found.iter().find(fits).copied().ok_or_else(|| {
            let wanted = match family {
                Some(true) => "IPv4 ",
                Some(false) => "IPv6 ",
                None => "",
            };
            format!("{} has no {wanted}address", self.host)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_have_ports() {
        for (text, host, port) in [
            ("example.net:443", "example.net", 443),
            ("192.0.2.1:22", "192.0.2.1", 22),
            ("[2001:db8::1]:80", "2001:db8::1", 80),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port));
            assert_eq!(target.to_string(), text);
        }
        for bad in ["", "x", ":1", "x:", "x:0", "x:65536", "x:1s", "2001:db8::1:80", "[::1:80", "[]:80"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
        assert!("2001:db8::1".parse::<Target>().is_err());
    }

    #[test]
    fn an_address_must_be_of_the_wished_version() {
        let target: Target = "192.0.2.1:22".parse().unwrap();
        assert_eq!(target.resolve(Some(true)), Ok("192.0.2.1:22".parse().unwrap()));
        assert_eq!(target.resolve(Some(false)), Err("192.0.2.1 has no IPv6 address".to_owned()));
    }
}
