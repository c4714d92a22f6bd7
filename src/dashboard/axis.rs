//! A time axis of so many columns on which long silences are folded.
//!
//! Owns [`Axis`]. Its size depends on the columns and never on how much time it shows. Pure.

use crate::time::{Span, Timestamp};

/// Columns that a folded silence takes.
const FOLDED: u16 = 2;

/// How many times as long as the others a silence is that is folded.
const STANDS_OUT: i64 = 4;

/// What is left when all long silences are folded is not worth more room if it is less than this: round trips.
const WORTH_SEEING: Span = Span::from_millis(500);

/// Where a stretch of time stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
    /// Its first column.
    pub column: u16,
    /// How many it takes.
    pub columns: u16,
    /// A silence that takes less room than its length asks for.
    pub folded: bool,
}

/// Columns for times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Axis {
    pieces: Vec<Piece>,
}

impl Axis {
    /// An axis without folds.
    pub fn plain(from: Timestamp, to: Timestamp, columns: u16) -> Axis {
        Axis { pieces: vec![Piece { from, to, column: 0, columns: columns.max(1), folded: false }] }
    }

    /// An axis from one time to another on which the longest of `gaps` are folded, where they take most of the
    /// room and are much longer than the others: two hours of silence between probes a minute apart.
    pub fn folding(from: Timestamp, to: Timestamp, gaps: &[(Timestamp, Timestamp)], columns: u16) -> Axis {
        let columns = columns.max(1);
        let total = to.since(from).as_nanos().max(1);
        let mut inside: Vec<(Timestamp, Timestamp)> =
            gaps.iter().copied().filter(|(begin, end)| *begin >= from && *end <= to && end > begin).collect();
        inside.sort_by_key(|(begin, end)| (std::cmp::Reverse(end.since(*begin)), *begin));
        let length = |index: usize| inside.get(index).map_or(0, |(begin, end)| end.since(*begin).as_nanos());
        // Half of the columns at least is for what is not folded.
        let most = inside.len().min(usize::from(columns / 2 / (FOLDED + 1)));
        let mut left = total;
        let folded = (0..most).find(|index| {
            left = left.saturating_sub(length(*index));
            let stands_out = length(*index) >= length(index + 1).saturating_mul(STANDS_OUT);
            // Many silences of a kind are the matter itself where little else is left.
            let least = if *index == 0 { 0 } else { (total - left) / 100 };
            stands_out && left <= total / 3 && left >= least.max(WORTH_SEEING.as_nanos())
        });
        let Some(last) = folded else { return Axis::plain(from, to, columns) };
        inside.truncate(last + 1);
        inside.sort_unstable();
        // Each stretch between folds has one column at least.
        let room = columns.saturating_sub(inside.len() as u16 * (FOLDED + 1) + 1);
        Axis { pieces: lay_out(from, to, &inside, room, left.max(1)) }
    }

    /// The pieces from left to right.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The column of a time; nothing outside of the axis.
    pub fn column(&self, time: Timestamp) -> Option<u16> {
        let piece = self.pieces.iter().find(|piece| piece.from <= time && time <= piece.to)?;
        let length = i128::from(piece.to.since(piece.from).as_nanos().max(1));
        let gone = i128::from(time.since(piece.from).as_nanos());
        let last = i128::from(piece.columns.saturating_sub(1));
        let within = (gone * i128::from(piece.columns) / length).min(last);
        Some(piece.column + within as u16)
    }

    /// The time at which a column begins.
    pub fn time(&self, column: u16) -> Timestamp {
        let piece = self.pieces.iter().rev().find(|piece| piece.column <= column).or(self.pieces.first());
        let Some(piece) = piece else { return Timestamp::default() };
        let length = i128::from(piece.to.since(piece.from).as_nanos());
        let gone =
            length * i128::from(column.saturating_sub(piece.column)) / i128::from(piece.columns.max(1));
        piece.from.plus(Span::from_nanos(i64::try_from(gone).unwrap_or(i64::MAX))).min(piece.to)
    }
}

/// Gives each stretch between the folds its share of the room.
fn lay_out(
    from: Timestamp,
    to: Timestamp,
    folds: &[(Timestamp, Timestamp)],
    room: u16,
    length: i64,
) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(folds.len() * 2 + 1);
    let (mut column, mut time) = (0_u16, from);
    let mut gone = 0_i128;
    let mut given = 0_u16;
    let stretch = |begin: Timestamp, end: Timestamp, column: &mut u16, gone: &mut i128, given: &mut u16| {
        *gone += i128::from(end.since(begin).as_nanos());
        let upto = (*gone * i128::from(room) / i128::from(length)).clamp(0, i128::from(room)) as u16;
        let columns = 1 + upto.saturating_sub(*given);
        *given = upto;
        let piece = Piece { from: begin, to: end, column: *column, columns, folded: false };
        *column += columns;
        piece
    };
    for (begin, end) in folds {
        pieces.push(stretch(time, *begin, &mut column, &mut gone, &mut given));
        pieces.push(Piece { from: *begin, to: *end, column, columns: FOLDED, folded: true });
        column += FOLDED;
        time = *end;
    }
    pieces.push(stretch(time, to, &mut column, &mut gone, &mut given));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_plain_axis_is_even() {
        let axis = Axis::plain(at(0), at(100), 50);
        assert_eq!(axis.column(at(0)), Some(0));
        assert_eq!(axis.column(at(50)), Some(25));
        assert_eq!(axis.column(at(100)), Some(49));
        assert_eq!(axis.column(at(101)), None);
        assert_eq!(axis.time(25), at(50));
    }

    #[test]
    fn what_is_even_stays_even() {
        let gaps: Vec<(Timestamp, Timestamp)> = (0..9).map(|gap| (at(gap * 60), at(gap * 60 + 60))).collect();
        assert_eq!(Axis::folding(at(0), at(541), &gaps, 100), Axis::plain(at(0), at(541), 100));
        // Two hours before each of three runs of probes 75 s apart.
        let run =
            |begin: i64| [(begin, begin + 7200), (begin + 7200, begin + 7275), (begin + 7275, begin + 7350)];
        let gaps: Vec<(Timestamp, Timestamp)> =
            [0, 7350, 14_700].into_iter().flat_map(run).map(|(from, to)| (at(from), at(to))).collect();
        let axis = Axis::folding(at(0), at(22_050), &gaps, 100);
        assert_eq!(axis.pieces().iter().filter(|piece| piece.folded).count(), 3, "{axis:?}");
    }

    #[test]
    fn long_silences_are_folded_and_times_keep_their_order() {
        let axis = Axis::folding(at(0), at(100_000), &[(at(10), at(90_000))], 60);
        assert!(axis.pieces().iter().any(|piece| piece.folded), "{axis:?}");
        let columns: Vec<u16> =
            [0, 5, 10, 50_000, 90_000, 95_000, 100_000].map(|time| axis.column(at(time)).unwrap()).to_vec();
        assert!(columns.is_sorted(), "{columns:?}");
        assert!(columns.iter().all(|column| *column < 60));
        for column in 0..60 {
            let back = axis.column(axis.time(column)).unwrap();
            assert!(back <= column, "column {column} begins in {back}");
        }
    }
}
