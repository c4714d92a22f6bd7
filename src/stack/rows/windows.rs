//! Windows, in three generations: what Microsoft documents, and what was seen in the field.

use crate::stack::cell::{Cell, Source};
use crate::stack::source::{BELIEVED, LIBUV_WIN, MS_TIME, MS_VALS, UIP_558, XMRIG_3300};
use crate::stack::value::{
    AckRule, Amount, GiveUp, IntervalShape, OctetValue, ProbeFlags, Role, SeqRule, Unit, UserTimeout,
};
use crate::stack::{GivingUp, IdleClock, Probe, Rearming, Responder, SocketOption, Stack, Timing};
use crate::time::Span;

const IDLE: Cell<Amount<Span>> =
    Cell::verified(Amount::Is(Span::from_secs(7200)), &[MS_VALS, MS_TIME]).note("KeepAliveTime");
const INTERVAL: Cell<Amount<Span>> =
    Cell::verified(Amount::Is(Span::from_secs(1)), &[MS_VALS, MS_TIME]).note("KeepAliveInterval");

const fn timing(count: Cell<Amount<u32>>, seconds: i64, sources: &'static [Source]) -> Timing {
    Timing {
        on_by_default: Cell::verified(false, &[MS_VALS]),
        idle: IDLE,
        interval: INTERVAL,
        count,
        detects_after: Cell::reported(Amount::Is(Span::from_secs(seconds)), sources)
            .note("idle + count x interval; whether it is a probe or an interval less is unverified"),
        shape: Cell::verified(IntervalShape::Constant, &[MS_VALS]),
        rounding: Cell::UNKNOWN,
    }
}

const PROBE: Probe = Probe {
    octets: Cell::reported(1, &[UIP_558]).note("seen in the field; Microsoft says nothing of it"),
    octet_value: Cell::reported(OctetValue::Zero, &[BELIEVED]),
    seq: Cell::verified(SeqRule::BelowSndNxt, &[MS_VALS]).note("one less than the current sequence number"),
    ack: Cell::reported(AckRule::RcvNxt, &[BELIEVED]),
    flags: Cell::reported(ProbeFlags::Ack, &[BELIEVED]),
    options: Cell::unknown("its clients do not offer timestamps, so there are none as a rule", &[XMRIG_3300]),
    ttl: Cell::unknown("believed to be 128", &[BELIEVED]),
    ..Probe::UNKNOWN
};

const GIVING_UP: GivingUp = GivingUp {
    rule: Cell::verified(GiveUp::Counted { user_timeout: UserTimeout::Unknown }, &[MS_VALS, MS_TIME])
        .note("with TCP_MAXRT too"),
    moment: Cell::unknown("an interval after the last probe, or with it", &[MS_VALS]),
    reset: Cell::unknown("reports from the field speak of a RST", &[BELIEVED]),
    error: Cell::reported("WSAENETRESET or WSAETIMEDOUT", &[BELIEVED]),
};

const IDLE_CLOCK: IdleClock = IdleClock {
    reset_by: Cell::unknown(
        "\"no data or higher-level keepalives carried\": the exact rule is not said",
        &[MS_VALS],
    ),
    ..IdleClock::UNKNOWN
};

const SIO_KEEPALIVE_VALS: SocketOption = SocketOption {
    name: "SIO_KEEPALIVE_VALS",
    role: Role::EnableIdleInterval,
    unit: Cell::verified(Unit::Milliseconds, &[MS_VALS]),
    accepts: Cell::UNKNOWN,
    bad_value: Cell::verified("WSAEINVAL; WSAENOPROTOOPT on a datagram socket", &[MS_VALS]),
};

const fn option(name: &'static str, role: Role, unit: Unit, since: &'static str) -> SocketOption {
    SocketOption {
        name,
        role,
        unit: Cell::verified(unit, &[LIBUV_WIN]).note(since),
        accepts: Cell::UNKNOWN,
        bad_value: Cell::UNKNOWN,
    }
}

