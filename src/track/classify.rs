//! The rules that tell a keepalive probe from everything that resembles it.
//!
//! Pure functions over the state of the two sides; they change nothing. Uses [`super::side`] and
//! [`crate::segment`]. Each rule names its reason; where it differs from tshark's
//! `tcp.analysis.keep_alive` (SEQ = highest seen - 1, 0 or 1 octets, no SYN, FIN or RST) the reason is what
//! that rule cannot see: whether the octet was acknowledged, and time.

use super::event::{Basis, LookAlike};
use super::side::{Side, View};
use crate::segment::{Flags, Segment};
use crate::time::Span;

/// No stack sends its first probe sooner than this after the last segment unless it was set in
/// milliseconds, and no delayed or reordered acknowledgment comes later (RFC 1122 §4.2.3.2 allows 500 ms).
pub(super) const SETTLED: Span = Span::from_secs(1);

/// A lone octet that was acknowledged in the capture is sent again after at most the initial
/// retransmission time-out of old stacks (RFC 1122 §4.2.3.1: 3 s), or some round trips; later copies after
/// about twice the gap, or more where one is not in the capture.
const FIRST_RETRANSMISSION: Span = Span::from_secs(3);

/// The same for a copy that bears the PSH of its original: no stack known probes so. (The longest time-out of
/// Linux, TCP_RTO_MAX; what was sent in between may have been lost before the capture.)
const PUSHED_RETRANSMISSION: Span = Span::from_secs(120);

/// No stack probes this soon after it heard its peer; a path that sends a packet twice does.
const HARDLY_QUIET: Span = Span::from_millis(100);

/// What a segment is, as far as its own sender's sequence numbers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A probe.
    Probe(Basis),
    /// It may be a probe: SND.NXT is not known.
    Candidate,
    /// Same SEQ and length as a probe, but something else, for this reason.
    LookAlike(LookAlike, &'static str),
    /// An empty segment at the receiver's closed window: a keepalive or a window probe; timing decides.
    AtZeroWindow,
    /// An acknowledgment without data at SND.NXT.
    BareAck,
    /// Everything else.
    Other,
}

/// Judges a segment without SYN, FIN and RST; `ack_is_news` says whether it acknowledges something new,
/// `quiet` how long neither side had sent anything.
pub(super) fn judge(
    sender: View<'_>,
    receiver: View<'_>,
    segment: &Segment,
    ack_is_news: bool,
    quiet: Option<Span>,
) -> Verdict {
    if segment.flags.any(Flags::SYN.with(Flags::FIN).with(Flags::RST)) || segment.len > 1 {
        return Verdict::Other;
    }
    let position = sender.position(segment.seq);
    let Some(next) = sender.next() else {
        return first_of_side(receiver, segment, ack_is_news, quiet);
    };
    if position + 1 == next {
        if sender.isn() == Some(position) && !sender.all_acked() {
            // Nothing but a SYN was sent yet: there is no connection to keep alive, unless the direction that
            // acknowledges was not captured.
            let one_way = !receiver.is_seen() && segment.flags.ack();
            return if one_way { Verdict::Probe(Basis::Outstanding) } else { Verdict::Other };
        }
        let prompt = quiet.is_some_and(|quiet| quiet < SETTLED);
        if segment.len == 0 && sender.stands_at_window_probe(position, prompt) {
            return Verdict::BareAck;
        }
        if sender.unanchored() {
            return below_candidate(sender, segment, quiet);
        }
        return if sender.all_acked() {
            below_next_acked(sender, receiver, segment, quiet)
        } else {
            below_next_outstanding(sender, receiver, segment, quiet)
        };
    }
    if position == next {
        return at_next(sender, receiver, segment, ack_is_news, quiet);
    }
    if position > next {
        // Octets before this one were not captured, so an empty segment may stand at SND.NXT-1.
        return if segment.len == 0 && quiet.is_some_and(|quiet| quiet >= SETTLED) {
            Verdict::Candidate
        } else {
            Verdict::Other
        };
    }
    below_unacknowledged(sender, receiver, segment, position, quiet)
}

/// The first segment of a side whose SND.NXT nothing tells.
fn first_of_side(receiver: View<'_>, segment: &Segment, ack_is_news: bool, quiet: Option<Span>) -> Verdict {
    if segment.len == 0 && acknowledges_recent_data(receiver, segment, ack_is_news, quiet) {
        return Verdict::BareAck;
    }
    Verdict::Candidate
}

