//! What a search came to: the bracket, how sure it is, what happens at expiry, and what may mislead.

use super::message::NotOpened;
use super::plan::minus;
use super::trial::Trial;
use super::wanted::{Form, Way};
use crate::time::Span;

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Silences up to [`Finding::longest_alive`] are survived, from [`Finding::shortest_dead`] on they are not.
    Found,
    /// The longest silence asked for was survived, and the probes were such that they would have shown otherwise.
    NoneBelowMax,
    /// Everything was answered, but by probes that make a forgotten connection anew.
    CannotKnow,
    /// The far end breaks every silence after this time, so that no longer one can be tried.
    KeptOpenByPeer {
        /// How long the silences are that it allows.
        period: Span,
    },
    /// The far end, or somebody who ends connections in its name, closes what is silent this long.
    EndedByPeer {
        /// After how much silence.
        after: Span,
    },
    /// None of these.
    Inconclusive(Why),
}

impl Verdict {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Found => "found",
            Verdict::NoneBelowMax => "none_below_max",
            Verdict::CannotKnow => "cannot_know",
            Verdict::KeptOpenByPeer { .. } => "kept_open_by_peer",
            Verdict::EndedByPeer { .. } => "ended_by_peer",
            Verdict::Inconclusive(_) => "inconclusive",
        }
    }
}

/// Why a search came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is not over.
    Unfinished,
    /// It was interrupted before anything was certain.
    Interrupted,
    /// An interface of this end went away, and silence told nothing any more.
    InterfaceLost,
    /// Its time was up.
    Budget,
    /// No connection could be opened.
    CannotOpen(NotOpened),
    /// All connections are gone, and no more may be opened.
    OutOfConnections,
    /// Connections end at the same moment whatever their age: the far end went away.
    EndedAtOnce,
    /// Only one connection died, and others lived longer.
    LoneDeath,
    /// What was seen is too little to be certain, and nothing is left to be tried that would tell more.
    NothingDue,
    /// Silences could not be kept, or probes not be sent.
    NothingTried,
    /// After the deaths nothing was answered any more, not even what had hardly been silent.
    NoSignOfLife,
}

impl Why {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Why::Unfinished => "unfinished",
            Why::Interrupted => "interrupted",
            Why::InterfaceLost => "interface_lost",
            Why::Budget => "budget",
            Why::CannotOpen(_) => "cannot_open",
            Why::OutOfConnections => "out_of_connections",
            Why::EndedAtOnce => "ended_at_once",
            Why::LoneDeath => "lone_death",
            Why::NothingDue => "nothing_due",
            Why::NothingTried => "nothing_tried",
            Why::NoSignOfLife => "no_sign_of_life",
        }
    }

    /// What it means, for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Why::Unfinished => "the search is not over",
            Why::Interrupted => "interrupted before anything was certain",
            Why::InterfaceLost => {
                "an interface of this end went away before anything was certain: silence tells nothing then"
            }
            Why::Budget => "the time for the search was up",
            Why::CannotOpen(_) => "no connection could be opened",
            Why::OutOfConnections => "all connections are gone and no more may be opened",
            Why::EndedAtOnce => "all connections ended at the same moment whatever their age",
            Why::LoneDeath => "a single connection died, and others lived through longer silences",
            Why::NothingDue => {
                "what was seen is too little to be certain, and nothing was left to try that would tell more"
            }
            Why::NothingTried => "no silence could be kept or no probe could be sent",
            Why::NoSignOfLife => {
                "not even what had hardly been silent was answered any more: the far end is gone, or answers no such probes"
            }
        }
    }
}

/// What happens to a connection that was silent for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtExpiry {
    /// Nothing, and its packets go nowhere.
    Silent,
    /// RST.
    Reset,
    /// FIN.
    Fin,
    /// An ICMP error to the next packet.
    Icmp,
    /// Its next packet leaves from another port.
    NewPort,
    /// Nothing died.
    Unknown,
}

impl AtExpiry {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            AtExpiry::Silent => "silent",
            AtExpiry::Reset => "reset",
            AtExpiry::Fin => "fin",
            AtExpiry::Icmp => "icmp",
            AtExpiry::NewPort => "new_port",
            AtExpiry::Unknown => "unknown",
        }
    }
}

