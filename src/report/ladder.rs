//! The ladder: one connection as it went by, a line per segment, time downwards.
//!
//! Owns [`Ladder`], which collects the lines while frames are read and corrects them when later events do,
//! and the way it is written. Long runs of data and long silences are folded.

use std::fmt;
use std::io::{self, Write};

use super::model::icmp_name;
use super::text::{Style, plural, round_trip, silence};
use crate::analysis::{ConnectionRecord, ProbeRecord};
use crate::frame::FrameId;
use crate::segment::{Flags, Segment};
use crate::time::{Span, Timestamp};
use crate::track::event::{AnswerKind, ConnectionId, Event, EventKind, LookAlike, Party};
use crate::track::{Class, Observed};

/// Rows of data at either end of a run that are not folded.
const SHOWN_OF_RUN: usize = 3;

/// The same of probes and answers, where those are folded: two of each.
const SHOWN_OF_PROBES: usize = 4;

/// Silences shorter than this are not marked.
const MARKED_SILENCE: Span = Span::from_secs(1);

/// Most rows kept of one connection; what comes after is counted.
const MAX_ROWS: usize = 200_000;

/// The lines of one connection.
#[derive(Debug)]
pub struct Ladder {
    connection: ConnectionId,
    rows: Vec<Row>,
    /// Segments beyond the most that are kept.
    left_out: u64,
    /// Long runs of probes that were answered are folded too.
    folds_probes: bool,
}

/// One segment of the connection.
#[derive(Debug)]
struct Row {
    frame: FrameId,
    time: Timestamp,
    sender: Party,
    flags: Flags,
    seq: i64,
    ack: Option<i64>,
    len: u32,
    class: Class,
    /// For an ICMP error: its name and code.
    icmp: Option<(&'static str, Option<u8>)>,
}

impl Ladder {
    /// An empty ladder of this connection.
    pub fn new(connection: ConnectionId) -> Self {
        Self { connection, rows: Vec::new(), left_out: 0, folds_probes: false }
    }

    /// The same, which folds long runs of probes that were answered at once, too.
    #[must_use]
    pub fn folding_probes(mut self) -> Self {
        self.folds_probes = true;
        self
    }

    /// Takes a segment if it belongs to the connection.
    pub fn segment(&mut self, segment: &Segment, observed: &Observed) {
        if observed.connection != self.connection {
            return;
        }
        if self.rows.len() >= MAX_ROWS {
            self.left_out += 1;
            return;
        }
        self.rows.push(Row {
            frame: segment.id,
            time: segment.time,
            sender: observed.sender,
            flags: segment.flags,
            seq: observed.seq,
            ack: observed.ack,
            len: segment.len,
            class: observed.class,
            icmp: None,
        });
    }

    /// Takes what an event says about rows that are there, or about an ICMP error.
    pub fn event(&mut self, event: &Event) {
        if event.connection != self.connection {
            return;
        }
        match &event.kind {
            EventKind::Probe(probe) => {
                let class = Class::Probe { probe: event.number, run: probe.segment.run };
                self.set_class(probe.segment.at.frame, class);
            }
            EventKind::Retracted { probe, kind, .. } => {
                let row =
                    self.rows.iter_mut().rev().find(
                        |row| matches!(row.class, Class::Probe { probe: number, .. } if number == *probe),
                    );
                if let Some(row) = row {
                    row.class = Class::LookAlike(*kind);
                }
            }
            EventKind::Answer(answer) => {
                if let AnswerKind::Icmp(kind) = answer.kind {
                    let quoted =
                        self.rows.iter().rev().find(
                            |row| matches!(row.class, Class::Probe { probe, .. } if probe == answer.probe),
                        );
                    let prober = quoted.map_or(Party::Client, |row| row.sender);
                    self.rows.push(Row {
                        frame: answer.at.frame,
                        time: answer.at.time,
                        sender: prober.peer(),
                        flags: Flags::default(),
                        seq: 0,
                        ack: None,
                        len: 0,
                        class: Class::Answer { probe: answer.probe, kind: answer.kind },
                        icmp: Some(icmp_name(kind)),
                    });
                } else {
                    let class = Class::Answer { probe: answer.probe, kind: answer.kind };
                    self.set_class(answer.at.frame, class);
                }
            }
            _ => {}
        }
    }

