//! Lines with keys and values, and times as configuration files write them.

use crate::time::Span;

/// A line that says something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u32,
    /// The first word.
    pub(super) key: &'a str,
    /// The rest, without the comment behind it.
    pub(super) value: &'a str,
}

/// The lines that say something; `separators` may stand between key and value beside blanks, and any of `comments`
/// begins a comment, at the beginning of a line or after a blank.
pub(super) fn lines<'a>(
    text: &'a str,
    separators: &'a [char],
    comments: &'a [char],
) -> impl Iterator<Item = Line<'a>> {
    (1..).zip(text.lines()).filter_map(move |(number, line)| {
        let line = without_comment(line, comments).trim();
        let is_end = |letter: char| letter.is_whitespace() || separators.contains(&letter);
        let (key, value) = line.split_once(is_end).unwrap_or((line, ""));
        let value = value.trim_start_matches(is_end).trim();
        (!key.is_empty()).then_some(Line { number, key, value })
    })
}

fn without_comment<'a>(line: &'a str, comments: &[char]) -> &'a str {
    let mut before = None;
    let mut quote = None;
    for (position, letter) in line.char_indices() {
        match quote {
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            None => {
                if comments.contains(&letter) && before.is_none_or(char::is_whitespace) {
                    return line.get(..position).unwrap_or(line);
                }
            }
        }
        before = Some(letter);
    }
    line
}

/// A value without the quotes around it.
pub(super) fn unquoted(value: &str) -> &str {
    let inner = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inner('\'').or_else(|| inner('"')).unwrap_or(value)
}

/// The units of a program, in nanoseconds, longest names first.
pub(super) type Units = &'static [(&'static str, i64)];

const MICRO: i64 = 1_000;
const MILLI: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Of PostgreSQL.
pub(super) const OF_POSTGRESQL: Units =
    &[("min", MINUTE), ("us", MICRO), ("ms", MILLI), ("s", SECOND), ("h", HOUR), ("d", DAY)];

/// Of nginx.
pub(super) const OF_NGINX: Units = &[
    ("ms", MILLI),
    ("s", SECOND),
    ("m", MINUTE),
    ("h", HOUR),
    ("d", DAY),
    ("w", 7 * DAY),
    ("M", 30 * DAY),
    ("y", 365 * DAY),
];

/// Of HAProxy.
pub(super) const OF_HAPROXY: Units =
    &[("us", MICRO), ("ms", MILLI), ("s", SECOND), ("m", MINUTE), ("h", HOUR), ("d", DAY)];

/// Of OpenSSH, in either case.
pub(super) const OF_OPENSSH: Units = &[
    ("s", SECOND),
    ("S", SECOND),
    ("m", MINUTE),
    ("M", MINUTE),
    ("h", HOUR),
    ("H", HOUR),
    ("d", DAY),
    ("D", DAY),
    ("w", 7 * DAY),
    ("W", 7 * DAY),
];

/// A time: numbers, each with a unit; the last may go without and counts in `bare` nanoseconds then.
pub(super) fn time(text: &str, units: Units, bare: i64) -> Option<Span> {
    let mut rest = text.trim();
    let mut nanos: i64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (number, behind) = rest.split_at_checked(digits)?;
        let number: i64 = number.parse().ok()?;
        let behind = behind.trim_start();
        let length = behind.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at_checked(length)?;
        let unit = match unit {
            "" if behind.is_empty() => bare,
            unit => units.iter().find(|(name, _)| *name == unit).map(|(_, nanos)| *nanos)?,
        };
        nanos = nanos.checked_add(number.checked_mul(unit)?)?;
        rest = behind.trim_start();
    }
    Some(Span::from_nanos(nanos))
}

/// A bare number in seconds.
pub(super) const SECONDS: i64 = SECOND;

/// A bare number in milliseconds.
pub(super) const MILLISECONDS: i64 = MILLI;
