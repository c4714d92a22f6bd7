//! gVisor, smoltcp and lwIP: stacks in user space and in small devices that run here as machines too.

use crate::stack::cell::Cell;
use crate::stack::source::{BELIEVED, GVISOR, GVISOR_OPTIONS, LWIP, LWIP_SOCKETS, SMOLTCP};
use crate::stack::value::{
    Accepts, AckRule, Amount, Answer, GiveUp, GiveUpMoment, IdleReset, InboundProbes, IntervalShape,
    OctetValue, OnReceipt, Outstanding, ProbeFlags, ProbeOptions, RateLimit, Rearm, Reset, ResetSeq, Role,
    Rounding, SeqRule, TimeToLive, Unit, UserTimeout, WindowField, ZeroWindow,
};
use crate::stack::{GivingUp, IdleClock, Probe, Rearming, Responder, SocketOption, Stack, Timing};
use crate::time::Span;

pub(super) const GVISOR_STACK: Stack = Stack {
    name: "gvisor",
    title: "gVisor netstack",
    aliases: &["netstack", "runsc"],
    runs: true,
    timing: Timing {
        on_by_default: Cell::verified(false, &[GVISOR]),
        idle: Cell::verified(Amount::Is(Span::from_secs(7200)), &[GVISOR]),
        interval: Cell::verified(Amount::Is(Span::from_secs(75)), &[GVISOR]),
        count: Cell::verified(Amount::Is(9), &[GVISOR]),
        detects_after: Cell::verified(Amount::Is(Span::from_secs(7875)), &[GVISOR]).note("7200 + 9 x 75"),
        shape: Cell::verified(IntervalShape::Constant, &[GVISOR]),
        rounding: Cell::verified(Rounding::Exact, &[GVISOR]).note("timers of Go"),
    },
    probe: Probe {
        octets: Cell::verified(0, &[GVISOR]),
        octet_value: Cell::verified(OctetValue::NotSent, &[GVISOR]),
        seq: Cell::verified(SeqRule::BelowSndNxt, &[GVISOR]),
        ack: Cell::reported(AckRule::RcvNxt, &[BELIEVED]),
        flags: Cell::verified(ProbeFlags::Ack, &[GVISOR]),
        options: Cell::verified(ProbeOptions::AsEstablished, &[GVISOR]).note("as any empty segment"),
        ..Probe::UNKNOWN
    },
    giving_up: GivingUp {
        rule: Cell::verified(GiveUp::Counted { user_timeout: UserTimeout::AlsoApplies }, &[GVISOR]),
        moment: Cell::verified(GiveUpMoment::IntervalAfterLastProbe, &[GVISOR]),
        reset: Cell::reported(Reset::RstAck { seq: None, timestamps: None }, &[GVISOR])
            .note("resetConnectionLocked is where errors end; the way there was not traced"),
        error: Cell::verified("ETIMEDOUT", &[GVISOR]),
    },
    idle_clock: IdleClock {
        reset_by: Cell::verified(IdleReset::AnyProcessed, &[GVISOR]),
        reset_by_sending: Cell::UNKNOWN,
        reset_by_probes: Cell::verified(InboundProbes::Both, &[GVISOR]),
        on_receipt: Cell::verified(OnReceipt::Restarted, &[GVISOR]),
        outstanding: Cell::verified(Outstanding::TimerStopped, &[GVISOR]),
        zero_window: Cell::verified(ZeroWindow::OwnTimer, &[GVISOR]),
    },
    responder: Responder {
        zero_octets: Cell::verified(Answer::AckLimited, &[GVISOR]),
        one_octet: Cell::verified(Answer::Ack, &[GVISOR]),
        rate_limit: Cell::verified(RateLimit::Some, &[GVISOR]).note("for empty segments out of the window"),
        ..Responder::UNKNOWN
    },
    rearming: Rearming {
        enabling: Cell::verified(Rearm::IdleFromNow, &[GVISOR]),
        setting_idle: Cell::verified(Rearm::IdleFromNow, &[GVISOR]),
        setting_interval: Cell::verified(Rearm::IdleFromNow, &[GVISOR]),
    },
    options: Cell::verified(
        &[
            gvisor("TCP_KEEPIDLE", Role::Idle, Unit::Seconds, 1, Some(32_767)),
            gvisor("TCP_KEEPINTVL", Role::Interval, Unit::Seconds, 1, Some(32_767)),
            gvisor("TCP_KEEPCNT", Role::Count, Unit::Probes, 1, Some(127)),
            gvisor("TCP_USER_TIMEOUT", Role::UserTimeout, Unit::Milliseconds, 0, None),
        ],
        &[GVISOR_OPTIONS],
    ),
};

