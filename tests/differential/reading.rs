//! What we read of a file, and whether capinfos says the same.

use std::path::Path;

use keepscope::capture::{Captures, Problem, ProblemKind};

use crate::mend::Reason;
use crate::reference::{Time, Told};

/// A packet as we read it.
#[derive(Clone, Debug)]
pub struct Frame {
    pub number: u64,
    pub nanos: i64,
    pub wire_len: u32,
    pub captured: usize,
}

impl Frame {
    pub fn sizes(&self) -> (u32, usize) {
        (self.wire_len, self.captured)
    }
}

/// What we read of a file.
#[derive(Debug)]
pub struct Ours {
    pub frames: Vec<Frame>,
    pub problems: Vec<Problem>,
}

impl Ours {
    pub fn read(path: &Path) -> Self {
        let mut captures = Captures::open(&[path]).expect("one path");
        let mut frames = Vec::new();
        while let Some(frame) = captures.next_frame() {
            frames.push(Frame {
                number: frame.id.number,
                nanos: frame.time.as_nanos(),
                wire_len: frame.wire_len,
                captured: frame.data.len(),
            });
        }
        Self { frames, problems: captures.problems().cloned().collect() }
    }

    pub fn problem(&self, kind: ProblemKind) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.kind == kind)
    }

    /// The sum of the lengths on the wire.
    pub fn octets(&self) -> u64 {
        self.frames.iter().map(|frame| u64::from(frame.wire_len)).sum()
    }

    /// The earliest and the latest time by an order.
    fn bounds(&self, before: impl Fn(i64, i64) -> bool) -> Option<(i64, i64)> {
        let mut times = self.frames.iter().map(|frame| frame.nanos);
        let first = times.next()?;
        Some(times.fold((first, first), |(low, high), time| {
            (if before(time, low) { time } else { low }, if before(high, time) { time } else { high })
        }))
    }

    /// Whether capinfos says the same, and if so, with what reservations; `None` if not.
    pub fn agrees(&self, told: &Told) -> Option<Vec<Reason>> {
        if self.is_no_capture() && !told.is_capture() {
            let seen = if told.kind.is_empty() { vec![] } else { vec![Reason::OtherFormat] };
            return Some(seen);
        }
        if self.frames.is_empty() && !told.is_opened() {
            return (told.read == 0).then(Vec::new);
        }
        if told.packets != self.frames.len() as u64 || told.octets != self.octets() {
            return None;
        }
        let mut reasons = Vec::new();
        let exact = self.bounds(|one, other| one < other);
        let short = self.bounds(|one, other| seconds_differ(one, other) < 0);
        let bounds = if told.times.is_some() && exact != short {
            reasons.push(Reason::FarApart);
            short
        } else {
            exact
        };
        match (bounds, told.times) {
            (None, None) => Some(reasons),
            (Some((first, last)), Some((low, high))) => {
                let same = |ours: i64, theirs: Time| theirs.is(ours);
                if !(same(first, low) && same(last, high)) {
                    return None;
                }
                if low.nanos != i128::from(first) || high.nanos != i128::from(last) {
                    reasons.push(Reason::Digits);
                }
                Some(reasons)
            }
            _ => None,
        }
    }

    /// Whether not even the first header of a capture is there.
    fn is_no_capture(&self) -> bool {
        let at_start = |problem: &Problem| problem.offset.unwrap_or(0) == 0 && problem.is_damage();
        self.frames.is_empty() && self.problems.iter().any(at_start)
    }
}

/// The difference of two times as `nstime_cmp` of Wireshark 4.0 has it, which cuts that of the seconds to 32
/// bits.
fn seconds_differ(one: i64, other: i64) -> i64 {
    let parts = |nanos: i64| (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let ((one, one_part), (other, other_part)) = (parts(one), parts(other));
    if one == other { one_part - other_part } else { i64::from((one - other) as i32) }
}
