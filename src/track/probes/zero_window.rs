//! Empty segments into a closed window: window probes or keepalives.
//!
//! Part of [`Probes`]; owns the judgment of their gaps.

use super::{Log, Probes};
use crate::time::{Span, Timestamp};
use crate::track::classify::SETTLED;
use crate::track::event::{EventKind, LookAlike, Mark, Party};

/// Gap from which window probes are at their cap and no longer double (Linux TCP_RTO_MAX is 120 s, BSD's
/// persist timer stops at 60 s).
const WINDOW_PROBE_CAP: Span = Span::from_secs(50);

/// Two silences are the same if they differ by no more than this part of them.
const SAME_SILENCE: u64 = 50;

/// Probes sent while the receiver's window is closed.
#[derive(Debug, Default)]
pub(super) struct ZeroWindow {
    /// When the window closed: a new time is a new episode.
    closed: Option<Timestamp>,
    last: Option<Timestamp>,
    gap: Option<Span>,
    /// How long before the last of them its sender had heard something.
    silence: Option<Span>,
    waiting: bool,
    /// Those that were called keepalives.
    called: Vec<u32>,
}

/// When an empty segment into a window came that is closed, or was.
#[derive(Clone, Copy, Debug)]
pub(in crate::track) struct IntoWindow {
    /// When the window closed.
    pub(in crate::track) closed: Option<Timestamp>,
    /// A window update was captured since; its receiver may not have got it.
    pub(in crate::track) open: bool,
    /// Time since the last segment either way.
    pub(in crate::track) quiet: Span,
    /// Time since the last segment that its sender received.
    pub(in crate::track) silence: Option<Span>,
    /// The round trip of the path.
    pub(in crate::track) rtt: Span,
}

impl Probes {
    /// Judges an empty segment at SND.NXT-1 while the receiver's window is closed: true if data waits (a
    /// window probe), false for a keepalive.
    ///
    /// Window probes begin one retransmission time-out after the window closed and their gaps double up to a
    /// cap (RFC 9293 §3.8.6.1; Linux, measured: 0.42, 0.83, 1.66, 3.46 s); keepalives begin after at least a
    /// second and keep their gaps. Behind a window update, one that comes as long after it as the one before
    /// came after what its sender had heard is a keepalive: nothing that is heard puts off a window probe.
    pub(in crate::track) fn at_zero_window(
        &mut self,
        party: Party,
        now: Mark,
        seen: IntoWindow,
        log: &mut Log,
    ) -> bool {
        let IntoWindow { closed, open, quiet, silence, rtt } = seen;
        let zero = self.waiting(party).zero_window.get_or_insert_default();
        if zero.closed != closed {
            **zero = ZeroWindow { closed, ..ZeroWindow::default() };
        }
        // The first gap is seen with part of a round trip in it.
        let first = Span::from_nanos(quiet.as_nanos() - rtt.as_nanos());
        let gap = zero.last.map_or(first, |last| now.time.since(last));
        let soon = gap < SETTLED.max(rtt.times(4));
        let grew = |least: i64, most: i64| {
            zero.gap.is_some_and(|before| {
                gap.times(100) >= before.times(least) && gap.times(100) <= before.times(most)
            })
        };
        let doubled = grew(160, 250);
        // One of them may be missing from the capture, so only a gap that repeats ends a row of them.
        let goes_on = zero.waiting && !grew(80, 125);
        let capped = zero.waiting && zero.gap.is_some_and(|before| before >= WINDOW_PROBE_CAP);
        let same_silence = silence.zip(zero.silence).is_some_and(|(now, before)| {
            let apart = now.as_nanos().abs_diff(before.as_nanos());
            apart <= before.as_nanos().unsigned_abs() / SAME_SILENCE && now >= SETTLED
        });
        let put_off = open && same_silence && gap.times(100) > silence.unwrap_or(gap).times(130) && !capped;
        zero.silence = silence;
        zero.waiting = (soon || doubled || goes_on || capped) && !put_off;
        zero.last = Some(now.time);
        zero.gap = Some(gap);
        let waiting = zero.waiting;
        if waiting {
            self.retract_at_zero_window(party, now, log);
        }
        waiting
    }

    /// Remembers that a segment into a closed window was called a keepalive.
    pub(in crate::track) fn called_probe_at_zero_window(&mut self, party: Party, probe: u32) {
        self.waiting(party).zero_window.get_or_insert_default().called.push(probe);
    }

    /// The window is open again and the prober sent data: right away, if data had waited. Returns how many
    /// probes were retracted.
    pub(in crate::track) fn window_reopened(
        &mut self,
        party: Party,
        soon: bool,
        evidence: Mark,
        log: &mut Log,
    ) -> u32 {
        if soon {
            return self.retract_at_zero_window(party, evidence, log);
        }
        if let Some(zero) = self.waiting(party).zero_window.as_mut() {
            zero.called.clear();
        }
        0
    }

    pub(super) fn retract_at_zero_window(&mut self, party: Party, evidence: Mark, log: &mut Log) -> u32 {
        let Some(zero) = self.waiting(party).zero_window.as_mut() else { return 0 };
        let called = std::mem::take(&mut zero.called);
        for &probe in &called {
            let waiting = self.waiting(party);
            waiting.pending.retain(|pending| pending.event != probe);
            if let Some(hopeless) = &mut waiting.hopeless {
                hopeless.0.retain(|event| *event != probe);
            }
            self.emit(log, EventKind::Retracted { probe, kind: LookAlike::ZeroWindowProbe, evidence });
        }
        u32::try_from(called.len()).unwrap_or(u32::MAX)
    }
}
