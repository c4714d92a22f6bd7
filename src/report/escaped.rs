//! JSON that is fit for a terminal: what [`is_harmful`] names is escaped in strings, also where JSON itself
//! would let it stand (DEL, C1 controls, marks of direction). Whoever parses it gets what there was.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use crate::printable::is_harmful;

/// Writes a document on one line, as [`serde_json::to_writer`] does.
pub(super) fn to_writer<T: Serialize + ?Sized>(out: &mut dyn Write, value: &T) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Escaping(CompactFormatter)))
}

/// Writes an indented document, as [`serde_json::to_writer_pretty`] does.
pub(super) fn to_writer_pretty<T: Serialize + ?Sized>(
    out: &mut dyn Write,
    value: &T,
) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Escaping(PrettyFormatter::new())))
}

/// Another formatter's layout, with more escapes in strings.
struct Escaping<F>(F);

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, letter)) = rest.char_indices().find(|(_, letter)| is_harmful(*letter)) {
            let (before, from) = rest.split_at(at);
            out.write_all(before.as_bytes())?;
            // All of them lie in the basic plane: one unit each.
            write!(out, "\\u{:04x}", u32::from(letter))?;
            rest = from.get(letter.len_utf8()..).unwrap_or_default();
        }
        out.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_key(out)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_escaped_is_read_back_as_it_was() {
        let value = serde_json::json!({"a\u{9b}": ["x\x1b[2J\u{202e}\x7f\u{e9}\n", 1], "b": {}});
        let (mut line, mut pretty) = (Vec::new(), Vec::new());
        to_writer(&mut line, &value).unwrap();
        to_writer_pretty(&mut pretty, &value).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&line).unwrap(), value);
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&pretty).unwrap(), value);
        let line = String::from_utf8(line).unwrap();
        assert!(!line.contains(is_harmful), "{line:?}");
        assert_eq!(pretty.iter().filter(|octet| **octet == b'\n').count(), 6);
    }
}
