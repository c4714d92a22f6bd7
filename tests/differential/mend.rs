//! Why capinfos and we differ over a file, shown by mending it.
//!
//! A reason is believed only if mending what it names, and nothing else in the file, leaves what we read as it
//! was, but for what the mend took away, and brings the two together, at once or with further reasons.

use keepscope::capture::{Problem, ProblemKind};

use crate::reading::{Frame, Ours};
use crate::reference::Told;

/// Why capinfos and we say different things of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// capinfos refuses a file over a link type it does not know, or over bits of that field it takes for
    /// reserved; we count such packets.
    LinkType,
    /// capinfos takes the octets before the frame of such a link type off the lengths; we let them count.
    PseudoHeader,
    /// capinfos refuses another format version; we read it as the known one and say so.
    Version,
    /// capinfos stops at a block whose two lengths differ; we believe the first and say so.
    Trailer,
    /// capinfos stops at a packet on an interface that nothing declares; we count it and say so.
    Undeclared,
    /// capinfos stops at options that leave their block; no frame depends on them.
    Options,
    /// capinfos stops at a block with impossible content; we pass over it, and say so if it is a packet.
    BadBlock,
    /// One of the first packets of a pcap makes no sense, so capinfos tries the layouts of other writers
    /// until they do not either; we stop at it.
    OtherLayout,
    /// capinfos takes a record header of zeros for an empty packet of 1970; we stop at the zeros and say so.
    Zeros,
    /// Both stop at the same packet, and capinfos gives no figures of what came before.
    NoFigures,
    /// A packet that is shorter on the wire than what was captured of it has its captured length with us.
    WireLength,
    /// capinfos multiplies a fraction of a second or more in 32 bits; we carry it into the seconds.
    Fraction,
    /// A packet without a time: capinfos gives no times of the whole file, we take that of the packet before.
    NoTime,
    /// A time that does not fit 64-bit nanoseconds is the nearest that does with us.
    TimeRange,
    /// Wireshark gets parts of a second wrong where the unit is finer than a nanosecond: 10^-12 s, 2^-32 s.
    FineUnits,
    /// capinfos compares times by the difference of their seconds in 32 bits, so far apart it errs.
    FarApart,
    /// capinfos shows no more digits of a time than the file's resolution seems to need.
    Digits,
    /// What is left of the file is no capture; capinfos takes it for text or another format, as one packet.
    OtherFormat,
    /// capinfos loses what it had decompressed together with the damage; we use it.
    Compressed,
}

/// What a mend did to the packets that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Nothing,
    /// This packet, counted from 0, is gone.
    Without(usize),
    /// Times are other ones, now that their unit is.
    OtherUnits,
}

/// A file that was mended in one thing.
pub struct Mended {
    pub reason: Reason,
    pub octets: Vec<u8>,
    pub effect: Effect,
}

/// The way numbers are written in a file.
fn is_big(octets: &[u8]) -> bool {
    match octets.get(..4) {
        Some([0xa1, 0xb2, ..]) => true,
        Some([0x0a, 0x0d, 0x0d, 0x0a]) => octets.get(8) == Some(&0x1a),
        _ => false,
    }
}

fn is_pcapng(octets: &[u8]) -> bool {
    octets.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a])
}

fn number(octets: &[u8], at: usize, big: bool) -> Option<u32> {
    let field: [u8; 4] = octets.get(at..at + 4)?.try_into().ok()?;
    Some(if big { u32::from_be_bytes(field) } else { u32::from_le_bytes(field) })
}

fn put(octets: &mut [u8], at: usize, value: u32, big: bool) -> Option<()> {
    let field = if big { value.to_be_bytes() } else { value.to_le_bytes() };
    octets.get_mut(at..at + 4)?.copy_from_slice(&field);
    Some(())
}

/// A block of a pcapng file as its first length has it.
#[derive(Clone, Copy)]
struct Block {
    at: usize,
    kind: u32,
    length: usize,
    big: bool,
    /// How many packets come before it.
    packets: u64,
}

