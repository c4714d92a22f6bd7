//! A packet between simulated hosts: the fields that hosts and boxes look at, octets only where somebody looks.
//!
//! Owns [`Packet`]. Uses [`crate::segment`].

use std::net::IpAddr;

use crate::segment::encode::{EncodeError, IcmpOutbound, Outbound};
use crate::segment::{Endpoint, Flags, IcmpKind, Options, SeqNum};

/// A packet on its way.
#[derive(Clone, Debug, PartialEq)]
pub enum Packet {
    /// A TCP segment.
    Tcp(TcpPacket),
    /// An ICMP error about one.
    Icmp(Box<IcmpPacket>),
}

/// A TCP segment on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TcpPacket {
    /// Sender.
    pub source: Endpoint,
    /// Receiver.
    pub destination: Endpoint,
    /// SEG.SEQ.
    pub seq: SeqNum,
    /// SEG.ACK.
    pub ack: SeqNum,
    /// Control bits.
    pub flags: Flags,
    /// SEG.WND as on the wire.
    pub window: u16,
    /// Octets of data; what they are does not matter to anybody.
    pub octets: u16,
    /// IPv4 time to live or IPv6 hop limit.
    pub ttl: u8,
    /// IPv4 "don't fragment".
    pub dont_fragment: bool,
    /// IPv4 identification.
    pub ip_id: u16,
    /// TCP options.
    pub options: Options,
}

/// An ICMP error on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct IcmpPacket {
    /// Who reports it.
    pub reporter: IpAddr,
    /// Who is told.
    pub destination: IpAddr,
    /// What it says.
    pub kind: IcmpKind,
    /// The segment it is about, as it was when it met the reporter.
    pub about: TcpPacket,
    /// IPv4 time to live or IPv6 hop limit.
    pub ttl: u8,
    /// IPv4 identification.
    pub ip_id: u16,
}

impl Packet {
    /// Where it goes.
    pub fn destination(&self) -> IpAddr {
        match self {
            Packet::Tcp(segment) => segment.destination.address,
            Packet::Icmp(error) => error.destination,
        }
    }

    /// Appends it to `out` as an IP packet.
    ///
    /// # Errors
    /// If its ends are of different IP versions, or it holds more data than a packet can.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Packet::Tcp(segment) => segment.write(out),
            Packet::Icmp(error) => {
                let mut quoted = Vec::with_capacity(80);
                error.about.write(&mut quoted)?;
                let IcmpPacket { reporter, destination, kind, ttl, ip_id, .. } = **error;
                IcmpOutbound { reporter, destination, kind, quoted: &quoted, ttl, ip_id }.packet(out)
            }
        }
    }
}

impl TcpPacket {
    /// Octets of the IP packet.
    pub fn wire_len(&self) -> u64 {
        let header = if self.source.address.is_ipv4() { 40 } else { 60 };
        let Options { timestamps, sack, window_scale, mss, sack_permitted, .. } = self.options;
        let on = |is_there: bool, octets: u64| if is_there { octets } else { 0 };
        // As they are written: SACK permitted stands in the padding of the timestamps.
        let options = on(mss.is_some(), 4)
            + on(timestamps.is_some(), 12)
            + on(sack_permitted && timestamps.is_none(), 4)
            + on(window_scale.is_some(), 4)
            + on(sack.is_some(), 12);
        header + options + u64::from(self.octets)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let data = vec![0; usize::from(self.octets)];
        Outbound {
            source: self.source,
            destination: self.destination,
            seq: self.seq,
            ack: self.ack,
            flags: self.flags,
            window: self.window,
            options: self.options,
            payload: &data,
            ttl: self.ttl,
            ip_id: self.ip_id,
            dont_fragment: self.dont_fragment,
        }
        .packet(out)
    }
}
