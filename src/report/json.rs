//! One JSON document, `keepscope.analysis/1`.

use std::io::{self, Write};

use serde::Serialize;

use super::CaptureReport;
use super::model::{ANALYSIS_SCHEMA, Capture, Connection};
use crate::analysis::ConnectionRecord;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    captures: Vec<Capture<'a>>,
    connections: Vec<Connection>,
}

/// Writes the document; connections stand in the order of their numbers.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write(
    out: &mut dyn Write,
    captures: &[CaptureReport],
    connections: &[ConnectionRecord],
) -> io::Result<()> {
    let mut ordered: Vec<&ConnectionRecord> = connections.iter().collect();
    ordered.sort_by_key(|record| record.id);
    let document = Document {
        schema: ANALYSIS_SCHEMA,
        captures: captures.iter().map(Capture::from).collect(),
        connections: ordered.into_iter().map(|record| Connection::new(record, true)).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}
