//! TCP stacks as data: how each keeps its connections alive, and which applications ask for what.
//!
//! Owns the table of [`Stack`]s, the application [`Preset`]s and the [`Requirement`]s of the standards, each
//! fact with its source and how far it can be trusted. All of it is constant; nothing here is a rule in code.
//! Uses [`crate::time`] only.

pub mod cell;
mod names;
pub mod preset;
pub mod requirement;
mod rows;
mod source;
pub mod value;
mod walk;

use crate::time::Span;

pub use cell::{Cell, Source, Status};
pub use names::{Unknown, nearest};
pub use preset::Preset;
pub use requirement::Requirement;
use value::{
    Accepts, AckRule, Amount, Answer, DontFragment, GiveUp, GiveUpMoment, IdleReset, InboundProbes,
    IntervalShape, IpId, MissingTimestamps, OctetValue, OnReceipt, Outstanding, ProbeFlags, ProbeOptions,
    RateLimit, Rearm, Reset, Role, Rounding, SeqRule, TimeToLive, TimestampEcho, Unit, WindowField,
    ZeroWindow,
};
pub use walk::{Group, Shown};
pub(crate) use {names::find, walk::duration, walk::shown};

/// How one TCP stack keeps connections alive.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    /// Lower case with dashes; never changes.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// Whether enough is known to run it; the others are here to be read.
    pub runs: bool,
    /// When probes are sent.
    pub timing: Timing,
    /// What a probe looks like.
    pub probe: Probe,
    /// When and how it gives up.
    pub giving_up: GivingUp,
    /// What starts the idle time anew, and what keeps probes back.
    pub idle_clock: IdleClock,
    /// How it answers the probes of its peer.
    pub responder: Responder,
    /// What setting options does to a quiet connection.
    pub rearming: Rearming,
    /// The options of a socket or of the system.
    pub options: Cell<&'static [SocketOption]>,
}

/// When probes are sent.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Whether connections are kept alive without the application asking.
    pub on_by_default: Cell<bool>,
    /// Silence before the first probe, by default.
    pub idle: Cell<Amount<Span>>,
    /// Time between unanswered probes, by default.
    pub interval: Cell<Amount<Span>>,
    /// How many unanswered probes it takes, by default.
    pub count: Cell<Amount<u32>>,
    /// From the last receipt until a dead peer is given up, by default, before rounding.
    pub detects_after: Cell<Amount<Span>>,
    /// How the interval grows.
    pub shape: Cell<IntervalShape>,
    /// How late the timer fires.
    pub rounding: Cell<Rounding>,
}

/// What a probe looks like.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// Octets of payload.
    pub octets: Cell<u8>,
    /// What they hold.
    pub octet_value: Cell<OctetValue>,
    /// Its sequence number.
    pub seq: Cell<SeqRule>,
    /// Its acknowledgement number.
    pub ack: Cell<AckRule>,
    /// Its flags.
    pub flags: Cell<ProbeFlags>,
    /// Its TCP options.
    pub options: Cell<ProbeOptions>,
    /// Its window field.
    pub window: Cell<WindowField>,
    /// Its don't-fragment bit.
    pub dont_fragment: Cell<DontFragment>,
    /// Its TTL or hop limit.
    pub ttl: Cell<TimeToLive>,
    /// Its IPv4 identification.
    pub ip_id: Cell<IpId>,
}

/// When and how a stack gives up.
#[derive(Clone, Copy, Debug)]
pub struct GivingUp {
    /// By which rule.
    pub rule: Cell<GiveUp>,
    /// At which moment.
    pub moment: Cell<GiveUpMoment>,
    /// What is sent to the peer.
    pub reset: Cell<Reset>,
    /// What the application sees.
    pub error: Cell<&'static str>,
}

/// What starts the idle time anew, and what keeps probes back.
#[derive(Clone, Copy, Debug)]
pub struct IdleClock {
    /// Which segments received.
    pub reset_by: Cell<IdleReset>,
    /// Whether segments sent do too.
    pub reset_by_sending: Cell<bool>,
    /// Whether probes of the peer do.
    pub reset_by_probes: Cell<InboundProbes>,
    /// What happens to the running timer then.
    pub on_receipt: Cell<OnReceipt>,
    /// What unacknowledged data does.
    pub outstanding: Cell<Outstanding>,
    /// How a closed window is probed.
    pub zero_window: Cell<ZeroWindow>,
}

/// How a stack answers the probes of its peer.
#[derive(Clone, Copy, Debug)]
pub struct Responder {
    /// To a probe without payload.
    pub zero_octets: Cell<Answer>,
    /// To a probe of one octet.
    pub one_octet: Cell<Answer>,
    /// How often at most to probes without payload.
    pub rate_limit: Cell<RateLimit>,
    /// Whether the answer to one octet carries a D-SACK where SACK is on.
    pub dsack: Cell<bool>,
    /// The timestamp echo of the answer to a probe without payload.
    pub echo_zero_octets: Cell<TimestampEcho>,
    /// The timestamp echo of the answer to one octet.
    pub echo_one_octet: Cell<TimestampEcho>,
    /// The answer to a probe without payload whose timestamp is old (PAWS).
    pub old_timestamp_zero_octets: Cell<Answer>,
    /// The answer to one octet with an old timestamp.
    pub old_timestamp_one_octet: Cell<Answer>,
    /// What becomes of probes without the negotiated timestamps.
    pub missing_timestamps: Cell<MissingTimestamps>,
}

/// What setting options does to the timer of a quiet connection.
#[derive(Clone, Copy, Debug)]
pub struct Rearming {
    /// Turning keepalives on.
    pub enabling: Cell<Rearm>,
    /// Setting the idle time while they are on.
    pub setting_idle: Cell<Rearm>,
    /// Setting the interval or the count while they are on.
    pub setting_interval: Cell<Rearm>,
}

/// An option that an application or an administrator can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOption {
    /// As programs call it.
    pub name: &'static str,
    /// What it sets.
    pub role: Role,
    /// What it counts in.
    pub unit: Cell<Unit>,
    /// Which values it takes.
    pub accepts: Cell<Accepts>,
    /// What any other value gives.
    pub bad_value: Cell<&'static str>,
}

impl Stack {
    /// All stacks, in the order of the table.
    pub const fn all() -> &'static [&'static Stack] {
        rows::ALL
    }

    /// The stack of that name or alias, whatever the case of its letters.
    ///
    /// # Errors
    /// If there is none; with the names that come nearest.
    pub fn named(name: &str) -> Result<&'static Stack, Unknown> {
        names::find(name, Stack::all().iter().copied(), |stack| (stack.name, stack.aliases))
    }

    /// What an option is called that sets `role`, and what it takes.
    pub fn option(&self, role: Role) -> Option<&'static SocketOption> {
        self.options.value?.iter().find(|option| option.role == role)
    }
}
