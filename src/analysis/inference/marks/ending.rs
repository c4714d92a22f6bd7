//! Marks of how a prober gave up: after how many probes, when, and by what.

use super::probe::negotiated;
use super::{Mark, Worth, against};
use crate::analysis::inference::observe::Subject;
use crate::frame::FrameId;
use crate::stack::value::{GiveUp, GiveUpMoment, Reset, Role};
use crate::stack::{Stack, Status};
use crate::time::{Span, Timestamp};
use crate::track::event::ResetMarks;

/// A prober that sends nothing for so many of its intervals has stopped.
const STOPPED: i64 = 3;

/// A RST one interval after the last probe is off by less than this share of it, in percent.
const IN_STEP: i64 = 15;

/// The marks of the end of one side, if it gave up or fell silent.
pub(super) fn marks(
    subject: &Subject<'_>,
    reset: Option<ResetMarks>,
    given_up_after: Option<u32>,
) -> Vec<Mark> {
    let Some((_, at)) = subject.summary.reset.filter(|_| subject.gave_up()) else {
        return stopped(subject).into_iter().collect();
    };
    let frame = at.frame;
    let mut found = vec![sent(frame)];
    found.extend(given_up_after.map(|count| counted(count, subject, frame)));
    found.extend(moment(subject, at.time, frame));
    if let Some(marks) = reset {
        found.push(flags(marks, frame));
        found.extend(marks.seq_offset.map(|offset| sequence(offset, frame)));
        found.extend(timestamps(subject, marks, frame));
    }
    found
}

/// It reset the connection when it gave up.
fn sent(frame: FrameId) -> Mark {
    Mark::new("give_up", "by a RST", [frame], |stack| {
        if matches!(stack.giving_up.rule.trusted(), Some(GiveUp::Never | GiveUp::ReportsOnly)) {
            return Some(Worth::Refutes);
        }
        against(stack.giving_up.reset, |reset| reset != Reset::Nothing, Worth::Refutes)
    })
}

/// It stopped, and no RST came: it went away, or it is one of the few that send none.
fn stopped(subject: &Subject<'_>) -> Option<Mark> {
    let tail = subject.prober.unanswered_tail();
    let [.., before, last] = tail else { return None };
    let summary = subject.summary;
    let own = summary.side(subject.party);
    let interval = last.segment.at.time.since(before.segment.at.time);
    let quiet = summary.seen_until.since(last.segment.at.time);
    let is_last = own.last.is_some_and(|mark| mark.frame == last.segment.at.frame);
    let long = interval > Span::ZERO && quiet > interval.times(STOPPED);
    if !(is_last && long && summary.reset.is_none()) {
        return None;
    }
    let seen = format!("no RST, and no probe in the {} intervals after the last", STOPPED);
    Some(Mark::new("give_up", seen, [last.segment.at.frame], |stack| {
        // Whatever it runs, a host that is switched off sends nothing.
        let rule = stack.giving_up.rule.trusted();
        if matches!(rule, Some(GiveUp::Never | GiveUp::ReportsOnly | GiveUp::UserTimeoutOnly)) {
            return Some(Worth::Doubtful);
        }
        against(stack.giving_up.reset, |reset| reset == Reset::Nothing, Worth::Doubtful)
            .map(|worth| if worth == Worth::Unlikely { Worth::Doubtful } else { worth })
    }))
}

/// Whether the number of probes is one that can be set, or the one that cannot.
fn counted(count: u32, subject: &Subject<'_>, frame: FrameId) -> Mark {
    let seen = format!("after {count} unanswered probe{}", if count == 1 { "" } else { "s" });
    let last = subject.prober.probes.last().map(|probe| probe.segment.at.frame);
    Mark::new("count", seen, last.into_iter().chain([frame]), |stack: &Stack| {
        let default = stack.timing.count.value.and_then(|amount| amount.get())?;
        if default == count {
            return Some(Worth::Supports);
        }
        let fixed = stack.option(Role::Count).is_none() && stack.options.status != Status::Unverified;
        let counts =
            matches!(stack.giving_up.rule.value, Some(GiveUp::Counted { .. } | GiveUp::Elapsed { .. }));
        (fixed && counts).then_some(Worth::Unlikely)
    })
}

/// How long after its last probe it gave up, where its interval is known.
fn moment(subject: &Subject<'_>, at: Timestamp, frame: FrameId) -> Option<Mark> {
    let [.., before, last] = subject.prober.probes.as_slice() else { return None };
    if !(subject.is_last_run(before) && subject.is_last_run(last)) {
        return None;
    }
    let interval = last.segment.at.time.since(before.segment.at.time).as_nanos();
    let wait = at.since(last.segment.at.time).as_nanos();
    let off = (wait - interval).saturating_abs().saturating_mul(100);
    let in_step = off <= interval.saturating_mul(IN_STEP);
    let seen = if in_step { "one interval after its last probe" } else { "not in step with its probes" };
    Some(Mark::new("give_up_moment", seen, [last.segment.at.frame, frame], |stack| {
        let fits = |moment: GiveUpMoment| match moment {
            GiveUpMoment::IntervalAfterLastProbe => in_step,
            GiveUpMoment::Never => false,
            GiveUpMoment::FirstFiringPastLimit | GiveUpMoment::UserTimeout => true,
        };
        // Its timer may fire late.
        against(stack.giving_up.moment, fits, Worth::Doubtful)
    }))
}

fn flags(marks: ResetMarks, frame: FrameId) -> Mark {
    let seen = if marks.ack { "RST|ACK" } else { "RST" };
    Mark::new("reset_flags", seen, [frame], |stack| {
        let fits = |reset: Reset| marks.ack == matches!(reset, Reset::RstAck { .. });
        against(stack.giving_up.reset, fits, Worth::Unlikely)
    })
}

fn sequence(offset: i64, frame: FrameId) -> Mark {
    let seen = match offset {
        0 => "SND.NXT".to_owned(),
        offset => format!("SND.NXT{offset:+}"),
    };
    Mark::new("reset_seq", seen, [frame], |stack| match stack.giving_up.reset.trusted()? {
        Reset::RstAck { seq: Some(_), .. } if offset == 0 => Some(Worth::Supports),
        // SND.NXT may be above what was captured, and Linux stays within a window that shrank.
        Reset::RstAck { seq: Some(_), .. } => Some(Worth::Doubtful),
        _ => None,
    })
}

/// Timestamps on the RST where they were negotiated.
fn timestamps(subject: &Subject<'_>, marks: ResetMarks, frame: FrameId) -> Option<Mark> {
    negotiated(subject)?;
    let seen = if marks.timestamps { "carried" } else { "missing, though negotiated" };
    Some(Mark::new("reset_timestamps", seen, [frame], |stack| {
        let Reset::RstAck { timestamps: Some(sends), .. } = stack.giving_up.reset.trusted()? else {
            return None;
        };
        Some(if sends == marks.timestamps { Worth::Supports } else { Worth::Unlikely })
    }))
}
