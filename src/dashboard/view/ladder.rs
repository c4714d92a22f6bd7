//! The ladder: the chosen connection packet by packet, time downwards.
//!
//! Owns the choice of lines, also for the drawing as SVG. Lines are made from the last one upwards, as many as
//! are visible; long runs of ordinary segments are skipped at once.

use super::pen::Pen;
use crate::dashboard::live::{Link, Stage};
use crate::dashboard::model::{Chosen, Meaning, Model, Panel, Session, TimeFormat};
use crate::dashboard::simulation::asides::Note;
use crate::dashboard::store::Connection;
use crate::dashboard::store::row::{Row, SHOWN_OF_RUN};
use crate::dashboard::text::{brief, fit, fit_right, plural, seconds, utc};
use crate::dashboard::theme::{Glyphs, Role};
use crate::time::{Span, Timestamp, duration};
use crate::track::Class;
use crate::track::event::{AnswerKind, Party};

/// Silences shorter than this are not marked.
const MARKED_SILENCE: Span = Span::from_secs(1);

/// Lines that a silence takes at most where it is not folded.
const LONGEST_SILENCE: u64 = 12;

/// A probe without an answer for this long is shown as lost.
pub const LOST_AFTER: Span = Span::from_secs(1);

/// Probes to come that are shown.
const DUE_SHOWN: usize = 4;

/// What stands before remarks.
const INDENT: &str = "                   ";

/// From this width on both ends have a column of their own.
const WIDE: u16 = 98;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A segment, by its place in the connection.
    Row(usize),
    /// Nothing happened for so long; the last number counts lines of the same silence.
    Silence(Span, u64),
    /// Segments from one place up to another, which are not shown.
    Folded(usize, usize),
    /// What happened without a packet, by its place among the notes of a simulation.
    Note(usize),
}

/// The last lines of a connection of which so many segments have been read, `skip` lines before the end,
/// first line first.
pub fn lines(session: &Session, connection: &Connection, fold: bool, skip: usize, most: usize) -> Vec<Line> {
    let read = session.standing.rows();
    let mut place = connection.rows.partition_point(|row| (*row as usize) < read);
    let time =
        |place: usize| connection.rows.get(place).and_then(|row| session.store.row(*row)).map(|row| row.time);
    let wanted = skip.saturating_add(most);
    let mut found = Vec::with_capacity(most + 4);
    let mut after: Option<Timestamp> = None;
    let mut notes = session.asides.notes_until(session.player.at.time);
    while place > 0 && found.len() < wanted {
        if let Some((begin, end)) = folded_around(connection, place) {
            notes = take_notes(notes, time(begin), &mut found);
            found.push(Line::Folded(begin, end));
            after = None;
            place = begin;
            continue;
        }
        place -= 1;
        let Some(here) = time(place) else { break };
        notes = take_notes(notes, Some(here), &mut found);
        let silence = after.map_or(Span::ZERO, |after| after.since(here));
        if silence >= MARKED_SILENCE {
            let seconds = silence.as_nanos().unsigned_abs() / 1_000_000_000;
            let count = if fold { 1 } else { seconds.clamp(1, LONGEST_SILENCE) };
            found.extend((1..=count).rev().map(|number| Line::Silence(silence, number)));
        }
        found.push(Line::Row(place));
        after = Some(here);
    }
    if place == 0 {
        take_notes(notes, None, &mut found);
    }
    // Scrolled back beyond the first line, the first ones stay.
    let skip = skip.min(found.len().saturating_sub(most));
    found.drain(..skip);
    found.truncate(most);
    found.reverse();
    found
}

/// Adds the notes from a time on, last one first, and leaves those before; all of them where there is no time.
fn take_notes<'a>(notes: &'a [Note], from: Option<Timestamp>, found: &mut Vec<Line>) -> &'a [Note] {
    let before = from.map_or(0, |from| notes.partition_point(|note| note.time < from));
    found.extend((before..notes.len()).rev().map(Line::Note));
    notes.get(..before).unwrap_or_default()
}