    fn set_class(&mut self, frame: FrameId, class: Class) {
        if let Some(row) = self.rows.iter_mut().rev().find(|row| row.frame == frame) {
            row.class = class;
        }
    }

    /// Writes the ladder of the connection with this record.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn write(&self, out: &mut dyn Write, record: &ConnectionRecord, style: Style) -> io::Result<()> {
        super::text::headline(out, record, style)?;
        let first = record.opened.first.time;
        writeln!(out)?;
        writeln!(out, "  times in seconds after frame {}; SEQ and ACK relative", first_frame(record))?;
        let several = self.rows.iter().any(|row| row.frame.capture != record.opened.first.frame.capture);
        writeln!(
            out,
            "{:>9} {:>15}  {:<20} {:>26}            server",
            if several { "file:frame" } else { "frame" },
            "time",
            "what",
            "client"
        )?;
        let mut before: Option<Timestamp> = None;
        for item in self.folded(record) {
            match item {
                Item::Row(row) => {
                    let gap = before.map(|before| row.time.since(before));
                    if let Some(gap) = gap.filter(|gap| *gap >= MARKED_SILENCE) {
                        writeln!(out, "{:>9} {:>15}  ~~ {} of silence ~~", "", "", silence(gap))?;
                    }
                    let line = Line { row, record, first, several };
                    writeln!(out, "{line}")?;
                    before = Some(row.time);
                }
                Item::Folded(rows) => {
                    let octets: u64 = rows.iter().map(|row| u64::from(row.len)).sum();
                    let what = plural(rows.len() as u64, "segment");
                    let probes = rows.iter().filter(|row| matches!(row.class, Class::Probe { .. })).count();
                    let folded = match (probes, octets) {
                        (0, _) => format!("{what} with {octets} octets of data"),
                        (_, 0) => format!("{what}: {} and their answers", plural(probes as u64, "keepalive")),
                        _ => format!(
                            "{what} with {octets} octets of data, among them {}",
                            plural(probes as u64, "keepalive")
                        ),
                    };
                    writeln!(out, "{:>9} {:>15}  ... {folded} ...", "", "")?;
                    before = rows.last().map(|row| row.time);
                }
            }
        }
        if self.left_out > 0 {
            writeln!(out, "  {} more segments are not shown", self.left_out)?;
        }
        Ok(())
    }

    /// The rows with the middle of each long run of ordinary ones folded.
    fn folded(&self, record: &ConnectionRecord) -> Vec<Item<'_>> {
        let mut items = Vec::new();
        let answered = |event: u32| {
            let mut probes = record.probers().flat_map(|(_, prober)| &prober.probes);
            probes.find(|probe| probe.event == event).is_some_and(|probe| probe.is_answered_by_peer())
        };
        let folds = |row: &Row| match row.class {
            Class::Probe { probe, run: 1 } if self.folds_probes => answered(probe).then_some(SHOWN_OF_PROBES),
            Class::Answer { kind: AnswerKind::Ack, .. } if self.folds_probes => Some(SHOWN_OF_PROBES),
            _ => is_ordinary(row).then_some(SHOWN_OF_RUN),
        };
        for run in self.rows.chunk_by(|one, two| folds(one).is_some() && folds(one) == folds(two)) {
            let shown = run.first().and_then(folds).unwrap_or(SHOWN_OF_RUN);
            let hidden = run.len().saturating_sub(2 * shown);
            if hidden < 2 {
                items.extend(run.iter().map(Item::Row));
                continue;
            }
            let (head, rest) = run.split_at(shown);
            let (middle, tail) = rest.split_at(hidden);
            items.extend(head.iter().map(Item::Row));
            items.push(Item::Folded(middle));
            items.extend(tail.iter().map(Item::Row));
        }
        items
    }
}

