//! What can be compared with a number or a duration.

use std::cmp::Ordering;

use crate::analysis::inference::Explanation;
use crate::analysis::prober::ProberRecord;
use crate::analysis::record::ConnectionRecord;
use crate::time::{Span, duration};
use crate::track::event::Party;

/// Something of a connection that has a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// Probes of both ends.
    Probes,
    /// Probes with an answer of any kind.
    Answered,
    /// Probes without one.
    Lost,
    /// Idle time of the settings that explain the busier prober best, or else as it was observed.
    Idle,
    /// Its interval.
    Interval,
    /// Its count.
    Count,
    /// The middle one of its round trips.
    RttMedian,
    /// The round trip that 99 % of them do not exceed.
    RttHigh,
    /// From the first packet to the last.
    Duration,
    /// The longest time without a packet that a probe ended.
    Gap,
    /// Packets of both ends, captured copies not counted.
    Packets,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Quantity; 11] = [
        Quantity::Probes,
        Quantity::Answered,
        Quantity::Lost,
        Quantity::Idle,
        Quantity::Interval,
        Quantity::Count,
        Quantity::RttMedian,
        Quantity::RttHigh,
        Quantity::Duration,
        Quantity::Gap,
        Quantity::Packets,
    ];

    /// Its names, the one that is shown first.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Quantity::Probes => &["ka.probes", "probes", "ka"],
            Quantity::Answered => &["ka.answered", "answered"],
            Quantity::Lost => &["ka.lost", "lost"],
            Quantity::Idle => &["idle"],
            Quantity::Interval => &["interval", "intvl"],
            Quantity::Count => &["count", "cnt"],
            Quantity::RttMedian => &["rtt", "rtt.p50"],
            Quantity::RttHigh => &["rtt.p99"],
            Quantity::Duration => &["dur", "duration"],
            Quantity::Gap => &["gap"],
            Quantity::Packets => &["packets"],
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Quantity> {
        Quantity::ALL.into_iter().find(|quantity| quantity.names().contains(&name))
    }

    /// Whether it is a time.
    pub const fn is_time(self) -> bool {
        !matches!(
            self,
            Quantity::Probes | Quantity::Answered | Quantity::Lost | Quantity::Count | Quantity::Packets
        )
    }

    /// How much of it there is in a record, in nanoseconds where it is a time; nothing where that does not show.
    pub fn of(self, record: &ConnectionRecord) -> Option<i64> {
        let sides = || [&record.client, &record.server].into_iter();
        let sum = |count: fn(&ProberRecord) -> usize| whole(sides().map(count).sum::<usize>());
        let time = |span: Option<Span>| span.map(Span::as_nanos);
        match self {
            Quantity::Probes => sum(|side| side.probes.len()),
            Quantity::Answered => sum(ProberRecord::answered),
            Quantity::Lost => sum(|side| side.probes.len() - side.answered()),
            Quantity::Idle => {
                let (party, best) = (busier(record)?.0, best_explanation(record));
                let told = best.and_then(|best| best.idle).map(|setting| setting.value);
                time(told.or_else(|| record.inference(party).idle.map(|seen| seen.value)))
            }
            Quantity::Interval => {
                let (party, best) = (busier(record)?.0, best_explanation(record));
                let told = best.and_then(|best| best.interval).map(|setting| setting.value);
                time(told.or_else(|| record.inference(party).interval.map(|seen| seen.value)))
            }
            Quantity::Count => {
                let (party, best) = (busier(record)?.0, best_explanation(record));
                let seen = || record.inference(party).count.filter(|count| count.exact);
                let count = best.and_then(|best| best.count).or_else(|| seen().map(|count| count.value));
                count.map(i64::from)
            }
            Quantity::RttMedian => time(busier(record)?.1.median_round_trip()),
            Quantity::RttHigh => time(high(&busier(record)?.1.round_trips())),
            Quantity::Duration => time(Some(record.summary.last.time.since(record.opened.first.time))),
            Quantity::Gap => {
                let probes = sides().flat_map(|side| &side.probes);
                time(probes.filter_map(|probe| probe.segment.quiet).max())
            }
            Quantity::Packets => {
                i64::try_from(record.summary.client.segments + record.summary.server.segments).ok()
            }
        }
    }
}

fn whole(count: usize) -> Option<i64> {
    i64::try_from(count).ok()
}

/// The side that probed more.
fn busier(record: &ConnectionRecord) -> Option<(Party, &ProberRecord)> {
    record.probers().max_by_key(|(_, prober)| prober.probes.len())
}

/// The settings that explain the busier prober best.
pub fn best_explanation(record: &ConnectionRecord) -> Option<&Explanation> {
    record.inference(busier(record)?.0).settings.first()
}

/// The value that 99 % of sorted ones do not exceed.
fn high(sorted: &[Span]) -> Option<Span> {
    sorted.get((sorted.len() * 99).div_ceil(100).checked_sub(1)?).copied()
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Operator {
    /// All of them with how they are written, longer ones before their beginnings; the last is another way to
    /// write the first.
    pub(super) const ALL: [(&'static str, Operator); 7] = [
        ("!=", Operator::Unequal),
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        ("==", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("=", Operator::Equal),
    ];

    pub(super) const fn written(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::Unequal => "!=",
            Operator::Less => "<",
            Operator::AtMost => "<=",
            Operator::Greater => ">",
            Operator::AtLeast => ">=",
        }
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Operator::Equal => ordering.is_eq(),
            Operator::Unequal => ordering.is_ne(),
            Operator::Less => ordering.is_lt(),
            Operator::AtMost => ordering.is_le(),
            Operator::Greater => ordering.is_gt(),
            Operator::AtLeast => ordering.is_ge(),
        }
    }
}

/// A quantity against a number, in nanoseconds where it is a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Comparison {
    pub(super) quantity: Quantity,
    pub(super) operator: Operator,
    pub(super) value: i64,
}

impl Comparison {
    /// Whether it holds for so much; what does not show is neither more nor less than anything.
    pub(super) fn holds(&self, amount: Option<i64>) -> bool {
        amount.is_some_and(|amount| self.operator.holds(amount.cmp(&self.value)))
    }

    /// Whether it asks for connections without probes, and for no others.
    pub(super) fn wants_no_keepalive(&self) -> bool {
        self.quantity == Quantity::Probes
            && self.holds(Some(0))
            && !self.holds(Some(1))
            && !self.holds(Some(2))
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.quantity.names().first().copied().unwrap_or_default();
        write!(f, "{name}{}", self.operator.written())?;
        if self.quantity.is_time() {
            f.write_str(&duration::format(Span::from_nanos(self.value)))
        } else {
            write!(f, "{}", self.value)
        }
    }
}
