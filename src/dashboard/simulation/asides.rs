//! What is known of a simulation beside its packets: the doings of boxes, what befell hosts, and ends.
//!
//! Owns [`Asides`]. A capture has none, so that a screen without them is one of a capture. Pure.

use std::collections::{BTreeMap, HashMap};

use crate::dashboard::theme::Role;
use crate::frame::FrameId;
use crate::report::simulation::is_of_packets;
use crate::simulate::scenario::Word;
use crate::simulate::scenario::happening::{EventKind, Happening};
use crate::simulate::scenario::run::Run;
use crate::time::{Span, Timestamp};
use crate::track::event::Party;

use crate::dashboard::store::row::Row;

/// A packet that a box speaks of was sent, or came, no longer ago than this.
const NEAR: Span = Span::from_secs(2);

/// Something that happened, for a line of its own in the ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub time: Timestamp,
    /// Which host, box or link did it.
    pub by: String,
    /// What, in a few words.
    pub words: String,
    /// How bad that is.
    pub role: Role,
    /// A sign for the timeline.
    pub sign: &'static str,
}

/// What a box knew, along time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoxLine {
    /// Its name.
    pub name: String,
    /// From when to when it knew the connection.
    pub known: Vec<(Timestamp, Timestamp)>,
    /// When it did something: `r` its timer was started anew, `X` it forgot, `d` it dropped a packet.
    pub marks: Vec<(Timestamp, &'static str)>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asides {
    /// In the order of time.
    pub notes: Vec<Note>,
    /// What stands beside a packet.
    pub remarks: HashMap<FrameId, String>,
    /// The boxes, from the client on.
    pub boxes: Vec<BoxLine>,
    /// This is of a simulation, where what comes is known too.
    pub foreseen: bool,
}

impl Asides {
    /// What a run tells beside the packets of a capture at the client, which are these rows.
    pub fn of(run: &Run, box_names: &[String], rows: &[Row]) -> Asides {
        let mut asides = Asides { foreseen: true, ..Asides::default() };
        asides.boxes = box_names.iter().map(|name| line(name, run)).collect();
        // Of several boxes each says its name.
        let only = if let [only] = box_names { only.as_str() } else { "" };
        let mut remarks: BTreeMap<FrameId, Vec<String>> = BTreeMap::new();
        for happening in &run.happenings {
            let time = run.start.plus(happening.time);
            if let Some((frame, words)) = remark(happening, time, rows, only) {
                let said = remarks.entry(frame).or_default();
                if !said.contains(&words) {
                    said.push(words);
                }
                continue;
            }
            asides.notes.extend(note(happening, time));
        }
        asides.remarks = remarks.into_iter().map(|(frame, said)| (frame, said.join(", "))).collect();
        asides
    }

    /// The notes up to a moment.
    pub fn notes_until(&self, now: Timestamp) -> &[Note] {
        let count = self.notes.partition_point(|note| note.time <= now);
        self.notes.get(..count).unwrap_or_default()
    }

    /// The notes after a moment.
    pub fn notes_after(&self, now: Timestamp) -> &[Note] {
        let count = self.notes.partition_point(|note| note.time <= now);
        self.notes.get(count..).unwrap_or_default()
    }
}

/// What a happening says of a packet of the capture.
fn remark(happening: &Happening, time: Timestamp, rows: &[Row], only: &str) -> Option<(FrameId, String)> {
    let Happening { kind, by, how, .. } = happening;
    let name = if by == only { String::new() } else { format!("{by} ") };
    let words = match kind {
        EventKind::Refreshed => format!("{name}re-armed"),
        EventKind::Unrefreshed => format!("{name}not re-armed"),
        EventKind::Dropped => format!("{by} drops it"),
        EventKind::ProbeLost => format!("lost at {by}"),
        _ => return None,
    };
    let outward = *how == "inside" || *kind == EventKind::ProbeLost;
    let near = if outward {
        let end = rows.partition_point(|row| row.time <= time);
        let sent = rows.get(..end)?.iter().rev().find(|row| row.sender == Party::Client)?;
        (time.since(sent.time) <= NEAR).then_some(sent)?
    } else {
        let begin = rows.partition_point(|row| row.time < time);
        let came = rows.get(begin..)?.iter().find(|row| row.sender == Party::Server)?;
        (came.time.since(time) <= NEAR).then_some(came)?
    };
    Some((near.frame(), words))
}

/// A line for what has no packet in the capture.
fn note(happening: &Happening, time: Timestamp) -> Option<Note> {
    let Happening { kind, by, how, number, .. } = happening;
    // What a box did with packets that are not here is on its line of the timeline.
    if is_of_packets(*kind) {
        return None;
    }
    let (role, sign) = match kind {
        EventKind::PowerOff | EventKind::Unplugged | EventKind::Expired | EventKind::GaveUp => {
            (Role::Bad, "!")
        }
        EventKind::PowerOn | EventKind::Plugged => (Role::Good, "!"),
        EventKind::Closed if *how != "in_order" => (Role::Bad, "!"),
        EventKind::Dropped | EventKind::ProbeLost | EventKind::PacketLost | EventKind::Reported => {
            (Role::Doubt, "")
        }
        EventKind::Call if !how.is_empty() => (Role::Doubt, ""),
        EventKind::BoxReset | EventKind::BoxFin | EventKind::BoxIcmp | EventKind::BoxClosed => {
            (Role::Bad, "!")
        }
        EventKind::Closed | EventKind::Removed | EventKind::Created => (Role::Text, "!"),
        _ => (Role::Text, ""),
    };
    let what = match kind {
        EventKind::PowerOff => "loses its power".to_owned(),
        EventKind::PowerOn => "has power again".to_owned(),
        EventKind::Unplugged => "is unplugged".to_owned(),
        EventKind::Plugged => "is plugged in again".to_owned(),
        EventKind::Expired => "forgets the connection".to_owned(),
        EventKind::Created => "knows the connection".to_owned(),
        kind => Word(*kind).name().replace('_', " "),
    };
    let after = number.map(|number| format!(" after {number}")).unwrap_or_default();
    let how = if how.is_empty() { String::new() } else { format!(" ({})", how.replace('_', " ")) };
    Some(Note { time, by: by.clone(), words: format!("{by} {what}{after}{how}"), role, sign })
}

fn line(name: &str, run: &Run) -> BoxLine {
    let mut line = BoxLine { name: name.to_owned(), ..BoxLine::default() };
    let mut since = None;
    for happening in run.happenings.iter().filter(|happening| happening.by == name) {
        let time = run.start.plus(happening.time);
        let sign = match happening.kind {
            EventKind::Created => {
                since = since.or(Some(time));
                continue;
            }
            EventKind::Refreshed => {
                since = since.or(Some(time));
                "r"
            }
            EventKind::Expired | EventKind::Removed | EventKind::BoxClosed => {
                line.known.extend(since.take().map(|since| (since, time)));
                if happening.kind == EventKind::Removed { "x" } else { "X" }
            }
            EventKind::Dropped => "d",
            EventKind::BoxReset => "R",
            EventKind::BoxFin => "F",
            EventKind::BoxProbe => "K",
            _ => continue,
        };
        line.marks.push((time, sign));
    }
    line.known.extend(since.map(|since| (since, run.end)));
    line
}
