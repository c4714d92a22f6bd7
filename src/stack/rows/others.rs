//! Stacks that stand in the table to be read: too little of them is known, or needed, to run them.

use crate::stack::cell::Cell;
use crate::stack::source::{FREERTOS, IBM_ZVM, NUTTX_17888, PICOTCP, PYTCP_29, UIP_558};
use crate::stack::value::{
    Accepts, Amount, Answer, GiveUp, GiveUpMoment, IdleReset, IntervalShape, OctetValue, Outstanding,
    ProbeFlags, ProbeOptions, Reset, Role, Rounding, SeqRule, Unit, UserTimeout, WindowField,
};
use crate::stack::{GivingUp, IdleClock, Probe, Responder, SocketOption, Stack, Timing};
use crate::time::Span;

pub(super) const FREERTOS_STACK: Stack = Stack {
    name: "freertos",
    title: "FreeRTOS+TCP",
    aliases: &["freertos-plus-tcp", "freertos+tcp"],
    timing: Timing {
        on_by_default: Cell::verified(false, &[FREERTOS]).note("ipconfigTCP_KEEP_ALIVE=0"),
        idle: Cell::verified(Amount::Is(Span::from_secs(20)), &[FREERTOS])
            .note("breaks MUST-28; the first probe needs more than that"),
        interval: Cell::verified(Amount::Is(Span::from_secs(3)), &[FREERTOS]).note("cannot be changed"),
        count: Cell::verified(Amount::Is(4), &[FREERTOS]).note("cannot be changed"),
        detects_after: Cell::verified(Amount::Is(Span::from_secs(32)), &[FREERTOS]).note("about 20 + 4 x 3"),
        shape: Cell::verified(IntervalShape::Constant, &[FREERTOS]),
        rounding: Cell::verified(
            Rounding::Polled { period: Span::from_millis(2500), strict: true },
            &[FREERTOS],
        ),
    },
    probe: Probe {
        octets: Cell::verified(0, &[FREERTOS]),
        octet_value: Cell::verified(OctetValue::NotSent, &[FREERTOS]),
        seq: Cell::verified(SeqRule::BelowSndNxt, &[FREERTOS]).note("our sequence number less one"),
        flags: Cell::verified(ProbeFlags::Ack, &[FREERTOS]).note("PSH is cleared"),
        options: Cell::verified(ProbeOptions::AsEstablished, &[FREERTOS]).note("whatever is current"),
        ..Probe::UNKNOWN
    },
    giving_up: GivingUp {
        rule: Cell::verified(GiveUp::Counted { user_timeout: UserTimeout::Unknown }, &[FREERTOS]),
        moment: Cell::verified(GiveUpMoment::IntervalAfterLastProbe, &[FREERTOS])
            .note("looked at before another probe is sent"),
        reset: Cell::verified(Reset::Nothing, &[FREERTOS]).note("the state becomes CLOSE_WAIT"),
        error: Cell::verified("ENOTCONN on receiving", &[FREERTOS]),
    },
    idle_clock: IdleClock {
        reset_by: Cell::verified(IdleReset::AnyTouch, &[FREERTOS]),
        reset_by_sending: Cell::verified(false, &[FREERTOS]).note("a probe sent does"),
        outstanding: Cell::verified(Outstanding::NothingToSend, &[FREERTOS])
            .note("nor while a window update is due"),
        ..IdleClock::UNKNOWN
    },
    ..Stack::UNKNOWN
};

