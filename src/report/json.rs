//! One JSON document, `keepscope.analysis/1`.

use std::io::{self, Write};

use serde::Serialize;

use super::CaptureReport;
use super::let_go::LetGoLine;
use super::model::{ANALYSIS_SCHEMA, Capture, Connection};
use crate::analysis::ConnectionRecord;
use crate::track::LetGo;

#[derive(Serialize)]
struct Document<'a, P> {
    schema: &'static str,
    captures: Vec<Capture<'a>>,
    connections: Vec<Connection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    let_go: Option<LetGoLine>,
    /// How the packets came about, where we made them ourselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<P>,
}

/// Writes the document; connections stand in the order of their numbers.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write(
    out: &mut dyn Write,
    captures: &[CaptureReport],
    let_go: LetGo,
    connections: &[ConnectionRecord],
) -> io::Result<()> {
    let connections: Vec<&ConnectionRecord> = connections.iter().collect();
    write_document(out, captures, let_go, &connections, None::<()>)
}

/// Writes the document with `probe` beside what was found.
#[cfg(feature = "live")]
pub(super) fn write_with(
    out: &mut dyn Write,
    captures: &[CaptureReport],
    connections: &[&ConnectionRecord],
    probe: Option<impl Serialize>,
) -> io::Result<()> {
    write_document(out, captures, LetGo::default(), connections, probe)
}

fn write_document(
    out: &mut dyn Write,
    captures: &[CaptureReport],
    let_go: LetGo,
    connections: &[&ConnectionRecord],
    probe: Option<impl Serialize>,
) -> io::Result<()> {
    let mut ordered = connections.to_vec();
    ordered.sort_by_key(|record| record.id);
    let document = Document {
        schema: ANALYSIS_SCHEMA,
        captures: captures.iter().map(Capture::from).collect(),
        connections: ordered.into_iter().map(|record| Connection::new(record, true)).collect(),
        let_go: LetGoLine::of(let_go),
        probe,
    };
    crate::report::escaped::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}
