//! What may mislead whoever reads a connection: named, with the frames that show it.
//!
//! Only what a capture can show. Uses the probes of both sides and the totals.

use super::prober::{ProbeRecord, ProberRecord};
use crate::frame::FrameId;
use crate::time::Span;
use crate::track::event::{Basis, Mark, Party, ResetMarks, Start, Summary};

/// Linux answers at most one empty probe per connection in this time (`tcp_invalid_ratelimit`).
const ANSWER_LIMIT_OF_LINUX: Span = Span::from_millis(500);

/// An end after this much silence was prompted by no segment, but by a timer.
const UNPROMPTED: Span = Span::from_secs(1);

/// What may mislead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Probes without an answer came less than 500 ms after another: Linux answers no more often, so that is
    /// no loss.
    RateLimitedAnswers,
    /// Both ends probe, so neither is ever idle for longer than the shorter of their settings; how long the
    /// path would keep it does not show.
    BothProbe,
    /// A probe left while octets were in flight.
    ProbeWithDataInFlight,
    /// Only one direction was captured.
    OneDirection,
    /// Packets were captured more than once; times are those of the first copy.
    Copies,
    /// The beginning was not captured, so which end is the client is a guess by ports.
    StartNotCaptured,
    /// It ended by a RST or FIN after a silence, with nothing that prompted it: a timer of that end or of a
    /// box, such as a proxy's idle timeout, and no failed keepalive.
    UnpromptedEnd,
    /// Octets were acknowledged that are not in the capture: it left out packets, and may have left out others.
    PacketsMissing,
    /// A RST had no effect, since its SEQ lies outside of the window or both ends went on: forged, of an
    /// earlier life of the connection, or by a box that neither end heeded.
    ResetWithoutEffect,
    /// ICMP errors came for probes: something on the path refuses them, which tells nothing of the peer.
    RefusedByPath,
}

impl Kind {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::RateLimitedAnswers => "rate_limited_answers",
            Kind::BothProbe => "both_probe",
            Kind::ProbeWithDataInFlight => "probe_with_data_in_flight",
            Kind::OneDirection => "one_direction",
            Kind::Copies => "copies",
            Kind::StartNotCaptured => "start_not_captured",
            Kind::UnpromptedEnd => "unprompted_end",
            Kind::PacketsMissing => "packets_missing",
            Kind::ResetWithoutEffect => "reset_without_effect",
            Kind::RefusedByPath => "refused_by_path",
        }
    }

    /// What it means, for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Kind::RateLimitedAnswers => "probes under 500 ms apart: Linux answers no more often, so no loss",
            Kind::BothProbe => "both ends probe, so the path never saw a longer silence",
            Kind::ProbeWithDataInFlight => "a probe left while octets were in flight",
            Kind::OneDirection => "only one direction was captured",
            Kind::Copies => "packets were captured more than once; times are those of the first copy",
            Kind::StartNotCaptured => "which end is the client is a guess by ports",
            Kind::UnpromptedEnd => "nothing prompted its end: a timer of that end or of a box on the way",
            Kind::PacketsMissing => {
                "the capture left out packets: octets were acknowledged that it does not have"
            }
            Kind::ResetWithoutEffect => {
                "a RST had no effect: outside of the window (RFC 5961), or both ends went on; it may be forged"
            }
            Kind::RefusedByPath => "ICMP errors come from the path and tell nothing of the peer",
        }
    }
}

/// One of them, with the frames that show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confounder {
    /// Which.
    pub kind: Kind,
    /// The frames, in order; none where it is about the whole connection.
    pub frames: Vec<FrameId>,
}

/// How the connection ended.
pub(super) struct Ends {
    /// The RST and what its packet shows.
    pub(super) reset: Option<((Party, Mark), ResetMarks)>,
    /// The first FIN and the silence before it.
    pub(super) quiet_fin: Option<(Mark, Span)>,
    /// RSTs that had no effect.
    pub(super) without_effect: Vec<FrameId>,
}

/// Finds them all.
pub(super) fn find(
    client: &ProberRecord,
    server: &ProberRecord,
    summary: &Summary,
    ends: Ends,
) -> Vec<Confounder> {
    let probes = || client.probes.iter().chain(&server.probes);
    if probes().next().is_none() {
        return Vec::new();
    }
    let frames = |wanted: &dyn Fn(&ProbeRecord) -> bool| -> Vec<FrameId> {
        let mut frames: Vec<FrameId> =
            probes().filter(|probe| wanted(probe)).map(|probe| probe.segment.at.frame).collect();
        frames.sort_unstable();
        frames
    };
    let mut found = Vec::new();
    let mut add = |kind, frames: Vec<FrameId>| found.push(Confounder { kind, frames });
    let limited: Vec<FrameId> = [client, server].into_iter().flat_map(too_soon).collect();
    if !limited.is_empty() {
        add(Kind::RateLimitedAnswers, limited);
    }
    if !client.probes.is_empty() && !server.probes.is_empty() {
        add(Kind::BothProbe, Vec::new());
    }
    let in_flight = frames(&|probe| probe.basis == Basis::Outstanding);
    let one_direction = summary.client.segments == 0 || summary.server.segments == 0;
    if one_direction {
        add(Kind::OneDirection, Vec::new());
    } else if !in_flight.is_empty() {
        add(Kind::ProbeWithDataInFlight, in_flight);
    }
    if summary.duplicates > 0 {
        add(Kind::Copies, Vec::new());
    }
    if summary.opened.start == Start::Midstream {
        add(Kind::StartNotCaptured, Vec::new());
    }
    if !one_direction && (summary.client.octets_missing || summary.server.octets_missing) {
        add(Kind::PacketsMissing, Vec::new());
    }
    if !ends.without_effect.is_empty() {
        add(Kind::ResetWithoutEffect, ends.without_effect.clone());
    }
    let refused = frames(&|probe| probe.answer.is_some() && !probe.is_answered_by_peer());
    if !refused.is_empty() {
        add(Kind::RefusedByPath, refused);
    }
    if let Some(frame) = unprompted(client, server, ends) {
        add(Kind::UnpromptedEnd, vec![frame]);
    }
    found
}

/// Empty probes without an answer that were sent too soon after one before them.
fn too_soon(prober: &ProberRecord) -> Vec<FrameId> {
    let pairs = prober.probes.iter().zip(prober.probes.iter().skip(1));
    pairs
        .filter(|(before, probe)| {
            let gap = probe.segment.at.time.since(before.segment.at.time);
            probe.answer.is_none() && probe.segment.octets == 0 && gap < ANSWER_LIMIT_OF_LINUX
        })
        .map(|(_, probe)| probe.segment.at.frame)
        .collect()
}

/// A RST or FIN that followed nothing. The RST of a prober that gives up follows its own probes.
fn unprompted(client: &ProberRecord, server: &ProberRecord, ends: Ends) -> Option<FrameId> {
    if let Some(((by, at), marks)) = ends.reset {
        let own = if by == Party::Client { client } else { server };
        let gave_up = !own.unanswered_tail().is_empty();
        let late = marks.prompted.is_some_and(|wait| wait >= UNPROMPTED);
        return (late && !gave_up).then_some(at.frame);
    }
    let (at, quiet) = ends.quiet_fin?;
    (quiet >= UNPROMPTED).then_some(at.frame)
}
