//! The timeline of a connection as SVG: time to the right, to scale, with a lane for each end.
//!
//! What falls together on the axis is drawn once, so its size does not grow with the capture.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::ladder::{label, said, sender};
use super::shape::Shape;
use super::story::{Moment, Story, What};
use crate::analysis::ConnectionRecord;
use crate::report::text::silence;
use crate::time::{Span, Timestamp};
use crate::track::event::Party;

const WIDTH: i64 = 760;
const LEFT: i64 = 64;
const RIGHT: i64 = WIDTH - 28;
const CLIENT: i64 = 46;
const SERVER: i64 = 98;
const AXIS: i64 = 128;
const HEIGHT: i64 = 152;

/// Signs of one form this near to each other are drawn as one.
const GRAIN: i64 = 4;

/// A silence this wide has room for its length.
const ROOM: i64 = 62;

/// Distances between the ticks of the axis, in nanoseconds, each after the powers of ten below a second.
const TICKS: [i64; 18] =
    [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 604_800];

/// Most ticks of the axis.
const MOST_TICKS: i64 = 8;

/// The picture.
pub(super) fn timeline(record: &ConnectionRecord, story: &Story, several: bool) -> Markup {
    let scale = Scale { from: story.from, until: story.until };
    let id = record.id;
    html! {
        svg.timeline viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img"
            aria-labelledby={ "timeline-" (id) } aria-describedby={ "timeline-" (id) "-text" } {
            title id={ "timeline-" (id) } {
                "Timeline of connection " (id) ": " (silence(story.until.since(story.from)))
            }
            desc id={ "timeline-" (id) "-text" } {
                "Time runs to the right, to scale. " (said(story)) ". In the end: " (record.verdict.reason) "."
            }
            text.end x=(LEFT - 12) y=(CLIENT + 5) { "client" }
            text.end x=(LEFT - 12) y=(SERVER + 5) { "server" }
            @for (from, until, words) in silences(story, &scale) {
                rect.silence x=(from) y=(CLIENT) width=(until - from) height=(SERVER - CLIENT) {}
                @if until - from >= ROOM {
                    text.faint.middle x=((from + until) / 2) y=((CLIENT + SERVER) / 2 + 4) { (words) }
                }
            }
            path.life d=(format!("M{LEFT} {CLIENT}H{RIGHT}M{LEFT} {SERVER}H{RIGHT}")) {}
            @for sign in signs(story, &scale) { (sign.draw(several)) }
            (axis(&scale))
            @if story.ends_in_silence {
                path.axis d=(format!("M{RIGHT} {}V{AXIS}", CLIENT - 14)) {}
                text.faint.end x=(WIDTH - 4) y="14" { "capture ends" }
            }
        }
    }
}

/// The stretch of time that is drawn.
struct Scale {
    from: Timestamp,
    until: Timestamp,
}

impl Scale {
    fn length(&self) -> Span {
        self.until.since(self.from)
    }

    fn x(&self, time: Timestamp) -> i64 {
        let length = i128::from(self.length().as_nanos().max(1));
        let since = i128::from(time.since(self.from).as_nanos()).clamp(0, length);
        // Between the ends of the axis, so it fits.
        LEFT + i64::try_from(since * i128::from(RIGHT - LEFT) / length).unwrap_or(0)
    }
}

/// The silences that are wide enough to be seen, with how long they were.
fn silences(story: &Story, scale: &Scale) -> Vec<(i64, i64, String)> {
    let before = story.moments.iter().filter_map(|moment| Some((moment.at.time, moment.before.silence()?)));
    let last = story.moments.last().map_or(story.from, |moment| moment.at.time);
    let rest = story.ends_in_silence.then(|| (story.until, story.until.since(last)));
    let all = before.chain(rest).map(|(end, length)| {
        let begin = end.plus(Span::from_nanos(length.as_nanos().saturating_neg()));
        (scale.x(begin), scale.x(end), silence(length))
    });
    all.filter(|(from, until, _)| until - from >= GRAIN).collect()
}

/// Moments that are drawn as one sign.
struct Sign<'a> {
    shape: Shape,
    by: Option<Party>,
    first: &'a Moment,
    x: i64,
    count: u64,
}

/// The signs, the more important ones last, so that they are drawn over the others.
fn signs<'a>(story: &'a Story, scale: &Scale) -> Vec<Sign<'a>> {
    let mut signs: BTreeMap<(u8, Shape, Option<Party>, i64), Sign<'a>> = BTreeMap::new();
    for moment in &story.moments {
        let (shape, by, x) = (Shape::of(&moment.what), sender(&moment.what), scale.x(moment.at.time));
        // The error is drawn with the probe that it refused, as one diamond.
        if shape == Shape::Icmp {
            continue;
        }
        let sign = signs.entry((layer(shape), shape, by, x / GRAIN)).or_insert(Sign {
            shape,
            by,
            first: moment,
            x,
            count: 0,
        });
        sign.count += 1;
    }
    signs.into_values().collect()
}

