//! One probe with its answer in few octets: what differs from what the probe before it lets expect.
//!
//! Owns the octets. Nothing is rounded: what is read is what was written. [`walk`] is the one place that says in which
//! order the numbers of a probe stand and what is expected of each; writing and reading both go by it. A number that is
//! as expected takes one bit, any other the octets of the difference.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::analysis::prober::ProbeRecord;
use crate::frame::FrameId;
use crate::segment::{IcmpKind, SeqNum, TcpTimestamps};
use crate::time::{Span, Timestamp};
use crate::track::event::{Answer, AnswerKind, Basis, InFlight, Mark, Party, ProbeSegment};

/// A probe with its answer as numbers. What it does not have is what the one before it had.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers {
    time: u64,
    frame: u64,
    capture: u64,
    has: u64,
    event: u64,
    basis: u64,
    seq: u64,
    ack: u64,
    octets: u64,
    octet: u64,
    silence: u64,
    quiet: u64,
    run: u64,
    ttl: u64,
    clock: u64,
    echo: u64,
    ip_id: u64,
    ip_id_before: u64,
    window: u64,
    window_before: u64,
    ack_lag: u64,
    in_flight: u64,
    answer: AnswerNumbers,
}

#[derive(Clone, Copy, Debug, Default)]
struct AnswerNumbers {
    time: u64,
    frame: u64,
    capture: u64,
    probe: u64,
    kind: u64,
    rtt: u64,
    ttl: u64,
    clock: u64,
    echo: u64,
    reporter: [u64; 2],
    corrects: u64,
}

/// What a probe has, or is: bits of [`Numbers::has`].
mod has {
    pub(super) const ANSWER: u64 = 1;
    pub(super) const TIMESTAMPS: u64 = 1 << 1;
    pub(super) const ANSWER_TIMESTAMPS: u64 = 1 << 2;
    pub(super) const SILENCE: u64 = 1 << 3;
    pub(super) const QUIET: u64 = 1 << 4;
    pub(super) const DSACK: u64 = 1 << 5;
    pub(super) const OCTET: u64 = 1 << 6;
    pub(super) const WINDOW_CHANGED: u64 = 1 << 7;
    pub(super) const ANSWER_CORRECTS: u64 = 1 << 9;
    pub(super) const IP_ID: u64 = 1 << 10;
    pub(super) const IP_ID_BEFORE: u64 = 1 << 11;
    pub(super) const WINDOW_BEFORE: u64 = 1 << 12;
    pub(super) const ACK_LAG: u64 = 1 << 13;
    pub(super) const IN_FLIGHT: u64 = 1 << 14;
    pub(super) const BELOW_UNA: u64 = 1 << 15;
    pub(super) const DONT_FRAGMENT: u64 = 1 << 16;
    pub(super) const PSH: u64 = 1 << 17;
    pub(super) const BY_SERVER: u64 = 1 << 18;
    pub(super) const REPORTER_V4: u64 = 1 << 19;
    pub(super) const REPORTER_V6: u64 = 1 << 20;

    /// Those that the answer has, or is.
    pub(super) const OF_ANSWER: u64 =
        ANSWER | ANSWER_TIMESTAMPS | DSACK | WINDOW_CHANGED | ANSWER_CORRECTS | REPORTER_V4 | REPORTER_V6;
}

/// How many numbers of a probe stand in the octets at most: one bit for each of them says whether it does.
const MOST_NUMBERS: u32 = u64::BITS;

/// What puts the numbers of a probe in their order, one way or the other.
trait Coder {
    /// The next number, and what is expected of it.
    fn number(&mut self, number: &mut u64, expected: u64);

    /// The next number where there is one; otherwise it stays as it was `before`.
    fn number_if(&mut self, there: bool, number: &mut u64, expected: u64, before: u64) {
        if there {
            self.number(number, expected);
        } else {
            *number = before;
        }
    }
}

impl Numbers {
    /// Whether it is the probe of this event number.
    pub(super) fn is_event(&self, event: u32) -> bool {
        self.event == u64::from(event)
    }

    /// Its frame and time.
    pub(super) fn mark(&self) -> Mark {
        mark(self.capture, self.frame, self.time)
    }

