//! What is set on a socket, and what its keepalives run on.
//!
//! Owns which of several sources of a value wins, and the schedule of probes that follows. Uses the registry,
//! the versions, the constants and [`crate::time`].

use super::constant::{KEEPALIVE_PROBES, KEEPALIVE_PROBES_BEFORE_VISTA};
use super::registry::{Registry, RegistryEntry};
use super::tcp_keepalive::TcpKeepalive;
use super::version::WindowsVersion;
use crate::time::{Span, Timestamp};

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// What Windows has when nobody sets anything.
    Default,
    /// An entry of the registry.
    Registry(RegistryEntry),
    /// `setsockopt` with `SO_KEEPALIVE`.
    SoKeepalive,
    /// `WSAIoctl` with `SIO_KEEPALIVE_VALS`.
    SioKeepaliveVals,
    /// `setsockopt` with `TCP_KEEPIDLE`.
    TcpKeepidle,
    /// `setsockopt` with `TCP_KEEPINTVL`.
    TcpKeepintvl,
    /// `setsockopt` with `TCP_KEEPCNT`.
    TcpKeepcnt,
}

impl Origin {
    /// Its Windows name.
    pub const fn name(self) -> &'static str {
        match self {
            Origin::Default => "default",
            Origin::Registry(entry) => entry.name(),
            Origin::SoKeepalive => "SO_KEEPALIVE",
            Origin::SioKeepaliveVals => "SIO_KEEPALIVE_VALS",
            Origin::TcpKeepidle => "TCP_KEEPIDLE",
            Origin::TcpKeepintvl => "TCP_KEEPINTVL",
            Origin::TcpKeepcnt => "TCP_KEEPCNT",
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Who set it.
    pub origin: Origin,
    /// It was set on the listening socket that this socket was accepted from.
    pub inherited: bool,
}

impl<T> Setting<T> {
    const fn new(value: T, origin: Origin) -> Self {
        Self { value, origin, inherited: false }
    }
}

/// What somebody set on a socket; what nobody set is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Options {
    pub(super) on: Option<Setting<bool>>,
    /// Milliseconds.
    pub(super) idle: Option<Setting<u64>>,
    /// Milliseconds.
    pub(super) interval: Option<Setting<u64>>,
    pub(super) count: Option<Setting<u8>>,
}

impl Options {
    pub(super) fn set_on(&mut self, on: bool) {
        self.on = Some(Setting::new(on, Origin::SoKeepalive));
    }

    pub(super) fn set_idle_seconds(&mut self, seconds: u32) {
        self.idle = Some(Setting::new(u64::from(seconds) * 1_000, Origin::TcpKeepidle));
    }

    pub(super) fn set_interval_seconds(&mut self, seconds: u32) {
        self.interval = Some(Setting::new(u64::from(seconds) * 1_000, Origin::TcpKeepintvl));
    }

    pub(super) fn set_count(&mut self, count: u8) {
        self.count = Some(Setting::new(count, Origin::TcpKeepcnt));
    }

    /// As documented, the times count only when the call turns keepalives on.
    pub(super) fn set_vals(&mut self, vals: TcpKeepalive) {
        let origin = Origin::SioKeepaliveVals;
        self.on = Some(Setting::new(vals.onoff != 0, origin));
        if vals.onoff != 0 {
            self.idle = Some(Setting::new(u64::from(vals.keepalivetime), origin));
            self.interval = Some(Setting::new(u64::from(vals.keepaliveinterval), origin));
        }
    }

    /// What a socket accepted from this one has.
    pub(super) fn inherited(mut self) -> Self {
        fn mark<T>(setting: &mut Option<Setting<T>>) {
            if let Some(setting) = setting {
                setting.inherited = true;
            }
        }
        mark(&mut self.on);
        mark(&mut self.idle);
        mark(&mut self.interval);
        mark(&mut self.count);
        self
    }

    pub(super) fn is_on(&self) -> bool {
        self.on.is_some_and(|on| on.value)
    }

    /// The idle time in milliseconds.
    pub(super) fn idle(&self, registry: &Registry) -> Setting<u64> {
        self.idle.unwrap_or_else(|| system_time(registry, RegistryEntry::KeepAliveTime))
    }

