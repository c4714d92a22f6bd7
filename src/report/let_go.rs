//! How many connections were let go so that there were never too many, and what they were.

use serde::Serialize;

use super::text::plural;
use crate::track::LetGo;

/// The same for documents.
#[derive(Serialize)]
pub(super) struct LetGoLine {
    at_most: u64,
    half_open: u64,
    closed: u64,
    open: u64,
    doubtful: u64,
    with_keepalives: u64,
}

impl LetGoLine {
    /// Nothing where none were let go.
    pub(super) fn of(let_go: LetGo) -> Option<Self> {
        let LetGo { at_most, half_open, closed, open, doubtful, with_keepalives } = let_go;
        let line = Self { at_most, half_open, closed, open, doubtful, with_keepalives };
        (let_go.total() > 0).then_some(line)
    }
}

/// A sentence about them, if there were any.
pub fn sentence(let_go: LetGo) -> Option<String> {
    let kinds = [
        (let_go.half_open, "of which only SYNs were seen"),
        (let_go.closed, "closed"),
        (let_go.open, "open without keepalives"),
        (let_go.doubtful, "with what may be keepalives"),
        (let_go.with_keepalives, "with keepalives"),
    ];
    let kinds = kinds.into_iter().filter(|(count, _)| *count > 0);
    let kinds = kinds.map(|(count, kind)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ");
    (let_go.total() > 0).then(|| {
        let connections = plural(let_go.total(), "connection");
        format!(
            "{connections} let go early, as no more than {} are followed at once: {kinds}; what came of them later \
             counts anew",
            let_go.at_most
        )
    })
}
