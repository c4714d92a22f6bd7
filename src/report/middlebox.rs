//! What a search for idle timeouts came to: text, the JSON document `keepscope.middlebox/1` and its lines.
//!
//! Uses [`crate::search`] (findings, trials) and [`crate::product`] for what fits. Whatever drove the search, on a wire
//! or simulated, hands in the same.

mod document;
mod examined;
mod text;
mod trial;

use std::net::{IpAddr, SocketAddr};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

pub use document::{json, jsonl_begin, jsonl_end, jsonl_trial};
pub use examined::Examination;
pub use text::{advice, announce, caution, progress, sentence, summary};
pub use trial::{Journal, JournalError};

use crate::product::Product;
use crate::product::value::Class;
use crate::search::refresh::Outcome;
use crate::search::{Finding, Mode, Owner, Wanted};
use crate::segment::Endpoint;
use crate::time::Span;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The host as given, without control characters.
    pub host: String,
    /// The address that was chosen for it.
    pub address: SocketAddr,
    /// The questions, one for each direction.
    pub directions: Vec<Wanted>,
    /// What is examined once a timeout is known.
    pub examination: Option<Examination>,
    /// The connections are simulated, with this on the path.
    pub simulated: Option<String>,
    /// The file in which the packets are.
    pub recording: Option<String>,
}

impl Asked {
    /// The target as people write it.
    pub fn target(&self) -> String {
        if self.host.parse::<IpAddr>().is_ok() {
            self.address.to_string()
        } else {
            format!("{}:{}", self.host, self.address.port())
        }
    }

    /// Whether there is a partner.
    pub(super) fn has_partner(&self) -> bool {
        self.directions.iter().any(|wanted| wanted.partner)
            || self.examination.is_some_and(|examination| examination.partner)
    }

    /// Connections at once, those that are never probed included.
    pub(super) fn connections(&self) -> u32 {
        self.directions.iter().map(connections).sum()
    }
}

/// Connections of one search at once, those that are never probed included.
fn connections(wanted: &Wanted) -> u32 {
    let workers = match wanted.mode {
        Mode::Confirm(_) => wanted.connections.min(20),
        Mode::Full | Mode::Quick => wanted.connections,
    };
    u32::from(workers) + u32::from(crate::search::SENTINELS)
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Result {
    /// What was found, with what was asked in the end.
    pub findings: Vec<(Wanted, Finding)>,
    /// What keeps a connection open, and where the box is, if that was asked.
    pub examined: Option<Outcome>,
    /// Why that was not examined, if it was asked.
    pub not_examined: Option<String>,
    /// Packets either way.
    pub packets: u64,
    /// How long it took.
    pub wall: Span,
    /// Our end of the first connection, and the same as the partner sees it.
    pub translation: Option<(Endpoint, Endpoint)>,
    /// Packets that the system dropped before they were read.
    pub dropped: u64,
    /// It was ended before it was over.
    pub interrupted: bool,
    /// Why the partner was lost, if it was.
    pub partner_lost: Option<String>,
}

/// The products that fit a finding: by their value, and by their kind where that shows.
fn fitting(finding: &Finding) -> Vec<(&'static Product, Span)> {
    let known = finding.products.iter().filter_map(|(name, idle)| Some((Product::named(name).ok()?, *idle)));
    let kind = match finding.owner {
        Owner::Tracker => Some(Class::PacketTracker),
        Owner::Proxy => Some(Class::Proxy),
        Owner::Unknown => None,
    };
    known.filter(|(product, _)| kind.is_none_or(|kind| product.class == kind)).collect()
}

/// A number that is written with four decimals at most; no number at all is null.
struct Rounded(f64);

impl Serialize for Rounded {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let text = if self.0.is_finite() { format!("{:.4}", self.0) } else { "null".to_owned() };
        let raw: &RawValue = serde_json::from_str(&text).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Seconds with a tenth, for people: `350s`, `346.7s`; from an hour on with minutes and hours.
pub fn spoken(span: Span) -> String {
    let tenths = (span.as_nanos().max(0) + 50_000_000) / 100_000_000;
    let (seconds, tenth) = (tenths / 10, tenths % 10);
    let fraction = if tenth == 0 { String::new() } else { format!(".{tenth}") };
    match seconds {
        0..3600 => format!("{seconds}{fraction}s"),
        _ => {
            let (hours, minutes, seconds) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
            let minutes = if minutes > 0 || seconds > 0 { format!("{minutes}m") } else { String::new() };
            let seconds = if seconds > 0 { format!("{seconds}s") } else { String::new() };
            format!("{hours}h{minutes}{seconds}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short_to_read() {
        for (millis, text) in [
            (350_000, "350s"),
            (346_740, "346.7s"),
            (99_960, "100s"),
            (7_440_000, "2h4m"),
            (3_600_000, "1h"),
            (3_725_400, "1h2m5s"),
            (3_605_000, "1h0m5s"),
            (40, "0s"),
        ] {
            assert_eq!(spoken(Span::from_millis(millis)), text);
        }
    }
}
