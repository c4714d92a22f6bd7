//! What can stand in a cell: the rules that stacks differ in, as values a keepalive machine can run on.
//!
//! Owns the types and their names in output. Uses [`crate::time`] only.

use crate::time::Span;

/// A value taken apart for output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// One of a fixed set of values: its name for programs, and for people.
    Word(&'static str, &'static str),
    /// Free text.
    Text(&'static str),
    /// A whole number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// A length of time.
    Duration(Span),
    /// A value of a fixed set with details: its name, the text for people, the details.
    Fields(&'static str, String, Vec<(&'static str, Datum)>),
}

/// Anything that can stand in a cell.
pub trait Value: Copy {
    /// The value taken apart for output.
    fn datum(&self) -> Datum;
}

impl Value for bool {
    fn datum(&self) -> Datum {
        Datum::Flag(*self)
    }
}

impl Value for u8 {
    fn datum(&self) -> Datum {
        Datum::Number(u64::from(*self))
    }
}

impl Value for u32 {
    fn datum(&self) -> Datum {
        Datum::Number(u64::from(*self))
    }
}

impl Value for Span {
    fn datum(&self) -> Datum {
        Datum::Duration(*self)
    }
}

impl Value for &'static str {
    fn datum(&self) -> Datum {
        Datum::Text(self)
    }
}

/// A number or a time that need not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount<T> {
    /// This much.
    Is(T),
    /// There is no default: whoever turns keepalives on says how much.
    ByApplication,
    /// The stack has no such thing.
    Absent,
}

impl<T: Copy> Amount<T> {
    /// The amount, if the stack has one by itself.
    pub const fn get(self) -> Option<T> {
        match self {
            Amount::Is(value) => Some(value),
            Amount::ByApplication | Amount::Absent => None,
        }
    }
}

impl<T: Value> Value for Amount<T> {
    fn datum(&self) -> Datum {
        match self {
            Amount::Is(value) => value.datum(),
            Amount::ByApplication => Datum::Word("by_application", "set by the application"),
            Amount::Absent => Datum::Word("absent", "none"),
        }
    }
}

/// A rule without details: its values with their names for programs and for people.
macro_rules! words {
    ($($(#[$about:meta])* $name:ident { $($variant:ident = $word:literal, $text:literal;)+ })+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = $text] $variant,)+
        }

        impl $name {
            /// As a value in output for programs.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }

            /// For people.
            pub const fn title(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }
        }

        impl Value for $name {
            fn datum(&self) -> Datum {
                Datum::Word(self.name(), self.title())
            }
        }
    )+};
}

pub(crate) use words;