    /// The probe as it was written.
    pub(super) fn record(&self) -> ProbeRecord {
        record(self)
    }

    fn has(&self, bits: u64) -> bool {
        self.has & bits != 0
    }

    /// When the prober last heard something, as far as this probe and its answer tell.
    fn heard(&self) -> u64 {
        if self.has(has::ANSWER) { self.answer.time } else { self.time }
    }
}

/// Goes through the numbers of a probe, those first that hardly ever are what was expected, and last those that are
/// expected to stay as they were.
fn walk(coder: &mut impl Coder, this: &mut Numbers, before: &Numbers) {
    walk_start(coder, this, before);
    walk_clocks(coder, this, before);
    walk_probe(coder, this, before);
    walk_answer(coder, this, before);
    walk_steady(coder, this, before);
}

/// When the probe came, and what it has.
fn walk_start(coder: &mut impl Coder, this: &mut Numbers, before: &Numbers) {
    let last = before.time.max(before.heard());
    coder.number(&mut this.time, last.wrapping_add(before.quiet));
    let last_frame = if before.has(has::ANSWER) { before.answer.frame } else { before.frame };
    coder.number(&mut this.frame, last_frame.wrapping_add(1));
    coder.number(&mut this.has, before.has);
}

/// When the answer came, and the timestamps of both.
fn walk_clocks(coder: &mut impl Coder, this: &mut Numbers, before: &Numbers) {
    let (answered, marked) = (this.has(has::ANSWER), this.has(has::TIMESTAMPS));
    let answer_marked = this.has(has::ANSWER_TIMESTAMPS);
    let (own, old) = (&mut this.answer, &before.answer);
    coder.number_if(answered, &mut own.time, this.time.wrapping_add(old.rtt), old.time);
    coder.number_if(marked, &mut this.clock, ticked(before.clock, before.time, this.time), before.clock);
    coder.number_if(answer_marked, &mut own.clock, ticked(old.clock, old.time, own.time), old.clock);
    coder.number_if(answered, &mut own.frame, this.frame.wrapping_add(1), old.frame);
    let echo = if before.has(has::ANSWER_TIMESTAMPS) { old.clock } else { before.echo };
    coder.number_if(marked, &mut this.echo, echo, before.echo);
    // Who takes a probe for old echoes what it had before; others echo the probe.
    let echo = if old.echo == before.clock { this.clock } else { old.echo };
    coder.number_if(answer_marked, &mut own.echo, echo, old.echo);
}

/// What else the packet of the probe shows that goes on with the connection.
fn walk_probe(coder: &mut impl Coder, this: &mut Numbers, before: &Numbers) {
    let answered = before.has(has::ANSWER);
    coder.number(&mut this.event, before.event.wrapping_add(2));
    let since = this.time.wrapping_sub(before.heard());
    let silence = if answered { since } else { before.silence.wrapping_add(since) };
    coder.number_if(this.has(has::SILENCE), &mut this.silence, silence, before.silence);
    let quiet = this.time.wrapping_sub(before.time.max(before.heard()));
    coder.number_if(this.has(has::QUIET), &mut this.quiet, quiet, before.quiet);
    coder.number(&mut this.run, if answered { 1 } else { before.run.wrapping_add(1) });
    coder.number_if(this.has(has::IP_ID), &mut this.ip_id, before.ip_id.wrapping_add(1), before.ip_id);
    coder.number_if(this.has(has::IP_ID_BEFORE), &mut this.ip_id_before, before.ip_id, before.ip_id_before);
    let window = before.window;
    coder.number_if(this.has(has::WINDOW_BEFORE), &mut this.window_before, window, before.window_before);
    coder.number(&mut this.seq, before.seq);
    coder.number(&mut this.ack, before.ack);
    coder.number(&mut this.capture, before.capture);
}

/// What else the answer shows that goes with its probe.
fn walk_answer(coder: &mut impl Coder, this: &mut Numbers, before: &Numbers) {
    let (answered, corrects) = (this.has(has::ANSWER), this.has(has::ANSWER_CORRECTS));
    let (own, old) = (&mut this.answer, &before.answer);
    let trip = own.time.wrapping_sub(this.time);
    coder.number_if(answered, &mut own.rtt, if trip as i64 > 0 { trip } else { 0 }, old.rtt);
    coder.number_if(answered, &mut own.capture, this.capture, old.capture);
    coder.number_if(answered, &mut own.probe, this.event, old.probe);
    coder.number_if(corrects, &mut own.corrects, this.event.wrapping_add(1), old.corrects);
}

