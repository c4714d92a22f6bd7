//! Whether a segment lies in the window, as Linux conntrack guesses the windows of both ends.
//!
//! Owns [`Seen`] (what is known of one end) and [`check`]. Source: `tcp_in_window` in
//! net/netfilter/nf_conntrack_proto_tcp.c, Linux 6.x.

use super::state::Kind;
use crate::segment::SeqNum;
use crate::simulate::middlebox::TcpState;
use crate::simulate::packet::TcpPacket;

/// How far an acknowledgment may lie behind at least (`MAXACKWINCONST`).
const ACK_WINDOW: u32 = 66_000;

/// The largest shift of a window (RFC 7323 §2.3).
const MAX_SCALE: u8 = 14;

/// What is known of one end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// One above the highest octet it sent.
    pub(super) end: SeqNum,
    /// One above the highest octet the other end would take from it.
    pub(super) max_end: SeqNum,
    /// The largest window it offered; 0 before it was seen at all.
    pub(super) max_window: u32,
    /// The highest number it acknowledged.
    pub(super) max_ack: Option<SeqNum>,
    pub(super) scale: u8,
    pub(super) offers_scale: bool,
    pub(super) offers_sack: bool,
    /// Its windows are not known, so nothing is held against them.
    pub(super) liberal: bool,
    /// It sent octets that are not acknowledged.
    pub(super) unacknowledged: bool,
    /// It was the first to send FIN.
    pub(super) closes: bool,
}

impl Seen {
    /// Takes the options of a SYN; one without any options tells nothing.
    pub(super) fn take_options(&mut self, packet: &TcpPacket) {
        let options = &packet.options;
        let any = options.mss.is_some()
            || options.window_scale.is_some()
            || options.timestamps.is_some()
            || options.sack.is_some()
            || options.sack_permitted;
        if any {
            self.scale = options.window_scale.unwrap_or(0).min(MAX_SCALE);
            self.offers_scale = options.window_scale.is_some();
            self.offers_sack = options.sack_permitted;
            self.unacknowledged = false;
            self.closes = false;
            self.max_ack = None;
        }
    }
}

/// The segment that the next one is compared with, to find repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) kind: Kind,
    pub(super) by_opener: bool,
    pub(super) seq: SeqNum,
    pub(super) ack: SeqNum,
    pub(super) end: SeqNum,
    pub(super) window: u16,
}

/// What the window says of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It belongs to the connection.
    Accept,
    /// It passes, and nothing is learned from it.
    Ignore,
    /// It cannot belong to the connection.
    Invalid,
}

/// A segment with what is asked of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub(super) packet: &'a TcpPacket,
    pub(super) kind: Kind,
    pub(super) by_opener: bool,
    /// The state before it.
    pub(super) state: Option<TcpState>,
    /// `nf_conntrack_tcp_be_liberal`.
    pub(super) be_liberal: bool,
}

/// One above the last number that a segment uses.
pub(super) fn end_of(packet: &TcpPacket) -> SeqNum {
    let numbers = u32::from(packet.flags.syn()) + u32::from(packet.flags.fin());
    packet.seq.plus(u32::from(packet.octets)).plus(numbers)
}

fn minus(number: SeqNum, octets: u32) -> SeqNum {
    number.plus(octets.wrapping_neg())
}

fn before(one: SeqNum, other: SeqNum) -> bool {
    one.distance_from(other) < 0
}

fn after(one: SeqNum, other: SeqNum) -> bool {
    before(other, one)
}

/// What one number of a segment is after allowing for what is missing in it.
struct Numbers {
    seq: SeqNum,
    end: SeqNum,
    ack: SeqNum,
    /// The highest number it acknowledges, be it by SACK.
    sack: SeqNum,
}

impl Numbers {
    fn of(segment: &Segment<'_>, sender: &Seen, receiver: &Seen) -> Self {
        let packet = segment.packet;
        let mut numbers = Self { seq: packet.seq, end: end_of(packet), ack: packet.ack, sack: packet.ack };
        if let Some(block) = packet.options.sack.filter(|_| receiver.offers_sack)
            && after(block.right, numbers.sack)
        {
            numbers.sack = block.right;
        }
        // No acknowledgment, or that of a RST which has none to give.
        if !packet.flags.ack() || (packet.flags.rst() && packet.ack == SeqNum(0)) {
            (numbers.ack, numbers.sack) = (receiver.end, receiver.end);
        }
        // A RST that answers a SYN.
        if packet.flags.rst() && packet.seq == SeqNum(0) && segment.state == Some(TcpState::SynSent) {
            (numbers.seq, numbers.end) = (sender.end, sender.end);
        }
        numbers
    }
}