/// The folded middle of a run of ordinary segments that ends right before a place.
fn folded_around(connection: &Connection, place: usize) -> Option<(usize, usize)> {
    let runs = &connection.runs;
    let index = runs.partition_point(|(begin, _)| (*begin as usize) < place).checked_sub(1)?;
    let (begin, end) = runs.get(index).map(|(begin, end)| (*begin as usize, *end as usize))?;
    let shown = SHOWN_OF_RUN as usize;
    let end = end.min(place);
    let (first, last) = (begin + shown, end.checked_sub(shown)?);
    // Three at either end are shown, also of a run that is still going on.
    (place > first && last >= first + 2 && (place == last || place < end)).then_some((first, place.min(last)))
}

pub(super) fn draw(model: &Model, session: &Session, pen: &mut Pen<'_>) {
    let numbers = if model.choices.absolute { "absolute" } else { "relative" };
    let title = match session.selected {
        Some(id) => format!("Ladder #{id}"),
        None => "Ladder".to_owned(),
    };
    let scrolled = if session.ladder_back > 0 { "   scrolled back, Esc" } else { "" };
    let right = format!("SEQ {numbers}{scrolled}");
    let mut pen = pen.panel(&title, &right, model.choices.focus == Panel::Ladder);
    let (Some(chosen), Some(connection)) =
        (session.chosen.as_ref(), session.selected.and_then(|id| session.store.connection(id)))
    else {
        return;
    };
    let writer = Writer { model, session, chosen, connection, wide: pen.width() >= WIDE };
    let heading = writer.heading();
    pen.put(0, 0, &heading, Role::Faint);
    let height = usize::from(pen.height()).saturating_sub(1);
    let latest = session.ladder_back == 0;
    let ahead = if latest && session.asides.foreseen { writer.ahead(height / 2) } else { Vec::new() };
    let tail = if latest && !session.asides.foreseen { writer.tail() } else { Vec::new() };
    let tail = tail.get(..tail.len().min(height / 3)).unwrap_or_default();
    let taken = tail.len() + ahead.len() + usize::from(!ahead.is_empty());
    let room = height.saturating_sub(taken);
    let lines = lines(session, connection, model.choices.fold, session.ladder_back, room);
    let mut y = 1;
    for line in &lines {
        writer.write(line, y, &mut pen);
        y += 1;
    }
    for words in tail {
        pen.put(0, y, words, Role::Faint);
        y += 1;
    }
    if !ahead.is_empty() {
        pen.put(0, y, "-- now; what follows is predicted --", Role::Now);
        y += 1;
    }
    for line in &ahead {
        writer.write(line, y, &mut pen);
        pen.mark_line(y, Role::Faint);
        y += 1;
    }
}

/// Words for lines.
pub(in crate::dashboard) struct Writer<'a> {
    pub(in crate::dashboard) model: &'a Model,
    pub(in crate::dashboard) session: &'a Session,
    pub(in crate::dashboard) chosen: &'a Chosen,
    pub(in crate::dashboard) connection: &'a Connection,
    pub(in crate::dashboard) wide: bool,
}

/// What a segment is, and what is noted beside it.
pub(in crate::dashboard) struct Told {
    pub(in crate::dashboard) what: String,
    pub(in crate::dashboard) note: String,
    pub(in crate::dashboard) role: Role,
    pub(in crate::dashboard) lost: bool,
    /// Its answer may still come.
    pub(in crate::dashboard) waits: bool,
}