words! {
    /// Where the sequence number of a probe lies.
    SeqRule {
        BelowSndUna = "snd_una_minus_1", "SND.UNA-1";
        BelowSndNxt = "snd_nxt_minus_1", "SND.NXT-1";
    }

    /// What stands in the acknowledgement field of a probe.
    AckRule {
        RcvNxt = "rcv_nxt", "RCV.NXT";
        BelowRcvNxt = "rcv_nxt_minus_1", "RCV.NXT-1";
    }

    /// What the octet of a probe holds.
    OctetValue {
        NotSent = "not_sent", "no octet is sent";
        Zero = "zero", "0x00";
        Random = "random", "random";
    }

    /// The flags of a probe.
    ProbeFlags {
        Ack = "ack", "ACK";
        PshAck = "psh_ack", "PSH|ACK";
    }

    /// The TCP options on a probe.
    ProbeOptions {
        AsEstablished = "as_established", "as on any segment: timestamps if negotiated, SACK blocks if held";
        Timestamps = "timestamps_if_negotiated", "timestamps if negotiated";
        Nothing = "none", "none, even where timestamps were negotiated";
    }

    /// The don't-fragment bit of a probe.
    DontFragment {
        Set = "set", "set";
        Clear = "clear", "clear";
        WithPathMtuDiscovery = "with_path_mtu_discovery", "set where path MTU discovery is on";
    }

    /// The TTL or hop limit of a probe.
    TimeToLive {
        Socket64 = "socket_64", "the socket's, by default 64";
        System64 = "system_64", "the system's, 64, whatever the socket's is";
        Socket = "socket", "the socket's";
    }

    /// The IPv4 identification of a probe.
    IpId {
        NextOfConnection = "next_of_connection", "one more than the connection's packet before";
        Random = "random", "random, not zero";
        OfTheSystem = "of_the_system", "as the system numbers any packet";
    }

    /// The window field of a probe.
    WindowField {
        Current = "current", "current";
        CurrentScaled = "current_scaled", "current, scaled";
        LastAnnounced = "last_announced", "as last announced";
        Raw = "raw", "current, not scaled";
    }

    /// What `TCP_USER_TIMEOUT` or its like does to the counting of probes.
    UserTimeout {
        ReplacesCount = "replaces_count", "the user timeout replaces the count";
        AlsoApplies = "also_applies", "the user timeout applies beside the count";
        Unknown = "unknown", "what a user timeout does is not known";
    }

    /// At which moment a stack gives up.
    GiveUpMoment {
        IntervalAfterLastProbe = "interval_after_last_probe", "one interval after the last probe";
        FirstFiringPastLimit = "first_firing_past_limit", "when the timer first fires past the limit";
        UserTimeout = "user_timeout", "when the user timeout is over";
        Never = "never", "never";
    }

    /// Which sequence number a reset carries.
    ResetSeq {
        SndNxt = "snd_nxt", "SND.NXT";
        SndMax = "snd_max", "SND.MAX";
    }

    /// Which segments from the peer start the idle time anew.
    IdleReset {
        InOrderDataOrValidAck = "in_order_data_or_valid_ack",
            "data in order, or a segment that passes the sequence check with a valid ACK";
        AnyReceived = "any_received", "any segment of the connection, before it is validated";
        AnyProcessed = "any_processed", "any segment that is processed";
        AnyReceivedOrSent = "any_received_or_sent", "any segment received or sent";
        AckProcessed = "ack_processed", "any ACK that is processed";
        AnyTouch = "any_touch", "any segment received, any change of state, any probe sent";
    }

    /// Which probes of the peer start the idle time anew.
    InboundProbes {
        None = "none", "none";
        OneOctet = "one_octet", "those of one octet only";
        Both = "both", "both forms";
    }

    /// What happens to the running timer when a segment starts the idle time anew.
    OnReceipt {
        Untouched = "untouched", "keeps running; what is left is found when it fires";
        Restarted = "restarted", "starts again with the whole idle time";
    }

    /// What happens to keepalives while sent data waits for its acknowledgement.
    Outstanding {
        NotChecked = "not_checked", "probes go out all the same";
        RearmIdle = "rearm_idle", "no probe; the timer starts again with the whole idle time";
        RearmClearBackOff = "rearm_clear_back_off", "no probe; the back-off is forgotten, the timer starts again";
        TimerStopped = "timer_stopped", "no probe; the timer stands still";
        OtherTimer = "other_timer", "no probe; the one timer is busy with retransmissions";
        NothingToSend = "only_when_nothing_to_send", "no probe while there is anything to send";
    }

    /// How a closed window is probed.
    ZeroWindow {
        LikeKeepalive = "like_keepalive", "by the same segment as keepalives, with doubling gaps from the RTO";
        PersistOneOctet = "persist_one_octet", "by a timer of its own, with one octet of the waiting data";
        RetransmitTimer = "retransmit_timer", "by the retransmission timer";
        OwnTimer = "own_timer", "by a timer of its own";
        OwnTimerDoubling = "own_timer_doubling", "by a timer of its own, with doubling gaps";
    }

    /// What a probe is answered with.
    Answer {
        Ack = "ack", "an ACK";
        AckLimited = "ack_rate_limited", "an ACK, rate limited";
        Silence = "none", "nothing";
    }

    /// What stands in the timestamp echo of an answer.
    TimestampEcho {
        OfProbe = "of_probe", "the probe's timestamp";
        Older = "older", "a timestamp older than the probe's";
    }

    /// What becomes of a probe without the negotiated timestamps.
    MissingTimestamps {
        Answered = "answered", "answered like any other";
        AnsweredByDefault = "answered_by_default", "answered, unless the system is set to drop it";
    }

    /// What setting an option does to the timer of a quiet connection.
    Rearm {
        IdleFromNow = "idle_from_now", "the whole idle time begins now";
        IdleSinceReceipt = "idle_since_receipt", "what is left of it since the last receipt; at once if nothing";
        IntervalFromNow = "interval_from_now", "one interval begins now, whatever the idle time";
        ProbeAtOnce = "probe_at_once", "a probe is sent at once";
        Untouched = "untouched", "nothing; counts from the next start of the timer on";
    }

    /// What a socket option sets.
    Role {
        Enable = "enable", "on or off";
        EnableIdleInterval = "enable_idle_interval", "on or off, idle and interval at once";
        Idle = "idle", "idle";
        Interval = "interval", "interval";
        Count = "count", "count";
        UserTimeout = "user_timeout", "user timeout";
        AbortThreshold = "abort_threshold", "abort threshold";
        ConnectTimeout = "connect_timeout", "connect timeout";
        IdleAndInterval = "idle_and_interval", "idle and interval, one value for both";
        Offload = "offload", "probes sent by the network card";
    }

    /// What a socket option counts in.
    Unit {
        Seconds = "seconds", "s";
        Milliseconds = "milliseconds", "ms";
        Probes = "probes", "probes";
        Flag = "flag", "on or off";
        Duration = "duration", "duration";
    }
}

