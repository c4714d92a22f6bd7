//! Judgements on configuration, for people and as JSON (`keepscope.audit/1`).

use std::io::{self, Write};

use serde::Serialize;

use super::number::Seconds;
use super::stacks::detail::wrapped;
use super::text::plural;
use crate::advice::audit::{Judgement, Verdict};
use crate::advice::path::Path;
use crate::keepalive::Settings;
use crate::printable::printable;
use crate::stack::value::seconds;
use crate::time::Span;

/// Writes the judgements for people.
///
/// # Errors
/// If `out` cannot be written to.
pub fn text(out: &mut dyn Write, path: &Path, judged: &[Judgement]) -> io::Result<()> {
    for one in judged {
        let place = match one.item.line {
            Some(line) => format!("{}:{line}", one.path),
            None => one.path.clone(),
        };
        let value = if one.item.value.is_empty() { "not set".to_owned() } else { one.item.value.clone() };
        let word = one.verdict.name().to_uppercase();
        writeln!(out, "{word:<8} {place}  {}: {value}", clean(&one.item.what), value = clean(&value))?;
        write!(out, "         ")?;
        wrapped(out, 9, 9, &clean(&one.reason))?;
        if let Some(mend) = &one.mend {
            writeln!(out, "         set instead:")?;
            for line in mend.lines() {
                writeln!(out, "             {line}")?;
            }
        }
    }
    let count = |verdict| judged.iter().filter(|one| one.verdict == verdict).count() as u64;
    let [safe, unsafe_, unknown] = [Verdict::Safe, Verdict::Unsafe, Verdict::Unknown].map(count);
    let silence = seconds(path.silence);
    match judged.is_empty() {
        true => writeln!(out, "nothing here sets a keepalive, so nothing could be judged"),
        false => writeln!(
            out,
            "\n{}: {safe} safe, {unsafe_} unsafe, {unknown} unknown, where a connection is lost after {silence} of silence",
            plural(judged.len() as u64, "item"),
        ),
    }
}

/// What stands in a file may be anything; what stands on a terminal may not.
fn clean(text: &str) -> String {
    printable(text, '?').into_owned()
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    silence_s: Seconds,
    class: &'static str,
    product: Option<&'static str>,
    safe: usize,
    #[serde(rename = "unsafe")]
    unsafe_: usize,
    unknown: usize,
    items: Vec<ItemDocument<'a>>,
}

#[derive(Serialize)]
struct ItemDocument<'a> {
    verdict: &'static str,
    file: &'a str,
    line: Option<u32>,
    kind: &'static str,
    what: &'a str,
    value: &'a str,
    settings: Option<SettingsDocument>,
    reason: &'a str,
    mend: Option<&'a str>,
}

/// Keepalive settings in documents of advice.
#[derive(Serialize)]
pub(super) struct SettingsDocument {
    idle_s: Seconds,
    interval_s: Option<Seconds>,
    count: u32,
    user_timeout_s: Option<Seconds>,
}

impl From<Settings> for SettingsDocument {
    fn from(settings: Settings) -> Self {
        Self {
            idle_s: settings.idle.into(),
            interval_s: (settings.interval > Span::ZERO).then(|| settings.interval.into()),
            count: settings.count,
            user_timeout_s: settings.user_timeout_in_force().map(Seconds::from),
        }
    }
}

/// Writes the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(out: &mut dyn Write, path: &Path, judged: &[Judgement]) -> io::Result<()> {
    let count = |verdict| judged.iter().filter(|one| one.verdict == verdict).count();
    let document = Document {
        schema: "keepscope.audit/1",
        silence_s: path.silence.into(),
        class: path.owner.name(),
        product: path.product.map(|product| product.name),
        safe: count(Verdict::Safe),
        unsafe_: count(Verdict::Unsafe),
        unknown: count(Verdict::Unknown),
        items: judged.iter().map(item_document).collect(),
    };
    crate::report::escaped::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn item_document(one: &Judgement) -> ItemDocument<'_> {
    ItemDocument {
        verdict: one.verdict.name(),
        file: &one.path,
        line: one.item.line,
        kind: one.kind.name(),
        what: &one.item.what,
        value: &one.item.value,
        settings: one.settings.map(SettingsDocument::from),
        reason: &one.reason,
        mend: one.mend.as_deref(),
    }
}