impl Writer<'_> {
    fn heading(&self) -> String {
        let opened = &self.chosen.record.opened;
        let time = match self.model.choices.times {
            TimeFormat::Relative => "s",
            TimeFormat::Utc => "UTC",
            TimeFormat::Delta => "delta",
        };
        if self.wide {
            let client = opened.client.to_string();
            return format!(
                "{:>7} {time:>12} {:<12}{client:>24}          {}",
                "frame", "what", opened.server
            );
        }
        format!("{:>5} {time:>12} {:<8} client>server", "frame", "what")
    }

    pub(in crate::dashboard) fn row(&self, place: usize) -> Option<&Row> {
        self.connection.rows.get(place).and_then(|row| self.session.store.row(*row))
    }

    fn write(&self, line: &Line, y: u16, pen: &mut Pen<'_>) {
        let glyphs = pen.theme().glyphs();
        let indent = if self.wide { 21 } else { 19 };
        match line {
            Line::Silence(silence, 1) => {
                pen.put(indent, y, &format!("~~ {} of silence ~~", seconds(*silence)), Role::Faint);
            }
            Line::Silence(..) => {
                pen.put(indent + 2, y, ":", Role::Faint);
            }
            Line::Folded(begin, end) => {
                let rows = (*begin..*end).filter_map(|place| self.row(place));
                // A run of a million segments is not added up for every frame.
                let octets: Option<u64> =
                    (end - begin <= 4096).then(|| rows.map(|row| u64::from(row.len)).sum());
                let octets = octets.map_or(String::new(), |octets| format!(" with {octets} octets"));
                let words = format!("... {}{octets} of data ...", plural((end - begin) as u64, "segment"));
                pen.put(indent, y, &words, Role::Faint);
            }
            Line::Note(place) => {
                let Some(note) = self.session.asides.notes.get(*place) else { return };
                let time = self.time(note.time, None);
                let frame = if self.wide { 7 } else { 5 };
                let x = pen.put(0, y, &format!("{:frame$} {time:>12} ", ""), Role::Text);
                pen.put(x, y, &format!("!! {}", note.words), note.role);
            }
            Line::Row(place) => {
                let Some(row) = self.row(*place) else { return };
                let before = place.checked_sub(1).and_then(|place| self.row(place)).map(|row| row.time);
                self.write_row(row, before, y, glyphs, pen);
            }
        }
    }

    fn write_row(&self, row: &Row, before: Option<Timestamp>, y: u16, glyphs: &Glyphs, pen: &mut Pen<'_>) {
        let told = self.told(row);
        let time = self.time(row.time, before);
        let frame = match row.frame().capture {
            0 => row.frame().number.to_string(),
            capture => format!("{}:{}", u64::from(capture) + 1, row.frame().number),
        };
        let numbers = self.numbers(row);
        let role = told.role;
        if self.wide {
            let mut x = pen.put(0, y, &format!("{frame:>7} {time:>12} "), Role::Text);
            x = pen.put(x, y, &fit(&told.what, 12, glyphs.cut), role);
            let (client, server) =
                if row.sender == Party::Client { (numbers.as_str(), "") } else { ("", numbers.as_str()) };
            x = pen.put(x, y, &fit_right(client, 24, glyphs.cut), Role::Text);
            x = pen.put(x + 1, y, &arrow(glyphs, row.sender, &told, 8), role);
            x = pen.put(x + 1, y, &fit(server, 19, glyphs.cut), Role::Text);
            x = pen.put(x + 1, y, &told.note, role);
            self.write_remark(row, x, y, pen);
            return;
        }
        let mut x = pen.put(0, y, &format!("{frame:>5} {time:>12} "), Role::Text);
        x = pen.put(x, y, &fit(&told.what, 8, glyphs.cut), role);
        x = pen.put(x + 1, y, &arrow(glyphs, row.sender, &told, 4), role);
        x = pen.put(x + 1, y, &numbers, Role::Text);
        // Where there is little room the arrow alone says that there was no answer.
        let remarked = told.lost && self.session.asides.remarks.contains_key(&row.frame());
        if !told.note.is_empty() && !remarked {
            x = pen.put(x + 1, y, &told.note, role);
        }
        self.write_remark(row, x, y, pen);
    }

    /// What a simulation knows of a packet beside what it is.
    fn write_remark(&self, row: &Row, x: u16, y: u16, pen: &mut Pen<'_>) {
        if let Some(remark) = self.session.asides.remarks.get(&row.frame()) {
            pen.put(x + 1, y, remark, Role::Faint);
        }
    }

    /// What comes next in a simulation, as many lines at most.
    fn ahead(&self, most: usize) -> Vec<Line> {
        let read = self.session.standing.rows();
        let mut place = self.connection.rows.partition_point(|row| (*row as usize) < read);
        let asides = &self.session.asides;
        let mut note = asides.notes_until(self.session.player.at.time).len();
        let mut lines = Vec::new();
        while lines.len() < most {
            let row = self.row(place).map(|row| row.time);
            let told = asides.notes.get(note).map(|note| note.time);
            match (row, told) {
                (Some(row), told) if told.is_none_or(|told| row <= told) => {
                    lines.push(Line::Row(place));
                    place += 1;
                }
                (_, Some(_)) => {
                    lines.push(Line::Note(note));
                    note += 1;
                }
                _ => break,
            }
        }
        lines
    }

    fn time(&self, time: Timestamp, before: Option<Timestamp>) -> String {
        let first = self.session.store.span().map_or(time, |(first, _)| first);
        match self.model.choices.times {
            TimeFormat::Relative => micros(time.since(first)),
            TimeFormat::Utc => utc(time),
            TimeFormat::Delta => micros(time.since(before.unwrap_or(time))),
        }
    }

    pub(in crate::dashboard) fn numbers(&self, row: &Row) -> String {
        if row.is_icmp() {
            return String::new();
        }
        let (seq, ack) = if self.model.choices.absolute {
            (i64::from(row.seq.0), row.flags.ack().then_some(i64::from(row.ack.0)))
        } else {
            (row.relative, row.ack_relative())
        };
        let ack = ack.map(|ack| format!(" A={ack}")).unwrap_or_default();
        format!("S={seq} L={}{ack}", row.len)
    }

    pub(in crate::dashboard) fn told(&self, row: &Row) -> Told {
        let told = |what: &str, note: String, role| Told {
            what: what.to_owned(),
            note,
            role,
            lost: false,
            waits: false,
        };
        let record = &self.chosen.record;
        match self.chosen.meanings.get(&row.frame()) {
            Some(Meaning::Probe(party, index)) => {
                let Some(probe) = record.prober(*party).probes.get(*index as usize) else {
                    return told("KA", String::new(), Role::Text);
                };
                let what = format!("KA {}", probe.segment.run);
                match &probe.answer {
                    Some(_) => told(&what, String::new(), Role::Good),
                    None if is_waiting(self.session, row.time) => {
                        Told { waits: true, ..told(&what, "waiting".to_owned(), Role::Text) }
                    }
                    None => Told { lost: true, ..told(&what, "no answer".to_owned(), Role::Doubt) },
                }
            }
            Some(Meaning::Answer(party, index)) => {
                let answer = record.prober(*party).probes.get(*index as usize).and_then(|probe| probe.answer);
                let note = answer.map_or(String::new(), |answer| {
                    format!("{}{}", brief(answer.rtt), if answer.dsack { ", D-SACK" } else { "" })
                });
                match answer.map(|answer| answer.kind) {
                    Some(AnswerKind::Reset) => told("RST", note, Role::Bad),
                    Some(AnswerKind::Icmp(_)) => told("ICMP", note, Role::Doubt),
                    Some(AnswerKind::Data) => told("KA-DATA", note, Role::Good),
                    _ => told("KA-ACK", note, Role::Good),
                }
            }
            Some(Meaning::LookAlike(kind)) => told(&kind.name().replace('_', " "), String::new(), Role::Text),
            None => {
                let (what, role) = plain_name(row);
                told(&what, String::new(), role)
            }
        }
    }

    /// What is still to come: how long it has been quiet, and when the next probe is due.
    fn tail(&self) -> Vec<String> {
        let now = self.session.player.at.time;
        let read = self.session.standing.rows();
        let place = self.connection.rows.partition_point(|row| (*row as usize) < read);
        let Some(last) = place.checked_sub(1).and_then(|place| self.row(place)) else { return Vec::new() };
        let mut words = Vec::new();
        let quiet = now.since(last.time);
        if let Some(live) = &self.session.live {
            if quiet >= MARKED_SILENCE {
                let whole = Span::from_secs(quiet.as_nanos() / 1_000_000_000);
                words.push(format!("{INDENT}~~ {} of silence so far ~~", duration::format(whole)));
            }
            if let Some(link) = live.link(self.chosen.record.id).filter(|_| self.session.player.playing) {
                words.extend(self.to_come(link, live.facts.held));
                return words;
            }
        } else if quiet >= MARKED_SILENCE {
            words.push(format!("{INDENT}~~ {} of silence so far ~~", seconds(quiet)));
        }
        let first = self.session.store.span().map_or(now, |(first, _)| first);
        let next = super::timeline::next_due(self.session);
        words.extend(next.map(|due| {
            let (from, to) = (seconds(due.window.0.since(first)), seconds(due.window.1.since(first)));
            format!("{INDENT}(next KA due {from} to {to})")
        }));
        words
    }
}

