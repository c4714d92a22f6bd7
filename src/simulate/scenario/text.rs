//! How values stand in a scenario: durations, shares, rates and words, read and written alike.
//!
//! Owns the types that carry their own text. What cannot be read is refused with what would be allowed.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

use crate::stack::nearest;
use crate::time::{Span, duration};

/// A duration as text, `"7s"`, `"350ms"`, `"2h4m"`; for use with serde.
pub(super) mod span {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&duration::format(*span))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Span, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

/// The same where there may be none.
pub(super) mod optional_span {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(
        span: &Option<Span>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => super::span::serialize(span, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Span>, D::Error> {
        super::span::deserialize(deserializer).map(Some)
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration like \"7s\", \"350ms\" or \"2h4m\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
        duration::parse(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Span, E> {
        Err(E::custom(format!("say the unit: \"{number}s\" or \"{number}ms\"")))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Span, E> {
        Err(E::custom(format!("say the unit, in whole numbers: not {number} but \"7s\" or \"350ms\"")))
    }
}

/// Reads what is written as text and has a parser.
macro_rules! read_from_text {
    ($name:ty, $expecting:literal) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct TextVisitor;
                impl serde::de::Visitor<'_> for TextVisitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(TextVisitor)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}
pub(super) use read_from_text;

/// A part of a whole, in millionths; written `"2%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Share(u32);

impl Share {
    /// Nothing of it.
    pub const NONE: Share = Share(0);

    /// So many millionths; at most all of it.
    pub const fn from_millionths(millionths: u32) -> Self {
        Self(if millionths > 1_000_000 { 1_000_000 } else { millionths })
    }

    /// In millionths.
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// From 0 to 1.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

/// A decimal number without sign as `units` per one, exactly; nothing if it has more digits than that.
fn decimal(text: &str, places: u32) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > places as usize {
        return None;
    }
    let scaled = format!("{whole}{fraction:0<width$}", width = places as usize);
    scaled.parse().ok()
}

impl std::str::FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').map(str::trim);
        let millionths = number.and_then(|number| decimal(number, 4)).filter(|share| *share <= 1_000_000);
        match millionths.and_then(|share| u32::try_from(share).ok()) {
            Some(share) => Ok(Share(share)),
            None => Err(format!("{text:?} is no share; write it like \"2%\" or \"0.1%\", up to \"100%\"")),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        let fraction = format!("{rest:04}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            fraction => write!(f, "{whole}.{fraction}%"),
        }
    }
}

read_from_text!(Share, "a share like \"2%\"");

/// How fast a link sends, in bits a second; written `"10Mbit"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(pub u64);

const RATES: [(&str, u64); 4] = [("Gbit", 1_000_000_000), ("Mbit", 1_000_000), ("kbit", 1_000), ("bit", 1)];

impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no rate; write it like \"64kbit\", \"10Mbit\" or \"1Gbit\"");
        let place = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(bad)?;
        let (number, unit) = text.split_at(place);
        let unit = unit.trim();
        let (_, factor) =
            RATES.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(bad)?;
        let bits = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        bits.filter(|bits| *bits > 0).map(Rate).ok_or_else(bad)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole =
            RATES.into_iter().find(|(_, factor)| self.0.is_multiple_of(*factor)).unwrap_or(("bit", 1));
        write!(f, "{}{}", self.0 / whole.1, whole.0)
    }
}

read_from_text!(Rate, "a rate like \"10Mbit\"");

/// A value of a fixed set, by name.
pub trait Words: Copy + PartialEq + 'static {
    /// The names and what they stand for.
    const WORDS: &'static [(&'static str, Self)];
}

/// A value of a fixed set, read and written by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<T>(pub T);

impl<T: Words> std::str::FromStr for Word<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = T::WORDS.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| Word(*value)).ok_or_else(|| {
            let names = || T::WORDS.iter().map(|(name, _)| *name);
            let meant = nearest(text, names()).map(|near| format!("; did you mean {near}?"));
            let all = names().collect::<Vec<_>>().join(", ");
            format!("{text:?} is none of {all}{}", meant.unwrap_or_default())
        })
    }
}

impl<T: Words> Word<T> {
    /// Its name.
    pub fn name(self) -> &'static str {
        T::WORDS.iter().find(|(_, value)| *value == self.0).map_or("", |(name, _)| name)
    }
}

impl<T: Words> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de, T: Words> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordVisitor<T>(std::marker::PhantomData<T>);
        impl<T: Words> Visitor<'_> for WordVisitor<T> {
            type Value = Word<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let names: Vec<&str> = T::WORDS.iter().map(|(name, _)| *name).collect();
                write!(f, "one of {}", names.join(", "))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Word<T>, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(WordVisitor(std::marker::PhantomData))
    }
}

/// The end of a connection that an address and a port name, written `"192.0.2.1:443"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub crate::segment::Endpoint);

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address: std::net::SocketAddr = text.parse().map_err(|_| {
            format!("{text:?} is no address with a port; write it like 192.0.2.1:443 or [2001:db8::1]:443")
        })?;
        Ok(Address(crate::segment::Endpoint { address: address.ip(), port: address.port() }))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

read_from_text!(Address, "an address with a port like \"192.0.2.1:443\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_rates_are_exact() {
        for text in ["0%", "2%", "0.1%", "99.9999%", "100%", "7%"] {
            assert_eq!(text.parse::<Share>().map(|share| share.to_string()), Ok(text.to_owned()));
        }
        for bad in ["2", "101%", "-1%", "%", "0.00001%", "1e1%", "1.%x", "٣%"] {
            assert!(bad.parse::<Share>().is_err(), "{bad}");
        }
        for text in ["64kbit", "10Mbit", "1Gbit", "1500bit"] {
            assert_eq!(text.parse::<Rate>().map(|rate| rate.to_string()), Ok(text.to_owned()));
        }
        for bad in ["0bit", "10", "kbit", "10mb", "99999999999999999999Gbit", ""] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }
}
