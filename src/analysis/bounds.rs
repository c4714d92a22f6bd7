//! What captures show of idle timeouts on paths: which silences connections survived, and which they did not.
//!
//! Owns [`Bounds`], which takes segments and events as the pipeline gives them and keeps, for each pair of a client's
//! address and a server's end, what bounds the timeout from below (a silence that an exchange followed) and from
//! above (one that was followed by a RST, by tries that nobody answered, or by few tries and a new connection).
//! Memory: a record for each open connection, and buckets of 1 % for each path, whatever the length of the input; of
//! many paths those of which most can be said ([`MOST_KEPT`]).
//! Uses [`crate::track`], [`crate::segment`], [`crate::frame`] and [`crate::time`].
//!
//! A silence is the time between two packets of a connection at the point of capture, either way, while both
//! directions were open and nothing waited for its acknowledgment. At a box it may have been shorter or longer by a
//! round trip.

mod flow;
mod path;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

pub use self::path::{Bracket, Closings, Keepalives, Kept, Path, PathKey, Way};

use self::flow::{Change, Flow};
use crate::frame::{Frame, FrameId};
use crate::segment::Segment;
use crate::time::{Span, Timestamp};
use crate::track::event::{ConnectionId, Event, Mark, Party};
use crate::track::{Class, Observed};

/// Tries without an answer from which on a connection counts as dead: the loss of three in a row is rare.
pub const ENOUGH_TRIES: u32 = 3;

/// Most paths and lengths of silences that are kept, together. Each takes less than 1 KiB, so 0.25 GB.
pub const MOST_KEPT: usize = 250_000;

/// Time between two captures from which on what was silent in between is not known.
const HOLE: Span = Span::from_secs(1);

/// What ended a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opener {
    /// A keepalive probe.
    Keepalive,
    /// Data.
    Data,
    /// A FIN.
    Fin,
    /// A RST.
    Reset,
}

impl Opener {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Opener::Keepalive => "keepalive",
            Opener::Data => "data",
            Opener::Fin => "fin",
            Opener::Reset => "reset",
        }
    }
}

/// What came after a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The other end answered.
    Survived,
    /// A RST came back.
    Reset,
    /// A RST ended the silence itself; nobody had sent anything.
    Unasked,
    /// An ICMP error came back, and nothing else.
    Icmp,
    /// [`ENOUGH_TRIES`] or more, and no answer; or fewer, and then a RST by which the sender gave up.
    Unanswered,
    /// Fewer tries, no answer, and then the client opened another connection to the same end.
    NewConnection,
}

impl Fate {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Fate::Survived => "survived",
            Fate::Reset => "reset",
            Fate::Unasked => "unasked_reset",
            Fate::Icmp => "icmp",
            Fate::Unanswered => "unanswered",
            Fate::NewConnection => "new_connection",
        }
    }
}

/// Why a silence proves less than it seems to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// The client's packet may have made a path remember what it had forgotten.
    MayRecreate,
    /// The SYN was not captured: who is the client is a guess by the ports.
    Midstream,
    /// The other end sent in the meantime what was no answer: its packets pass, and may have been what was passed on.
    Crossed,
    /// The RST may be the application's: nobody asked for it.
    NotAsked,
    /// There were few tries.
    FewTries,
    /// No other connection of this path died so.
    Single,
}

impl Doubt {
    /// All of them.
    pub const ALL: [Doubt; 6] = [
        Doubt::MayRecreate,
        Doubt::Midstream,
        Doubt::Crossed,
        Doubt::NotAsked,
        Doubt::FewTries,
        Doubt::Single,
    ];

    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Doubt::MayRecreate => "may_recreate",
            Doubt::Midstream => "midstream",
            Doubt::Crossed => "crossed",
            Doubt::NotAsked => "not_asked",
            Doubt::FewTries => "few_tries",
            Doubt::Single => "single",
        }
    }

    /// The same for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Doubt::MayRecreate => "a packet of the client may make the path remember what it had forgotten",
            Doubt::Midstream => "the start was not captured, so who is the client is a guess",
            Doubt::Crossed => "the other end sent something of its own in between",
            Doubt::NotAsked => "nobody asked for the RST, so it may be the application's",
            Doubt::FewTries => "there were few tries",
            Doubt::Single => "it happened once",
        }
    }
}

