//! Two runs of the same ends: what was measured in each, held against the other.

use super::Tolerance;
use super::pairing::Draft;
use crate::analysis::{ProberRecord, median};
use crate::time::Span;
use crate::track::event::Party;

/// What changed of one side's probes.
#[derive(Clone, Debug, PartialEq)]
pub struct ProberChanges {
    /// Which side, as the first capture has it.
    pub prober: Party,
    /// Everything measured, changed or not.
    pub changes: Vec<Change>,
}

/// One thing measured in both runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// What, by the name used in output.
    pub what: &'static str,
    /// In the first run; nothing if it was not there to measure.
    pub a: Option<Value>,
    /// In the second.
    pub b: Option<Value>,
    /// Whether they differ by more than the tolerance.
    pub differs: bool,
}

/// Something measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// How many.
    Count(u64),
    /// How long.
    Time(Span),
}

/// What changed of each side that probed in either run.
pub(super) fn changes(draft: &Draft<'_>, tolerance: Tolerance) -> Vec<ProberChanges> {
    let sides = [Party::Client, Party::Server].map(|party| (party, draft.probers(party)));
    let probing = sides.into_iter().filter(|(_, (a, b))| !a.probes.is_empty() || !b.probes.is_empty());
    probing.map(|(prober, (a, b))| ProberChanges { prober, changes: of_prober(a, b, tolerance) }).collect()
}

fn of_prober(a: &ProberRecord, b: &ProberRecord, tolerance: Tolerance) -> Vec<Change> {
    let time = |what, values: fn(&ProberRecord) -> Vec<Span>| {
        let (a, b) = (median(&values(a)), median(&values(b)));
        let differs = a.zip(b).map_or(a.is_some() != b.is_some(), |(a, b)| tolerance.is_exceeded(a, b));
        Change { what, a: a.map(Value::Time), b: b.map(Value::Time), differs }
    };
    let exact = |what, value: fn(&ProberRecord) -> u64| {
        let (a, b) = (value(a), value(b));
        Change { what, a: Some(Value::Count(a)), b: Some(Value::Count(b)), differs: a != b }
    };
    let mut probes = exact("probes", |prober| prober.probes.len() as u64);
    probes.differs = counts_differ(a.probes.len(), b.probes.len());
    vec![
        probes,
        exact("unanswered", |prober| {
            prober.probes.iter().filter(|probe| !probe.is_answered_by_peer()).count() as u64
        }),
        exact("octets", |prober| {
            u64::from(prober.probes.iter().map(|probe| probe.segment.octets).max().unwrap_or(0))
        }),
        time("first_silence", ProberRecord::first_silences),
        time("gap", ProberRecord::run_gaps),
        time("round_trip", ProberRecord::round_trips),
    ]
}

/// Runs are not cut to the same length: one probe more or less, or one in fifty, is no difference; none is.
fn counts_differ(a: usize, b: usize) -> bool {
    a.abs_diff(b) > (a / 50).max(1) || ((a == 0) != (b == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_may_differ_by_where_the_runs_were_cut() {
        assert!(!counts_differ(4, 5));
        assert!(counts_differ(4, 6));
        assert!(counts_differ(0, 1));
        assert!(counts_differ(1, 0));
        assert!(!counts_differ(1000, 1020));
        assert!(counts_differ(1000, 1021));
    }

    #[test]
    fn the_larger_tolerance_holds() {
        let seconds = Span::from_secs;
        let default = Tolerance::default();
        assert!(!default.is_exceeded(seconds(100), seconds(102)));
        assert!(default.is_exceeded(seconds(100), seconds(103)));
        assert!(!default.is_exceeded(Span::from_micros(50), Span::from_millis(20)));
        assert!(default.is_exceeded(Span::from_micros(50), Span::from_millis(21)));
        let own = Tolerance { absolute: Span::from_millis(1), percent: 0 };
        assert!(own.is_exceeded(seconds(7200), seconds(7200).plus(Span::from_millis(2))));
    }
}
