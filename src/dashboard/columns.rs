//! The columns of the table: what there is, what is shown, and by what it is sorted.
//!
//! Owns [`Column`] and [`Columns`]. Pure.

use crate::analysis::filter::Quantity;

/// A column of the table of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The number of the connection.
    Number,
    /// Both ends.
    Ends,
    /// When its first packet came, since the first of all.
    First,
    /// From its first packet to its last.
    Duration,
    /// The idle time that explains its probes best.
    Idle,
    /// The interval.
    Interval,
    /// The count.
    Count,
    /// Probes of both ends.
    Probes,
    /// Those without an answer.
    Lost,
    /// The middle one of the round trips of its probes.
    RttMedian,
    /// The one that 99 % of them do not exceed.
    RttHigh,
    /// The longest time without a packet that a probe ended.
    Gap,
    /// Packets of both ends.
    Packets,
    /// The stack that explains its probes best.
    Stack,
    /// What became of it.
    Verdict,
}

/// A column as it stands in the table.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Its heading, and its name where it is chosen.
    pub heading: &'static str,
    /// What it holds, in a few words.
    pub words: &'static str,
    /// How wide it is; 0 for what takes the rest.
    pub width: usize,
    /// As the table narrows, the columns of the lowest number go first, all of them at once. Those that somebody
    /// has to choose stay longer than those that are there anyway.
    pub rank: u8,
}

impl Column {
    /// All of them, from left to right.
    pub const ALL: [Column; 15] = [
        Column::Number,
        Column::Ends,
        Column::First,
        Column::Duration,
        Column::Idle,
        Column::Interval,
        Column::Count,
        Column::Probes,
        Column::Lost,
        Column::RttMedian,
        Column::RttHigh,
        Column::Gap,
        Column::Packets,
        Column::Stack,
        Column::Verdict,
    ];