/// Who ends connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// A box on the way.
    Path,
    /// The far end.
    Peer,
    /// It does not show.
    Unknown,
}

impl By {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            By::Path => "path",
            By::Peer => "peer",
            By::Unknown => "unknown",
        }
    }
}

/// What kind of box it is likely to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Follows connections packet by packet: keepalive probes count for it.
    Tracker,
    /// Ends connections and makes others: keepalive probes do not count for it.
    Proxy,
    /// It does not show.
    Unknown,
}

impl Owner {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Owner::Tracker => "tracker",
            Owner::Proxy => "proxy",
            Owner::Unknown => "unknown",
        }
    }
}

/// What may mislead whoever reads the result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Confounder {
    /// Tries went unanswered on connections that lived.
    Loss {
        /// Tries without an answer.
        lost: u32,
        /// All tries of connections that lived.
        tries: u32,
    },
    /// Some died of a silence that is shorter than one that others survived: no single number. Either the box
    /// looks only every so often (then the timeout is at most `dead_from`, and with its interval at least
    /// `alive_to`), or its timers depend on its load, or connections take different ways.
    Range {
        /// The shortest silence that killed.
        dead_from: Span,
        /// The longest that was survived.
        alive_to: Span,
    },
    /// So many of the connections died of silences that the others survived, at whatever length: paths or boxes
    /// that differ by port.
    Groups {
        /// How many died in the range.
        died: u32,
        /// How many lived.
        lived: u32,
    },
    /// Those died that were silent when many others were opened, and those opened later lived longer: the box has
    /// room for about so many connections and forgot the oldest for the newest.
    Evicted {
        /// As many later connections made it forget an old one.
        opened: u32,
    },
    /// A packet of the far end broke silences.
    PeerSpeaks {
        /// After how much silence.
        period: Span,
        /// How often.
        times: u32,
    },
    /// A packet of our own kernel broke silences.
    OwnKernel {
        /// How often.
        times: u32,
    },
    /// The far end or a proxy ended connections that nobody had asked for anything.
    Unasked {
        /// After how much silence, at least.
        from: Span,
        /// At most.
        to: Span,
        /// How many.
        times: u32,
    },
    /// Connections ended after this time from their beginning, however silent they were.
    Lifetime {
        /// Since they were opened.
        after: Span,
    },
    /// Near 300 s: Linux conntrack shortens its timer to that where data was left unacknowledged or identical
    /// segments were repeated, whatever is set.
    NearThreeHundred,
    /// The machine slept or its clock was set; what was under way is void.
    ClockGap {
        /// All of it.
        gap: Span,
    },
    /// Only probes from inside, which make a forgotten connection anew in many boxes.
    OutboundOnly,
    /// The bracket is wider than was asked for.
    Wide,
    /// Connections could not be opened.
    NotOpened {
        /// Why, the first time.
        why: NotOpened,
        /// How many.
        times: u32,
    },
}

impl Confounder {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Confounder::Loss { .. } => "loss",
            Confounder::Range { .. } => "range",
            Confounder::Groups { .. } => "groups",
            Confounder::Evicted { .. } => "evicted",
            Confounder::PeerSpeaks { .. } => "peer_speaks",
            Confounder::OwnKernel { .. } => "own_kernel",
            Confounder::Unasked { .. } => "unasked",
            Confounder::Lifetime { .. } => "lifetime",
            Confounder::NearThreeHundred => "near_300s",
            Confounder::ClockGap { .. } => "clock_gap",
            Confounder::OutboundOnly => "outbound_only",
            Confounder::Wide => "wide",
            Confounder::NotOpened { .. } => "not_opened",
        }
    }

    /// What it means, for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Confounder::Loss { .. } => "packets were lost: unanswered tries were repeated",
            Confounder::Range { .. } => {
                "no single number: some connections died of less silence than others survived"
            }
            Confounder::Groups { .. } => "part of the connections live longer: ways or boxes differ by port",
            Confounder::Evicted { .. } => {
                "old connections died when others were opened: a table that is full, not a timer"
            }
            Confounder::PeerSpeaks { .. } => "the far end breaks the silence by itself",
            Confounder::OwnKernel { .. } => "the kernel of this host broke the silence",
            Confounder::Unasked { .. } => "connections were ended without being asked for anything",
            Confounder::Lifetime { .. } => "connections end at an age of their own, silent or not",
            Confounder::NearThreeHundred => {
                "near 300 s, to which Linux conntrack shortens timers of connections with unacknowledged packets"
            }
            Confounder::ClockGap { .. } => "the machine slept or its clock was set",
            Confounder::OutboundOnly => "an outbound packet makes a forgotten connection anew in many boxes",
            Confounder::Wide => "the bracket is wider than was asked for",
            Confounder::NotOpened { .. } => "some connections could not be opened",
        }
    }
}

