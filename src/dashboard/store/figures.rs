//! What was measured of a connection, for columns, sorting and filters.

use crate::analysis::filter::{Amounts, Quantity, Subject, best_explanation};
use crate::analysis::{ConnectionRecord, Outcome};
use crate::time::Span;
use crate::track::event::{ConnectionId, Opened};

/// How much there is of everything that can be compared, and whose probes it looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    amounts: [Option<i64>; Quantity::ALL.len()],
    /// The name of the stack that explains the probes best.
    pub stack: Option<&'static str>,
}

impl Figures {
    /// What a record has.
    pub fn of(record: &ConnectionRecord) -> Self {
        let amounts = Quantity::ALL.map(|quantity| quantity.of(record));
        Self { amounts, stack: best_explanation(record).map(|best| best.stack) }
    }

    /// So much of something: nanoseconds where it is a time.
    pub fn amount(&self, quantity: Quantity) -> Option<i64> {
        self.amounts.get(quantity as usize).copied().flatten()
    }

    /// So much time of something.
    pub fn span(&self, quantity: Quantity) -> Option<Span> {
        self.amount(quantity).map(Span::from_nanos)
    }
}

/// A connection at the moment shown, as a filter is asked about it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its number.
    pub id: ConnectionId,
    /// Its ends.
    pub opened: &'a Opened,
    /// What became of it.
    pub outcome: Option<Outcome>,
    /// What was measured, where that matters.
    pub figures: Option<&'a Figures>,
}

impl Subject for Asked<'_> {
    fn opened(&self) -> &Opened {
        self.opened
    }

    fn number(&self) -> Option<u64> {
        Some(self.id.0)
    }

    fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    fn amounts(&self) -> Option<&dyn Amounts> {
        self.figures.map(|figures| figures as &dyn Amounts)
    }
}

impl Amounts for Figures {
    fn amount(&self, quantity: Quantity) -> Option<i64> {
        Figures::amount(self, quantity)
    }

    fn stack(&self) -> Option<&str> {
        self.stack
    }
}