/// Holds a segment against the windows, and learns from it if it fits. `retransmissions` counts how often the
/// same acknowledgment came again with nothing else between.
pub(super) fn check(
    segment: &Segment<'_>,
    sender: &mut Seen,
    receiver: &mut Seen,
    last: &mut Last,
    retransmissions: &mut u8,
) -> Verdict {
    if begin(segment, sender, receiver) {
        return Verdict::Accept;
    }
    let numbers = Numbers::of(segment, sender, receiver);
    let verdict = place(&numbers, sender, receiver);
    if verdict != Verdict::Accept {
        // What is not known is not held against anybody.
        return if sender.liberal || segment.be_liberal { Verdict::Accept } else { verdict };
    }
    learn(segment, &numbers, sender, receiver);
    if segment.kind == Kind::Ack {
        let Numbers { seq, end, ack, .. } = numbers;
        let (by_opener, window) = (segment.by_opener, segment.packet.window);
        let this = Last { kind: last.kind, by_opener, seq, ack, end, window };
        *retransmissions = if *last == this { retransmissions.wrapping_add(1) } else { 0 };
        *last = this;
    }
    Verdict::Accept
}

/// The first segment of an end, or a SYN that begins anew; true if there is nothing to check in it.
fn begin(segment: &Segment<'_>, sender: &mut Seen, receiver: &mut Seen) -> bool {
    let packet = segment.packet;
    let end = end_of(packet);
    let reopens = packet.flags.syn()
        && after(end, sender.end)
        && matches!(segment.state, Some(TcpState::SynSent | TcpState::SynReceived));
    if (sender.max_window == 0 && packet.flags.syn()) || (sender.max_window != 0 && reopens) {
        let first = sender.max_window == 0;
        sender.end = end;
        sender.max_end = end;
        sender.max_window = u32::from(packet.window).max(1);
        sender.take_options(packet);
        // Both ends must offer to scale windows.
        let both = sender.offers_scale && receiver.offers_scale;
        if !segment.by_opener && !both {
            sender.scale = 0;
            receiver.scale = 0;
        }
        return !packet.flags.ack() && (first || !segment.by_opener);
    }
    if sender.max_window == 0 {
        // In the middle of a connection: the segment itself is all there is to go by.
        sender.end = end;
        sender.max_window = (u32::from(packet.window) << sender.scale).max(1);
        sender.max_end = end.plus(sender.max_window);
        let acknowledged = match packet.options.sack.filter(|_| receiver.offers_sack) {
            Some(block) if after(block.right, packet.ack) => block.right,
            _ => packet.ack,
        };
        if receiver.max_window == 0 {
            receiver.end = acknowledged;
            receiver.max_end = acknowledged;
        } else if acknowledged == receiver.end.plus(1) {
            // The answer to a keepalive, which had the number before.
            receiver.end = receiver.end.plus(1);
        }
    }
    false
}

/// Where a segment lies.
fn place(numbers: &Numbers, sender: &mut Seen, receiver: &Seen) -> Verdict {
    let Numbers { seq, end, sack, .. } = *numbers;
    let lowest_ack = minus(receiver.end, sender.max_window.max(ACK_WINDOW).wrapping_add(1));
    let lowest_end = minus(sender.end, receiver.max_window.wrapping_add(1));
    let in_window = after(end, lowest_end);
    if !before(seq, sender.max_end.plus(1)) {
        let overshot = end.0.wrapping_sub(sender.max_end.0).wrapping_add(1);
        let little = receiver.max_window != 0
            && in_window
            && after(sack, lowest_ack)
            && overshot <= receiver.max_window
            && before(sack, receiver.end.plus(1));
        if !little {
            return Verdict::Invalid;
        }
        // A sender that went beyond what it may: its data may be acknowledged all the same.
        sender.end = end;
        sender.unacknowledged = true;
        return Verdict::Ignore;
    }
    if !before(sack, receiver.end.plus(1)) {
        return Verdict::Invalid;
    }
    if (receiver.max_window != 0 && !in_window) || !after(sack, lowest_ack) {
        return Verdict::Ignore;
    }
    Verdict::Accept
}

fn learn(segment: &Segment<'_>, numbers: &Numbers, sender: &mut Seen, receiver: &mut Seen) {
    let Numbers { end, ack, sack, .. } = *numbers;
    let packet = segment.packet;
    let scale = if packet.flags.syn() { 0 } else { sender.scale };
    let window = u32::from(packet.window) << scale;
    sender.max_window = sender.max_window.max(window.wrapping_add(sack.0.wrapping_sub(ack.0)));
    if after(end, sender.end) {
        sender.end = end;
        sender.unacknowledged = true;
    }
    if packet.flags.ack() && sender.max_ack.is_none_or(|highest| after(ack, highest)) {
        sender.max_ack = Some(ack);
    }
    if receiver.max_window != 0 && after(end, sender.max_end) {
        receiver.max_window = receiver.max_window.wrapping_add(end.0.wrapping_sub(sender.max_end.0));
    }
    if after(sack.plus(window), minus(receiver.max_end, 1)) {
        // A closed window lets one octet through, for whoever probes it.
        receiver.max_end = sack.plus(window.max(1));
    }
    if ack == receiver.end {
        receiver.unacknowledged = false;
    }
}
