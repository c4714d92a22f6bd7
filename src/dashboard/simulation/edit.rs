//! Changing a scenario by its fields: a step up or down, or a value as text.
//!
//! What comes out need not be possible; [`Scenario::plan`](crate::simulate::scenario::Scenario::plan) says so. Pure.

use super::field::{self, Fate, Field};
use super::windows::SetBy;
use super::{Over, Simulation, path, windows};
use crate::keepalive::Model;
use crate::simulate::scenario::{Answers, Data, Host, Scenario, Share, Word};
use crate::stack::{Preset, Stack, nearest};
use crate::time::{Span, duration};
use crate::winsock::WindowsVersion;

/// What stands before a version of Windows in the list of stacks.
const WINDOWS: &str = "windows ";

/// What is sent where only a time is said.
const OCTETS: u32 = 100;

/// Between which steps go, in seconds.
const SECONDS: &[i64] = &[
    1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 40, 45, 50, 60, 75, 90, 100, 120, 150, 180, 210, 240, 270, 300, 330,
    340, 350, 360, 400, 450, 500, 600, 900, 1200, 1500, 1800, 2400, 3000, 3600, 5400, 7200, 10_800, 14_400,
    21_600, 43_200, 86_400, 172_800, 432_000,
];

/// The same in milliseconds, for ways.
const MILLIS: &[i64] =
    &[0, 1, 2, 5, 10, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500, 700, 1000, 2000];

/// Shares in millionths.
const SHARES: &[u32] = &[
    0, 1_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 300_000, 500_000, 700_000, 900_000, 1_000_000,
];

const HZ: &[u32] = &[100, 250, 300, 1000];

const COUNTS: &[u32] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 50, 100, 255];

const RUNS: &[u64] = &[10, 30, 100, 300, 1000, 3000, 10_000, 100_000];

/// The name of a host's stack in the table.
pub fn stack_name(host: &Host) -> &str {
    match (&host.windows, &host.stack) {
        (Some(windows), _) if !windows.version.0.is_vista_or_later() => "windows-2003",
        (Some(windows), _) if !windows.version.0.has_tcp_keepcnt() => "windows-vista",
        (Some(_), _) => "windows-10-1709",
        (None, Some(name)) => name,
        (None, None) => "linux",
    }
}

/// A host's stack or Windows, as the form names it.
pub fn host_name(host: &Host) -> String {
    match &host.windows {
        Some(found) => format!("{WINDOWS}{}", found.version),
        None => stack_name(host).to_owned(),
    }
}

/// All stacks that can be simulated; with Windows by version where `calls` can be made.
pub fn host_names(calls: bool) -> Vec<String> {
    let stacks = Stack::all().iter().filter(|stack| Model::of(stack).is_some());
    let mut names: Vec<String> = stacks.map(|stack| stack.name.to_owned()).collect();
    if calls {
        names.extend(WindowsVersion::ALL.iter().map(|version| format!("{WINDOWS}{}", version.name())));
    }
    names
}

/// One step up (or down) from a value in a list; from a value between two to the next one.
fn stepped<T: Copy + PartialOrd>(list: &[T], value: T, up: bool) -> T {
    let next = if up {
        list.iter().find(|other| **other > value)
    } else {
        list.iter().rev().find(|other| **other < value)
    };
    next.copied().unwrap_or(value)
}

/// The same where below the least there is none.
fn stepped_or_none<T: Copy + PartialOrd>(list: &[T], value: Option<T>, up: bool) -> Option<T> {
    match value {
        None => {
            if up {
                list.first().copied()
            } else {
                None
            }
        }
        Some(value) if !up && list.iter().all(|other| *other >= value) => None,
        Some(value) => Some(stepped(list, value, up)),
    }
}

/// The next (or the one before) of a list, round and round.
fn next_of<T: Clone>(list: &[T], place: Option<usize>, up: bool) -> Option<T> {
    let count = list.len().max(1);
    let step = if up { 1 } else { count - 1 };
    list.get(place.map_or(0, |place| (place + step) % count)).cloned()
}