/// How the gaps between unanswered probes grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalShape {
    /// All the same.
    Constant,
    /// The first gap is the connection's retransmission timeout; each further one is longer.
    BackOffFromRto {
        /// How many times longer.
        factor: u32,
        /// No gap is longer than this, nor than a millisecond less than the idle time.
        cap: Span,
    },
}

impl Value for IntervalShape {
    fn datum(&self) -> Datum {
        match *self {
            IntervalShape::Constant => Datum::Fields("constant", "constant".to_owned(), Vec::new()),
            IntervalShape::BackOffFromRto { factor, cap } => Datum::Fields(
                "back_off_from_rto",
                format!("backs off: from the RTO, each {factor} times the last, up to {}", seconds(cap)),
                vec![("factor", factor.datum()), ("cap", cap.datum())],
            ),
        }
    }
}

/// How late a timer fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// On time.
    Exact,
    /// The wheel of Linux: never early, up to one granule late, on a multiple of the granule of the delay's
    /// level. A delay of `d` jiffies lies on the smallest level `L` with `d < 63 << 3L`; granule `8^L` jiffies.
    TimerWheel {
        /// Jiffies per second, chosen when the kernel is built.
        hz: u32,
    },
    /// Gathered with others, up to `window` late.
    Coalesced {
        /// At most this late.
        window: Span,
    },
    /// Counted in whole ticks.
    Ticks {
        /// How long a tick is.
        tick: Span,
        /// Whether more ticks than the limit must have passed, not as many.
        strict: bool,
    },
    /// Looked at now and then.
    Polled {
        /// How often.
        period: Span,
        /// Whether more than the limit must have passed, not as much.
        strict: bool,
    },
}

impl Value for Rounding {
    fn datum(&self) -> Datum {
        match *self {
            Rounding::Exact => Datum::Fields("exact", "on time".to_owned(), Vec::new()),
            Rounding::TimerWheel { hz } => Datum::Fields(
                "timer_wheel",
                format!("timer wheel, HZ={hz}: never early, up to one granule late"),
                vec![("hz", hz.datum())],
            ),
            Rounding::Coalesced { window } => Datum::Fields(
                "coalesced",
                format!("coalesced: up to {} late", seconds(window)),
                vec![("window", window.datum())],
            ),
            Rounding::Ticks { tick, strict } => Datum::Fields(
                "ticks",
                format!("in ticks of {}, {}", seconds(tick), past(strict)),
                vec![("tick", tick.datum()), ("strict", strict.datum())],
            ),
            Rounding::Polled { period, strict } => Datum::Fields(
                "polled",
                format!("looked at every {}, {}", seconds(period), past(strict)),
                vec![("period", period.datum()), ("strict", strict.datum())],
            ),
        }
    }
}

/// By which rule a stack decides that the peer is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveUp {
    /// The timer fires with `count` or more probes unanswered.
    Counted {
        /// What a user timeout does to it.
        user_timeout: UserTimeout,
    },
    /// The timer fires with idle + count × interval or more past since the last receipt; probes are not
    /// counted.
    Elapsed {
        /// Whether more than that must have passed.
        strict: bool,
    },
    /// The timer fires with more than idle + `threshold` past since the last receipt.
    AbortThreshold {
        /// How long beyond the idle time; zero is for ever.
        threshold: Span,
    },
    /// Only a user timeout, if one is set.
    UserTimeoutOnly,
    /// The application is told after `count` probes; the probes go on.
    ReportsOnly,
    /// Never.
    Never,
}

