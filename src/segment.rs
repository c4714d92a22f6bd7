//! What one TCP segment is, whatever carried it.
//!
//! Owns [`Segment`], [`Brief`] (the same in less room), their parts ([`SeqNum`], [`Flags`], [`Options`], [`Endpoint`]) and the way from a
//! [`Frame`](crate::frame::Frame) to it ([`decode`]) and back ([`encode`]). Uses [`crate::time`] and [`crate::frame`] only.

mod brief;
pub mod decode;
pub mod encode;
mod ends;
mod seq;

use std::fmt;
use std::net::IpAddr;

pub use brief::Brief;
pub(crate) use brief::Has;
pub(crate) use ends::Ends;
pub use seq::SeqNum;

use crate::frame::FrameId;
use crate::time::Timestamp;

/// One end of a connection: an address and a TCP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The IPv4 or IPv6 address.
    pub address: IpAddr,
    /// The TCP port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            IpAddr::V4(address) => write!(f, "{address}:{}", self.port),
            IpAddr::V6(address) => write!(f, "[{address}]:{}", self.port),
        }
    }
}

/// TCP control bits (RFC 9293 §3.1), the low octet of the flags field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Flags = Flags(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Flags = Flags(0x02);
    /// Reset the connection.
    pub const RST: Flags = Flags(0x04);
    /// Push.
    pub const PSH: Flags = Flags(0x08);
    /// The acknowledgment field is significant.
    pub const ACK: Flags = Flags(0x10);
    /// The urgent pointer is significant.
    pub const URG: Flags = Flags(0x20);

    /// Whether any bit of `other` is set here.
    pub const fn any(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Synchronise bit set.
    pub const fn syn(self) -> bool {
        self.any(Flags::SYN)
    }

    /// Finish bit set.
    pub const fn fin(self) -> bool {
        self.any(Flags::FIN)
    }

    /// Reset bit set.
    pub const fn rst(self) -> bool {
        self.any(Flags::RST)
    }

    /// Acknowledgment bit set.
    pub const fn ack(self) -> bool {
        self.any(Flags::ACK)
    }

    /// Push bit set.
    pub const fn psh(self) -> bool {
        self.any(Flags::PSH)
    }
}

/// The timestamps option (RFC 7323 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TcpTimestamps {
    /// TSval, the sender's clock.
    pub value: u32,
    /// TSecr, the echo of the peer's clock.
    pub echo: u32,
}

/// A SACK block (RFC 2018): `left` is its first octet, `right` the one after its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SackBlock {
    /// First sequence number of the block.
    pub left: SeqNum,
    /// Sequence number after the block.
    pub right: SeqNum,
}

/// The TCP options that matter here, as far as they were captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// Timestamps.
    pub timestamps: Option<TcpTimestamps>,
    /// The first SACK block; a duplicate report (D-SACK, RFC 2883) always stands there.
    pub sack: Option<SackBlock>,
    /// Window scale shift count (only meaningful on a SYN), 0 to 14.
    pub window_scale: Option<u8>,
    /// Maximum segment size (only on a SYN), in octets.
    pub mss: Option<u16>,
    /// SACK permitted (only on a SYN).
    pub sack_permitted: bool,
    /// The capture cut the options or they are malformed: what is absent above may have been there.
    pub incomplete: bool,
}

/// A TCP segment with where it was seen and the IP fields that tell copies and stacks apart.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// The frame that carried it.
    pub id: FrameId,
    /// When it was captured.
    pub time: Timestamp,
    /// Which interface saw it.
    pub interface: u32,
    /// Sender.
    pub source: Endpoint,
    /// Receiver.
    pub destination: Endpoint,
    /// SEG.SEQ.
    pub seq: SeqNum,
    /// SEG.ACK; meaningful when [`Flags::ack`] is set.
    pub ack: SeqNum,
    /// Control bits.
    pub flags: Flags,
    /// SEG.WND as on the wire, not scaled.
    pub window: u16,
    /// Octets of data on the wire, from the IP length (or the frame's length for an offloaded segment whose
    /// IP length is 0), not from what was captured. SYN and FIN are not counted.
    pub len: u32,
    /// The first octet of data, if captured.
    pub first_octet: Option<u8>,
    /// Options.
    pub options: Options,
    /// IPv4 time to live or IPv6 hop limit at the point of capture.
    pub ttl: u8,
    /// IPv4 identification; `None` for IPv6.
    pub ip_id: Option<u16>,
    /// IPv4 "don't fragment"; always true for IPv6.
    pub dont_fragment: bool,
}

/// An ICMP or ICMPv6 error that quotes a TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct IcmpError {
    /// The frame that carried it.
    pub id: FrameId,
    /// When it was captured.
    pub time: Timestamp,
    /// Who reports it.
    pub reporter: IpAddr,
    /// What it says.
    pub kind: IcmpKind,
    /// Sender of the quoted segment.
    pub source: Endpoint,
    /// Receiver of the quoted segment.
    pub destination: Endpoint,
    /// SEQ of the quoted segment.
    pub seq: SeqNum,
    /// IPv4 identification of the quoted packet; `None` for IPv6.
    pub quoted_ip_id: Option<u16>,
    /// Time to live or hop limit of the ICMP packet itself.
    pub ttl: u8,
}

/// The kinds of ICMP error that can answer a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IcmpKind {
    /// ICMP type 3, ICMPv6 type 1; with its code.
    Unreachable(u8),
    /// ICMP type 11, ICMPv6 type 3; with its code.
    TimeExceeded(u8),
    /// ICMP type 3 code 4, ICMPv6 type 2.
    PacketTooBig,
    /// ICMP type 12, ICMPv6 type 4; with its code.
    ParameterProblem(u8),
}