impl Writer<'_> {
    /// The probes of ours that are due, and when it is given up.
    fn to_come(&self, link: &Link, held: bool) -> Vec<String> {
        let count = link.manner.settings.count;
        let next = link.next.filter(|_| link.stage == Stage::Open);
        let mut words = Vec::new();
        if held && link.stage == Stage::Open {
            words.push(format!("{INDENT}(probes are held back: H lets them go, ! sends one)"));
        }
        let numbers = (link.unanswered + 1..=count).zip(0..);
        for (number, after) in numbers.take(DUE_SHOWN) {
            let Some(due) = next.map(|next| next.plus(link.manner.settings.interval.times(after))) else {
                break;
            };
            words.push(format!("{:>5} {:>12} KA {number}/{count}  (due)", "", self.time(due, None)));
        }
        if let Some(end) = link.gives_up.filter(|_| link.stage == Stage::Open) {
            words.push(format!("{:>5} {:>12} given up, if nothing is answered", "", self.time(end, None)));
        }
        words
    }
}

/// Whether the answer to a probe sent at this time may still come.
pub(super) fn is_waiting(session: &Session, sent: Timestamp) -> bool {
    session.player.at.time.since(sent) < LOST_AFTER && !session.standing.at_end()
}

/// Seconds with six digits.
fn micros(span: Span) -> String {
    let micros = span.as_nanos() / 1000;
    let sign = if micros < 0 { "-" } else { "" };
    format!("{sign}{}.{:06}", micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000)
}

