//! The pcapng format (draft-ietf-opsawg-pcapng).
//!
//! Owns [`Pcapng`]: sections, blocks and the packets in them. Uses [`super::buffer`], [`super::record`],
//! [`super::interface`] and [`super::problem`]. pcap-file splits the blocks; their bodies are read by hand,
//! because pcap-file takes the padding of a simple packet for data and gives up on small errors in options.

mod drops;

use byteorder_slice::{BigEndian, ByteOrder, LittleEndian};
use pcap_file::pcapng::RawBlock;

use self::drops::Drops;
use super::buffer::Buffer;
use super::interface::{Interface, Options};
use super::problem::{Log, Place, ProblemKind};
use super::record::{Kind, MAX_CAPTURED, Record, report_shortage};
use crate::frame::InterfaceNames;
use crate::time::Timestamp;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const JOURNAL_ENTRY: u32 = 9;
const CUSTOM: u32 = 0x0bad;
const CUSTOM_NOT_COPIED: u32 = 0x4000_0bad;
/// Events of system calls, in three forms.
const SYSDIG_EVENTS: [u32; 3] = [0x204, 0x216, 0x221];

/// Type and length at the start of a block.
const BLOCK_HEAD: usize = 8;
/// Those, and the length at its end.
const BLOCK_FRAME: usize = 12;
/// Longer blocks are not believed; they would have to be held in memory as a whole.
const MAX_BLOCK: usize = 16 << 20;
/// Interfaces kept per section, and names kept of all.
const MAX_INTERFACES: usize = 65_536;
/// Octets of a packet block before the data, the same for the obsolete form.
const PACKET_FIXED: usize = 20;
/// The flags option of both packet blocks.
const PACKET_FLAGS: u16 = 2;
/// The option of the enhanced one that counts packets dropped since the one before.
const PACKET_DROPS: u16 = 4;

#[derive(Debug)]
pub(super) struct Pcapng {
    big_endian: bool,
    in_section: bool,
    interfaces: Vec<Interface>,
    /// Interfaces of the sections before this one.
    earlier_interfaces: u32,
    drops: Drops,
    /// Names of the first interfaces, over sections.
    names: Vec<InterfaceNames>,
}

/// What a block came to.
enum Block {
    Packet,
    Passed,
    End,
}

/// A packet block whose content makes no sense, in words.
struct Nonsense(String);

/// The packet of a block; `data` counts from the start of the block's body.
struct Parsed {
    interface: u32,
    units: Option<u64>,
    wire_len: u32,
    skip: usize,
    captured: usize,
    fcs_len: Option<u8>,
    flags: Option<u32>,
    /// Packets dropped since the one before.
    drops: u64,
}

impl Pcapng {
    pub(super) const MAGIC: [u8; 4] = SECTION_HEADER.to_be_bytes();

    pub(super) fn new() -> Self {
        Self {
            big_endian: false,
            in_section: false,
            interfaces: Vec::new(),
            earlier_interfaces: 0,
            drops: Drops::default(),
            names: Vec::new(),
        }
    }

    /// How many packets it says were dropped before they could be written.
    pub(super) fn dropped(&self) -> u64 {
        self.drops.total()
    }

    /// What the capture calls an interface.
    pub(super) fn names(&self, interface: u32) -> Option<&InterfaceNames> {
        self.names.get(usize::try_from(interface).ok()?)
    }

    /// Reads the next packet into `record`; `None` at the end, whatever the reason.
    #[inline]
    pub(super) fn next(
        &mut self,
        buffer: &mut Buffer,
        log: &mut Log,
        number: &mut u64,
        record: &mut Record,
    ) -> Option<()> {
        loop {
            let block = if self.big_endian {
                self.block::<BigEndian>(buffer, log, number, record)
            } else {
                self.block::<LittleEndian>(buffer, log, number, record)
            };
            match block {
                Block::Packet => return Some(()),
                Block::Passed => {}
                Block::End => return None,
            }
        }
    }

