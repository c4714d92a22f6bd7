//! Why a frame was not read as TCP.
//!
//! Owns [`Skip`] with its parts, their names in reports, and which of them may hide TCP. Uses nothing else.

use std::fmt;

use super::ip;

/// Why a frame was not read as TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// A link type that is not understood (its registry number).
    LinkType(u16),
    /// A frame that carries no IP, by its ethertype (in a Linux cooked capture also Linux's own numbers).
    NotIp(u16),
    /// An 802.2 LLC frame that carries no IP, such as spanning tree.
    Llc,
    /// An address family on a BSD loopback that is not IP.
    AddressFamily(u32),
    /// IP that carries neither TCP nor a tunnel, by its protocol number. ICMP that is no error about a TCP
    /// segment is one of these.
    NotTcp(u8),
    /// PPP that carries no IP, by its protocol number.
    Ppp(u16),
    /// Something that wraps whole packets or frames and was not opened: encrypted, nested too deep, of a kind
    /// that is not read, or not what its header promises.
    Tunnel(Tunnel),
    /// A fragment of a packet that carries TCP, or of an IPv6 packet whose protocol other fragments tell, that
    /// was not put together with the others: one of them is missing, or they contradict each other.
    Fragment,
    /// The capture cut the frame inside this layer.
    Cut(Layer),
    /// This layer contradicts itself or the layer around it.
    Malformed(Layer),
}

/// What wraps other packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// IP protocol 4.
    IpInIp,
    /// IP protocol 41.
    Ipv6InIp,
    /// IP protocol 47.
    Gre,
    /// IP protocol 50, encrypted.
    Esp,
    /// UDP port 4789.
    Vxlan,
    /// UDP port 6081.
    Geneve,
    /// Ethertype 0x8864, a PPPoE session.
    Pppoe,
    /// Ethertypes 0x8847 and 0x8848.
    Mpls,
    /// Ethertype 0x88e5, mostly encrypted.
    Macsec,
}

/// The part of a frame in which reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The link header, VLAN tags included.
    Link,
    /// The header of a tunnel.
    Tunnel,
    /// The IP header with its options or extension headers.
    Ip,
    /// The TCP header.
    Tcp,
    /// An ICMP error, down to the first 8 octets of the segment it quotes.
    IcmpQuote,
}

const VXLAN_PORT: u16 = 4789;
const GENEVE_PORT: u16 = 6081;

impl Skip {
    /// The name that counts frames of this kind in reports. Stable; ASCII letters, digits and underscores.
    pub fn name(&self) -> String {
        self.to_string()
    }

    /// Whether a TCP segment may have been in the frame, so that a search in this capture may have missed
    /// something. False where the frame said what it was and that is no TCP.
    pub const fn may_hide_tcp(&self) -> bool {
        match self {
            Skip::NotIp(_) | Skip::Llc | Skip::AddressFamily(_) | Skip::NotTcp(_) => false,
            // Control protocols have numbers from 0x4000 on. Below are those that carry packets, some of them
            // TCP with its header compressed.
            Skip::Ppp(protocol) => *protocol < 0x4000,
            Skip::LinkType(_) | Skip::Tunnel(_) | Skip::Fragment | Skip::Cut(_) | Skip::Malformed(_) => true,
        }
    }

    /// For an ethertype that is neither IP nor a VLAN tag.
    pub(super) const fn of_ethertype(ethertype: u16) -> Self {
        match ethertype {
            0x8847 | 0x8848 => Skip::Tunnel(Tunnel::Mpls),
            0x8864 => Skip::Tunnel(Tunnel::Pppoe),
            0x88e5 => Skip::Tunnel(Tunnel::Macsec),
            other => Skip::NotIp(other),
        }
    }

    /// For an IP protocol that is not TCP.
    pub(super) const fn of_protocol(protocol: u8) -> Self {
        match protocol {
            4 => Skip::Tunnel(Tunnel::IpInIp),
            41 => Skip::Tunnel(Tunnel::Ipv6InIp),
            47 => Skip::Tunnel(Tunnel::Gre),
            50 => Skip::Tunnel(Tunnel::Esp),
            other => Skip::NotTcp(other),
        }
    }

