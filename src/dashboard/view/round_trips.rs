//! Round trips of the last probes, one column each: a loss is a mark at the foot, and no line goes through it.

use super::ladder::is_waiting;
use super::pen::Pen;
use super::timeline::prober;
use crate::analysis::median;
use crate::dashboard::model::{Model, Panel, Session};
use crate::dashboard::text::{brief, fit_right};
use crate::dashboard::theme::Role;
use crate::time::Span;

/// Columns for the scale.
const SCALE: u16 = 9;

pub(super) fn draw(model: &Model, session: &Session, pen: &mut Pen<'_>) {
    let found = prober(session).map(|(_, prober)| prober);
    let trips = found.map(|prober| prober.round_trips()).unwrap_or_default();
    let right = median(&trips).map_or(String::new(), |p50| format!("p50 {}", brief(p50)));
    let mut pen = pen.panel("RTT", &right, model.choices.focus == Panel::RoundTrips);
    let Some(prober) = found.filter(|_| pen.height() >= 2 && pen.width() > SCALE + 4) else { return };
    let point = model.choices.theme.glyphs().point;
    let (rows, columns) = (pen.height() - 1, usize::from(pen.width() - SCALE));
    let first = prober.probes.len().saturating_sub(columns);
    let shown = prober.probes.get(first..).unwrap_or_default();
    let times = || shown.iter().filter(|probe| probe.is_answered_by_peer()).filter_map(|probe| probe.answer);
    let high = times().map(|answer| answer.rtt).max();
    let low = times().map(|answer| answer.rtt).min();
    if let Some((low, high)) = low.zip(high) {
        pen.put(0, 0, &fit_right(&brief(high), usize::from(SCALE) - 1, ' '), Role::Faint);
        if rows > 1 {
            pen.put(0, rows - 1, &fit_right(&brief(low), usize::from(SCALE) - 1, ' '), Role::Faint);
        }
    }
    pen.put(0, rows, &fit_right("lost", usize::from(SCALE) - 1, ' '), Role::Faint);
    for (column, probe) in (SCALE..).zip(shown) {
        match probe.answer.filter(|_| probe.is_answered_by_peer()).zip(low.zip(high)) {
            Some((answer, (low, high))) => {
                let range = longer(high, low).max(1);
                let above = longer(answer.rtt, low);
                let step = i128::from(rows.saturating_sub(1)) * i128::from(above) / i128::from(range);
                let y = rows.saturating_sub(1).saturating_sub(step as u16);
                pen.put(column, y, point, Role::Good);
            }
            None if is_waiting(session, probe.segment.at.time) => {
                pen.put(column, rows, "?", Role::Text);
            }
            None => {
                pen.put(column, rows, "x", Role::Doubt);
            }
        }
    }
}

/// How much longer one is than the other, in nanoseconds.
fn longer(one: Span, other: Span) -> i64 {
    one.as_nanos().saturating_sub(other.as_nanos())
}
