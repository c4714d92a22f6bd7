//! What was wrong or odd in a capture, as data.
//!
//! Owns [`Problem`], [`ProblemKind`] and the log that every reader writes to. Uses [`crate::printable`] and
//! [`crate::time`] only.

use std::fmt;
use std::sync::Arc;

use crate::printable::printable;
use crate::time::{Span, Timestamp};

/// What kind of thing a [`Problem`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// There is no such file.
    NotFound,
    /// The file may not be read.
    NoPermission,
    /// The path is a directory.
    IsDirectory,
    /// The file could not be opened for another reason.
    OpenFailed,
    /// The capture has no octets at all.
    Empty,
    /// The content is no capture this crate reads.
    NotACapture,
    /// The capture ends in the middle of a record, a block or the compressed data.
    CutOff,
    /// A record or block claims a length that cannot be; nothing after it can be found.
    ImpossibleLength,
    /// From here on there are only zeros where records should be.
    ZeroFilled,
    /// A pcapng section header that cannot be read; nothing after it can be understood.
    BadSectionHeader,
    /// A block of sane length with impossible content; it was skipped.
    BadRecord,
    /// A block whose length at its end differs from the one at its start; the one at its start was believed.
    TrailerMismatch,
    /// Reading failed in mid-stream.
    ReadFailed,
    /// The compressed data is damaged.
    DecompressionFailed,
    /// Packets that are older than the packet before them.
    TimeGoesBack,
    /// A time that does not fit 64-bit nanoseconds since 1970; the nearest one that fits was used.
    TimeOutOfRange,
    /// A fraction of a second that is a whole second or more; it was carried into the seconds.
    FractionCarried,
    /// A packet block without a time; the time of the packet before it was used.
    NoTimestamp,
    /// A packet that is said to be shorter on the wire than what was captured of it.
    LengthBelowCaptured,
    /// A packet on a pcapng interface that nothing declares, so that its link type is not known.
    UndeclaredInterface,
    /// More interfaces in a section than are kept; the rest counts as undeclared.
    TooManyInterfaces,
    /// A pcapng block whose length is no multiple of four; it was rounded up.
    UnalignedBlock,
    /// A format version this crate does not know; it was read as the known one.
    UnknownVersion,
}