const SECTION: u32 = 0x0a0d_0d0a;

/// The blocks of a pcapng file, up to the first whose length cannot be.
fn blocks(octets: &[u8]) -> Vec<Block> {
    let (mut blocks, mut at, mut big, mut packets) = (Vec::new(), 0, false, 0);
    while let Some(kind) = number(octets, at, big) {
        if kind == SECTION {
            big = octets.get(at + 8) == Some(&0x1a);
        }
        let Some(length) = number(octets, at + 4, big) else { break };
        let length = (length as usize).next_multiple_of(4);
        if length < 12 || at + length > octets.len() {
            break;
        }
        blocks.push(Block { at, kind, length, big, packets });
        packets += u64::from(matches!(kind, 2 | 3 | 6));
        at += length;
    }
    blocks
}

fn block_at(octets: &[u8], at: u64) -> Option<Block> {
    blocks(octets).into_iter().find(|block| block.at as u64 == at)
}

/// Where the options of a block begin, counted from its start.
fn options_at(octets: &[u8], block: Block) -> Option<usize> {
    match block.kind {
        SECTION => Some(24),
        1 => Some(16),
        5 => Some(20),
        2 | 6 => {
            let captured = number(octets, block.at + 20, block.big)? as usize;
            Some(28 + captured.next_multiple_of(4))
        }
        _ => None,
    }
}

/// Mends what capinfos complains of, or what we do.
pub fn mend(octets: &[u8], told: &Told, ours: &Ours) -> Option<Mended> {
    let effectless = |reason, octets| Some(Mended { reason, octets, effect: Effect::Nothing });
    // A packet without a time takes that of its neighbour, which other mends may take away: it goes first.
    if let Some(problem) = ours.problem(ProblemKind::NoTimestamp) {
        return without_block(Reason::NoTime, octets, problem, ours);
    }
    let complaint = told.complaint.as_str();
    if complaint.contains("network type") {
        return effectless(Reason::LinkType, with_ethernet(octets)?);
    }
    if complaint.contains("unknown SHB version") {
        return effectless(Reason::Version, with_version(octets, told.read)?);
    }
    if complaint.contains("total block lengths") {
        return effectless(Reason::Trailer, with_trailer(octets, told.read)?);
    }
    if complaint.contains("option") {
        return effectless(Reason::Options, without_options(octets, told.read)?);
    }
    if let Some(problem) = ours.problem(ProblemKind::UndeclaredInterface)
        && complaint.contains("interface")
    {
        return without_block(Reason::Undeclared, octets, problem, ours);
    }
    if let Some(problem) = ours.problem(ProblemKind::BadRecord)
        && told.is_damaged()
    {
        return without_block(Reason::BadBlock, octets, problem, ours);
    }
    if complaint.contains("of an ISB is too small") {
        return effectless(Reason::BadBlock, without_statistics(octets, told.read)?);
    }
    if let Some(problem) = ours.problem(ProblemKind::ZeroFilled) {
        return effectless(Reason::Zeros, cut(octets, problem)?);
    }
    if told.is_damaged()
        && told.read == ours.frames.len() as u64
        && let Some(problem) =
            [ProblemKind::ImpossibleLength, ProblemKind::CutOff, ProblemKind::BadSectionHeader]
                .into_iter()
                .find_map(|kind| ours.problem(kind))
    {
        return effectless(Reason::NoFigures, cut(octets, problem)?);
    }
    if !is_pcapng(octets)
        && ours.frames.len() < 3
        && let Some(problem) = [ProblemKind::ImpossibleLength, ProblemKind::CutOff]
            .into_iter()
            .find_map(|kind| ours.problem(kind))
    {
        return effectless(Reason::OtherLayout, cut(octets, problem)?);
    }
    if let Some(problem) = ours.problem(ProblemKind::LengthBelowCaptured)
        && told.octets < ours.octets()
    {
        return effectless(Reason::WireLength, with_wire_length(octets, problem)?);
    }
    if let Some(problem) = ours.problem(ProblemKind::FractionCarried) {
        return effectless(Reason::Fraction, with_carry(octets, problem)?);
    }
    if let Some(problem) = ours.problem(ProblemKind::TimeOutOfRange) {
        return without_block(Reason::TimeRange, octets, problem, ours);
    }
    let same_count = told.packets == ours.frames.len() as u64;
    if same_count && told.times.is_none() {
        return effectless(Reason::NoTime, without_listed(octets)?);
    }
    if same_count && told.octets < ours.octets() {
        return effectless(Reason::PseudoHeader, with_ethernet(octets)?);
    }
    let octets = with_nanoseconds(octets).filter(|_| same_count)?;
    Some(Mended { reason: Reason::FineUnits, octets, effect: Effect::OtherUnits })
}

