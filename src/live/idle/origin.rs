//! Who ended a connection: the far end, or something on the way.
//!
//! Owns the judgement of a RST, a FIN or an ICMP error against what the peer's packets looked like before. Pure. The
//! rules are those by which captures are judged (`analysis::reset`): another TTL is another sender; what
//! comes sooner than the peer can answer comes from nearer; where the two disagree, nobody knows.

use std::net::IpAddr;

use super::trace::Baseline;
use crate::search::{Cue, Origin};
use crate::segment::{IcmpError, Segment};
use crate::time::Span;

/// A packet from nearer must come sooner by this much: round trips on one link differ by less.
const NEARER_BY: Span = Span::from_millis(1);

/// Judges a RST or a FIN; `delay` is how long it came after the packet that prompted it, if one did.
pub(super) fn of_segment(segment: &Segment, baseline: Option<Baseline>, delay: Option<Span>) -> Origin {
    let Some(baseline) = baseline else { return Origin::Unknown };
    let (low, high) = baseline.ttl;
    // A host without the connection has no timestamps to send either, so a RST without them tells nothing by itself.
    let cue = Cue {
        ttl: Some(segment.ttl),
        usual_ttl: Some(low),
        delay,
        usual_delay: baseline.round_trip,
        without_timestamps: baseline.timestamps && segment.options.timestamps.is_none(),
        other_address: false,
    };
    let hops_differ = !(low..=high).contains(&segment.ttl);
    let sooner = delay
        .zip(baseline.round_trip)
        .is_some_and(|(delay, usual)| delay.times(2) < usual && delay.plus(NEARER_BY) < usual);
    match (hops_differ, sooner) {
        (true, _) => Origin::Path(cue),
        (false, true) => Origin::Unknown,
        (false, false) => Origin::Peer(cue),
    }
}

/// Judges an ICMP error.
pub(super) fn of_icmp(error: &IcmpError, peer: IpAddr, delay: Option<Span>) -> Origin {
    let other_address = error.reporter != peer;
    let cue = Cue { ttl: Some(error.ttl), delay, other_address, ..Cue::default() };
    if other_address { Origin::Path(cue) } else { Origin::Peer(cue) }
}