    /// Whether a whole packet is there, of the kind that everybody writes; of others the answer is no.
    pub(super) fn has_next(&self, available: &[u8]) -> bool {
        let field = |at: usize| {
            let octets = *available.get(at..)?.first_chunk::<4>()?;
            Some(if self.big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) })
        };
        let (Some(kind), Some(length), Some(captured)) = (field(0), field(4), field(20)) else {
            return false;
        };
        // Head, interface, time and lengths before the packet, and the length again behind it.
        let fits = u64::from(captured) + 32 <= u64::from(length);
        kind == ENHANCED_PACKET
            && fits
            && usize::try_from(length).is_ok_and(|length| length <= available.len())
    }

    #[inline]
    fn block<B: ByteOrder>(
        &mut self,
        buffer: &mut Buffer,
        log: &mut Log,
        number: &mut u64,
        record: &mut Record,
    ) -> Block {
        if !buffer.have(BLOCK_HEAD) {
            report_shortage(buffer, log, Some(*number + 1), "a block header", BLOCK_HEAD);
            return Block::End;
        }
        let Some(head) = buffer.available().first_chunk::<BLOCK_HEAD>() else { return Block::End };
        let [kind @ .., _, _, _, _] = head;
        let [_, _, _, _, length @ ..] = head;
        let (kind, claimed) = (B::read_u32(kind), B::read_u32(length));
        if kind == SECTION_HEADER {
            return self.section(buffer, log, *number);
        }
        let Some(length) = check_length(buffer, log, kind, claimed, *number) else { return Block::End };
        if !buffer.have(length) {
            report_shortage(buffer, log, Some(*number + 1), "a block", length);
            return Block::End;
        }
        let offset = buffer.offset();
        let body = body::<B>(buffer.available().get(..length).unwrap_or_default(), log, *number, offset);
        let parsed = match kind {
            ENHANCED_PACKET => enhanced_packet::<B>(body),
            SIMPLE_PACKET => self.simple_packet::<B>(body),
            OBSOLETE_PACKET => obsolete_packet::<B>(body),
            INTERFACE_DESCRIPTION => {
                self.declare::<B>(body, log, offset);
                buffer.consume(length);
                return Block::Passed;
            }
            INTERFACE_STATISTICS => {
                self.drops.learn_statistics::<B>(body, self.earlier_interfaces);
                buffer.consume(length);
                return Block::Passed;
            }
            // No packets, but Wireshark lists each as a frame.
            JOURNAL_ENTRY | CUSTOM | CUSTOM_NOT_COPIED => {
                *number += 1;
                buffer.consume(length);
                return Block::Passed;
            }
            // Names, secrets and unknown blocks are no frames.
            _ => {
                *number += u64::from(SYSDIG_EVENTS.contains(&kind));
                buffer.consume(length);
                return Block::Passed;
            }
        };
        // A packet block that cannot be used is a packet all the same, and keeps the numbers of the others.
        *number += 1;
        let data_start = buffer.place(BLOCK_HEAD, 0).start;
        buffer.consume(length);
        let place = Place::packet(*number, offset);
        match parsed {
            Ok(parsed) => {
                self.drops.learn_packet(parsed.drops);
                self.fill(record, &parsed, data_start, log, place);
                Block::Packet
            }
            Err(Nonsense(what)) => {
                log.report(ProblemKind::BadRecord, place, || what);
                Block::Passed
            }
        }
    }

    /// Makes a packet of what its block says and what its interface says.
    #[inline]
    fn fill(&self, record: &mut Record, parsed: &Parsed, data_start: usize, log: &mut Log, place: Place) {
        let declared = usize::try_from(parsed.interface).ok().and_then(|index| self.interfaces.get(index));
        let (interface, known) = match declared {
            // Both numbers are counts of things in memory: no overflow in practice, none in any case here.
            Some(known) => (self.earlier_interfaces.saturating_add(parsed.interface), known),
            None => {
                let (wanted, count) = (parsed.interface, self.interfaces.len());
                log.report(ProblemKind::UndeclaredInterface, place, move || {
                    format!("interface {wanted} of {count} declared")
                });
                (u32::MAX, &Interface::UNDECLARED)
            }
        };
        let time = match parsed.units {
            Some(units) => {
                let (time, clamped) = known.time(units);
                if clamped {
                    log.report(ProblemKind::TimeOutOfRange, place, move || {
                        format!("its time of {units} units lies outside the years 1677 to 2262")
                    });
                }
                time
            }
            None => {
                log.report(ProblemKind::NoTimestamp, place, move || {
                    "a simple packet block has no time".to_owned()
                });
                log.previous_time().unwrap_or(Timestamp::from_nanos(0))
            }
        };
        let captured = u32::try_from(parsed.captured).unwrap_or(u32::MAX);
        let wire_len = parsed.wire_len;
        if wire_len < captured {
            log.report(ProblemKind::LengthBelowCaptured, place, move || {
                format!("{captured} octets were captured of a packet of {wire_len}")
            });
        }
        let start = data_start + parsed.skip;
        record.time = time;
        record.wire_len = wire_len.max(captured);
        record.data = start..start + parsed.captured;
        let fcs_len = parsed.fcs_len.unwrap_or(known.fcs_len);
        record.set_kind(Kind { interface, link: known.link, fcs_len, flags: parsed.flags });
    }

    /// Begins a section, which sets the byte order and forgets the interfaces.
    #[cold]
    fn section(&mut self, buffer: &mut Buffer, log: &mut Log, number: u64) -> Block {
        if !buffer.have(BLOCK_FRAME) {
            report_shortage(buffer, log, Some(number + 1), "a section header", BLOCK_FRAME);
            return Block::End;
        }
        let Some(&[_, _, _, _, a, b, c, d, magic @ ..]) = buffer.available().first_chunk::<BLOCK_FRAME>()
        else {
            return Block::End;
        };
        let claimed = match magic {
            [0x1a, 0x2b, 0x3c, 0x4d] => {
                self.big_endian = true;
                u32::from_be_bytes([a, b, c, d])
            }
            [0x4d, 0x3c, 0x2b, 0x1a] => {
                self.big_endian = false;
                u32::from_le_bytes([a, b, c, d])
            }
            _ => {
                let kind =
                    if self.in_section { ProblemKind::BadSectionHeader } else { ProblemKind::NotACapture };
                log.report(kind, Place::offset(buffer.offset()), || {
                    "a pcapng section header without a byte-order magic".to_owned()
                });
                return Block::End;
            }
        };
        let Some(length) = check_length(buffer, log, SECTION_HEADER, claimed, number) else {
            return Block::End;
        };
        if !buffer.have(length) {
            report_shortage(buffer, log, Some(number + 1), "a section header", length);
            return Block::End;
        }
        let offset = buffer.offset();
        let block = buffer.available().get(..length).unwrap_or_default();
        let major = if self.big_endian {
            body::<BigEndian>(block, log, number, offset).get(4..6).map(BigEndian::read_u16)
        } else {
            body::<LittleEndian>(block, log, number, offset).get(4..6).map(LittleEndian::read_u16)
        };
        if let Some(major) = major.filter(|major| *major != 1) {
            log.report(ProblemKind::UnknownVersion, Place::offset(offset), move || {
                format!("pcapng major version {major}")
            });
        }
        buffer.consume(length);
        let declared = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        self.earlier_interfaces = self.earlier_interfaces.saturating_add(declared);
        self.interfaces.clear();
        self.in_section = true;
        Block::Passed
    }

    #[cold]
    fn declare<B: ByteOrder>(&mut self, body: &[u8], log: &mut Log, offset: u64) {
        if self.interfaces.len() >= MAX_INTERFACES {
            log.report(ProblemKind::TooManyInterfaces, Place::offset(offset), move || {
                format!("more than {MAX_INTERFACES} interfaces in a section")
            });
            return;
        }
        // A description that makes no sense still takes its number, or the packets of the next would be its.
        let (interface, names, problem) = Interface::parse::<B>(body);
        self.interfaces.push(interface);
        // Over sections there may be any number of them; those beyond have no names.
        if self.names.len() < MAX_INTERFACES {
            self.names.push(names);
        }
        if let Err(what) = problem {
            log.report(ProblemKind::BadRecord, Place::offset(offset), || what);
        }
    }

    fn simple_packet<B: ByteOrder>(&self, body: &[u8]) -> Result<Parsed, Nonsense> {
        let Some((wire_len, data)) = body.split_first_chunk::<4>() else {
            return Err(Nonsense(format!("a simple packet block with a body of {} octets", body.len())));
        };
        let wire_len = B::read_u32(wire_len);
        // The block does not say how much was captured, and what follows may be padding.
        let snaplen = self.interfaces.first().map_or(0, |interface| interface.snaplen);
        let limit = if snaplen == 0 { wire_len } else { wire_len.min(snaplen) };
        let captured = data.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
        check_captured(captured)?;
        Ok(Parsed {
            interface: 0,
            units: None,
            wire_len,
            skip: 4,
            captured,
            fcs_len: None,
            flags: None,
            drops: 0,
        })
    }
}

