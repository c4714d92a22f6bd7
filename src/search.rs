//! The idle-timeout search: after how much silence does a path forget a connection?
//!
//! Owns the plan, the trials and the estimate. Pure (sans-IO) and without a packet: what happened to connections
//! goes in with its time, what is to be done comes out. A driver holds the connections, on a wire or in the
//! simulator, and measures silences by the packets. Uses [`crate::product`] for the values that products come with
//! and [`crate::time`].
//!
//! # The schedule
//! A silence of T takes T to try, so no search is faster than T; one that doubles and bisects with one connection
//! takes 6 to 15 of it. With n connections at once:
//!
//! - **Ladder.** Silences d, r d, r² d and so on, with r = (n+1)^(1/n). The silence d begins at d/n after the start
//!   and so ends at c d, with c = (n+1)/n. A connection that was answered begins the n-th silence from its last one
//!   in the same moment, so n connections do for any range and nobody needs re-arming. A timeout is first seen at
//!   c r T at the latest: 1.08 T with 64 connections, 1.15 T with 32, 1.48 T with 8. Of all pairs of r and c that n
//!   connections can serve this one is the least: ln(c/(c-1)) / ln r = n is what is silent at once, and c r has its
//!   minimum there. Steps are no finer than the bracket may be. The longest silence gets a connection of its own
//!   soon after the start, so that a negative result is there after 1.02 of it.
//! - **Call-in.** As the silences begin staggered, the connections that wait for longer ones are of all ages. When
//!   a rung kills, some are as old as the points that split the bracket, or will be in a moment. So all points are
//!   tried at once, each twice if there are enough connections, and refining takes hardly longer than the tries of
//!   one probe (3 s and the patience for an answer). Above 200 s the second death is waited for first.
//! - **Limits** held by `tests/search`: lossless, every timeout from 30 s to 7440 s within 1 % or 1 s in
//!   1.10 T + 15 s with 64 connections and 1.17 T + 15 s with 32, opening ten in a second; below 610 packets a
//!   direction. Eight connections take up to 2.4 T for the same, four 4 T, one 11 T.
//!
//! # What counts
//! - One answer proves that the connection lived. Three tries (0, 1 and 3 s) without one are a death, which counts
//!   once a second connection died of as much or more. A lone death below what others survived is loss.
//! - A try that is lost before the box leaves the next one to ask about a longer silence. So the silence of a death
//!   is that of its last try, unless nothing was lost in at least fifteen tries; then it is that of its first.
//! - Two deaths or more below what others survived, more than loss explains, are a range and not a number: a box
//!   that looks only every so often (T is at most the lower end, and with the time between two looks at least the
//!   upper), timers that depend on the load, or ways that differ by port. The search then goes on until so many
//!   died in a row that hardly all belong to the part that dies early.
//! - Deaths of silences during which many connections were opened may be those of a full table. One that saw few
//!   opened is tried for as long, and if only those died that saw many, they do not count.
//! - Two connections end without being asked: a timer of the far end or of a proxy, if they were about as old; if
//!   all end at once at any age, the far end went away.
//! - An answer to an outbound packet shows only that outbound packets work: many boxes make the connection anew.
//!   Without a death such a search ends with [`Verdict::CannotKnow`].
//!
//! ```
//! use keepscope::search::{Command, Input, Search, Sign, Verdict, Wanted, Way};
//! use keepscope::time::{Span, Timestamp};
//! use std::collections::BTreeMap;
//!
//! // A path that answers at once and forgets after 47 s of silence.
//! let mut now = Timestamp::from_nanos(0);
//! let mut search = Search::new(Wanted::new(Way::In, true), now).unwrap();
//! let mut quiet_since = BTreeMap::new();
//! while !search.is_done() {
//!     while let Some(command) = search.poll_command() {
//!         match command {
//!             Command::Open(id) | Command::Arm(id) => {
//!                 quiet_since.insert(id, now);
//!                 search.on(now, id, Input::Opened { since: now });
//!             }
//!             Command::Probe { id, attempt, .. } => {
//!                 let idle = now.since(quiet_since[&id]);
//!                 search.on(now, id, Input::Sent { attempt, at: now, idle });
//!                 if idle < Span::from_secs(47) {
//!                     quiet_since.insert(id, now);
//!                     search.on(now, id, Input::Answered { attempt, at: now, sign: Sign::default() });
//!                 }
//!             }
//!             Command::Close(id) => drop(quiet_since.remove(&id)),
//!         }
//!     }
//!     // This partner is always there.
//!     if search.wants_sign().is_some() {
//!         search.on_sign(now, now);
//!     }
//!     if let Some(due) = search.next_timeout() {
//!         now = now.max(due);
//!         search.on_timeout(now);
//!     }
//! }
//! let finding = search.finding();
//! assert_eq!(finding.verdict, Verdict::Found);
//! let (low, high) = finding.interval().unwrap();
//! assert!(low <= Span::from_secs(47) && high >= Span::from_secs(47));
//! assert!(now.since(Timestamp::from_nanos(0)) < Span::from_secs(67));
//! ```

