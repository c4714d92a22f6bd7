//! The fields of the form: which there are for a scenario, and what each shows.
//!
//! Owns [`Field`]. What changes them is [`super::edit`]'s. Pure.

use super::{Over, Simulation, edit, path, windows};
use crate::keepalive::Model;
use crate::simulate::scenario::{Host, Scenario, Word};
use crate::stack::preset::Asked;
use crate::stack::value::Rounding;
use crate::stack::{Preset, Stack};
use crate::time::{Span, duration};

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The prober's stack, or its Windows.
    Stack,
    /// By which calls a Windows application sets its options.
    SetBy,
    /// An application or library whose settings it has.
    Preset,
    /// `CONFIG_HZ`.
    Hz,
    /// How long the prober has been up: the phase of its timer.
    Uptime,
    /// Keepalives on or off.
    Keepalive,
    /// Silence before the first probe.
    Idle,
    /// Time between unanswered probes.
    Interval,
    /// Unanswered probes before giving up.
    Count,
    /// `TCP_USER_TIMEOUT`.
    UserTimeout,
    /// `KeepAliveTime` in the registry.
    RegistryTime,
    /// `KeepAliveInterval` in the registry.
    RegistryInterval,
    /// Data that the prober's application sends.
    Data,
    /// Round trip.
    Rtt,
    /// Jitter.
    Jitter,
    /// Loss.
    Loss,
    /// The box on the path.
    Box,
    /// Its timeout.
    BoxIdle,
    /// The peer's stack.
    Peer,
    /// What befalls it.
    Fate,
    /// When.
    FateAt,
    /// When it comes back.
    Return,
    /// Which probes it answers.
    Answers,
    /// What chance follows.
    Seed,
    /// How long to simulate.
    Length,
    /// Over what many runs go.
    Over,
    /// How many runs.
    Runs,
}

/// What befalls the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Stays,
    /// It loses its power.
    PowerOff,
    /// Its cable is pulled.
    Unplugged,
    /// Its application closes.
    Closes,
    /// Its application resets the connection.
    Aborts,
}

impl Fate {
    /// All of them.
    pub const ALL: [Fate; 5] = [Fate::Stays, Fate::PowerOff, Fate::Unplugged, Fate::Closes, Fate::Aborts];

    /// As the form calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Fate::Stays => "stays",
            Fate::PowerOff => "power off",
            Fate::Unplugged => "unplugged",
            Fate::Closes => "closes",
            Fate::Aborts => "resets",
        }
    }

    /// What befalls a host; of several the one that is most.
    pub fn of(host: &Host) -> (Fate, Option<Span>) {
        let known = [
            (Fate::PowerOff, host.power_off),
            (Fate::Unplugged, host.silent_from),
            (Fate::Aborts, host.abort_at),
            (Fate::Closes, host.close_at),
        ];
        known.into_iter().find(|(_, at)| at.is_some()).unwrap_or((Fate::Stays, None))
    }
}

/// The parts of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Who probes.
    Prober,
    /// What lies between.
    Path,
    /// Who is probed.
    Peer,
    /// How it is run.
    Run,
}

impl Section {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Section::Prober => "prober",
            Section::Path => "path",
            Section::Peer => "peer",
            Section::Run => "run",
        }
    }
}

impl Field {
    /// The part of the form it stands in.
    pub const fn section(self) -> Section {
        match self {
            Field::Rtt | Field::Jitter | Field::Loss | Field::Box | Field::BoxIdle => Section::Path,
            Field::Peer | Field::Fate | Field::FateAt | Field::Return | Field::Answers => Section::Peer,
            Field::Seed | Field::Length | Field::Over | Field::Runs => Section::Run,
            _ => Section::Prober,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Field::Stack | Field::Peer => "stack",
            Field::SetBy => "set by",
            Field::Preset => "application",
            Field::Hz => "HZ",
            Field::Uptime => "uptime",
            Field::Keepalive => "keepalive",
            Field::Idle => "idle",
            Field::Interval => "interval",
            Field::Count => "count",
            Field::UserTimeout => "user timeout",
            Field::RegistryTime => "KeepAliveTime",
            Field::RegistryInterval => "KeepAliveInterval",
            Field::Data => "sends data",
            Field::Rtt => "RTT",
            Field::Jitter => "jitter",
            Field::Loss => "loss",
            Field::Box => "middlebox",
            Field::BoxIdle => "its timeout",
            Field::Fate => "what happens",
            Field::FateAt => "when",
            Field::Return => "is back",
            Field::Answers => "answers",
            Field::Seed => "seed",
            Field::Length => "length",
            Field::Over => "batch over",
            Field::Runs => "batch runs",
        }
    }