/// The length of a block in the file, or a report of why it cannot be.
#[inline]
fn check_length(buffer: &Buffer, log: &mut Log, kind: u32, claimed: u32, number: u64) -> Option<usize> {
    let length = usize::try_from(claimed).unwrap_or(usize::MAX);
    if (BLOCK_FRAME..=MAX_BLOCK).contains(&length) {
        if length.is_multiple_of(4) {
            return Some(length);
        }
        log.report(ProblemKind::UnalignedBlock, Place::packet(number + 1, buffer.offset()), move || {
            format!("a block of type {kind} claims {length} octets, which is no multiple of 4")
        });
        return Some(length.next_multiple_of(4));
    }
    report_bad_length(buffer, log, kind, claimed, number);
    None
}

#[cold]
fn report_bad_length(buffer: &Buffer, log: &mut Log, kind: u32, claimed: u32, number: u64) {
    let place = Place::packet(number + 1, buffer.offset());
    if kind == 0 && claimed == 0 {
        log.report(ProblemKind::ZeroFilled, place, move || "the block header is all zeros".to_owned());
        return;
    }
    log.report(ProblemKind::ImpossibleLength, place, move || {
        format!(
            "a block of type {kind:#x} claims {claimed} octets, where {BLOCK_FRAME} to {MAX_BLOCK} are possible"
        )
    });
}

