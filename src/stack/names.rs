//! Finding a row by name, and what comes near a name that no row has.
//!
//! Owns the comparison of names. Uses nothing of the crate.

use std::fmt;

/// A name that nothing has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The name as given.
    pub name: String,
    /// The names that come nearest, best first.
    pub nearest: Vec<&'static str>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing is called {:?}", self.name)?;
        for (index, near) in self.nearest.iter().enumerate() {
            f.write_str(if index == 0 { "; did you mean " } else { " or " })?;
            f.write_str(near)?;
        }
        if self.nearest.is_empty() { Ok(()) } else { f.write_str("?") }
    }
}

impl std::error::Error for Unknown {}

/// How many names are suggested.
const SUGGESTIONS: usize = 3;

/// The row with that name or alias.
pub(crate) fn find<R: Copy>(
    name: &str,
    rows: impl Iterator<Item = R>,
    names_of: impl Fn(R) -> (&'static str, &'static [&'static str]),
) -> Result<R, Unknown> {
    let wanted = name.trim().to_ascii_lowercase();
    let mut near: Vec<(usize, &'static str)> = Vec::new();
    for row in rows {
        let (own, aliases) = names_of(row);
        let names = || std::iter::once(own).chain(aliases.iter().copied());
        if names().any(|known| known == wanted) {
            return Ok(row);
        }
        let best = names().filter_map(|known| Some((distance_if_near(&wanted, known)?, known))).min();
        near.extend(best);
    }
    near.sort();
    near.truncate(SUGGESTIONS);
    Err(Unknown { name: name.to_owned(), nearest: near.into_iter().map(|(_, name)| name).collect() })
}

/// Of these names the one that comes nearest, if one comes near enough to be meant.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.trim().to_ascii_lowercase();
    known
        .into_iter()
        .filter_map(|name| Some((distance_if_near(&wanted, name)?, name)))
        .min()
        .map(|(_, name)| name)
}

impl Unknown {
    /// One answer out of two tables that both have no such name.
    pub fn or(self, other: Unknown) -> Unknown {
        let mut near: Vec<(usize, &'static str)> = self
            .nearest
            .into_iter()
            .chain(other.nearest)
            .filter_map(|known| {
                Some((distance_if_near(&self.name.trim().to_ascii_lowercase(), known)?, known))
            })
            .collect();
        near.sort();
        near.dedup();
        near.truncate(SUGGESTIONS);
        Unknown { name: self.name, nearest: near.into_iter().map(|(_, name)| name).collect() }
    }
}

/// How far two names lie apart, if near enough to be meant: few letters wrong, or one begins the other.
fn distance_if_near(wanted: &str, known: &str) -> Option<usize> {
    if wanted.is_empty() || wanted.len() > 64 {
        return None;
    }
    if wanted.len() >= 2 && (known.starts_with(wanted) || wanted.starts_with(known) && known.len() >= 3) {
        return Some(0);
    }
    let distance = distance(wanted, known);
    (distance <= 1 + wanted.chars().count() / 4).then_some(distance)
}

/// Letters to insert, delete, replace or swap with their neighbour to get from one to the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    let mut last_letter = None;
    for (row, letter) in one.chars().enumerate() {
        let mut line = vec![row + 1];
        let mut left_other = None;
        for (column, &opposite) in other.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (at(&above, column) + usize::from(letter != opposite))
                .min(at(&above, column + 1) + 1)
                .min(at(&line, column) + 1);
            if last_letter == Some(opposite) && left_other == Some(letter) {
                cost = cost.min(at(&before, column.wrapping_sub(1)) + 1);
            }
            line.push(cost);
            left_other = Some(opposite);
        }
        before = std::mem::replace(&mut above, line);
        last_letter = Some(letter);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        assert_eq!(distance("linux", "linux"), 0);
        assert_eq!(distance("linx", "linux"), 1);
        assert_eq!(distance("lunix", "linux"), 2);
        assert_eq!(distance("ilnux", "linux"), 1);
        assert_eq!(distance("", "linux"), 5);
    }
}
