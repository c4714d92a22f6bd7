//! What becomes of events on their way to the output: lines at once, or records to show in the end.
//!
//! Owns [`Teller`] and the [`Choice`] of connections.

use std::collections::HashMap;
use std::io::{self, Write};

use super::Format;
use crate::analysis::filter::Filter;
use crate::analysis::{Collector, Finished, Recorded};
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
    pub(super) kept: Vec<Finished>,
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
    /// Whether a connection may be shown of which there are no events but the last.
    pub(super) fn may_include_silent(&self) -> bool {
        self.connection.is_some() || self.all || self.filter.wants_no_keepalive()
    }

    fn includes(&self, connection: &impl Recorded) -> bool {
        match self.connection {
            Some(id) => connection.id() == id,
            None => {
                let wanted = self.all || connection.has_keepalives() || self.filter.wants_no_keepalive();
                // What has nothing to pass is not judged yet.
                wanted && (self.filter == Filter::default() || self.filter.passes(&*connection.record()))
            }
        }
    }
}

impl<W: Write> Teller<W> {
    /// Takes an event.
    pub(super) fn take(&mut self, event: Event) -> io::Result<()> {
        let Some(finished) = self.sink.collector.take(&event) else {
            return if self.format == Format::Jsonl { self.stream(event) } else { Ok(()) };
        };
        self.with_keepalives += u64::from(finished.has_keepalives());
        match self.format {
            Format::Jsonl => self.stream_last(&event, finished),
            Format::Csv => {
                let record = finished.record().into_owned();
                if !self.choice.includes(&record) {
                    return Ok(());
                }
                csv::connection(&mut self.out, &record)?;
                self.keep_if_needed(finished);
                Ok(())
            }
            Format::Text | Format::Json | Format::Html => {
                if self.choice.includes(&finished) {
                    self.sink.kept.push(finished);
                }
                Ok(())
            }
        }
    }

    /// Keeps a connection that was written, where somebody asks for it again.
    fn keep_if_needed(&mut self, finished: Finished) {
        if self.keeps {
            self.sink.kept.push(finished);
        }
    }

    /// Writes the last word about a connection.
    fn stream_last(&mut self, event: &Event, finished: Finished) -> io::Result<()> {
        let id = event.connection;
        let held = self.sink.held.remove(&id);
        let record = finished.record().into_owned();
        let included = self.choice.includes(&record);
        // A connection that was spoken of gets its last word, even if its only probe was retracted.
        if included || matches!(held, Some(Held::Wanted)) {
            if let Some(Held::Waiting(events)) = held {
                events.iter().try_for_each(|event| jsonl::event(&mut self.out, event))?;
            }
            jsonl::last(&mut self.out, id, event.number, &record)?;
        }
        if included {
            self.keep_if_needed(finished);
        }
        Ok(())
    }

    /// Writes an event as a line as soon as it is certain that its connection is wanted.
    fn stream(&mut self, event: Event) -> io::Result<()> {
        let id = event.connection;
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
