//! What captures show of idle timeouts: text, and the JSON document `keepscope.bounds/1` with its lines.
//!
//! Uses [`crate::analysis::bounds`] for what was seen, and [`crate::product`] for what fits.

mod document;
mod text;

pub use document::{json, jsonl_begin, jsonl_end, jsonl_silence};
pub use text::write;

use super::CaptureReport;
use crate::analysis::bounds::{Bracket, Path};
use crate::product::Product;
use crate::time::Span;
use crate::track::event::Party;

/// The point of capture and a box are apart by the way of a packet.
const NEAR: Span = Span::from_millis(500);

/// A bracket wider than this fits nearly every product.
const NARROW: i64 = 3;

/// What was read, and what it shows.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The captures.
    pub captures: &'a [CaptureReport],
    /// Silences shorter than this do not count.
    pub least: Span,
    /// Connections in the captures.
    pub connections: u64,
    /// The paths of which there is something to say.
    pub paths: &'a [&'a Path],
}

/// A sentence about paths that were let go, if any were.
pub fn let_go(paths: u64) -> Option<String> {
    (paths > 0).then(|| {
        let paths = super::text::plural(paths, "path");
        format!("{paths} let go, those of which least could be said, as no more are kept at once")
    })
}

/// The directions as the live search names them: by who sends the packet that ends a silence.
const DIRECTIONS: [(Party, &str); 2] = [(Party::Client, "out"), (Party::Server, "in")];

/// What lowers the trust in everything, in words.
fn cautions(found: &Found<'_>) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let dropped: u64 = found.captures.iter().map(|capture| capture.dropped).sum();
    if dropped > 0 {
        let packets = super::text::plural(dropped, "packet");
        let text = format!(
            "the captures dropped {packets}: a silence may not have been one, and an answer may be missing"
        );
        all.push(("dropped", text));
    }
    if found.captures.iter().any(CaptureReport::is_damaged) {
        all.push(("damaged", "a capture is damaged: what came after that is not known".to_owned()));
    }
    all
}

/// Products whose value by default lies in a bracket, where that is narrow enough to tell something.
fn fitting(bracket: &Bracket) -> Vec<(&'static Product, Span)> {
    let (Some(lower), Some(upper)) = (bracket.lower, bracket.upper) else { return Vec::new() };
    if upper.idle > lower.idle.times(NARROW) || bracket.beyond.count > 0 {
        return Vec::new();
    }
    let fits = |idle: Span| idle.plus(NEAR) >= lower.idle && idle <= upper.idle.plus(NEAR);
    let all = Product::idle_timeouts().into_iter().filter(|(idle, _)| fits(*idle));
    all.flat_map(|(idle, products)| products.into_iter().map(move |product| (product, idle))).collect()
}

/// What does not fit one number, in words.
fn contradictions(bracket: &Bracket) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    if let (Some(least), Some(most)) = (bracket.refuted.least, bracket.refuted.most) {
        let times = super::text::plural(bracket.refuted.count, "connection");
        let range = range(least.idle, most.idle);
        let text = format!(
            "{times} ended after {range} although longer was survived: for another reason (the peer, an outage), or the \
             timeout varies, or only one direction counts"
        );
        all.push(("died_sooner", text));
    }
    if let Some(most) = bracket.beyond.most {
        let times = super::text::plural(bracket.beyond.count, "silence");
        let text = format!(
            "{times} up to {} survived although shorter was not: the path may have been made to remember, or the deaths \
             have another reason",
            super::middlebox::spoken(most.idle)
        );
        all.push(("survived_longer", text));
    }
    all
}

/// Two times, or one if they read the same.
fn range(least: Span, most: Span) -> String {
    let (least, most) = (super::middlebox::spoken(least), super::middlebox::spoken(most));
    if least == most { least } else { format!("{least} to {most}") }
}
