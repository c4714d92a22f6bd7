//! A connection in the document: its verdict with the evidence, the settings behind its probes, and the pictures.

use maud::{Markup, html};

use super::ladder::ladder;
use super::name::{frames, moment, party};
use super::story::Story;
use super::timeline::timeline;
use super::{badge, rule};
use crate::analysis::inference::{Estimate, Explanation, Setting};
use crate::analysis::{ConnectionRecord, Inference, ProberRecord};
use crate::frame::FrameId;
use crate::report::text::inference::{ranged, told};
use crate::report::text::{lookalike_line, marks, plural, prober_line, silence};
use crate::track::event::{Basis, Party, Start};

/// Its section.
pub(super) fn section(record: &ConnectionRecord, several: bool) -> Markup {
    let story = Story::of(record);
    let id = record.id;
    html! {
        section.connection id={ "connection-" (id) } aria-labelledby={ "connection-" (id) "-title" } {
            h2 id={ "connection-" (id) "-title" } {
                span.number { "#" (id) } " "
                (badge(record.verdict.outcome)) " "
                span.ends { (record.opened.client) " → " (record.opened.server) }
            }
            (facts(record, several))
            @for (party, prober) in record.probers() {
                (settings(party, prober, record.inference(party)))
            }
            @let responders: Vec<_> = record
                .responders()
                .filter(|(party, _)| record.prober(*party).probes.is_empty())
                .filter_map(|(party, answers)| Some((party, marks::answering(answers)?)))
                .collect();
            @for (party, answers) in responders {
                p { strong { (self::party(party)) " answers" } ": " (answers) }
            }
            figure {
                div.wide tabindex="0" role="group" aria-label={ "Timeline of connection " (id) } {
                    (timeline(record, &story, several))
                }
                figcaption { "Timeline, to scale; shaded: silence. Time since " (moment(story.from)) "." }
            }
            figure {
                div.tall { (ladder(record, &story, several)) }
                figcaption { "Ladder, time downwards, not to scale." }
            }
        }
    }
}

fn facts(record: &ConnectionRecord, several: bool) -> Markup {
    let verdict = &record.verdict;
    let basis = basis(record);
    html! {
        dl.facts {
            dt { "Verdict" }
            dd { strong { (verdict.reason) } }
            dt { "Evidence" }
            dd {
                @if verdict.evidence.is_empty() { "none" } @else {
                    (named(&verdict.evidence, several))
                }
            }
            dt { "Rule" }
            dd { (rule(verdict.outcome)) }
            @if !basis.is_empty() {
                dt { "Keepalives" }
                dd { (basis) }
            }
            @if let Some(life) = verdict.last_life {
                dt { "Last life" }
                dd { "frame " span.mono { (super::name::frame(life.frame, several)) } ", " (moment(life.time)) }
            }
            @if let Some(origin) = verdict.origin.as_ref().filter(|origin| !origin.cues.is_empty()) {
                dt { "RST by" }
                dd { (origin.by.name()) ": " (origin.cues.join("; ")) }
            }
            dt { "Captured" }
            dd {
                (moment(record.opened.first.time)) " to " (moment(record.summary.last.time))
                ", " (plural(record.summary.client.segments, "segment")) " by the client, "
                (plural(record.summary.server.segments, "segment")) " by the server"
                @if record.opened.start == Start::Midstream { "; the start was not captured" }
            }
            @if record.forgotten > 0 {
                dt { "Mind" }
                dd { (plural(record.forgotten, "probe")) " before these are no longer kept" }
            }
            @for confounder in &record.confounders {
                dt { "Mind" }
                dd {
                    (confounder.kind.sentence())
                    @if !confounder.frames.is_empty() {
                        " (" (named(&confounder.frames, several)) ")"
                    }
                }
            }
            @let alike = lookalike_line(record);
            @if !alike.is_empty() {
                dt { "Not keepalives" }
                dd { "though alike: " (alike) }
            }
        }
    }
}

/// Some frames with the word for them.
fn named(ids: &[FrameId], several: bool) -> Markup {
    let word = if ids.len() == 1 { "frame" } else { "frames" };
    html! { (word) " " span.mono { (frames(ids, several)) } }
}

