//! What packets look like beside their times, held against what each stack sends.
//!
//! Owns [`Mark`]: something seen, with the frames that show it and what it is [`Worth`] to each stack of the
//! table. The same marks are listed and multiplied into the score. A mark that the table of stacks knows for
//! certain refutes; what is only reported, or what a setting or something on the path explains as well,
//! weakens. Uses [`crate::stack`].

mod ending;
mod places;
mod probe;
mod responder;
mod seen;

pub use places::{Frames, Places};
pub use seen::Seen;

use super::observe::{Step, Subject};
use crate::frame::FrameId;
use crate::stack::{Cell, Stack, Status};
use crate::track::event::ResetMarks;

/// What a mark is worth to a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Worth {
    /// The stack cannot have sent this.
    Refutes,
    /// It would have to break a rule that it is known to keep, or something on the path did.
    Improbable,
    /// It is not known to do so.
    Unlikely,
    /// A setting, or something on the path, explains it.
    Doubtful,
    /// This is what the stack sends.
    Supports,
}

impl Worth {
    /// All of them, worst first.
    pub const ALL: [Worth; 5] =
        [Worth::Refutes, Worth::Improbable, Worth::Unlikely, Worth::Doubtful, Worth::Supports];

    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Worth::Refutes => "refutes",
            Worth::Improbable => "improbable",
            Worth::Unlikely => "unlikely",
            Worth::Doubtful => "doubtful",
            Worth::Supports => "supports",
        }
    }

    /// What is left of the score of a stack.
    pub const fn factor(self) -> f64 {
        match self {
            Worth::Refutes => 0.0,
            Worth::Improbable => 0.05,
            Worth::Unlikely => 0.3,
            Worth::Doubtful => 0.6,
            Worth::Supports => 1.0,
        }
    }
}

/// Marks that one side has as a prober, or a few more.
const MANY: usize = 16;

/// Something seen that tells stacks apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its name.
    pub name: &'static str,
    /// What was seen, for people.
    pub seen: Seen,
    /// The first frames that show it.
    pub frames: Frames,
    /// To which stacks it is worth each [`Worth`], worst first.
    worths: [Places; Worth::ALL.len()],
}

impl Mark {
    /// A mark, judged for every stack of the table.
    pub(super) fn new(
        name: &'static str,
        seen: impl Into<Seen>,
        frames: impl IntoIterator<Item = FrameId>,
        judge: impl Fn(&Stack) -> Option<Worth>,
    ) -> Self {
        let mut worths = [Places::default(); Worth::ALL.len()];
        for (place, stack) in Stack::all().iter().enumerate() {
            let worth = judge(stack).and_then(|worth| worths.get_mut(worth as usize));
            worth.into_iter().for_each(|places| places.insert(place));
        }
        Self { name, seen: seen.into(), frames: frames.into_iter().collect(), worths }
    }

    /// The same mark, worth as much to those at these places.
    fn with(mut self, worth: Worth, places: Places) -> Self {
        self.worths.get_mut(worth as usize).into_iter().for_each(|worth| *worth = places);
        self
    }

    /// What it says, in the order of the table of stacks; of those left out it says nothing.
    pub fn opinions(&self) -> impl Iterator<Item = (&'static Stack, Worth)> {
        let all = Stack::all().iter().enumerate();
        all.filter_map(|(place, stack)| Some((*stack, self.worth_at(place)?)))
    }

    /// What it is worth to the stack at this place of the table, if it says anything of it.
    pub fn worth_at(&self, place: usize) -> Option<Worth> {
        Worth::ALL.into_iter().find(|worth| self.places(*worth).contains(place))
    }

    /// The places of the stacks to which it is worth as much.
    pub fn places(&self, worth: Worth) -> Places {
        self.worths.get(worth as usize).copied().unwrap_or_default()
    }

    /// The stacks to which it is worth as much.
    pub fn stacks(&self, worth: Worth) -> impl Iterator<Item = &'static Stack> {
        self.places(worth).iter().filter_map(|place| Stack::all().get(place).copied())
    }
}

