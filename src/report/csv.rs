//! One line per probe, with a header, comma-separated. No field can hold a comma or a quote.

use std::io::{self, Write};

use super::number::Micros;
use crate::analysis::{ConnectionRecord, ProbeRecord};
use crate::time::Span;

const HEADER: &str = "connection,client,server,start,outcome,prober,capture,frame,time_s,octets,\
                      silence_s,quiet_s,run,answer,answer_capture,answer_frame,rtt_us";

/// Writes the header line.
///
/// # Errors
/// If `out` cannot be written to.
pub fn header(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{HEADER}")
}

/// Writes a line for each probe of a connection; a connection without probes has none.
///
/// # Errors
/// If `out` cannot be written to.
pub fn connection(out: &mut dyn Write, record: &ConnectionRecord) -> io::Result<()> {
    for (party, prober) in record.probers() {
        for probe in &prober.probes {
            write!(
                out,
                "{},{},{},{},{},{},",
                record.id,
                record.opened.client,
                record.opened.server,
                record.opened.start.name(),
                record.verdict.outcome.name(),
                party.name()
            )?;
            writeln!(out, "{}", fields(probe))?;
        }
    }
    Ok(())
}

fn fields(probe: &ProbeRecord) -> String {
    let shown = &probe.segment;
    let seconds = |span: Option<Span>| span.map(|span| span.to_string()).unwrap_or_default();
    let answer = probe.answer.map_or(",,,".to_owned(), |answer| {
        let frame = answer.at.frame;
        format!("{},{},{},{}", answer.kind.name(), frame.capture, frame.number, Micros(answer.rtt))
    });
    format!(
        "{},{},{},{},{},{},{},{answer}",
        shown.at.frame.capture,
        shown.at.frame.number,
        shown.at.time,
        shown.octets,
        seconds(shown.silence),
        seconds(shown.quiet),
        shown.run
    )
}
