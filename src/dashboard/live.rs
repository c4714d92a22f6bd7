//! Live: a source that goes on, what is known of its connections beside their packets, and what can be asked of it.
//!
//! Owns [`Live`], the [`News`] that change it, and [`Ask`]. Pure: the thread that has the wire stands in `driver`,
//! and only in builds that have one.

#[cfg(feature = "live")]
pub mod driver;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::store::feed::Batch;
use super::theme::Role;
use crate::keepalive::Settings;
use crate::segment::Endpoint;
use crate::time::{Span, Timestamp, duration};
use crate::track::event::{ConnectionId, Opened};

/// Notes that are kept.
const MOST_NOTES: usize = 500;

/// Which data probes carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Octets {
    /// None.
    Zero,
    /// One octet.
    One,
    /// None and one in turn.
    Both,
}

impl Octets {
    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Octets::Zero => "0",
            Octets::One => "1",
            Octets::Both => "both",
        }
    }
}

/// How a connection is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// When, and how often in vain.
    pub settings: Settings,
    /// With what.
    pub octets: Octets,
}

impl Default for Manner {
    /// As `keepscope probe` does by default.
    fn default() -> Self {
        let second = Span::from_secs(1);
        let settings = Settings { idle: second, interval: second, count: 3, user_timeout: None };
        Self { settings, octets: Octets::Zero }
    }
}

impl std::fmt::Display for Manner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Settings { idle, interval, count, .. } = self.settings;
        let (idle, interval) = (duration::format(idle), duration::format(interval));
        write!(f, "idle={idle} interval={interval} count={count} octets={}", self.octets.name())
    }
}

impl Manner {
    /// Changes what `words` name, such as `idle=30s count=5`; what is not named stays.
    ///
    /// # Errors
    /// If a word is not understood, with what to write instead.
    pub fn changed<'a>(mut self, words: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        for word in words {
            let (name, value) =
                word.split_once('=').ok_or_else(|| format!("{word}: write idle=30s, count=5 or octets=1"))?;
            let span = || match duration::parse(value) {
                Ok(span) if span > Span::ZERO => Ok(span),
                Ok(_) => Err(format!("{name}: a time of nothing makes no sense here")),
                Err(problem) => Err(format!("{name}: {problem}")),
            };
            match name {
                "idle" => self.settings.idle = span()?,
                "interval" | "intvl" => self.settings.interval = span()?,
                "count" | "cnt" => {
                    let count = value.parse().ok().filter(|count| (1..=1000).contains(count));
                    self.settings.count = count.ok_or("count: a number from 1 to 1000")?;
                }
                "octets" => {
                    let all = [Octets::Zero, Octets::One, Octets::Both];
                    let found = all.into_iter().find(|octets| octets.name() == value);
                    self.octets = found.ok_or("octets: 0, 1 or both")?;
                }
                _ => return Err(format!("{name}: idle, interval, count and octets can be set")),
            }
        }
        if self.octets == Octets::Both && self.settings.count < 2 {
            return Err("octets=both needs a count of 2 at least, so that either kind is tried".to_owned());
        }
        Ok(self)
    }
}

/// Where a connection that we hold is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits for its turn.
    Waiting,
    /// A SYN is out.
    Opening,
    /// It is open and probed.
    Open,
    /// As many probes as were to be sent had no answer.
    Silent,
    /// A RST answered the SYN.
    Refused,
    /// There is no way to the peer.
    Unreachable,
    /// Nothing answered the SYN.
    NoAnswer,
    /// A RST ended it.
    Reset,
    /// The peer closed it.
    ClosedByPeer,
    /// The system could not open it.
    Failed,
    /// We are closing it.
    Closing,
    /// We closed it.
    Closed,
}

