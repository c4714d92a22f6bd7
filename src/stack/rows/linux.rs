//! Linux: read in 6.x sources, measured on 6.18.

use crate::stack::cell::Cell;
use crate::stack::source::{L_H, L_IN, L_MEASURED, L_OUT, L_TIMER, L_WHEEL};
use crate::stack::value::{
    Accepts, AckRule, Amount, Answer, DontFragment, GiveUp, GiveUpMoment, IdleReset, InboundProbes,
    IntervalShape, IpId, MissingTimestamps, OctetValue, OnReceipt, Outstanding, ProbeFlags, ProbeOptions,
    RateLimit, Rearm, Reset, ResetSeq, Role, Rounding, SeqRule, TimeToLive, TimestampEcho, Unit, UserTimeout,
    WindowField, ZeroWindow,
};
use crate::stack::{GivingUp, IdleClock, Probe, Rearming, Responder, SocketOption, Stack, Timing};
use crate::time::Span;

pub(super) const LINUX: Stack = Stack {
    name: "linux",
    title: "Linux",
    aliases: &["android", "linux-6"],
    runs: true,
    timing: TIMING,
    probe: PROBE,
    giving_up: GIVING_UP,
    idle_clock: IDLE_CLOCK,
    responder: RESPONDER,
    rearming: REARMING,
    options: Cell::verified(OPTIONS, &[L_H, L_MEASURED]),
};

const TIMING: Timing = Timing {
    on_by_default: Cell::verified(false, &[L_TIMER]),
    idle: Cell::verified(Amount::Is(Span::from_secs(7200)), &[L_H])
        .note("net.ipv4.tcp_keepalive_time, live for sockets that set nothing"),
    interval: Cell::verified(Amount::Is(Span::from_secs(75)), &[L_H]).note("net.ipv4.tcp_keepalive_intvl"),
    count: Cell::verified(Amount::Is(9), &[L_H]).note("net.ipv4.tcp_keepalive_probes"),
    detects_after: Cell::verified(Amount::Is(Span::from_secs(7875)), &[L_TIMER, L_WHEEL])
        .note("7200 + 9 x 75; the timer wheel adds up to 131 s to the idle time at HZ=250"),
    shape: Cell::verified(IntervalShape::Constant, &[L_TIMER]),
    rounding: Cell::measured(Rounding::TimerWheel { hz: 250 }, &[L_WHEEL, L_MEASURED])
        .note("since 4.8; HZ is 100, 250, 300 or 1000 by build; every gap after the first is the same multiple of the granule"),
};

const PROBE: Probe = Probe {
    octets: Cell::measured(0, &[L_OUT, L_MEASURED]),
    octet_value: Cell::verified(OctetValue::NotSent, &[L_OUT]),
    seq: Cell::measured(SeqRule::BelowSndUna, &[L_OUT, L_MEASURED])
        .note("with urgent data pending, a segment at SND.UNA with the urgent pointer goes before it"),
    ack: Cell::verified(AckRule::RcvNxt, &[L_OUT]),
    flags: Cell::verified(ProbeFlags::Ack, &[L_OUT]),
    options: Cell::measured(ProbeOptions::AsEstablished, &[L_OUT, L_MEASURED]),
    window: Cell::verified(WindowField::Current, &[L_OUT]),
    dont_fragment: Cell::measured(DontFragment::Set, &[L_MEASURED]),
    ttl: Cell::measured(TimeToLive::Socket64, &[L_MEASURED]),
    ip_id: Cell::measured(IpId::NextOfConnection, &[L_MEASURED]),
};

const GIVING_UP: GivingUp = GivingUp {
    rule: Cell::measured(
        GiveUp::Counted { user_timeout: UserTimeout::ReplacesCount },
        &[L_TIMER, L_MEASURED],
    )
    .note("with TCP_USER_TIMEOUT: at the first firing past it with one probe unanswered"),
    moment: Cell::measured(GiveUpMoment::IntervalAfterLastProbe, &[L_TIMER, L_MEASURED])
        .note("5/2/3: probes at 5.17, 7.18, 9.20 s, RST at 11.21 s"),
    reset: Cell::measured(
        Reset::RstAck { seq: Some(ResetSeq::SndNxt), timestamps: Some(true) },
        &[L_OUT, L_MEASURED],
    )
    .note("lower than SND.NXT where the peer shrank its window"),
    error: Cell::verified("ETIMEDOUT, or what a recorded ICMP error says", &[L_TIMER]),
};