/// Ethernet in place of every other link type.
fn with_ethernet(octets: &[u8]) -> Option<Vec<u8>> {
    let mut mended = octets.to_vec();
    if is_pcapng(octets) {
        for block in blocks(octets).into_iter().filter(|block| block.kind == 1) {
            let one = if block.big { [0, 1] } else { [1, 0] };
            mended.get_mut(block.at + 8..block.at + 10)?.copy_from_slice(&one);
        }
    } else {
        put(&mut mended, 20, 1, is_big(octets))?;
    }
    (mended != octets).then_some(mended)
}

/// Nanoseconds in place of every finer unit.
fn with_nanoseconds(octets: &[u8]) -> Option<Vec<u8>> {
    let mut mended = octets.to_vec();
    for block in blocks(octets).into_iter().filter(|block| block.kind == 1) {
        let mut at = block.at + 16;
        while let Some(&[code, other_code, length, other_length, value]) =
            octets.get(at..at + 5).filter(|_| at + 5 <= block.at + block.length)
        {
            let field = |octets: [u8; 2]| {
                usize::from(if block.big { u16::from_be_bytes(octets) } else { u16::from_le_bytes(octets) })
            };
            if field([code, other_code]) == 9 && matches!(value, 10..=0x7f | 0x9e..) {
                *mended.get_mut(at + 4)? = 9;
            }
            at += 4 + field([length, other_length]).next_multiple_of(4);
        }
    }
    (mended != octets).then_some(mended)
}

/// The blocks at which capinfos may have stopped after so many packets.
fn suspects(octets: &[u8], read: u64) -> impl Iterator<Item = Block> {
    blocks(octets).into_iter().filter(move |block| block.packets == read)
}

fn with_version(octets: &[u8], read: u64) -> Option<Vec<u8>> {
    let mut mended = octets.to_vec();
    for block in suspects(octets, read).filter(|block| block.kind == SECTION) {
        let version = if block.big { [0, 1, 0, 0] } else { [1, 0, 0, 0] };
        mended.get_mut(block.at + 12..block.at + 16)?.copy_from_slice(&version);
    }
    (mended != octets).then_some(mended)
}

/// The length at the end of a block as at its start.
fn with_trailer(octets: &[u8], read: u64) -> Option<Vec<u8>> {
    let mut mended = octets.to_vec();
    for block in suspects(octets, read) {
        let length = number(octets, block.at + 4, block.big)?;
        put(&mut mended, block.at + block.length - 4, length, block.big)?;
    }
    (mended != octets).then_some(mended)
}

/// The file without the statistics at which capinfos may have stopped.
fn without_statistics(octets: &[u8], read: u64) -> Option<Vec<u8>> {
    without(octets, suspects(octets, read).filter(|block| block.kind == 5 && block.length < 24).collect())
}

/// The file without blocks that are no packets and are listed as such without a time: custom ones.
fn without_listed(octets: &[u8]) -> Option<Vec<u8>> {
    without(
        octets,
        blocks(octets).into_iter().filter(|block| matches!(block.kind, 0x0bad | 0x4000_0bad)).collect(),
    )
}

