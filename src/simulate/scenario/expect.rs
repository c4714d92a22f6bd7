//! What is expected of a scenario, and whether it came about.
//!
//! Owns [`Expectations`] and their verdicts. What is expected of events and ends is held against the truth; what
//! is expected of a capture against what the analyzer says of it.

mod judge;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

pub use self::judge::Verdict;
use super::Plan;
use super::happening::EventKind;
use super::problem::Wrong;
use super::text::{Word, Words, optional_span, read_from_text};
use crate::analysis::Outcome;
use crate::simulate::end::Closing;
use crate::stack::nearest;
use crate::time::{Span, duration};
use crate::track::event::Party;

/// All that is expected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expectations {
    /// Of what happens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventExpectation>,
    /// Of the client's end of the connection.
    pub client: Option<EndExpectation>,
    /// Of the server's end.
    pub server: Option<EndExpectation>,
    /// Of what the analyzer says of a capture, by the place where it is taken.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub capture: BTreeMap<String, CaptureExpectation>,
}

/// Something that is to happen, or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventExpectation {
    /// What.
    pub what: Word<EventKind>,
    /// Done by which host, box or link; by any where nothing is said.
    pub by: Option<String>,
    /// How: for `closed` how it ended, for a call its error, for a box the side.
    pub how: Option<String>,
    /// The n-th of these, from 1, is to happen at the time that is said.
    pub number: Option<u64>,
    /// When.
    pub at: Option<Window>,
    /// How often; at least once where neither this nor a number is said.
    pub count: Option<Count>,
}

/// How an end of the connection is to be when the simulation is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EndExpectation {
    /// `open`, or how it ended.
    pub outcome: Option<Word<EndOutcome>>,
    /// What the application is told: `ETIMEDOUT`, `ECONNRESET`, …
    pub error: Option<String>,
    /// When it ended.
    pub at: Option<Window>,
    /// The idle time that its keepalives run on.
    #[serde(with = "optional_span")]
    pub idle: Option<Span>,
    /// The interval.
    #[serde(with = "optional_span")]
    pub interval: Option<Span>,
    /// The count.
    pub count: Option<u32>,
}

/// What the analyzer is to say of a capture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaptureExpectation {
    /// What became of the connection.
    pub outcome: Option<Word<Outcome>>,
    /// Whose probes are meant; the client's where nothing is said.
    pub prober: Option<Word<Party>>,
    /// How many probes it sent.
    pub probes: Option<Count>,
    /// How many of them were answered.
    pub answered: Option<Count>,
    /// How many connections there are.
    pub connections: Option<Count>,
}

/// What became of one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOutcome {
    /// Its connection was never opened.
    NeverOpened,
    /// It is still open.
    Open,
    /// It ended.
    Ended(Closing),
}

impl Words for EndOutcome {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("never_opened", EndOutcome::NeverOpened),
        ("open", EndOutcome::Open),
        ("in_order", EndOutcome::Ended(Closing::InOrder)),
        ("keepalive_timed_out", EndOutcome::Ended(Closing::KeepaliveTimedOut)),
        ("data_timed_out", EndOutcome::Ended(Closing::DataTimedOut)),
        ("reset", EndOutcome::Ended(Closing::Reset)),
        ("aborted", EndOutcome::Ended(Closing::Aborted)),
        ("refused", EndOutcome::Ended(Closing::Refused)),
        ("connect_timed_out", EndOutcome::Ended(Closing::ConnectTimedOut)),
        ("power_lost", EndOutcome::Ended(Closing::PowerLost)),
    ];
}

impl Words for Outcome {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("timed_out", Outcome::TimedOut),
        ("reset", Outcome::Reset),
        ("unanswered", Outcome::Unanswered),
        ("inconclusive", Outcome::Inconclusive),
        ("alive", Outcome::Alive),
        ("closed", Outcome::Closed),
        ("no_keepalive", Outcome::NoKeepalive),
    ];
}

impl Words for Party {
    const WORDS: &'static [(&'static str, Self)] = &[("client", Party::Client), ("server", Party::Server)];
}

/// When: `"7.168s ± 12ms"`, `"340s..361s"`, or `"7s"`, which is to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// At a time, more or less.
    About {
        /// The time.
        at: Span,
        /// How much earlier or later it may be.
        within: Option<Span>,
    },
    /// Between two times, both included.
    Between {
        /// The earlier.
        from: Span,
        /// The later.
        to: Span,
    },
}

/// How exact a time is meant that says nothing of it.
const EXACT: Span = Span::from_millis(1);

impl Window {
    /// The earliest and the latest time.
    pub fn bounds(self) -> (Span, Span) {
        match self {
            Window::Between { from, to } => (from, to),
            Window::About { at, within } => {
                let within = within.unwrap_or(EXACT);
                (Span::from_nanos(at.as_nanos().saturating_sub(within.as_nanos())), at.plus(within))
            }
        }
    }

