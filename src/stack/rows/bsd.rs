//! OpenBSD, NetBSD and DragonFly: the other BSDs, as far as their sources were read.

use crate::stack::cell::Cell;
use crate::stack::source::{BELIEVED, D_USR, N_IN, N_OPTIONS, N_SUBR, N_TIMER, N_USR, O_IN, O_SUBR, O_TIMER};
use crate::stack::value::{
    Accepts, AckRule, Amount, Answer, DontFragment, GiveUp, GiveUpMoment, IdleReset, InboundProbes,
    IntervalShape, MissingTimestamps, OctetValue, OnReceipt, Outstanding, ProbeFlags, ProbeOptions, Rearm,
    Reset, Role, Rounding, SeqRule, TimeToLive, Unit, WindowField, ZeroWindow,
};
use crate::stack::{GivingUp, IdleClock, Probe, Rearming, Responder, SocketOption, Stack, Timing};
use crate::time::Span;

pub(super) const OPENBSD: Stack = Stack {
    name: "openbsd",
    title: "OpenBSD",
    aliases: &[],
    runs: true,
    timing: Timing {
        on_by_default: Cell::verified(false, &[O_TIMER]).note("net.inet.tcp.always_keepalive"),
        idle: Cell::verified(Amount::Is(Span::from_secs(7200)), &[O_TIMER]).note("system-wide only"),
        interval: Cell::verified(Amount::Is(Span::from_secs(75)), &[O_TIMER]).note("system-wide only"),
        count: Cell::verified(Amount::Is(8), &[O_TIMER]),
        detects_after: Cell::verified(Amount::Is(Span::from_secs(7800)), &[O_TIMER]).note("7200 + 8 x 75"),
        shape: Cell::verified(IntervalShape::Constant, &[O_TIMER]),
        rounding: Cell::reported(Rounding::Exact, &[O_TIMER])
            .note("the timer is armed in milliseconds; how late it fires was not read"),
    },
    probe: Probe {
        octets: Cell::verified(0, &[O_TIMER, O_SUBR]),
        octet_value: Cell::verified(OctetValue::NotSent, &[O_SUBR]),
        seq: Cell::verified(SeqRule::BelowSndUna, &[O_TIMER]),
        ack: Cell::verified(AckRule::RcvNxt, &[O_TIMER]),
        flags: Cell::verified(ProbeFlags::Ack, &[O_SUBR]),
        options: Cell::verified(ProbeOptions::Timestamps, &[O_SUBR]),
        window: Cell::verified(WindowField::CurrentScaled, &[O_SUBR])
            .note("the free room of the receive buffer"),
        dont_fragment: Cell::verified(DontFragment::WithPathMtuDiscovery, &[O_SUBR]),
        ttl: Cell::verified(TimeToLive::System64, &[O_SUBR]).note("net.inet.ip.ttl over IPv4; TOS 0"),
        ..Probe::UNKNOWN
    },
    giving_up: GivingUp {
        rule: Cell::verified(GiveUp::Elapsed { strict: false }, &[O_TIMER])
            .note("count x interval is computed anew every 500 ms"),
        moment: Cell::verified(GiveUpMoment::IntervalAfterLastProbe, &[O_TIMER]),
        reset: Cell::verified(Reset::RstAck { seq: None, timestamps: None }, &[O_SUBR])
            .note("tcp_drop sends from state CLOSED; its SEQ and options were not read"),
        error: Cell::verified("ETIMEDOUT, or a soft error recorded before", &[O_SUBR]),
    },
    idle_clock: IdleClock {
        reset_by: Cell::verified(IdleReset::AnyReceived, &[O_IN])
            .note("before it is validated, as in the other BSDs"),
        reset_by_sending: Cell::verified(false, &[O_TIMER]),
        reset_by_probes: Cell::verified(InboundProbes::Both, &[O_IN]),
        on_receipt: Cell::verified(OnReceipt::Restarted, &[O_IN]),
        outstanding: Cell::verified(Outstanding::NotChecked, &[O_TIMER]),
        zero_window: Cell::verified(ZeroWindow::OwnTimer, &[O_TIMER]),
    },
    responder: Responder {
        zero_octets: Cell::verified(Answer::Ack, &[O_IN]),
        one_octet: Cell::verified(Answer::Ack, &[O_IN]),
        old_timestamp_zero_octets: Cell::verified(Answer::Silence, &[O_IN]),
        old_timestamp_one_octet: Cell::verified(Answer::Ack, &[O_IN]),
        missing_timestamps: Cell::verified(MissingTimestamps::Answered, &[O_IN]),
        ..Responder::UNKNOWN
    },
    rearming: Rearming::UNKNOWN,
    options: Cell::<&[SocketOption]>::reported(&[], &[O_TIMER])
        .note("none per socket found in the timer's code, only the system's sysctls"),
};

const NETBSD_TICK: Span = Span::from_millis(500);