const IDLE_CLOCK: IdleClock = IdleClock {
    reset_by: Cell::measured(IdleReset::InOrderDataOrValidAck, &[L_H, L_IN, L_MEASURED])
        .note("an ACK counts from SND.UNA to SND.NXT; answers to probes and window updates do"),
    reset_by_sending: Cell::measured(false, &[L_H, L_MEASURED]),
    reset_by_probes: Cell::measured(InboundProbes::OneOctet, &[L_IN, L_MEASURED])
        .note("one without payload fails the sequence check"),
    on_receipt: Cell::measured(OnReceipt::Untouched, &[L_TIMER, L_MEASURED])
        .note("a live peer is probed every interval where idle is not longer than interval"),
    outstanding: Cell::measured(Outstanding::RearmIdle, &[L_TIMER, L_MEASURED])
        .note("data not sent yet counts too"),
    zero_window: Cell::measured(ZeroWindow::LikeKeepalive, &[L_OUT, L_MEASURED])
        .note("only with unsent data; it shares its counter with keepalives, which go on at window 0 with nothing to send"),
};

const RESPONDER: Responder = Responder {
    zero_octets: Cell::measured(Answer::AckLimited, &[L_IN, L_MEASURED]),
    one_octet: Cell::measured(Answer::Ack, &[L_IN, L_MEASURED]),
    rate_limit: Cell::measured(RateLimit::PerSocket { gap: Span::from_millis(500) }, &[L_IN, L_MEASURED])
        .note("net.ipv4.tcp_invalid_ratelimit, shared with challenge ACKs"),
    dsack: Cell::measured(true, &[L_IN, L_MEASURED]).note("[RCV.NXT-1, RCV.NXT)"),
    echo_zero_octets: Cell::measured(TimestampEcho::Older, &[L_MEASURED]),
    echo_one_octet: Cell::measured(TimestampEcho::OfProbe, &[L_MEASURED]),
    old_timestamp_zero_octets: Cell::measured(Answer::Silence, &[L_MEASURED])
        .note("6.18; older kernels send a rate-limited ACK"),
    old_timestamp_one_octet: Cell::measured(Answer::Ack, &[L_MEASURED]).note("with a D-SACK"),
    missing_timestamps: Cell::measured(MissingTimestamps::Answered, &[L_MEASURED]),
};

const REARMING: Rearming = Rearming {
    enabling: Cell::measured(Rearm::IdleFromNow, &[L_TIMER, L_MEASURED]).note(
        "whatever the silence before; turning it on twice does nothing; before connect: at establishment",
    ),
    setting_idle: Cell::measured(Rearm::IdleSinceReceipt, &[L_MEASURED]),
    setting_interval: Cell::measured(Rearm::Untouched, &[L_MEASURED]),
};

const EINVAL: Cell<&str> = Cell::measured("EINVAL", &[L_MEASURED]);

const fn option(name: &'static str, role: Role, unit: Unit, least: u64, most: Option<u64>) -> SocketOption {
    SocketOption {
        name,
        role,
        unit: Cell::verified(unit, &[L_H]),
        accepts: Cell::measured(Accepts::Range { least, most, zero_is_default: false }, &[L_H, L_MEASURED]),
        bad_value: EINVAL,
    }
}

const OPTIONS: &[SocketOption] = &[
    option("TCP_KEEPIDLE", Role::Idle, Unit::Seconds, 1, Some(32_767)),
    option("TCP_KEEPINTVL", Role::Interval, Unit::Seconds, 1, Some(32_767)),
    option("TCP_KEEPCNT", Role::Count, Unit::Probes, 1, Some(127)),
    SocketOption {
        name: "TCP_USER_TIMEOUT",
        role: Role::UserTimeout,
        unit: Cell::verified(Unit::Milliseconds, &[L_H]),
        accepts: Cell::verified(Accepts::Range { least: 0, most: None, zero_is_default: false }, &[L_H])
            .note("0 is none"),
        bad_value: Cell::verified("EINVAL", &[L_H]),
    },
];
