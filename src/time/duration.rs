//! Durations as people write them: `7s`, `350ms`, `2h4m`. A bare number is refused, since nobody can know
//! whether it means seconds or milliseconds.

use std::fmt::Write;

use super::Span;

/// Reads a duration.
///
/// # Errors
/// If there is no unit, an unknown one, or more than fits; with what to write instead.
pub fn parse(text: &str) -> Result<Span, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("say the unit: {text}s or {text}ms"));
    }
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write it like 7s, 350ms or 2h4m"))?;
    i64::try_from(duration.as_nanos()).map(Span::from_nanos).map_err(|_| "longer than 292 years".to_owned())
}

const SECOND: i64 = 1_000_000_000;

/// Writes a duration so that [`parse`] reads the same one: `340s`, `7.168s`, `12ms`, `2h4m`. Below an hour it has
/// no minutes, since seconds are what timers are given in. A negative one is written as nothing.
pub fn format(span: Span) -> String {
    let nanos = span.as_nanos().max(0);
    let (whole, rest) = (nanos / SECOND, nanos % SECOND);
    match (whole, rest) {
        (0, 0) => "0s".to_owned(),
        (0, _) if rest % 1_000_000 == 0 => format!("{}ms", rest / 1_000_000),
        (0, _) if rest % 1_000 == 0 => format!("{}us", rest / 1_000),
        (0, _) => format!("{rest}ns"),
        (0..3600, _) => seconds(whole, rest),
        _ => {
            let mut text = format!("{}h", whole / 3600);
            // Writing to a string does not fail.
            let _ = match whole % 3600 / 60 {
                0 => Ok(()),
                minutes => write!(text, "{minutes}m"),
            };
            match (whole % 60, rest) {
                (0, 0) => text,
                (whole, rest) => text + &seconds(whole, rest),
            }
        }
    }
}

fn seconds(whole: i64, rest: i64) -> String {
    let fraction = format!("{rest:09}");
    match fraction.trim_end_matches('0') {
        "" => format!("{whole}s"),
        fraction => format!("{whole}.{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(parse("7s"), Ok(Span::from_secs(7)));
        assert_eq!(parse("350ms"), Ok(Span::from_millis(350)));
        assert_eq!(parse("2h4m"), Ok(Span::from_secs(7440)));
        assert_eq!(parse("7200"), Err("say the unit: 7200s or 7200ms".to_owned()));
        for bad in ["", "x", "-3s", "7 parsecs", "99999999999999y"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for nanos in
            [0, 1, 999, 1_500, 12_000_000, 7_168_000_000, 340_000_000_000, 7_440_000_000_001, i64::MAX]
        {
            let span = Span::from_nanos(nanos);
            assert_eq!(parse(&format(span)), Ok(span), "{}", format(span));
        }
        assert_eq!(format(Span::from_secs(340)), "340s");
        assert_eq!(format(Span::from_secs(7440)), "2h4m");
        assert_eq!(format(Span::from_millis(12)), "12ms");
    }
}