fn spans(list: &[i64], unit: i64) -> Vec<Span> {
    list.iter().map(|value| Span::from_nanos(value.saturating_mul(unit))).collect()
}

/// Changes a field by one step.
///
/// # Errors
/// If it takes no such step, in words.
pub fn step(simulation: &mut Simulation, field: Field, up: bool) -> Result<(), String> {
    let seconds = spans(SECONDS, 1_000_000_000);
    let millis = spans(MILLIS, 1_000_000);
    let scenario = &mut simulation.scenario;
    let long = |value: Option<Span>| stepped_or_none(&seconds, value, up);
    match field {
        Field::Stack | Field::Peer => {
            let names = host_names(field == Field::Stack);
            let host = if field == Field::Stack { &mut scenario.client } else { &mut scenario.server };
            let here = host_name(host);
            let next = next_of(&names, names.iter().position(|name| *name == here), up);
            return set_stack(host, &next.unwrap_or_default());
        }
        Field::SetBy => {
            if let Some(found) = scenario.client.windows.as_mut() {
                let here = windows::set_by(found);
                let place = SetBy::ALL.iter().position(|by| *by == here);
                windows::change(found, next_of(&SetBy::ALL, place, up).unwrap_or(SetBy::Switch));
            }
        }
        Field::Preset => {
            let names: Vec<Option<&str>> =
                std::iter::once(None).chain(Preset::all().iter().map(|preset| Some(preset.name))).collect();
            let place = names.iter().position(|name| *name == scenario.client.preset.as_deref());
            let next = next_of(&names, place, up).flatten();
            set_preset(&mut scenario.client, next.map(ToOwned::to_owned));
        }
        Field::Hz => scenario.client.hz = stepped_or_none(HZ, scenario.client.hz, up),
        Field::Keepalive => {
            let list = [None, Some(true), Some(false)];
            let place = list.iter().position(|on| *on == scenario.client.keepalive);
            scenario.client.keepalive = next_of(&list, place, up).flatten();
        }
        Field::Idle => {
            let next = long(field::idle(&scenario.client));
            return set_idle(&mut scenario.client, next);
        }
        Field::Interval => {
            let next = long(field::interval(&scenario.client));
            return set_interval(&mut scenario.client, next);
        }
        Field::Count => {
            let next = stepped_or_none(COUNTS, field::count(&scenario.client), up);
            return set_count(&mut scenario.client, next);
        }
        Field::UserTimeout => scenario.client.user_timeout = long(scenario.client.user_timeout),
        Field::Uptime => scenario.client.uptime = long(scenario.client.uptime),
        Field::RegistryTime | Field::RegistryInterval => {
            let now = registry(&scenario.client, field).map(|value| Span::from_millis(i64::from(value)));
            let next = long(now).map(|span| u32::try_from(span.as_nanos() / 1_000_000).unwrap_or(u32::MAX));
            set_registry(&mut scenario.client, field, next);
        }
        Field::Data => step_data(&mut scenario.client, up),
        Field::Rtt => return set_rtt(scenario, stepped(&millis, path::rtt(scenario), up)),
        Field::Jitter => path::set_jitter(scenario, stepped(&millis, path::jitter(scenario), up)),
        Field::Loss => {
            let now = path::loss(scenario).map_or(0, Share::millionths);
            path::set_loss(scenario, Share::from_millionths(stepped(SHARES, now, up)));
        }
        Field::Box => {
            let kinds = path::box_kinds();
            let here = path::box_kind(scenario);
            let next = next_of(&kinds, kinds.iter().position(|kind| *kind == here), up);
            path::set_box(scenario, next.unwrap_or(path::NONE));
        }
        Field::BoxIdle => {
            let (said, product) = path::timeout(scenario);
            let next = match said {
                Some(_) => long(said),
                None => long(product).or(product),
            };
            path::set_timeout(scenario, next);
        }
        Field::Fate => {
            let (here, at) = Fate::of(&scenario.server);
            let place = Fate::ALL.iter().position(|fate| *fate == here);
            set_fate(&mut scenario.server, next_of(&Fate::ALL, place, up).unwrap_or(Fate::Stays), at);
        }
        Field::FateAt => {
            let (fate, at) = Fate::of(&scenario.server);
            set_fate(&mut scenario.server, fate, at.map(|at| stepped(&seconds, at, up)));
        }
        Field::Return => {
            let (_, from) = Fate::of(&scenario.server);
            let now = scenario.server.power_on.or(scenario.server.silent_until);
            // It cannot be back before it is gone.
            let later: Vec<Span> = seconds.iter().copied().filter(|at| Some(*at) > from).collect();
            set_return(&mut scenario.server, stepped_or_none(&later, now, up));
        }
        Field::Answers => {
            let list = [None, Some(Answers::All), Some(Answers::OneOctet), Some(Answers::Nothing)];
            let here = scenario.server.answers.map(|answers| answers.0);
            let place = list.iter().position(|answers| *answers == here);
            scenario.server.answers = next_of(&list, place, up).flatten().map(Word);
        }
        Field::Seed => {
            let step = if up { 1 } else { -1 };
            scenario.seed = scenario.seed.saturating_add_signed(step).min(i64::MAX as u64);
        }
        Field::Length => scenario.length = stepped(&seconds, scenario.length, up),
        Field::Over => {
            simulation.over = if simulation.over == Over::Phases { Over::Seeds } else { Over::Phases }
        }
        Field::Runs => simulation.runs = stepped(RUNS, simulation.runs, up),
    }
    Ok(())
}