mod conclude;
mod finding;
mod judge;
mod ladder;
mod life;
mod message;
mod plan;
mod pool;
mod probing;
mod record;
mod refine;
pub mod refresh;
mod trial;
mod view;
mod wanted;

use std::collections::VecDeque;

pub use finding::{AtExpiry, By, Confidence, Confounder, Evidence, Finding, Owner, Verdict, Why};
pub use message::{Command, Cue, Disturbance, End, Id, Input, News, NotOpened, Origin, Phase, Sign};
pub use trial::{Death, Outcome, Trial, Void};
pub use view::{Silence, View};
pub use wanted::{
    Form, LONGEST, MOST_CONNECTIONS, Mode, Precision, QUICK_LIMIT, SENTINELS, SHORTEST, Wanted, WantedError,
    Way,
};

use self::life::Seeking;
use self::plan::Plan;
use self::pool::{Pool, Role, State};
use self::record::Record;
use crate::time::{Span, Timestamp};

/// A search.
///
/// After each call that takes a time, take what came out: [`poll_command`](Search::poll_command) and
/// [`poll_news`](Search::poll_news) until they return nothing; then wait for [`next_timeout`](Search::next_timeout)
/// or for something to happen to a connection. Times that go back are taken as the latest one known. Inputs for
/// connections that are closed or that nobody asked for change nothing.
#[derive(Clone, Debug)]
pub struct Search {
    wanted: Wanted,
    plan: Plan,
    started: Timestamp,
    now: Timestamp,
    pool: Pool,
    record: Record,
    phase: Phase,
    verdict: Option<Verdict>,
    /// Something happened since connections were last told what to wait for.
    stale: bool,
    /// Sentinels opened so far.
    sentinels: u16,
    /// Not before this, by the pace.
    next_open: Timestamp,
    /// Kept for the longest silence.
    pin: Option<Id>,
    /// How many workers refining wants.
    renewed: usize,
    seeking: Seeking,
    /// Since when nothing is due.
    nothing_due: Option<Timestamp>,
    /// What was told of what may mislead.
    told: Vec<&'static str>,
    /// How much was noted when that was told.
    told_of: usize,
    commands: VecDeque<Command>,
    news: VecDeque<News>,
}

impl Search {
    /// A search that begins at `now`.
    ///
    /// # Errors
    /// If the question cannot be asked.
    pub fn new(wanted: Wanted, now: Timestamp) -> Result<Search, WantedError> {
        wanted.check()?;
        let mut record = Record::default();
        for trial in wanted.known.iter().filter(|trial| trial.way == wanted.way) {
            record.add(*trial, None);
        }
        let mut search = Self {
            plan: Plan::new(&wanted),
            wanted,
            started: now,
            now,
            pool: Pool::default(),
            record,
            phase: Phase::Ladder,
            verdict: None,
            stale: true,
            sentinels: 0,
            next_open: now,
            pin: None,
            renewed: 0,
            seeking: Seeking::default(),
            nothing_due: None,
            told: Vec::new(),
            told_of: 0,
            commands: VecDeque::new(),
            news: VecDeque::new(),
        };
        search.advance(now);
        Ok(search)
    }

    /// Something happened to a connection.
    pub fn on(&mut self, now: Timestamp, id: Id, input: Input) {
        if self.phase == Phase::Done {
            return;
        }
        self.now = self.now.max(now);
        self.take(id, input);
        self.stale |= !matches!(input, Input::Sent { .. });
        self.advance(now);
    }

    /// The time of [`next_timeout`](Search::next_timeout) has come. Before it nothing changes.
    pub fn on_timeout(&mut self, now: Timestamp) {
        self.advance(now);
    }