/// A set of [`Doubt`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doubts(u8);

impl Doubts {
    /// Adds one.
    pub fn add(&mut self, doubt: Doubt) {
        self.0 |= 1 << doubt as u8;
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in it.
    pub fn iter(self) -> impl Iterator<Item = Doubt> {
        Doubt::ALL.into_iter().filter(move |doubt| self.0 & (1 << *doubt as u8) != 0)
    }
}

/// A silence and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The connection.
    pub connection: ConnectionId,
    /// Who sent the packet that ended it; of a RST, whose address it bears.
    pub by: Party,
    /// How long it was.
    pub idle: Span,
    /// The last packet before it.
    pub before: Mark,
    /// The packet that ended it.
    pub opener: Mark,
    /// What that was.
    pub form: Opener,
    /// How often that was sent until an answer came, or in vain.
    pub tries: u32,
    /// What came of it.
    pub fate: Fate,
    /// The answer, the RST, the SYN, or the last try.
    pub end: Mark,
    /// Why it proves less than it seems to.
    pub doubts: Doubts,
}

/// Gathers silences.
#[derive(Debug)]
pub struct Bounds {
    least: Span,
    flows: HashMap<ConnectionId, Box<Flow>>,
    /// Clients that wait for an answer, for the SYN by which they give up.
    waiting: HashMap<PathKey, BTreeSet<ConnectionId>>,
    paths: BTreeMap<PathKey, Path>,
    most_kept: usize,
    /// How many paths, and lengths of silences, there are.
    kept: usize,
    /// Paths that were let go.
    let_go: u64,
    captures: Captured,
    judged: VecDeque<Silence>,
}

impl Bounds {
    /// Gathers silences of `least` and longer.
    pub fn new(least: Span) -> Self {
        Self {
            least: least.max(Span::from_nanos(1)),
            flows: HashMap::new(),
            waiting: HashMap::new(),
            paths: BTreeMap::new(),
            most_kept: MOST_KEPT,
            kept: 0,
            let_go: 0,
            captures: Captured::default(),
            judged: VecDeque::new(),
        }
    }

    /// Keeps no more than so many paths and lengths of silences together, in place of [`MOST_KEPT`].
    pub fn keep_at_most(&mut self, most: usize) {
        self.most_kept = most.max(1);
    }

    /// How many paths were let go because there were too many: those of which least could be said.
    pub fn let_go(&self) -> u64 {
        self.let_go
    }

    /// Learns when a frame was captured. To be called for every frame, before its segment.
    #[inline]
    pub fn on_frame(&mut self, frame: &Frame<'_>) {
        self.captures.learn(frame.id, frame.time);
    }

    /// Reads a segment, with what the tracker says of it.
    pub fn on_segment(&mut self, segment: &Segment, observed: &Observed) {
        if observed.class == Class::Copy {
            return;
        }
        let id = observed.connection;
        if segment.flags.syn() && !segment.flags.ack() {
            self.on_syn(segment);
        }
        let flow = self.flows.entry(id).or_insert_with(|| {
            let flow = Flow::new(segment, observed);
            let path = self.paths.entry(flow.key).or_insert_with(|| {
                self.kept += 1;
                Path::new(flow.key)
            });
            path.on_connection(flow.midstream);
            Box::new(flow)
        });
        let key = flow.key;
        let waited = flow.waits_for_server();
        let captures = &self.captures;
        let change =
            flow.on_segment(segment, observed, self.least, |before, after| captures.hole(before, after));
        let waits = flow.waits_for_server();
        if waited && !waits {
            self.no_longer_waits(key, id);
        } else if waits && !waited {
            self.waiting.entry(key).or_default().insert(id);
        }
        self.take(key, change);
    }

