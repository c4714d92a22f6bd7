//! A Windows host as a form has it: its version, and idle time, interval and count by the calls that set them.
//!
//! Calls that are made while the connection lives stay as they are. Pure.

use crate::simulate::scenario::{Call, Called, Version, Windows, Word};
use crate::time::Span;
use crate::winsock::WindowsVersion;

/// What `SIO_KEEPALIVE_VALS` gets where nothing was said: the defaults of Windows.
const IDLE_MS: u32 = 7_200_000;
const INTERVAL_MS: u32 = 1_000;

/// By which calls keepalives are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// None: they are off.
    Nothing,
    /// `SO_KEEPALIVE` alone.
    Switch,
    /// `SO_KEEPALIVE`, `TCP_KEEPIDLE`, `TCP_KEEPINTVL` and `TCP_KEEPCNT`.
    Options,
    /// `SIO_KEEPALIVE_VALS`.
    Ioctl,
}

impl SetBy {
    /// All of them.
    pub const ALL: [SetBy; 4] = [SetBy::Nothing, SetBy::Switch, SetBy::Options, SetBy::Ioctl];

    /// As the form calls it.
    pub const fn name(self) -> &'static str {
        match self {
            SetBy::Nothing => "nothing",
            SetBy::Switch => "SO_KEEPALIVE",
            SetBy::Options => "TCP_KEEP*",
            SetBy::Ioctl => "SIO_KEEPALIVE_VALS",
        }
    }
}

/// A Windows of that version whose application turns keepalives on.
pub fn plain(version: WindowsVersion) -> Windows {
    let calls = vec![option(Called::SoKeepalive, 1)];
    Windows { version: Version(version), registry: Default::default(), calls }
}

fn option(called: Called, value: u32) -> Call {
    Call {
        call: Word(called),
        value: Some(value),
        onoff: None,
        keepalivetime: None,
        keepaliveinterval: None,
        at: None,
        error: None,
    }
}

fn find(windows: &Windows, called: Called) -> Option<&Call> {
    windows.calls.iter().find(|call| call.call.0 == called && call.at.is_none())
}

/// By which calls a host sets its keepalives before it connects.
pub fn set_by(windows: &Windows) -> SetBy {
    let has = |called| find(windows, called).is_some();
    if has(Called::SioKeepaliveVals) {
        SetBy::Ioctl
    } else if [Called::TcpKeepidle, Called::TcpKeepintvl, Called::TcpKeepcnt].into_iter().any(has) {
        SetBy::Options
    } else if has(Called::SoKeepalive) {
        SetBy::Switch
    } else {
        SetBy::Nothing
    }
}

/// Lets it set them by other calls, with the values there were where that is possible.
pub fn change(windows: &mut Windows, by: SetBy) {
    let (idle, interval, count) = (idle(windows), interval(windows), count(windows));
    windows.calls.retain(|call| call.at.is_some());
    let calls = match by {
        SetBy::Nothing => Vec::new(),
        SetBy::Switch => vec![option(Called::SoKeepalive, 1)],
        SetBy::Options => vec![
            option(Called::SoKeepalive, 1),
            option(Called::TcpKeepidle, idle.map_or(IDLE_MS / 1000, whole_seconds)),
            option(Called::TcpKeepintvl, interval.map_or(INTERVAL_MS / 1000, whole_seconds)),
            option(Called::TcpKeepcnt, count.unwrap_or(10)),
        ],
        SetBy::Ioctl => vec![Call {
            value: None,
            onoff: Some(1),
            keepalivetime: Some(idle.map_or(IDLE_MS, millis)),
            keepaliveinterval: Some(interval.map_or(INTERVAL_MS, millis)),
            ..option(Called::SioKeepaliveVals, 0)
        }],
    };
    windows.calls.splice(0..0, calls);
}

fn whole_seconds(span: Span) -> u32 {
    u32::try_from(span.as_nanos() / 1_000_000_000).unwrap_or(u32::MAX).max(1)
}

