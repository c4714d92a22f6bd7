//! The ladder of a connection as SVG: time downwards, the client at the left, the server at the right.
//!
//! Not to scale: silences are written out. Of a long story the moments that matter most are drawn.

use maud::{Markup, html};

use super::name::{frame, party};
use super::shape::Shape;
use super::story::{Before, Item, Moment, Story, What};
use crate::analysis::ConnectionRecord;
use crate::report::model::icmp_name;
use crate::report::text::{plural, round_trip, silence};
use crate::time::Span;
use crate::track::event::{AnswerKind, Party, Start};

/// Most moments drawn of one connection.
const MOST: usize = 80;

/// Silences shorter than this are not written out; the times tell them.
const MARKED_SILENCE: Span = Span::from_secs(1);

const WIDTH: i64 = 480;
const FRAME: i64 = 52;
const TIME: i64 = 130;
const CLIENT: i64 = 150;
const SERVER: i64 = 456;
const MIDDLE: i64 = (CLIENT + SERVER) / 2;
const TOP: i64 = 52;
const STEP: i64 = 34;
const PAUSE: i64 = 28;

/// The picture and, where it is not all of it, what was left out.
pub(super) fn ladder(record: &ConnectionRecord, story: &Story, several: bool) -> Markup {
    let mut drawing =
        Drawing { y: TOP, rows: Vec::new(), solid: String::new(), broken: String::new(), several };
    for item in story.items(MOST) {
        match item {
            Item::Moment(moment) => drawing.moment(moment, story),
            Item::LeftOut(moments) => drawing.left_out(moments),
        }
    }
    if story.ends_in_silence {
        let last = story.moments.last().map_or(story.from, |moment| moment.at.time);
        drawing.pause(&format!("{}, then the capture ends", silence(story.until.since(last))));
    }
    let Drawing { y: bottom, rows, solid, broken, .. } = drawing;
    let height = bottom + 10;
    let id = record.id;
    let (client, server) = (record.opened.client, record.opened.server);
    html! {
        svg.ladder viewBox=(format!("0 0 {WIDTH} {height}")) role="img"
            aria-labelledby={ "ladder-" (id) } aria-describedby={ "ladder-" (id) "-text" } {
            title id={ "ladder-" (id) } { "Ladder of connection " (id) ": " (client) " to " (server) }
            desc id={ "ladder-" (id) "-text" } {
                "Time runs downwards, the client stands at the left and the server at the right. "
                (said(story)) ". In the end: " (record.verdict.reason) "."
            }
            text.end x=(CLIENT - 8) y="16" { "client" }
            text.mono x=(CLIENT) y="16" { (client) }
            text.end x=(CLIENT - 8) y="34" { "server" }
            text.mono.end x=(WIDTH - 4) y="34" { (server) }
            text.faint.end x=(FRAME) y="50" { "frame" }
            text.faint.end x=(TIME) y="50" { "seconds" }
            path.life d=(solid) {}
            path.pause d=(broken) {}
            @for row in rows { (row) }
        }
    }
}

/// A ladder as it grows.
struct Drawing {
    y: i64,
    rows: Vec<Markup>,
    /// The two lifelines.
    solid: String,
    /// The same where time is cut out.
    broken: String,
    several: bool,
}

impl Drawing {
    fn moment(&mut self, moment: &Moment, story: &Story) {
        match moment.before {
            Before::Silence(gap) if gap >= MARKED_SILENCE => {
                self.pause(&format!("{} of silence", silence(gap)));
            }
            Before::Traffic { elapsed, silence: gap } if elapsed >= MARKED_SILENCE => {
                self.pause(&format!("other segments, then {} of silence", silence(gap)));
            }
            Before::Elapsed(gap) if gap >= MARKED_SILENCE => self.pause(&format!("{} later", silence(gap))),
            _ => {}
        }
        let (shape, y) = (Shape::of(&moment.what), self.y + 24);
        let (from, to) = match sender(&moment.what) {
            Some(Party::Server) => (SERVER, CLIENT),
            Some(Party::Client) | None => (CLIENT, SERVER),
        };
        self.rows.push(html! {
            text.mono.end x=(FRAME) y=(y + 4) { (frame(moment.at.frame, self.several)) }
            text.mono.end x=(TIME) y=(y + 4) { (clock(moment.at.time.since(story.from))) }
            text.middle x=(MIDDLE) y=(y - 9) { (label(&moment.what, self.several)) }
            (shape.arrow(from, to, y))
        });
        lifelines(&mut self.solid, self.y, self.y + STEP);
        self.y += STEP;
    }