impl Stage {
    /// A word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Stage::Waiting => "waiting",
            Stage::Opening => "opening",
            Stage::Open => "open",
            Stage::Silent => "given up",
            Stage::Refused => "refused",
            Stage::Unreachable => "unreachable",
            Stage::NoAnswer => "no answer",
            Stage::Reset => "reset",
            Stage::ClosedByPeer => "peer closed",
            Stage::Failed => "failed",
            Stage::Closing => "closing",
            Stage::Closed => "closed",
        }
    }

    /// What the connection came to, where the packets alone say less than we know.
    pub const fn verdict(self) -> Option<(&'static str, &'static str, Role)> {
        Some(match self {
            Stage::Silent | Stage::NoAnswer => ("X", "SILENT", Role::Bad),
            Stage::Refused => ("X", "REFUSED", Role::Bad),
            Stage::Unreachable => ("X", "UNREACHABLE", Role::Bad),
            Stage::Failed => ("X", "NOT OPENED", Role::Bad),
            Stage::ClosedByPeer => ("-", "PEER CLOSED", Role::Text),
            Stage::Waiting | Stage::Opening | Stage::Open | Stage::Reset | Stage::Closing | Stage::Closed => {
                return None;
            }
        })
    }

    /// What was seen, where no packet of an open connection shows it.
    pub const fn reason(self) -> Option<&'static str> {
        Some(match self {
            Stage::NoAnswer => "nothing answered the SYN",
            Stage::Refused => "a RST answered the SYN",
            Stage::Unreachable => "the system says that the host or its network cannot be reached",
            Stage::Failed => "the system could not open it",
            _ => return None,
        })
    }

    /// What would change that, of a new connection.
    pub const fn would_change(self) -> Option<&'static str> {
        Some(match self {
            Stage::Silent => "an answer on a new connection: then only this one was forgotten",
            Stage::NoAnswer => "a SYN,ACK: is the host up, and does everything on the way let it through?",
            Stage::Refused => "something that listens on this port",
            Stage::Unreachable | Stage::Failed => "a way to the peer",
            Stage::ClosedByPeer => "nothing later; the peer ended it in order",
            _ => return None,
        })
    }

    /// Whether something is still done with it.
    pub const fn goes_on(self) -> bool {
        matches!(self, Stage::Waiting | Stage::Opening | Stage::Open | Stage::Closing)
    }
}

/// A connection that we hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whereto.
    pub peer: SocketAddr,
    /// Our end and the peer's, once a SYN left.
    pub ends: Option<(Endpoint, Endpoint)>,
    /// How it is probed now.
    pub manner: Manner,
    /// Where it is in its life.
    pub stage: Stage,
    /// Probes that wait for an answer.
    pub unanswered: u32,
    /// When the next probe leaves, or after the last one, when it is given up.
    pub next: Option<Timestamp>,
    /// When it is given up if nothing is answered from now on.
    pub gives_up: Option<Timestamp>,
}

/// Something to say that is no event of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub time: Timestamp,
    /// What.
    pub words: String,
}

/// A recording that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The file.
    pub path: PathBuf,
    /// Packets in it.
    pub packets: u64,
}

/// What a source says of itself beside its packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The connections that we hold, in the order in which they were asked for.
    pub links: Vec<Link>,
    /// All packets of the interfaces are watched, and which, in words.
    pub watching: Option<String>,
    /// Probes leave by hand only.
    pub held: bool,
    /// Packets are recorded.
    pub recording: Option<Recorded>,
    /// Packets that the system had to drop.
    pub dropped: u64,
    /// There is no more, and why, if that was not asked for.
    pub over: Option<Option<String>>,
}

/// What happened since the last news.
#[derive(Debug)]
pub struct News {
    /// When this was told.
    pub now: Timestamp,
    /// What was read.
    pub batch: Batch,
    /// How everything stands.
    pub facts: Facts,
    /// What else there is to say.
    pub notes: Vec<Note>,
}