/// The body of a whole block.
#[inline]
fn body<'a, B: ByteOrder>(block: &'a [u8], log: &mut Log, number: u64, offset: u64) -> &'a [u8] {
    let body = block.get(BLOCK_HEAD..block.len().saturating_sub(4)).unwrap_or_default();
    // All that can still be wrong with the frame of a block that is all there is the length at its end, or
    // both lengths in the same way, which has been told.
    if RawBlock::from_slice::<B>(block).is_err() {
        check_trailer::<B>(block, log, number, offset);
    }
    body
}

#[cold]
fn check_trailer<B: ByteOrder>(block: &[u8], log: &mut Log, number: u64, offset: u64) {
    let leading = block.get(4..8).map_or(0, B::read_u32);
    let trailing = block.last_chunk::<4>().map_or(0, |trailer| B::read_u32(trailer));
    if leading != trailing {
        log.report(ProblemKind::TrailerMismatch, Place::packet(number + 1, offset), move || {
            format!("a block begins with length {leading} and ends with {trailing}")
        });
    }
}

#[inline]
fn check_captured(captured: usize) -> Result<(), Nonsense> {
    if captured > MAX_CAPTURED {
        return Err(Nonsense(format!(
            "{captured} captured octets, more than the {MAX_CAPTURED} a packet can have"
        )));
    }
    Ok(())
}

#[inline]
fn enhanced_packet<B: ByteOrder>(body: &[u8]) -> Result<Parsed, Nonsense> {
    packet::<B>(body, |interface| B::read_u32(interface))
}

/// As the enhanced one, but for a short interface number and a count of drops in its place.
#[cold]
fn obsolete_packet<B: ByteOrder>(body: &[u8]) -> Result<Parsed, Nonsense> {
    let mut parsed = packet::<B>(body, |[a, b, _, _]| u32::from(B::read_u16(&[*a, *b])))?;
    // All ones where the writer does not know.
    let count = body.get(2..4).map_or(u16::MAX, B::read_u16);
    parsed.drops = if count == u16::MAX { 0 } else { u64::from(count) };
    Ok(parsed)
}

#[inline]
fn packet<B: ByteOrder>(body: &[u8], interface: impl Fn(&[u8; 4]) -> u32) -> Result<Parsed, Nonsense> {
    let Some((fixed, rest)) = body.split_first_chunk::<PACKET_FIXED>() else {
        return Err(Nonsense(format!("a packet block with a body of {} octets", body.len())));
    };
    let (words, _) = fixed.as_chunks::<4>();
    let [first, high, low, captured, wire_len] = words else {
        return Err(Nonsense("a packet block that is too short".to_owned()));
    };
    let captured = usize::try_from(B::read_u32(captured)).unwrap_or(usize::MAX);
    if captured > rest.len() {
        return Err(Nonsense(format!("{captured} captured octets in a block with room for {}", rest.len())));
    }
    check_captured(captured)?;
    let options = rest.get(captured.next_multiple_of(4)..).unwrap_or_default();
    let (flags, drops) = if options.is_empty() { (None, 0) } else { packet_options::<B>(options) };
    Ok(Parsed {
        interface: interface(first),
        units: Some(u64::from(B::read_u32(high)) << 32 | u64::from(B::read_u32(low))),
        wire_len: B::read_u32(wire_len),
        skip: PACKET_FIXED,
        captured,
        fcs_len: flags.and_then(packet_fcs),
        flags,
        drops,
    })
}

/// The flags of a packet and how many were dropped before it. Whatever else is in its options, or wrong with
/// them, does not touch the frame.
fn packet_options<B: ByteOrder>(options: &[u8]) -> (Option<u32>, u64) {
    let (mut flags, mut drops) = (None, 0);
    for (code, value) in Options::<B>::new(options) {
        match code {
            PACKET_FLAGS if flags.is_none() => {
                flags = value.first_chunk::<4>().map(|flags| B::read_u32(flags))
            }
            PACKET_DROPS => drops = value.first_chunk::<8>().map_or(0, |count| B::read_u64(count)),
            _ => {}
        }
    }
    (flags, drops)
}

/// Octets of frame check sequence as the packet's own flags give them.
fn packet_fcs(flags: u32) -> Option<u8> {
    let octets = u8::try_from(flags >> 5 & 0x0f).ok()?;
    (octets != 0).then_some(octets)
}