    /// What it is called in the configuration file.
    pub const fn name(self) -> &'static str {
        match self {
            Column::Number => "number",
            Column::Ends => "ends",
            Column::First => "first",
            Column::Duration => "duration",
            Column::Idle => "idle",
            Column::Interval => "interval",
            Column::Count => "count",
            Column::Probes => "probes",
            Column::Lost => "lost",
            Column::RttMedian => "rtt",
            Column::RttHigh => "rtt_p99",
            Column::Gap => "gap",
            Column::Packets => "packets",
            Column::Stack => "stack",
            Column::Verdict => "verdict",
        }
    }

    /// How it stands in the table.
    pub const fn shape(self) -> Shape {
        let (heading, words, width, rank) = match self {
            Column::Number => ("#", "number of the connection", 6, 20),
            Column::Ends => ("client > server", "both ends", 0, 21),
            Column::First => ("first", "first packet, since the first of all", 10, 3),
            Column::Duration => ("dur", "from its first packet to its last", 8, 4),
            Column::Idle => ("idle~", "idle time that explains its probes best", 8, 1),
            Column::Interval => ("intvl~", "interval that does", 8, 1),
            Column::Count => ("cnt~", "count that does", 5, 1),
            Column::Probes => ("KA", "probes of both ends", 6, 9),
            Column::Lost => ("lost", "probes without an answer", 6, 10),
            Column::RttMedian => ("rtt p50", "middle round trip of its probes", 9, 2),
            Column::RttHigh => ("rtt p99", "99 % of them are no longer", 9, 8),
            Column::Gap => ("gap", "longest silence that a probe ended", 8, 7),
            Column::Packets => ("packets", "packets of both ends", 9, 6),
            Column::Stack => ("stack~", "stack that explains its probes best", 12, 5),
            Column::Verdict => ("verdict", "what became of it", 16, 22),
        };
        Shape { heading, words, width, rank }
    }

    /// What is compared where it is sorted by this: the greatest first. Nothing for what has an order of its own.
    pub const fn quantity(self) -> Option<Quantity> {
        match self {
            Column::Duration => Some(Quantity::Duration),
            Column::Idle => Some(Quantity::Idle),
            Column::Interval => Some(Quantity::Interval),
            Column::Count => Some(Quantity::Count),
            Column::RttMedian => Some(Quantity::RttMedian),
            Column::RttHigh => Some(Quantity::RttHigh),
            Column::Gap => Some(Quantity::Gap),
            Column::Packets => Some(Quantity::Packets),
            Column::Probes => Some(Quantity::Probes),
            Column::Lost => Some(Quantity::Lost),
            Column::Number | Column::Ends | Column::First | Column::Stack | Column::Verdict => None,
        }
    }

    /// Whether it takes a look at all probes of a connection.
    pub const fn is_measured(self) -> bool {
        matches!(
            self,
            Column::Idle
                | Column::Interval
                | Column::Count
                | Column::RttMedian
                | Column::RttHigh
                | Column::Gap
                | Column::Stack
        )
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The least that is left for the ends of a connection.
const ENDS: usize = 27;

/// Which columns are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns(u32);

impl Default for Columns {
    fn default() -> Self {
        let optional = [Column::RttHigh, Column::Gap, Column::Packets, Column::Stack];
        let mut columns = Columns(Column::ALL.iter().fold(0, |bits, column| bits | column.bit()));
        optional.into_iter().for_each(|column| columns.toggle(column));
        columns
    }
}

impl Columns {
    /// These, with both ends and the verdict, without which there is no table.
    pub fn of(columns: &[Column]) -> Self {
        let always = [Column::Ends, Column::Verdict];
        Columns(columns.iter().chain(&always).fold(0, |bits, column| bits | column.bit()))
    }

    /// Whether a column is wanted.
    pub const fn has(self, column: Column) -> bool {
        self.0 & column.bit() != 0
    }

    /// Wants a column, or no longer. Without ends and verdict there is no table.
    pub fn toggle(&mut self, column: Column) {
        if !matches!(column, Column::Ends | Column::Verdict) {
            self.0 ^= column.bit();
        }
    }

    /// The columns for which there is room, with their widths.
    pub fn fitting(self, width: usize) -> Vec<(Column, usize)> {
        let mut shown: Vec<Column> = Column::ALL.into_iter().filter(|column| self.has(*column)).collect();
        loop {
            // The pointer stands before all of them.
            let fixed: usize = shown.iter().map(|column| column.shape().width).sum::<usize>() + 2;
            let left = width.saturating_sub(fixed);
            let lowest = shown.iter().map(|column| column.shape().rank).min();
            if let Some(lowest) = lowest.filter(|lowest| left < ENDS && *lowest < Column::Probes.shape().rank)
            {
                shown.retain(|column| column.shape().rank != lowest);
                continue;
            }
            let wide = |column: Column| if column == Column::Ends { left } else { column.shape().width };
            return shown.into_iter().map(|column| (column, wide(column))).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headings(columns: Columns, width: usize) -> String {
        let shown: Vec<&str> =
            columns.fitting(width).iter().map(|(column, _)| column.shape().heading).collect();
        shown.join(" ")
    }

    #[test]
    fn columns_go_in_a_fixed_order_as_the_table_narrows() {
        let mut all = Columns::default();
        for column in [Column::RttHigh, Column::Gap, Column::Packets, Column::Stack] {
            assert!(!all.has(column));
            all.toggle(column);
        }
        let most = "# client > server first dur idle~ intvl~ cnt~ KA lost rtt p50 rtt p99 gap packets stack~ verdict";
        assert_eq!(headings(all, 200), most);
        let mut before = usize::MAX;
        for width in (0..200).rev() {
            let now = all.fitting(width).len();
            assert!(now <= before && now >= 5, "{width}");
            before = now;
        }
        assert_eq!(headings(Columns::default(), 98), "# client > server first dur KA lost rtt p50 verdict");
        let mut chosen = Columns::default();
        chosen.toggle(Column::Packets);
        assert_eq!(headings(chosen, 98), "# client > server first dur KA lost packets verdict");
        assert_eq!(headings(all, 30), "# client > server KA lost verdict");
        all.toggle(Column::Ends);
        assert!(all.has(Column::Ends));
    }
}
