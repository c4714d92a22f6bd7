//! A recommendation: what to set on a path, and why.
//!
//! Owns [`Recommendation`]: the settings, the naive ones for comparison, and each snippet that was asked for, with
//! settings of its own where it cannot have the others. Uses `super::propose` and [`super::snippets`].

use super::path::{Owner, Path};
use super::propose::{Advice, Evidence, NoAdvice, Wish};
use super::shape::Shape;
use super::snippets::{Means, Snippet, Values};
use crate::keepalive::{Model, Settings};
use crate::stack::value::Rounding;
use crate::time::Span;

/// Below this a naive value is not of interest.
const LEAST_FOR_NAIVE: Span = Span::from_secs(30);

/// How much below the limit people set it who do not know better.
const NAIVE_ROOM: Span = Span::from_secs(10);

/// Phases in which the naive value is tried.
const NAIVE_PHASES: u32 = 1000;

/// What to do.
#[derive(Clone, Debug)]
pub struct Recommendation {
    /// What is known of the path.
    pub path: Path,
    /// What was wanted.
    pub wish: Wish,
    /// What can be set on the stack.
    pub keepalive: Result<Advice, NoAdvice>,
    /// A keepalive just below the limit.
    pub naive: Option<Naive>,
    /// How often an application must say something, to be heard in time.
    pub heartbeat: Option<Span>,
    /// What was asked for.
    pub parts: Vec<Part>,
}

/// A keepalive just below the limit, and how it fares.
#[derive(Clone, Debug)]
pub struct Naive {
    /// The idle time.
    pub idle: Span,
    /// In how many phases of how many the first probe is too late, by `CONFIG_HZ`.
    pub too_late: Vec<(Option<u32>, u32, u32)>,
}

/// A snippet with its values, or why it has none.
#[derive(Clone, Debug)]
pub struct Part {
    /// Which.
    pub snippet: &'static Snippet,
    /// Its values; with what the simulator saw of them, where they are of a keepalive.
    pub values: Result<(Values, Option<Evidence>), NoPart>,
}

/// Why a snippet has no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPart {
    /// It is for other stacks.
    #[error("it is not for this stack")]
    OtherStack,
    /// Keepalives do not count on this path.
    #[error("keepalives do not count here")]
    DoesNotCount,
    /// Nothing that it can be set to holds.
    #[error(transparent)]
    None(#[from] NoAdvice),
    /// No heartbeat in whole seconds is often enough.
    #[error("no heartbeat in whole seconds is often enough")]
    NoHeartbeat,
}

impl Recommendation {
    /// Works it out.
    pub fn new(path: Path, wish: Wish, snippets: &[&'static Snippet]) -> Recommendation {
        let counts = path.owner == Owner::Tracker;
        let keepalive = wish.advise(Shape::FREE);
        let heartbeat = wish.heartbeat(path.owner != Owner::Tracker);
        let part = |snippet: &&'static Snippet| Part {
            snippet,
            values: values(snippet, &wish, &path, &keepalive, heartbeat),
        };
        let parts = snippets.iter().map(part).collect();
        let naive = counts.then(|| Naive::of(&wish)).flatten();
        Recommendation { path, keepalive, naive, heartbeat, parts, wish }
    }

    /// Whether keepalives keep connections on this path.
    pub fn counts(&self) -> bool {
        self.path.owner == Owner::Tracker
    }

    /// Whether there is anything to set.
    pub fn helps(&self) -> bool {
        match self.counts() {
            true => self.keepalive.is_ok() && self.parts.iter().all(|part| part.values.is_ok()),
            false => self.heartbeat.is_some(),
        }
    }
}

/// The values of a snippet.
fn values(
    snippet: &Snippet,
    wish: &Wish,
    path: &Path,
    common: &Result<Advice, NoAdvice>,
    heartbeat: Option<Span>,
) -> Result<(Values, Option<Evidence>), NoPart> {
    let advice = |advice: Advice| (Values::Keepalive(advice.settings), Some(advice.evidence));
    match snippet.means {
        Means::Heartbeat => {
            heartbeat.map(|every| (Values::Heartbeat(every), None)).ok_or(NoPart::NoHeartbeat)
        }
        Means::Ping if path.owner == Owner::Tracker => {
            heartbeat.map(|every| (Values::Heartbeat(every), None)).ok_or(NoPart::NoHeartbeat)
        }
        _ if path.owner != Owner::Tracker => Err(NoPart::DoesNotCount),
        _ if !snippet.is_for(wish.stack.name) => Err(NoPart::OtherStack),
        Means::Keepalive(Shape::FREE) => Ok(common.clone().map(advice)?),
        Means::Keepalive(shape) => Ok(wish.advise(shape).map(advice)?),
        Means::Ping => Err(NoPart::DoesNotCount),
    }
}

impl Naive {
    fn of(wish: &Wish) -> Option<Naive> {
        let model = Model::of(wish.stack)?;
        let idle = Span::from_nanos(wish.silence.as_nanos() - NAIVE_ROOM.as_nanos());
        if idle < LEAST_FOR_NAIVE || idle > model.settings.idle || matches!(model.rounding, Rounding::Exact) {
            return None;
        }
        let settings = Settings { idle, ..model.settings };
        let too_late = wish.first_too_late(settings, NAIVE_PHASES);
        too_late.iter().any(|(_, late, _)| *late > 0).then_some(Naive { idle, too_late })
    }
}