enum Item<'a> {
    Row(&'a Row),
    Folded(&'a [Row]),
}

fn is_ordinary(row: &Row) -> bool {
    matches!(
        row.class,
        Class::Data
            | Class::Ack
            | Class::OldAck
            | Class::Retransmission
            | Class::LookAlike(LookAlike::WindowUpdate | LookAlike::DuplicateAck)
    )
}

fn first_frame(record: &ConnectionRecord) -> u64 {
    record.opened.first.frame.number
}

/// One row as a line of text.
struct Line<'a> {
    row: &'a Row,
    record: &'a ConnectionRecord,
    first: Timestamp,
    several: bool,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.row;
        let frame = if self.several {
            format!("{}:{}", row.frame.capture, row.frame.number)
        } else {
            row.frame.number.to_string()
        };
        let time = row.time.since(self.first).to_string();
        let numbers = self.numbers();
        let (client, arrow, server) = match (row.icmp, row.sender) {
            (Some((name, code)), sender) => {
                let code = code.map(|code| format!(" code {code}")).unwrap_or_default();
                let error = format!("{name}{code}");
                match sender {
                    Party::Client => (error, "--------->", String::new()),
                    Party::Server => (String::new(), "<---------", error),
                }
            }
            (None, Party::Client) if self.is_lost() => (numbers, "--------x ", String::new()),
            (None, Party::Client) => (numbers, "--------->", String::new()),
            (None, Party::Server) if self.is_lost() => (String::new(), " x--------", numbers),
            (None, Party::Server) => (String::new(), "<---------", numbers),
        };
        let line = format!(
            "{frame:>9} {time:>15}  {:<20} {client:>26} {arrow} {server:<26}  {}",
            self.what(),
            self.note()
        );
        f.write_str(line.trim_end())
    }
}

impl Line<'_> {
    fn numbers(&self) -> String {
        let row = self.row;
        let ack = row.ack.map(|ack| format!(" A={ack}")).unwrap_or_default();
        format!("S={} L={}{ack}", row.seq, row.len)
    }

    fn what(&self) -> String {
        let row = self.row;
        match row.class {
            Class::Syn if row.flags.ack() => "SYN,ACK".to_owned(),
            Class::Syn => "SYN".to_owned(),
            Class::Data => "data".to_owned(),
            Class::Retransmission => "data again".to_owned(),
            Class::Ack => "ack".to_owned(),
            Class::OldAck => "old ack".to_owned(),
            Class::Fin => "FIN".to_owned(),
            Class::Reset => "RST".to_owned(),
            Class::StaleReset => "RST (without effect)".to_owned(),
            Class::Probe { run, .. } => format!("KEEPALIVE {run}"),
            Class::Answer { kind, .. } => match kind {
                AnswerKind::Ack => "answer".to_owned(),
                AnswerKind::Data => "answer with data".to_owned(),
                AnswerKind::Reset => "answer: RST".to_owned(),
                AnswerKind::Icmp(_) => "answer: ICMP".to_owned(),
            },
            Class::Candidate { .. } => "ack, or a keepalive".to_owned(),
            Class::LookAlike(kind) => kind.name().replace('_', " "),
            Class::Copy => "(copy)".to_owned(),
        }
    }

    fn probe(&self, event: u32) -> Option<&ProbeRecord> {
        let probers = self.record.probers();
        probers.flat_map(|(_, prober)| &prober.probes).find(|probe| probe.event == event)
    }

    /// Whether it is a probe without an answer.
    fn is_lost(&self) -> bool {
        match self.row.class {
            Class::Probe { probe, .. } => self.probe(probe).is_some_and(|probe| probe.answer.is_none()),
            _ => false,
        }
    }

    /// What a probe or an answer adds.
    fn note(&self) -> String {
        if self.is_lost() {
            return "no answer".to_owned();
        }
        let Class::Answer { probe, .. } = self.row.class else { return String::new() };
        let Some((probe, answer)) = self.probe(probe).and_then(|probe| Some((probe, probe.answer?))) else {
            return String::new();
        };
        let dsack = if answer.dsack { ", D-SACK" } else { "" };
        format!("to {} after {}{dsack}", probe.segment.at.frame.number, round_trip(answer.rtt))
    }
}
