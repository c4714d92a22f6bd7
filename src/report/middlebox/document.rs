//! The JSON document `keepscope.middlebox/1`, and the same as lines.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::examined::{LocateModel, RefreshModel, locate_model, refresh_model};
use super::trial::TrialLine;
use super::{Asked, Result, Rounded, fitting};
use crate::report::number::Seconds;
use crate::search::{Confidence, Confounder, Finding, Trial, Verdict, Wanted};
use crate::time::Span;

/// Name and version of the document.
pub(super) const SCHEMA: &str = "keepscope.middlebox/1";

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    target: String,
    address: String,
    partner: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    simulated: Option<String>,
    connections: u32,
    wall_s: Seconds,
    packets: u64,
    dropped: u64,
    interrupted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner_lost: Option<String>,
    translation: Option<TranslationModel>,
    directions: Vec<DirectionModel>,
    products: Vec<ProductModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<RefreshModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locate: Option<LocateModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_examined: Option<String>,
}

#[derive(Serialize)]
struct TranslationModel {
    ours: String,
    seen_by_partner: String,
    translated: bool,
    port_preserved: bool,
}

#[derive(Serialize)]
struct DirectionModel {
    direction: &'static str,
    probe: &'static str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    longest_alive_s: Option<Seconds>,
    shortest_dead_s: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period_s: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_after_s: Option<Seconds>,
    confidence: &'static str,
    confidence_detail: ConfidenceModel,
    at_expiry: &'static str,
    by: &'static str,
    owner: &'static str,
    evidence: Vec<EvidenceModel>,
    caveats: Vec<CaveatModel>,
    trials: Vec<TrialLine>,
}

#[derive(Serialize)]
struct ConfidenceModel {
    died: u32,
    lived: u32,
    otherwise: u32,
    otherwise_at_most: Rounded,
    loss: Rounded,
    false_death: f64,
}

#[derive(Serialize)]
struct EvidenceModel {
    rule: String,
    /// Places in `trials`, from 0.
    trials: Vec<usize>,
}

struct CaveatModel(Confounder);

#[derive(Serialize)]
struct ProductModel {
    name: &'static str,
    title: &'static str,
    idle_s: Seconds,
    directions: Vec<&'static str>,
}

impl From<Confidence> for ConfidenceModel {
    fn from(confidence: Confidence) -> Self {
        Self {
            died: confidence.died,
            lived: confidence.lived,
            otherwise: confidence.otherwise,
            otherwise_at_most: Rounded(confidence.otherwise_at_most),
            loss: Rounded(confidence.loss),
            false_death: confidence.false_death,
        }
    }
}

impl From<&Finding> for DirectionModel {
    fn from(finding: &Finding) -> Self {
        let (mut why, mut period_s, mut ended_after_s) = (None, None, None);
        match finding.verdict {
            Verdict::Inconclusive(reason) => why = Some(reason.name()),
            Verdict::KeptOpenByPeer { period } => period_s = Some(period.into()),
            Verdict::EndedByPeer { after } => ended_after_s = Some(after.into()),
            Verdict::Found | Verdict::NoneBelowMax | Verdict::CannotKnow => {}
        }
        let evidence = finding.evidence.iter();
        Self {
            direction: finding.way.name(),
            probe: finding.form.name(),
            verdict: finding.verdict.name(),
            why,
            longest_alive_s: finding.longest_alive.map(Into::into),
            shortest_dead_s: finding.shortest_dead.map(Into::into),
            period_s,
            ended_after_s,
            confidence: finding.confidence.name(),
            confidence_detail: finding.confidence.into(),
            at_expiry: finding.at_expiry.name(),
            by: finding.by.name(),
            owner: finding.owner.name(),
            evidence: evidence
                .map(|one| EvidenceModel { rule: one.rule.clone(), trials: one.trials.clone() })
                .collect(),
            caveats: finding.caveats.iter().copied().map(CaveatModel).collect(),
            trials: finding.trials.iter().map(Into::into).collect(),
        }
    }
}