impl ProblemKind {
    /// A stable name in snake case.
    pub const fn name(self) -> &'static str {
        match self {
            ProblemKind::NotFound => "not_found",
            ProblemKind::NoPermission => "no_permission",
            ProblemKind::IsDirectory => "is_directory",
            ProblemKind::OpenFailed => "open_failed",
            ProblemKind::Empty => "empty",
            ProblemKind::NotACapture => "not_a_capture",
            ProblemKind::CutOff => "cut_off",
            ProblemKind::ImpossibleLength => "impossible_length",
            ProblemKind::ZeroFilled => "zero_filled",
            ProblemKind::BadSectionHeader => "bad_section_header",
            ProblemKind::BadRecord => "bad_record",
            ProblemKind::TrailerMismatch => "trailer_mismatch",
            ProblemKind::ReadFailed => "read_failed",
            ProblemKind::DecompressionFailed => "decompression_failed",
            ProblemKind::TimeGoesBack => "time_goes_back",
            ProblemKind::TimeOutOfRange => "time_out_of_range",
            ProblemKind::FractionCarried => "fraction_carried",
            ProblemKind::NoTimestamp => "no_timestamp",
            ProblemKind::LengthBelowCaptured => "length_below_captured",
            ProblemKind::UndeclaredInterface => "undeclared_interface",
            ProblemKind::TooManyInterfaces => "too_many_interfaces",
            ProblemKind::UnalignedBlock => "unaligned_block",
            ProblemKind::UnknownVersion => "unknown_version",
        }
    }

    /// Whether something is missing or untrustworthy because of it; the others are notes.
    pub const fn is_damage(self) -> bool {
        !matches!(
            self,
            ProblemKind::TimeGoesBack
                | ProblemKind::TimeOutOfRange
                | ProblemKind::FractionCarried
                | ProblemKind::NoTimestamp
                | ProblemKind::LengthBelowCaptured
                | ProblemKind::UndeclaredInterface
                | ProblemKind::TooManyInterfaces
                | ProblemKind::UnalignedBlock
                | ProblemKind::UnknownVersion
        )
    }

    /// What the user can do about it; empty where `detail` already says it.
    const fn advice(self) -> &'static str {
        match self {
            ProblemKind::NotFound => "check the path",
            ProblemKind::NoPermission => "allow this user to read it",
            ProblemKind::IsDirectory => "name the capture files in it",
            ProblemKind::OpenFailed => "check the path and the file system",
            ProblemKind::Empty => "check that the capture was written, and where to",
            ProblemKind::CutOff => {
                "what was complete is used; copy the file again, or stop the capture before reading it"
            }
            ProblemKind::ImpossibleLength | ProblemKind::BadSectionHeader => {
                "what came before is used, nothing after it was read; copy the file again if you can"
            }
            ProblemKind::ZeroFilled => {
                "what came before is used; the disk was full or the host crashed while writing, so capture again"
            }
            ProblemKind::BadRecord => "it was skipped and reading went on; treat gaps near it with care",
            ProblemKind::TrailerMismatch => {
                "the packet was used and reading went on; treat what is near it with care"
            }
            ProblemKind::ReadFailed => "what came before is used; check the disk or the network share",
            ProblemKind::DecompressionFailed => {
                "what came before is used; test the file with `gzip -t`, `zstd -t` or `xz -t` and copy it again"
            }
            ProblemKind::TimeGoesBack => {
                "intervals across such a step are wrong; sort with `reordercap` if order was lost, not the clock set"
            }
            ProblemKind::TimeOutOfRange => {
                "intervals around it are wrong; check the clock of the capturing host"
            }
            ProblemKind::NoTimestamp => {
                "intervals around it cannot be measured; capture with a tool that records time"
            }
            ProblemKind::UndeclaredInterface | ProblemKind::TooManyInterfaces => {
                "such packets are counted, not read"
            }
            ProblemKind::FractionCarried
            | ProblemKind::LengthBelowCaptured
            | ProblemKind::UnalignedBlock
            | ProblemKind::UnknownVersion => "read all the same; suspect the program that wrote the file",
            ProblemKind::NotACapture => "",
        }
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One kind of thing that was wrong or odd in one capture, with the place where it was first seen.
///
/// Repetitions of the same kind in the same capture are counted, not listed, so that a file of a million bad
/// records makes one line. `Display` writes one line: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Index of the capture in the order it was given, from 0.
    pub capture: u32,
    /// The capture's path as given, without control characters.
    pub name: Arc<str>,
    /// What kind of thing.
    pub kind: ProblemKind,
    /// Number of the packet concerned, from 1; for a capture that ends early, of the one that is not there.
    pub packet: Option<u64>,
    /// Offset in octets from the start of the capture.
    pub offset: Option<u64>,
    /// The capture is compressed, and `offset` counts octets of the decompressed stream.
    pub decompressed: bool,
    /// How often this kind was seen in this capture.
    pub count: u64,
    /// What exactly, the first time it was seen.
    pub detail: String,
}

impl Problem {
    /// Whether something is missing or untrustworthy because of it.
    pub const fn is_damage(&self) -> bool {
        self.kind.is_damage()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        if let Some(packet) = self.packet {
            write!(f, "packet {packet}: ")?;
        }
        if let Some(offset) = self.offset {
            let base = if self.decompressed { " of the decompressed stream" } else { "" };
            write!(f, "octet {offset}{base}: ")?;
        }
        f.write_str(&self.detail)?;
        // The count of steps back in time is part of the detail.
        if self.count > 1 && self.kind != ProblemKind::TimeGoesBack {
            write!(f, " (seen {} times, first here)", self.count)?;
        }
        match self.kind.advice() {
            "" => Ok(()),
            advice => write!(f, "; {advice}"),
        }
    }
}

/// Where in a capture something is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) packet: Option<u64>,
    pub(super) offset: Option<u64>,
}

impl Place {
    pub(super) fn packet(number: u64, offset: u64) -> Self {
        Self { packet: Some(number), offset: Some(offset) }
    }

    pub(super) fn offset(offset: u64) -> Self {
        Self { packet: None, offset: Some(offset) }
    }
}

/// Steps back in time, gathered until the capture ends.
#[derive(Debug)]
struct StepsBack {
    count: u64,
    first: u64,
    largest: Span,
    at: u64,
}

/// The problems of one capture so far.
#[derive(Debug)]
pub(super) struct Log {
    capture: u32,
    name: Arc<str>,
    decompressed: bool,
    problems: Vec<Problem>,
    previous: Timestamp,
    steps: Option<StepsBack>,
}