    /// The machine slept or its clock was set, by this much: silences under way are void, since nobody knows what
    /// happened meanwhile.
    pub fn on_clock_gap(&mut self, now: Timestamp, gap: Span) {
        if self.phase == Phase::Done {
            return;
        }
        self.now = self.now.max(now);
        let before = self.record.gap.unwrap_or(Span::ZERO);
        self.record.gap = Some(before.plus(gap.abs()));
        let ids: Vec<Id> = self.pool.iter().map(|(id, _)| id).collect();
        for id in ids {
            let Some(conn) = self.pool.get_mut(id) else { continue };
            if matches!(conn.state, State::Opening { .. }) {
                continue;
            }
            let sentinel = conn.role == Role::Sentinel;
            self.void(id, Void::ClockGap);
            if !sentinel {
                self.arm(id);
            }
        }
        self.stale = true;
        self.advance(now);
    }

    /// Ends the search with what is known, as its user wants.
    pub fn interrupt(&mut self, now: Timestamp) {
        self.end(now, Why::Interrupted);
    }

    /// Ends the search with what is known; `why` is said where that is nothing certain.
    pub fn end(&mut self, now: Timestamp, why: Why) {
        self.now = self.now.max(now);
        if self.phase != Phase::Done {
            let verdict = match self.verdict_so_far(why) {
                // There is no time left to ask for one.
                Verdict::Found if self.lacks_sign_of_life() => Verdict::Inconclusive(Why::NoSignOfLife),
                other => other,
            };
            self.finish(verdict);
        }
    }

    /// What to do next, until there is nothing.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// What became known, until there is nothing.
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// When to call [`on_timeout`](Search::on_timeout); nothing once the search is over.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        if self.phase == Phase::Done {
            return None;
        }
        // With nothing due at all a second is soon enough to see that it is over.
        Some(self.due().unwrap_or_else(|| self.now.plus(Span::from_secs(1))))
    }

    /// When something is to be done next.
    fn due(&self) -> Option<Timestamp> {
        let opening = match self.wants_another() {
            true => Some(self.next_open),
            false if self.phase == Phase::Ladder => self.next_worker(),
            false => None,
        };
        let pin = self.plan.pin_by.map(|by| self.started.plus(by)).filter(|by| *by > self.now);
        // Beyond it only a sign of life is waited for.
        let budget = self.wanted.budget.map(|budget| self.started.plus(budget)).filter(|at| *at > self.now);
        let settles = self.settles().filter(|at| *at > self.now);
        [self.pool.due(), opening, pin, budget, settles].into_iter().flatten().min()
    }

    /// Whether it is over. Commands may still have to be taken.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Does what is due, looks whether it is over, and plans, until nothing is due any more.
    fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while self.phase != Phase::Done {
            let fired = self.fire_due();
            self.conclude();
            if self.phase == Phase::Done {
                return;
            }
            let opened = self.pool.opened();
            let pinned =
                self.pin.is_none() && self.plan.pin_by.is_some_and(|by| self.started.plus(by) <= self.now);
            if fired || self.stale || pinned {
                self.stale = false;
                self.replan();
            }
            self.open_wanted();
            let due = self.pool.due().is_some_and(|due| due <= self.now);
            if !due && !self.stale && opened == self.pool.opened() {
                self.nothing_due = match self.due() {
                    Some(_) => None,
                    None => self.nothing_due.or(Some(self.now)),
                };
                return;
            }
        }
    }

    /// Tells each silent connection what it waits for.
    fn replan(&mut self) {
        let suspects = self.record.estimate().dead.is_some() && !matches!(self.wanted.mode, Mode::Confirm(_));
        let phase = if suspects { Phase::Refining } else { Phase::Ladder };
        if phase != self.phase {
            self.phase = phase;
            self.news.push_back(News::Phase(phase));
        }
        match phase {
            Phase::Refining => self.assign_points(),
            Phase::Ladder | Phase::Done => self.assign_rungs(),
        }
    }

    fn finish(&mut self, verdict: Verdict) {
        let ids: Vec<Id> = self.pool.iter().map(|(id, _)| id).collect();
        for id in ids {
            self.close(id);
        }
        self.verdict = Some(verdict);
        self.phase = Phase::Done;
        self.news.push_back(News::Phase(Phase::Done));
        self.news.push_back(News::Done(verdict));
    }
}