const fn gvisor(name: &'static str, role: Role, unit: Unit, least: u64, most: Option<u64>) -> SocketOption {
    SocketOption {
        name,
        role,
        unit: Cell::verified(unit, &[GVISOR_OPTIONS]),
        accepts: Cell::verified(Accepts::Range { least, most, zero_is_default: false }, &[GVISOR_OPTIONS]),
        bad_value: Cell::verified("EINVAL", &[GVISOR_OPTIONS]),
    }
}

pub(super) const SMOLTCP_STACK: Stack = Stack {
    name: "smoltcp",
    title: "smoltcp",
    aliases: &[],
    runs: true,
    timing: Timing {
        on_by_default: Cell::verified(false, &[SMOLTCP]),
        idle: Cell::verified(Amount::ByApplication, &[SMOLTCP]).note("one value for idle and interval"),
        interval: Cell::verified(Amount::ByApplication, &[SMOLTCP]).note("one value for idle and interval"),
        count: Cell::verified(Amount::Absent, &[SMOLTCP]),
        detects_after: Cell::verified(Amount::Absent, &[SMOLTCP]).note("only with set_timeout"),
        shape: Cell::verified(IntervalShape::Constant, &[SMOLTCP]),
        rounding: Cell::verified(Rounding::Exact, &[SMOLTCP]).note("whenever it is polled"),
    },
    probe: Probe {
        octets: Cell::verified(1, &[SMOLTCP]),
        octet_value: Cell::verified(OctetValue::Zero, &[SMOLTCP]),
        seq: Cell::verified(SeqRule::BelowSndNxt, &[SMOLTCP]),
        ack: Cell::reported(AckRule::RcvNxt, &[BELIEVED]),
        flags: Cell::verified(ProbeFlags::Ack, &[SMOLTCP]),
        options: Cell::verified(ProbeOptions::Timestamps, &[SMOLTCP]),
        window: Cell::verified(WindowField::Current, &[SMOLTCP]),
        ttl: Cell::verified(TimeToLive::Socket64, &[SMOLTCP]),
        ..Probe::UNKNOWN
    },
    giving_up: GivingUp {
        rule: Cell::verified(GiveUp::UserTimeoutOnly, &[SMOLTCP]),
        moment: Cell::verified(GiveUpMoment::UserTimeout, &[SMOLTCP]),
        reset: Cell::verified(Reset::RstAck { seq: Some(ResetSeq::SndNxt), timestamps: None }, &[SMOLTCP])
            .note("test_established_keep_alive_timeout"),
        error: Cell::verified("the socket is Closed", &[SMOLTCP]),
    },
    idle_clock: IdleClock {
        reset_by: Cell::verified(IdleReset::AnyReceivedOrSent, &[SMOLTCP]),
        reset_by_sending: Cell::verified(true, &[SMOLTCP]),
        on_receipt: Cell::verified(OnReceipt::Restarted, &[SMOLTCP]),
        outstanding: Cell::verified(Outstanding::OtherTimer, &[SMOLTCP]),
        zero_window: Cell::verified(ZeroWindow::OwnTimerDoubling, &[SMOLTCP]),
        ..IdleClock::UNKNOWN
    },
    responder: Responder::UNKNOWN,
    rearming: Rearming {
        enabling: Cell::verified(Rearm::ProbeAtOnce, &[SMOLTCP]).note("test_sends_keep_alive"),
        setting_idle: Cell::verified(Rearm::Untouched, &[SMOLTCP])
            .note("a timer that runs stays; the new interval counts from the next packet on"),
        setting_interval: Cell::verified(Rearm::Untouched, &[SMOLTCP]).note("the same value as idle"),
    },
    options: Cell::verified(
        &[SocketOption {
            name: "set_keep_alive",
            role: Role::IdleAndInterval,
            unit: Cell::verified(Unit::Duration, &[SMOLTCP]),
            accepts: Cell::verified(Accepts::Anything, &[SMOLTCP]),
            bad_value: Cell::verified("none", &[SMOLTCP]),
        }],
        &[SMOLTCP],
    ),
};