const fn layer(shape: Shape) -> u8 {
    match shape {
        Shape::Edge => 0,
        Shape::Other => 1,
        Shape::Probe => 2,
        Shape::Answer | Shape::Icmp => 3,
        Shape::Lost | Shape::Refused => 4,
        Shape::Fin | Shape::Reset => 5,
    }
}

impl Sign<'_> {
    fn draw(&self, several: bool) -> Markup {
        let x = self.x;
        let (lane, other, down) = match self.by {
            Some(Party::Server) => (SERVER, CLIENT, -1),
            Some(Party::Client) | None => (CLIENT, SERVER, 1),
        };
        let middle = (lane + other) / 2;
        let stem = match self.shape {
            Shape::Probe => Some((lane, other)),
            Shape::Lost | Shape::Refused => Some((lane, middle)),
            Shape::Reset | Shape::Fin | Shape::Edge => Some((CLIENT - 14, SERVER + 10)),
            Shape::Answer | Shape::Icmp | Shape::Other => None,
        };
        let at = match self.shape {
            Shape::Lost | Shape::Refused => middle,
            _ => lane,
        };
        let word = match (self.shape, self.first.what) {
            (Shape::Reset, _) => Some("RST"),
            (Shape::Fin, _) => Some("FIN"),
            _ => None,
        };
        html! {
            g class=(self.shape.class()) {
                title { (self.words(several)) }
                @if let Some((from, to)) = stem {
                    path.stem d=(format!("M{x} {from}V{to}")) {}
                }
                @if matches!(self.shape, Shape::Lost | Shape::Refused) {
                    (Shape::Probe.sign(x, lane, down))
                }
                (self.shape.sign(x, at, down))
                @if let Some(word) = word {
                    text class=(if x > RIGHT - 30 { "word end" } else { "word middle" })
                        x=(if x > RIGHT - 30 { (x + 12).min(WIDTH - 4) } else { x }) y=(CLIENT - 20) { (word) }
                }
            }
        }
    }

    fn words(&self, several: bool) -> String {
        let since = label(&self.first.what, several);
        let frame = super::name::frame(self.first.at.frame, several);
        match (self.count, self.first.what) {
            (1, _) => format!("frame {frame}: {since}"),
            (count, What::Probe { .. }) => format!("{count} keepalives from frame {frame} on"),
            (count, _) => format!("{count} such segments from frame {frame} on: {since}"),
        }
    }
}

fn axis(scale: &Scale) -> Markup {
    let step = step(scale.length());
    let ticks = (0..=MOST_TICKS).map(|index| Span::from_nanos(step).times(index));
    let ticks: Vec<Span> = ticks.take_while(|tick| *tick <= scale.length()).collect();
    html! {
        path.axis d=(format!("M{LEFT} {AXIS}H{RIGHT}")) {}
        @for tick in ticks {
            @let x = scale.x(scale.from.plus(tick));
            path.axis d=(format!("M{x} {}V{}", AXIS - 4, AXIS + 4)) {}
            text.faint.middle x=(x) y=(AXIS + 18) { (written(tick)) }
        }
    }
}

/// The distance between two ticks in nanoseconds: the least of [`TICKS`] that makes few enough of them.
fn step(length: Span) -> i64 {
    let small = (0..9).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_i64.pow(power)));
    let large = TICKS.iter().map(|seconds| seconds * 1_000_000_000);
    let fits = |step: &i64| length.as_nanos() / step < MOST_TICKS;
    small.chain(large).find(fits).unwrap_or_else(|| length.as_nanos() / MOST_TICKS + 1)
}

/// A time on the axis.
fn written(tick: Span) -> String {
    let seconds = tick.as_nanos() / 1_000_000_000;
    if seconds < 120 || tick.as_nanos() % 60_000_000_000 != 0 {
        return crate::stack::value::seconds(tick);
    }
    let (days, hours, minutes) = (seconds / 86_400, seconds % 86_400 / 3600, seconds % 3600 / 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "min")];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}"));
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_has_a_few_round_ticks_whatever_its_length() {
        for nanos in [1, 999, 12_345_678, 1_000_000_000, 7_200_000_000_000, 31_557_600_000_000_000, i64::MAX]
        {
            let step = step(Span::from_nanos(nanos));
            assert!(step > 0 && nanos / step < MOST_TICKS, "{nanos}: {step}");
        }
        assert_eq!(step(Span::from_secs(45)), 10_000_000_000);
        assert_eq!(written(Span::from_secs(5400)), "1 h 30 min");
        assert_eq!(written(Span::from_millis(1500)), "1.5 s");
        assert_eq!(written(Span::from_secs(90)), "90 s");
    }
}
