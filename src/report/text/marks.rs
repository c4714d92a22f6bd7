//! The marks of a stack in a line for a person: which of them tell it from others, and what rules those out.

use crate::analysis::Inference;
use crate::analysis::inference::{Mark, Worth};

/// How many stacks a mark may fit and still tell something where it speaks against none.
const FEW: usize = 2;

/// Worths that leave a stack possible, though less likely.
const WEAKENING: [Worth; 3] = [Worth::Improbable, Worth::Unlikely, Worth::Doubtful];

/// The line of a prober; nothing where no settings explain it, or nothing tells stacks apart.
pub(in crate::report) fn line(inference: &Inference) -> Option<String> {
    let best = inference.settings.first()?.stack;
    let all = || inference.marks.iter().chain(&inference.answering);
    let is = |mark: &Mark, worths: &[Worth]| mark.worth(best).is_some_and(|worth| worths.contains(&worth));
    // How the spacing fits is what the line before says.
    let fitting = all().filter(|mark| is(mark, &[Worth::Supports]) && tells(mark) && mark.name != "spacing");
    let fitting: Vec<String> = fitting.map(said).collect();
    let weakening: Vec<String> = all().filter(|mark| is(mark, &WEAKENING)).map(said).collect();
    let mut parts = Vec::new();
    if !fitting.is_empty() {
        parts.push(format!("{} fit {}", fitting.join(", "), family(best)));
    }
    if !weakening.is_empty() {
        parts.push(format!("not like {}: {}", family(best), weakening.join(", ")));
    }
    parts.extend(ruled_out(inference));
    (!parts.is_empty()).then(|| format!("marks: {}", parts.join("; ")))
}

/// What is told of an end that only answers: the marks that tell stacks apart.
pub(in crate::report) fn answering(marks: &[Mark]) -> Option<String> {
    let said: Vec<String> = marks
        .iter()
        .filter(|mark| tells(mark))
        .map(|mark| {
            let (fits, not) = (runs(mark, &[Worth::Supports]), runs(mark, &WEAKENING));
            let fits = if fits.is_empty() { String::new() } else { format!(" ({})", fits.join(", ")) };
            let not = if not.is_empty() { String::new() } else { format!(", unlike {}", not.join(", ")) };
            format!("{}{fits}{not}", said(mark))
        })
        .collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Whether a mark tells stacks apart.
fn tells(mark: &Mark) -> bool {
    let (mut families, mut last) = (0, "");
    for (stack, worth) in mark.opinions().filter(|(stack, _)| stack.runs) {
        // Every other worth speaks against a stack.
        if worth != Worth::Supports {
            return true;
        }
        let name = family(stack.name);
        families += usize::from(name != last);
        last = name;
    }
    (1..=FEW).contains(&families)
}

/// The families of the stacks that run of which a mark says one of these.
fn runs(mark: &Mark, worths: &[Worth]) -> Vec<&'static str> {
    let opinions = mark.opinions().filter(|(stack, worth)| stack.runs && worths.contains(worth));
    let mut names: Vec<&str> = Vec::new();
    for name in opinions.map(|(stack, _)| family(stack.name)) {
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    names
}

/// Which stacks are ruled out, each by the first mark that does.
fn ruled_out(inference: &Inference) -> Option<String> {
    let mut gone: Vec<&str> = Vec::new();
    let mut parts = Vec::new();
    for mark in inference.marks.iter().chain(&inference.answering) {
        let mut stacks = runs(mark, &[Worth::Refutes, Worth::Improbable]);
        stacks.retain(|stack| !gone.contains(stack));
        if !stacks.is_empty() {
            gone.extend(&stacks);
            parts.push(format!("{} ({})", stacks.join(", "), mark.name.replace('_', " ")));
        }
    }
    (!parts.is_empty()).then(|| format!("ruled out {}", parts.join(", ")))
}

/// The name of a stack without its release.
fn family(stack: &'static str) -> &'static str {
    let end = stack.bytes().position(|octet| octet == b'-').unwrap_or(stack.len());
    stack.get(..end).unwrap_or(stack)
}

/// A mark with what was seen, short.
fn said(mark: &Mark) -> String {
    let seen = &mark.seen;
    match mark.name {
        "payload" => seen.clone().into_owned(),
        "octet" => format!("octet {seen}"),
        "ip_id" => format!("IP ID {seen}"),
        "dont_fragment" => format!("DF {seen}"),
        "ttl" => format!("TTL {}", seen.split_whitespace().next().unwrap_or(seen)),
        "count" => format!("given up {seen}"),
        "give_up" => format!("given up {seen}"),
        "give_up_moment" => format!("RST {seen}"),
        "reset_flags" => seen.clone().into_owned(),
        "reset_seq" => format!("RST at {seen}"),
        "reset_timestamps" => format!("timestamps on the RST {seen}"),
        "dsack" => format!("D-SACK {seen}"),
        "ack_field" => format!("ACK of {seen}"),
        name => format!("{} {seen}", name.replace('_', " ")),
    }
}
