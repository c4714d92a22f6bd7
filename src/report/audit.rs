//! Judgements on configuration and listeners, for people and as JSON (`keepscope.audit/1`).

mod listeners;

use std::io::{self, Write};

use listeners::ListenerDocument;
pub use listeners::Listeners;
use serde::Serialize;

use super::number::Seconds;
use super::stacks::detail::wrapped;
use super::text::plural;
use crate::advice::audit::{Judgement, Verdict};
use crate::advice::path::Path;
use crate::keepalive::Settings;
use crate::stack::value::seconds;
use crate::time::Span;

/// All that was judged.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What is set in files.
    pub items: Vec<Judgement>,
    /// Sockets that listen, if they were asked for.
    pub listeners: Option<Listeners>,
}

impl Judged {
    /// How many have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        let items = self.items.iter().filter(|one| one.verdict == verdict).count();
        items + self.listeners.as_ref().map_or(0, |listeners| listeners.count(verdict))
    }

    /// Writes the judgements for people.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn text(&self, out: &mut dyn Write, path: &Path) -> io::Result<()> {
        for one in &self.items {
            item(out, one)?;
        }
        let mut judged = Vec::new();
        if !self.items.is_empty() {
            judged.push(plural(self.items.len() as u64, "item"));
        }
        if let Some(listeners) = &self.listeners {
            listeners.text(out)?;
            judged.push(plural(listeners.judged.len() as u64, "listener"));
        } else if self.items.is_empty() {
            return writeln!(out, "nothing here sets a keepalive, so nothing could be judged");
        }
        let [safe, unsafe_, unknown] =
            [Verdict::Safe, Verdict::Unsafe, Verdict::Unknown].map(|verdict| self.count(verdict));
        let (judged, silence) = (judged.join(" and "), seconds(path.silence));
        writeln!(
            out,
            "\n{judged}: {safe} safe, {unsafe_} unsafe, {unknown} unknown, where a connection is lost after {silence} of \
             silence"
        )
    }
}

fn item(out: &mut dyn Write, one: &Judgement) -> io::Result<()> {
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
    Ok(())
}

/// What stands in a file may be anything; what stands on a terminal may not.
fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
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
    /// The network namespace in which the listeners are, if it is not our own.
    netns: Option<&'a str>,
    /// Sockets that listen; nothing where they were not asked for.
    listeners: Option<Vec<ListenerDocument<'a>>>,
    loopback_left_out: Option<usize>,
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

impl Judged {
    /// Writes the document.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn json(&self, out: &mut dyn Write, path: &Path) -> io::Result<()> {
        let listeners = self.listeners.as_ref();
        let document = Document {
            schema: "keepscope.audit/1",
            silence_s: path.silence.into(),
            class: path.owner.name(),
            product: path.product.map(|product| product.name),
            safe: self.count(Verdict::Safe),
            unsafe_: self.count(Verdict::Unsafe),
            unknown: self.count(Verdict::Unknown),
            items: self.items.iter().map(item_document).collect(),
            netns: listeners.and_then(|listeners| listeners.netns.as_deref()),
            listeners: listeners.map(Listeners::documents),
            loopback_left_out: listeners.map(|listeners| listeners.loopback),
        };
        crate::report::plain::pretty(&mut *out, &document)?;
        writeln!(out)
    }
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
