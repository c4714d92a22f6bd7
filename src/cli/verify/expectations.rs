//! What is promised, for one kind of connection or, in a TOML file, for many.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::Prober;
use crate::analysis::ConnectionRecord;
use crate::analysis::filter::Filter;
use crate::analysis::verification::Expectation;
use crate::cli::duration;
use crate::keepalive::Model;
use crate::stack::preset::Asked;
use crate::stack::value::Rounding;
use crate::stack::{Preset, Stack};
use crate::time::Span;

/// A promise as it was written.
#[derive(Clone, Debug, Default)]
pub(super) struct Promise {
    pub(super) stack: Option<String>,
    pub(super) hz: Option<u32>,
    pub(super) preset: Option<String>,
    pub(super) idle: Option<Span>,
    pub(super) interval: Option<Span>,
    pub(super) count: Option<u32>,
    pub(super) user_timeout: Option<Span>,
    pub(super) jitter: Option<Span>,
    pub(super) defaults: bool,
}

/// The promises of a run.
#[derive(Debug)]
pub(super) struct Promises {
    tables: Vec<Table>,
    from_file: bool,
}

#[derive(Debug)]
struct Table {
    filter: Filter,
    expectation: Expectation,
    prober: Prober,
}

impl Promises {
    /// One for all connections.
    pub(super) fn single(expectation: Expectation, prober: Prober) -> Self {
        Self { tables: vec![Table { filter: Filter::default(), expectation, prober }], from_file: false }
    }

    /// Those of a file.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        let file: File =
            toml::from_str(&text).map_err(|error| malformed(&text, &error, &name.to_string()))?;
        if file.expect.is_empty() {
            return Err(format!("{name}: no [[expect]] table"));
        }
        let mut tables = Vec::new();
        for written in &file.expect {
            let line = line_of(&text, written.span().start);
            let table = written.get_ref().table();
            tables.push(table.map_err(|problem| format!("{name}: table in line {line}: {problem}"))?);
        }
        Ok(Self { tables, from_file: true })
    }

    /// What is promised of a connection: by which table, what, and of which end.
    pub(super) fn of(&self, record: &ConnectionRecord) -> Option<(Option<usize>, &Expectation, Prober)> {
        let fits = |table: &&Table| table.filter.passes(record);
        let place = self.tables.iter().position(|table| fits(&table))?;
        let table = self.tables.get(place)?;
        Some((self.from_file.then_some(place + 1), &table.expectation, table.prober))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    expect: Vec<Spanned<Written>>,
}

/// The names of the fields of a table, for whoever misspelt one.
const FIELDS: [&str; 15] = [
    "address",
    "port",
    "client",
    "server",
    "stack",
    "hz",
    "preset",
    "idle",
    "interval",
    "count",
    "user_timeout",
    "jitter",
    "prober",
    "defaults",
    "expect",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    address: Option<String>,
    port: Option<u16>,
    client: Option<String>,
    server: Option<String>,
    stack: Option<String>,
    hz: Option<u32>,
    preset: Option<String>,
    idle: Option<String>,
    interval: Option<String>,
    count: Option<u32>,
    user_timeout: Option<String>,
    jitter: Option<String>,
    prober: Option<String>,
    #[serde(default)]
    defaults: bool,
}

impl Written {
    fn table(&self) -> Result<Table, String> {
        let port = self.port.map(|port| port.to_string());
        let terms =
            [("addr", &self.address), ("port", &port), ("client", &self.client), ("server", &self.server)];
        let filter: Vec<String> = terms
            .iter()
            .filter_map(|(key, value)| {
                value.as_ref().map(|value| format!("{key}:{}", value.replace(' ', "")))
            })
            .collect();
        let filter: Filter = filter.join(" ").parse().map_err(|error| format!("{error}"))?;
        let time = |name: &str, text: &Option<String>| match text {
            Some(text) => duration::parse(text).map(Some).map_err(|problem| format!("{name}: {problem}")),
            None => Ok(None),
        };
        let prober = match self.prober.as_deref() {
            None | Some("any") => Prober::Any,
            Some("client") => Prober::Client,
            Some("server") => Prober::Server,
            Some(other) => return Err(format!("prober: {other:?} is neither client, server nor any")),
        };
        if self.hz.is_some_and(|hz| !(1..=1200).contains(&hz)) {
            return Err("hz: from 1 to 1200".to_owned());
        }
        if self.count.is_some_and(|count| !(1..=255).contains(&count)) {
            return Err("count: from 1 to 255".to_owned());
        }
        let promise = Promise {
            stack: self.stack.clone(),
            hz: self.hz,
            preset: self.preset.clone(),
            idle: time("idle", &self.idle)?,
            interval: time("interval", &self.interval)?,
            count: self.count,
            user_timeout: time("user_timeout", &self.user_timeout)?,
            jitter: time("jitter", &self.jitter)?,
            defaults: self.defaults,
        };
        Ok(Table { filter, expectation: check(&promise, "")?, prober })
    }
}