impl Serialize for CaveatModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.0.name())?;
        map.serialize_entry("text", self.0.sentence())?;
        let mut span = |name: &str, span: Span| map.serialize_entry(name, &Seconds::from(span));
        match self.0 {
            Confounder::Range { dead_from, alive_to } => {
                span("dead_from_s", dead_from)?;
                span("alive_to_s", alive_to)?;
            }
            Confounder::PeerSpeaks { period, .. } => span("period_s", period)?,
            Confounder::Unasked { from, to, .. } => {
                span("from_s", from)?;
                span("to_s", to)?;
            }
            Confounder::Lifetime { after } => span("after_s", after)?,
            Confounder::ClockGap { gap } => span("gap_s", gap)?,
            _ => {}
        }
        match self.0 {
            Confounder::Loss { lost, tries } => {
                map.serialize_entry("lost", &lost)?;
                map.serialize_entry("tries", &tries)?;
            }
            Confounder::Groups { died, lived } => {
                map.serialize_entry("died", &died)?;
                map.serialize_entry("lived", &lived)?;
            }
            Confounder::Evicted { opened } => map.serialize_entry("opened", &opened)?,
            Confounder::NotOpened { why, times } => {
                map.serialize_entry("why", why.name())?;
                map.serialize_entry("times", &times)?;
            }
            Confounder::PeerSpeaks { times, .. }
            | Confounder::Unasked { times, .. }
            | Confounder::OwnKernel { times } => map.serialize_entry("times", &times)?,
            _ => {}
        }
        map.end()
    }
}

/// The products that fit what was found, each once.
fn products(findings: &[(Wanted, Finding)]) -> Vec<ProductModel> {
    let mut found: Vec<ProductModel> = Vec::new();
    for (_, finding) in findings {
        let way = finding.way.name();
        for (product, idle) in fitting(finding) {
            let (name, title) = (product.name, product.title);
            match found.iter_mut().find(|known| known.name == name) {
                Some(known) => known.directions.push(way),
                None => found.push(ProductModel { name, title, idle_s: idle.into(), directions: vec![way] }),
            }
        }
    }
    found
}

fn document(asked: &Asked, result: &Result) -> Document {
    let used = result.findings.iter().map(|(wanted, _)| super::connections(wanted));
    let used: u32 = used.sum();
    let examined = result.examined.as_ref().map_or(0, |outcome| outcome.connections);
    let used = used.max(u32::try_from(examined).unwrap_or(u32::MAX));
    Document {
        schema: SCHEMA,
        target: asked.target(),
        address: asked.address.to_string(),
        partner: asked.has_partner(),
        simulated: asked.simulated.clone(),
        connections: if used == 0 { asked.connections() } else { used },
        wall_s: result.wall.into(),
        packets: result.packets,
        dropped: result.dropped,
        interrupted: result.interrupted,
        partner_lost: result.partner_lost.clone(),
        translation: result.translation.map(|(ours, seen)| TranslationModel {
            ours: ours.to_string(),
            seen_by_partner: seen.to_string(),
            translated: ours != seen,
            port_preserved: ours.port == seen.port,
        }),
        directions: result.findings.iter().map(|(_, finding)| finding.into()).collect(),
        products: products(&result.findings),
        refresh: result.examined.as_ref().and_then(refresh_model),
        locate: result.examined.as_ref().and_then(locate_model),
        not_examined: result.not_examined.clone(),
    }
}

/// Writes the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(out: &mut dyn Write, asked: &Asked, result: &Result) -> io::Result<()> {
    crate::report::plain::pretty(&mut *out, &document(asked, result))?;
    writeln!(out)
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Schema { schema: &'static str, target: String, address: String },
    Trial(TrialLine),
    Result(Box<Document>),
}

fn line(out: &mut dyn Write, line: &Line) -> io::Result<()> {
    crate::report::plain::compact(&mut *out, line)?;
    writeln!(out)
}

/// Writes the first line.
///
/// # Errors
/// If `out` cannot be written to.
pub fn jsonl_begin(out: &mut dyn Write, asked: &Asked) -> io::Result<()> {
    let (target, address) = (asked.target(), asked.address.to_string());
    line(out, &Line::Schema { schema: SCHEMA, target, address })
}

/// Writes a trial that ended.
///
/// # Errors
/// If `out` cannot be written to.
pub fn jsonl_trial(out: &mut dyn Write, trial: &Trial) -> io::Result<()> {
    line(out, &Line::Trial(trial.into()))
}

/// Writes the last line: the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn jsonl_end(out: &mut dyn Write, asked: &Asked, result: &Result) -> io::Result<()> {
    line(out, &Line::Result(Box::new(document(asked, result))))
}
