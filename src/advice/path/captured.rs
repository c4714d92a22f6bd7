//! What captures showed of a path: the document `keepscope.bounds/1`.
//!
//! Owns its reading. Of each direction the longest silence that was survived is safe, and none beyond the shortest that
//! was not; of several directions and paths the worst counts.

use serde_json::Value;

use super::{Owner, Path, PathError, seconds};
use crate::stack::value::seconds as shown;
use crate::time::Span;

/// Of one direction of one path.
struct Bounds {
    alive: Option<Span>,
    dead: Option<Span>,
    /// What survived proves less than it seems to.
    weak: bool,
}

impl Bounds {
    fn of(direction: &Value) -> Bounds {
        let span = |key: &str| direction.get(key).and_then(Value::as_f64).and_then(seconds);
        let doubts = direction.get("lower").and_then(|lower| lower.get("weak")).and_then(Value::as_array);
        let weak = doubts.is_some_and(|doubts| !doubts.is_empty());
        Bounds { alive: span("longest_alive_s"), dead: span("shortest_dead_s"), weak }
    }

    /// What is safe: survived, and shorter than whatever was not.
    fn safe(&self) -> Option<Span> {
        let alive = self.alive?;
        Some(self.dead.map_or(alive, |dead| dead.min(alive)))
    }
}

/// From such a document.
pub(super) fn path(document: &Value) -> Result<Path, PathError> {
    let list = |of: &Value, key: &str| of.get(key).and_then(Value::as_array).cloned();
    let paths = list(document, "paths").ok_or_else(|| PathError::NoResult("it has no paths".to_owned()))?;
    let of_path = |path: &Value| list(path, "directions").unwrap_or_default();
    let known = |bounds: &Bounds| bounds.alive.is_some() || bounds.dead.is_some();
    let all: Vec<Bounds> =
        paths.iter().flat_map(of_path).map(|direction| Bounds::of(&direction)).filter(known).collect();
    // Where one direction died and the other was only not seen to, the one that died counts.
    let any_died = all.iter().any(|bounds| bounds.dead.is_some());
    let counted = || all.iter().filter(|bounds| !any_died || bounds.dead.is_some());
    let safe = counted().map(|bounds| bounds.safe().map(|safe| (safe, bounds.weak)));
    let worst = safe.collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().min());
    let (silence, weak) = worst.ok_or(PathError::NothingAlive)?;
    let mut learnt = match counted().filter_map(|bounds| bounds.dead).min() {
        Some(dead) => format!("captured: alive after it, dead after {}", shown(dead)),
        None => "captured: alive after it, and never seen dead; longer may hold as well".to_owned(),
    };
    if paths.len() > 1 {
        learnt.push_str(&format!("; the worst of {} paths", paths.len()));
    }
    if weak {
        learnt.push_str("; what survived is weak evidence");
    }
    Ok(Path { owner: Owner::Tracker, learnt, ..Path::of_silence(silence)? })
}
