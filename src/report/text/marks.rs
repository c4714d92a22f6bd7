//! The marks of a stack in a line for a person: which of them tell it from others, and what rules those out.

use std::sync::LazyLock;

use super::words;
use crate::analysis::Inference;
use crate::analysis::inference::{Mark, Places, Seen, Worth};
use crate::stack::Stack;

/// How many stacks a mark may fit and still tell something where it speaks against none.
const FEW: usize = 2;

/// Worths that leave a stack possible, though less likely.
const WEAKENING: [Worth; 3] = [Worth::Improbable, Worth::Unlikely, Worth::Doubtful];

/// Worths that rule a stack out.
const RULING_OUT: [Worth; 2] = [Worth::Refutes, Worth::Improbable];

/// The line of a prober; nothing where no settings explain it, or nothing tells stacks apart.
#[cfg(feature = "html")]
pub(in crate::report) fn line(inference: &Inference) -> Option<String> {
    let mut text = String::new();
    write(&mut text, inference).then_some(text)
}

/// Adds the marks of a prober to a line; returns whether there are any to tell.
pub(super) fn write(text: &mut String, inference: &Inference) -> bool {
    let best = inference.settings.first().map(|best| best.stack);
    let Some(best) = best.and_then(|best| Stack::all().iter().position(|stack| stack.name == best)) else {
        return false;
    };
    let all = || inference.marks.iter().chain(&inference.answering);
    let mut before = "marks: ";
    // How the spacing fits is what the line before says.
    let fits = |mark: &&Mark| mark.places(Worth::Supports).contains(best) && mark.name != "spacing";
    for (index, mark) in all().filter(|mark| fits(mark) && tells(mark)).enumerate() {
        text.push_str(if index == 0 { before } else { ", " });
        said(text, mark);
        before = "; ";
    }
    if before == "; " {
        text.push_str(" fit ");
        text.push_str(family(best));
    }
    let weakening = all().filter(|mark| one_of(mark, &WEAKENING).contains(best));
    for (index, mark) in weakening.enumerate() {
        if index == 0 {
            for word in [before, "not like ", family(best), ": "] {
                text.push_str(word);
            }
        } else {
            text.push_str(", ");
        }
        said(text, mark);
        before = "; ";
    }
    ruled_out(text, before, all()) || before == "; "
}

/// What is told of an end that only answers: the marks that tell stacks apart.
#[cfg(feature = "html")]
pub(in crate::report) fn answering(marks: &[Mark]) -> Option<String> {
    let mut text = String::new();
    write_answering(&mut text, marks).then_some(text)
}

/// Adds what is told of an end that only answers to a line; returns whether there is anything.
pub(super) fn write_answering(text: &mut String, marks: &[Mark]) -> bool {
    let mut any = false;
    for mark in marks.iter().filter(|mark| tells(mark)) {
        text.push_str(if any { "; " } else { "" });
        any = true;
        said(text, mark);
        let (fits, not) = (running(mark, &[Worth::Supports]), running(mark, &WEAKENING));
        if !fits.is_empty() {
            text.push_str(" (");
            words::joined(text, ", ", families(fits).map(family));
            text.push(')');
        }
        if !not.is_empty() {
            text.push_str(", unlike ");
            words::joined(text, ", ", families(not).map(family));
        }
    }
    any
}

/// Whether a mark tells stacks apart.
fn tells(mark: &Mark) -> bool {
    // Every other worth speaks against a stack.
    let against = [Worth::Refutes, Worth::Improbable, Worth::Unlikely, Worth::Doubtful];
    let fitting = running(mark, &[Worth::Supports]);
    !running(mark, &against).is_empty() || (1..=FEW).contains(&families(fitting).count())
}

/// The stacks to which a mark is worth one of these.
fn one_of(mark: &Mark, worths: &[Worth]) -> Places {
    worths.iter().map(|worth| mark.places(*worth)).fold(Places::default(), Places::or)
}

/// The same of those that run.
fn running(mark: &Mark, worths: &[Worth]) -> Places {
    one_of(mark, worths).and(Places::RUNNING)
}

/// Adds which stacks are ruled out, each by the first mark that does, after what comes `before`; returns whether any
/// are.
fn ruled_out<'a>(text: &mut String, before: &str, marks: impl Iterator<Item = &'a Mark>) -> bool {
    let (mut gone, mut any) = (Places::default(), false);
    for mark in marks {
        let mut first = true;
        for stack in families(running(mark, &RULING_OUT)) {
            if gone.contains(first_of_family(stack)) {
                continue;
            }
            gone.insert(first_of_family(stack));
            match (any, first) {
                (false, _) => [before, "ruled out "].into_iter().for_each(|word| text.push_str(word)),
                (true, _) => text.push_str(", "),
            }
            (any, first) = (true, false);
            text.push_str(family(stack));
        }
        if !first {
            text.push_str(" (");
            words::joined(text, " ", mark.name.split('_'));
            text.push(')');
        }
    }
    any
}

/// The names of the stacks of the table without their releases, each with the place of the first that has it.
static FAMILIES: LazyLock<Vec<(&str, usize)>> = LazyLock::new(|| {
    let names = Stack::all().iter().map(|stack| stack.name.split('-').next().unwrap_or_default());
    let first = |name: &str| names.clone().position(|other| other == name).unwrap_or_default();
    names.clone().map(|name| (name, first(name))).collect()
});

/// The name of a stack without its release, by its place in the table.
fn family(place: usize) -> &'static str {
    FAMILIES.get(place).map_or("", |(name, _)| name)
}

/// The place of the first stack of the same family.
fn first_of_family(place: usize) -> usize {
    FAMILIES.get(place).map_or(place, |(_, first)| *first)
}

/// One stack of each family among these; those of one stand side by side in the table.
fn families(places: Places) -> impl Iterator<Item = usize> {
    let mut last = None;
    places.iter().filter(move |place| last.replace(first_of_family(*place)) != Some(first_of_family(*place)))
}

/// Adds a mark with what was seen, short.
fn said(text: &mut String, mark: &Mark) {
    match mark.name {
        "payload" | "reset_flags" => {}
        "octet" => text.push_str("octet "),
        "ip_id" => text.push_str("IP ID "),
        "dont_fragment" => text.push_str("DF "),
        "ttl" => text.push_str("TTL "),
        "count" | "give_up" => text.push_str("given up "),
        "give_up_moment" => text.push_str("RST "),
        "reset_seq" => text.push_str("RST at "),
        "reset_timestamps" => text.push_str("timestamps on the RST "),
        "dsack" => text.push_str("D-SACK "),
        "ack_field" => text.push_str("ACK of "),
        name => {
            words::joined(text, " ", name.split('_'));
            text.push(' ');
        }
    }
    match mark.seen {
        Seen::Words(ref words) => text.push_str(words),
        Seen::TimeToLive(here, _) => words::number(text, here.into()),
        ref other => words::add(text, format_args!("{other}")),
    }
}