impl Value for GiveUp {
    fn datum(&self) -> Datum {
        match *self {
            GiveUp::Counted { user_timeout } => Datum::Fields(
                "counted",
                format!("after count unanswered probes; {}", user_timeout.title()),
                vec![("user_timeout", user_timeout.datum())],
            ),
            GiveUp::Elapsed { strict } => Datum::Fields(
                "elapsed",
                format!("idle + count x interval since the last receipt, {}", past(strict)),
                vec![("strict", strict.datum())],
            ),
            GiveUp::AbortThreshold { threshold } => Datum::Fields(
                "abort_threshold",
                format!("more than idle + {} since the last receipt", seconds(threshold)),
                vec![("threshold", threshold.datum())],
            ),
            GiveUp::UserTimeoutOnly => {
                Datum::Fields("user_timeout_only", "by a user timeout only".to_owned(), Vec::new())
            }
            GiveUp::ReportsOnly => Datum::Fields(
                "reports_only",
                "tells the application after count probes, and goes on".to_owned(),
                Vec::new(),
            ),
            GiveUp::Never => Datum::Fields("never", "never".to_owned(), Vec::new()),
        }
    }
}

/// What is sent when a stack gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Nothing.
    Nothing,
    /// A segment with RST and ACK.
    RstAck {
        /// Where its sequence number lies, if known.
        seq: Option<ResetSeq>,
        /// Whether it carries timestamps where they were negotiated, if known.
        timestamps: Option<bool>,
    },
}

impl Value for Reset {
    fn datum(&self) -> Datum {
        match *self {
            Reset::Nothing => Datum::Fields("none", "nothing".to_owned(), Vec::new()),
            Reset::RstAck { seq, timestamps } => {
                let mut text = "RST|ACK".to_owned();
                let mut fields = Vec::new();
                if let Some(seq) = seq {
                    text.push_str(" at ");
                    text.push_str(seq.title());
                    fields.push(("seq", seq.datum()));
                }
                if let Some(timestamps) = timestamps {
                    text.push_str(if timestamps { ", timestamps if negotiated" } else { ", no timestamps" });
                    fields.push(("timestamps", timestamps.datum()));
                }
                Datum::Fields("rst_ack", text, fields)
            }
        }
    }
}

/// How often answers are given at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimit {
    /// As often as asked.
    Unlimited,
    /// Not twice within this time per connection.
    PerSocket {
        /// The time.
        gap: Span,
    },
    /// There is a limit, and nobody looked how large.
    Some,
}

impl Value for RateLimit {
    fn datum(&self) -> Datum {
        match *self {
            RateLimit::Unlimited => Datum::Fields("unlimited", "none".to_owned(), Vec::new()),
            RateLimit::PerSocket { gap } => Datum::Fields(
                "per_socket",
                format!("at most one per {} and connection", seconds(gap)),
                vec![("gap", gap.datum())],
            ),
            RateLimit::Some => {
                Datum::Fields("some", "there is one, its size is unknown".to_owned(), Vec::new())
            }
        }
    }
}

/// Which values an option accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// All from the least to the most, in the unit of the option.
    Range {
        /// The least.
        least: u64,
        /// The most; nothing where only the type of the value limits it.
        most: Option<u64>,
        /// Whether zero, though accepted, stands for the system's default.
        zero_is_default: bool,
    },
    /// Anything: nothing is checked.
    Anything,
    /// As described.
    Within(&'static str),
}

impl Value for Accepts {
    fn datum(&self) -> Datum {
        match *self {
            Accepts::Range { least, most, zero_is_default } => {
                let zero = if zero_is_default { ", 0 is the system's default" } else { "" };
                let text = match most {
                    Some(most) => format!("{least} to {most}{zero}"),
                    None => format!("{least} or more{zero}"),
                };
                let mut fields = vec![("least", Datum::Number(least))];
                fields.extend(most.map(|most| ("most", Datum::Number(most))));
                fields.push(("zero_is_default", Datum::Flag(zero_is_default)));
                Datum::Fields("range", text, fields)
            }
            Accepts::Anything => {
                Datum::Fields("anything", "anything, nothing is checked".to_owned(), Vec::new())
            }
            Accepts::Within(text) => {
                Datum::Fields("described", text.to_owned(), vec![("description", Datum::Text(text))])
            }
        }
    }
}

fn past(strict: bool) -> &'static str {
    if strict { "past the limit" } else { "at the limit" }
}

/// Seconds for people: as few digits as are exact.
pub fn seconds(span: Span) -> String {
    let text = span.to_string();
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}