pub(super) const NETBSD: Stack = Stack {
    name: "netbsd",
    title: "NetBSD",
    aliases: &[],
    runs: true,
    timing: Timing {
        on_by_default: Cell::verified(false, &[N_TIMER]),
        idle: Cell::verified(Amount::Is(Span::from_secs(7200)), &[N_TIMER]),
        interval: Cell::verified(Amount::Is(Span::from_secs(75)), &[N_TIMER]),
        count: Cell::verified(Amount::Is(8), &[N_TIMER]).note("the sysctl takes 0 for ever"),
        detects_after: Cell::verified(Amount::Is(Span::from_secs(7800)), &[N_TIMER]).note("7200 + 8 x 75"),
        shape: Cell::verified(IntervalShape::Constant, &[N_TIMER]),
        rounding: Cell::verified(Rounding::Ticks { tick: NETBSD_TICK, strict: false }, &[N_TIMER])
            .note("slow ticks, PR_SLOWHZ"),
    },
    probe: Probe {
        octets: Cell::verified(0, &[N_TIMER, N_SUBR]).note("1 with tcp_compat_42"),
        octet_value: Cell::verified(OctetValue::NotSent, &[N_SUBR]),
        seq: Cell::verified(SeqRule::BelowSndUna, &[N_TIMER]),
        ack: Cell::verified(AckRule::RcvNxt, &[N_TIMER]).note("RCV.NXT-1 with tcp_compat_42"),
        flags: Cell::verified(ProbeFlags::Ack, &[N_SUBR]),
        options: Cell::verified(ProbeOptions::Nothing, &[N_SUBR]).note("breaks RFC 7323 section 3.2"),
        window: Cell::verified(WindowField::CurrentScaled, &[N_SUBR])
            .note("the free room of the receive buffer"),
        dont_fragment: Cell::verified(DontFragment::WithPathMtuDiscovery, &[N_SUBR]),
        ttl: Cell::verified(TimeToLive::System64, &[N_SUBR]).note("net.inet.ip.ttl over IPv4"),
        ..Probe::UNKNOWN
    },
    giving_up: GivingUp {
        rule: Cell::verified(GiveUp::Elapsed { strict: false }, &[N_TIMER]).note("with a count of 0 never"),
        moment: Cell::verified(GiveUpMoment::IntervalAfterLastProbe, &[N_TIMER]),
        reset: Cell::verified(Reset::RstAck { seq: None, timestamps: None }, &[N_SUBR])
            .note("tcp_drop sends from state CLOSED; its SEQ and options were not read"),
        error: Cell::verified("ETIMEDOUT, or a soft error recorded before", &[N_TIMER]),
    },
    idle_clock: IdleClock {
        reset_by: Cell::verified(IdleReset::AnyReceived, &[N_IN])
            .note("before it is validated, as in the other BSDs"),
        reset_by_sending: Cell::verified(false, &[N_TIMER]),
        reset_by_probes: Cell::verified(InboundProbes::Both, &[N_IN]),
        on_receipt: Cell::verified(OnReceipt::Restarted, &[N_IN]),
        outstanding: Cell::verified(Outstanding::NotChecked, &[N_TIMER]),
        zero_window: Cell::verified(ZeroWindow::OwnTimer, &[N_TIMER]),
    },
    responder: Responder::UNKNOWN,
    rearming: Rearming {
        setting_idle: Cell::verified(Rearm::IntervalFromNow, &[N_USR]),
        setting_interval: Cell::verified(Rearm::IntervalFromNow, &[N_USR]),
        ..Rearming::UNKNOWN
    },
    options: Cell::verified(
        &[
            netbsd("TCP_KEEPIDLE", Role::Idle, Unit::Seconds),
            netbsd("TCP_KEEPINTVL", Role::Interval, Unit::Seconds),
            netbsd("TCP_KEEPCNT", Role::Count, Unit::Probes),
            netbsd("TCP_KEEPINIT", Role::ConnectTimeout, Unit::Seconds),
        ],
        &[N_OPTIONS],
    ),
};

const fn netbsd(name: &'static str, role: Role, unit: Unit) -> SocketOption {
    SocketOption {
        name,
        role,
        unit: Cell::verified(unit, &[N_OPTIONS]),
        accepts: Cell::verified(
            Accepts::Range { least: 1, most: None, zero_is_default: false },
            &[N_OPTIONS],
        ),
        bad_value: Cell::verified("EINVAL", &[N_OPTIONS]).note("for 0"),
    }
}

pub(super) const DRAGONFLY: Stack = Stack {
    name: "dragonfly",
    title: "DragonFly BSD",
    aliases: &["dragonflybsd"],
    timing: Timing {
        shape: Cell::reported(IntervalShape::Constant, &[BELIEVED]).note("by descent from the other BSDs"),
        ..Timing::UNKNOWN
    },
    options: Cell::verified(
        &[
            dragonfly_ms("TCP_KEEPIDLE", Role::Idle),
            dragonfly_ms("TCP_KEEPINTVL", Role::Interval),
            SocketOption {
                name: "TCP_KEEPCNT",
                role: Role::Count,
                unit: Cell::verified(Unit::Probes, &[D_USR]),
                accepts: Cell::verified(
                    Accepts::Range { least: 1, most: None, zero_is_default: false },
                    &[D_USR],
                ),
                bad_value: Cell::verified("EINVAL", &[D_USR]),
            },
        ],
        &[D_USR],
    ),
    ..Stack::UNKNOWN
};

const fn dragonfly_ms(name: &'static str, role: Role) -> SocketOption {
    SocketOption {
        name,
        role,
        unit: Cell::verified(Unit::Milliseconds, &[D_USR]),
        accepts: Cell::verified(
            Accepts::Within("what gives at least one tick of the system's clock"),
            &[D_USR],
        ),
        bad_value: Cell::verified("EINVAL", &[D_USR]),
    }
}