/// The marks of one side: as a prober, and as the one that answers its peer's probes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) probing: Vec<Mark>,
    pub(super) answering: Vec<Mark>,
}

impl Marks {
    /// All that can be seen.
    pub(super) fn of(subject: &Subject<'_>, reset: Option<ResetMarks>, given_up_after: Option<u32>) -> Self {
        let mut marks = Self { probing: Vec::new(), answering: responder::marks(subject) };
        if !subject.prober.probes.is_empty() {
            marks.probing.reserve(MANY);
            probe::marks(subject, &mut marks.probing);
            marks.probing.extend(ending::marks(subject, reset, given_up_after));
        }
        marks
    }

    /// The places of the stacks that nothing refutes, each with what the marks leave of its score: 1 if nothing speaks
    /// against it.
    pub(super) fn possible(&self) -> Vec<(usize, f64)> {
        let worth = |worth| self.all().map(|mark| mark.places(worth)).fold(Places::default(), Places::or);
        let refuted = worth(Worth::Refutes);
        let weakened = worth(Worth::Improbable).or(worth(Worth::Unlikely)).or(worth(Worth::Doubtful));
        let left = Places::RUNNING.iter().filter(|place| !refuted.contains(*place));
        let weighed =
            left.map(|place| (place, if weakened.contains(place) { self.weigh(place) } else { 1.0 }));
        let mut possible = Vec::with_capacity(Stack::all().len());
        possible.extend(weighed);
        possible
    }

    fn weigh(&self, place: usize) -> f64 {
        self.all().filter_map(|mark| mark.worth_at(place)).map(Worth::factor).product()
    }

    fn all(&self) -> impl Iterator<Item = &Mark> {
        self.probing.iter().chain(&self.answering)
    }
}

/// What is seen held against a cell of the table: the stack does so, or `otherwise` is what is left of it; of
/// a cell that nobody verified less is believed, of an empty one nothing.
fn against<T: Copy>(cell: Cell<T>, is: impl Fn(T) -> bool, otherwise: Worth) -> Option<Worth> {
    let value = cell.value?;
    Some(match (is(value), cell.status) {
        (true, _) => Worth::Supports,
        (false, Status::Unverified) => otherwise.max(Worth::Unlikely),
        (false, _) => otherwise,
    })
}

/// How far apart the probes are. The `untimely`, of which no setting explains it, are refuted; how well the others explain
/// it is in the score as the fit, so of them it says only which do.
pub(super) fn spacing(
    subject: &Subject<'_>,
    steps: &[Step],
    timely: Places,
    untimely: Places,
) -> Option<Mark> {
    let runs = || steps.iter().filter_map(|step| step.run_gap());
    let seen = match range(runs()) {
        Some((shortest, longest)) => Seen::Spacing { shortest, longest, growing: is_growing(runs()) },
        None => {
            let silences = || steps.iter().filter_map(|step| step.silence());
            let (shortest, longest) = range(silences())?;
            Seen::Spacing { shortest, longest, growing: is_growing(silences()) }
        }
    };
    let frames = subject.prober.probes.iter().map(|probe| probe.segment.at.frame);
    let mark = Mark { name: "spacing", seen, frames: frames.collect(), worths: Default::default() };
    Some(mark.with(Worth::Refutes, untimely).with(Worth::Supports, timely))
}

fn range(mut gaps: impl Iterator<Item = i64>) -> Option<(i64, i64)> {
    let first = gaps.next()?;
    Some(gaps.fold((first, first), |(low, high), gap| (low.min(gap), high.max(gap))))
}

/// Whether there are several, and each is at least half as long again as the one before.
fn is_growing(gaps: impl Iterator<Item = i64> + Clone) -> bool {
    let mut pairs = gaps.clone().zip(gaps.skip(1)).peekable();
    pairs.peek().is_some() && pairs.all(|(one, next)| next.saturating_mul(2) >= one.saturating_mul(3))
}
