//! What the silences of a path come to.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::flow::Change;
use super::{Doubt, Fate, Silence};
use crate::segment::Endpoint;
use crate::time::Span;
use crate::track::event::{Mark, Party};

/// A client's address and a server's end: what a NAT, a listener of a load balancer or a rule of a firewall tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathKey {
    /// The client.
    pub client: IpAddr,
    /// The server.
    pub server: Endpoint,
}

/// What was seen on a path.
#[derive(Clone, Debug)]
pub struct Path {
    /// Which.
    pub key: PathKey,
    /// Its connections.
    pub connections: u64,
    /// Those of which the SYN was not captured.
    pub midstream: u64,
    client: Way,
    server: Way,
}

/// The silences that one end broke.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// Those that were survived.
    pub survived: u64,
    /// Those that were not.
    pub died: u64,
    /// Those that show neither: the packet that ended it wants no answer, or there were few tries.
    pub undecided: u64,
    /// Those during which nothing was captured for a while.
    pub not_captured: u64,
    /// The keepalives of that end.
    pub keepalives: Keepalives,
    /// How often that end closed, unasked, after a time without data.
    pub closings: Closings,
    /// By length, in steps of 1 %.
    buckets: BTreeMap<i32, Box<Bucket>>,
}

/// First probes after a quiet time of any length.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keepalives {
    /// Those whose fate is known.
    pub asked: u64,
    /// Those that were answered.
    pub answered: u64,
    /// The shortest quiet time before one that was answered, and the longest.
    pub idle: Option<(Span, Span)>,
}

/// Closed without being asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Closings {
    /// How often.
    pub count: u64,
    /// The shortest time without data before it, and the frame that closes.
    pub least: Option<(Span, Mark)>,
    /// The longest.
    pub most: Option<(Span, Mark)>,
}

impl Closings {
    fn take(&mut self, idle: Span, at: Mark) {
        self.count += 1;
        if self.least.is_none_or(|(least, _)| idle < least) {
            self.least = Some((idle, at));
        }
        if self.most.is_none_or(|(most, _)| idle > most) {
            self.most = Some((idle, at));
        }
    }

    /// Whether it is a timer by the looks of it: more than once, and always after the same time, within 2 % or a
    /// second.
    pub fn is_regular(&self) -> bool {
        let (Some((least, _)), Some((most, _))) = (self.least, self.most) else { return false };
        let slack = Span::from_secs(1).max(Span::from_nanos(least.as_nanos() / 50));
        self.count > 1 && most <= least.plus(slack)
    }
}

/// Silences of which the shortest and the longest are kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept {
    /// How many there were.
    pub count: u64,
    /// The shortest.
    pub least: Option<Silence>,
    /// The longest.
    pub most: Option<Silence>,
}

impl Kept {
    fn add(&mut self, silence: &Silence) {
        self.count += 1;
        if self.least.is_none_or(|least| silence.idle < least.idle) {
            self.least = Some(*silence);
        }
        if self.most.is_none_or(|most| silence.idle > most.idle) {
            self.most = Some(*silence);
        }
    }

    fn join(&mut self, other: &Kept) {
        let count = self.count + other.count;
        other.least.iter().chain(&other.most).for_each(|silence| self.add(silence));
        self.count = count;
    }

    /// Those kept, shortest first.
    fn ends(&self) -> impl DoubleEndedIterator<Item = Silence> {
        self.least.into_iter().chain(self.most)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Survived without a doubt.
    proven: Kept,
    /// Survived, it seems.
    seeming: Kept,
    died: Kept,
    /// Ended by a RST that nobody asked for.
    unasked: Kept,
}

/// Where the timeout of a path lies, for silences broken by one end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bracket {
    /// The longest silence survived that is shorter than `upper`: the timeout is longer, if it has no doubts.
    pub lower: Option<Silence>,
    /// The shortest that was not survived, of those that nothing refutes: the timeout is no longer, if that was why.
    pub upper: Option<Silence>,
    /// Deaths that nothing refutes.
    pub deaths: u64,
    /// Deaths after no more silence than was survived without a doubt (by a RST that nobody asked for: than was
    /// survived at all): not a timeout of the path, or it varies.
    pub refuted: Kept,
    /// Silences as long as `upper` or longer that were survived, with a doubt.
    pub beyond: Kept,
}

impl Bracket {
    /// Adds deaths of about the same length; silences up to `floor` were survived.
    fn add_deaths(&mut self, died: &Kept, floor: Span) {
        let Some(most) = died.most else { return };
        if most.idle <= floor {
            self.refuted.join(died);
            return;
        }
        // At most one bucket has some on either side of the floor.
        let refuted = died.least.filter(|least| least.idle <= floor);
        refuted.iter().for_each(|least| self.refuted.add(least));
        self.deaths += died.count - u64::from(refuted.is_some());
        let first = died.ends().find(|silence| silence.idle > floor);
        let is_sooner = |first: &Silence| self.upper.is_none_or(|upper| first.idle < upper.idle);
        self.upper = first.filter(is_sooner).or(self.upper);
    }

