//! Durations on the command line: `7s`, `350ms`, `2h4m`. A bare number is refused, since nobody can know
//! whether it means seconds or milliseconds.

use crate::time::Span;

/// Reads a duration.
pub(super) fn parse(text: &str) -> Result<Span, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("say the unit: {text}s or {text}ms"));
    }
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write it like 7s, 350ms or 2h4m"))?;
    i64::try_from(duration.as_nanos()).map(Span::from_nanos).map_err(|_| "longer than 292 years".to_owned())
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
}