/// Sets a field to what was typed.
///
/// # Errors
/// If that is no value of it, in words.
pub fn set(simulation: &mut Simulation, field: Field, text: &str) -> Result<(), String> {
    let text = text.trim();
    let scenario = &mut simulation.scenario;
    let word = |text: &str| text.to_ascii_lowercase().replace('_', " ");
    match field {
        Field::Stack => return set_stack(&mut scenario.client, text),
        Field::Peer => return set_stack(&mut scenario.server, text),
        Field::SetBy => {
            let by = one_of(text, &SetBy::ALL, |by| by.name())?;
            if let Some(found) = scenario.client.windows.as_mut() {
                windows::change(found, by);
            }
        }
        Field::Preset => {
            let named = (!text.is_empty() && text != "none").then(|| Preset::named(text)).transpose();
            let preset = named.map_err(|unknown| unknown.to_string())?;
            set_preset(&mut scenario.client, preset.map(|preset| preset.name.to_owned()));
        }
        Field::Hz => scenario.client.hz = number(text)?,
        Field::Keepalive => {
            scenario.client.keepalive = match word(text).as_str() {
                "" => None,
                "on" => Some(true),
                "off" => Some(false),
                _ => return Err(field::hint(field).to_owned()),
            }
        }
        Field::Idle => return set_idle(&mut scenario.client, span(text)?),
        Field::Interval => return set_interval(&mut scenario.client, span(text)?),
        Field::Count => return set_count(&mut scenario.client, number(text)?),
        Field::UserTimeout => scenario.client.user_timeout = span(text)?,
        Field::Uptime => scenario.client.uptime = span(text)?,
        Field::RegistryTime | Field::RegistryInterval => {
            let value = text.strip_suffix("ms").unwrap_or(text).trim();
            set_registry(&mut scenario.client, field, number(value)?);
        }
        Field::Data => set_data(&mut scenario.client, text)?,
        Field::Rtt => return set_rtt(scenario, needed(text)?),
        Field::Jitter => path::set_jitter(scenario, span(text)?.unwrap_or_default()),
        Field::Loss => {
            let share = if text.is_empty() { Share::NONE } else { text.parse()? };
            path::set_loss(scenario, share);
        }
        Field::Box => {
            let kinds = path::box_kinds();
            let wanted = if text.is_empty() { path::NONE } else { text };
            path::set_box(scenario, one_of(wanted, &kinds, |kind| kind)?);
        }
        Field::BoxIdle => path::set_timeout(scenario, span(text)?),
        Field::Fate => {
            let (_, at) = Fate::of(&scenario.server);
            set_fate(&mut scenario.server, one_of(text, &Fate::ALL, |fate| fate.name())?, at);
        }
        Field::FateAt => {
            let (fate, _) = Fate::of(&scenario.server);
            set_fate(&mut scenario.server, fate, Some(needed(text)?));
        }
        Field::Return => set_return(&mut scenario.server, span(text)?),
        Field::Answers => {
            let text = word(text).replace(' ', "_");
            scenario.server.answers = if text.is_empty() { None } else { Some(text.parse()?) };
        }
        Field::Seed => scenario.seed = number(text)?.ok_or("a number")?,
        Field::Length => scenario.length = needed(text)?,
        Field::Over => simulation.over = one_of(text, &[Over::Phases, Over::Seeds], |over| over.name())?,
        Field::Runs => {
            let runs: u64 = number(text)?.ok_or("a number")?;
            if !(1..=1_000_000).contains(&runs) {
                return Err(field::hint(field).to_owned());
            }
            simulation.runs = runs;
        }
    }
    Ok(())
}

