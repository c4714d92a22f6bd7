//! Plain pcap with nanoseconds: packets, and no place for anything else.
//!
//! Owns [`PcapWriter`]. Uses [`crate::frame`].

use std::io::{self, Write};

use super::{WriteError, link_number};
use crate::frame::{Frame, LinkType};

const MAGIC_NANOS: u32 = 0xa1b2_3c4d;
/// Longest packet of the file, for readers that believe it: what the reader allows.
const SNAPLEN: u32 = 262_144;
/// In the link type field: the length of the frame check sequence is given, in words of two octets on top.
const FCS_PRESENT: u32 = 0x0400_0000;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Where the link type stands in the file header.
pub(super) const LINK_AT: u64 = 20;

/// Writes the file header before the first frame. It names the link type of all frames, which is said to be Ethernet
/// where it is written before there is one.
#[derive(Debug, Default)]
pub(super) struct PcapWriter {
    /// Link type and frame check sequence of all frames.
    shared: Option<(LinkType, u8)>,
    begun: bool,
}

impl PcapWriter {
    /// Whether the file has a place for this frame.
    pub(super) fn check(&mut self, frame: &Frame<'_>) -> Result<(), WriteError> {
        let shared = *self.shared.get_or_insert((frame.link, frame.fcs_len));
        if shared != (frame.link, frame.fcs_len) {
            return Err(WriteError::SeveralLinkTypes);
        }
        let seconds = frame.time.as_nanos().div_euclid(NANOS_PER_SECOND);
        u32::try_from(seconds).map(|_| ()).map_err(|_| WriteError::TimeOutsidePcap(frame.id))
    }

    /// Writes the file header unless that was done.
    pub(super) fn begin(&mut self, out: &mut impl Write) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        for word in [MAGIC_NANOS, 0x0004_0002, 0, 0, SNAPLEN, self.link()] {
            out.write_all(&word.to_le_bytes())?;
        }
        Ok(())
    }

    /// The link type as the file header has it.
    fn link(&self) -> u32 {
        let (link, fcs_len) = self.shared.unwrap_or((LinkType::Ethernet, 0));
        // An odd length has no form here; the octets are written all the same.
        let fcs = match fcs_len / 2 {
            words @ 1..16 => FCS_PRESENT | (u32::from(words) << 28),
            _ => 0,
        };
        u32::from(link_number(link)) | fcs
    }

    /// [`check`](Self::check) of a frame behind a header that is in the file already; what is to stand there as the
    /// link type instead, if this first frame has another one.
    pub(super) fn check_behind(&mut self, frame: &Frame<'_>) -> Result<Option<[u8; 4]>, WriteError> {
        let said = self.link();
        self.check(frame)?;
        Ok((self.link() != said).then(|| self.link().to_le_bytes()))
    }

    /// Writes a frame that passed the check.
    pub(super) fn frame(&mut self, out: &mut impl Write, frame: &Frame<'_>) -> io::Result<()> {
        self.begin(out)?;
        let nanos = frame.time.as_nanos();
        let out_of_range = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let seconds = u32::try_from(nanos.div_euclid(NANOS_PER_SECOND)).map_err(out_of_range)?;
        let fraction = u32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).map_err(out_of_range)?;
        let captured = u32::try_from(frame.data.len()).map_err(out_of_range)?;
        for word in [seconds, fraction, captured, frame.wire_len] {
            out.write_all(&word.to_le_bytes())?;
        }
        out.write_all(frame.data)
    }
}