/// What is expected to stay as it was: where nothing else is in the octets, none of this is looked at.
fn walk_steady(coder: &mut impl Coder, this: &mut Numbers, before: &Numbers) {
    coder.number(&mut this.octets, before.octets);
    coder.number_if(this.has(has::OCTET), &mut this.octet, before.octet, before.octet);
    coder.number(&mut this.window, before.window);
    coder.number(&mut this.ttl, before.ttl);
    coder.number(&mut this.basis, before.basis);
    coder.number_if(this.has(has::ACK_LAG), &mut this.ack_lag, before.ack_lag, before.ack_lag);
    coder.number_if(this.has(has::IN_FLIGHT), &mut this.in_flight, before.in_flight, before.in_flight);
    let (answered, from_path) = (this.has(has::ANSWER), this.has(has::REPORTER_V4 | has::REPORTER_V6));
    let (own, old) = (&mut this.answer, &before.answer);
    coder.number_if(answered, &mut own.kind, old.kind, old.kind);
    coder.number_if(answered, &mut own.ttl, old.ttl, old.ttl);
    for (part, old) in own.reporter.iter_mut().zip(old.reporter) {
        coder.number_if(from_path, part, old, old);
    }
}

/// What a clock of milliseconds, as most TCP timestamps are, shows some nanoseconds later.
fn ticked(clock: u64, then: u64, now: u64) -> u64 {
    clock.wrapping_add(now.wrapping_sub(then) / 1_000_000)
}

/// Octets that one number takes at most, and those of a probe as they mostly are.
const MOST_OF_ONE: usize = 10;
const USUAL: usize = 20;

/// Octets of all numbers of a probe at most.
const MOST_OF_ALL: usize = MOST_OF_ONE * MOST_NUMBERS as usize;

/// Puts numbers into octets.
struct Writer {
    /// Which numbers are not what was expected, the first in the lowest bit.
    differ: u64,
    next: u32,
    differences: [u8; MOST_OF_ALL],
    used: usize,
}

impl Writer {
    const NEW: Self = Self { differ: 0, next: 0, differences: [0; MOST_OF_ALL], used: 0 };

    fn differences(&self) -> &[u8] {
        self.differences.get(..self.used).unwrap_or_default()
    }
}

impl Coder for Writer {
    fn number(&mut self, number: &mut u64, expected: u64) {
        debug_assert!(self.next < MOST_NUMBERS, "no bit is left");
        let difference = number.wrapping_sub(expected) as i64;
        if difference != 0 {
            self.differ |= 1 << self.next;
            // Small ones of either sign are small numbers.
            let folded = ((difference << 1) ^ (difference >> 63)) as u64;
            put(folded, |octet| {
                if let Some(place) = self.differences.get_mut(self.used) {
                    *place = octet;
                    self.used += 1;
                }
            });
        }
        self.next += 1;
    }
}

/// Gets numbers out of octets.
struct Reader<'a> {
    differ: u64,
    octets: &'a [u8],
}

impl Coder for Reader<'_> {
    fn number(&mut self, number: &mut u64, expected: u64) {
        let differs = self.differ & 1 != 0;
        self.differ >>= 1;
        let folded = if differs { take(&mut self.octets) } else { 0 };
        let difference = (folded >> 1) ^ (folded & 1).wrapping_neg();
        *number = expected.wrapping_add(difference);
    }
}

/// Gets the numbers of which every one is as expected.
struct AsExpected;

impl Coder for AsExpected {
    fn number(&mut self, number: &mut u64, expected: u64) {
        *number = expected;
    }
}

/// Seven bits to an octet, the lowest first; the highest bit says that more follow.
fn put(mut number: u64, mut octet: impl FnMut(u8)) {
    while number > 0x7f {
        octet(number as u8 | 0x80);
        number >>= 7;
    }
    octet(number as u8);
}

