//! Numbers, times and ends of a connection, added to a text.
//!
//! A summary has many lines that are made of these, so none of them is a text of its own first.

use std::fmt::Write;
use std::net::IpAddr;

use crate::segment::Endpoint;
use crate::time::Span;

const SECOND: u64 = 1_000_000_000;

/// A whole number.
pub(in crate::report) fn number(text: &mut String, number: u64) {
    if number >= 10 {
        self::number(text, number / 10);
    }
    text.push(digit(number));
}

fn digit(number: u64) -> char {
    // Less than ten, so it is one octet.
    char::from(b'0' + (number % 10) as u8)
}

/// A number with its noun.
pub(in crate::report) fn plural(text: &mut String, count: u64, noun: &str) {
    number(text, count);
    text.push(' ');
    text.push_str(noun);
    if count != 1 {
        text.push('s');
    }
}

/// A count of thousandths, with a unit of a thousand of them.
fn thousandths(text: &mut String, count: u64, unit: &str) {
    number(text, count / 1000);
    text.push('.');
    [count / 100, count / 10, count].into_iter().for_each(|part| text.push(digit(part)));
    text.push_str(unit);
}

/// A silence in seconds with three digits.
pub(in crate::report) fn silence(text: &mut String, span: Span) {
    let millis = (span.as_nanos() + 500_000).div_euclid(1_000_000);
    match u64::try_from(millis) {
        Ok(millis) => thousandths(text, millis, " s"),
        // A clock that was set back.
        Err(_) => add(text, format_args!("{}.{:03} s", millis / 1000, millis % 1000)),
    }
}

/// A round trip in the unit that suits it.
pub(in crate::report) fn round_trip(text: &mut String, span: Span) {
    match u64::try_from(span.as_nanos() / 1000) {
        Ok(micros @ 0..1_000) => {
            number(text, micros);
            text.push_str(" us");
        }
        Ok(micros @ 1_000..1_000_000) => thousandths(text, micros, " ms"),
        _ => silence(text, span),
    }
}

/// A setting in seconds, as few digits as are exact, without the unit.
pub(super) fn seconds(text: &mut String, span: Span) {
    let nanos = span.as_nanos();
    if nanos < 0 {
        text.push('-');
    }
    let nanos = nanos.unsigned_abs();
    number(text, nanos / SECOND);
    let (mut rest, mut place) = (nanos % SECOND, SECOND / 10);
    if rest > 0 {
        text.push('.');
    }
    while rest > 0 {
        text.push(digit(rest / place));
        rest %= place;
        place /= 10;
    }
}

/// One end of a connection.
pub(super) fn endpoint(text: &mut String, end: Endpoint) {
    let IpAddr::V4(address) = end.address else { return add(text, format_args!("{end}")) };
    let [first, rest @ ..] = address.octets();
    number(text, first.into());
    for octet in rest {
        text.push('.');
        number(text, octet.into());
    }
    text.push(':');
    number(text, end.port.into());
}

/// What is put together by somebody else.
pub(super) fn add(text: &mut String, words: std::fmt::Arguments<'_>) {
    // A String takes all that is written to it.
    let _ = text.write_fmt(words);
}

/// Words with something between them.
pub(super) fn joined(text: &mut String, between: &str, words: impl Iterator<Item = impl AsRef<str>>) {
    for (index, word) in words.enumerate() {
        if index > 0 {
            text.push_str(between);
        }
        text.push_str(word.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut String)) -> String {
        let mut text = String::new();
        write(&mut text);
        text
    }

    #[test]
    fn they_are_written_as_others_write_them() {
        let numbers = [0, 1, 9, 10, 99, 100, 12_345, 1_000_000, u64::MAX];
        for one in numbers {
            assert_eq!(written(|text| number(text, one)), one.to_string());
        }
        let spans = [0, 1, 7_000, 500_000_000, 999_999_999, 1_000_000_000, 7_200_000_000_000, 10_050_000_000];
        for span in spans.into_iter().flat_map(|nanos: i64| [nanos, -nanos]).map(Span::from_nanos) {
            let bare = written(|text| seconds(text, span));
            assert_eq!(format!("{bare} s"), crate::stack::value::seconds(span));
        }
        for end in ["192.0.2.1:443", "10.0.255.100:1", "[2001:db8::1]:65535", "[::ffff:192.0.2.1]:80"] {
            let end: std::net::SocketAddr = end.parse().unwrap();
            let end = Endpoint { address: end.ip(), port: end.port() };
            assert_eq!(written(|text| endpoint(text, end)), end.to_string());
        }
    }
}
