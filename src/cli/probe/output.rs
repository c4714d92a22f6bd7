//! Where what happens goes: lines on standard output, messages on standard error, packets into a file.

use std::io::{self, BufWriter, Stdout, Write};

use super::{Arguments, Format};
use crate::analysis::Recorded;
use crate::cli::complain;
use crate::frame::Frame;
use crate::live::engine::{Listener, News, Report};
use crate::live::recording::Recording;
use crate::live::wire::Received;
use crate::report::probe::{self, Asked, Manner, Teller};
use crate::report::text::Style;
use crate::report::{CaptureReport, jsonl};
use crate::time::{Span, Timestamp};

/// What the packets of a run are called where they stand in no file.
const LIVE: &str = "live";

/// The output of a run.
pub(super) struct Output {
    format: Format,
    style: Style,
    plain: bool,
    teller: Teller,
    out: BufWriter<Stdout>,
    recording: Option<Recording>,
    /// Nothing that was to be recorded is missing.
    kept: bool,
}

impl Output {
    /// Begins it.
    pub(super) fn begin(
        arguments: &Arguments,
        asked: &Asked,
        recording: Option<Recording>,
        now: Timestamp,
    ) -> io::Result<Self> {
        let words = Manner::Words { numbered: asked.connections > 1, count: asked.order.settings.count };
        let manner = if arguments.plain { Manner::Plain } else { words };
        let style = if arguments.plain { Style::default() } else { arguments.color.style() };
        let mut output = Self {
            format: arguments.format(),
            style,
            plain: arguments.plain,
            teller: Teller::new(manner, now),
            out: BufWriter::new(io::stdout()),
            recording,
            kept: true,
        };
        match output.format {
            Format::Text if manner != Manner::Plain => probe::announce(&mut output.out, asked)?,
            Format::Jsonl => jsonl::header(&mut output.out)?,
            Format::Text | Format::Json => {}
        }
        output.out.flush()?;
        Ok(output)
    }

    /// Ends the recording; returns how many packets are in it.
    pub(super) fn finish_recording(&mut self, now: Timestamp, received: Received) -> Option<u64> {
        match self.recording.take()?.finish(now, received) {
            Ok(packets) => Some(packets),
            Err(problem) => {
                self.kept = false;
                complain(&format!("error: {problem}"));
                None
            }
        }
    }

    /// Whether nothing that was to be recorded is missing.
    pub(super) fn has_kept_all(&self) -> bool {
        self.kept
    }

    /// Writes what the run came to.
    pub(super) fn finish(&mut self, asked: &Asked, report: &Report, now: Timestamp) -> io::Result<()> {
        let recorded = self.finish_recording(now, report.received);
        let capture = CaptureReport {
            path: asked.recording.clone().unwrap_or_else(|| LIVE.to_owned()),
            packets: report.packets,
            counts: report.counts.clone(),
            problems: Vec::new(),
            dropped: report.received.dropped,
        };
        match self.format {
            Format::Text if self.plain => probe::plain_summary(&mut self.out, report, now)?,
            Format::Text => {
                probe::summary(&mut self.out, report, self.style)?;
                if let (Some(packets), Some(path)) = (recorded, &asked.recording) {
                    writeln!(self.out, "{packets} packets in {path}")?;
                }
            }
            Format::Json => probe::json(&mut self.out, &[capture], asked, report)?,
            Format::Jsonl => {
                jsonl::captures(&mut self.out, &[capture])?;
                probe::verdicts(&mut self.out, report)?;
            }
        }
        self.out.flush()
    }
}

impl Listener for Output {
    fn packet(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        if let Some(recording) = &mut self.recording
            && let Err(problem) = recording.frame(frame)
        {
            // The run is worth more than its recording.
            self.kept = false;
            complain(&format!("error: {problem}; probing goes on without a recording"));
        }
        Ok(())
    }

    fn news(&mut self, news: &News) -> io::Result<()> {
        match news {
            News::NotSent { index, error } => {
                complain(&format!("note: connection {}: {error}", index + 1));
            }
            News::InterfaceLost { name } => complain(&format!("note: the interface {name} was lost")),
            News::ClockStepped { nanos } => {
                let span = Span::from_nanos(*nanos);
                complain(&format!("note: the clock was set by {span} s; times here go on without a step"));
            }
            _ => {}
        }
        match (self.format, news) {
            (Format::Text, news) => self.teller.tell(&mut self.out, news)?,
            (Format::Jsonl, News::Event { index: Some(_), event, .. }) => jsonl::event(&mut self.out, event)?,
            (Format::Jsonl, News::Last { index: Some(_), number, finished }) => {
                let record = finished.record();
                jsonl::last(&mut self.out, record.id, *number, &record)?;
            }
            _ => return Ok(()),
        }
        self.out.flush()
    }
}
