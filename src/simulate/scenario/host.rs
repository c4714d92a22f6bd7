//! Hosts in a scenario: the stack, what is set on the connection, and what befalls them.
//!
//! Owns [`Host`]. What it becomes is [`crate::simulate::host`]'s.

use serde::{Deserialize, Serialize};

use super::problem::Wrong;
use super::text::{Address, Word, Words, optional_span, span};
use super::windows::Windows;
use crate::keepalive::{Model, Setting};
use crate::segment::Endpoint;
use crate::simulate::host::{Action, EndSpec, HostChange, HostSpec};
use crate::simulate::profile::Profile;
use crate::stack::preset::Asked;
use crate::stack::value::Rounding;
use crate::stack::{Preset, Stack};
use crate::time::Span;

/// One of the two hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// Its address and its port.
    pub address: Option<Address>,
    /// Its TCP stack, as `keepscope stacks` lists them; `linux` where nothing is said.
    pub stack: Option<String>,
    /// `CONFIG_HZ` of a Linux kernel.
    pub hz: Option<u32>,
    /// How long it has been up, which says where its timers stand; by chance where nothing is said.
    #[serde(with = "optional_span")]
    pub uptime: Option<Span>,
    /// Whether it offers TCP timestamps; as its stack does where nothing is said.
    pub timestamps: Option<bool>,

    /// The settings of an application or library, as `keepscope stacks` lists them.
    pub preset: Option<String>,
    /// Whether keepalives are on. Where nothing is said they are if a setting or an application is named.
    pub keepalive: Option<bool>,
    /// Silence before the first probe (`TCP_KEEPIDLE`).
    #[serde(with = "optional_span")]
    pub idle: Option<Span>,
    /// Time between unanswered probes (`TCP_KEEPINTVL`).
    #[serde(with = "optional_span")]
    pub interval: Option<Span>,
    /// Unanswered probes before giving up (`TCP_KEEPCNT`).
    pub count: Option<u32>,
    /// `TCP_USER_TIMEOUT`.
    #[serde(with = "optional_span")]
    pub user_timeout: Option<Span>,

    /// Which probes it answers: `all`, `one_octet` or `nothing`; as its stack does where nothing is said.
    pub answers: Option<Word<Answers>>,
    /// From here on its cable is out: it sends and hears nothing, and its timers go on.
    #[serde(with = "optional_span")]
    pub silent_from: Option<Span>,
    /// Up to here.
    #[serde(with = "optional_span")]
    pub silent_until: Option<Span>,
    /// It loses its power, and with it all connections.
    #[serde(with = "optional_span")]
    pub power_off: Option<Span>,
    /// It has power again, and answers whatever comes for the old connection by RST.
    #[serde(with = "optional_span")]
    pub power_on: Option<Span>,

    /// Its application closes after this long without data in either direction.
    #[serde(with = "optional_span")]
    pub close_when_idle: Option<Span>,
    /// Its application closes now.
    #[serde(with = "optional_span")]
    pub close_at: Option<Span>,
    /// Its application resets the connection now.
    #[serde(with = "optional_span")]
    pub abort_at: Option<Span>,
    /// Its application does not close when the other side does.
    pub stays_half_open: Option<bool>,
    /// What its application sends.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<Data>,
    /// What its application sets while the connection lives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<Change>,
    /// It is a Windows host whose application sets its options by Winsock calls.
    pub windows: Option<Windows>,
}

/// Which probes a host answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Those with an octet and those without.
    All,
    /// Only those with an octet.
    OneOctet,
    /// None.
    Nothing,
}

impl Words for Answers {
    const WORDS: &'static [(&'static str, Self)] =
        &[("all", Answers::All), ("one_octet", Answers::OneOctet), ("nothing", Answers::Nothing)];
}

/// Data that an application sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// When first, since the start.
    #[serde(with = "span")]
    pub at: Span,
    /// How many octets.
    pub octets: u32,
    /// Again each time this has passed; once where nothing is said.
    #[serde(default, with = "optional_span")]
    pub every: Option<Span>,
    /// Not after this.
    #[serde(default, with = "optional_span")]
    pub until: Option<Span>,
}

/// What an application sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// When, since the start.
    #[serde(with = "span")]
    pub at: Span,
    /// Keepalives on or off.
    pub keepalive: Option<bool>,
    /// The idle time.
    #[serde(default, with = "optional_span")]
    pub idle: Option<Span>,
    /// The interval.
    #[serde(default, with = "optional_span")]
    pub interval: Option<Span>,
    /// The count.
    pub count: Option<u32>,
    /// The user timeout.
    #[serde(default, with = "optional_span")]
    pub user_timeout: Option<Span>,
}

