//! What a prediction comes to, in sentences, and what differs from another.
//!
//! Pure; the same words stay on the terminal when the screen is left.

use super::predict::{Figures, Prediction};
use super::{Base, Many, Simulation};
use crate::dashboard::text::{clean, seconds};
use crate::dashboard::theme::Role;
use crate::keepalive::predict::Detection;
use crate::report::simulation::end_sentence;
use crate::simulate::scenario::Word;
use crate::simulate::scenario::expect::EndOutcome;
use crate::simulate::scenario::run::{Distribution, Quantiles};
use crate::time::Span;

/// The answer, most important first.
pub fn sentences(simulation: &Simulation) -> Vec<(String, Role)> {
    if let Some(problem) = &simulation.problem {
        return vec![(format!("this cannot be simulated: {problem}"), Role::Bad)];
    }
    let Some(prediction) = simulation.prediction.as_ref() else {
        return vec![("simulating".to_owned(), Role::Faint)];
    };
    let figures = &prediction.figures;
    let end = end_sentence("client", &figures.client);
    let role = match figures.client.outcome {
        EndOutcome::Open if figures.survived => Role::Good,
        EndOutcome::Open | EndOutcome::NeverOpened => Role::Doubt,
        EndOutcome::Ended(_) if figures.survived => Role::Text,
        EndOutcome::Ended(_) => Role::Bad,
    };
    let mut said = vec![(end, role)];
    said.extend(loss(prediction));
    said.extend(figures.boxes.iter().map(|(name, forgot)| entry(figures, name, *forgot)));
    let server = prediction.run.ends.get(1).map(|end| end_sentence("server", end));
    said.extend(server.map(|server| (server, Role::Text)));
    said.extend(expectations(prediction));
    said.extend(
        prediction
            .plan
            .assumed
            .iter()
            .map(|assumed| (format!("not known, assumed of {}", clean(assumed)), Role::Faint)),
    );
    said
}

/// What the connection was lost by, when that was noticed, and between which bounds that lies.
fn loss(prediction: &Prediction) -> Option<(String, Role)> {
    let figures = &prediction.figures;
    let phases = prediction.phases.as_ref().and_then(range);
    let bounds = figures.detection.map(|Detection { best, worst }| (best, worst));
    let over = phases.map_or(String::new(), |(least, most)| {
        format!("; over all phases of the client's timer {}", between(least, most))
    });
    let whenever = |words: &str| {
        bounds.map_or(String::new(), |(best, worst)| format!("{words}{}", between(best, worst)))
    };
    let Some((at, what)) = &figures.loss else {
        return bounds.map(|_| (whenever("a peer that dies is noticed after "), Role::Text));
    };
    let at = seconds(*at);
    match figures.noticed {
        Some(noticed) => Some((
            format!(
                "{what} at {at}, noticed {} later{over}{}",
                seconds(noticed),
                whenever("; a peer that dies at any time: ")
            ),
            Role::Strong,
        )),
        None if matches!(figures.client.outcome, EndOutcome::Open) => Some((
            format!(
                "{what} at {at}; the client does not notice{}",
                whenever("; a peer that dies is noticed after ")
            ),
            Role::Doubt,
        )),
        // It was over before.
        None => None,
    }
}

fn between(least: Span, most: Span) -> String {
    if least == most { seconds(least) } else { format!("{} to {}", seconds(least), seconds(most)) }
}

/// From when to when a loss is noticed over many runs, if it is in all of them.
fn range(distribution: &Distribution) -> Option<(Span, Span)> {
    let Quantiles { least, most, .. } = distribution.detection()?;
    Some((least, most))
}

/// Whether a box keeps what it knows.
fn entry(figures: &Figures, name: &str, forgot: Option<Span>) -> (String, Role) {
    let Some(at) = forgot else {
        return (format!("{name}: its entry never expires"), Role::Good);
    };
    let probe = figures.first_probe.filter(|_| figures.too_late).filter(|probe| *probe > at);
    let late = probe.map(|probe| {
        let late = Span::from_nanos(probe.as_nanos() - at.as_nanos());
        format!(", {} before the first probe", seconds(late))
    });
    let at_words = seconds(at);
    (format!("{name}: its entry expires at {at_words}{}", late.unwrap_or_default()), Role::Doubt)
}

fn expectations(prediction: &Prediction) -> Vec<(String, Role)> {
    let (met, all) = prediction.figures.expected;
    if all == 0 {
        return Vec::new();
    }
    let role = if met == all { Role::Good } else { Role::Bad };
    let mut said = vec![(format!("expected: {met} of {all} met"), role)];
    said.extend(prediction.run.verdicts.iter().filter(|verdict| !verdict.met).map(|verdict| {
        (format!("not met: {}; found: {}", clean(&verdict.expected), clean(&verdict.found)), Role::Bad)
    }));
    said
}

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// What is compared.
    pub name: &'static str,
    /// As it was.
    pub base: String,
    /// As it is.
    pub now: String,
}

impl Compared {
    /// Whether it is another.
    pub fn differs(&self) -> bool {
        self.base != self.now
    }
}

/// What a prediction is beside the one that was kept, line by line.
pub fn comparison(base: &Base, now: &Prediction) -> Vec<Compared> {
    let then = &base.figures;
    let figures = &now.figures;
    let time = |span: Option<Span>| span.map_or("-".to_owned(), seconds);
    let both = |name, of: &dyn Fn(&Figures) -> String| Compared { name, base: of(then), now: of(figures) };
    let phases = |found: &Option<Distribution>| {
        found.as_ref().and_then(range).map_or("-".to_owned(), |(least, most)| {
            format!("{}..{}", seconds(least).trim_end_matches(" s"), seconds(most))
        })
    };
    vec![
        both("noticed after", &|figures| time(figures.noticed)),
        Compared { name: "in any phase", base: phases(&base.phases), now: phases(&now.phases) },
        both("first probe", &|figures| time(figures.first_probe)),
        both("probes, lost", &|figures| format!("{}, {}", figures.probes, figures.unanswered)),
        both("box entry", &|figures| {
            let expired = figures.boxes.iter().filter_map(|(_, at)| *at).min();
            match (figures.boxes.is_empty(), expired) {
                (true, _) => "no box".to_owned(),
                (false, None) => "never expires".to_owned(),
                (false, Some(at)) => format!("expires {}", seconds(at)),
            }
        }),
        both("client", &|figures| {
            let outcome = Word(figures.client.outcome).name().replace('_', " ");
            figures.client.at.map_or(outcome.clone(), |at| format!("{outcome} {}", seconds(at)))
        }),
        both("error", &|figures| figures.client.error.unwrap_or("-").to_owned()),
    ]
}

/// Part of a whole in hundredths, with one digit.
pub fn percent(part: u64, whole: u64) -> String {
    let thousandths = (part * 1000 + whole / 2).checked_div(whole).unwrap_or(0);
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// The shares of many runs: what, how many, of how many.
pub fn shares(many: &Many) -> Vec<(String, u64)> {
    let Distribution { survived, too_late, outcomes, .. } = &many.distribution;
    let mut shares =
        vec![("connection survived".to_owned(), *survived), ("first probe too late".to_owned(), *too_late)];
    shares.extend(
        outcomes.iter().map(|(outcome, count)| (format!("client {}", outcome.replace('_', " ")), *count)),
    );
    shares
}
