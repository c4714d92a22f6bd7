//! The interfaces of this machine, in the network namespace in which we are.
//!
//! Owns [`Interface`]. Uses [`super::sys`].

use std::io;
use std::net::IpAddr;

use pnet::datalink::NetworkInterface;
use socket2::{Domain, Socket, Type};

use super::sys;
use crate::frame::LinkType;

/// ARPHRD_ETHER of linux/if_arp.h.
const ETHERNET: u16 = 1;
/// ARPHRD_LOOPBACK: frames have an Ethernet header of zeros.
const LOOPBACK: u16 = 772;

/// An interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// As the library for packet sockets knows it.
    pub(super) known: NetworkInterface,
    /// ARPHRD_* of linux/if_arp.h; none if it went away while it was looked at.
    pub hardware: Option<u16>,
    /// Largest packet, in octets.
    pub mtu: Option<u32>,
}

impl Interface {
    /// All there are.
    ///
    /// # Errors
    /// If not even a socket to ask with can be had.
    pub fn all() -> io::Result<Vec<Interface>> {
        let socket = Self::socket()?;
        let with_details = |known: NetworkInterface| {
            let hardware = sys::hardware_type(&socket, &known.name).ok();
            let mtu = sys::mtu(&socket, &known.name).ok();
            Interface { known, hardware, mtu }
        };
        Ok(pnet::datalink::interfaces().into_iter().map(with_details).collect())
    }

    /// A socket that exists only for asking.
    pub(super) fn socket() -> io::Result<Socket> {
        // One of the two families may be switched off.
        Socket::new(Domain::IPV4, Type::DGRAM, None).or_else(|_| Socket::new(Domain::IPV6, Type::DGRAM, None))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.known.name
    }

    /// Its number in the system.
    pub fn index(&self) -> u32 {
        self.known.index
    }

    /// Whether it was up.
    pub fn is_up(&self) -> bool {
        self.known.is_up()
    }

    /// Whether it is the loopback, on which every packet is seen leaving and coming.
    pub fn is_loopback(&self) -> bool {
        self.known.is_loopback()
    }

    /// Its addresses.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.known.ips.iter().map(|network| network.ip())
    }

    /// Its addresses with the length of their prefixes.
    pub fn networks(&self) -> impl Iterator<Item = (IpAddr, u8)> {
        self.known.ips.iter().map(|network| (network.ip(), network.prefix()))
    }

    /// What kind it is, in a word of linux/if_arp.h.
    pub fn kind(&self) -> &'static str {
        match self.hardware {
            Some(ETHERNET) => "ethernet",
            Some(LOOPBACK) => "loopback",
            Some(512) => "ppp",
            Some(768 | 769 | 776 | 778 | 823) => "tunnel",
            Some(65534) => "raw_ip",
            Some(_) => "other",
            None => "unknown",
        }
    }

    /// What its frames begin with, and whether the kernel is to take the link header off: it does so for every
    /// kind but Ethernet, and what is left begins with an IP header.
    pub(super) fn link(&self) -> (LinkType, bool) {
        match self.hardware {
            Some(ETHERNET | LOOPBACK) => (LinkType::Ethernet, false),
            _ => (LinkType::Raw, true),
        }
    }
}