    /// The fields that matter for a scenario, in the order of the form.
    pub fn all(scenario: &Scenario) -> Vec<Field> {
        let client = &scenario.client;
        let mut fields = vec![Field::Stack];
        match &client.windows {
            Some(_) => fields.extend([
                Field::SetBy,
                Field::Idle,
                Field::Interval,
                Field::Count,
                Field::RegistryTime,
                Field::RegistryInterval,
            ]),
            None => {
                fields.push(Field::Preset);
                if has_wheel(client) {
                    fields.push(Field::Hz);
                }
                fields.extend([Field::Keepalive, Field::Idle, Field::Interval, Field::Count]);
                fields.push(Field::UserTimeout);
            }
        }
        fields.extend([Field::Uptime, Field::Data, Field::Rtt, Field::Jitter, Field::Loss, Field::Box]);
        if path::first_box(scenario).is_some() {
            fields.push(Field::BoxIdle);
        }
        fields.extend([Field::Peer, Field::Answers, Field::Fate]);
        let (fate, _) = Fate::of(&scenario.server);
        if fate != Fate::Stays {
            fields.push(Field::FateAt);
        }
        if matches!(fate, Fate::PowerOff | Fate::Unplugged) {
            fields.push(Field::Return);
        }
        fields.extend([Field::Seed, Field::Length, Field::Over, Field::Runs]);
        fields
    }

    /// What it shows, and whether that is said in the scenario: otherwise it is what holds without.
    pub fn value(self, simulation: &Simulation) -> (String, bool) {
        let scenario = &simulation.scenario;
        let Scenario { client, server, .. } = scenario;
        let said = |text: String| (text, true);
        let span = |span: Option<Span>, otherwise: &str| match span {
            Some(span) => (duration::format(span), true),
            None => (otherwise.to_owned(), false),
        };
        match self {
            Field::Stack => said(edit::host_name(client)),
            Field::Peer => (edit::host_name(server), server.stack.is_some() || server.windows.is_some()),
            Field::SetBy => {
                said(client.windows.as_ref().map_or("", |found| windows::set_by(found).name()).to_owned())
            }
            Field::Preset => {
                (client.preset.clone().unwrap_or_else(|| "none".to_owned()), client.preset.is_some())
            }
            Field::Hz => (
                client.hz.or_else(|| default_hz(client)).map(|hz| hz.to_string()).unwrap_or_default(),
                client.hz.is_some(),
            ),
            Field::Uptime => span(client.uptime, "by chance"),
            Field::Keepalive => match client.keepalive {
                Some(on) => said(if on { "on" } else { "off" }.to_owned()),
                None => (if is_on(client) { "on" } else { "off" }.to_owned(), false),
            },
            Field::Idle => span(idle(client), &default(simulation, |settings| settings.idle)),
            Field::Interval => span(interval(client), &default(simulation, |settings| settings.interval)),
            Field::Count => match count(client) {
                Some(count) => said(count.to_string()),
                None => (default_count(simulation), false),
            },
            Field::UserTimeout => span(client.user_timeout, "off"),
            Field::RegistryTime | Field::RegistryInterval => {
                let value = client.windows.as_ref().and_then(|found| found.registry.get(self.name()));
                value.map_or(("none".to_owned(), false), |value| (format!("{value} ms"), true))
            }
            Field::Data => match client.data.first() {
                None => ("none".to_owned(), false),
                Some(first) => {
                    let every = first.every.map(|every| format!(" every {}", duration::format(every)));
                    let more = if client.data.len() > 1 { ", …" } else { "" };
                    said(format!("{}{}{more}", duration::format(first.at), every.unwrap_or_default()))
                }
            },
            Field::Rtt if path::is_lopsided(scenario) => {
                (format!("{}, uneven", duration::format(path::rtt(scenario))), true)
            }
            Field::Rtt => said(duration::format(path::rtt(scenario))),
            Field::Jitter => (duration::format(path::jitter(scenario)), path::jitter(scenario) > Span::ZERO),
            Field::Loss => match path::loss(scenario) {
                Ok(share) => (share.to_string(), share.millionths() > 0),
                Err(words) => said(words.to_owned()),
            },
            Field::Box => {
                let more = scenario.boxes.len().saturating_sub(1);
                let more = if more > 0 { format!(", {more} more") } else { String::new() };
                (format!("{}{more}", path::box_kind(scenario)), path::first_box(scenario).is_some())
            }
            Field::BoxIdle => match path::timeout(scenario) {
                (None, Some(product)) => (duration::format(product), false),
                (said, _) => span(said, "its default"),
            },
            Field::Fate => {
                let (fate, _) = Fate::of(server);
                (fate.name().to_owned(), fate != Fate::Stays)
            }
            Field::FateAt => span(Fate::of(server).1, ""),
            Field::Return => span(server.power_on.or(server.silent_until), "never"),
            Field::Answers => match server.answers {
                Some(answers) => said(answers.name().replace('_', " ")),
                None => ("as its stack".to_owned(), false),
            },
            Field::Seed => said(scenario.seed.to_string()),
            Field::Length => said(duration::format(scenario.length)),
            Field::Over => said(simulation.over.name().to_owned()),
            Field::Runs => said(simulation.runs.to_string()),
        }
    }
}