const LWIP_TICK: Span = Span::from_millis(500);

pub(super) const LWIP_STACK: Stack = Stack {
    name: "lwip",
    title: "lwIP",
    aliases: &[],
    runs: true,
    timing: Timing {
        on_by_default: Cell::verified(false, &[LWIP]),
        idle: Cell::verified(Amount::Is(Span::from_secs(7200)), &[LWIP]),
        interval: Cell::verified(Amount::Is(Span::from_secs(75)), &[LWIP])
            .note("per socket only with LWIP_TCP_KEEPALIVE=1, which is not the default"),
        count: Cell::verified(Amount::Is(9), &[LWIP]).note("per socket only with LWIP_TCP_KEEPALIVE=1"),
        detects_after: Cell::verified(Amount::Is(Span::from_secs(7875)), &[LWIP])
            .note("7200 + 9 x 75, and a tick of half a second"),
        shape: Cell::verified(IntervalShape::Constant, &[LWIP]),
        rounding: Cell::verified(Rounding::Ticks { tick: LWIP_TICK, strict: true }, &[LWIP]),
    },
    probe: Probe {
        octets: Cell::verified(0, &[LWIP]),
        octet_value: Cell::verified(OctetValue::NotSent, &[LWIP]),
        seq: Cell::verified(SeqRule::BelowSndNxt, &[LWIP]),
        ack: Cell::reported(AckRule::RcvNxt, &[BELIEVED]),
        flags: Cell::verified(ProbeFlags::Ack, &[LWIP]),
        options: Cell::verified(ProbeOptions::Timestamps, &[LWIP]).note("if built in"),
        window: Cell::verified(WindowField::LastAnnounced, &[LWIP]),
        ..Probe::UNKNOWN
    },
    giving_up: GivingUp {
        rule: Cell::verified(GiveUp::Elapsed { strict: true }, &[LWIP])
            .note("looked at before a probe is due, in the same tick"),
        moment: Cell::verified(GiveUpMoment::IntervalAfterLastProbe, &[LWIP]),
        reset: Cell::verified(Reset::RstAck { seq: Some(ResetSeq::SndNxt), timestamps: None }, &[LWIP]),
        error: Cell::verified("ERR_ABRT", &[LWIP]),
    },
    idle_clock: IdleClock {
        reset_by: Cell::verified(IdleReset::AnyProcessed, &[LWIP])
            .note("unless receiving is closed; it clears the number of probes sent too"),
        reset_by_sending: Cell::verified(false, &[LWIP]),
        on_receipt: Cell::verified(OnReceipt::Untouched, &[LWIP]).note("the time is looked at every tick"),
        outstanding: Cell::verified(Outstanding::NotChecked, &[LWIP])
            .note("a probe may then lie in the peer's window and get no forced answer"),
        zero_window: Cell::verified(ZeroWindow::PersistOneOctet, &[LWIP]),
        ..IdleClock::UNKNOWN
    },
    responder: Responder::UNKNOWN,
    rearming: Rearming::UNKNOWN,
    options: Cell::verified(
        &[
            lwip("TCP_KEEPALIVE", Role::Idle, Unit::Milliseconds),
            lwip("TCP_KEEPIDLE", Role::Idle, Unit::Seconds),
            lwip("TCP_KEEPINTVL", Role::Interval, Unit::Seconds),
            lwip("TCP_KEEPCNT", Role::Count, Unit::Probes),
        ],
        &[LWIP_SOCKETS],
    ),
};

const fn lwip(name: &'static str, role: Role, unit: Unit) -> SocketOption {
    SocketOption {
        name,
        role,
        unit: Cell::verified(unit, &[LWIP_SOCKETS]),
        accepts: Cell::verified(Accepts::Anything, &[LWIP_SOCKETS]),
        bad_value: Cell::verified("none", &[LWIP_SOCKETS]),
    }
}
