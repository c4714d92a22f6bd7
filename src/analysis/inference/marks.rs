//! What packets look like beside their times, held against what each stack sends.
//!
//! Owns [`Mark`]: something seen, with the frames that show it and what it is [`Worth`] to each stack of the
//! table. The same marks are listed and multiplied into the score. A mark that the table of stacks knows for
//! certain refutes; what is only reported, or what a setting or something on the path explains as well,
//! weakens. Uses [`crate::stack`].

mod ending;
mod probe;
mod responder;

use std::borrow::Cow;

use super::Explanation;
use super::observe::{Step, Subject};
use crate::frame::FrameId;
use crate::stack::{Cell, Stack, Status};
use crate::track::event::ResetMarks;

/// Frames that are named for a mark; more of the same tell no more.
const MOST_FRAMES: usize = 4;

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

/// Stacks of the table.
const STACKS: usize = Stack::all().len();

/// Something seen that tells stacks apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its name.
    pub name: &'static str,
    /// What was seen, for people.
    pub seen: Cow<'static, str>,
    /// The first frames that show it.
    pub frames: Vec<FrameId>,
    /// What it is worth to each stack, in the order of their table; nothing where it says nothing.
    worths: [Option<Worth>; STACKS],
}

impl Mark {
    /// A mark, judged for every stack of the table.
    pub(super) fn new(
        name: &'static str,
        seen: impl Into<Cow<'static, str>>,
        frames: impl IntoIterator<Item = FrameId>,
        judge: impl Fn(&Stack) -> Option<Worth>,
    ) -> Self {
        let mut shown: Vec<FrameId> = Vec::with_capacity(MOST_FRAMES);
        for frame in frames {
            if shown.len() == MOST_FRAMES {
                break;
            }
            if !shown.contains(&frame) {
                shown.push(frame);
            }
        }
        let mut worths = [None; STACKS];
        worths.iter_mut().zip(Stack::all()).for_each(|(worth, stack)| *worth = judge(stack));
        Self { name, seen: seen.into(), frames: shown, worths }
    }

    /// What it says, in the order of the table of stacks; of those left out it says nothing.
    pub fn opinions(&self) -> impl Iterator<Item = (&'static Stack, Worth)> {
        let all = Stack::all().iter().zip(&self.worths);
        all.filter_map(|(stack, worth)| Some((*stack, (*worth)?)))
    }

    /// What it is worth to a stack, if it says anything of it.
    pub fn worth(&self, stack: &str) -> Option<Worth> {
        self.opinions().find(|(known, _)| known.name == stack).map(|(_, worth)| worth)
    }

    /// The same for a stack of the table by its place there.
    fn worth_to(&self, index: usize) -> Option<Worth> {
        self.worths.get(index).copied().flatten()
    }

    /// The stacks to which it is worth as much.
    pub fn stacks(&self, worth: Worth) -> impl Iterator<Item = &'static Stack> {
        self.opinions().filter(move |(_, known)| *known == worth).map(|(stack, _)| stack)
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
            marks.probing = probe::marks(subject);
            marks.probing.extend(ending::marks(subject, reset, given_up_after));
        }
        marks
    }

    /// What they leave of the score of a stack, by its place in the table: 1 if nothing speaks against it, 0 if something refutes it.
    pub(super) fn weigh(&self, index: usize) -> f64 {
        let all = self.probing.iter().chain(&self.answering);
        all.filter_map(|mark| mark.worth_to(index)).map(Worth::factor).product()
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

/// How far apart the probes are. Those of which no setting explains it are refuted; how well the others explain
/// it is in the score as the fit, so of them it says only which do.
pub(super) fn spacing(
    subject: &Subject<'_>,
    steps: &[Step],
    settings: &[Explanation],
    untimely: &[&'static str],
) -> Option<Mark> {
    let gaps: Vec<i64> = match steps.iter().filter_map(|step| step.run_gap()).collect::<Vec<i64>>() {
        runs if runs.is_empty() => steps.iter().filter_map(|step| step.silence()).collect(),
        runs => runs,
    };
    let (shortest, longest) = (*gaps.iter().min()?, *gaps.iter().max()?);
    let seen = if gaps.len() > 1 && is_growing(&gaps) {
        format!("growing from {} to {}", millis(shortest), millis(longest))
    } else if longest - shortest < 1_000_000 {
        millis(shortest)
    } else {
        format!("{} to {}", millis(shortest), millis(longest))
    };
    let frames = subject.prober.probes.iter().map(|probe| probe.segment.at.frame);
    Some(Mark::new("spacing", seen, frames, |stack| {
        if untimely.contains(&stack.name) {
            return Some(Worth::Refutes);
        }
        settings.iter().any(|found| found.stack == stack.name).then_some(Worth::Supports)
    }))
}

fn is_growing(gaps: &[i64]) -> bool {
    gaps.iter().zip(gaps.iter().skip(1)).all(|(one, next)| next.saturating_mul(2) >= one.saturating_mul(3))
}

fn millis(nanos: i64) -> String {
    let millis = nanos.saturating_add(500_000).div_euclid(1_000_000);
    format!("{}.{:03} s", millis.div_euclid(1000), millis.rem_euclid(1000))
}