fn plain_name(row: &Row) -> (String, Role) {
    let name = match row.class {
        Class::Syn if row.flags.ack() => "SYN,ACK",
        Class::Syn => "SYN",
        Class::Data => "data",
        Class::Retransmission => "data again",
        Class::Ack => "ack",
        Class::OldAck => "old ack",
        Class::Fin => "FIN",
        Class::Reset => return ("RST".to_owned(), Role::Bad),
        Class::StaleReset => "RST ignored",
        Class::Probe { .. } => "KA",
        Class::Answer { .. } => "KA-ACK",
        Class::Candidate { .. } => "ack or KA",
        Class::LookAlike(kind) => return (kind.name().replace('_', " "), Role::Text),
        Class::Copy => return ("(copy)".to_owned(), Role::Faint),
    };
    (name.to_owned(), Role::Text)
}

/// An arrow of so many columns.
fn arrow(glyphs: &Glyphs, sender: Party, told: &Told, columns: usize) -> String {
    let shaft: String = std::iter::repeat_n(glyphs.shaft, columns.saturating_sub(1)).collect();
    match (sender, told.lost) {
        (Party::Client, false) if told.waits => format!("{shaft}?"),
        (Party::Server, false) if told.waits => format!("?{shaft}"),
        (Party::Client, false) => format!("{shaft}{}", glyphs.right),
        (Party::Server, false) => format!("{}{shaft}", glyphs.left),
        (Party::Client, true) => {
            let shaft: String = shaft.chars().skip(1).collect();
            format!("{shaft}{} ", glyphs.lost)
        }
        (Party::Server, true) => {
            let shaft: String = shaft.chars().skip(1).collect();
            format!(" {}{shaft}", glyphs.lost)
        }
    }
}
