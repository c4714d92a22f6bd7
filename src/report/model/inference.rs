//! Inferred settings in the output model.

use serde::Serialize;

use super::marks::MarkLine;
use crate::analysis::Inference;
use crate::analysis::inference::{Estimate, Explanation, Setting};
use crate::report::number::Seconds;

/// The settings of a prober in `keepscope.analysis/1`.
#[derive(Serialize)]
pub(in crate::report) struct Inferred {
    idle: Option<Observed>,
    interval: Option<Observed>,
    count: Option<Counted>,
    settings: Vec<Fitting>,
    marks: Vec<MarkLine>,
}

#[derive(Serialize)]
struct Observed {
    estimate_s: Seconds,
    low_s: Seconds,
    high_s: Seconds,
    samples: usize,
}

#[derive(Serialize)]
struct Counted {
    value: u32,
    exact: bool,
}

#[derive(Serialize)]
struct Fitting {
    stack: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hz: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<&'static str>,
    idle_s: Option<Seconds>,
    idle_range_s: Option<[Seconds; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_s: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_range_s: Option<[Seconds; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_timeout_s: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_timeout_range_s: Option<[Seconds; 2]>,
    score: f64,
}

impl From<&Estimate> for Observed {
    fn from(seen: &Estimate) -> Self {
        Self {
            estimate_s: seen.value.into(),
            low_s: seen.low.into(),
            high_s: seen.high.into(),
            samples: seen.samples,
        }
    }
}

fn range(setting: Setting) -> [Seconds; 2] {
    [setting.low.into(), setting.high.into()]
}

impl From<&Explanation> for Fitting {
    fn from(explanation: &Explanation) -> Self {
        Self {
            stack: explanation.stack,
            hz: explanation.hz,
            application: explanation.application,
            idle_s: explanation.idle.map(|idle| idle.value.into()),
            idle_range_s: explanation.idle.map(range),
            interval_s: explanation.interval.map(|interval| interval.value.into()),
            interval_range_s: explanation.interval.map(range),
            count: explanation.count,
            user_timeout_s: explanation.user_timeout.map(|timeout| timeout.value.into()),
            user_timeout_range_s: explanation.user_timeout.map(range),
            score: (explanation.score * 1000.0).round() / 1000.0,
        }
    }
}

impl From<&Inference> for Inferred {
    fn from(inference: &Inference) -> Self {
        Self {
            idle: inference.idle.as_ref().map(Observed::from),
            interval: inference.interval.as_ref().map(Observed::from),
            count: inference.count.map(|count| Counted { value: count.value, exact: count.exact }),
            settings: inference.settings.iter().map(Fitting::from).collect(),
            marks: inference.marks.iter().map(MarkLine::from).collect(),
        }
    }
}
