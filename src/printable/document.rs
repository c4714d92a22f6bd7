//! A TOML document that is fit for a terminal: what is harmful in its strings is escaped, and whoever reads it gets
//! what there was.

use std::borrow::Cow;
use std::fmt::Write;

use super::is_harmful;

/// The document with an escape in the place of each harmful character of its strings; line ends stay in strings of
/// several lines. A literal string, which knows no escapes, becomes a basic one. What is no well-formed document
/// comes back as some text.
///
/// ```
/// let escaped = keepscope::printable::toml_document("title = 'C:\\a\u{202e}b'\n");
/// assert_eq!(escaped, "title = \"C:\\\\a\\u202eb\"\n");
/// ```
pub fn toml_document(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful_here) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((between, from)) = rest.find(['"', '\'']).and_then(|at| rest.split_at_checked(at)) {
        escaped.push_str(between);
        let (string, after) = Quoted::first_of(from);
        string.write(&mut escaped);
        rest = after;
    }
    escaped.push_str(rest);
    escaped.into()
}

/// A text as a basic string of TOML, on one line.
///
/// ```
/// assert_eq!(keepscope::printable::toml_string("a\"\u{9b}\n"), "\"a\\\"\\u009b\\u000a\"");
/// ```
pub fn toml_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if is_harmful(letter) => escape(letter, &mut quoted),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// All harmful characters lie in the basic plane.
fn escape(letter: char, out: &mut String) {
    // Text takes whatever is written to it.
    let _ = write!(out, "\\u{:04x}", u32::from(letter));
}

/// Whether a character does not belong into a document: its line ends do.
fn is_harmful_here(letter: char) -> bool {
    letter != '\n' && is_harmful(letter)
}

/// A string of a document, as it is written.
struct Quoted<'a> {
    /// How it begins and ends.
    mark: &'a str,
    /// It knows escapes.
    basic: bool,
    content: &'a str,
}

impl<'a> Quoted<'a> {
    /// The string with which the text begins, and what comes after it.
    fn first_of(text: &'a str) -> (Self, &'a str) {
        let basic = text.starts_with('"');
        let long = text.starts_with("\"\"\"") || text.starts_with("'''");
        let (mark, body) = text.split_at_checked(if long { 3 } else { 1 }).unwrap_or((text, ""));
        let end = end_of(body, mark, basic);
        let (content, closed) = body.split_at_checked(end).unwrap_or((body, ""));
        (Self { mark, basic, content }, closed.strip_prefix(mark).unwrap_or(closed))
    }

    fn write(&self, out: &mut String) {
        let harmful = self.content.contains(is_harmful_here);
        let becomes_basic = harmful && !self.basic;
        let mark = if becomes_basic { self.mark.replace('\'', "\"") } else { self.mark.to_owned() };
        out.push_str(&mark);
        for letter in self.content.chars() {
            match letter {
                '"' | '\\' if becomes_basic => out.extend(['\\', letter]),
                letter if is_harmful_here(letter) => escape(letter, out),
                letter => out.push(letter),
            }
        }
        out.push_str(&mark);
    }
}

/// Where the mark stands that ends a string.
fn end_of(body: &str, mark: &str, basic: bool) -> usize {
    let mut from = 0;
    while let Some(rest) = body.get(from..) {
        let Some(at) = rest.find([if basic { '"' } else { '\'' }, '\\']) else { break };
        let here = rest.get(at..).unwrap_or_default();
        if basic && here.starts_with('\\') {
            let escaped = here.chars().nth(1).map_or(0, char::len_utf8);
            from += at + 1 + escaped;
        } else if here.starts_with(mark) {
            // One or two quotes may stand right before the three that end it.
            let quotes = here.chars().take_while(|letter| mark.starts_with(*letter)).count();
            return from + at + if mark.len() == 3 { quotes.min(5) - 3 } else { 0 };
        } else {
            from += at + 1;
        }
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_harmless_stays() {
        for text in ["", "a = 1\n", "a = '''\nb\n'''\nc = \"\\u001b\"", "a = \"it's\" # 'x\n"] {
            assert!(matches!(toml_document(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn strings_of_all_kinds_are_escaped_alike() {
        for (text, escaped) in [
            ("a = \"\u{9b}\\\"\u{9b}\" # \u{e9}", "a = \"\\u009b\\\"\\u009b\" # \u{e9}"),
            ("a = '\u{9b}\\'\nb = 'c'", "a = \"\\u009b\\\\\"\nb = 'c'"),
            ("a = '''\n\u{9b}'\"x''''\nb = 1", "a = \"\"\"\n\\u009b'\\\"x'\"\"\"\nb = 1"),
            ("a = \"\"\"\u{9b}\\\"\"\"\"\"\nb = 1", "a = \"\"\"\\u009b\\\"\"\"\"\"\nb = 1"),
            ("a = \"\"\nb = \"\u{202e}\"", "a = \"\"\nb = \"\\u202e\""),
            ("[\"x\u{202e}\".'y\t']\n", "[\"x\\u202e\".\"y\\u0009\"]\n"),
        ] {
            assert_eq!(toml_document(text), escaped);
        }
    }

    #[test]
    fn what_is_no_document_is_text_as_well() {
        for text in
            ["\u{9b}\"", "'\u{9b}", "\"\"\"\u{9b}\"\"", "'''\u{9b}'", "\"\u{9b}\\", "\"\u{9b}\\\u{e9}"]
        {
            assert!(!toml_document(text).is_empty());
        }
    }
}