pub(super) const PICOTCP_STACK: Stack = Stack {
    name: "picotcp",
    title: "picoTCP",
    aliases: &[],
    timing: Timing {
        on_by_default: Cell::verified(false, &[PICOTCP]),
        idle: Cell::verified(Amount::ByApplication, &[PICOTCP]),
        interval: Cell::verified(Amount::ByApplication, &[PICOTCP]),
        count: Cell::verified(Amount::ByApplication, &[PICOTCP]),
        detects_after: Cell::verified(Amount::ByApplication, &[PICOTCP]).note("idle + count x interval"),
        shape: Cell::verified(IntervalShape::Constant, &[PICOTCP]),
        rounding: Cell::verified(Rounding::Polled { period: Span::from_secs(1), strict: true }, &[PICOTCP]),
    },
    probe: Probe {
        octets: Cell::verified(0, &[PICOTCP]),
        octet_value: Cell::verified(OctetValue::NotSent, &[PICOTCP]),
        seq: Cell::verified(SeqRule::BelowSndNxt, &[PICOTCP]),
        flags: Cell::verified(ProbeFlags::PshAck, &[PICOTCP]),
        options: Cell::verified(ProbeOptions::AsEstablished, &[PICOTCP]).note("tcp_options_size is set"),
        window: Cell::verified(WindowField::Raw, &[PICOTCP]),
        ..Probe::UNKNOWN
    },
    giving_up: GivingUp {
        rule: Cell::verified(GiveUp::ReportsOnly, &[PICOTCP]),
        moment: Cell::verified(GiveUpMoment::Never, &[PICOTCP]),
        reset: Cell::verified(Reset::Nothing, &[PICOTCP]),
        error: Cell::verified("an error event with ECONNRESET", &[PICOTCP]),
    },
    idle_clock: IdleClock {
        reset_by: Cell::verified(IdleReset::AckProcessed, &[PICOTCP]),
        outstanding: Cell::verified(Outstanding::NotChecked, &[PICOTCP]),
        ..IdleClock::UNKNOWN
    },
    options: Cell::verified(
        &[
            picotcp("KEEPIDLE", Role::Idle, Unit::Milliseconds),
            picotcp("KEEPINTVL", Role::Interval, Unit::Milliseconds),
            picotcp("KEEPCNT", Role::Count, Unit::Probes),
        ],
        &[PICOTCP],
    ),
    ..Stack::UNKNOWN
};

const fn picotcp(name: &'static str, role: Role, unit: Unit) -> SocketOption {
    SocketOption {
        name,
        role,
        unit: Cell::verified(unit, &[PICOTCP]),
        accepts: Cell::verified(Accepts::Anything, &[PICOTCP]),
        bad_value: Cell::verified("none", &[PICOTCP]),
    }
}

pub(super) const NUTTX: Stack = Stack {
    name: "nuttx",
    title: "Apache NuttX",
    aliases: &[],
    giving_up: GivingUp {
        reset: Cell::reported(Reset::RstAck { seq: None, timestamps: None }, &[NUTTX_17888])
            .note("since January 2026; before that nothing was sent"),
        ..GivingUp::UNKNOWN
    },
    ..Stack::UNKNOWN
};

pub(super) const UIP: Stack = Stack {
    name: "uip",
    title: "Contiki uIP, as a peer",
    aliases: &["contiki"],
    responder: Responder {
        zero_octets: Cell::reported(Answer::Silence, &[UIP_558]),
        one_octet: Cell::reported(Answer::Ack, &[UIP_558]),
        ..Responder::UNKNOWN
    },
    ..Stack::UNKNOWN
};

pub(super) const ZVM: Stack = Stack {
    name: "zvm",
    title: "IBM z/VM",
    aliases: &["z/vm"],
    timing: Timing {
        on_by_default: Cell::verified(false, &[IBM_ZVM]),
        idle: Cell::verified(Amount::Is(Span::from_secs(7200)), &[IBM_ZVM]),
        ..Timing::UNKNOWN
    },
    probe: Probe {
        octets: Cell::verified(0, &[IBM_ZVM]).note("1 with SENDGARBAGE TRUE"),
        octet_value: Cell::verified(OctetValue::NotSent, &[IBM_ZVM]).note("random with SENDGARBAGE TRUE"),
        ..Probe::UNKNOWN
    },
    ..Stack::UNKNOWN
};

pub(super) const PYTCP: Stack = Stack {
    name: "pytcp",
    title: "PyTCP, as a peer",
    aliases: &[],
    responder: Responder {
        zero_octets: Cell::reported(Answer::Silence, &[PYTCP_29]).note("ignored as out of the window"),
        ..Responder::UNKNOWN
    },
    ..Stack::UNKNOWN
};