/// What is asked of a live source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Probe a peer.
    Probe {
        /// HOST:PORT, as typed.
        target: String,
        /// How.
        manner: Manner,
    },
    /// See all packets of the interfaces.
    Watch,
    /// Probe a connection otherwise from now on.
    Change {
        /// Which, counted from 0.
        link: usize,
        /// How.
        manner: Manner,
    },
    /// Send a probe at once.
    ProbeNow(usize),
    /// Hold probes back, or no longer.
    Hold(bool),
    /// Close a connection in order.
    Close(usize),
    /// Record packets to a new file.
    Record(PathBuf),
    /// End the recording.
    StopRecording,
}

/// What is known of a live source.
#[derive(Debug, Default)]
pub struct Live {
    /// What it said last.
    pub facts: Facts,
    /// What else was said, each with how many events had been told before.
    pub notes: Vec<(usize, Note)>,
    /// Which of our connections stands behind a connection of the store.
    owners: HashMap<ConnectionId, usize>,
    /// The latest connection with these ends.
    by_ends: HashMap<(Endpoint, Endpoint), ConnectionId>,
    /// By how much its time is before the clock outside.
    offset: Option<i64>,
    /// From when on something that is shown is different, without any news.
    pub changes_at: Option<Timestamp>,
    /// The settings of others' probers, and from how many probes they were drawn.
    pub drawn: HashMap<ConnectionId, (u32, Option<String>)>,
}

impl Live {
    /// Takes news but for the batch; `begun` connections and `events` events were told before it.
    pub fn take(&mut self, news: &mut News, tick: Span, begun: usize, events: usize) {
        let offset = news.now.as_nanos().saturating_sub(tick.as_nanos());
        // What came late says less; the clock outside stands still while the machine is suspended.
        self.offset = Some(self.offset.map_or(offset, |known| known.max(offset)));
        for (opened, number) in news.batch.born.iter().zip(begun as u64 + 1..) {
            self.by_ends.insert(ends_of(opened), ConnectionId(number));
        }
        self.facts = std::mem::take(&mut news.facts);
        for (index, link) in self.facts.links.iter().enumerate() {
            if let Some(id) = link.ends.and_then(|ends| self.by_ends.get(&ends)) {
                self.owners.insert(*id, index);
            }
        }
        self.notes.extend(news.notes.drain(..).map(|note| (events, note)));
        let too_many = self.notes.len().saturating_sub(MOST_NOTES);
        self.notes.drain(..too_many);
    }

    /// The time of the source when the clock outside stands at `tick`.
    pub fn now(&self, tick: Span) -> Option<Timestamp> {
        self.offset.map(|offset| Timestamp::from_nanos(offset.saturating_add(tick.as_nanos())))
    }

    /// Which of our connections this is.
    pub fn owner(&self, id: ConnectionId) -> Option<usize> {
        self.owners.get(&id).copied()
    }

    /// The same, with how it stands.
    pub fn link(&self, id: ConnectionId) -> Option<&Link> {
        self.facts.links.get(self.owner(id)?)
    }

    /// Whether leaving would end something.
    pub fn goes_on(&self) -> bool {
        let holds = self.facts.links.iter().any(|link| link.stage.goes_on());
        self.facts.over.is_none()
            && (holds || self.facts.watching.is_some() || self.facts.recording.is_some())
    }
}

fn ends_of(opened: &Opened) -> (Endpoint, Endpoint) {
    (opened.client, opened.server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_they_are_written() {
        let changed = |words: &str| Manner::default().changed(words.split_whitespace());
        let manner = changed("idle=350s count=5 octets=both").unwrap();
        assert_eq!(manner.to_string(), "idle=350s interval=1s count=5 octets=both");
        assert_eq!(changed(&manner.to_string()).unwrap(), manner);
        for (words, complaint) in [
            ("idle=5", "say the unit"),
            ("idle=0s", "nothing"),
            ("count=0", "1 to 1000"),
            ("octets=2", "0, 1 or both"),
            ("octets=both count=1", "either kind"),
            ("ttl=3", "can be set"),
            ("30s", "idle=30s"),
        ] {
            let problem = changed(words).unwrap_err();
            assert!(problem.contains(complaint), "{words}: {problem}");
        }
    }
}