fn millis(span: Span) -> u32 {
    u32::try_from(span.as_nanos() / 1_000_000).unwrap_or(u32::MAX)
}

fn value(windows: &Windows, called: Called, of: impl Fn(&Call) -> Option<u32>) -> Option<Span> {
    if let Some(seconds) = find(windows, called).and_then(|call| call.value) {
        return Some(Span::from_secs(i64::from(seconds)));
    }
    find(windows, Called::SioKeepaliveVals).and_then(of).map(|millis| Span::from_millis(i64::from(millis)))
}

/// The idle time that is set.
pub fn idle(windows: &Windows) -> Option<Span> {
    value(windows, Called::TcpKeepidle, |call| call.keepalivetime)
}

/// The interval that is set.
pub fn interval(windows: &Windows) -> Option<Span> {
    value(windows, Called::TcpKeepintvl, |call| call.keepaliveinterval)
}

/// The count that is set.
pub fn count(windows: &Windows) -> Option<u32> {
    find(windows, Called::TcpKeepcnt).and_then(|call| call.value)
}

/// Sets the idle time, by `TCP_KEEPIDLE` unless by `SIO_KEEPALIVE_VALS`; nothing for the default.
///
/// # Errors
/// If the call does not take it.
pub fn set_idle(windows: &mut Windows, idle: Option<Span>) -> Result<(), String> {
    set(windows, Called::TcpKeepidle, idle, IDLE_MS, |call| &mut call.keepalivetime)
}

/// Sets the interval likewise.
///
/// # Errors
/// If the call does not take it.
pub fn set_interval(windows: &mut Windows, interval: Option<Span>) -> Result<(), String> {
    set(windows, Called::TcpKeepintvl, interval, INTERVAL_MS, |call| &mut call.keepaliveinterval)
}

fn set(
    windows: &mut Windows,
    called: Called,
    wanted: Option<Span>,
    default: u32,
    of: impl Fn(&mut Call) -> &mut Option<u32>,
) -> Result<(), String> {
    if let Some(call) =
        windows.calls.iter_mut().find(|call| call.call.0 == Called::SioKeepaliveVals && call.at.is_none())
    {
        if wanted.is_some_and(|span| span.as_nanos() % 1_000_000 != 0) {
            return Err("SIO_KEEPALIVE_VALS takes whole milliseconds".to_owned());
        }
        *of(call) = Some(wanted.map_or(default, millis));
        return Ok(());
    }
    if wanted.is_some_and(|span| span.as_nanos() % 1_000_000_000 != 0) {
        return Err(format!("{} takes whole seconds", Word(called).name()));
    }
    set_option(windows, called, wanted.map(whole_seconds));
    Ok(())
}

/// Sets the count by `TCP_KEEPCNT`; nothing for the default.
///
/// # Errors
/// If `SIO_KEEPALIVE_VALS` is what sets keepalives: it has none.
pub fn set_count(windows: &mut Windows, count: Option<u32>) -> Result<(), String> {
    if set_by(windows) == SetBy::Ioctl && count.is_some() {
        return Err("SIO_KEEPALIVE_VALS sets no count".to_owned());
    }
    set_option(windows, Called::TcpKeepcnt, count);
    Ok(())
}

fn set_option(windows: &mut Windows, called: Called, wanted: Option<u32>) {
    let place = windows.calls.iter().position(|call| call.call.0 == called && call.at.is_none());
    match (place, wanted) {
        (Some(place), Some(value)) => {
            if let Some(call) = windows.calls.get_mut(place) {
                call.value = Some(value);
            }
        }
        (Some(place), None) => {
            windows.calls.remove(place);
        }
        (None, Some(value)) => {
            // An option alone turns nothing on.
            if find(windows, Called::SoKeepalive).is_none() {
                windows.calls.insert(0, option(Called::SoKeepalive, 1));
            }
            let later = windows.calls.iter().position(|call| call.at.is_some());
            windows.calls.insert(later.unwrap_or(windows.calls.len()), option(called, value));
        }
        (None, None) => {}
    }
}
