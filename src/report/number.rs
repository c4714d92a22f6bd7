//! Times and durations as JSON numbers with all their digits, never through a float.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::time::{Span, Timestamp};

/// Seconds with nine digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seconds(i64);

impl From<Timestamp> for Seconds {
    fn from(time: Timestamp) -> Self {
        Self(time.as_nanos())
    }
}

impl From<Span> for Seconds {
    fn from(span: Span) -> Self {
        Self(span.as_nanos())
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        literal(&Span::from_nanos(self.0).to_string(), serializer)
    }
}

/// Microseconds, whole where they are, with three digits where nanoseconds are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Micros(pub(super) Span);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nanos = self.0.as_nanos();
        let sign = if nanos < 0 { "-" } else { "" };
        let (whole, rest) = (nanos.unsigned_abs() / 1000, nanos.unsigned_abs() % 1000);
        if rest == 0 { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{rest:03}") }
    }
}

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        literal(&self.to_string(), serializer)
    }
}

fn literal<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let raw: &RawValue = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
    raw.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_all_their_digits() {
        let time = Seconds::from(Timestamp::from_nanos(1_700_000_000_123_456_789));
        assert_eq!(serde_json::to_string(&time).unwrap(), "1700000000.123456789");
        assert_eq!(serde_json::to_string(&Micros(Span::from_nanos(51_000))).unwrap(), "51");
        assert_eq!(serde_json::to_string(&Micros(Span::from_nanos(51_007))).unwrap(), "51.007");
        assert_eq!(serde_json::to_string(&Seconds::from(Span::from_nanos(-1))).unwrap(), "-0.000000001");
    }
}
