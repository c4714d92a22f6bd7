//! What a search came to, so far or at its end, why, and what to do about it.

use crate::dashboard::middlebox::{Hunt, Pane, Standing};
use crate::dashboard::text::wrap;
use crate::dashboard::theme::Role;
use crate::dashboard::view::pen::Pen;
use crate::report::middlebox::{advice, caution, sentence};
use crate::search::{Finding, Verdict, Wanted};

pub(super) fn draw(hunt: &Hunt, standing: &Standing<'_>, pen: &mut Pen<'_>) {
    let done = standing.moment.view.verdict.is_some();
    let title = if done { "Result" } else { "Result so far" };
    let finding = standing.finding;
    let right = finding.map_or(String::new(), |finding| format!("confidence: {}", finding.confidence.name()));
    let mut pen = pen.panel(title, &right, hunt.pane == Pane::Result);
    let (Some(finding), Some(course)) = (finding, hunt.shown()) else {
        pen.put(1, 0, "nothing yet", Role::Faint);
        return;
    };
    let room = usize::from(pen.width().saturating_sub(2));
    let lines: Vec<(String, Role)> = paragraphs(&course.wanted, finding, hunt.has_inward())
        .into_iter()
        .flat_map(|(words, role)| wrap(&words, room).into_iter().map(move |line| (line, role)))
        .collect();
    let height = usize::from(pen.height());
    let first = hunt.scrolled(Pane::Result).min(lines.len().saturating_sub(height));
    for (y, (words, role)) in (0..).zip(lines.iter().skip(first).take(height)) {
        pen.put(1, y, words, *role);
    }
}

/// The sentence, the advice, what products fit, what may mislead, and the rules that were applied.
fn paragraphs(wanted: &Wanted, finding: &Finding, inward: bool) -> Vec<(String, Role)> {
    let role = match finding.verdict {
        Verdict::Found | Verdict::NoneBelowMax => Role::Strong,
        _ => Role::Doubt,
    };
    let mut all = vec![(sentence(wanted, finding), role)];
    all.extend(advice(wanted, finding, inward).into_iter().map(|advice| (advice, Role::Text)));
    if !finding.products.is_empty() {
        let names: Vec<&str> = finding.products.iter().map(|(name, _)| *name).collect();
        all.push((format!("Fits: {}.", names.join(", ")), Role::Text));
    }
    for caveat in &finding.caveats {
        all.push((format!("Note: {}.", caution(caveat)), Role::Doubt));
    }
    all.extend(finding.evidence.iter().map(|evidence| (evidence.rule.clone(), Role::Faint)));
    all
}
