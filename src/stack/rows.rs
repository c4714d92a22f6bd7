//! The rows of the table, one file per family.
//!
//! Owns the order of the rows and what a row says where nobody knows anything.

use super::{Cell, GivingUp, IdleClock, Probe, Rearming, Responder, Stack, Timing};

mod bsd;
mod freebsd;
mod illumos;
mod linux;
mod macos;
mod others;
mod small;
mod windows;

/// All rows; those that run come first.
pub(super) const ALL: &[&Stack] = &[
    &linux::LINUX,
    &windows::WINDOWS_10_1709,
    &windows::WINDOWS_VISTA,
    &windows::WINDOWS_2003,
    &freebsd::FREEBSD,
    &macos::MACOS,
    &bsd::OPENBSD,
    &bsd::NETBSD,
    &illumos::ILLUMOS,
    &small::GVISOR_STACK,
    &small::SMOLTCP_STACK,
    &small::LWIP_STACK,
    &others::FREERTOS_STACK,
    &others::PICOTCP_STACK,
    &macos::MACOS_OFFLOAD,
    &bsd::DRAGONFLY,
    &others::NUTTX,
    &others::UIP,
    &others::ZVM,
    &others::PYTCP,
];

impl Stack {
    /// Nothing known, not even its name.
    const UNKNOWN: Stack = Stack {
        name: "",
        title: "",
        aliases: &[],
        runs: false,
        timing: Timing::UNKNOWN,
        probe: Probe::UNKNOWN,
        giving_up: GivingUp::UNKNOWN,
        idle_clock: IdleClock::UNKNOWN,
        responder: Responder::UNKNOWN,
        rearming: Rearming::UNKNOWN,
        options: Cell::UNKNOWN,
    };
}

impl Timing {
    /// Nothing known.
    const UNKNOWN: Timing = Timing {
        on_by_default: Cell::UNKNOWN,
        idle: Cell::UNKNOWN,
        interval: Cell::UNKNOWN,
        count: Cell::UNKNOWN,
        detects_after: Cell::UNKNOWN,
        shape: Cell::UNKNOWN,
        rounding: Cell::UNKNOWN,
    };
}

impl Probe {
    /// Nothing known.
    const UNKNOWN: Probe = Probe {
        octets: Cell::UNKNOWN,
        octet_value: Cell::UNKNOWN,
        seq: Cell::UNKNOWN,
        ack: Cell::UNKNOWN,
        flags: Cell::UNKNOWN,
        options: Cell::UNKNOWN,
        window: Cell::UNKNOWN,
        dont_fragment: Cell::UNKNOWN,
        ttl: Cell::UNKNOWN,
        ip_id: Cell::UNKNOWN,
    };
}

impl GivingUp {
    /// Nothing known.
    const UNKNOWN: GivingUp =
        GivingUp { rule: Cell::UNKNOWN, moment: Cell::UNKNOWN, reset: Cell::UNKNOWN, error: Cell::UNKNOWN };
}

impl IdleClock {
    /// Nothing known.
    const UNKNOWN: IdleClock = IdleClock {
        reset_by: Cell::UNKNOWN,
        reset_by_sending: Cell::UNKNOWN,
        reset_by_probes: Cell::UNKNOWN,
        on_receipt: Cell::UNKNOWN,
        outstanding: Cell::UNKNOWN,
        zero_window: Cell::UNKNOWN,
    };
}

impl Responder {
    /// Nothing known.
    const UNKNOWN: Responder = Responder {
        zero_octets: Cell::UNKNOWN,
        one_octet: Cell::UNKNOWN,
        rate_limit: Cell::UNKNOWN,
        dsack: Cell::UNKNOWN,
        echo_zero_octets: Cell::UNKNOWN,
        echo_one_octet: Cell::UNKNOWN,
        old_timestamp_zero_octets: Cell::UNKNOWN,
        old_timestamp_one_octet: Cell::UNKNOWN,
        missing_timestamps: Cell::UNKNOWN,
    };
}

impl Rearming {
    /// Nothing known.
    const UNKNOWN: Rearming =
        Rearming { enabling: Cell::UNKNOWN, setting_idle: Cell::UNKNOWN, setting_interval: Cell::UNKNOWN };
}