    /// The interval in milliseconds.
    pub(super) fn interval(&self, registry: &Registry) -> Setting<u64> {
        self.interval.unwrap_or_else(|| system_time(registry, RegistryEntry::KeepAliveInterval))
    }

    pub(super) fn count(&self, version: WindowsVersion, registry: &Registry) -> Setting<u8> {
        self.count.unwrap_or_else(|| system_count(version, registry))
    }

    /// What keepalives run on.
    pub(super) fn effective(
        &self,
        version: WindowsVersion,
        registry: &Registry,
        connected: bool,
    ) -> Effective {
        let span = |setting: Setting<u64>| Setting {
            value: Span::from_millis(i64::try_from(setting.value).unwrap_or(i64::MAX)),
            origin: setting.origin,
            inherited: setting.inherited,
        };
        Effective {
            on: self.on.unwrap_or(Setting::new(false, Origin::Default)),
            idle: span(self.idle(registry)),
            interval: span(self.interval(registry)),
            count: self.count(version, registry),
            connected,
        }
    }
}

/// A time that holds for every connection on which nobody set another.
fn system_time(registry: &Registry, entry: RegistryEntry) -> Setting<u64> {
    let (value, origin) = match registry.usable(entry) {
        Some(value) => (value, Origin::Registry(entry)),
        None => (entry.default_value(), Origin::Default),
    };
    Setting::new(u64::from(value), origin)
}

/// The number of probes that holds for every connection on which nobody set another.
fn system_count(version: WindowsVersion, registry: &Registry) -> Setting<u8> {
    if version.is_vista_or_later() {
        return Setting::new(KEEPALIVE_PROBES, Origin::Default);
    }
    let (data, pptp) =
        (RegistryEntry::TcpMaxDataRetransmissions, RegistryEntry::PptpTcpMaxDataRetransmissions);
    let larger = match (registry.usable(data), registry.usable(pptp)) {
        (None, None) => return Setting::new(KEEPALIVE_PROBES_BEFORE_VISTA, Origin::Default),
        (Some(value), other) if other.is_none_or(|other| value >= other) => (value, data),
        (_, other) => (other.unwrap_or(0), pptp),
    };
    let (value, entry) = larger;
    Setting::new(u8::try_from(value).unwrap_or(u8::MAX), Origin::Registry(entry))
}

/// What the keepalives of a TCP socket run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Whether keepalives are on.
    pub on: Setting<bool>,
    /// Time without data or ACK from the peer before the first probe, to the millisecond.
    pub idle: Setting<Span>,
    /// Time between probes that are not answered, to the millisecond.
    pub interval: Setting<Span>,
    /// Probes without answer before the connection is given up; 0 sends none.
    pub count: Setting<u8>,
    /// Whether there is a connection to keep alive.
    pub connected: bool,
}

impl Effective {
    /// Whether probes go out when the connection is idle.
    pub fn sends_probes(&self) -> bool {
        self.on.value && self.connected && self.count.value > 0
    }

    /// When the next probe is due after data or an ACK was last received and that many probes since then
    /// went unanswered (RFC 1122 §4.2.3.6); nothing when none is.
    pub fn probe_due(&self, last_received: Timestamp, unanswered: u8) -> Option<Timestamp> {
        (self.sends_probes() && unanswered < self.count.value)
            .then(|| after(last_received, self.idle.value, self.interval.value.times(unanswered.into())))
    }

    /// When the connection is given up if nothing answers: one interval after the last probe, which is
    /// [`Unverified::GiveUpTime`](super::Unverified::GiveUpTime).
    pub fn give_up_due(&self, last_received: Timestamp) -> Option<Timestamp> {
        let intervals = self.interval.value.times(self.count.value.into());
        self.sends_probes().then(|| after(last_received, self.idle.value, intervals))
    }
}

fn after(start: Timestamp, first: Span, second: Span) -> Timestamp {
    let nanos = start.as_nanos().saturating_add(first.as_nanos());
    Timestamp::from_nanos(nanos.saturating_add(second.as_nanos()))
}
