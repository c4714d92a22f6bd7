//! From a row of the table of stacks to the rules that the machine runs on.
//!
//! Owns what is assumed where nobody knows, and says so: each assumption is listed, so that what is drawn
//! from the machine can name it. Uses [`crate::stack`].

use super::responder::Habits;
use super::settings::Settings;
use crate::stack::value::{
    AckRule, Amount, Answer, GiveUp, IdleReset, InboundProbes, IntervalShape, OnReceipt, Outstanding,
    ProbeFlags, ProbeOptions, RateLimit, Rearm, Reset, Rounding, SeqRule, UserTimeout,
};
use crate::stack::{Cell, Stack, Status};
use crate::time::Span;

/// The rules of one stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub(super) seq: SeqRule,
    pub(super) ack: AckRule,
    pub(super) octets: u8,
    pub(super) flags: ProbeFlags,
    pub(super) options: ProbeOptions,
    pub(super) shape: IntervalShape,
    pub(super) give_up: GiveUp,
    pub(super) reset: Reset,
    pub(super) reset_by: IdleReset,
    pub(super) reset_by_probes: InboundProbes,
    pub(super) sending_resets_idle: bool,
    pub(super) on_receipt: OnReceipt,
    pub(super) outstanding: Outstanding,
    pub(super) enabling: Rearm,
    pub(super) setting_idle: Rearm,
    pub(super) setting_interval: Rearm,
    /// Setting an option counts as a receipt.
    pub(super) clock_restarts_on_setting: bool,
    /// Probes are due at multiples of the interval after the idle time, not after the probe before.
    pub(super) counts_from_receipt: bool,
    pub(super) habits: Habits,
}

impl Rules {
    /// How it answers the probes of its peer.
    pub fn habits(&self) -> Habits {
        self.habits
    }

    /// The same rules with other habits of answering.
    #[must_use]
    pub fn with_habits(self, habits: Habits) -> Self {
        Self { habits, ..self }
    }

    /// Whether silence of the peer ends the connection some time, with these settings.
    pub(super) fn gives_up(&self, settings: &Settings) -> bool {
        match self.give_up {
            GiveUp::Counted { .. } | GiveUp::Elapsed { .. } | GiveUp::AbortThreshold { .. } => true,
            GiveUp::UserTimeoutOnly => settings.user_timeout_in_force().is_some(),
            GiveUp::ReportsOnly | GiveUp::Never => false,
        }
    }

    /// Whether a RST leaves when the connection is given up.
    pub(super) fn resets(&self) -> bool {
        self.reset != Reset::Nothing
    }
}

/// Something about a stack that nobody has verified, and what the machine does instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Assumption {
    /// What is not known.
    pub about: &'static str,
    /// Whether the table holds an unverified value, which is used; otherwise a plain default is.
    pub reported: bool,
}

/// The rules of a stack with everything the machine needs to start.
#[derive(Clone, Debug)]
pub struct Model {
    /// The stack.
    pub stack: &'static Stack,
    /// Its rules.
    pub rules: Rules,
    /// Its defaults.
    pub settings: Settings,
    /// Whether it has a default idle time; some leave that to whoever turns keepalives on.
    pub has_idle: bool,
    /// How late its timer fires.
    pub rounding: Rounding,
    /// What about it is not verified.
    pub assumptions: Vec<Assumption>,
}

/// Reads cells and notes which of them nobody has verified.
struct Reader {
    assumptions: Vec<Assumption>,
}

impl Reader {
    fn read<T: Copy>(&mut self, about: &'static str, cell: Cell<T>, assumed: T) -> T {
        if cell.status == Status::Unverified {
            self.assumptions.push(Assumption { about, reported: cell.value.is_some() });
        }
        cell.value_or(assumed)
    }
}

