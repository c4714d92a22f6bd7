//! What happens, a line each, as it happens: for people, or with absolute times for programs that read lines.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::since;
use crate::live::engine::{News, Terms};
use crate::live::wire::Ended;
use crate::report::model::icmp_name;
use crate::report::text::round_trip;
use crate::segment::{Endpoint, SeqNum};
use crate::time::{Span, Timestamp};
use crate::track::event::{Answer, AnswerKind, ConnectionId, Event, EventKind, Mark, Party, Probe};

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Time since the beginning, in words; connections are numbered where there are several.
    Words {
        /// Several connections.
        numbered: bool,
        /// Probes without an answer after which a peer is called silent.
        count: u32,
    },
    /// Absolute time, number of the connection, what, and values with their names.
    Plain,
}

/// A probe that may still be answered.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    sent: Mark,
    /// That no answer came was told.
    told: bool,
}

/// Tells news.
#[derive(Debug)]
pub struct Teller {
    manner: Manner,
    start: Timestamp,
    /// The probes that are not answered yet.
    waiting: BTreeMap<(ConnectionId, u32), Waiting>,
    /// Connections that were let go; what their last word says stands in the summary.
    closed: Vec<ConnectionId>,
}

impl Teller {
    /// Tells what happens from `start` on.
    pub fn new(manner: Manner, start: Timestamp) -> Self {
        Self { manner, start, waiting: BTreeMap::new(), closed: Vec::new() }
    }

