//! One trial as a line of JSON, and back: what a journal is made of.
//!
//! A journal begins with the question, so that only a run that asks the same goes on with it. Reading it trusts
//! nothing: a line that makes no sense, such as one that was cut when the program was killed, is passed over if it is
//! the last, and an error elsewhere.

use std::io::{self, Write};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::document::SCHEMA;
use crate::report::number::Seconds;
use crate::search::{Cue, Death, End, Id, Mode, Origin, Outcome, Sign, Trial, Void, Wanted, Way};
use crate::time::{Span, Timestamp};

/// A trial as it is written.
#[derive(Serialize)]
pub(super) struct TrialLine {
    direction: &'static str,
    connection: u32,
    idle_s: Seconds,
    last_idle_s: Seconds,
    attempts: u8,
    result: &'static str,
    how: Option<&'static str>,
    unasked: bool,
    by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cue: Option<CueLine>,
    round_trip_s: Option<Seconds>,
    new_port: Option<bool>,
    reset: bool,
    at: Seconds,
}

#[derive(Serialize)]
struct CueLine {
    ttl: Option<u8>,
    usual_ttl: Option<u8>,
    delay_s: Option<Seconds>,
    usual_delay_s: Option<Seconds>,
    without_timestamps: bool,
    other_address: bool,
}

impl From<&Trial> for TrialLine {
    fn from(trial: &Trial) -> Self {
        let (how, unasked, origin) = match trial.result {
            Outcome::Lived => (None, false, None),
            Outcome::Died(Death::Unasked(how, origin)) => (Some(how.name()), true, Some(origin)),
            Outcome::Died(Death::Ended(how, origin)) => (Some(how.name()), false, Some(origin)),
            Outcome::Died(death) => (Some(death.name()), false, None),
            Outcome::Void(void) => (Some(void.name()), false, None),
        };
        let (by, cue) = match origin {
            Some(Origin::Path(cue)) => (Some("path"), Some(cue)),
            Some(Origin::Peer(cue)) => (Some("peer"), Some(cue)),
            Some(Origin::Unknown) => (Some("unknown"), None),
            None => (None, None),
        };
        Self {
            direction: trial.way.name(),
            connection: trial.id.0,
            idle_s: trial.idle.into(),
            last_idle_s: trial.last_idle.into(),
            attempts: trial.attempts,
            result: trial.name(),
            how,
            unasked,
            by,
            cue: cue.map(|cue| CueLine {
                ttl: cue.ttl,
                usual_ttl: cue.usual_ttl,
                delay_s: cue.delay.map(Into::into),
                usual_delay_s: cue.usual_delay.map(Into::into),
                without_timestamps: cue.without_timestamps,
                other_address: cue.other_address,
            }),
            round_trip_s: trial.sign.round_trip.map(Into::into),
            new_port: trial.sign.new_port,
            reset: trial.sign.reset,
            at: trial.at.into(),
        }
    }
}

/// A trial as it is read. Seconds are read as floating point numbers, which keep microseconds for a century.
#[derive(Deserialize)]
struct TrialRead {
    direction: String,
    connection: u32,
    idle_s: f64,
    last_idle_s: f64,
    attempts: u8,
    result: String,
    how: Option<String>,
    unasked: bool,
    by: Option<String>,
    cue: Option<CueRead>,
    round_trip_s: Option<f64>,
    new_port: Option<bool>,
    reset: bool,
    at: f64,
}

#[derive(Deserialize)]
struct CueRead {
    ttl: Option<u8>,
    usual_ttl: Option<u8>,
    delay_s: Option<f64>,
    usual_delay_s: Option<f64>,
    without_timestamps: bool,
    other_address: bool,
}

fn span(seconds: f64) -> Span {
    Span::from_nanos((seconds * 1e9).round() as i64)
}

