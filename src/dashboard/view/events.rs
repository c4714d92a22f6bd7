//! The log: what was said of connections, the latest at the foot.

use std::iter::{Peekable, Rev};
use std::slice::Iter;

use super::pen::Pen;
use crate::dashboard::keymap::Action;
use crate::dashboard::live::Note;
use crate::dashboard::model::{Model, Panel, Screen, Session, TimeFormat};
use crate::dashboard::store::feed::{AT_END, Told};
use crate::dashboard::text::{brief, seconds, utc};
use crate::dashboard::theme::Role;
use crate::time::Timestamp;
use crate::track::event::{AnswerKind, ConnectionId, Event, EventKind, Mark};

/// Events that are passed over in search of one to show, at most.
const FARTHEST: usize = 100_000;

pub(super) fn draw(model: &Model, session: &Session, pen: &mut Pen<'_>) {
    let one_line = pen.height() < 3;
    let right = format!("{} full log", model.keys.key(Screen::Replay, Action::Log));
    let mut pen = pen.panel("Events", &right, model.choices.focus == Panel::Events);
    let told = session.store.events().get(..session.standing.events()).unwrap_or_default();
    let height = usize::from(pen.height());
    let mut lines: Vec<(String, Role)> = Vec::with_capacity(height);
    let notes = session.live.as_ref().map(|live| live.notes.as_slice()).unwrap_or_default();
    let shown = told.iter().enumerate().rev().take(FARTHEST);
    let shown = shown.filter_map(|(place, told)| Some((place, line(model, session, told)?)));
    let merged = Merged { events: shown.peekable(), notes: notes.iter().rev().peekable(), model, session };
    lines.extend(merged.skip(session.events_back).take(height));
    for (y, (words, role)) in (0..).zip(lines.iter().rev()) {
        pen.put(u16::from(one_line), y, words, *role);
    }
}

/// Events and notes, the latest first: a note stands after the events that were told before it.
struct Merged<'a, E: Iterator<Item = (usize, (String, Role))>> {
    events: Peekable<E>,
    notes: Peekable<Rev<Iter<'a, (usize, Note)>>>,
    model: &'a Model,
    session: &'a Session,
}

impl<E: Iterator<Item = (usize, (String, Role))>> Iterator for Merged<'_, E> {
    type Item = (String, Role);

    fn next(&mut self) -> Option<(String, Role)> {
        let here = self.events.peek().map(|(place, _)| *place);
        let shown = self.session.player.at.time;
        while let Some((after, note)) = self.notes.next_if(|(after, _)| here.is_none_or(|here| *after > here))
        {
            // What is still to come at the moment shown is left out, as events are.
            if note.time <= shown || *after <= self.session.standing.events() {
                let stamp = stamp(self.model, self.session, note.time);
                return Some((format!("{stamp:>13}  {}", note.words), Role::Strong));
            }
        }
        self.events.next().map(|(_, line)| line)
    }
}

/// An event in words, with its time; nothing for what says nothing to a person.
pub fn line(model: &Model, session: &Session, told: &Told) -> Option<(String, Role)> {
    let Event { connection, kind, .. } = &told.event;
    let (time, words, role) = match kind {
        EventKind::Probe(probe) => {
            let shown = &probe.segment;
            let silence = shown.silence.map(|span| format!(" after {}", seconds(span))).unwrap_or_default();
            let words = format!(
                "KA {} by the {}{silence}  [frame {}]",
                shown.run,
                shown.prober.name(),
                shown.at.frame
            );
            (shown.at.time, words, Role::Text)
        }
        EventKind::Answer(answer) => {
            let (what, role) = match answer.kind {
                AnswerKind::Ack => ("answered", Role::Good),
                AnswerKind::Data => ("answered by data", Role::Good),
                AnswerKind::Reset => ("answered by RST", Role::Bad),
                AnswerKind::Icmp(_) => ("refused by ICMP", Role::Doubt),
            };
            (answer.at.time, format!("{what} in {}  [frame {}]", brief(answer.rtt), answer.at.frame), role)
        }
        EventKind::Unanswered { probe } => {
            let of = frame_of(session, *connection, *probe).map(|at| format!(" of frame {}", at.frame));
            (time_of(session, told), format!("no answer to the KA{}", of.unwrap_or_default()), Role::Doubt)
        }
        EventKind::LookAlike(seen) => {
            let name = seen.kind.name().replace('_', " ");
            (seen.at.time, format!("no KA, {name}: {}  [frame {}]", seen.rule, seen.at.frame), Role::Faint)
        }
        EventKind::Retracted { kind, evidence, .. } => {
            let name = kind.name().replace('_', " ");
            (
                evidence.time,
                format!("what was called a KA is a {name}  [frame {}]", evidence.frame),
                Role::Doubt,
            )
        }
        EventKind::Reset { by, at, .. } => {
            (at.time, format!("RST from the {}'s address  [frame {}]", by.name(), at.frame), Role::Bad)
        }
        EventKind::ResetIgnored { evidence, .. } => {
            (evidence.time, format!("goes on: the RST had no effect  [frame {}]", evidence.frame), Role::Text)
        }
        EventKind::Fin { by, at, .. } => {
            (at.time, format!("FIN by the {}  [frame {}]", by.name(), at.frame), Role::Text)
        }
        EventKind::Final(_) => {
            let record = &session.store.connection(*connection)?.record.as_ref()?.1;
            if !record.has_keepalives() {
                return None;
            }
            let (sign, word, role) = model.choices.theme.outcome(record.verdict.outcome);
            (time_of(session, told), format!("{sign} {word}: {}", record.verdict.reason), role)
        }
        EventKind::Opened(_) | EventKind::Candidate(_) | EventKind::Dismissed { .. } => return None,
    };
    let stamp = stamp(model, session, time);
    Some((format!("{stamp:>13}  #{connection} {words}"), role))
}

fn stamp(model: &Model, session: &Session, time: Timestamp) -> String {
    let base = session.store.span().map_or(time, |(first, _)| first);
    match model.choices.times {
        TimeFormat::Utc => utc(time),
        _ => seconds(time.since(base)),
    }
}

/// The frame of the probe of this event number, unless it lies far back.
fn frame_of(session: &Session, id: ConnectionId, probe: u32) -> Option<Mark> {
    let events = &session.store.connection(id)?.events;
    let earlier =
        events.iter().rev().take(FARTHEST).filter_map(|index| session.store.events().get(*index as usize));
    earlier.map(|told| &told.event).find_map(|event| match &event.kind {
        EventKind::Probe(shown) if event.number == probe => Some(shown.segment.at),
        _ => None,
    })
}

/// When something was told that has no time of its own.
fn time_of(session: &Session, told: &Told) -> Timestamp {
    let rows = if told.after == AT_END { session.store.rows().len() } else { told.after as usize };
    session.store.clock_after(rows).unwrap_or_default()
}
