//! macOS and iOS: XNU, and its network cards that probe while it sleeps.

use crate::stack::cell::Cell;
use crate::stack::source::{X_IN, X_OUT, X_SUBR, X_TIMER, X_USR};
use crate::stack::value::{
    Accepts, AckRule, Amount, Answer, DontFragment, GiveUp, GiveUpMoment, IdleReset, InboundProbes,
    IntervalShape, IpId, OctetValue, OnReceipt, Outstanding, ProbeFlags, ProbeOptions, RateLimit, Rearm,
    Reset, ResetSeq, Role, Rounding, SeqRule, TimeToLive, Unit, WindowField, ZeroWindow,
};
use crate::stack::{GivingUp, IdleClock, Probe, Rearming, Responder, SocketOption, Stack, Timing};
use crate::time::Span;

pub(super) const MACOS: Stack = Stack {
    name: "macos",
    title: "macOS, iOS (XNU)",
    aliases: &["darwin", "xnu", "ios", "osx"],
    runs: true,
    timing: Timing {
        on_by_default: Cell::verified(false, &[X_TIMER]).note("net.inet.tcp.always_keepalive=0"),
        idle: Cell::verified(Amount::Is(Span::from_secs(7200)), &[X_TIMER]),
        interval: Cell::verified(Amount::Is(Span::from_secs(75)), &[X_TIMER]),
        count: Cell::verified(Amount::Is(8), &[X_TIMER]),
        detects_after: Cell::verified(Amount::Is(Span::from_secs(7800)), &[X_TIMER]).note("7200 + 8 x 75"),
        shape: Cell::verified(IntervalShape::Constant, &[X_TIMER])
            .note("the probes for stalled reads and for TCP Fast Open look the same and back off"),
        rounding: Cell::verified(Rounding::Coalesced { window: Span::from_millis(500) }, &[X_TIMER])
            .note("a slow timer on a 1 ms clock"),
    },
    probe: Probe {
        octets: Cell::verified(0, &[X_TIMER]),
        octet_value: Cell::verified(OctetValue::NotSent, &[X_TIMER]),
        seq: Cell::verified(SeqRule::BelowSndUna, &[X_TIMER]),
        ack: Cell::verified(AckRule::RcvNxt, &[X_TIMER]),
        flags: Cell::verified(ProbeFlags::Ack, &[X_TIMER, X_SUBR]),
        options: Cell::verified(ProbeOptions::Nothing, &[X_SUBR]).note("breaks RFC 7323 section 3.2"),
        window: Cell::verified(WindowField::CurrentScaled, &[X_SUBR]),
        dont_fragment: Cell::verified(DontFragment::Clear, &[X_SUBR]).note("its data segments have it set"),
        ttl: Cell::verified(TimeToLive::System64, &[X_SUBR]).note("TOS 0"),
        ip_id: Cell::verified(IpId::Random, &[X_SUBR]).note("its data segments have 0"),
    },
    giving_up: GivingUp {
        rule: Cell::verified(GiveUp::Elapsed { strict: false }, &[X_TIMER]),
        moment: Cell::verified(GiveUpMoment::IntervalAfterLastProbe, &[X_TIMER]),
        reset: Cell::verified(Reset::RstAck { seq: Some(ResetSeq::SndMax), timestamps: None }, &[X_OUT]),
        error: Cell::verified("ETIMEDOUT, or a soft error recorded before", &[X_TIMER])
            .note("and an SO_FILT_HINT_TIMEOUT event"),
    },
    idle_clock: IdleClock {
        reset_by: Cell::verified(IdleReset::AnyReceived, &[X_IN]),
        reset_by_sending: Cell::verified(false, &[X_TIMER]),
        reset_by_probes: Cell::verified(InboundProbes::Both, &[X_IN]),
        on_receipt: Cell::verified(OnReceipt::Restarted, &[X_IN]),
        outstanding: Cell::verified(Outstanding::NotChecked, &[X_TIMER]).note("breaks MUST-26"),
        zero_window: Cell::verified(ZeroWindow::OwnTimer, &[X_TIMER]),
    },
    responder: Responder {
        zero_octets: Cell::verified(Answer::Ack, &[X_IN]),
        one_octet: Cell::verified(Answer::Ack, &[X_IN]),
        rate_limit: Cell::verified(RateLimit::Unlimited, &[X_IN]),
        dsack: Cell::verified(false, &[X_IN]).note("only for duplicates longer than one octet"),
        ..Responder::UNKNOWN
    },
    rearming: Rearming { setting_idle: Cell::verified(Rearm::IdleFromNow, &[X_USR]), ..Rearming::UNKNOWN },
    options: Cell::verified(OPTIONS, &[X_USR]),
};