impl TrialRead {
    fn trial(&self) -> Option<Trial> {
        let way = way(&self.direction)?;
        let how = self.how.as_deref();
        let cue = self.cue.as_ref().map_or_else(Cue::default, |cue| Cue {
            ttl: cue.ttl,
            usual_ttl: cue.usual_ttl,
            delay: cue.delay_s.map(span),
            usual_delay: cue.usual_delay_s.map(span),
            without_timestamps: cue.without_timestamps,
            other_address: cue.other_address,
        });
        let origin = match self.by.as_deref() {
            Some("path") => Origin::Path(cue),
            Some("peer") => Origin::Peer(cue),
            _ => Origin::Unknown,
        };
        let end = [End::Reset, End::Fin, End::Icmp].into_iter().find(|end| Some(end.name()) == how);
        let voids = [Void::Disturbed, Void::ClockGap, Void::NotSent, Void::Interrupted];
        let result = match (self.result.as_str(), how, end) {
            ("lived", ..) => Outcome::Lived,
            ("died", Some("silent"), _) => Outcome::Died(Death::Silent),
            ("died", Some("new_port"), _) => Outcome::Died(Death::NewPort),
            ("died", _, Some(end)) if self.unasked => Outcome::Died(Death::Unasked(end, origin)),
            ("died", _, Some(end)) => Outcome::Died(Death::Ended(end, origin)),
            ("void", ..) => Outcome::Void(voids.into_iter().find(|void| Some(void.name()) == how)?),
            _ => return None,
        };
        let idle = span(self.idle_s);
        let last_idle = span(self.last_idle_s);
        (idle >= Span::ZERO && last_idle >= idle).then_some(Trial {
            id: Id(self.connection),
            way,
            idle,
            last_idle,
            attempts: self.attempts,
            result,
            at: Timestamp::from_nanos(span(self.at).as_nanos()),
            sign: Sign {
                new_port: self.new_port,
                round_trip: self.round_trip_s.map(span),
                reset: self.reset,
            },
        })
    }
}

fn way(name: &str) -> Option<Way> {
    [Way::Out, Way::In].into_iter().find(|way| way.name() == name)
}

/// A line of a journal.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Journal(Head<'a>),
    Trial(TrialLine),
}

/// What a journal is about.
#[derive(Serialize)]
struct Head<'a> {
    schema: &'static str,
    target: &'a str,
    address: String,
    partner: bool,
    directions: Vec<&'static str>,
    mode: &'static str,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum LineRead {
    Journal { schema: String, address: String, partner: bool, directions: Vec<String>, mode: String },
    Trial(TrialRead),
}

/// Why a journal cannot be gone on with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// It is no journal, or one of another version.
    #[error("it is no journal of keepscope middlebox ({SCHEMA})")]
    NoJournal,
    /// It asked something else.
    #[error("it is about something else: {0}")]
    Other(String),
    /// A line in it makes no sense.
    #[error("its line {0} makes no sense")]
    Line(usize),
}

/// What an interrupted run wrote.
#[derive(Debug, Default)]
pub struct Journal {
    /// Its trials, in order.
    pub trials: Vec<Trial>,
}

const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Full => "full",
        Mode::Quick => "quick",
        Mode::Confirm(_) => "confirm",
    }
}

