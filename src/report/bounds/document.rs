//! The JSON document `keepscope.bounds/1`, and the same as lines.

use std::io::{self, Write};

use serde::Serialize;

use super::{DIRECTIONS, Found, cautions, contradictions, fitting};
use crate::analysis::bounds::{Closings, Doubt, Keepalives, Kept, Path, Silence, Way};
use crate::frame::FrameId;
use crate::report::model::Capture;
use crate::report::number::Seconds;
use crate::time::Span;
use crate::track::event::Mark;

const SCHEMA: &str = "keepscope.bounds/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    captures: Vec<Capture<'a>>,
    min_s: Seconds,
    connections: u64,
    cautions: Vec<Said>,
    paths: Vec<PathModel>,
}

#[derive(Serialize)]
struct Said {
    name: &'static str,
    text: String,
}

impl From<(&'static str, String)> for Said {
    fn from((name, text): (&'static str, String)) -> Self {
        Self { name, text }
    }
}

#[derive(Serialize)]
struct PathModel {
    client: String,
    server: String,
    connections: u64,
    midstream: u64,
    directions: Vec<DirectionModel>,
}

#[derive(Serialize)]
struct DirectionModel {
    direction: &'static str,
    longest_alive_s: Option<Seconds>,
    shortest_dead_s: Option<Seconds>,
    /// The silence behind each.
    lower: Option<SilenceModel>,
    upper: Option<SilenceModel>,
    survived: u64,
    died: u64,
    undecided: u64,
    not_captured: u64,
    contradictions: Vec<Said>,
    died_sooner: Option<KeptModel>,
    survived_longer: Option<KeptModel>,
    keepalives: Option<KeepalivesModel>,
    closings: Option<ClosingsModel>,
    products: Vec<ProductModel>,
}

#[derive(Serialize)]
struct SilenceModel {
    connection: u64,
    direction: &'static str,
    idle_s: Seconds,
    ended_by: &'static str,
    tries: u32,
    result: &'static str,
    weak: Vec<&'static str>,
    before: AtModel,
    opener: AtModel,
    end: AtModel,
}

#[derive(Serialize)]
struct AtModel {
    capture: u32,
    frame: u64,
    time_s: Seconds,
}

#[derive(Serialize)]
struct KeptModel {
    count: u64,
    shortest: Option<SilenceModel>,
    longest: Option<SilenceModel>,
}

#[derive(Serialize)]
struct KeepalivesModel {
    asked: u64,
    answered: u64,
    shortest_idle_s: Option<Seconds>,
    protects_up_to_s: Option<Seconds>,
}

#[derive(Serialize)]
struct ClosingsModel {
    count: u64,
    regular: bool,
    shortest_s: Option<Seconds>,
    longest_s: Option<Seconds>,
    frames: Vec<AtModel>,
}

#[derive(Serialize)]
struct ProductModel {
    name: &'static str,
    title: &'static str,
    idle_s: Seconds,
}

impl From<Mark> for AtModel {
    fn from(mark: Mark) -> Self {
        let FrameId { capture, number } = mark.frame;
        Self { capture, frame: number, time_s: mark.time.into() }
    }
}

impl From<&Silence> for SilenceModel {
    fn from(silence: &Silence) -> Self {
        let direction = DIRECTIONS.iter().find(|(by, _)| *by == silence.by).map_or("", |(_, name)| name);
        Self {
            connection: silence.connection.0,
            direction,
            idle_s: silence.idle.into(),
            ended_by: silence.form.name(),
            tries: silence.tries,
            result: silence.fate.name(),
            weak: silence.doubts.iter().map(Doubt::name).collect(),
            before: silence.before.into(),
            opener: silence.opener.into(),
            end: silence.end.into(),
        }
    }
}

impl KeptModel {
    fn of(kept: &Kept) -> Option<Self> {
        (kept.count > 0).then(|| Self {
            count: kept.count,
            shortest: kept.least.as_ref().map(Into::into),
            longest: kept.most.as_ref().map(Into::into),
        })
    }
}

impl KeepalivesModel {
    fn of(keepalives: Keepalives) -> Option<Self> {
        let idle = |which: fn((Span, Span)) -> Span| keepalives.idle.map(which).map(Into::into);
        (keepalives.asked > 0).then(|| Self {
            asked: keepalives.asked,
            answered: keepalives.answered,
            shortest_idle_s: idle(|(least, _)| least),
            protects_up_to_s: idle(|(_, most)| most),
        })
    }
}

impl ClosingsModel {
    fn of(closings: Closings) -> Option<Self> {
        let Closings { count, least, most } = closings;
        let frames = least.iter().chain(most.iter().filter(|_| count > 1));
        (count > 0).then(|| Self {
            count,
            regular: closings.is_regular(),
            shortest_s: least.map(|(idle, _)| idle.into()),
            longest_s: most.map(|(idle, _)| idle.into()),
            frames: frames.map(|(_, at)| (*at).into()).collect(),
        })
    }
}

impl DirectionModel {
    fn of(way: &Way, direction: &'static str) -> Self {
        let bracket = way.bracket();
        let product = |(product, idle): (&crate::product::Product, Span)| ProductModel {
            name: product.name,
            title: product.title,
            idle_s: idle.into(),
        };
        Self {
            direction,
            longest_alive_s: bracket.lower.map(|silence| silence.idle.into()),
            shortest_dead_s: bracket.upper.map(|silence| silence.idle.into()),
            lower: bracket.lower.as_ref().map(Into::into),
            upper: bracket.upper.as_ref().map(Into::into),
            survived: way.survived,
            died: way.died,
            undecided: way.undecided,
            not_captured: way.not_captured,
            contradictions: contradictions(&bracket).into_iter().map(Said::from).collect(),
            died_sooner: KeptModel::of(&bracket.refuted),
            survived_longer: KeptModel::of(&bracket.beyond),
            keepalives: KeepalivesModel::of(way.keepalives),
            closings: ClosingsModel::of(way.closings),
            products: fitting(&bracket).into_iter().map(product).collect(),
        }
    }
}

impl From<&Path> for PathModel {
    fn from(path: &Path) -> Self {
        Self {
            client: path.key.client.to_string(),
            server: path.key.server.to_string(),
            connections: path.connections,
            midstream: path.midstream,
            directions: DIRECTIONS.iter().map(|(by, name)| DirectionModel::of(path.way(*by), name)).collect(),
        }
    }
}

fn document<'a>(found: &Found<'a>) -> Document<'a> {
    Document {
        schema: SCHEMA,
        captures: found.captures.iter().map(Capture::from).collect(),
        min_s: found.least.into(),
        connections: found.connections,
        cautions: cautions(found).into_iter().map(Said::from).collect(),
        paths: found.paths.iter().map(|path| PathModel::from(*path)).collect(),
    }
}

/// Writes the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(out: &mut dyn Write, found: &Found<'_>) -> io::Result<()> {
    crate::report::plain::pretty(&mut *out, &document(found))?;
    writeln!(out)
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Schema { schema: &'static str },
    Silence(SilenceModel),
    Result(Box<Document<'a>>),
}

fn line(out: &mut dyn Write, line: &Line<'_>) -> io::Result<()> {
    crate::report::plain::compact(&mut *out, line)?;
    writeln!(out)
}

/// Writes the first line.
///
/// # Errors
/// If `out` cannot be written to.
pub fn jsonl_begin(out: &mut dyn Write) -> io::Result<()> {
    line(out, &Line::Schema { schema: SCHEMA })
}

/// Writes a silence of which it is known what came of it.
///
/// # Errors
/// If `out` cannot be written to.
pub fn jsonl_silence(out: &mut dyn Write, silence: &Silence) -> io::Result<()> {
    line(out, &Line::Silence(silence.into()))
}

/// Writes the last line: the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn jsonl_end(out: &mut dyn Write, found: &Found<'_>) -> io::Result<()> {
    line(out, &Line::Result(Box::new(document(found))))
}
