//! What a search came to, so far or at its end, why, and what to do about it.

use crate::dashboard::middlebox::words::silence;
use crate::dashboard::middlebox::{Hunt, Pane, Standing};
use crate::dashboard::text::{plural, wrap};
use crate::dashboard::theme::Role;
use crate::dashboard::view::pen::Pen;
use crate::report::middlebox::{advice, caution, sentence};
use crate::search::{Finding, Verdict, Wanted, Why};

pub(super) fn draw(hunt: &Hunt, standing: &Standing<'_>, pen: &mut Pen<'_>) {
    let done = standing.moment.view.verdict.is_some();
    let title = if done { "Result" } else { "Result so far" };
    let finding = standing.finding;
    let has_keys = hunt.pane == Pane::Result;
    let (Some(finding), Some(course)) = (finding, hunt.shown()) else {
        pen.panel(title, "", has_keys).put(1, 0, "nothing yet", Role::Faint);
        return;
    };
    // Inside of the frame, with a column free at either side.
    let room = usize::from(pen.width().saturating_sub(4));
    let lines: Vec<(String, Role)> = paragraphs(&course.wanted, finding, hunt.has_inward())
        .into_iter()
        .flat_map(|(words, role)| wrap(&words, room).into_iter().map(move |line| (line, role)))
        .collect();
    let confidence = format!("confidence: {}", finding.confidence.name());
    let right = match lines.len().saturating_sub(usize::from(pen.height().saturating_sub(2))) {
        0 => confidence,
        more => format!("{} more, {confidence}", plural(more as u64, "line")),
    };
    let mut pen = pen.panel(title, &right, has_keys);
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
    let unfinished = finding.verdict == Verdict::Inconclusive(Why::Unfinished);
    let answer = match finding.longest_alive.map(silence).filter(|_| unfinished) {
        Some(longest) => format!("Not known yet; {longest} was survived so far."),
        None if unfinished => "Not known yet.".to_owned(),
        None => sentence(wanted, finding),
    };
    let mut all = vec![(answer, role)];
    all.extend(advice(wanted, finding, inward).into_iter().map(|advice| (advice, Role::Text)));
    if !finding.products.is_empty() {
        let names: Vec<&str> = finding.products.iter().map(|(name, _)| *name).collect();
        all.push((format!("Fits: {}.", names.join(", ")), Role::Text));
    }
    for caveat in &finding.caveats {
        all.push((format!("Note: {}.", caution(caveat)), Role::Doubt));
    }
    // That it is not over is said already.
    let evidence = finding.evidence.iter().filter(|evidence| !unfinished || !evidence.trials.is_empty());
    all.extend(evidence.map(|evidence| (evidence.rule.clone(), Role::Faint)));
    all
}