fn without(octets: &[u8], gone: Vec<Block>) -> Option<Vec<u8>> {
    let mut mended = octets.to_vec();
    for block in gone.into_iter().rev() {
        mended.drain(block.at..block.at + block.length);
    }
    (mended != octets).then_some(mended)
}

/// Zeros, which end a list, in place of the options of packets, and of others that leave their block.
fn without_options(octets: &[u8], read: u64) -> Option<Vec<u8>> {
    let mut mended = octets.to_vec();
    for block in suspects(octets, read) {
        let Some(start) = options_at(octets, block) else { continue };
        let (mut at, end) = (block.at + start, block.at + block.length - 4);
        while let Some(head) = octets.get(at..at + 4).filter(|_| at + 4 <= end) {
            let length = u16::from_le_bytes([head[2], head[3]]);
            let length = if block.big { length.swap_bytes() } else { length };
            let next = at + 4 + usize::from(length).next_multiple_of(4);
            if next > end || matches!(block.kind, 2 | 6) {
                mended.get_mut(at..end)?.fill(0);
                break;
            }
            at = next;
        }
    }
    (mended != octets).then_some(mended)
}

/// The file without the block that a problem names.
fn without_block(reason: Reason, octets: &[u8], problem: &Problem, ours: &Ours) -> Option<Mended> {
    let block = block_at(octets, problem.offset?)?;
    let mut mended = octets.to_vec();
    mended.drain(block.at..block.at + block.length);
    let frame = ours.frames.iter().position(|frame| Some(frame.number) == problem.packet);
    let effect = frame.map_or(Effect::Nothing, Effect::Without);
    Some(Mended { reason, octets: mended, effect })
}

/// What comes before a problem.
fn cut(octets: &[u8], problem: &Problem) -> Option<Vec<u8>> {
    let end = usize::try_from(problem.offset?).ok()?;
    (end < octets.len()).then(|| octets[..end].to_vec())
}

fn with_wire_length(octets: &[u8], problem: &Problem) -> Option<Vec<u8>> {
    let at = usize::try_from(problem.offset?).ok()?;
    let (field, big) = if is_pcapng(octets) {
        (at + 20, block_at(octets, problem.offset?)?.big)
    } else {
        (at + 8, is_big(octets))
    };
    let mut mended = octets.to_vec();
    put(&mut mended, field + 4, number(octets, field, big)?, big)?;
    Some(mended)
}

/// Whole seconds of a fraction moved to the seconds.
fn with_carry(octets: &[u8], problem: &Problem) -> Option<Vec<u8>> {
    let (at, big) = (usize::try_from(problem.offset?).ok()?, is_big(octets));
    let per_second =
        if matches!(octets[..4], [0x4d, 0x3c, ..] | [_, _, 0x3c, 0x4d]) { 1_000_000_000 } else { 1_000_000 };
    let (seconds, fraction) = (number(octets, at, big)?, number(octets, at + 4, big)?);
    let mut mended = octets.to_vec();
    put(&mut mended, at, seconds.checked_add(fraction / per_second)?, big)?;
    put(&mut mended, at + 4, fraction % per_second, big)?;
    Some(mended)
}

/// Whether what we read changed by a mend as it says, and not otherwise.
pub fn holds(effect: Effect, before: &[Frame], after: &[Frame]) -> bool {
    let same = |one: &Frame, other: &Frame| one.nanos == other.nanos && one.sizes() == other.sizes();
    let alike = |before: &[&Frame]| {
        before.len() == after.len() && before.iter().zip(after).all(|(one, other)| same(one, other))
    };
    let mut left: Vec<&Frame> = before.iter().collect();
    match effect {
        Effect::Nothing => alike(&left),
        Effect::Without(gone) => {
            left.remove(gone);
            alike(&left)
        }
        Effect::OtherUnits => {
            before.len() == after.len()
                && before.iter().zip(after).all(|(one, other)| one.sizes() == other.sizes())
        }
    }
}
