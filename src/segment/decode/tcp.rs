//! TCP: from the payload of an IP packet to a [`Segment`].
//!
//! Owns [`read`] and the reading of TCP options. Uses [`crate::frame`], the types of [`crate::segment`], the
//! IP layer's [`Packet`] and the skip reasons only.
//!
//! etherparse is not used here: `TcpHeaderSlice` refuses a header whose options were cut, and
//! `TcpOptionsIterator` ends at the first option it does not know (Fast Open, Multipath TCP, authentication),
//! which would hide a timestamp behind it.

use super::Decoded;
use super::ip::{Header, Packet};
use super::skip::{Layer, Skip};
use super::u32_at;
use crate::frame::Frame;
use crate::segment::{Brief, Flags, Options, SackBlock, Segment, SeqNum, TcpTimestamps};

/// A header without options.
const BASE_HEADER: usize = 20;

/// How much of it has to be captured: checksum and urgent pointer, its last 4 octets, are not looked at.
const NEEDED: usize = 16;

/// RFC 7323 §2.3: a larger shift count is used as this one.
const MAX_WINDOW_SCALE: u8 = 14;

/// Reads the segment in `packet`.
#[inline(always)]
pub(super) fn read(frame: &Frame<'_>, packet: &Packet<'_>) -> Decoded {
    let fields = match fields(packet) {
        Ok(fields) => fields,
        Err(skip) => return Decoded::Skipped(skip),
    };
    let mut brief = Brief::BLANK;
    match &packet.header {
        Header::V4(header) => {
            let (source, destination) = (header.source(), header.destination());
            brief.set_v4(source, destination, header.ttl(), header.identification(), header.dont_fragment());
        }
        Header::V6(header, last) => {
            brief.set_v6(header.source(), last.copied().unwrap_or(header.destination()), header.hop_limit());
        }
    }
    fields.fill(&mut brief);
    brief.set_frame(frame);
    Decoded::Segment(Segment { options: fields.options(), ..brief.segment() })
}

/// The base header as it was captured, checked, and what stands behind it.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    base: &'a [u8; NEEDED],
    /// Options that were captured.
    options: &'a [u8],
    /// Octets of options on the wire.
    options_len: usize,
    /// Octets of data on the wire.
    len: usize,
    first_octet: Option<u8>,
}

impl Fields<'_> {
    /// Writes what TCP says, but for its options, into a segment; after what IP says.
    #[inline(always)]
    pub(super) fn fill(&self, brief: &mut Brief) {
        let &[p0, p1, q0, q1, s0, s1, s2, s3, a0, a1, a2, a3, _, flags, w0, w1] = self.base;
        brief.set_ports(u16::from_be_bytes([p0, p1]), u16::from_be_bytes([q0, q1]));
        brief.seq = SeqNum(u32::from_be_bytes([s0, s1, s2, s3]));
        brief.ack = SeqNum(u32::from_be_bytes([a0, a1, a2, a3]));
        brief.flags = Flags(flags);
        brief.window = u16::from_be_bytes([w0, w1]);
        brief.len = u32::try_from(self.len).unwrap_or(u32::MAX);
        brief.set_first_octet(self.first_octet);
    }

    /// The same of its options; nothing if there is more to them than is brief.
    #[inline(always)]
    pub(super) fn fill_options(&self, brief: &mut Brief) -> Option<()> {
        match usual_options(self.options, self.options_len) {
            Some(stamps) => brief.set_stamps(stamps),
            None => brief.set_options(&read_any_options(self.options, self.options_len)),
        }
        brief.is_whole().then_some(())
    }

    fn options(&self) -> Options {
        read_options(self.options, self.options_len)
    }
}

/// The header of a segment of `len` octets that begins `data`, if it was captured as a whole and makes sense.
#[inline(always)]
pub(super) fn whole(data: &[u8], len: usize) -> Option<Fields<'_>> {
    let (base, _) = data.split_first_chunk::<NEEDED>()?;
    let header_len = usize::from(base[12] >> 4) * 4;
    let (options, behind) = (data.get(BASE_HEADER..header_len)?, data.get(header_len));
    let data_len = len.checked_sub(header_len)?;
    let first_octet = behind.copied().filter(|_| data_len > 0);
    Some(Fields { base, options, options_len: options.len(), len: data_len, first_octet })
}

#[inline(always)]
fn fields<'a>(packet: &Packet<'a>) -> Result<Fields<'a>, Skip> {
    let malformed = Skip::Malformed(Layer::Tcp);
    if packet.len < BASE_HEADER {
        return Err(malformed);
    }
    let base = packet.data.first_chunk::<NEEDED>().ok_or(Skip::Cut(Layer::Tcp))?;
    let header_len = usize::from(base[12] >> 4) * 4;
    let options_len = header_len.checked_sub(BASE_HEADER).ok_or(malformed)?;
    let len = packet.len.checked_sub(header_len).ok_or(malformed)?;
    let captured = header_len.min(packet.data.len());
    let options = packet.data.get(BASE_HEADER..captured).unwrap_or_default();
    let first_octet = packet.data.get(header_len).copied();
    Ok(Fields { base, options, options_len, len, first_octet })
}

/// Reads the captured options of a header that had `on_wire` octets of them.
fn read_options(data: &[u8], on_wire: usize) -> Options {
    match usual_options(data, on_wire) {
        Some(timestamps) => Options { timestamps, ..Options::default() },
        None => read_any_options(data, on_wire),
    }
}

