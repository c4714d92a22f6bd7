//! JSON that a terminal can show: as serde_json writes it, and with every control character escaped.
//!
//! JSON lets DEL and the C1 controls (U+0080 to U+009F) stand in strings as they are, and some terminals obey them:
//! U+009B begins a sequence as ESC [ does. Captures and configuration may hold anything.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// Writes a document with a line for each field.
///
/// # Errors
/// If `out` cannot be written to.
pub(super) fn pretty(out: impl Write, value: &impl Serialize) -> io::Result<()> {
    write(out, value, PrettyFormatter::new())
}

/// Writes a document in one line.
///
/// # Errors
/// If `out` cannot be written to.
pub(super) fn compact(out: impl Write, value: &impl Serialize) -> io::Result<()> {
    write(out, value, CompactFormatter)
}

fn write(out: impl Write, value: &impl Serialize, inner: impl Formatter) -> io::Result<()> {
    Ok(value.serialize(&mut Serializer::with_formatter(out, Plain(inner)))?)
}

/// Another formatter, but for what stands in strings.
struct Plain<F>(F);

/// Hands on what only the other formatter knows.
macro_rules! as_before {
    ($($method:ident($($argument:ident: $kind:ty),*))*) => {
        $(
            fn $method<W: ?Sized + Write>(&mut self, out: &mut W $(, $argument: $kind)*) -> io::Result<()> {
                self.0.$method(out $(, $argument)*)
            }
        )*
    };
}

impl<F: Formatter> Formatter for Plain<F> {
    as_before! {
        begin_array() end_array() begin_array_value(first: bool) end_array_value()
        begin_object() end_object() begin_object_key(first: bool) end_object_key()
        begin_object_value() end_object_value()
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        // serde_json has escaped the controls below U+0020.
        let mut rest = fragment;
        while let Some((before, from)) = rest.find(char::is_control).and_then(|at| rest.split_at_checked(at))
        {
            let mut letters = from.chars();
            out.write_all(before.as_bytes())?;
            if let Some(control) = letters.next() {
                write!(out, "\\u{:04x}", u32::from(control))?;
            }
            rest = letters.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_is_escaped_and_reads_as_itself() {
        let all: String =
            (0..0x100_u32).filter_map(char::from_u32).chain("\u{9b}31m\u{7f}€".chars()).collect();
        let value = serde_json::json!({ all.as_str(): [all.as_str(), 1.5, null, {}], "b": [] });
        let (mut short, mut long) = (Vec::new(), Vec::new());
        compact(&mut short, &value).unwrap();
        pretty(&mut long, &value).unwrap();
        for written in [short, long] {
            let text = String::from_utf8(written).unwrap();
            assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        }
        let plain = serde_json::json!({ "a": [1, { "b": "ü" }, []] });
        let mut long = Vec::new();
        pretty(&mut long, &plain).unwrap();
        assert_eq!(String::from_utf8(long).unwrap(), serde_json::to_string_pretty(&plain).unwrap());
    }
}