impl Journal {
    /// Writes the first line.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn begin(out: &mut dyn Write, target: &str, address: SocketAddr, asked: &[Wanted]) -> io::Result<()> {
        let line = Line::Journal(Head {
            schema: SCHEMA,
            target,
            address: address.to_string(),
            partner: asked.iter().any(|wanted| wanted.partner),
            directions: asked.iter().map(|wanted| wanted.way.name()).collect(),
            mode: asked.first().map_or("full", |wanted| mode_name(wanted.mode)),
        });
        crate::report::plain::compact(&mut *out, &line)?;
        writeln!(out)
    }

    /// Writes a trial.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn trial(out: &mut dyn Write, trial: &Trial) -> io::Result<()> {
        crate::report::plain::compact(&mut *out, &Line::Trial(trial.into()))?;
        writeln!(out)
    }

    /// Reads one that asked the same of the same address with the same means.
    ///
    /// # Errors
    /// If it did not, or is damaged in its midst.
    pub fn read(text: &str, address: SocketAddr, asked: &[Wanted]) -> Result<Journal, JournalError> {
        let mut lines = text.lines().enumerate();
        let head = lines.next().and_then(|(_, line)| serde_json::from_str(line).ok());
        let Some(LineRead::Journal { schema, address: was, partner, directions, mode }) = head else {
            return Err(JournalError::NoJournal);
        };
        if schema != SCHEMA {
            return Err(JournalError::NoJournal);
        }
        if was != address.to_string() {
            return Err(JournalError::Other(format!("the address {was}")));
        }
        if partner != asked.iter().any(|wanted| wanted.partner) {
            let words = if partner { "a partner" } else { "no partner" };
            return Err(JournalError::Other(words.to_owned()));
        }
        let wanted: Vec<&str> = asked.iter().map(|wanted| wanted.way.name()).collect();
        if directions != wanted {
            return Err(JournalError::Other(format!("the direction {}", directions.join(" and "))));
        }
        if asked.iter().any(|wanted| mode_name(wanted.mode) != mode) {
            return Err(JournalError::Other(format!("the mode {mode}")));
        }
        let mut trials = Vec::new();
        let mut wrong = None;
        for (index, line) in lines {
            if let Some(index) = wrong {
                return Err(JournalError::Line(index));
            }
            match serde_json::from_str(line) {
                Ok(LineRead::Trial(read)) if read.trial().is_some() => trials.extend(read.trial()),
                // A run that went on with it begins anew.
                Ok(LineRead::Journal { .. }) => {}
                _ => wrong = Some(index + 1),
            }
        }
        Ok(Journal { trials })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials() -> Vec<Trial> {
        let cue =
            Cue { ttl: Some(63), usual_ttl: Some(61), delay: Some(Span::from_micros(70)), ..Cue::default() };
        let results = [
            Outcome::Lived,
            Outcome::Died(Death::Silent),
            Outcome::Died(Death::NewPort),
            Outcome::Died(Death::Ended(End::Reset, Origin::Path(cue))),
            Outcome::Died(Death::Unasked(End::Fin, Origin::Peer(cue))),
            Outcome::Died(Death::Ended(End::Icmp, Origin::Unknown)),
            Outcome::Void(Void::Disturbed),
        ];
        let trial = |(number, result): (u32, Outcome)| Trial {
            id: Id(number),
            way: Way::In,
            idle: Span::from_nanos(123_456_789_012),
            last_idle: Span::from_nanos(126_456_789_012),
            attempts: 3,
            result,
            at: Timestamp::from_nanos(1_700_000_000_123_456_000),
            sign: Sign { new_port: Some(false), round_trip: Some(Span::from_micros(312)), reset: false },
        };
        (0..).zip(results).map(trial).collect()
    }

    fn written(trials: &[Trial], asked: &[Wanted]) -> String {
        let mut out = Vec::new();
        Journal::begin(&mut out, "example.net:443", "192.0.2.1:443".parse().unwrap(), asked).unwrap();
        trials.iter().for_each(|trial| Journal::trial(&mut out, trial).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (asked, address) = ([Wanted::new(Way::In, true)], "192.0.2.1:443".parse().unwrap());
        let trials = trials();
        let text = written(&trials, &asked);
        let close = |one: i64, other: i64| (one - other).abs() <= 1_000;
        for (read, wrote) in Journal::read(&text, address, &asked).unwrap().trials.iter().zip(&trials) {
            assert!(close(read.idle.as_nanos(), wrote.idle.as_nanos()));
            assert!(close(read.at.as_nanos(), wrote.at.as_nanos()));
            let same = Trial { idle: wrote.idle, last_idle: wrote.last_idle, at: wrote.at, ..*read };
            assert_eq!(same, *wrote);
        }
        // Killed while it wrote: the last line is cut.
        let cut = text.get(..text.len() - 30).unwrap();
        assert_eq!(Journal::read(cut, address, &asked).unwrap().trials.len(), trials.len() - 1);
    }

    #[test]
    fn a_journal_of_something_else_is_refused() {
        let (asked, address) = ([Wanted::new(Way::In, true)], "192.0.2.1:443".parse().unwrap());
        let text = written(&trials(), &asked);
        let refused = |text: &str, address: &str, asked: &[Wanted]| {
            Journal::read(text, address.parse().unwrap(), asked).unwrap_err().to_string()
        };
        assert!(refused(&text, "192.0.2.2:443", &asked).contains("the address 192.0.2.1:443"));
        assert!(refused(&text, "192.0.2.1:443", &[Wanted::new(Way::Out, true)]).contains("the direction in"));
        let alone = [Wanted::new(Way::Out, false)];
        assert!(refused(&text, "192.0.2.1:443", &alone).contains("a partner"));
        assert!(refused("{}", "192.0.2.1:443", &asked).contains("no journal"));
        let damaged = text.replacen("\"lived\"", "\"slept\"", 1);
        assert!(matches!(Journal::read(&damaged, address, &asked), Err(JournalError::Line(2))));
    }
}