fn take(octets: &mut &[u8]) -> u64 {
    if let [number @ ..=0x7f, rest @ ..] = *octets {
        *octets = rest;
        return u64::from(*number);
    }
    take_few(octets).unwrap_or_else(|| take_any(octets))
}

/// The next number, if it takes no more than eight octets and so many are left.
fn take_few(octets: &mut &[u8]) -> Option<u64> {
    let first = u64::from_le_bytes(*octets.first_chunk()?);
    let ends = !first & 0x8080_8080_8080_8080;
    let bits = ends.trailing_zeros() + 1;
    let own = first & u64::MAX.checked_shr(u64::BITS.checked_sub(bits)?)?;
    *octets = octets.get(bits as usize / 8..)?;
    // Seven bits of each octet are put beside those of the next, then fourteen, then twenty-eight.
    let sevens = own & 0x7f7f_7f7f_7f7f_7f7f;
    let fourteens = (sevens & 0x007f_007f_007f_007f) | (sevens & 0x7f00_7f00_7f00_7f00) >> 1;
    let most = (fourteens & 0x0000_3fff_0000_3fff) | (fourteens & 0x3fff_0000_3fff_0000) >> 2;
    Some((most & 0x0fff_ffff) | (most & 0x0fff_ffff_0000_0000) >> 4)
}

fn take_any(octets: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0_u64, 0);
    while let Some((octet, rest)) = octets.split_first() {
        *octets = rest;
        number |= u64::from(octet & 0x7f).checked_shl(shift).unwrap_or(0);
        shift += 7;
        if octet & 0x80 == 0 {
            break;
        }
    }
    number
}

/// Adds a probe to the octets of those before it, the last of which is `before`; returns it.
pub(super) fn write(record: &ProbeRecord, before: &Numbers, octets: &mut Vec<u8>) -> Numbers {
    let mut this = numbers(record);
    write_numbers(&mut this, before, octets);
    this
}

/// The same for the last probe, whose octets were taken off, with the answer that came.
pub(super) fn write_answered(last: &mut Numbers, answer: &Answer, before: &Numbers, octets: &mut Vec<u8>) {
    last.has = (last.has & !has::OF_ANSWER) | answer_has(answer);
    last.answer = answer_numbers(answer);
    write_numbers(last, before, octets);
}

fn write_numbers(this: &mut Numbers, before: &Numbers, octets: &mut Vec<u8>) {
    let mut writer = Writer::NEW;
    walk(&mut writer, this, before);
    let most = writer.used + MOST_OF_ONE;
    if octets.capacity() - octets.len() < most {
        // Doubling would waste half of it.
        octets.reserve_exact(most + USUAL);
    }
    put(writer.differ, |octet| octets.push(octet));
    octets.extend_from_slice(writer.differences());
}

/// Takes the next probe off the octets; `this` is the one before it, and then this one.
pub(super) fn read(octets: &mut &[u8], this: &mut Numbers) {
    let differ = take(octets);
    let mut reader = Reader { differ, octets };
    let before = *this;
    walk_start(&mut reader, this, &before);
    walk_clocks(&mut reader, this, &before);
    // Mostly the rest of them is as expected.
    if reader.differ == 0 {
        walk_probe(&mut AsExpected, this, &before);
        walk_answer(&mut AsExpected, this, &before);
    } else {
        walk_probe(&mut reader, this, &before);
        walk_answer(&mut reader, this, &before);
    }
    if reader.differ != 0 {
        walk_steady(&mut reader, this, &before);
    }
    *octets = reader.octets;
}

