//! FreeBSD: read in the sources of the main branch.

use crate::stack::cell::Cell;
use crate::stack::source::{F_H, F_IN, F_SUBR, F_TIMER, F_USR, X_OUT};
use crate::stack::value::{
    Accepts, AckRule, Amount, Answer, DontFragment, GiveUp, GiveUpMoment, IdleReset, InboundProbes,
    IntervalShape, IpId, MissingTimestamps, OctetValue, OnReceipt, Outstanding, ProbeFlags, ProbeOptions,
    Rearm, Reset, ResetSeq, Role, Rounding, SeqRule, TimeToLive, Unit, WindowField, ZeroWindow,
};
use crate::stack::{GivingUp, IdleClock, Probe, Rearming, Responder, SocketOption, Stack, Timing};
use crate::time::Span;

pub(super) const FREEBSD: Stack = Stack {
    name: "freebsd",
    title: "FreeBSD",
    aliases: &["bsd"],
    runs: true,
    timing: Timing {
        on_by_default: Cell::verified(true, &[F_TIMER])
            .note("net.inet.tcp.always_keepalive=1: every connection, SO_KEEPALIVE or not"),
        idle: Cell::verified(Amount::Is(Span::from_secs(7200)), &[F_TIMER, F_H]),
        interval: Cell::verified(Amount::Is(Span::from_secs(75)), &[F_TIMER, F_H]),
        count: Cell::verified(Amount::Is(8), &[F_TIMER, F_H]),
        detects_after: Cell::verified(Amount::Is(Span::from_secs(7800)), &[F_TIMER]).note("7200 + 8 x 75"),
        shape: Cell::verified(IntervalShape::Constant, &[F_TIMER]),
        rounding: Cell::verified(Rounding::Ticks { tick: Span::from_millis(1), strict: false }, &[F_TIMER])
            .note("at hz=1000, 100 on some virtual machines; further coalescing by callout(9) is unverified"),
    },
    probe: Probe {
        octets: Cell::verified(0, &[F_TIMER]),
        octet_value: Cell::verified(OctetValue::NotSent, &[F_TIMER]),
        seq: Cell::verified(SeqRule::BelowSndUna, &[F_TIMER]),
        ack: Cell::verified(AckRule::RcvNxt, &[F_TIMER]),
        flags: Cell::verified(ProbeFlags::Ack, &[F_TIMER, F_SUBR]),
        options: Cell::verified(ProbeOptions::Timestamps, &[F_SUBR])
            .note("and MD5; releases of about 2008 send none, unverified since when"),
        window: Cell::verified(WindowField::CurrentScaled, &[F_SUBR]),
        dont_fragment: Cell::verified(DontFragment::WithPathMtuDiscovery, &[F_SUBR]),
        ttl: Cell::verified(TimeToLive::Socket, &[F_SUBR]),
        ip_id: Cell::verified(IpId::OfTheSystem, &[F_SUBR]),
    },
    giving_up: GivingUp {
        rule: Cell::verified(GiveUp::Elapsed { strict: false }, &[F_TIMER])
            .note("a late firing can cost a probe, never add one; TCP_MAXUNACKTIME is not looked at"),
        moment: Cell::verified(GiveUpMoment::IntervalAfterLastProbe, &[F_TIMER]),
        reset: Cell::verified(
            Reset::RstAck { seq: Some(ResetSeq::SndMax), timestamps: None },
            &[F_SUBR, X_OUT],
        )
        .note("SND.MAX was read in XNU's copy of the same rule; whether it carries timestamps was not read"),
        error: Cell::verified("ETIMEDOUT, or a soft error recorded before", &[F_SUBR]),
    },
    idle_clock: IdleClock {
        reset_by: Cell::verified(IdleReset::AnyReceived, &[F_IN])
            .note("even one that is out of window or forged"),
        reset_by_sending: Cell::verified(false, &[F_TIMER]),
        reset_by_probes: Cell::verified(InboundProbes::Both, &[F_IN]),
        on_receipt: Cell::verified(OnReceipt::Untouched, &[F_TIMER])
            .note("since D21363; older releases restarted it on every segment"),
        outstanding: Cell::verified(Outstanding::NotChecked, &[F_TIMER]).note("breaks MUST-26"),
        zero_window: Cell::verified(ZeroWindow::PersistOneOctet, &[F_TIMER]),
    },
    responder: Responder {
        zero_octets: Cell::verified(Answer::Ack, &[F_IN]),
        one_octet: Cell::verified(Answer::Ack, &[F_IN]),
        missing_timestamps: Cell::verified(MissingTimestamps::AnsweredByDefault, &[F_SUBR])
            .note("net.inet.tcp.tolerate_missing_ts=1; with 0 dropped without an answer"),
        ..Responder::UNKNOWN
    },
    rearming: Rearming {
        setting_idle: Cell::verified(Rearm::IdleFromNow, &[F_USR]),
        setting_interval: Cell::verified(Rearm::Untouched, &[F_USR]),
        ..Rearming::UNKNOWN
    },
    options: Cell::verified(OPTIONS, &[F_USR, F_H]),
};

const fn seconds(name: &'static str, role: Role) -> SocketOption {
    SocketOption {
        name,
        role,
        unit: Cell::verified(Unit::Seconds, &[F_USR]),
        accepts: Cell::verified(
            Accepts::Range { least: 0, most: Some(4_294_967), zero_is_default: true },
            &[F_USR, F_H],
        )
        .note("UINT_MAX/hz, here at hz=1000"),
        bad_value: Cell::verified("EINVAL", &[F_USR]),
    }
}

const fn sysctl_ms(name: &'static str, role: Role) -> SocketOption {
    SocketOption {
        name,
        role,
        unit: Cell::verified(Unit::Milliseconds, &[F_TIMER]),
        accepts: Cell::UNKNOWN,
        bad_value: Cell::UNKNOWN,
    }
}

const OPTIONS: &[SocketOption] = &[
    seconds("TCP_KEEPIDLE", Role::Idle),
    seconds("TCP_KEEPINTVL", Role::Interval),
    SocketOption {
        name: "TCP_KEEPCNT",
        role: Role::Count,
        unit: Cell::verified(Unit::Probes, &[F_USR]),
        accepts: Cell::unknown("the notes give the range of the times only", &[F_USR]),
        bad_value: Cell::UNKNOWN,
    },
    seconds("TCP_KEEPINIT", Role::ConnectTimeout),
    sysctl_ms("net.inet.tcp.keepidle", Role::Idle),
    sysctl_ms("net.inet.tcp.keepintvl", Role::Interval),
    SocketOption {
        name: "net.inet.tcp.keepcnt",
        role: Role::Count,
        unit: Cell::verified(Unit::Probes, &[F_TIMER]),
        accepts: Cell::UNKNOWN,
        bad_value: Cell::UNKNOWN,
    },
    sysctl_ms("net.inet.tcp.keepinit", Role::ConnectTimeout),
];