/// How sure a bracket is, in numbers that say what they mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence {
    /// Connections that died of [`Finding::shortest_dead`] or more.
    pub died: u32,
    /// Connections that lived through at least nine tenths of [`Finding::longest_alive`].
    pub lived: u32,
    /// Connections that did otherwise: died of what others survived.
    pub otherwise: u32,
    /// With 95 % confidence, at most this share of connections behaves otherwise: 1-0.05^(1/n) for n connections
    /// without a contradiction (about 3/n); with contradictions the Clopper-Pearson bound is approximated by
    /// (k+3)/n. 1 if nothing was tried.
    pub otherwise_at_most: f64,
    /// The share of tries that were lost, seen at connections that lived.
    pub loss: f64,
    /// How likely the two deaths that the bracket stands on were all loss: (loss + 1/tries) to the power of the
    /// tries of both. 0 where they were told by a packet.
    pub false_death: f64,
}

impl Confidence {
    /// `high` where two connections agree, at most one in five may behave otherwise, none did, and loss explains
    /// the deaths in less than one of a thousand cases; `fair` without those numbers; `low` where connections
    /// disagree or only one died.
    pub fn name(&self) -> &'static str {
        let enough = self.died >= 2 || (self.died == 0 && self.lived >= 2);
        match () {
            () if !enough || self.otherwise > 0 => "low",
            () if self.otherwise_at_most <= 0.2 && self.false_death < 1e-3 => "high",
            () => "fair",
        }
    }
}

/// A rule that was applied, with what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// In words.
    pub rule: String,
    /// The trials, as places in [`Finding::trials`].
    pub trials: Vec<usize>,
}

/// What a search came to, so far or at its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// In one word.
    pub verdict: Verdict,
    /// Who ended the silences.
    pub way: Way,
    /// By what.
    pub form: Form,
    /// Whether there was a partner.
    pub partner: bool,
    /// The longest silence that a connection survived.
    pub longest_alive: Option<Span>,
    /// The shortest that killed, by two connections. Less than [`Finding::longest_alive`] if it is no single
    /// number ([`Confounder::Range`]).
    pub shortest_dead: Option<Span>,
    /// The silence at a box may differ by this from what was measured: the slowest round trip.
    pub blur: Span,
    /// How sure that is.
    pub confidence: Confidence,
    /// What happens then.
    pub at_expiry: AtExpiry,
    /// Who does it.
    pub by: By,
    /// What it likely is.
    pub owner: Owner,
    /// Why all this.
    pub evidence: Vec<Evidence>,
    /// What may mislead.
    pub caveats: Vec<Confounder>,
    /// Products whose value by default fits, with that value.
    pub products: Vec<(&'static str, Span)>,
    /// All trials.
    pub trials: Vec<Trial>,
}

impl Finding {
    /// Where the timeout lies, with what the way of the packets adds; or the range, if it is no single number.
    pub fn interval(&self) -> Option<(Span, Span)> {
        let dead = self.shortest_dead?;
        let alive = self.longest_alive.unwrap_or(Span::ZERO);
        let (low, high) = if alive <= dead { (alive, dead) } else { (dead, alive) };
        Some((minus(low, self.blur), high.plus(self.blur)))
    }

    /// Whether it is no single number.
    pub fn is_range(&self) -> bool {
        self.caveats.iter().any(|caveat| matches!(caveat, Confounder::Range { .. }))
    }
}
