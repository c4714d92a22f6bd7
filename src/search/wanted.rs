//! The question: which silence, in which direction, between which bounds, how exactly, with how many connections.

use super::Trial;
use crate::time::Span;

/// Who sends the packet that ends a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// We do: through a NAT, from the inside.
    Out,
    /// The far end does.
    In,
}

impl Way {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Way::Out => "out",
            Way::In => "in",
        }
    }
}

/// What a probe is; for the wording of a result only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A keepalive probe: no octets, at SND.NXT-1.
    Keepalive,
    /// An octet of data.
    Data,
}

impl Form {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Form::Keepalive => "keepalive",
            Form::Data => "data",
        }
    }
}

/// How much of the range is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All of it, down to the precision that was asked for.
    Full,
    /// Only around the values that products come with, and no longer than [`QUICK_LIMIT`].
    Quick,
    /// Whether this silence is survived: by ten connections, and ten a little below and above it.
    Confirm(Span),
}

/// The longest silence of [`Mode::Quick`], with what lies around it.
pub const QUICK_LIMIT: Span = Span::from_secs(900);

/// How narrow the bracket is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Precision {
    /// Half of its width as a share of the timeout, such as 0.01.
    pub share: f64,
    /// Half of its width need not be less than this.
    pub least: Span,
}

impl Default for Precision {
    fn default() -> Self {
        Self { share: 0.01, least: Span::from_secs(1) }
    }
}

impl Precision {
    /// How wide a bracket may be that begins at this silence.
    pub fn width(self, from: Span) -> Span {
        let share = (from.as_nanos() as f64 * 2.0 * self.share) as i64;
        Span::from_nanos(share.max(self.least.times(2).as_nanos()))
    }
}

/// A question to the path.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Who ends the silences.
    pub way: Way,
    /// By what.
    pub form: Form,
    /// Whether the far end is a partner of ours, which sends nothing and closes nothing by itself.
    pub partner: bool,
    /// The shortest silence that is tried.
    pub min: Span,
    /// The longest.
    pub max: Span,
    /// How narrow the bracket is to be.
    pub precision: Precision,
    /// Connections at once, [`SENTINELS`] more not counted.
    pub connections: u16,
    /// How much of the range is searched.
    pub mode: Mode,
    /// New connections in a second, at most.
    pub opens_per_second: u16,
    /// The search ends after this time with what it knows.
    pub budget: Option<Span>,
    /// Trials of an interrupted search of the same question that still count.
    pub known: Vec<Trial>,
}

/// Connections that are never probed, to see what comes without being asked for.
pub const SENTINELS: u16 = 2;

/// The shortest silence that can be asked for: three tries take as long.
pub const SHORTEST: Span = Span::from_secs(3);

/// The longest: more than any product's five days.
pub const LONGEST: Span = Span::from_secs(10 * 86_400);

/// The most connections at once.
pub const MOST_CONNECTIONS: u16 = 1024;

impl Wanted {
    /// From 10 s to 2 h 4 min (RFC 5382 REQ-5) within 1 %, by 64 connections to a partner and 8 to anybody else.
    pub fn new(way: Way, partner: bool) -> Self {
        Self {
            way,
            form: if partner { Form::Data } else { Form::Keepalive },
            partner,
            min: Span::from_secs(10),
            max: Span::from_secs(7440),
            precision: Precision::default(),
            connections: if partner { 64 } else { 8 },
            mode: Mode::Full,
            opens_per_second: 10,
            budget: if partner { None } else { Some(Span::from_secs(900)) },
            known: Vec::new(),
        }
    }

    /// Whether the question can be answered at all.
    ///
    /// # Errors
    /// If a bound is out of its range; says which.
    pub fn check(&self) -> Result<(), WantedError> {
        let longest = match self.mode {
            Mode::Confirm(idle) => {
                if idle < SHORTEST || idle > LONGEST {
                    return Err(WantedError::Confirm(idle));
                }
                return self.check_means();
            }
            Mode::Full | Mode::Quick => self.max,
        };
        if self.min < SHORTEST {
            return Err(WantedError::Min(self.min));
        }
        if longest > LONGEST {
            return Err(WantedError::Max(self.max));
        }
        if self.min >= longest {
            return Err(WantedError::Order { min: self.min, max: self.max });
        }
        self.check_means()
    }

    fn check_means(&self) -> Result<(), WantedError> {
        if !(0.000_1..=0.5).contains(&self.precision.share) || self.precision.least <= Span::ZERO {
            return Err(WantedError::Precision);
        }
        if !(1..=MOST_CONNECTIONS).contains(&self.connections) {
            return Err(WantedError::Connections(self.connections));
        }
        if self.opens_per_second == 0 {
            return Err(WantedError::Pace);
        }
        if self.way == Way::In && !self.partner {
            return Err(WantedError::NobodyAsks);
        }
        Ok(())
    }
}

/// A question that cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// The lower bound.
    #[error("the shortest silence is {0} s, but three tries alone take 3 s")]
    Min(Span),
    /// The upper bound.
    #[error("the longest silence is {0} s, more than ten days")]
    Max(Span),
    /// Both.
    #[error("the shortest silence ({min} s) is not below the longest ({max} s)")]
    Order {
        /// The lower bound.
        min: Span,
        /// The upper bound.
        max: Span,
    },
    /// The silence to confirm.
    #[error("a silence of {0} s cannot be confirmed: from 3 s to ten days")]
    Confirm(Span),
    /// The precision.
    #[error("the precision is not between 0.01 % and 50 %")]
    Precision,
    /// The number of connections.
    #[error("{0} connections: from 1 to 1024")]
    Connections(u16),
    /// The pace.
    #[error("no connection may be opened: at least one in a second")]
    Pace,
    /// Probes from the far end without anybody there who sends them.
    #[error("only a partner can send towards us when it is asked to")]
    NobodyAsks,
}
