//! Every cell of a row in order, taken apart for output.
//!
//! Owns the names of the columns. Uses nothing of the crate but its own table.

use super::cell::{Cell, Source, Status};
use super::preset::Preset;
use super::value::{Datum, Value};
use super::{GivingUp, IdleClock, Probe, Rearming, Responder, SocketOption, Stack, Timing};

/// A cell as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The column, for programs.
    pub column: &'static str,
    /// The column, for people.
    pub title: &'static str,
    /// What is known, if anything.
    pub value: Option<Datum>,
    /// How far it can be trusted.
    pub status: Status,
    /// Where it comes from.
    pub sources: &'static [Source],
    /// What the value alone does not say; empty if nothing.
    pub note: &'static str,
    /// Whether a known value would be a length of time.
    pub is_duration: bool,
}

/// Cells that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// For programs.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// The cells.
    pub cells: Vec<Shown>,
}

/// A cell taken apart.
pub(crate) fn shown<T: Value>(column: &'static str, title: &'static str, cell: &Cell<T>) -> Shown {
    Shown {
        column,
        title,
        value: cell.value.as_ref().map(Value::datum),
        status: cell.status,
        sources: cell.sources,
        note: cell.note,
        is_duration: false,
    }
}

/// The same, of a column that holds lengths of time.
pub(crate) fn duration<T: Value>(column: &'static str, title: &'static str, cell: &Cell<T>) -> Shown {
    Shown { is_duration: true, ..shown(column, title, cell) }
}

impl Stack {
    /// All cells but those of the options.
    pub fn groups(&self) -> Vec<Group> {
        vec![
            self.timing.group(),
            self.probe.group(),
            self.giving_up.group(),
            self.idle_clock.group(),
            self.responder.group(),
            self.rearming.group(),
        ]
    }
}

impl Timing {
    fn group(&self) -> Group {
        let cells = vec![
            shown("on_by_default", "on by default", &self.on_by_default),
            duration("idle", "idle", &self.idle),
            duration("interval", "interval", &self.interval),
            shown("count", "count", &self.count),
            duration("detects_after", "finds a dead peer after", &self.detects_after),
            shown("shape", "interval shape", &self.shape),
            shown("rounding", "timer rounding", &self.rounding),
        ];
        Group { name: "timing", title: "Timing", cells }
    }
}

impl Probe {
    fn group(&self) -> Group {
        let cells = vec![
            shown("octets", "octets", &self.octets),
            shown("octet_value", "octet value", &self.octet_value),
            shown("seq", "SEQ", &self.seq),
            shown("ack", "ACK", &self.ack),
            shown("flags", "flags", &self.flags),
            shown("options", "TCP options", &self.options),
            shown("window", "window", &self.window),
            shown("dont_fragment", "IP DF", &self.dont_fragment),
            shown("ttl", "IP TTL", &self.ttl),
            shown("ip_id", "IP ID", &self.ip_id),
        ];
        Group { name: "probe", title: "Probe", cells }
    }
}

impl GivingUp {
    fn group(&self) -> Group {
        let cells = vec![
            shown("rule", "rule", &self.rule),
            shown("moment", "when", &self.moment),
            shown("reset", "sends", &self.reset),
            shown("error", "application sees", &self.error),
        ];
        Group { name: "giving_up", title: "Giving up", cells }
    }
}

impl IdleClock {
    fn group(&self) -> Group {
        let cells = vec![
            shown("reset_by", "reset by", &self.reset_by),
            shown("reset_by_sending", "reset by sending", &self.reset_by_sending),
            shown("reset_by_probes", "reset by peer's probes", &self.reset_by_probes),
            shown("on_receipt", "timer on receipt", &self.on_receipt),
            shown("outstanding", "data outstanding", &self.outstanding),
            shown("zero_window", "window closed", &self.zero_window),
        ];
        Group { name: "idle_clock", title: "Idle time", cells }
    }
}

impl Responder {
    fn group(&self) -> Group {
        let cells = vec![
            shown("zero_octets", "to zero octets", &self.zero_octets),
            shown("one_octet", "to one octet", &self.one_octet),
            shown("rate_limit", "rate limit", &self.rate_limit),
            shown("dsack", "D-SACK for the octet", &self.dsack),
            shown("echo_zero_octets", "TSecr, zero octets", &self.echo_zero_octets),
            shown("echo_one_octet", "TSecr, one octet", &self.echo_one_octet),
            shown("old_timestamp_zero_octets", "old TSval, zero octets", &self.old_timestamp_zero_octets),
            shown("old_timestamp_one_octet", "old TSval, one octet", &self.old_timestamp_one_octet),
            shown("missing_timestamps", "timestamps missing", &self.missing_timestamps),
        ];
        Group { name: "responder", title: "Answers to probes", cells }
    }
}

impl Rearming {
    fn group(&self) -> Group {
        let cells = vec![
            shown("enabling", "turning it on", &self.enabling),
            shown("setting_idle", "setting idle", &self.setting_idle),
            shown("setting_interval", "setting interval, count", &self.setting_interval),
        ];
        Group { name: "rearming", title: "Options set on a quiet connection", cells }
    }
}

impl SocketOption {
    /// All cells of the option.
    pub fn cells(&self) -> Vec<Shown> {
        vec![
            shown("unit", "unit", &self.unit),
            shown("accepts", "accepts", &self.accepts),
            shown("bad_value", "else", &self.bad_value),
        ]
    }
}

impl Preset {
    /// All cells.
    pub fn cells(&self) -> Vec<Shown> {
        vec![
            shown("systems", "on", &self.systems),
            shown("on_by_default", "on by default", &self.on_by_default),
            duration("idle", "idle", &self.idle),
            duration("interval", "interval", &self.interval),
            shown("count", "count", &self.count),
            duration("user_timeout", "user timeout", &self.user_timeout),
        ]
    }
}
