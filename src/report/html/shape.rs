//! How a moment is drawn: by the form of its line and of its end, so that colour only repeats what form says.

use maud::{Markup, html};

use super::story::{Fate, What};
use crate::track::event::AnswerKind;

/// One way to draw a moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    Probe,
    Lost,
    Refused,
    Answer,
    Icmp,
    Reset,
    Fin,
    Other,
    Edge,
}

/// What the legend explains, in its order.
pub(super) const LEGEND: [(Shape, &str); 8] = [
    (Shape::Probe, "keepalive, answered"),
    (Shape::Lost, "keepalive without an answer"),
    (Shape::Refused, "keepalive that met an ICMP error"),
    (Shape::Answer, "answer"),
    (Shape::Icmp, "ICMP error"),
    (Shape::Reset, "RST"),
    (Shape::Fin, "FIN"),
    (Shape::Other, "not a keepalive, though alike"),
];

impl Shape {
    pub(super) const fn of(what: &What) -> Self {
        match what {
            What::Probe { fate: Fate::Answered, .. } => Shape::Probe,
            What::Probe { fate: Fate::Refused, .. } => Shape::Refused,
            What::Probe { fate: Fate::Lost, .. } => Shape::Lost,
            What::Answer { kind: AnswerKind::Icmp(_), .. } => Shape::Icmp,
            What::Answer { kind: AnswerKind::Reset, .. } | What::Reset { .. } => Shape::Reset,
            What::Answer { .. } => Shape::Answer,
            What::Fin { .. } => Shape::Fin,
            What::LookAlike { .. } | What::Again { .. } => Shape::Other,
            What::Opened(_) | What::Last => Shape::Edge,
        }
    }

    /// The class in the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Shape::Probe => "probe",
            Shape::Lost => "lost",
            Shape::Refused => "refused",
            Shape::Answer => "answer",
            Shape::Icmp => "icmp",
            Shape::Reset => "reset",
            Shape::Fin => "fin",
            Shape::Other => "other",
            Shape::Edge => "edge",
        }
    }

    /// It as an arrow from one line of the ladder to the other, at this height.
    pub(super) fn arrow(self, from: i64, to: i64, y: i64) -> Markup {
        let forward = (to - from).signum();
        let part = from + (to - from) * 62 / 100;
        let (begin, end) = match self {
            Shape::Lost | Shape::Refused => (from, part - forward * 7),
            Shape::Icmp => (from + (to - from) * 38 / 100 + forward * 7, to - forward * 2),
            Shape::Edge => (from, to),
            _ => (from, to - forward * 2),
        };
        let (top, bottom) = if self == Shape::Edge { (y, y) } else { (y - 2, y + 2) };
        html! {
            g class=(self.class()) {
                line x1=(begin) y1=(top) x2=(end) y2=(bottom) {}
                @match self {
                    Shape::Probe => (head(to, forward, bottom)),
                    Shape::Answer => {
                        (head(to, forward, bottom))
                        circle cx=(from) cy=(top) r="4" {}
                    },
                    Shape::Lost => (cross(part, bottom, 7)),
                    Shape::Refused => (diamond(part, bottom, 7)),
                    Shape::Icmp => {
                        (diamond(begin - forward * 7, top, 7))
                        (head(to, forward, bottom))
                    },
                    Shape::Reset => rect x=(to - 6 - forward * 6) y=(bottom - 6) width="12" height="12" {},
                    Shape::Fin => path d=(format!("M{x} {}V{}", bottom - 8, bottom + 8, x = to - forward * 3)) {},
                    Shape::Other => path d=(format!(
                        "M{x} {}L{} {bottom}L{x} {}", bottom - 5, to - forward * 2, bottom + 5, x = to - forward * 9
                    )) {},
                    Shape::Edge => {},
                }
            }
        }
    }

    /// It as a sign on the lane of a timeline, for an end whose peer's lane lies below (1) or above (-1).
    pub(super) fn sign(self, x: i64, y: i64, down: i64) -> Markup {
        html! {
            @match self {
                Shape::Probe => polygon points=(format!(
                    "{},{top} {},{top} {x},{}", x - 6, x + 6, y + down * 6, top = y - down * 5
                )) {},
                Shape::Answer => circle cx=(x) cy=(y) r="5" {},
                Shape::Lost => (cross(x, y, 6)),
                Shape::Refused | Shape::Icmp => (diamond(x, y, 7)),
                Shape::Reset => rect x=(x - 6) y=(y - 6) width="12" height="12" {},
                Shape::Fin => path d=(format!("M{x} {}V{}", y - 9, y + 9)) {},
                Shape::Other => path d=(format!("M{} {y}H{}", x - 4, x + 4)) {},
                Shape::Edge => path d=(format!("M{x} {}V{}", y - 5, y + 5)) {},
            }
        }
    }
}

fn head(x: i64, forward: i64, y: i64) -> Markup {
    let back = x - forward * 11;
    html! { polygon points=(format!("{x},{y} {back},{} {back},{}", y - 5, y + 5)) {} }
}

fn cross(x: i64, y: i64, arm: i64) -> Markup {
    let (left, right, top, bottom) = (x - arm, x + arm, y - arm, y + arm);
    html! { path class="mark" d=(format!("M{left} {top}L{right} {bottom}M{left} {bottom}L{right} {top}")) {} }
}

fn diamond(x: i64, y: i64, arm: i64) -> Markup {
    html! { polygon points=(format!("{x},{} {},{y} {x},{} {},{y}", y - arm, x + arm, y + arm, x - arm)) {} }
}