impl Change {
    fn settings(&self) -> Vec<Setting> {
        // As an application does it: the switch comes last.
        [
            self.idle.map(Setting::Idle),
            self.interval.map(Setting::Interval),
            self.count.map(Setting::Count),
            self.user_timeout.map(Setting::UserTimeout),
            self.keepalive.map(Setting::Enabled),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A host for the simulator: itself, and its end of the connection.
#[derive(Clone, Debug)]
pub(super) struct HostParts {
    pub(super) host: HostSpec,
    pub(super) end: EndSpec,
    pub(super) port: u16,
}

/// Counts that a socket option takes.
const COUNTS: std::ops::RangeInclusive<u32> = 1..=255;

impl Host {
    /// Its model, with everything said of its stack.
    fn model(&self, key: &str) -> Result<Model, Wrong> {
        let name = match (&self.windows, &self.stack) {
            (Some(_), Some(_)) => {
                return Err(Wrong::new(
                    format!("{key}.stack"),
                    "the version of Windows says it; say one of the two",
                ));
            }
            (Some(windows), None) => windows.stack(),
            (None, Some(name)) => name,
            (None, None) => "linux",
        };
        let key = format!("{key}.stack");
        let stack = Stack::named(name)
            .map_err(|unknown| Wrong::new(&key, format!("{unknown}; `keepscope stacks` lists them")))?;
        Model::of(stack).ok_or_else(|| {
            let problem = format!(
                "too little is known of {} to run it; `keepscope stacks {}` shows what is",
                stack.title, stack.name
            );
            Wrong::new(key, problem)
        })
    }

    /// The host and its end of the connection, or what is wrong with it.
    pub(super) fn parts(&self, key: &str, default: Endpoint) -> Result<HostParts, Wrong> {
        let model = self.model(key)?;
        let wheel = matches!(model.rounding, Rounding::TimerWheel { .. });
        match self.hz {
            Some(_) if !wheel => {
                return Err(Wrong::new(
                    format!("{key}.hz"),
                    format!("{} has no timer wheel", model.stack.title),
                ));
            }
            Some(hz) if !(1..=1200).contains(&hz) => {
                return Err(Wrong::new(
                    format!("{key}.hz"),
                    "must be from 1 to 1200; kernels have 100, 250, 300 or 1000",
                ));
            }
            _ => {}
        }
        let end = self.end(key, &model)?;
        let local = self.address.map_or(default, |address| address.0);
        let mut profile = Profile::of(model.stack);
        profile.timestamps = self.timestamps.unwrap_or(profile.timestamps);
        let host = HostSpec {
            hz: self.hz,
            uptime: self.uptime,
            profile: Some(profile),
            windows: self.windows.as_ref().map(Windows::spec),
            changes: self.changes(key)?,
            ..HostSpec::new(local.address, model.stack)
        };
        Ok(HostParts { host, end, port: local.port })
    }

    fn end(&self, key: &str, model: &Model) -> Result<EndSpec, Wrong> {
        let asked = self.asked(key)?;
        let said = self.idle.is_some() || self.interval.is_some() || self.count.is_some();
        let by_stack = model.stack.timing.on_by_default.value.unwrap_or(false);
        let keepalive = self.keepalive.unwrap_or(said || asked.is_some() || by_stack);
        let asked = asked.unwrap_or_default();
        let idle = self.idle.or(asked.idle);
        if keepalive && idle.is_none() && !model.has_idle && self.windows.is_none() {
            let problem = format!("{} has no default, say one", model.stack.title);
            return Err(Wrong::new(format!("{key}.idle"), problem));
        }
        let interval = self.interval.or(asked.interval);
        for (name, span) in [("idle", idle), ("interval", interval)] {
            if span.is_some_and(|span| span <= Span::ZERO) {
                return Err(Wrong::new(format!("{key}.{name}"), "must be longer than nothing"));
            }
        }
        let count = self.count.or(asked.count);
        if count.is_some_and(|count| !COUNTS.contains(&count)) {
            return Err(Wrong::new(format!("{key}.count"), "must be from 1 to 255"));
        }
        let habits = self.answers.map(|Word(answers)| {
            let mut habits = model.rules.habits();
            habits.answers_empty = answers == Answers::All;
            habits.answers_octet = answers != Answers::Nothing;
            habits
        });
        let windows = self.windows.iter().flat_map(|windows| &windows.calls);
        Ok(EndSpec {
            keepalive: keepalive && self.windows.is_none(),
            idle,
            interval,
            count,
            user_timeout: self.user_timeout.or(asked.user_timeout),
            habits,
            close_when_idle: self.close_when_idle,
            stays_half_open: self.stays_half_open.unwrap_or(false),
            calls: windows.filter(|call| call.at.is_none()).map(|call| call.spec()).collect(),
            actions: self.actions(key)?,
        })
    }

    /// What the application or library that is named asks for.
    fn asked(&self, key: &str) -> Result<Option<PresetSettings>, Wrong> {
        if let Some(windows) = &self.windows {
            windows.check(&format!("{key}.windows"))?;
            let said = [
                ("preset", self.preset.is_some()),
                ("keepalive", self.keepalive.is_some()),
                ("idle", self.idle.is_some()),
                ("interval", self.interval.is_some()),
                ("count", self.count.is_some()),
                ("user_timeout", self.user_timeout.is_some()),
            ];
            if let Some((name, _)) = said.iter().find(|(_, said)| *said) {
                let problem = "a Windows host sets it by its calls; write windows.calls";
                return Err(Wrong::new(format!("{key}.{name}"), problem));
            }
        }
        let Some(name) = &self.preset else { return Ok(None) };
        let preset = Preset::named(name).map_err(|unknown| {
            Wrong::new(format!("{key}.preset"), format!("{unknown}; `keepscope stacks` lists them"))
        })?;
        Ok(Some(PresetSettings {
            idle: preset.idle.value.and_then(Asked::get),
            interval: preset.interval.value.and_then(Asked::get),
            count: preset.count.value.and_then(Asked::get),
            user_timeout: preset.user_timeout.value.and_then(Asked::get),
        }))
    }

    fn changes(&self, key: &str) -> Result<Vec<(Span, HostChange)>, Wrong> {
        let pairs = [
            ("silent_until", self.silent_until, "silent_from", self.silent_from),
            ("power_on", self.power_on, "power_off", self.power_off),
        ];
        for (later_name, later, earlier_name, earlier) in pairs {
            match (later, earlier) {
                (Some(_), None) => {
                    return Err(Wrong::new(format!("{key}.{later_name}"), format!("say {earlier_name} too")));
                }
                (Some(later), Some(earlier)) if later <= earlier => {
                    let problem = format!("must come after {earlier_name}");
                    return Err(Wrong::new(format!("{key}.{later_name}"), problem));
                }
                _ => {}
            }
        }
        let times = [
            (self.silent_from, HostChange::Unplugged),
            (self.silent_until, HostChange::Plugged),
            (self.power_off, HostChange::PowerOff),
            (self.power_on, HostChange::PowerOn),
        ];
        Ok(times.into_iter().filter_map(|(time, change)| Some((time?, change))).collect())
    }

    fn actions(&self, key: &str) -> Result<Vec<(Span, Action)>, Wrong> {
        let mut actions = Vec::new();
        for (index, data) in self.data.iter().enumerate() {
            let key = format!("{key}.data.{index}");
            if data.octets == 0 {
                return Err(Wrong::new(format!("{key}.octets"), "must be at least 1"));
            }
            if data.every.is_some_and(|every| every <= Span::ZERO) {
                return Err(Wrong::new(format!("{key}.every"), "must be longer than nothing"));
            }
            actions
                .push((data.at, Action::Send { octets: data.octets, every: data.every, until: data.until }));
        }
        for (index, change) in self.set.iter().enumerate() {
            let key = format!("{key}.set.{index}");
            let settings = change.settings();
            if settings.is_empty() {
                return Err(Wrong::new(
                    key,
                    "sets nothing; say keepalive, idle, interval, count or user_timeout",
                ));
            }
            if change.count.is_some_and(|count| !COUNTS.contains(&count)) {
                return Err(Wrong::new(format!("{key}.count"), "must be from 1 to 255"));
            }
            actions.extend(settings.into_iter().map(|setting| (change.at, Action::Set(setting))));
        }
        let closing = [(self.close_at, Action::Close), (self.abort_at, Action::Abort)];
        actions.extend(closing.into_iter().filter_map(|(at, action)| Some((at?, action))));
        let calls = self.windows.iter().flat_map(|windows| &windows.calls);
        actions.extend(calls.filter_map(|call| Some((call.at?, Action::Call(call.spec())))));
        Ok(actions)
    }
}

/// What an application asks for.
#[derive(Clone, Copy, Debug, Default)]
struct PresetSettings {
    idle: Option<Span>,
    interval: Option<Span>,
    count: Option<u32>,
    user_timeout: Option<Span>,
}
