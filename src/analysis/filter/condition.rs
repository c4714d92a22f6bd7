//! What an expression demands of the ends, for whoever sees segments and no connections.

use ipnet::IpNet;

/// What a filter demands of a connection's two ends, whichever of them is the client and whatever becomes of it.
///
/// Shown in the filter language.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    /// Neither end may be one of these; otherwise at least one end must be.
    pub negated: bool,
    /// The alternatives.
    pub any: Vec<End>,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// Its address lies in this network.
    pub network: Option<IpNet>,
    /// Its port.
    pub port: Option<u16>,
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.negated { "!" } else { "" })?;
        if self.any.iter().all(|end| end.network.is_none()) {
            f.write_str("port:")?;
        } else if self.any.iter().all(|end| end.network.is_some()) {
            f.write_str("addr:")?;
        }
        for (number, end) in self.any.iter().enumerate() {
            write!(f, "{}{end}", if number > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.network, self.port) {
            (Some(network), Some(port)) => write!(f, "{}", std::net::SocketAddr::new(network.addr(), port)),
            (Some(network), None) if network.prefix_len() == network.max_prefix_len() => {
                write!(f, "{}", network.addr())
            }
            (Some(network), None) => write!(f, "{network}"),
            (None, Some(port)) => write!(f, "{port}"),
            (None, None) => Ok(()),
        }
    }
}
