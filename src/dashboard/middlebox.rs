//! A search for an idle timeout as the screen has it: what it told, moment by moment, and which moment is shown.
//!
//! Owns [`Hunt`]. It is fed by [`crate::search::View`] and [`crate::search::News`], whoever runs the search: the
//! wire (`driver`), or the simulator ([`rehearse`]). A live one is shown as it is now; a rehearsal is over before it
//! is shown, and played. Pure.

#[cfg(feature = "live")]
pub mod driver;
pub mod rehearse;
pub mod words;

use crate::search::{Finding, News, Silence, Trial, View, Wanted, Way};
use crate::time::{Span, Timestamp};

/// Speeds at which a rehearsal is played, as factors.
pub const SPEEDS: [i64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20_000];

/// A rehearsal is played in about so long at first.
const AT_FIRST: Span = Span::from_secs(20);

/// The search as it stood at a time.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// How it stood, without its trials.
    pub view: View,
    /// How many trials there had been.
    pub trials: usize,
    /// How many pieces of news.
    pub news: usize,
    /// Packets so far.
    pub packets: u64,
    /// What it would have come to, without its trials; where that may have changed.
    pub finding: Option<Box<Finding>>,
}

/// What a search told since it last did.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Which search, where there are several: one for each direction.
    pub course: usize,
    /// Moments, in order; the counts in them are those of the whole search.
    pub moments: Vec<Moment>,
    /// New trials.
    pub trials: Vec<Trial>,
    /// News with their times.
    pub news: Vec<(Timestamp, News)>,
    /// It is over.
    pub done: bool,
}

/// One search.
#[derive(Clone, Debug)]
pub struct Course {
    /// The question.
    pub wanted: Wanted,
    /// See [`Told::moments`].
    pub moments: Vec<Moment>,
    /// All trials.
    pub trials: Vec<Trial>,
    /// All news.
    pub news: Vec<(Timestamp, News)>,
    /// It is over.
    pub done: bool,
}

/// A search at the moment shown.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The last moment of which something was told.
    pub moment: &'a Moment,
    /// The time shown, at that moment or after it.
    pub at: Timestamp,
    /// Trials so far.
    pub trials: &'a [Trial],
    /// News so far.
    pub news: &'a [(Timestamp, News)],
    /// What it would come to.
    pub finding: Option<&'a Finding>,
}

impl Course {
    fn new(wanted: &Wanted) -> Self {
        let wanted = wanted.clone();
        Self { wanted, moments: Vec::new(), trials: Vec::new(), news: Vec::new(), done: false }
    }

    fn take(&mut self, told: Told) {
        self.moments.extend(told.moments);
        self.trials.extend(told.trials);
        self.news.extend(told.news);
        self.done |= told.done;
    }

    /// First and last moment.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.moments.first()?.at, self.moments.last()?.at))
    }

    /// How it stood at a time; nothing if that is before its beginning.
    pub fn standing(&self, at: Timestamp) -> Option<Standing<'_>> {
        let known = self.moments.partition_point(|moment| moment.at <= at);
        let so_far = self.moments.get(..known)?;
        let moment = so_far.last()?;
        Some(Standing {
            moment,
            at,
            trials: self.trials.get(..moment.trials.min(self.trials.len())).unwrap_or_default(),
            news: self.news.get(..moment.news.min(self.news.len())).unwrap_or_default(),
            finding: so_far.iter().rev().find_map(|moment| moment.finding.as_deref()),
        })
    }
}

impl Standing<'_> {
    /// How long nothing was told.
    fn since(&self) -> Span {
        if self.moment.view.verdict.is_some() { Span::ZERO } else { self.at.since(self.moment.at) }
    }

    /// Since the start of the search.
    pub fn elapsed(&self) -> Span {
        self.moment.view.elapsed.plus(self.since())
    }

    /// How much longer it takes, at least and at most.
    pub fn left(&self) -> (Span, Span) {
        let less = |span: Span| span.plus(Span::from_nanos(-self.since().as_nanos())).max(Span::ZERO);
        let (least, most) = self.moment.view.left;
        (less(least), less(most))
    }

    /// Silences under way, each with how long it is; those that end soonest first, those that are not to be ended
    /// last.
    pub fn silences(&self) -> Vec<(Silence, Span)> {
        let age = |silence: &Silence| self.at.since(silence.since).max(Span::ZERO);
        let mut all: Vec<(Silence, Span)> =
            self.moment.view.silences.iter().map(|silence| (*silence, age(silence))).collect();
        all.sort_by_key(|(silence, age)| {
            let left = silence.goal.map_or(i64::MAX, |goal| goal.as_nanos().saturating_sub(age.as_nanos()));
            (silence.sentinel, left, silence.id)
        });
        all
    }
}

/// A panel of this screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pane {
    /// What was tried.
    Trials,
    /// What is silent now.
    Silences,
    /// What it came to, and why.
    Result,
    /// What happened.
    Log,
}

impl Pane {
    /// All of them, in the order in which Tab goes through them.
    pub const ALL: [Pane; 4] = [Pane::Trials, Pane::Silences, Pane::Result, Pane::Log];
}

/// Searches that are shown, one for each direction.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// What is searched, fit for the screen.
    pub subject: String,
    /// Nothing was sent: it all happened in the simulator.
    pub simulated: bool,
    /// The searches.
    pub courses: Vec<Course>,
    /// Which of them is shown.
    pub course: usize,
    /// The moment shown.
    pub at: Timestamp,
    /// It goes on by the clock outside.
    pub playing: bool,
    /// How fast.
    pub speed: i64,
    /// The clock outside when it was last looked at.
    ticked: Option<Span>,
    /// Now, of what is live: as late as what was told last, and as the clock outside says since then.
    now: Timestamp,
    /// The panel that keys go to.
    pub pane: Pane,
    /// It fills the screen.
    pub maximised: bool,
    /// Lines by which each panel is scrolled, from its newest or first line.
    pub scrolled: [usize; 4],
}