    fn left_out(&mut self, moments: &[Moment]) {
        let count = |wanted: fn(&What) -> bool| moments.iter().filter(|moment| wanted(&moment.what)).count();
        let probes = count(|what| matches!(what, What::Probe { .. }));
        let answers = count(|what| matches!(what, What::Answer { .. }));
        let counts =
            [(probes, "keepalive"), (answers, "answer"), (moments.len() - probes - answers, "segment")];
        let some = counts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = some.map(|(count, noun)| plural(*count as u64, noun)).collect();
        self.pause(&format!("left out: {}", words.join(", ")));
    }

    fn pause(&mut self, words: &str) {
        self.rows.push(html! { text.faint.middle x=(MIDDLE) y=(self.y + 18) { (words) } });
        lifelines(&mut self.broken, self.y, self.y + PAUSE);
        self.y += PAUSE;
    }
}

fn lifelines(path: &mut String, top: i64, bottom: i64) {
    path.push_str(&format!("M{CLIENT} {top}V{bottom}M{SERVER} {top}V{bottom}"));
}

/// Who sent what a moment shows, as far as it is an arrow.
pub(super) fn sender(what: &What) -> Option<Party> {
    match *what {
        What::Probe { by, .. }
        | What::Answer { by, .. }
        | What::LookAlike { by, .. }
        | What::Again { by, .. }
        | What::Fin { by }
        | What::Reset { by } => Some(by),
        What::Opened(_) | What::Last => None,
    }
}

/// A moment in a few words.
pub(super) fn label(what: &What, several: bool) -> String {
    match *what {
        What::Opened(Start::Seen) => "opened (SYN)".to_owned(),
        What::Opened(Start::Midstream) => "first frame captured".to_owned(),
        What::Probe { run, octets, fate, .. } => {
            let octets = if octets == 0 { "" } else { " (1 octet)" };
            format!("keepalive {run}{octets}{}", fate.words())
        }
        What::Answer { kind, rtt, to, .. } => {
            let kind = match kind {
                AnswerKind::Ack => "answer".to_owned(),
                AnswerKind::Data => "answer with data".to_owned(),
                AnswerKind::Reset => "answer: RST".to_owned(),
                AnswerKind::Icmp(kind) => {
                    let (name, code) = icmp_name(kind);
                    let code = code.map(|code| format!(" code {code}")).unwrap_or_default();
                    format!("ICMP {}{code}", name.replace('_', " "))
                }
            };
            format!("{kind} to {} after {}", frame(to, several), round_trip(rtt))
        }
        What::LookAlike { kind, .. } => kind.name().replace('_', " "),
        What::Again { times, .. } => format!("same octets again, {} in all", plural(times.into(), "time")),
        What::Fin { .. } => "FIN".to_owned(),
        What::Reset { .. } => "RST".to_owned(),
        What::Last => "last segment".to_owned(),
    }
}

/// What a story is made of, in words.
pub(super) fn said(story: &Story) -> String {
    let count = |shape: Shape, by: Party| {
        let these = story.moments.iter().filter(|moment| Shape::of(&moment.what) == shape);
        these.filter(|moment| sender(&moment.what) == Some(by)).count() as u64
    };
    let mut parts = Vec::new();
    for by in [Party::Client, Party::Server] {
        let [answered, lost, refused] =
            [Shape::Probe, Shape::Lost, Shape::Refused].map(|shape| count(shape, by));
        let sent = answered + lost + refused;
        if sent > 0 {
            let probes = plural(sent, "keepalive");
            parts.push(format!("The {} sent {probes}, {answered} of them answered", party(by)));
        }
    }
    parts.join("; ")
}

/// A time since the first frame, short enough for its column.
fn clock(since: Span) -> String {
    let millis = since.as_nanos().div_euclid(1_000_000);
    if millis.abs() < 1_000_000_000 {
        let sign = if millis < 0 { "-" } else { "" };
        let millis = millis.unsigned_abs();
        format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
    } else {
        (millis / 1000).to_string()
    }
}
