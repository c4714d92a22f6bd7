//! illumos, and Solaris as far as it is the same: the stack whose probes back off.

use crate::stack::cell::Cell;
use crate::stack::source::{BELIEVED, I_OPTIONS, I_TIMER, I_TUNABLES};
use crate::stack::value::{
    Accepts, AckRule, Amount, GiveUp, GiveUpMoment, IdleReset, IntervalShape, OctetValue, OnReceipt,
    Outstanding, ProbeFlags, ProbeOptions, Role, SeqRule, Unit, ZeroWindow,
};
use crate::stack::{GivingUp, IdleClock, Probe, Rearming, Responder, SocketOption, Stack, Timing};
use crate::time::Span;

const ABORT_THRESHOLD: Span = Span::from_secs(480);
const RTO_MAX: Span = Span::from_secs(60);

pub(super) const ILLUMOS: Stack = Stack {
    name: "illumos",
    title: "illumos, Solaris",
    aliases: &["solaris", "smartos", "omnios"],
    runs: true,
    timing: Timing {
        on_by_default: Cell::verified(false, &[I_TIMER]),
        idle: Cell::verified(Amount::Is(Span::from_secs(7200)), &[I_TUNABLES])
            .note("_keepalive_interval, 10 s to 10 days; 1 s to 10 days in another copy of the file"),
        interval: Cell::verified(Amount::Absent, &[I_TIMER]).note("only if TCP_KEEPINTVL is set"),
        count: Cell::verified(Amount::Absent, &[I_TIMER]).note("an abort threshold instead"),
        detects_after: Cell::verified(Amount::Is(Span::from_secs(7680)), &[I_TIMER, I_TUNABLES])
            .note("7200 + 480, and up to one step of the back-off"),
        shape: Cell::verified(
            IntervalShape::BackOffFromRto { factor: 2, cap: RTO_MAX },
            &[I_TIMER, I_TUNABLES],
        )
        .note("_rexmit_interval_max; constant once TCP_KEEPINTVL is set"),
        ..Timing::UNKNOWN
    },
    probe: Probe {
        octets: Cell::verified(1, &[I_TIMER]),
        octet_value: Cell::verified(OctetValue::Zero, &[I_TIMER]),
        seq: Cell::verified(SeqRule::BelowSndUna, &[I_TIMER])
            .note("as if the last acknowledged octet were sent again"),
        ack: Cell::reported(AckRule::RcvNxt, &[BELIEVED]),
        flags: Cell::reported(ProbeFlags::Ack, &[I_TIMER]).note("whether PSH is set too is unverified"),
        options: Cell::reported(ProbeOptions::Timestamps, &[I_TIMER])
            .note("it leaves through tcp_xmit_mp, whose options were not read"),
        ..Probe::UNKNOWN
    },
    giving_up: GivingUp {
        rule: Cell::verified(GiveUp::AbortThreshold { threshold: ABORT_THRESHOLD }, &[I_TIMER, I_TUNABLES])
            .note("_keepalive_abort_interval; 0 probes for ever"),
        moment: Cell::verified(GiveUpMoment::FirstFiringPastLimit, &[I_TIMER]),
        reset: Cell::unknown("tcp_clean_death is called; whether a RST leaves was not traced", &[I_TIMER]),
        error: Cell::verified("ETIMEDOUT, or the error recorded for the client", &[I_TIMER]),
    },
    idle_clock: IdleClock {
        reset_by: Cell::reported(IdleReset::AnyReceived, &[I_TIMER])
            .note("tcp_last_recv_time; how a segment is checked before was not read"),
        reset_by_sending: Cell::verified(false, &[I_TIMER]),
        on_receipt: Cell::verified(OnReceipt::Untouched, &[I_TIMER]),
        outstanding: Cell::verified(Outstanding::RearmClearBackOff, &[I_TIMER]),
        zero_window: Cell::verified(ZeroWindow::RetransmitTimer, &[I_TIMER]),
        ..IdleClock::UNKNOWN
    },
    responder: Responder::UNKNOWN,
    rearming: Rearming::UNKNOWN,
    options: Cell::verified(OPTIONS, &[I_OPTIONS]),
};

const fn option(name: &'static str, role: Role, unit: Unit, accepts: Cell<Accepts>) -> SocketOption {
    SocketOption {
        name,
        role,
        unit: Cell::verified(unit, &[I_OPTIONS]),
        accepts,
        bad_value: Cell::verified("EINVAL", &[I_OPTIONS]),
    }
}

const OPTIONS: &[SocketOption] = &[
    option("TCP_KEEPALIVE_THRESHOLD", Role::Idle, Unit::Milliseconds, Cell::UNKNOWN),
    option("TCP_KEEPIDLE", Role::Idle, Unit::Seconds, Cell::UNKNOWN),
    option(
        "TCP_KEEPINTVL",
        Role::Interval,
        Unit::Seconds,
        Cell::verified(Accepts::Within("from the least to the greatest RTO of the connection"), &[I_OPTIONS])
            .note("alone, it makes the count the abort threshold over the interval"),
    ),
    option(
        "TCP_KEEPCNT",
        Role::Count,
        Unit::Probes,
        Cell::verified(
            Accepts::Within("count x interval within the limits of the abort interval"),
            &[I_OPTIONS],
        )
        .note(
            "alone, it makes the interval the abort threshold over the count, within the limits of the RTO",
        ),
    ),
    option("TCP_KEEPALIVE_ABORT_THRESHOLD", Role::AbortThreshold, Unit::Milliseconds, Cell::UNKNOWN),
];