fn numbers(record: &ProbeRecord) -> Numbers {
    let shown = &record.segment;
    let mut has = 0;
    let mut bit = |there: bool, bit: u64| has |= if there { bit } else { 0 };
    bit(shown.prober == Party::Server, has::BY_SERVER);
    bit(shown.silence.is_some(), has::SILENCE);
    bit(shown.quiet.is_some(), has::QUIET);
    bit(shown.timestamps.is_some(), has::TIMESTAMPS);
    bit(shown.ip_id.is_some(), has::IP_ID);
    bit(shown.ip_id_before.is_some(), has::IP_ID_BEFORE);
    bit(shown.dont_fragment, has::DONT_FRAGMENT);
    bit(shown.psh, has::PSH);
    bit(shown.octet.is_some(), has::OCTET);
    bit(shown.window_before.is_some(), has::WINDOW_BEFORE);
    bit(shown.ack_lag.is_some(), has::ACK_LAG);
    bit(shown.in_flight.is_some(), has::IN_FLIGHT);
    bit(shown.in_flight.is_some_and(|flight| flight.below_una), has::BELOW_UNA);
    has |= record.answer.as_ref().map_or(0, answer_has);
    let span = |span: Option<Span>| span.map_or(0, |span| span.as_nanos() as u64);
    Numbers {
        time: shown.at.time.as_nanos() as u64,
        frame: shown.at.frame.number,
        capture: shown.at.frame.capture.into(),
        has,
        event: record.event.into(),
        basis: BASES.iter().position(|basis| *basis == record.basis).unwrap_or(0) as u64,
        seq: shown.seq.0.into(),
        ack: shown.ack.0.into(),
        octets: shown.octets.into(),
        octet: shown.octet.unwrap_or(0).into(),
        silence: span(shown.silence),
        quiet: span(shown.quiet),
        run: shown.run.into(),
        ttl: shown.ttl.into(),
        clock: shown.timestamps.map_or(0, |timestamps| timestamps.value.into()),
        echo: shown.timestamps.map_or(0, |timestamps| timestamps.echo.into()),
        ip_id: shown.ip_id.unwrap_or(0).into(),
        ip_id_before: shown.ip_id_before.unwrap_or(0).into(),
        window: shown.window.into(),
        window_before: shown.window_before.unwrap_or(0).into(),
        ack_lag: shown.ack_lag.unwrap_or(0) as u64,
        in_flight: shown.in_flight.map_or(0, |flight| flight.octets),
        answer: record.answer.as_ref().map(answer_numbers).unwrap_or_default(),
    }
}

fn answer_has(answer: &Answer) -> u64 {
    let bit = |there: bool, bit: u64| if there { bit } else { 0 };
    has::ANSWER
        | bit(answer.timestamps.is_some(), has::ANSWER_TIMESTAMPS)
        | bit(answer.dsack, has::DSACK)
        | bit(answer.window_changed, has::WINDOW_CHANGED)
        | bit(answer.corrects.is_some(), has::ANSWER_CORRECTS)
        | bit(answer.reporter.is_some_and(|address| address.is_ipv4()), has::REPORTER_V4)
        | bit(answer.reporter.is_some_and(|address| address.is_ipv6()), has::REPORTER_V6)
}

fn answer_numbers(answer: &Answer) -> AnswerNumbers {
    let reporter = match answer.reporter {
        None => 0,
        Some(IpAddr::V4(address)) => u128::from(u32::from(address)),
        Some(IpAddr::V6(address)) => u128::from(address),
    };
    AnswerNumbers {
        time: answer.at.time.as_nanos() as u64,
        frame: answer.at.frame.number,
        capture: answer.at.frame.capture.into(),
        probe: answer.probe.into(),
        kind: kind_number(answer.kind),
        rtt: answer.rtt.as_nanos() as u64,
        ttl: answer.ttl.into(),
        clock: answer.timestamps.map_or(0, |timestamps| timestamps.value.into()),
        echo: answer.timestamps.map_or(0, |timestamps| timestamps.echo.into()),
        reporter: [(reporter >> u64::BITS) as u64, reporter as u64],
        corrects: answer.corrects.unwrap_or(0).into(),
    }
}

