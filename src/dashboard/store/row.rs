//! One segment as the screen keeps it.

use crate::frame::FrameId;
use crate::segment::{Flags, Segment, SeqNum};
use crate::time::Timestamp;
use crate::track::event::{Answer, AnswerKind, LookAlike, Mark, Party};
use crate::track::{Class, Observed};

/// Ordinary segments at either end of a run that are not folded.
pub const SHOWN_OF_RUN: u32 = 3;

/// A segment of a connection, or an ICMP error about one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Number of the connection.
    pub connection: u32,
    capture: u32,
    number: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// SEQ relative to the first of its direction.
    pub relative: i64,
    /// ACK relative to the first of the other direction; the lowest number stands for none.
    relative_ack: i64,
    /// SEQ on the wire.
    pub seq: SeqNum,
    /// ACK on the wire.
    pub ack: SeqNum,
    /// Octets of data.
    pub len: u32,
    /// What it was when it came; later events may correct that.
    pub class: Class,
    /// Control bits.
    pub flags: Flags,
    /// Time to live at the point of capture.
    pub ttl: u8,
    /// Who sent it.
    pub sender: Party,
    /// It carries the timestamps option.
    pub timestamps: bool,
    /// Octets of the client, and of the server, were acknowledged so far that are not in the capture.
    pub octets_missing: [bool; 2],
}

impl Row {
    /// The row of a segment.
    pub fn of(segment: &Segment, observed: &Observed) -> Row {
        Row {
            connection: observed.connection.0 as u32,
            capture: segment.id.capture,
            number: segment.id.number,
            time: segment.time,
            relative: observed.seq,
            relative_ack: observed.ack.unwrap_or(i64::MIN),
            seq: segment.seq,
            ack: segment.ack,
            len: segment.len,
            class: observed.class,
            flags: segment.flags,
            ttl: segment.ttl,
            sender: observed.sender,
            timestamps: segment.options.timestamps.is_some(),
            octets_missing: observed.octets_missing,
        }
    }

    /// The row of an ICMP error that answers a probe of `prober`.
    pub fn of_icmp(connection: u32, answer: &Answer, prober: Party) -> Row {
        Row {
            connection,
            capture: answer.at.frame.capture,
            number: answer.at.frame.number,
            time: answer.at.time,
            relative: 0,
            relative_ack: i64::MIN,
            seq: SeqNum(0),
            ack: SeqNum(0),
            len: 0,
            class: Class::Answer { probe: answer.probe, kind: answer.kind },
            flags: Flags::default(),
            ttl: answer.ttl,
            sender: prober.peer(),
            timestamps: false,
            octets_missing: [false; 2],
        }
    }

    /// The frame.
    pub fn frame(&self) -> FrameId {
        FrameId { capture: self.capture, number: self.number }
    }

    /// The frame with its time.
    pub fn mark(&self) -> Mark {
        Mark { frame: self.frame(), time: self.time }
    }

    /// ACK relative to the first of the other direction.
    pub fn ack_relative(&self) -> Option<i64> {
        (self.relative_ack != i64::MIN).then_some(self.relative_ack)
    }

    /// Whether it is an ICMP error.
    pub fn is_icmp(&self) -> bool {
        matches!(self.class, Class::Answer { kind: AnswerKind::Icmp(_), .. })
    }

    /// Whether long runs of its like are folded.
    pub fn is_ordinary(&self) -> bool {
        matches!(
            self.class,
            Class::Data
                | Class::Ack
                | Class::OldAck
                | Class::Retransmission
                | Class::LookAlike(LookAlike::WindowUpdate | LookAlike::DuplicateAck)
        )
    }
}