/// Checks a promise against the tables of stacks and applications.
pub(super) fn check(promise: &Promise, prefix: &str) -> Result<Expectation, String> {
    let stack = Stack::named(promise.stack.as_deref().unwrap_or("linux"))
        .map_err(|unknown| format!("{prefix}stack: {unknown}; `keepscope stacks` lists them"))?;
    let model = Model::of(stack).ok_or_else(|| {
        format!(
            "{prefix}stack: too little is known of {}; `keepscope stacks {}` shows what is",
            stack.title, stack.name
        )
    })?;
    if promise.hz.is_some() && !matches!(model.rounding, Rounding::TimerWheel { .. }) {
        return Err(format!("{prefix}hz: {} has no timer wheel", stack.title));
    }
    let preset = match &promise.preset {
        Some(name) => Some(
            Preset::named(name)
                .map_err(|unknown| format!("{prefix}preset: {unknown}; `keepscope stacks` lists them"))?,
        ),
        None => None,
    };
    let timing = &stack.timing;
    let idle = timing.idle.value.and_then(|amount| amount.get());
    let interval = timing.interval.value.and_then(|amount| amount.get());
    let count = timing.count.value.and_then(|amount| amount.get());
    let all = promise.defaults;
    let expectation = Expectation {
        hz: promise.hz,
        idle: chosen(promise.idle, preset.and_then(|preset| preset.idle.value), idle, all),
        interval: chosen(promise.interval, preset.and_then(|preset| preset.interval.value), interval, all),
        count: chosen(promise.count, preset.and_then(|preset| preset.count.value), count, all),
        user_timeout: chosen(
            promise.user_timeout,
            preset.and_then(|preset| preset.user_timeout.value),
            None,
            all,
        ),
        jitter: promise.jitter.unwrap_or(Expectation::JITTER),
        defaults: promise.defaults,
        model,
    };
    if expectation.idle.is_some_and(|idle| idle <= Span::ZERO) {
        return Err(format!("{prefix}idle: must be longer than nothing"));
    }
    if expectation.interval.is_some_and(|interval| interval <= Span::ZERO) {
        return Err(format!("{prefix}interval: must be longer than nothing"));
    }
    let Expectation { idle, interval, count, user_timeout, .. } = expectation;
    if idle.or(interval).or(user_timeout).is_none() && count.is_none() {
        return Err(format!(
            "nothing is promised: give {prefix}idle, {prefix}interval, {prefix}count, {prefix}user{}timeout, \
             {prefix}preset or {prefix}defaults",
            if prefix.is_empty() { '_' } else { '-' }
        ));
    }
    Ok(expectation)
}

/// What was said, what the application asks for, or what the system gives by itself.
fn chosen<T: Copy>(said: Option<T>, asked: Option<Asked<T>>, system: Option<T>, all: bool) -> Option<T> {
    said.or(match asked {
        Some(Asked::For(value)) => Some(value),
        Some(Asked::SystemDefault) => system,
        Some(Asked::ByUser) | None => None,
    })
    .or(system.filter(|_| all))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// What is wrong with a file, in one line, with the name that a misspelt one may have meant.
fn malformed(text: &str, error: &toml::de::Error, name: &str) -> String {
    let line = error.span().map_or(String::new(), |span| format!(", line {}", line_of(text, span.start)));
    let message = error.message();
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    match unknown {
        Some(field) => {
            let nearest = FIELDS.into_iter().min_by_key(|known| distance(field, known)).unwrap_or("idle");
            format!("{name}{line}: there is no field {field:?}; did you mean {nearest}?")
        }
        None => format!("{name}{line}: {}", message.lines().next().unwrap_or("not a TOML document")),
    }
}

/// Letters to insert, delete or replace to get from one name to the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.chars().enumerate() {
        let mut line = vec![row + 1];
        for (column, opposite) in other.iter().enumerate() {
            let at = |cells: &[usize], place: usize| cells.get(place).copied().unwrap_or(usize::MAX / 2);
            let changed = at(&above, column) + usize::from(letter != *opposite);
            line.push(changed.min(at(&above, column + 1) + 1).min(at(&line, column) + 1));
        }
        above = line;
    }
    above.last().copied().unwrap_or(0)
}