impl Model {
    /// The model of a stack, if enough is known of it to run.
    pub fn of(stack: &'static Stack) -> Option<Model> {
        if !stack.runs {
            return None;
        }
        let mut reader = Reader { assumptions: Vec::new() };
        let rounding = reader.read("timer rounding", stack.timing.rounding, Rounding::Exact);
        let rules = rules(stack, rounding, &mut reader);
        let settings = settings(stack);
        let has_idle = stack.timing.idle.value.and_then(Amount::get).is_some();
        Some(Model { stack, rules, settings, has_idle, rounding, assumptions: reader.assumptions })
    }
}

/// The defaults; where the stack has none, those of RFC 9293 for the idle time and Linux's for the rest.
fn settings(stack: &'static Stack) -> Settings {
    let idle = stack.timing.idle.value.and_then(Amount::get).unwrap_or(Span::from_secs(7200));
    let interval = match stack.timing.interval.value {
        Some(Amount::Is(interval)) => interval,
        // A stack whose gaps back off has none unless one is set.
        Some(Amount::Absent) => Span::ZERO,
        _ => Span::from_secs(75),
    };
    let count = stack.timing.count.value.and_then(Amount::get).unwrap_or(9);
    Settings { idle, interval, count, user_timeout: None }
}

fn rules(stack: &'static Stack, rounding: Rounding, reader: &mut Reader) -> Rules {
    let (probe, clock, giving_up) = (&stack.probe, &stack.idle_clock, &stack.giving_up);
    let polled = matches!(rounding, Rounding::Polled { .. } | Rounding::Ticks { strict: true, .. });
    let unknown_reset = Reset::RstAck { seq: None, timestamps: None };
    let counted = GiveUp::Counted { user_timeout: UserTimeout::Unknown };
    let setting_interval =
        reader.read("what setting the interval does", stack.rearming.setting_interval, Rearm::Untouched);
    Rules {
        seq: reader.read("sequence number of a probe", probe.seq, SeqRule::BelowSndNxt),
        ack: probe.ack.value_or(AckRule::RcvNxt),
        octets: reader.read("octets of a probe", probe.octets, 0),
        flags: probe.flags.value_or(ProbeFlags::Ack),
        options: probe.options.value_or(ProbeOptions::Timestamps),
        shape: reader.read("shape of the interval", stack.timing.shape, IntervalShape::Constant),
        give_up: reader.read("rule to give up", giving_up.rule, counted),
        reset: reader.read("segment sent when giving up", giving_up.reset, unknown_reset),
        reset_by: reader.read("what starts the idle time anew", clock.reset_by, IdleReset::AnyReceived),
        reset_by_probes: clock.reset_by_probes.value_or(InboundProbes::Both),
        sending_resets_idle: clock.reset_by_sending.value_or(false),
        on_receipt: clock.on_receipt.value_or(OnReceipt::Untouched),
        outstanding: reader.read("probes with data in flight", clock.outstanding, Outstanding::RearmIdle),
        enabling: reader.read("what turning keepalives on does", stack.rearming.enabling, Rearm::IdleFromNow),
        setting_idle: reader.read(
            "what setting the idle time does",
            stack.rearming.setting_idle,
            Rearm::IdleFromNow,
        ),
        setting_interval,
        // A stack that starts the idle time again for every option treats it as a sign of life.
        clock_restarts_on_setting: setting_interval == Rearm::IdleFromNow,
        counts_from_receipt: polled,
        habits: habits(stack),
    }
}

fn habits(stack: &'static Stack) -> Habits {
    let responder = &stack.responder;
    let answers = |cell: Cell<Answer>| cell.value_or(Answer::Ack) != Answer::Silence;
    Habits {
        rate_limit: match responder.rate_limit.value {
            Some(RateLimit::PerSocket { gap }) => Some(gap),
            _ => None,
        },
        answers_empty: answers(responder.zero_octets),
        answers_octet: answers(responder.one_octet),
        dsack: responder.dsack.value_or(false),
        drops_old_timestamps: responder.old_timestamp_zero_octets.value == Some(Answer::Silence),
    }
}