    /// Whether what was seen does not fit one number.
    pub fn is_contradicted(&self) -> bool {
        self.refuted.count > 0 || self.beyond.count > 0
    }

    /// Whether nothing bounds the timeout.
    pub fn is_empty(&self) -> bool {
        self.lower.is_none() && self.upper.is_none() && self.refuted.count == 0
    }
}

impl Path {
    pub(super) fn new(key: PathKey) -> Self {
        Self { key, connections: 0, midstream: 0, client: Way::default(), server: Way::default() }
    }

    pub(super) fn on_connection(&mut self, midstream: bool) {
        self.connections += 1;
        self.midstream += u64::from(midstream);
    }

    /// The silences that this end broke: `out` is the client's, `in` the server's.
    pub const fn way(&self, by: Party) -> &Way {
        match by {
            Party::Client => &self.client,
            Party::Server => &self.server,
        }
    }

    /// What it takes: itself, and each length of silences.
    pub(super) fn weight(&self) -> usize {
        1 + self.client.buckets.len() + self.server.buckets.len()
    }

    /// How much there is to say of it.
    pub(super) fn tales(&self) -> u64 {
        [&self.client, &self.server].iter().map(|way| way.survived + way.died + way.closings.count).sum()
    }

    /// Whether there is anything to say of it.
    pub fn tells(&self) -> bool {
        self.tales() > 0
    }

    pub(super) fn take(&mut self, change: &Change) {
        let by = match change {
            Change::Judged(silence) => silence.by,
            Change::Undecided(by) | Change::NotCaptured(by) => *by,
            Change::Keepalive { by, .. } | Change::Closed { by, .. } => *by,
        };
        let way = match by {
            Party::Client => &mut self.client,
            Party::Server => &mut self.server,
        };
        match change {
            Change::Judged(silence) => way.take(silence),
            Change::Undecided(_) => way.undecided += 1,
            Change::NotCaptured(_) => way.not_captured += 1,
            Change::Keepalive { idle, answered, .. } => way.keepalives.take(*idle, *answered),
            Change::Closed { idle, at, .. } => way.closings.take(*idle, *at),
        }
    }
}

impl Keepalives {
    fn take(&mut self, idle: Span, answered: bool) {
        self.asked += 1;
        if answered {
            self.answered += 1;
            let (least, most) = self.idle.unwrap_or((idle, idle));
            self.idle = Some((least.min(idle), most.max(idle)));
        }
    }
}

impl Way {
    fn take(&mut self, silence: &Silence) {
        let bucket = self.buckets.entry(bucket(silence.idle)).or_default();
        let kept = match silence.fate {
            Fate::Survived if silence.doubts.is_empty() => &mut bucket.proven,
            Fate::Survived => &mut bucket.seeming,
            Fate::Unasked => &mut bucket.unasked,
            _ => &mut bucket.died,
        };
        kept.add(silence);
        if silence.fate == Fate::Survived { self.survived += 1 } else { self.died += 1 }
    }

    /// Where the timeout lies.
    pub fn bracket(&self) -> Bracket {
        let mut found = Bracket::default();
        let longest = |kept: fn(&Bucket) -> &Kept| {
            let most = self.buckets.values().rev().find_map(|bucket| kept(bucket).most);
            most.map_or(Span::ZERO, |most| most.idle)
        };
        let proven = longest(|bucket| &bucket.proven);
        // A RST that nobody asked for is so often the application's that any longer silence speaks against it.
        let seeming = proven.max(longest(|bucket| &bucket.seeming));
        for bucket in self.buckets.values() {
            found.add_deaths(&bucket.died, proven);
            found.add_deaths(&bucket.unasked, seeming);
        }
        if let Some(upper) = &mut found.upper
            && found.deaths == 1
        {
            upper.doubts.add(Doubt::Single);
        }
        let ceiling = found.upper.map(|upper| upper.idle);
        let is_below = |silence: &Silence| ceiling.is_none_or(|ceiling| silence.idle < ceiling);
        for bucket in self.buckets.values() {
            let lived = bucket.proven.ends().chain(bucket.seeming.ends()).filter(is_below);
            for silence in lived {
                // Of two as long, the one without doubts came first.
                if found.lower.is_none_or(|lower| silence.idle > lower.idle) {
                    found.lower = Some(silence);
                }
            }
            if bucket.seeming.most.is_some_and(|most| !is_below(&most)) {
                match bucket.seeming.least.filter(is_below) {
                    None => found.beyond.join(&bucket.seeming),
                    Some(_) => bucket.seeming.most.iter().for_each(|most| found.beyond.add(most)),
                }
            }
        }
        found
    }
}

/// The step of 1 % in which a time lies.
fn bucket(idle: Span) -> i32 {
    // Nanoseconds of centuries are far below what a float of this size holds; ln of 1 and more is not negative.
    #[expect(clippy::cast_precision_loss, reason = "a bucket is as wide as 1 %")]
    let nanos = idle.as_nanos().max(1) as f64;
    #[expect(clippy::cast_possible_truncation, reason = "ln(i64::MAX)/ln(1.01) is below 4400")]
    let step = (nanos.ln() / 1.01_f64.ln()) as i32;
    step
}