    /// Whether a time lies in it.
    pub fn holds(self, time: Span) -> bool {
        let (from, to) = self.bounds();
        (from..=to).contains(&time)
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = |part: &str| duration::parse(part.trim());
        if let Some((from, to)) = text.split_once("..") {
            let (from, to) = (read(from)?, read(to)?);
            return if from <= to {
                Ok(Window::Between { from, to })
            } else {
                Err(format!("{text:?} ends before it begins"))
            };
        }
        match text.split_once('±').or_else(|| text.split_once("+-")) {
            Some((at, within)) => Ok(Window::About { at: read(at)?, within: Some(read(within)?) }),
            None => Ok(Window::About { at: read(text)?, within: None }),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = duration::format;
        match self {
            Window::Between { from, to } => write!(f, "{}..{}", text(*from), text(*to)),
            Window::About { at, within: None } => f.write_str(&text(*at)),
            Window::About { at, within: Some(within) } => write!(f, "{} ± {}", text(*at), text(*within)),
        }
    }
}

read_from_text!(Window, "a time like \"7.168s ± 12ms\" or \"340s..361s\"");

/// How often: `4`, `"4..9"`, `"1.."` or `"..9"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// At least.
    pub least: u64,
    /// At most.
    pub most: u64,
}

impl Count {
    /// Whether a number is as expected.
    pub fn holds(self, number: u64) -> bool {
        (self.least..=self.most).contains(&number)
    }
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no count; write it like 4, \"4..9\" or \"1..\"");
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let number = |part: &str, open: u64| match part.trim() {
            "" => Ok(open),
            digits => digits.parse::<u64>().map_err(|_| bad()),
        };
        if text.trim().is_empty() {
            return Err(bad());
        }
        let count = Count { least: number(least, 0)?, most: number(most, u64::MAX)? };
        if count.least <= count.most { Ok(count) } else { Err(bad()) }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, most) if least == most => write!(f, "{least}"),
            (0, u64::MAX) => f.write_str("0.."),
            (least, u64::MAX) => write!(f, "{least}.."),
            (least, most) => write!(f, "{least}..{most}"),
        }
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.least) {
            Ok(number) if self.least == self.most => serializer.serialize_i64(number),
            _ => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountVisitor;
        impl Visitor<'_> for CountVisitor {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a count like 4, \"4..9\" or \"1..\"")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Count, E> {
                let number = u64::try_from(number).map_err(|_| E::custom("a count is not negative"))?;
                Ok(Count { least: number, most: number })
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(CountVisitor)
    }
}

impl Expectations {
    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with them.
    pub(super) fn check(&self, plan: &Plan) -> Result<(), Wrong> {
        let places = || {
            let links = plan.link_names.iter().filter(|name| !name.is_empty());
            ["client", "server"].into_iter().chain(plan.box_names.iter().chain(links).map(String::as_str))
        };
        for (index, event) in self.events.iter().enumerate() {
            let key = format!("expect.events.{index}");
            if let Some(by) = &event.by
                && !places().any(|place| place == by)
            {
                return Err(no_such(format!("{key}.by"), by, &places().collect::<Vec<_>>()));
            }
            match (event.number, event.at, event.count) {
                (Some(0), ..) => return Err(Wrong::new(format!("{key}.number"), "they are counted from 1")),
                (Some(_), None, _) => return Err(Wrong::new(key, "at is missing: when the number happens")),
                (Some(_), _, Some(_)) => {
                    return Err(Wrong::new(
                        format!("{key}.count"),
                        "a number is said too; say one of the two",
                    ));
                }
                _ => {}
            }
        }
        let taps = || plan.taps.iter().map(|tap| tap.name.as_str());
        for name in self.capture.keys() {
            if !taps().any(|tap| tap == name) {
                return Err(no_such(format!("expect.capture.{name}"), name, &taps().collect::<Vec<_>>()));
            }
        }
        Ok(())
    }
}

fn no_such(key: String, name: &str, known: &[&str]) -> Wrong {
    let meant = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", known.join(", ")),
    };
    Wrong::new(key, format!("there is no {name:?} on this path; {meant}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_counts_are_read_and_written_alike() {
        for text in ["7.168s ± 12ms", "340s..361s", "7s"] {
            assert_eq!(text.parse::<Window>().map(|window| window.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("7.168s+-12ms".parse::<Window>(), "7168ms ± 12ms".parse::<Window>());
        for text in ["4", "4..9", "1..", "0..9", "0.."] {
            assert_eq!(text.parse::<Count>().map(|count| count.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "x", "9..4", "-1", "1..2..3"] {
            assert!(bad.parse::<Count>().is_err(), "{bad}");
        }
        for bad in ["7", "9s..4s", "±", "7s ± 3"] {
            assert!(bad.parse::<Window>().is_err(), "{bad}");
        }
    }
}
