//! One JSON document, `keepscope.analysis/1`.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::CaptureReport;
use super::let_go::LetGoLine;
use super::model::{ANALYSIS_SCHEMA, Capture, Connection};
use crate::analysis::Recorded;
use crate::track::LetGo;

#[derive(Serialize)]
struct Document<'a, R: Recorded, P> {
    schema: &'static str,
    captures: Vec<Capture<'a>>,
    #[serde(serialize_with = "one_by_one")]
    connections: Vec<&'a R>,
    #[serde(skip_serializing_if = "Option::is_none")]
    let_go: Option<LetGoLine>,
    /// How the packets came about, where we made them ourselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<P>,
}

/// Makes each connection when it is written.
fn one_by_one<S: Serializer>(connections: &[&impl Recorded], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(connections.iter().map(|connection| Written(*connection)))
}

/// A connection as it is written.
struct Written<'a, R>(&'a R);

impl<R: Recorded> Serialize for Written<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Connection::new(&self.0.record(), true).serialize(serializer)
    }
}

/// Writes the document; connections stand in the order of their numbers.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write(
    out: &mut dyn Write,
    captures: &[CaptureReport],
    let_go: LetGo,
    connections: &[impl Recorded],
) -> io::Result<()> {
    write_document(out, captures, let_go, connections, None::<()>)
}

/// Writes the document with `probe` beside what was found.
#[cfg(feature = "live")]
pub(super) fn write_with(
    out: &mut dyn Write,
    captures: &[CaptureReport],
    connections: &[impl Recorded],
    probe: Option<impl Serialize>,
) -> io::Result<()> {
    write_document(out, captures, LetGo::default(), connections, probe)
}

fn write_document(
    out: &mut dyn Write,
    captures: &[CaptureReport],
    let_go: LetGo,
    connections: &[impl Recorded],
    probe: Option<impl Serialize>,
) -> io::Result<()> {
    let mut ordered: Vec<_> = connections.iter().collect();
    ordered.sort_by_key(|connection| connection.id());
    let document = Document {
        schema: ANALYSIS_SCHEMA,
        captures: captures.iter().map(Capture::from).collect(),
        connections: ordered,
        let_go: LetGoLine::of(let_go),
        probe,
    };
    crate::report::escaped::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}
