//! The rows of the table, one file per family.
//!
//! Owns the order of the rows and what a row says where nobody knows anything.

use super::{Cell, GivingUp, IdleClock, Probe, Rearming, Responder, Stack, Timing};

mod linux;

/// All rows; those that run come first.
pub(super) const ALL: &[&Stack] = &[&linux::LINUX];

impl Timing {
    /// Nothing known.
    pub(super) const UNKNOWN: Timing = Timing {
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
    pub(super) const UNKNOWN: Probe = Probe {
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
    pub(super) const UNKNOWN: GivingUp =
        GivingUp { rule: Cell::UNKNOWN, moment: Cell::UNKNOWN, reset: Cell::UNKNOWN, error: Cell::UNKNOWN };
}

impl IdleClock {
    /// Nothing known.
    pub(super) const UNKNOWN: IdleClock = IdleClock {
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
    pub(super) const UNKNOWN: Responder = Responder {
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
    pub(super) const UNKNOWN: Rearming =
        Rearming { enabling: Cell::UNKNOWN, setting_idle: Cell::UNKNOWN, setting_interval: Cell::UNKNOWN };
}