fn record(numbers: &Numbers) -> ProbeRecord {
    let has = |bit: u64| numbers.has(bit);
    let span = |bit: u64, nanos: u64| has(bit).then(|| Span::from_nanos(nanos as i64));
    ProbeRecord {
        event: numbers.event as u32,
        segment: ProbeSegment {
            prober: if has(has::BY_SERVER) { Party::Server } else { Party::Client },
            at: mark(numbers.capture, numbers.frame, numbers.time),
            seq: SeqNum(numbers.seq as u32),
            ack: SeqNum(numbers.ack as u32),
            octets: numbers.octets as u8,
            silence: span(has::SILENCE, numbers.silence),
            quiet: span(has::QUIET, numbers.quiet),
            run: numbers.run as u32,
            ttl: numbers.ttl as u8,
            timestamps: has(has::TIMESTAMPS)
                .then_some(TcpTimestamps { value: numbers.clock as u32, echo: numbers.echo as u32 }),
            ip_id: has(has::IP_ID).then_some(numbers.ip_id as u16),
            ip_id_before: has(has::IP_ID_BEFORE).then_some(numbers.ip_id_before as u16),
            dont_fragment: has(has::DONT_FRAGMENT),
            psh: has(has::PSH),
            octet: has(has::OCTET).then_some(numbers.octet as u8),
            window: numbers.window as u16,
            window_before: has(has::WINDOW_BEFORE).then_some(numbers.window_before as u16),
            ack_lag: has(has::ACK_LAG).then_some(numbers.ack_lag as i64),
            in_flight: has(has::IN_FLIGHT)
                .then_some(InFlight { octets: numbers.in_flight, below_una: has(has::BELOW_UNA) }),
        },
        basis: BASES.get(numbers.basis as usize).copied().unwrap_or(Basis::Acknowledged),
        answer: has(has::ANSWER).then(|| answer(numbers)),
    }
}

fn answer(numbers: &Numbers) -> Answer {
    let has = |bit: u64| numbers.has(bit);
    let answer = &numbers.answer;
    let [high, low] = answer.reporter;
    let address = (u128::from(high) << u64::BITS) | u128::from(low);
    let reporter = if has(has::REPORTER_V6) {
        Some(IpAddr::V6(Ipv6Addr::from(address)))
    } else {
        has(has::REPORTER_V4).then(|| IpAddr::V4(Ipv4Addr::from(low as u32)))
    };
    Answer {
        probe: answer.probe as u32,
        kind: kind_of(answer.kind),
        at: mark(answer.capture, answer.frame, answer.time),
        rtt: Span::from_nanos(answer.rtt as i64),
        ttl: answer.ttl as u8,
        dsack: has(has::DSACK),
        window_changed: has(has::WINDOW_CHANGED),
        timestamps: has(has::ANSWER_TIMESTAMPS)
            .then_some(TcpTimestamps { value: answer.clock as u32, echo: answer.echo as u32 }),
        reporter,
        corrects: has(has::ANSWER_CORRECTS).then_some(answer.corrects as u32),
    }
}

fn mark(capture: u64, frame: u64, time: u64) -> Mark {
    Mark {
        frame: FrameId { capture: capture as u32, number: frame },
        time: Timestamp::from_nanos(time as i64),
    }
}

const BASES: [Basis; 6] = [
    Basis::Acknowledged,
    Basis::Outstanding,
    Basis::AnswerBeyond,
    Basis::ContinuedBeyond,
    Basis::DuplicateReported,
    Basis::RepeatedLater,
];

/// The kind in the lower octet, and the code of an ICMP error above it.
fn kind_number(kind: AnswerKind) -> u64 {
    match kind {
        AnswerKind::Ack => 0,
        AnswerKind::Data => 1,
        AnswerKind::Reset => 2,
        AnswerKind::Icmp(IcmpKind::PacketTooBig) => 3,
        AnswerKind::Icmp(IcmpKind::Unreachable(code)) => 4 | (u64::from(code) << 8),
        AnswerKind::Icmp(IcmpKind::TimeExceeded(code)) => 5 | (u64::from(code) << 8),
        AnswerKind::Icmp(IcmpKind::ParameterProblem(code)) => 6 | (u64::from(code) << 8),
    }
}

fn kind_of(number: u64) -> AnswerKind {
    let code = (number >> 8) as u8;
    match number as u8 {
        0 => AnswerKind::Ack,
        1 => AnswerKind::Data,
        2 => AnswerKind::Reset,
        3 => AnswerKind::Icmp(IcmpKind::PacketTooBig),
        4 => AnswerKind::Icmp(IcmpKind::Unreachable(code)),
        5 => AnswerKind::Icmp(IcmpKind::TimeExceeded(code)),
        _ => AnswerKind::Icmp(IcmpKind::ParameterProblem(code)),
    }
}

#[cfg(test)]
mod tests;
