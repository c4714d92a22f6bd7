//! Silences on a logarithmic scale: which were survived, which were not, and what lies between.

use crate::dashboard::middlebox::words::{roughly, silence};
use crate::dashboard::middlebox::{Hunt, Standing};
use crate::dashboard::theme::Role;
use crate::dashboard::view::pen::Pen;
use crate::product::Product;
use crate::time::Span;

/// What can stand beside the scale, in seconds.
const LABELS: [i64; 22] = [
    3, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800,
    345_600, 604_800, 864_000,
];

/// From a silence to its column.
#[derive(Clone, Copy, Debug)]
struct Scale {
    least: f64,
    most: f64,
    columns: u16,
}

impl Scale {
    fn new(standing: &Standing<'_>, columns: u16) -> Self {
        let view = &standing.moment.view;
        let seen = standing.trials.iter().map(|trial| trial.last_idle).max().unwrap_or(view.max);
        // A rung above what is asked for has its place.
        let (least, most) = (logarithm(view.min), logarithm(view.max.max(seen)));
        Self { least: least - 0.1, most: (most + 0.1).max(least + 1.0), columns: columns.max(2) }
    }

    /// The column of a silence; the first or the last if it lies outside.
    fn column(&self, silence: Span) -> u16 {
        let share = (logarithm(silence) - self.least) / (self.most - self.least);
        (share.clamp(0.0, 1.0) * f64::from(self.columns - 1)).round() as u16
    }

    fn holds(&self, silence: Span) -> bool {
        (self.least..=self.most).contains(&logarithm(silence))
    }
}

fn logarithm(silence: Span) -> f64 {
    (silence.as_nanos().max(1) as f64 / 1e9).ln()
}

pub(super) fn draw(hunt: &Hunt, standing: &Standing<'_>, pen: &mut Pen<'_>) {
    let view = &standing.moment.view;
    let left = match standing.left() {
        _ if view.verdict.is_some() => "done".to_owned(),
        (least, most) if roughly(least) == roughly(most) => format!("{} left", roughly(most)),
        (least, most) => format!("{}..{} left", roughly(least), roughly(most)),
    };
    let title = format!("Search ({}): {}", view.phase.name(), hunt.subject);
    let mut pen = pen.panel(&title, &left, false);
    let scale = Scale::new(standing, pen.width());
    labels(&scale, &mut pen);
    marks(&scale, standing, &mut pen);
    running(&scale, standing, &mut pen);
    let mut y = 3;
    if pen.height() > 4 {
        known(&scale, &mut pen);
        y = 4;
    }
    words(standing, y, &mut pen);
    if pen.height() > y + 1 {
        pen.put(
            1,
            y + 1,
            "* survived   x died   ? between   > silent now   . to be tried   : products",
            Role::Faint,
        );
    }
}

fn labels(scale: &Scale, pen: &mut Pen<'_>) {
    let mut free = 0;
    for seconds in LABELS {
        let span = Span::from_secs(seconds);
        let column = scale.column(span);
        let name = label(seconds);
        if scale.holds(span) && column >= free && usize::from(column) + name.len() <= usize::from(pen.width())
        {
            free = pen.put(column, 0, &name, Role::Faint) + 1;
        }
    }
}

/// A round silence in as few columns as it takes.
fn label(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn marks(scale: &Scale, standing: &Standing<'_>, pen: &mut Pen<'_>) {
    let view = &standing.moment.view;
    let line = pen.theme().glyphs().across.repeat(usize::from(pen.width()));
    pen.put(0, 1, &line, Role::Frame);
    if view.verdict.is_none() {
        for rung in &view.rungs {
            pen.put(scale.column(*rung), 1, ".", Role::Text);
        }
    }
    let bounds = (view.longest_alive, view.shortest_dead.or(view.suspected_dead));
    if let (Some(alive), Some(dead)) = bounds {
        let (from, to) = (scale.column(alive.min(dead)), scale.column(alive.max(dead)));
        for column in from..=to {
            pen.put(column, 1, "?", Role::Doubt);
        }
    }
    for trial in standing.trials {
        if trial.lived() {
            pen.put(scale.column(trial.idle), 1, "*", Role::Good);
        } else if trial.death().is_some() {
            pen.put(scale.column(trial.last_idle), 1, "x", Role::Bad);
        }
    }
}

/// How many connections are so silent now.
fn running(scale: &Scale, standing: &Standing<'_>, pen: &mut Pen<'_>) {
    if standing.moment.view.verdict.is_some() {
        return;
    }
    let mut counts = vec![0_u32; usize::from(scale.columns)];
    for (_, age) in standing.silences() {
        if let Some(count) =
            scale.holds(age).then(|| counts.get_mut(usize::from(scale.column(age)))).flatten()
        {
            *count += 1;
        }
    }
    for (column, count) in (0..).zip(counts) {
        let sign = match count {
            0 => continue,
            1 => ">".to_owned(),
            2..10 => count.to_string(),
            _ => "+".to_owned(),
        };
        pen.put(column, 2, &sign, Role::Idle);
    }
}

/// The values that products come with.
fn known(scale: &Scale, pen: &mut Pen<'_>) {
    for (value, _) in Product::idle_timeouts() {
        if scale.holds(value) {
            pen.put(scale.column(value), 3, ":", Role::Interval);
        }
    }
}

/// The bounds in numbers.
fn words(standing: &Standing<'_>, y: u16, pen: &mut Pen<'_>) {
    let view = &standing.moment.view;
    let alive = view.longest_alive.map(silence);
    let dead = view.shortest_dead.map(silence);
    let suspected = view.suspected_dead.map(silence);
    let (text, role) = match (alive, dead, suspected) {
        (Some(alive), Some(dead), _) => (format!("survived {alive}   died of {dead}"), Role::Strong),
        (Some(alive), None, Some(suspected)) => {
            (format!("survived {alive}   one died of {suspected}, to be confirmed"), Role::Strong)
        }
        (Some(alive), None, None) => (format!("survived {alive}   nothing died yet"), Role::Strong),
        (None, Some(dead), _) => (format!("nothing survived yet   died of {dead}"), Role::Strong),
        (None, None, _) => ("no silence was long enough yet".to_owned(), Role::Text),
    };
    pen.put(1, y, &text, role);
}