impl Log {
    pub(super) fn new(capture: u32, name: &str) -> Self {
        let name = printable(name, '\u{fffd}');
        Self {
            capture,
            name: name.into(),
            decompressed: false,
            problems: Vec::new(),
            previous: Timestamp::from_nanos(i64::MIN),
            steps: None,
        }
    }

    /// A log for a look at the capture that is forgotten afterwards.
    pub(super) fn scratch(&self) -> Self {
        Self::new(self.capture, &self.name)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether a problem of this kind was recorded.
    pub(super) fn has(&self, kind: ProblemKind) -> bool {
        self.problems.iter().any(|problem| problem.kind == kind)
    }

    /// From now on offsets count octets of the decompressed stream.
    pub(super) fn set_decompressed(&mut self) {
        self.decompressed = true;
    }

    pub(super) fn is_decompressed(&self) -> bool {
        self.decompressed
    }

    /// Records one problem; `detail` is only asked for the first of its kind.
    #[cold]
    pub(super) fn report(&mut self, kind: ProblemKind, place: Place, detail: impl FnOnce() -> String) {
        if let Some(seen) = self.problems.iter_mut().find(|problem| problem.kind == kind) {
            seen.count = seen.count.saturating_add(1);
            return;
        }
        // Messages of the operating system and of libraries end up here: keep the promise of one line.
        let detail = printable(&detail(), ' ').into_owned();
        self.problems.push(Problem {
            capture: self.capture,
            name: Arc::clone(&self.name),
            kind,
            packet: place.packet,
            offset: place.offset,
            decompressed: self.decompressed && place.offset.is_some(),
            count: 1,
            detail,
        });
    }

    /// Takes note of a packet's time.
    #[inline]
    pub(super) fn see_time(&mut self, time: Timestamp, number: u64) {
        if time < self.previous {
            self.step_back(self.previous.since(time), number);
        }
        self.previous = time;
    }

    /// The time of the packet before, for packets that have none.
    pub(super) fn previous_time(&self) -> Option<Timestamp> {
        (self.previous.as_nanos() != i64::MIN).then_some(self.previous)
    }

    #[cold]
    fn step_back(&mut self, step: Span, number: u64) {
        let steps =
            self.steps.get_or_insert(StepsBack { count: 0, first: number, largest: Span::ZERO, at: number });
        steps.count = steps.count.saturating_add(1);
        if step > steps.largest {
            steps.largest = step;
            steps.at = number;
        }
    }

    /// The capture has ended: what could only be told then is told now.
    pub(super) fn finish(&mut self) {
        let Some(steps) = self.steps.take() else { return };
        let place = Place { packet: Some(steps.first), offset: None };
        self.report(ProblemKind::TimeGoesBack, place, || {
            let times = if steps.count == 1 { "once".to_owned() } else { format!("{} times", steps.count) };
            format!(
                "time goes back {times}, first at this packet, most by {} s at packet {}",
                steps.largest, steps.at
            )
        });
        if let Some(problem) = self.problems.last_mut() {
            problem.count = steps.count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_of_a_kind_are_one_problem() {
        let mut log = Log::new(3, "a\nb.pcap");
        for number in 5..8 {
            log.report(ProblemKind::BadRecord, Place::packet(number, 100), || format!("bad {number}"));
        }
        assert_eq!(log.problems().len(), 1);
        let problem = &log.problems()[0];
        assert_eq!((problem.capture, problem.packet, problem.count), (3, Some(5), 3));
        let line = problem.to_string();
        assert!(
            line.starts_with("a\u{fffd}b.pcap: packet 5: octet 100: bad 5 (seen 3 times, first here); "),
            "{line}"
        );
        assert!(!line.contains('\n'));
    }

    #[test]
    fn steps_back_are_told_once_at_the_end() {
        let mut log = Log::new(0, "x");
        for (number, nanos) in [(1, 100), (2, 90), (3, 120), (4, 70), (5, 80)] {
            log.see_time(Timestamp::from_nanos(nanos), number);
        }
        assert!(log.problems().is_empty());
        log.finish();
        log.finish();
        assert_eq!(log.problems().len(), 1);
        let problem = &log.problems()[0];
        assert_eq!((problem.kind, problem.packet, problem.count), (ProblemKind::TimeGoesBack, Some(2), 2));
        assert!(problem.detail.contains("2 times"), "{}", problem.detail);
        assert!(problem.detail.contains("0.000000050 s at packet 4"), "{}", problem.detail);
        assert!(!problem.is_damage());
    }
}
