//! What the format readers hand to the rest: one packet, still in the buffer.
//!
//! Owns [`Record`], the limits both formats share and the words for a stream that ends too early. Uses
//! [`super::buffer`], [`super::problem`], [`crate::frame`] and [`crate::time`].

use std::io;
use std::ops::Range;

use super::buffer::Buffer;
use super::problem::{Log, Place, ProblemKind};
use crate::frame::LinkType;
use crate::time::Timestamp;

/// The most octets of one packet that are believed: what libpcap and Wireshark allow for all but exotic links.
pub(super) const MAX_CAPTURED: usize = 262_144;

/// One packet; `data` is a place in the buffer.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) time: Timestamp,
    pub(super) wire_len: u32,
    pub(super) data: Range<usize>,
    kind: Kind,
}

/// What is nearly always the same as that of the packet before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) interface: u32,
    pub(super) link: LinkType,
    pub(super) fcs_len: u8,
    /// The packet flags of pcapng.
    pub(super) flags: Option<u32>,
}

impl Record {
    pub(super) const NONE: Record = Record {
        time: Timestamp::from_nanos(0),
        wire_len: 0,
        data: 0..0,
        kind: Kind { interface: 0, link: LinkType::Null, fcs_len: 0, flags: None },
    };

    #[inline]
    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Written only where it changes: a processor waits long for what was written in other pieces than it is read.
    #[inline]
    pub(super) fn set_kind(&mut self, kind: Kind) {
        if self.kind != kind {
            self.kind = kind;
        }
    }
}

/// Says why there are fewer than `wanted` octets for `what` at the current place: nothing if the stream ends
/// cleanly right here.
#[cold]
pub(super) fn report_shortage(
    buffer: &mut Buffer,
    log: &mut Log,
    packet: Option<u64>,
    what: &str,
    wanted: usize,
) {
    let there = buffer.available().len();
    let place = Place { packet, offset: Some(buffer.offset()) };
    let Some(error) = buffer.take_failure() else {
        if there > 0 {
            log.report(ProblemKind::CutOff, place, || {
                format!("the capture ends inside {what}: {there} of {wanted} octets are there")
            });
        }
        return;
    };
    let kind = match error.kind() {
        io::ErrorKind::UnexpectedEof if log.is_decompressed() => ProblemKind::CutOff,
        io::ErrorKind::InvalidData if log.is_decompressed() => ProblemKind::DecompressionFailed,
        _ => ProblemKind::ReadFailed,
    };
    log.report(kind, place, || {
        if there > 0 {
            format!("{error}, inside {what}: {there} of {wanted} octets are there")
        } else {
            error.to_string()
        }
    });
}
