//! What a stack does besides keepalives, as far as a connection needs it: its SYN, its window, its patience.
//!
//! Owns [`Profile`]. How keepalives go is in [`crate::stack`], with sources; what stands here is what these
//! systems are known to send out of the box, only roughly in its numbers, and a simulation may set it.

use crate::stack::Stack;
use crate::stack::value::{DontFragment, IpId, TimeToLive};
use crate::time::Span;

/// What a host's TCP is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Whether it offers timestamps (RFC 7323).
    pub timestamps: bool,
    /// Whether it offers SACK.
    pub sack: bool,
    /// Its window scale, if it offers one.
    pub window_scale: Option<u8>,
    /// The largest segment it announces, in octets.
    pub mss: u16,
    /// Its receive window in octets.
    pub window: u32,
    /// IPv4 TTL or IPv6 hop limit.
    pub ttl: u8,
    /// IPv4 "don't fragment".
    pub dont_fragment: bool,
    /// How it numbers its IPv4 packets.
    pub ip_id: IpId,
    /// The shortest retransmission time-out.
    pub least_rto: Span,
    /// How often a segment is sent again before the connection is given up.
    pub retries: u32,
    /// How often a SYN is sent again.
    pub syn_retries: u32,
}

impl Profile {
    /// The profile of a stack.
    pub fn of(stack: &Stack) -> Self {
        let base = Self {
            timestamps: true,
            sack: true,
            window_scale: Some(6),
            mss: 1460,
            window: 65_535,
            ttl: match stack.probe.ttl.value {
                Some(TimeToLive::Socket64 | TimeToLive::System64 | TimeToLive::Socket) | None => 64,
            },
            dont_fragment: stack.probe.dont_fragment.value_or(DontFragment::Set) != DontFragment::Clear,
            ip_id: stack.probe.ip_id.value_or(IpId::OfTheSystem),
            least_rto: Span::from_millis(230),
            retries: 12,
            syn_retries: 4,
        };
        let family = stack.name.split('-').next().unwrap_or("");
        match family {
            "linux" => Self {
                window_scale: Some(7),
                window: 64_240,
                least_rto: Span::from_millis(200),
                retries: 15,
                syn_retries: 6,
                ..base
            },
            "windows" => Self {
                timestamps: false,
                window_scale: Some(8),
                ttl: 128,
                least_rto: Span::from_millis(300),
                retries: 5,
                syn_retries: 4,
                ..base
            },
            "gvisor" => {
                Self { window_scale: Some(7), least_rto: Span::from_millis(200), retries: 15, ..base }
            }
            "smoltcp" => Self { timestamps: false, window_scale: Some(0), ..base },
            "lwip" => Self {
                timestamps: false,
                sack: false,
                window_scale: None,
                window: 5_840,
                ttl: 255,
                dont_fragment: false,
                ..base
            },
            "freertos" | "picotcp" | "nuttx" | "uip" | "zvm" | "pytcp" => {
                Self { timestamps: false, sack: false, window_scale: None, window: 5_840, ..base }
            }
            _ => base,
        }
    }
}