/// The same if they are those of nearly every segment of an established connection: two NOPs and a timestamp, or
/// nothing.
#[inline(always)]
fn usual_options(data: &[u8], on_wire: usize) -> Option<Option<TcpTimestamps>> {
    match *data {
        [1, 1, 8, 10, v0, v1, v2, v3, e0, e1, e2, e3] if on_wire == data.len() => {
            let value = u32::from_be_bytes([v0, v1, v2, v3]);
            Some(Some(TcpTimestamps { value, echo: u32::from_be_bytes([e0, e1, e2, e3]) }))
        }
        [] if on_wire == 0 => Some(None),
        _ => None,
    }
}

#[inline(never)]
fn read_any_options(data: &[u8], on_wire: usize) -> Options {
    let mut options = Options::default();
    let ended = walk_options(data, &mut options);
    options.incomplete = match ended {
        Ended::List => false,
        Ended::Data => data.len() < on_wire,
        Ended::Broken => true,
    };
    options
}

/// How a walk over options ended.
enum Ended {
    /// With the option that ends the list: what follows is padding.
    List,
    /// With the last captured octet.
    Data,
    /// In the middle of an option, or at one with an impossible length.
    Broken,
}

/// Fills in the options in `data` up to the first that cannot be read: behind it, nothing tells where the
/// next one begins.
#[inline(always)]
fn walk_options(mut data: &[u8], options: &mut Options) -> Ended {
    loop {
        data = match *data {
            [] => return Ended::Data,
            [0, ..] => return Ended::List,
            [1, ref rest @ ..] => rest,
            [kind, len, ref rest @ ..] => match step(kind, usize::from(len), rest, options) {
                Some(next) => next,
                None => return Ended::Broken,
            },
            [_] => return Ended::Broken,
        };
    }
}

/// Takes in one option of `len` octets, the 2 in front of `rest` included; answers what follows it.
#[inline(always)]
fn step<'a>(kind: u8, len: usize, rest: &'a [u8], options: &mut Options) -> Option<&'a [u8]> {
    let body_len = len.checked_sub(2)?;
    // The first block of a selective acknowledgment is worth having even if the capture cut the others, so
    // it is taken before the length is held against the captured octets.
    if kind == 5 {
        if body_len == 0 || body_len % 8 != 0 {
            return None;
        }
        let block = SackBlock { left: SeqNum(u32_at(rest, 0)?), right: SeqNum(u32_at(rest, 4)?) };
        options.sack.get_or_insert(block);
    }
    let (body, next) = rest.split_at_checked(body_len)?;
    match (kind, body) {
        (2, &[m0, m1]) => options.mss = Some(u16::from_be_bytes([m0, m1])),
        (3, &[shift]) => options.window_scale = Some(shift.min(MAX_WINDOW_SCALE)),
        (4, []) => options.sack_permitted = true,
        (8, &[v0, v1, v2, v3, e0, e1, e2, e3]) => {
            let value = u32::from_be_bytes([v0, v1, v2, v3]);
            let echo = u32::from_be_bytes([e0, e1, e2, e3]);
            options.timestamps = Some(TcpTimestamps { value, echo });
        }
        // A known option of a wrong length: the sender and we disagree about what stands here.
        (2 | 3 | 4 | 8, _) => return None,
        _ => {}
    }
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(data: &[u8]) -> Options {
        read_options(data, data.len())
    }

    #[test]
    fn unknown_options_do_not_hide_those_behind_them() {
        // Fast Open cookie (34), then NOP NOP timestamps.
        let options = whole(&[34, 4, 9, 9, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(options.timestamps, Some(TcpTimestamps { value: 1, echo: 2 }));
        assert!(!options.incomplete);
    }

    #[test]
    fn the_fast_path_and_the_walk_agree() {
        let fast = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
        let slow = [8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1];
        assert_eq!(whole(&fast), whole(&slow));
    }

    #[test]
    fn padding_behind_the_end_of_the_list_is_not_needed() {
        assert!(!read_options(&[2, 4, 5, 180, 0], 8).incomplete);
        assert!(!whole(&[4, 2, 0, 255]).incomplete);
    }

    #[test]
    fn a_broken_option_ends_the_walk_and_keeps_what_was_before() {
        for broken in [
            &[8, 9, 0, 0, 0, 1, 0, 0, 0][..],
            &[99, 0, 1, 1],
            &[99, 1, 1, 1],
            &[99, 40, 1, 1],
            &[99],
            &[5, 2, 1, 1],
            &[5, 9, 0, 0, 0, 0, 0, 0, 0, 0],
            &[3, 4, 7, 7],
        ] {
            let mut data = vec![2, 4, 5, 180];
            data.extend_from_slice(broken);
            let options = whole(&data);
            assert!(options.incomplete, "{broken:?}");
            assert_eq!(options, Options { mss: Some(1460), incomplete: true, ..Options::default() });
        }
    }

    #[test]
    fn a_first_sack_block_survives_a_cut_behind_it() {
        let options = read_options(&[1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0], 20);
        assert_eq!(options.sack, Some(SackBlock { left: SeqNum(1), right: SeqNum(2) }));
        assert!(options.incomplete);
    }

    #[test]
    fn a_cut_right_behind_the_timestamps_is_still_a_cut() {
        let options = read_options(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], 24);
        assert_eq!(options.timestamps, Some(TcpTimestamps { value: 1, echo: 2 }));
        assert!(options.incomplete);
    }

    #[test]
    fn of_two_selective_acknowledgments_the_first_counts() {
        let options = whole(&[5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4]);
        assert_eq!(options.sack, Some(SackBlock { left: SeqNum(1), right: SeqNum(2) }));
    }

    #[test]
    fn a_window_scale_beyond_the_largest_counts_as_the_largest() {
        assert_eq!(whole(&[3, 3, 15, 0]).window_scale, Some(14));
    }
}
