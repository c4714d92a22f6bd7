//! What becomes of events on their way to the output: lines at once, or records to show in the end.
//!
//! Owns [`Teller`] and the [`Choice`] of connections.

use std::collections::HashMap;
use std::io::{self, Write};

use super::Format;
use crate::analysis::filter::Filter;
use crate::analysis::{Collector, ConnectionRecord};
use crate::report::text::Style;
use crate::report::{csv, jsonl};
use crate::track::event::{ConnectionId, Event, EventKind};

/// Takes events, and writes those formats that are written as events come.
pub(super) struct Teller<W: Write> {
    pub(super) choice: Choice,
    pub(super) format: Format,
    pub(super) style: Style,
    pub(super) sink: Sink,
    pub(super) with_keepalives: u64,
    /// Records are needed after they were shown.
    pub(super) keeps: bool,
    pub(super) out: W,
}

/// Where events go on their way to the output.
#[derive(Default)]
pub(super) struct Sink {
    collector: Collector,
    pub(super) kept: Vec<ConnectionRecord>,
    held: HashMap<ConnectionId, Held>,
}

/// The events of a connection that may not be written yet, or never.
enum Held {
    /// Not known yet whether the connection is wanted.
    Waiting(Vec<Event>),
    Wanted,
    Unwanted,
}

/// Which connections are shown.
pub(super) struct Choice {
    pub(super) filter: Filter,
    pub(super) connection: Option<ConnectionId>,
    pub(super) all: bool,
}

impl Choice {
    fn includes(&self, record: &ConnectionRecord) -> bool {
        match self.connection {
            Some(id) => record.id == id,
            None => {
                (self.all || record.has_keepalives() || self.filter.wants_no_keepalive())
                    && self.filter.passes(record)
            }
        }
    }
}

impl<W: Write> Teller<W> {
    /// Takes an event.
    pub(super) fn take(&mut self, event: Event) -> io::Result<()> {
        let finished = self.sink.collector.on_event(&event);
        if let Some(record) = &finished {
            self.with_keepalives += u64::from(record.has_keepalives());
            let is_streamed = matches!(self.format, Format::Jsonl | Format::Csv);
            if self.keeps && is_streamed && self.choice.includes(record) {
                self.sink.kept.push(record.clone());
            }
        }
        match (self.format, finished) {
            (Format::Jsonl, finished) => self.stream(event, finished),
            (Format::Csv, Some(record)) if self.choice.includes(&record) => {
                csv::connection(&mut self.out, &record)
            }
            (Format::Text | Format::Json | Format::Html, Some(record)) if self.choice.includes(&record) => {
                self.sink.kept.push(record);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Writes an event as a line as soon as it is certain that its connection is wanted.
    fn stream(&mut self, event: Event, finished: Option<ConnectionRecord>) -> io::Result<()> {
        let id = event.connection;
        if let Some(record) = finished {
            let held = self.sink.held.remove(&id);
            // A connection that was spoken of gets its last word, even if its only probe was retracted.
            if !matches!(held, Some(Held::Wanted)) && !self.choice.includes(&record) {
                return Ok(());
            }
            if let Some(Held::Waiting(events)) = held {
                events.iter().try_for_each(|event| jsonl::event(&mut self.out, event))?;
            }
            return jsonl::last(&mut self.out, id, event.number, &record);
        }
        let held = self.sink.held.entry(id).or_insert_with(|| Held::Waiting(Vec::new()));
        match held {
            Held::Unwanted => Ok(()),
            Held::Wanted => jsonl::event(&mut self.out, &event),
            Held::Waiting(events) => {
                match self.choice.decides(&event) {
                    Some(false) => *held = Held::Unwanted,
                    Some(true) => {
                        let earlier = std::mem::take(events);
                        *held = Held::Wanted;
                        earlier.iter().try_for_each(|event| jsonl::event(&mut self.out, event))?;
                        jsonl::event(&mut self.out, &event)?;
                    }
                    None => events.push(event),
                }
                Ok(())
            }
        }
    }
}

impl Choice {
    /// Whether an event decides that its connection is wanted, or that it is not.
    fn decides(&self, event: &Event) -> Option<bool> {
        if let Some(id) = self.connection {
            return Some(event.connection == id);
        }
        match &event.kind {
            EventKind::Opened(opened) if !self.filter.may_pass(opened) => Some(false),
            _ if self.filter.needs_outcome() => None,
            EventKind::Probe(_) => Some(true),
            _ => (self.all || self.filter.wants_no_keepalive()).then_some(true),
        }
    }
}
