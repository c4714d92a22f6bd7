//! The classic pcap format (draft-ietf-opsawg-pcap), its nanosecond and its "modified" form.
//!
//! Owns [`Pcap`]. Uses [`super::buffer`], [`super::record`] and [`super::problem`]; pcap-file parses the file
//! header and the records. Its checked record types are not used: they refuse packets that the snapshot length
//! cut, and other records that every other reader accepts.

use std::borrow::Cow;

use byteorder_slice::{BigEndian, ByteOrder, LittleEndian};
use pcap_file::pcap::{PcapHeader, RawPcapPacket};
use pcap_file::{Endianness, TsResolution};

use super::buffer::Buffer;
use super::problem::{Log, Place, ProblemKind};
use super::record::{Kind, MAX_CAPTURED, Record, report_shortage};
use crate::frame::LinkType;
use crate::time::Timestamp;

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
/// Interface index, protocol and packet type follow the ordinary record header.
const MODIFIED_RECORD_HEADER: usize = 24;

const MAGIC_MICROS: [u8; 4] = [0xa1, 0xb2, 0xc3, 0xd4];
const MAGIC_NANOS: [u8; 4] = [0xa1, 0xb2, 0x3c, 0x4d];
const MAGIC_MODIFIED: [u8; 4] = [0xa1, 0xb2, 0xcd, 0x34];

/// In the link type field: the length of the frame check sequence is given.
const FCS_PRESENT: u32 = 0x0400_0000;

#[derive(Clone, Copy, Debug)]
pub(super) struct Pcap {
    big_endian: bool,
    record_header: usize,
    /// The unit of the fraction of a second, in nanoseconds.
    unit: u32,
    link: LinkType,
    fcs_len: u8,
}

impl Pcap {
    /// Whether a capture that begins with `magic` is of this format.
    pub(super) fn knows(magic: [u8; 4]) -> bool {
        let mut swapped = magic;
        swapped.reverse();
        [MAGIC_MICROS, MAGIC_NANOS, MAGIC_MODIFIED].iter().any(|known| *known == magic || *known == swapped)
    }

    /// Reads the file header.
    pub(super) fn begin(buffer: &mut Buffer, log: &mut Log) -> Option<Self> {
        if !buffer.have(FILE_HEADER) {
            report_shortage(buffer, log, None, "the file header", FILE_HEADER);
            return None;
        }
        let mut octets = *buffer.available().first_chunk::<FILE_HEADER>()?;
        let modified = hide_modified_magic(&mut octets);
        let Ok((_, header)) = PcapHeader::from_slice(&octets) else {
            log.report(ProblemKind::NotACapture, Place::offset(0), move || "no pcap file header".to_owned());
            return None;
        };
        if header.version_major != 2 {
            log.report(ProblemKind::UnknownVersion, Place::offset(4), move || {
                format!("pcap version {}.{}", header.version_major, header.version_minor)
            });
        }
        buffer.consume(FILE_HEADER);
        let field = u32::from(header.datalink);
        let [low, high, _, _] = field.to_le_bytes();
        Some(Self {
            big_endian: header.endianness == Endianness::Big,
            record_header: if modified { MODIFIED_RECORD_HEADER } else { RECORD_HEADER },
            unit: if header.ts_resolution == TsResolution::NanoSecond { 1 } else { 1_000 },
            link: LinkType::from_number(u16::from_le_bytes([low, high])),
            fcs_len: fcs_octets(field),
        })
    }

    /// What all of its packets are.
    pub(super) fn kind(&self) -> Kind {
        Kind { interface: 0, link: self.link, fcs_len: self.fcs_len, flags: None }
    }