    /// Reads an event.
    pub fn on_event(&mut self, event: &Event) {
        use crate::track::event::{AnswerKind, EventKind};
        let id = event.connection;
        match &event.kind {
            EventKind::Final(_) => {
                let Some(flow) = self.flows.remove(&id) else { return };
                self.no_longer_waits(flow.key, id);
                let key = flow.key;
                self.take(key, flow.finish(self.least));
            }
            EventKind::ResetIgnored { .. } => {
                if let Some(flow) = self.flows.get_mut(&id) {
                    flow.reset_ignored();
                }
            }
            EventKind::Answer(answer) if matches!(answer.kind, AnswerKind::Icmp(_)) => {
                if let Some(flow) = self.flows.get_mut(&id) {
                    flow.on_icmp(answer.at);
                }
            }
            _ => {}
        }
    }

    /// The next silence of which it is known what came of it. Those are not kept but for what bounds a timeout.
    pub fn poll_silence(&mut self) -> Option<Silence> {
        self.judged.pop_front()
    }

    /// What was found, path by path in the order of their addresses.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.values()
    }

    fn on_syn(&mut self, segment: &Segment) {
        let key = PathKey { client: segment.source.address, server: segment.destination };
        let at = Mark { frame: segment.id, time: segment.time };
        for id in self.waiting.get(&key).into_iter().flatten() {
            if let Some(flow) = self.flows.get_mut(id) {
                flow.on_new_connection(at);
            }
        }
    }

    fn no_longer_waits(&mut self, key: PathKey, id: ConnectionId) {
        if let Some(ids) = self.waiting.get_mut(&key) {
            ids.remove(&id);
            if ids.is_empty() {
                self.waiting.remove(&key);
            }
        }
    }

    fn take(&mut self, key: PathKey, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            if let Change::Judged(silence) = &change {
                self.judged.push_back(*silence);
            }
            // It may have been let go in the meantime.
            let path = self.paths.entry(key).or_insert_with(|| {
                self.kept += 1;
                Path::new(key)
            });
            let before = path.weight();
            path.take(&change);
            self.kept += path.weight() - before;
        }
        if self.kept > self.most_kept {
            self.forget_paths();
        }
    }

    /// Lets go of paths of which least can be said, until three quarters of what may be kept are left.
    #[cold]
    fn forget_paths(&mut self) {
        let mut order: Vec<(u64, PathKey)> =
            self.paths.iter().map(|(key, path)| (path.tales(), *key)).collect();
        order.sort_unstable();
        for (_, key) in order {
            if self.kept <= self.most_kept / 4 * 3 {
                break;
            }
            if let Some(path) = self.paths.remove(&key) {
                self.kept -= path.weight();
                self.let_go += 1;
            }
        }
    }
}

/// When packets could be captured at all.
#[derive(Debug, Default)]
struct Captured {
    /// When the first frame of each capture came.
    first: BTreeMap<u32, Timestamp>,
    seen_until: Option<Timestamp>,
    holes: Vec<(Timestamp, Timestamp)>,
    newest: Option<u32>,
}

impl Captured {
    #[inline]
    fn learn(&mut self, id: FrameId, time: Timestamp) {
        if self.newest == Some(id.capture) {
            self.seen_until = self.seen_until.max(Some(time));
            return;
        }
        self.learn_other(id, time);
    }

    #[cold]
    fn learn_other(&mut self, id: FrameId, time: Timestamp) {
        match self.first.get(&id.capture) {
            None => {
                self.first.insert(id.capture, time);
                self.newest = Some(id.capture);
                if let Some(until) = self.seen_until
                    && time.since(until) > HOLE
                {
                    self.holes.push((until, time));
                }
            }
            // An older one goes on, so it was there in between.
            Some(first) => self.holes.retain(|(from, _)| from < first),
        }
        self.seen_until = self.seen_until.max(Some(time));
    }

    /// Whether there was a time between those at which nothing was captured.
    fn hole(&self, before: Timestamp, after: Timestamp) -> bool {
        self.holes.iter().any(|(from, to)| *to > before && *from < after)
    }
}
