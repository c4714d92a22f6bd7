//! The part of a connection's state (RFC 9293 §3.3.1) that keepalives touch, and the segments that go in and
//! out of the machine.
//!
//! Uses [`crate::segment`] (sequence numbers, flags). A driver turns wire or simulated packets into
//! [`Incoming`] and [`Outgoing`] into packets.

use crate::segment::{Flags, SackBlock, SeqNum};

/// Send and receive variables of an established connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcb {
    /// SND.UNA: oldest unacknowledged sequence number.
    pub snd_una: SeqNum,
    /// SND.NXT: next sequence number to be sent.
    pub snd_nxt: SeqNum,
    /// RCV.NXT: next sequence number expected.
    pub rcv_nxt: SeqNum,
    /// RCV.WND: receive window in octets, scaled.
    pub rcv_wnd: u32,
    /// Data waits that the peer's window does not let out.
    pub unsent: bool,
    /// SACK was negotiated.
    pub sack: bool,
    /// The peer's latest acceptable TSval (TS.Recent), if timestamps were negotiated.
    pub ts_recent: Option<u32>,
}

impl Tcb {
    /// A quiet connection: everything sent was acknowledged.
    pub fn quiet(snd_nxt: SeqNum, rcv_nxt: SeqNum) -> Self {
        Self {
            snd_una: snd_nxt,
            snd_nxt,
            rcv_nxt,
            rcv_wnd: 65_535,
            unsent: false,
            sack: true,
            ts_recent: None,
        }
    }

    /// Whether sent octets wait for their acknowledgment.
    pub fn is_outstanding(&self) -> bool {
        self.snd_una != self.snd_nxt
    }

    /// Whether SND.UNA ≤ `ack` ≤ SND.NXT.
    pub(super) fn is_acceptable_ack(&self, ack: SeqNum) -> bool {
        ack.distance_from(self.snd_una) >= 0 && ack.distance_from(self.snd_nxt) <= 0
    }
}

/// A segment that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// SEG.SEQ.
    pub seq: SeqNum,
    /// SEG.ACK; significant if [`Flags::ack`] is set.
    pub ack: SeqNum,
    /// Control bits.
    pub flags: Flags,
    /// Octets of data.
    pub octets: u32,
    /// TSval, if the segment carries timestamps.
    pub tsval: Option<u32>,
}

impl Incoming {
    /// Whether it has the form of a keepalive probe to this connection: 0 or 1 octet below RCV.NXT.
    pub fn is_probe_to(&self, tcb: &Tcb) -> bool {
        self.octets <= 1
            && self.seq.plus(1) == tcb.rcv_nxt
            && !self.flags.any(Flags::SYN.with(Flags::FIN).with(Flags::RST))
    }
}

/// Why a segment leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A keepalive probe; its number in the run of unanswered ones, from 1.
    Probe(u32),
    /// The answer to a segment that is not acceptable, a probe among them.
    Answer,
    /// The RST of a prober that gives up, or of a host that knows no such connection.
    Reset,
}

/// A segment that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Why.
    pub purpose: Purpose,
    /// SEG.SEQ.
    pub seq: SeqNum,
    /// SEG.ACK; significant if [`Flags::ack`] is set.
    pub ack: SeqNum,
    /// Control bits.
    pub flags: Flags,
    /// Octets of data: 0 or 1.
    pub octets: u8,
    /// Whether timestamps go with it, if they were negotiated.
    pub timestamps: bool,
    /// TSecr, if timestamps go with it.
    pub echo: Option<u32>,
    /// A duplicate it reports (RFC 2883).
    pub dsack: Option<SackBlock>,
}