    /// For UDP to this port, where it was captured. The source port of these tunnels is a hash of the inner
    /// packet, so only the destination tells them.
    pub(super) const fn of_udp(destination: Option<u16>) -> Self {
        match destination {
            Some(VXLAN_PORT) => Skip::Tunnel(Tunnel::Vxlan),
            Some(GENEVE_PORT) => Skip::Tunnel(Tunnel::Geneve),
            _ => Skip::NotTcp(ip::UDP),
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Skip::LinkType(number) => write!(f, "link_type_{number}"),
            Skip::NotIp(ethertype) => write_ethertype(f, ethertype),
            Skip::Llc => f.write_str("llc"),
            Skip::AddressFamily(family) => write!(f, "address_family_{family}"),
            Skip::NotTcp(protocol) => write_protocol(f, protocol),
            Skip::Ppp(protocol) => write!(f, "ppp_{protocol:04x}"),
            Skip::Tunnel(tunnel) => write!(f, "tunnel_{}", tunnel.name()),
            Skip::Fragment => f.write_str("ip_fragment"),
            Skip::Cut(Layer::IcmpQuote) => f.write_str("cut_icmp_quote"),
            Skip::Cut(layer) => write!(f, "cut_{}_header", layer.name()),
            Skip::Malformed(layer) => write!(f, "malformed_{}", layer.name()),
        }
    }
}

impl Tunnel {
    const fn name(self) -> &'static str {
        match self {
            Tunnel::IpInIp => "ip_in_ip",
            Tunnel::Ipv6InIp => "ipv6_in_ip",
            Tunnel::Gre => "gre",
            Tunnel::Esp => "esp",
            Tunnel::Vxlan => "vxlan",
            Tunnel::Geneve => "geneve",
            Tunnel::Pppoe => "pppoe",
            Tunnel::Mpls => "mpls",
            Tunnel::Macsec => "macsec",
        }
    }
}

impl Layer {
    const fn name(self) -> &'static str {
        match self {
            Layer::Link => "link",
            Layer::Tunnel => "tunnel",
            Layer::Ip => "ip",
            Layer::Tcp => "tcp",
            Layer::IcmpQuote => "icmp_quote",
        }
    }
}

fn write_ethertype(f: &mut fmt::Formatter<'_>, ethertype: u16) -> fmt::Result {
    match ethertype {
        0x0806 => f.write_str("arp"),
        0x8035 => f.write_str("rarp"),
        0x8863 => f.write_str("pppoe_discovery"),
        0x888e => f.write_str("eapol"),
        0x88cc => f.write_str("lldp"),
        other => write!(f, "ethertype_{other:04x}"),
    }
}

fn write_protocol(f: &mut fmt::Formatter<'_>, protocol: u8) -> fmt::Result {
    match protocol {
        ip::ICMP => f.write_str("icmp"),
        2 => f.write_str("igmp"),
        ip::UDP => f.write_str("udp"),
        ip::ICMPV6 => f.write_str("icmpv6"),
        89 => f.write_str("ospf"),
        103 => f.write_str("pim"),
        112 => f.write_str("vrrp"),
        132 => f.write_str("sctp"),
        other => write!(f, "ip_protocol_{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_keys() {
        let names = [
            (Skip::LinkType(147), "link_type_147"),
            (Skip::NotIp(0x0806), "arp"),
            (Skip::NotIp(0x88b5), "ethertype_88b5"),
            (Skip::Llc, "llc"),
            (Skip::AddressFamily(7), "address_family_7"),
            (Skip::NotTcp(17), "udp"),
            (Skip::NotTcp(1), "icmp"),
            (Skip::NotTcp(254), "ip_protocol_254"),
            (Skip::Ppp(0xc021), "ppp_c021"),
            (Skip::Tunnel(Tunnel::Gre), "tunnel_gre"),
            (Skip::Tunnel(Tunnel::IpInIp), "tunnel_ip_in_ip"),
            (Skip::Fragment, "ip_fragment"),
            (Skip::Cut(Layer::Link), "cut_link_header"),
            (Skip::Cut(Layer::Ip), "cut_ip_header"),
            (Skip::Cut(Layer::Tunnel), "cut_tunnel_header"),
            (Skip::Cut(Layer::Tcp), "cut_tcp_header"),
            (Skip::Cut(Layer::IcmpQuote), "cut_icmp_quote"),
            (Skip::Malformed(Layer::Tcp), "malformed_tcp"),
        ];
        for (skip, name) in names {
            assert_eq!(skip.name(), name);
        }
    }

    #[test]
    fn only_what_said_that_it_is_no_tcp_hides_none() {
        for skip in
            [Skip::NotIp(0x0806), Skip::Llc, Skip::AddressFamily(7), Skip::NotTcp(17), Skip::Ppp(0xc021)]
        {
            assert!(!skip.may_hide_tcp(), "{skip}");
        }
        for skip in [
            Skip::LinkType(147),
            Skip::Ppp(0x002d),
            Skip::Tunnel(Tunnel::Esp),
            Skip::Fragment,
            Skip::Cut(Layer::Ip),
            Skip::Malformed(Layer::Ip),
        ] {
            assert!(skip.may_hide_tcp(), "{skip}");
        }
    }
}