impl Hunt {
    /// Nothing told yet.
    pub fn new(subject: &str, simulated: bool, questions: &[Wanted]) -> Self {
        Self {
            subject: super::text::clean(subject).into_owned(),
            simulated,
            courses: questions.iter().map(Course::new).collect(),
            course: 0,
            at: Timestamp::default(),
            playing: true,
            speed: 1,
            ticked: None,
            now: Timestamp::default(),
            pane: Pane::Trials,
            maximised: false,
            scrolled: [0; 4],
        }
    }

    /// Takes what a search told. What is live is shown as it is now; a rehearsal from its beginning.
    pub fn take(&mut self, told: Told) {
        let is_first = self.span().is_none();
        let latest = told.moments.last().map(|moment| moment.at);
        if let Some(course) = self.courses.get_mut(told.course) {
            course.take(told);
        }
        if self.simulated {
            if let Some((first, last)) = self.span().filter(|_| is_first) {
                self.at = first;
                let wanted = last.since(first).as_nanos() / AT_FIRST.as_nanos();
                let speed = SPEEDS.iter().copied().find(|speed| *speed >= wanted);
                self.speed = speed.unwrap_or(SPEEDS.last().copied().unwrap_or(1));
            }
        } else if let Some(latest) = latest {
            self.now = self.now.max(latest);
            if self.playing {
                self.at = self.now;
            } else if is_first {
                self.at = latest;
            }
        }
    }

    /// Whether a search goes on outside.
    pub fn goes_on(&self) -> bool {
        !self.simulated && !self.is_done()
    }

    /// Goes to the end of what is over, or to now and on with it.
    pub fn to_end(&mut self) {
        self.playing = true;
        if let Some((_, last)) = self.span() {
            self.at = if self.goes_on() { self.now.max(last) } else { last };
        }
    }

    /// Whether a search with packets from the far end is among them.
    pub fn has_inward(&self) -> bool {
        self.courses.iter().any(|course| course.wanted.way == Way::In)
    }

    /// The search that is shown.
    pub fn shown(&self) -> Option<&Course> {
        self.courses.get(self.course)
    }

    /// It as it stood at the moment shown.
    pub fn standing(&self) -> Option<Standing<'_>> {
        self.shown()?.standing(self.at)
    }

    /// First and last moment of all searches.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let spans = || self.courses.iter().filter_map(Course::span);
        Some((spans().map(|(first, _)| first).min()?, spans().map(|(_, last)| last).max()?))
    }

    /// All of them are over.
    pub fn is_done(&self) -> bool {
        self.courses.iter().all(|course| course.done)
    }

    /// The moment shown is the last.
    pub fn is_at_end(&self) -> bool {
        self.is_done() && self.span().is_none_or(|(_, last)| self.at >= last)
    }

    /// Whether the clock outside moves it.
    pub fn runs(&self) -> bool {
        self.playing && !self.is_at_end()
    }

    /// The clock outside; says whether something that is shown has changed.
    pub fn tick(&mut self, now: Span) -> bool {
        let before = self.ticked.replace(now);
        let gone = now.plus(Span::from_nanos(-before.unwrap_or(now).as_nanos())).max(Span::ZERO);
        if self.goes_on() && self.span().is_some() {
            self.now = self.now.plus(gone);
        }
        let Some((_, last)) = self.span().filter(|_| self.runs() && gone > Span::ZERO) else { return false };
        let was = self.at;
        self.at = was.plus(gone.times(if self.simulated { self.speed } else { 1 }));
        if self.is_done() {
            self.at = self.at.min(last);
        }
        // A live search moves by the second; what it tells is drawn when it comes.
        self.simulated || was.as_nanos() / 1_000_000_000 != self.at.as_nanos() / 1_000_000_000
    }

    /// Goes to a time.
    pub fn go(&mut self, at: Timestamp) {
        if let Some((first, last)) = self.span() {
            self.at = at.clamp(first, if self.goes_on() { last.max(self.now) } else { last });
        }
    }

    /// Goes to the next or previous trial of the search shown.
    pub fn go_by_trials(&mut self, step: isize) {
        let Some(course) = self.shown() else { return };
        let times: Vec<Timestamp> = course.trials.iter().map(|trial| trial.at).collect();
        let place = if step > 0 {
            times.iter().filter(|time| **time > self.at).min()
        } else {
            times.iter().filter(|time| **time < self.at).max()
        };
        if let Some(at) = place.copied() {
            self.playing = false;
            self.go(at);
        }
    }

    /// Faster or slower.
    pub fn change_speed(&mut self, step: isize) {
        let place = SPEEDS.iter().position(|speed| *speed >= self.speed).unwrap_or(0);
        let next = place.saturating_add_signed(step).min(SPEEDS.len() - 1);
        self.speed = SPEEDS.get(next).copied().unwrap_or(1);
    }

    /// Lines by which a panel is scrolled.
    pub fn scrolled(&self, pane: Pane) -> usize {
        self.scrolled.get(pane as usize).copied().unwrap_or(0)
    }

    /// Scrolls the panel that has the keys.
    pub fn scroll(&mut self, lines: isize) {
        if let Some(scrolled) = self.scrolled.get_mut(self.pane as usize) {
            *scrolled = scrolled.saturating_add_signed(lines).min(100_000);
        }
    }
}