impl Over {
    /// As the form calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Over::Phases => "phases",
            Over::Seeds => "seeds",
        }
    }
}

/// The stack of a host as the simulator runs it.
fn model(host: &Host) -> Option<Model> {
    Model::of(Stack::named(edit::stack_name(host)).ok()?)
}

fn has_wheel(host: &Host) -> bool {
    model(host).is_some_and(|model| matches!(model.rounding, Rounding::TimerWheel { .. }))
}

fn default_hz(host: &Host) -> Option<u32> {
    match model(host)?.rounding {
        Rounding::TimerWheel { hz } => Some(hz),
        _ => None,
    }
}

/// Whether keepalives are on where the scenario does not say so.
fn is_on(host: &Host) -> bool {
    let said =
        host.idle.is_some() || host.interval.is_some() || host.count.is_some() || host.preset.is_some();
    said || model(host).and_then(|model| model.stack.timing.on_by_default.value).unwrap_or(false)
}

pub(super) fn idle(host: &Host) -> Option<Span> {
    host.windows.as_ref().map_or(host.idle, windows::idle)
}

pub(super) fn interval(host: &Host) -> Option<Span> {
    host.windows.as_ref().map_or(host.interval, windows::interval)
}

pub(super) fn count(host: &Host) -> Option<u32> {
    host.windows.as_ref().map_or(host.count, windows::count)
}

/// The settings that an application asks for, over those of the stack.
fn asked(host: &Host) -> Option<crate::keepalive::Settings> {
    let mut settings = model(host)?.settings;
    if let Some(preset) = host.preset.as_deref().and_then(|name| Preset::named(name).ok()) {
        settings.idle = preset.idle.value.and_then(Asked::get).unwrap_or(settings.idle);
        settings.interval = preset.interval.value.and_then(Asked::get).unwrap_or(settings.interval);
        settings.count = preset.count.value.and_then(Asked::get).unwrap_or(settings.count);
    }
    Some(settings)
}

/// What holds where the scenario says nothing: as it came out of the simulation, or by the tables.
fn default(simulation: &Simulation, of: impl Fn(&crate::keepalive::Settings) -> Span) -> String {
    let host = &simulation.scenario.client;
    if host.windows.is_some() {
        let ran = simulation.current().and_then(|prediction| prediction.run.ends.first()?.settings);
        return ran.map_or("default".to_owned(), |settings| duration::format(of(&settings)));
    }
    asked(host).map_or("default".to_owned(), |settings| duration::format(of(&settings)))
}

fn default_count(simulation: &Simulation) -> String {
    let host = &simulation.scenario.client;
    if host.windows.is_some() {
        let ran = simulation.current().and_then(|prediction| prediction.run.ends.first()?.settings);
        return ran.map_or("default".to_owned(), |settings| settings.count.to_string());
    }
    asked(host).map_or("default".to_owned(), |settings| settings.count.to_string())
}

/// Words for the values that a field takes, as a hint.
pub const fn hint(field: Field) -> &'static str {
    match field {
        Field::Stack | Field::Peer => {
            "a name of `keepscope stacks`, or windows and a version: windows 10-1709"
        }
        Field::SetBy => "nothing, SO_KEEPALIVE, TCP_KEEP* or SIO_KEEPALIVE_VALS",
        Field::Preset => "a name of `keepscope stacks`, such as go, or none",
        Field::Hz => "100, 250, 300 or 1000; empty for the default",
        Field::Keepalive => "on or off; empty for what the stack does",
        Field::Count => "1 to 255; empty for the default",
        Field::RegistryTime | Field::RegistryInterval => "milliseconds; empty for no such entry",
        Field::Data => "at once, or again: 1s every 30s; empty for none",
        Field::Loss => "a share such as 2% or 0.1%",
        Field::Box => "none, tracker, conntrack, proxy or a name of `keepscope products`",
        Field::Fate => "stays, power off, unplugged, closes or resets",
        Field::Answers => "all, one_octet or nothing; empty for what its stack does",
        Field::Seed => "a number",
        Field::Over => "phases or seeds",
        Field::Runs => "1 to 1000000",
        Field::BoxIdle => "a time such as 350s or 1h; empty for that of the product",
        Field::Rtt | Field::Jitter | Field::Length | Field::FateAt => "a time such as 20ms, 60s or 2h",
        Field::Idle | Field::Interval => "a time such as 60s or 2h; empty for the default",
        Field::Uptime | Field::Return | Field::UserTimeout => "a time such as 90s; empty for none",
    }
}

/// The word of the scenario for which probes a host answers.
pub(super) fn answers_name(host: &Host) -> &'static str {
    host.answers.map_or("", Word::name)
}