/// By which rules its probes were recognised, with how many by each.
fn basis(record: &ConnectionRecord) -> String {
    let rules = [
        (Basis::Acknowledged, "SEQ = SND.NXT−1, and everything below it was acknowledged"),
        (Basis::Outstanding, "SEQ = SND.NXT−1 or SND.UNA−1, while octets were in flight"),
        (Basis::AnswerBeyond, "the answer acknowledged SEQ+1 although that octet was never sent"),
        (Basis::ContinuedBeyond, "the prober went on at SEQ+1 although that octet was never sent"),
        (Basis::DuplicateReported, "the answer reported the octet as a duplicate (D-SACK)"),
        (Basis::RepeatedLater, "the same octet came again as an undoubted keepalive"),
    ];
    let probes = || record.probers().flat_map(|(_, prober)| &prober.probes);
    let by = rules.iter().filter_map(|(basis, words)| {
        let count = probes().filter(|probe| probe.basis == *basis).count() as u64;
        (count > 0).then(|| format!("{} by: {words}", plural(count, "probe")))
    });
    by.collect::<Vec<_>>().join("; ")
}

/// What the probes of one end tell of its settings.
fn settings(party: Party, prober: &ProberRecord, inference: &Inference) -> Markup {
    let told = told(inference);
    let timeouts = told.iter().any(|one| timeout(one).is_some());
    html! {
        p { strong { (self::party(party)) } (prober_line(party, prober).trim_start_matches(party.name())) "." }
        @if !told.is_empty() {
            div.wide tabindex="0" role="group" aria-label={ "Settings of the " (self::party(party)) } {
                table.settings {
                    caption { "Likely settings of the " (self::party(party)) }
                    thead {
                        tr {
                            th scope="col" { "Looks like" }
                            th scope="col" { "Idle" }
                            th scope="col" { "Interval" }
                            th scope="col" { "Count" }
                            @if timeouts { th scope="col" { "User timeout" } }
                            th scope="col" { "Score" }
                        }
                    }
                    tbody {
                        @for one in told { (explained(one, inference, timeouts)) }
                    }
                    @if let Some((idle, interval)) = observed(inference) {
                        tfoot {
                            tr {
                                th scope="row" { "Observed" }
                                td { (idle) }
                                td { (interval) }
                                td { (counted(inference)) }
                                @if timeouts { td { "–" } }
                                td { "–" }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(marks) = marks::line(inference) {
            p.marks { (marks) }
        }
    }
}

/// The user timeouts that may have ended it instead of the count.
fn timeout(one: &Explanation) -> Option<Setting> {
    one.user_timeout.filter(|_| one.count_in_doubt)
}

fn explained(one: &Explanation, inference: &Inference, timeouts: bool) -> Markup {
    let setting = |setting: Option<Setting>| setting.map_or_else(|| "–".to_owned(), ranged);
    let timeout = timeout(one);
    let least = inference.count.filter(|count| !count.exact && timeout.is_none());
    let count = match (one.count, least) {
        (Some(count), _) => count.to_string(),
        (None, Some(least)) => format!("at least {}", least.value),
        (None, None) => "–".to_owned(),
    };
    html! {
        tr {
            th scope="row" {
                (one.title)
                @if let Some(hz) = one.hz { " (HZ=" (hz) ")" }
                @if let Some(name) = one.application { ", as " (name) " asks for" }
            }
            td { (setting(one.idle)) }
            td { (setting(one.interval)) }
            td { (count) }
            @if timeouts { td { (setting(timeout)) } }
            td.mono { (format!("{:.3}", one.score)) }
        }
    }
}

/// What was seen of idle time and interval.
fn observed(inference: &Inference) -> Option<(String, String)> {
    let range = |seen: &Estimate| {
        let (low, high) = (silence(seen.low), silence(seen.high));
        if low == high { low } else { format!("{low} to {high}") }
    };
    let words = [&inference.idle, &inference.interval].map(|seen| seen.as_ref().map(range));
    let any = words.iter().any(Option::is_some);
    let [idle, interval] = words.map(|words| words.unwrap_or_else(|| "–".to_owned()));
    any.then_some((idle, interval))
}

fn counted(inference: &Inference) -> String {
    match inference.count {
        Some(count) if count.exact => count.value.to_string(),
        Some(count) => format!("at least {}", count.value),
        None => "–".to_owned(),
    }
}