    /// Reads the next packet into `record`, which is of the [kind](Pcap::kind) of all; `None` at the end, whatever the
    /// reason.
    #[inline(always)]
    pub(super) fn next(
        &self,
        buffer: &mut Buffer,
        log: &mut Log,
        number: &mut u64,
        record: &mut Record,
    ) -> Option<()> {
        if self.big_endian {
            return self.next_big_endian(buffer, log, number, record);
        }
        self.read::<LittleEndian>(buffer, log, number, record)
    }

    #[inline(never)]
    fn next_big_endian(
        &self,
        buffer: &mut Buffer,
        log: &mut Log,
        number: &mut u64,
        record: &mut Record,
    ) -> Option<()> {
        self.read::<BigEndian>(buffer, log, number, record)
    }

    /// Whether a whole record is there.
    pub(super) fn has_next(&self, available: &[u8]) -> bool {
        if self.big_endian {
            self.whole::<BigEndian>(available).is_some()
        } else {
            self.whole::<LittleEndian>(available).is_some()
        }
    }

    /// The length of the next record and its fields, if all of it is there and it holds a packet.
    #[inline(always)]
    fn whole<B: ByteOrder>(&self, available: &[u8]) -> Option<(usize, Fields)> {
        let captured = claimed::<B>(available.first_chunk::<RECORD_HEADER>()?);
        if !matches!(captured, 1..=MAX_CAPTURED) {
            return None;
        }
        let record = available.get(..self.record_header + captured)?;
        Some((record.len(), fields::<B>(record)?))
    }

    /// The same of a record whose end has not been read yet, or which is an odd one.
    #[cold]
    #[inline(never)]
    fn read_more<B: ByteOrder>(
        &self,
        buffer: &mut Buffer,
        log: &mut Log,
        this: u64,
    ) -> Option<(usize, Fields)> {
        if !buffer.have(self.record_header) {
            report_shortage(buffer, log, Some(this), "a record header", self.record_header);
            return None;
        }
        let header = buffer.available().first_chunk::<RECORD_HEADER>()?;
        // The length must be known before the record can be asked for as a whole.
        let captured = claimed::<B>(header);
        let length = match captured {
            1..=MAX_CAPTURED => self.record_header + captured,
            0 if header.iter().any(|octet| *octet != 0) => self.record_header,
            _ => {
                report_bad_length(buffer, log, this, captured);
                return None;
            }
        };
        if !buffer.have(length) {
            report_shortage(buffer, log, Some(this), "a record", length);
            return None;
        }
        Some((length, fields::<B>(buffer.available().get(..length)?)?))
    }

    #[inline(always)]
    fn read<B: ByteOrder>(
        &self,
        buffer: &mut Buffer,
        log: &mut Log,
        number: &mut u64,
        record: &mut Record,
    ) -> Option<()> {
        let this = *number + 1;
        let (length, raw) = match buffer.window().and_then(|available| self.whole::<B>(available)) {
            Some(found) => found,
            None => self.read_more::<B>(buffer, log, this)?,
        };
        let captured = length - self.record_header;
        let offset = buffer.offset();
        let data = buffer.place(self.record_header, captured);
        buffer.consume(length);
        *number = this;

        // At most (2^32 + 4295) s, which is less than 2^63 ns: no overflow.
        let fraction = i64::from(raw.fraction) * i64::from(self.unit);
        if fraction >= 1_000_000_000 {
            self.report_fraction(log, Place::packet(this, offset), raw.fraction);
        }
        let captured = u32::try_from(captured).unwrap_or(u32::MAX);
        if captured > raw.wire_len {
            report_below_captured(log, Place::packet(this, offset), captured, raw.wire_len);
        }
        record.time = Timestamp::from_nanos(i64::from(raw.seconds) * 1_000_000_000 + fraction);
        record.wire_len = raw.wire_len.max(captured);
        record.data = data;
        Some(())
    }

    #[cold]
    fn report_fraction(&self, log: &mut Log, place: Place, fraction: u32) {
        let per_second = 1_000_000_000 / self.unit;
        log.report(ProblemKind::FractionCarried, place, move || {
            format!("the fraction of its second is {fraction} of {per_second}")
        });
    }
}