/// A segment one below an empty one of which it is not known whether it stood at SND.NXT.
fn below_candidate(sender: View<'_>, segment: &Segment, quiet: Option<Span>) -> Verdict {
    let settled = quiet.is_none_or(|quiet| quiet >= SETTLED);
    let later = sender.moves_on_in_time(segment);
    match segment.len {
        // The upper one was sent before and stood at SND.NXT, or is a probe itself; this one is below it.
        0 if settled || later => Verdict::Probe(Basis::Outstanding),
        // It may have been overtaken; the octet between them tells, or the answer.
        0 if !sender.goes_back_in_time(segment) => Verdict::Candidate,
        0 => Verdict::Other,
        _ if settled && !segment.flags.psh() => Verdict::Probe(Basis::Outstanding),
        // The octet between them may have been lost before the capture and be sent again.
        _ if settled => Verdict::Candidate,
        _ => Verdict::Other,
    }
}

/// A segment at the highest position seen.
fn at_next(
    sender: View<'_>,
    receiver: View<'_>,
    segment: &Segment,
    ack_is_news: bool,
    quiet: Option<Span>,
) -> Verdict {
    if segment.len == 1 {
        // BSD and others probe a closed window with the next octet of data (RFC 9293 §3.8.6.1).
        return if !sender.all_acked() {
            Verdict::Other
        } else if receiver.window() == Some(0) {
            Verdict::LookAlike(LookAlike::ZeroWindowProbe, "next octet into a window of 0")
        } else if !segment.flags.psh() && receiver.window_closed() > sender.tail_sent() {
            // More waits behind it, and it did not go out when the window opened.
            Verdict::LookAlike(LookAlike::ZeroWindowProbe, "next octet, the window update was lost")
        } else {
            Verdict::Other
        };
    }
    let silent_so_far = sender.end().is_none() && quiet.is_some_and(|quiet| quiet >= SETTLED);
    if (sender.unanchored() || silent_so_far)
        && !acknowledges_recent_data(receiver, segment, ack_is_news, quiet)
    {
        return Verdict::Candidate;
    }
    Verdict::BareAck
}

/// Whether a segment acknowledges data that was captured just before: then it is an ordinary
/// acknowledgment, whose SEQ is SND.NXT. A probe comes only after a silence.
fn acknowledges_recent_data(
    receiver: View<'_>,
    segment: &Segment,
    ack_is_news: bool,
    quiet: Option<Span>,
) -> bool {
    ack_is_news
        && receiver.has_data()
        && receiver.end() == Some(receiver.position(segment.ack))
        && quiet.is_some_and(|quiet| quiet < SETTLED)
}

/// Whether a segment acknowledges less than its sender acknowledged before.
fn ack_goes_back(receiver: View<'_>, segment: &Segment) -> bool {
    segment.flags.ack() && receiver.acked().is_some_and(|acked| receiver.position(segment.ack) < acked)
}

/// SEQ = SND.NXT-1 and that octet was acknowledged: a probe, unless it is late.
fn below_next_acked(sender: View<'_>, receiver: View<'_>, segment: &Segment, quiet: Option<Span>) -> Verdict {
    if segment.len == 0 {
        if let Some(rule) = overtaken(sender, receiver, segment) {
            return Verdict::LookAlike(LookAlike::ReorderedAck, rule);
        }
        if receiver.window() == Some(0) || sender.probes_window() {
            return Verdict::AtZeroWindow;
        }
        return Verdict::Probe(Basis::Acknowledged);
    }
    if !sender.tail_is_captured() && quiet.is_some_and(|quiet| quiet < HARDLY_QUIET) {
        return Verdict::Other;
    }
    if repeats_lone_octet(sender, segment) && within_retransmission_limit(sender, receiver, segment) {
        return Verdict::LookAlike(
            LookAlike::RetransmittedOctet,
            "same lone octet and PSH again within a retransmission time-out",
        );
    }
    Verdict::Probe(Basis::Acknowledged)
}

/// SEQ = SND.NXT-1 and that octet was not acknowledged in the capture.
fn below_next_outstanding(
    sender: View<'_>,
    receiver: View<'_>,
    segment: &Segment,
    quiet: Option<Span>,
) -> Verdict {
    if segment.len == 1 {
        return if receiver.window() == Some(0) {
            Verdict::LookAlike(LookAlike::ZeroWindowProbe, "unacknowledged octet into a window of 0")
        } else if !receiver.is_seen() && !repeats_lone_octet(sender, segment) && !segment.flags.psh() {
            // Only one direction was captured; the last octet of a longer segment alone is no retransmission.
            Verdict::Probe(Basis::Outstanding)
        } else {
            Verdict::LookAlike(LookAlike::RetransmittedOctet, "the octet was not acknowledged")
        };
    }
    let settled = quiet.is_none_or(|quiet| quiet >= SETTLED);
    match overtaken(sender, receiver, segment) {
        Some(rule) => Verdict::LookAlike(LookAlike::ReorderedAck, rule),
        // The octet above it was never captured: it may be on its way still.
        None if !sender.tail_is_captured() && !settled => Verdict::Other,
        // lwIP probes at SND.NXT-1 with data in flight; or the acknowledgment was not captured.
        None => Verdict::Probe(Basis::Outstanding),
    }
}