const fn seconds(name: &'static str, role: Role) -> SocketOption {
    SocketOption {
        name,
        role,
        unit: Cell::verified(Unit::Seconds, &[X_USR]),
        accepts: Cell::verified(
            Accepts::Range { least: 0, most: Some(4_294_967), zero_is_default: true },
            &[X_USR],
        )
        .note("UINT32_MAX/1000"),
        bad_value: Cell::verified("EINVAL", &[X_USR]),
    }
}

const OPTIONS: &[SocketOption] = &[
    SocketOption {
        accepts: seconds("", Role::Idle)
            .accepts
            .note("UINT32_MAX/1000; honoured only while SO_KEEPALIVE is set"),
        ..seconds("TCP_KEEPALIVE", Role::Idle)
    },
    seconds("TCP_KEEPINTVL", Role::Interval),
    SocketOption {
        name: "TCP_KEEPCNT",
        role: Role::Count,
        unit: Cell::verified(Unit::Probes, &[X_USR]),
        accepts: Cell::unknown("the notes give the range of the times only", &[X_USR]),
        bad_value: Cell::verified("EINVAL", &[X_USR]).note("for a negative one"),
    },
    seconds("TCP_CONNECTIONTIMEOUT", Role::ConnectTimeout),
    SocketOption {
        name: "TCP_KEEPALIVE_OFFLOAD",
        role: Role::Offload,
        unit: Cell::UNKNOWN,
        accepts: Cell::unknown("needs privileges", &[X_USR]),
        bad_value: Cell::UNKNOWN,
    },
];

pub(super) const MACOS_OFFLOAD: Stack = Stack {
    name: "macos-offload",
    title: "macOS, probes of the network card",
    aliases: &["xnu-offload"],
    timing: Timing {
        idle: Cell::unknown(
            "from the connection, handed over in 16 bits; how it is cut is unverified",
            &[X_SUBR],
        ),
        interval: Cell::unknown("from the connection, handed over in 16 bits", &[X_SUBR]),
        count: Cell::unknown("from the connection, handed over in 8 bits", &[X_SUBR]),
        ..Timing::UNKNOWN
    },
    probe: Probe {
        octets: Cell::verified(0, &[X_SUBR]),
        octet_value: Cell::verified(OctetValue::NotSent, &[X_SUBR]),
        seq: Cell::verified(SeqRule::BelowSndUna, &[X_SUBR]).note("its answers to probes stand at SND.UNA"),
        flags: Cell::verified(ProbeFlags::Ack, &[X_SUBR]),
        options: Cell::verified(ProbeOptions::Nothing, &[X_SUBR]),
        window: Cell::verified(WindowField::LastAnnounced, &[X_SUBR]).note("as when the host fell asleep"),
        dont_fragment: Cell::verified(DontFragment::Set, &[X_SUBR]),
        ttl: Cell::verified(TimeToLive::Socket, &[X_SUBR]),
        ip_id: Cell::unknown("0 or random", &[X_SUBR]),
        ..Probe::UNKNOWN
    },
    giving_up: GivingUp {
        reset: Cell::verified(
            Reset::RstAck { seq: Some(ResetSeq::SndMax), timestamps: None },
            &[X_SUBR, X_OUT],
        )
        .note("by the host, once the card has told it"),
        ..GivingUp::UNKNOWN
    },
    ..Stack::UNKNOWN
};