const fn registry(name: &'static str, role: Role) -> SocketOption {
    SocketOption {
        name,
        role,
        unit: Cell::verified(Unit::Milliseconds, &[MS_TIME]),
        accepts: Cell::UNKNOWN,
        bad_value: Cell::UNKNOWN,
    }
}

const KEEP_ALIVE_TIME: SocketOption = registry("KeepAliveTime (registry)", Role::Idle);
const KEEP_ALIVE_INTERVAL: SocketOption = registry("KeepAliveInterval (registry)", Role::Interval);

pub(super) const WINDOWS_10_1709: Stack = Stack {
    name: "windows-10-1709",
    title: "Windows 10 1709 and later",
    aliases: &["windows", "windows-10", "windows-11", "windows-10-1703", "win10"],
    runs: true,
    timing: timing(
        Cell::verified(Amount::Is(10), &[MS_VALS, LIBUV_WIN]).note("TCP_KEEPCNT since 1703"),
        7210,
        &[MS_VALS],
    ),
    probe: PROBE,
    giving_up: GIVING_UP,
    idle_clock: IDLE_CLOCK,
    responder: Responder::UNKNOWN,
    rearming: Rearming::UNKNOWN,
    options: Cell::verified(
        &[
            SIO_KEEPALIVE_VALS,
            option("TCP_KEEPIDLE", Role::Idle, Unit::Seconds, "since 1709"),
            option("TCP_KEEPINTVL", Role::Interval, Unit::Seconds, "since 1709"),
            option("TCP_KEEPCNT", Role::Count, Unit::Probes, "since 1703"),
            KEEP_ALIVE_TIME,
            KEEP_ALIVE_INTERVAL,
        ],
        &[MS_VALS, LIBUV_WIN],
    ),
};

pub(super) const WINDOWS_VISTA: Stack = Stack {
    name: "windows-vista",
    title: "Windows Vista to 10 1607",
    aliases: &["windows-7", "windows-8", "windows-2008", "windows-2012", "windows-10-1607"],
    runs: true,
    timing: timing(Cell::verified(Amount::Is(10), &[MS_VALS]).note("cannot be changed"), 7210, &[MS_VALS]),
    probe: PROBE,
    giving_up: GIVING_UP,
    idle_clock: IDLE_CLOCK,
    responder: Responder::UNKNOWN,
    rearming: Rearming::UNKNOWN,
    options: Cell::verified(&[SIO_KEEPALIVE_VALS, KEEP_ALIVE_TIME, KEEP_ALIVE_INTERVAL], &[MS_VALS]),
};

pub(super) const WINDOWS_2003: Stack = Stack {
    name: "windows-2003",
    title: "Windows 2000, XP, 2003",
    aliases: &["windows-2000", "windows-xp"],
    runs: true,
    timing: timing(
        Cell::verified(Amount::Is(5), &[MS_VALS, MS_TIME]).note(
            "the greater of TcpMaxDataRetransmissions and PPTPTcpMaxDataRetransmissions; 0 is no probes, more than 255 is 255",
        ),
        7205,
        &[MS_TIME],
    ),
    probe: PROBE,
    giving_up: GIVING_UP,
    idle_clock: IDLE_CLOCK,
    responder: Responder::UNKNOWN,
    rearming: Rearming::UNKNOWN,
    options: Cell::verified(
        &[
            SIO_KEEPALIVE_VALS,
            KEEP_ALIVE_TIME,
            KEEP_ALIVE_INTERVAL,
            SocketOption {
                name: "TcpMaxDataRetransmissions (registry)",
                role: Role::Count,
                unit: Cell::verified(Unit::Probes, &[MS_TIME]),
                accepts: Cell::UNKNOWN,
                bad_value: Cell::verified("none: 0 is no probes, more than 255 is 255", &[MS_TIME]),
            },
        ],
        &[MS_VALS, MS_TIME],
    ),
};