/// A segment below SND.NXT-1: BSD-family stacks probe at SND.UNA-1 while data is in flight.
fn below_unacknowledged(
    sender: View<'_>,
    receiver: View<'_>,
    segment: &Segment,
    position: u64,
    quiet: Option<Span>,
) -> Verdict {
    let at_una = sender.may_be_una(position + 1);
    if !at_una || segment.len != 0 {
        return Verdict::Other;
    }
    if receiver.window() == Some(0) {
        return Verdict::LookAlike(LookAlike::ZeroWindowProbe, "window of 0 with data waiting");
    }
    let settled = sender.tail_sent().is_some_and(|sent| segment.time.since(sent) >= SETTLED);
    // What comes long after everything was overtaken by nothing: that its ACK goes back shows a segment before it
    // that acknowledged what was never sent, which anybody can forge.
    let late = quiet.is_none_or(|quiet| quiet < SETTLED) && ack_goes_back(receiver, segment);
    if sender.goes_back_in_time(segment) || late || !settled {
        return Verdict::LookAlike(LookAlike::ReorderedAck, "overtaken by data still in flight");
    }
    Verdict::Probe(Basis::Outstanding)
}

/// Whether an empty segment at SND.NXT-1 is an acknowledgment that a later segment overtook, and by what
/// sign. Such a segment had SEQ = SND.NXT when it was sent, so the octet above it was sent on its own (or is
/// a FIN); where it was part of a longer segment only a clock that goes back can tell.
fn overtaken(sender: View<'_>, receiver: View<'_>, segment: &Segment) -> Option<&'static str> {
    if sender.goes_back_in_time(segment) {
        return Some("its TSval lies before one already sent");
    }
    if !sender.tail_is_single() || sender.tail_probed() {
        return None;
    }
    // Only what was sent before that octet can have been overtaken by it.
    let settled = sender.tail_sent().is_none_or(|sent| segment.time.since(sent) >= SETTLED);
    if settled {
        return None;
    }
    if ack_goes_back(receiver, segment) {
        return Some("it acknowledges less than a segment before it");
    }
    // A TSval that moved on was written after the overtaking segment was.
    if sender.moves_on_in_time(segment) {
        return None;
    }
    Some("right behind a lone octet or FIN, whose SEQ it bears")
}

/// Whether a one-octet segment is what the last octet looked like when it was first sent, alone.
fn repeats_lone_octet(sender: View<'_>, segment: &Segment) -> bool {
    let same_octet = match (sender.tail_octet(), segment.first_octet) {
        (Some(sent), Some(now)) => sent == now,
        _ => true,
    };
    let same_push = sender.tail_psh() == segment.flags.psh();
    sender.tail_is_single() && sender.tail_is_octet() && same_octet && same_push
}

/// Whether a copy of a lone octet comes soon enough after the one before it to be a retransmission. Once a
/// probe was seen at that octet, the ones that follow it are probes as well.
fn within_retransmission_limit(sender: View<'_>, receiver: View<'_>, segment: &Segment) -> bool {
    // A window probe that was answered goes on if the answer was lost behind the capture.
    let limit = if sender.tail_psh() || sender.tail_probes_window() {
        PUSHED_RETRANSMISSION
    } else {
        let again = sender.gap().map_or(Span::ZERO, |gap| gap.times(5));
        again.max(round_trip(sender.side, receiver.side).times(8)).max(FIRST_RETRANSMISSION)
    };
    // Retransmissions back off; three gaps in a row that do not grow are those of a keepalive timer.
    let soon = sender.tail_sent().is_some_and(|sent| segment.time.since(sent) <= limit);
    !sender.tail_probed_with_octet() && !sender.is_steady(segment.time) && soon
}

/// The shortest round trip of the whole path: both sides' parts of it, wherever the capture was taken.
pub(super) fn round_trip(one: &Side, other: &Side) -> Span {
    let part = |side: &Side| side.longest_rtt().unwrap_or(Span::ZERO).as_nanos();
    Span::from_nanos(part(one).saturating_add(part(other)))
}
