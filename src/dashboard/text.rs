//! Text that is fit for a terminal: cleaned, cut to width, times and spans in words.
//!
//! Whatever comes from packets, names or files goes through [`clean`]. Pure.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::printable::printable;
use crate::time::{Span, Timestamp};

/// The text without characters that do something to a terminal: control characters, and marks that turn the
/// direction of what follows.
pub fn clean(text: &str) -> Cow<'_, str> {
    printable(text, '?')
}

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text cut or filled up to just so many columns; `cut` stands at the end of what was cut.
pub fn fit(text: &str, columns: usize, cut: char) -> String {
    let mut fitted = shorten(text, columns, cut).into_owned();
    let missing = columns.saturating_sub(width(&fitted));
    fitted.extend(std::iter::repeat_n(' ', missing));
    fitted
}

/// The same, with the text at the right.
pub fn fit_right(text: &str, columns: usize, cut: char) -> String {
    let short = shorten(text, columns, cut);
    let missing = columns.saturating_sub(width(&short));
    format!("{}{short}", " ".repeat(missing))
}

/// The text in at most so many columns.
pub fn shorten(text: &str, columns: usize, cut: char) -> Cow<'_, str> {
    if width(text) <= columns {
        return text.into();
    }
    let mut short = String::new();
    let mut taken = 0;
    for letter in text.chars() {
        let wide = letter.width().unwrap_or(0);
        if taken + wide + 1 > columns {
            break;
        }
        taken += wide;
        short.push(letter);
    }
    if columns > 0 {
        short.push(cut);
    }
    short.into()
}

/// The text in lines of at most so many columns, broken at spaces.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// A span in seconds with three digits.
pub fn seconds(span: Span) -> String {
    let millis = (i128::from(span.as_nanos()) + 500_000).div_euclid(1_000_000);
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03} s", millis / 1000, millis % 1000)
}

/// A span in the unit that suits it, in few columns: `38 us`, `21.1 ms`, `12.0 s`, `5m50s`, `2h04m`.
pub fn brief(span: Span) -> String {
    let nanos = span.as_nanos().max(0);
    let whole = nanos / 1_000_000_000;
    match nanos {
        0..1_000_000 => format!("{} us", nanos / 1_000),
        1_000_000..1_000_000_000 => format!("{}.{} ms", nanos / 1_000_000, nanos / 100_000 % 10),
        1_000_000_000..60_000_000_000 => format!("{whole}.{} s", nanos / 100_000_000 % 10),
        60_000_000_000..3_600_000_000_000 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ if whole < 86_400 => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
        _ => format!("{}d{:02}h", whole / 86_400, whole / 3600 % 24),
    }
}

/// A time of day in UTC with milliseconds.
pub fn utc(time: Timestamp) -> String {
    let millis = time.as_nanos().div_euclid(1_000_000);
    let (seconds, millis) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    let day = seconds.rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}.{millis:03}", day / 3600, day / 60 % 60, day % 60)
}

/// A time of day in UTC, to the second.
pub fn time_of_day(time: Timestamp) -> String {
    let whole = utc(time);
    whole.split_once('.').map_or(whole.clone(), |(seconds, _)| seconds.to_owned())
}

/// A date in UTC.
pub fn date(time: Timestamp) -> String {
    // From days to a civil date; eras of 400 years begin on the first of March.
    let days = time.as_nanos().div_euclid(86_400_000_000_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A number with its noun.
pub fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_moves_it() {
        assert_eq!(clean("a\x1b[2Jb\u{202e}c\nd\u{9b}"), "a?[2Jb?c?d?");
        assert_eq!(clean("plain – text"), "plain – text");
    }

    #[test]
    fn text_is_cut_by_columns() {
        assert_eq!(fit("abc", 5, '~'), "abc  ");
        assert_eq!(fit("abcdef", 4, '~'), "abc~");
        assert_eq!(fit("日本語", 4, '~'), "日~ ");
        assert_eq!(fit_right("7", 3, '~'), "  7");
        assert_eq!(fit("abc", 0, '~'), "");
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
    }

    #[test]
    fn times_are_written_briefly() {
        let spans =
            [38_000, 21_140_000, 12_000_000_000, 350_000_000_000, 7_440_000_000_000, 180_000_000_000_000];
        let brief: Vec<String> = spans.map(|nanos| brief(Span::from_nanos(nanos))).to_vec();
        assert_eq!(brief, ["38 us", "21.1 ms", "12.0 s", "5m50s", "2h04m", "2d02h"]);
        let time = Timestamp::from_nanos(1_709_210_096_007_000_000);
        assert_eq!((date(time).as_str(), utc(time).as_str()), ("2024-02-29", "12:34:56.007"));
        assert_eq!(date(Timestamp::from_nanos(-1)), "1969-12-31");
        assert_eq!(seconds(Span::from_nanos(-1_500_400_000)), "-1.500 s");
    }
}