/// A duration, or nothing where nothing is written.
fn span(text: &str) -> Result<Option<Span>, String> {
    if matches!(text, "" | "none" | "off" | "never" | "default") {
        return Ok(None);
    }
    duration::parse(text).map(Some)
}

fn needed(text: &str) -> Result<Span, String> {
    duration::parse(text)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<Option<T>, String> {
    if matches!(text, "" | "none" | "default") {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| format!("{text:?} is no such number"))
}

/// The one of that name, whatever the case of its letters.
fn one_of<T: Copy>(text: &str, list: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    let found = list.iter().find(|one| name(**one).eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| match nearest(text, list.iter().map(|one| name(*one))) {
        Some(near) => format!("there is no {text:?}; did you mean {near}?"),
        None => format!("there is no {text:?}"),
    })
}

fn set_stack(host: &mut Host, text: &str) -> Result<(), String> {
    let text = text.to_ascii_lowercase();
    if let Some(version) = text.strip_prefix(WINDOWS) {
        let version: crate::simulate::scenario::Version = version.trim().parse()?;
        let calls = host.windows.take();
        let mut found = calls.unwrap_or_else(|| windows::plain(version.0));
        found.version = version;
        // What another stack had set an application of Windows sets by calls.
        let (idle, interval, count) = (host.idle.take(), host.interval.take(), host.count.take());
        if idle.is_some() || interval.is_some() || count.is_some() {
            windows::change(&mut found, SetBy::Switch);
            windows::set_idle(&mut found, idle.map(whole_seconds))?;
            windows::set_interval(&mut found, interval.map(whole_seconds))?;
            windows::set_count(&mut found, count)?;
        }
        (host.stack, host.preset, host.keepalive, host.user_timeout, host.hz) =
            (None, None, None, None, None);
        host.windows = Some(found);
        return Ok(());
    }
    let stack = Stack::named(&text).map_err(|unknown| unknown.to_string())?;
    let model =
        Model::of(stack).ok_or_else(|| format!("too little is known of {} to run it", stack.title))?;
    if let Some(found) = host.windows.take() {
        host.idle = windows::idle(&found);
        host.interval = windows::interval(&found);
        host.count = windows::count(&found);
        host.keepalive = Some(windows::set_by(&found) != SetBy::Nothing);
    }
    if !matches!(model.rounding, crate::stack::value::Rounding::TimerWheel { .. }) {
        host.hz = None;
    }
    host.stack = Some(stack.name.to_owned());
    Ok(())
}

fn whole_seconds(span: Span) -> Span {
    Span::from_secs((span.as_nanos() / 1_000_000_000).max(1))
}

/// An application's settings take the place of those that were set by hand.
fn set_preset(host: &mut Host, preset: Option<String>) {
    if preset.is_some() && preset != host.preset {
        (host.idle, host.interval, host.count, host.user_timeout) = (None, None, None, None);
    }
    host.preset = preset;
}

fn set_idle(host: &mut Host, idle: Option<Span>) -> Result<(), String> {
    match host.windows.as_mut() {
        Some(found) => windows::set_idle(found, idle),
        None => {
            host.idle = idle;
            Ok(())
        }
    }
}

fn set_interval(host: &mut Host, interval: Option<Span>) -> Result<(), String> {
    match host.windows.as_mut() {
        Some(found) => windows::set_interval(found, interval),
        None => {
            host.interval = interval;
            Ok(())
        }
    }
}

fn set_count(host: &mut Host, count: Option<u32>) -> Result<(), String> {
    match host.windows.as_mut() {
        Some(found) => windows::set_count(found, count),
        None => {
            host.count = count;
            Ok(())
        }
    }
}

fn registry(host: &Host, field: Field) -> Option<u32> {
    host.windows.as_ref()?.registry.get(field.name()).copied()
}

fn set_registry(host: &mut Host, field: Field, value: Option<u32>) {
    if let Some(found) = host.windows.as_mut() {
        match value {
            Some(value) => {
                found.registry.insert(field.name().to_owned(), value);
            }
            None => {
                found.registry.remove(field.name());
            }
        }
    }
}

fn set_rtt(scenario: &mut Scenario, rtt: Span) -> Result<(), String> {
    if path::is_lopsided(scenario) {
        return Err("the directions have delays of their own: change them in the document".to_owned());
    }
    path::set_rtt(scenario, rtt);
    Ok(())
}

fn set_fate(host: &mut Host, fate: Fate, at: Option<Span>) {
    let at = Some(at.unwrap_or(Span::from_secs(100)));
    let back = host.power_on.or(host.silent_until).filter(|back| Some(*back) > at);
    (host.power_off, host.power_on, host.silent_from, host.silent_until) = (None, None, None, None);
    (host.close_at, host.abort_at) = (None, None);
    match fate {
        Fate::Stays => {}
        Fate::PowerOff => (host.power_off, host.power_on) = (at, back),
        Fate::Unplugged => (host.silent_from, host.silent_until) = (at, back),
        Fate::Closes => host.close_at = at,
        Fate::Aborts => host.abort_at = at,
    }
}

fn set_return(host: &mut Host, back: Option<Span>) {
    if host.power_off.is_some() {
        host.power_on = back;
    } else if host.silent_from.is_some() {
        host.silent_until = back;
    }
}

/// From no data over once to ever more often, and back.
fn step_data(host: &mut Host, up: bool) {
    let at = host.data.first().map_or(Span::from_secs(1), |first| first.at);
    let octets = host.data.first().map_or(OCTETS, |first| first.octets);
    let seconds = spans(SECONDS, 1_000_000_000);
    let once = Data { at, octets, every: None, until: None };
    let next = match (host.data.first(), up) {
        (None, true) => Some(once),
        (None, false) => None,
        (Some(first), _) => match (first.every, up) {
            (None, true) => Some(Data { every: Some(Span::from_secs(3600)), ..once }),
            (None, false) => None,
            (Some(every), up) => {
                let every = stepped(&seconds, every, !up);
                let rarer = every > Span::from_secs(3600);
                Some(Data { every: (!rarer).then_some(every), ..once })
            }
        },
    };
    host.data = next.into_iter().collect();
}

/// Reads `1s` or `1s every 30s`.
fn set_data(host: &mut Host, text: &str) -> Result<(), String> {
    if matches!(text, "" | "none") {
        host.data.clear();
        return Ok(());
    }
    let (at, every) = match text.split_once(" every ") {
        Some((at, every)) => (needed(at.trim())?, Some(needed(every.trim())?)),
        None => (needed(text)?, None),
    };
    let octets = host.data.first().map_or(OCTETS, |first| first.octets);
    host.data = vec![Data { at, octets, every, until: None }];
    Ok(())
}

/// The value of a field as it would be typed.
pub fn typed(simulation: &Simulation, field: Field) -> String {
    match field {
        Field::Answers => field::answers_name(&simulation.scenario.server).to_owned(),
        Field::Box => path::box_kind(&simulation.scenario),
        Field::Loss => path::loss(&simulation.scenario).map_or(String::new(), |share| share.to_string()),
        Field::Rtt => duration::format(path::rtt(&simulation.scenario)),
        Field::Jitter => duration::format(path::jitter(&simulation.scenario)),
        _ => {
            let (value, said) = field.value(simulation);
            if said { value.replace(", …", "") } else { String::new() }
        }
    }
}