    /// Tells one thing, if it is for the reader of lines.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn tell(&mut self, out: &mut dyn Write, news: &News) -> io::Result<()> {
        match news {
            News::Opened { index, local, remote, time, terms } => {
                self.opened(out, *index, (*local, *remote), *time, *terms)
            }
            News::NotOpened { index, how, time } => {
                let why = not_opened(*how);
                let plain = self.manner == Manner::Plain;
                let text =
                    if plain { format!("not_opened why={why:?}") } else { format!("not opened: {why}") };
                self.line(out, *index, *time, &text)
            }
            News::Event { index: Some(index), event, first } => self.event(out, *index, event, *first),
            News::Event { .. } | News::Last { .. } => Ok(()),
            // Messages, not data: whoever has the standard error says them.
            News::NotSent { .. }
            | News::NotSeen { .. }
            | News::InterfaceLost { .. }
            | News::ClockStepped { .. } => Ok(()),
        }
    }

    fn opened(
        &self,
        out: &mut dyn Write,
        index: usize,
        (local, remote): (Endpoint, Endpoint),
        time: Timestamp,
        terms: Terms,
    ) -> io::Result<()> {
        let Terms { timestamps, sack, .. } = terms;
        if self.manner == Manner::Plain {
            let text = format!("opened local={local} remote={remote} timestamps={timestamps} sack={sack}");
            return self.line(out, index, time, &text);
        }
        let with = match (timestamps, sack) {
            (true, true) => ", with timestamps and SACK",
            (true, false) => ", with timestamps, without SACK",
            (false, true) => ", with SACK, without timestamps",
            (false, false) => ", without timestamps and SACK",
        };
        self.line(out, index, time, &format!("opened {local} -> {remote}{with}"))
    }

    fn line(&self, out: &mut dyn Write, index: usize, time: Timestamp, text: &str) -> io::Result<()> {
        match self.manner {
            Manner::Plain => writeln!(out, "{time} {} {text}", index + 1),
            Manner::Words { .. } => {
                writeln!(out, "{:>12}  {}{text}", since(self.start, time), self.number(index))
            }
        }
    }

    /// The number of a connection, where there are several.
    fn number(&self, index: usize) -> String {
        match self.manner {
            Manner::Words { numbered: true, .. } => format!("#{:<3} ", index + 1),
            _ => String::new(),
        }
    }

    fn event(
        &mut self,
        out: &mut dyn Write,
        index: usize,
        event: &Event,
        first: Option<(SeqNum, SeqNum)>,
    ) -> io::Result<()> {
        let key = |probe: u32| (event.connection, probe);
        match &event.kind {
            EventKind::Probe(probe) if probe.segment.prober == Party::Client => {
                if probe.segment.run > 1 {
                    self.unanswered(out, index, event.connection)?;
                }
                self.waiting.insert(key(event.number), Waiting { sent: probe.segment.at, told: false });
                let text = self.probe(probe, first);
                self.line(out, index, probe.segment.at.time, &text)
            }
            EventKind::Probe(probe) => {
                let (run, packet) = (probe.segment.run, probe.segment.at.frame);
                let text = if self.manner == Manner::Plain {
                    format!("peers_probe packet={packet} run={run}")
                } else {
                    format!("the peer probes us [packet {packet}]")
                };
                self.line(out, index, probe.segment.at.time, &text)
            }
            EventKind::Answer(answer) => match self.waiting.remove(&key(answer.probe)) {
                Some(_) => {
                    let text = self.answer(answer);
                    self.line(out, index, answer.at.time, &text)
                }
                None => Ok(()),
            },
            EventKind::Unanswered { probe } => match self.waiting.remove(&key(*probe)) {
                Some(Waiting { sent, told: false }) => self.no_answer(out, index, sent),
                _ => Ok(()),
            },
            EventKind::Reset { by, at, marks } if !self.closed.contains(&event.connection) => {
                let text = if self.manner == Manner::Plain {
                    format!("reset by={} packet={} ttl={}", by.name(), at.frame, marks.ttl)
                } else {
                    format!("RST from the {}'s address, TTL {} [packet {}]", by.name(), marks.ttl, at.frame)
                };
                self.line(out, index, at.time, &text)
            }
            EventKind::Fin { by, at, .. } => {
                self.closed.push(event.connection);
                let text = if self.manner == Manner::Plain {
                    format!("fin by={} packet={}", by.name(), at.frame)
                } else if *by == Party::Client {
                    format!("closed by FIN [packet {}]", at.frame)
                } else {
                    format!("the peer's FIN [packet {}]", at.frame)
                };
                self.line(out, index, at.time, &text)
            }
            _ => Ok(()),
        }
    }

    /// The next probe of a run leaves: those before it have no answer yet.
    fn unanswered(&mut self, out: &mut dyn Write, index: usize, id: ConnectionId) -> io::Result<()> {
        let mut silent = Vec::new();
        for (_, waiting) in self.waiting.range_mut((id, 0)..=(id, u32::MAX)) {
            if !std::mem::replace(&mut waiting.told, true) {
                silent.push(waiting.sent);
            }
        }
        silent.into_iter().try_for_each(|sent| self.no_answer(out, index, sent))
    }

    fn no_answer(&self, out: &mut dyn Write, index: usize, sent: Mark) -> io::Result<()> {
        if self.manner == Manner::Plain {
            return self.line(out, index, sent.time, &format!("unanswered packet={}", sent.frame));
        }
        writeln!(out, "{:12}  {}  no answer [to packet {}]", "", self.number(index), sent.frame)
    }

    fn probe(&self, probe: &Probe, first: Option<(SeqNum, SeqNum)>) -> String {
        let shown = &probe.segment;
        let (iss, irs) = first.unwrap_or_default();
        let seq = shown.seq.distance_from(iss);
        let ack = shown.ack.distance_from(irs);
        let (run, octets, ttl, packet) = (shown.run, shown.octets, shown.ttl, shown.at.frame);
        if self.manner == Manner::Plain {
            let rest = format!("octets={octets} ttl={ttl}");
            return format!("probe packet={packet} run={run} seq={seq} ack={ack} {rest}");
        }
        let data = if octets == 0 { "no data" } else { "1 octet" };
        let run = match self.manner {
            // The first of a run is nothing to be counted yet.
            Manner::Words { count, .. } if run > 1 && run <= count => format!(" {run} of {count}"),
            _ => String::new(),
        };
        format!("probe{run}, SEQ {seq} ACK {ack}, {data} [packet {packet}]")
    }

    fn answer(&self, answer: &Answer) -> String {
        let (kind, packet) = (answer.kind, answer.at.frame);
        if self.manner == Manner::Plain {
            let micros = answer.rtt.as_nanos() / 1000;
            let ttl = answer.ttl;
            return format!("answer packet={packet} kind={} rtt_us={micros} ttl={ttl}", kind.name());
        }
        let what = match kind {
            AnswerKind::Ack if answer.dsack => "ACK with D-SACK".to_owned(),
            AnswerKind::Ack => "ACK".to_owned(),
            AnswerKind::Data => "data".to_owned(),
            AnswerKind::Reset => "RST".to_owned(),
            AnswerKind::Icmp(kind) => {
                let (name, code) = icmp_name(kind);
                let code = code.map_or_else(String::new, |code| format!(", code {code},"));
                let from = answer.reporter.map_or_else(String::new, |from| format!(" from {from}"));
                format!("ICMP {}{code}{from}", name.replace('_', " "))
            }
        };
        let rtt: Span = answer.rtt;
        format!("  answered by {what} after {}, TTL {} [packet {packet}]", round_trip(rtt), answer.ttl)
    }
}

/// Why a connection could not be opened, in a few words.
fn not_opened(how: Ended) -> String {
    match how {
        Ended::Refused => "refused".to_owned(),
        Ended::Reset => "reset".to_owned(),
        Ended::TimedOut => "timed out".to_owned(),
        Ended::Unreachable => "unreachable".to_owned(),
        Ended::ClosedByPeer => "closed by the peer".to_owned(),
        Ended::Other(errno) => io::Error::from_raw_os_error(errno).to_string(),
    }
}