/// The fields of a whole record.
#[inline(always)]
fn fields<B: ByteOrder>(record: &[u8]) -> Option<Fields> {
    // pcap-file knows only the short header, but the first sixteen octets of both are the same and the long one makes
    // the record longer than it expects.
    let (_, raw) = RawPcapPacket::from_slice::<B>(record).ok()?;
    debug_assert!(matches!(raw.data, Cow::Borrowed(_)));
    Some(Fields { seconds: raw.ts_sec, fraction: raw.ts_frac, wire_len: raw.orig_len })
}

/// How many octets of its packet a record says it has.
#[inline(always)]
fn claimed<B: ByteOrder>(header: &[u8; RECORD_HEADER]) -> usize {
    let &[.., c0, c1, c2, c3, _, _, _, _] = header;
    usize::try_from(B::read_u32(&[c0, c1, c2, c3])).unwrap_or(usize::MAX)
}

struct Fields {
    seconds: u32,
    fraction: u32,
    wire_len: u32,
}

/// pcap-file does not know the modified format, whose file header is the ordinary one but for the magic.
fn hide_modified_magic(header: &mut [u8; FILE_HEADER]) -> bool {
    let Some(magic) = header.first_chunk_mut::<4>() else { return false };
    let mut swapped = MAGIC_MODIFIED;
    swapped.reverse();
    if *magic == MAGIC_MODIFIED {
        *magic = MAGIC_MICROS;
    } else if *magic == swapped {
        *magic = MAGIC_MICROS;
        magic.reverse();
    } else {
        return false;
    }
    true
}

/// The top four bits count 16-bit words of frame check sequence.
fn fcs_octets(field: u32) -> u8 {
    if field & FCS_PRESENT == 0 {
        return 0;
    }
    u8::try_from((field >> 28) * 2).unwrap_or(0)
}

#[cold]
fn report_below_captured(log: &mut Log, place: Place, captured: u32, said: u32) {
    log.report(ProblemKind::LengthBelowCaptured, place, move || {
        format!("{captured} octets were captured of a packet of {said}")
    });
}

#[cold]
fn report_bad_length(buffer: &Buffer, log: &mut Log, number: u64, captured: usize) {
    let place = Place::packet(number, buffer.offset());
    if captured == 0 {
        log.report(ProblemKind::ZeroFilled, place, move || "the record header is all zeros".to_owned());
        return;
    }
    log.report(ProblemKind::ImpossibleLength, place, move || {
        format!(
            "the record claims {captured} captured octets, more than the {MAX_CAPTURED} a packet can have"
        )
    });
}

#[cfg(test)]
mod tests {
    use pcap_file::DataLink;

    use super::*;

    #[test]
    fn the_link_field_survives_the_library() {
        for number in 0..=0xffffu32 {
            assert_eq!(u32::from(DataLink::from(number)), number);
        }
        for field in [0x1400_0001, 0xf400_ffff, 0x0400_0065] {
            assert_eq!(u32::from(DataLink::from(field)), field);
        }
    }

    #[test]
    fn fcs_length_counts_words_of_two_octets() {
        assert_eq!(fcs_octets(0x2400_0001), 4);
        assert_eq!(fcs_octets(0xf400_0001), 30);
        assert_eq!(fcs_octets(0x2000_0001), 0);
        assert_eq!(fcs_octets(1), 0);
    }

    #[test]
    fn magics_are_known_in_both_byte_orders() {
        for magic in [0xa1b2_c3d4u32, 0xa1b2_3c4d, 0xa1b2_cd34] {
            assert!(Pcap::knows(magic.to_be_bytes()));
            assert!(Pcap::knows(magic.to_le_bytes()));
        }
        assert!(!Pcap::knows([0x0a, 0x0d, 0x0d, 0x0a]));
    }
}
