//! Text from outside that is fit for a terminal and for a report.
//!
//! Owns what counts as harmful there: control characters (C0, DEL and C1, with which terminals are driven, and
//! line ends, with which a line can be forged), marks that turn the direction of what follows, and characters
//! that cannot be seen. Pure.

mod document;

use std::borrow::Cow;

pub use self::document::{toml_document, toml_string};

/// Whether a character does something to a terminal or to how the text around it reads, rather than stand there.
///
/// The marks are those of Unicode's `Bidi_Control`, its line and paragraph separators, and what has no width.
pub const fn is_harmful(letter: char) -> bool {
    matches!(
        letter,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    )
}

/// The text with `instead` in the place of each harmful character.
///
/// ```
/// assert_eq!(keepscope::printable::printable("a\x1b[2J\u{202e}b\nc", '?'), "a?[2J?b?c");
/// ```
pub fn printable(text: &str, instead: char) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|letter| if is_harmful(letter) { instead } else { letter }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_harmless_stays() {
        for text in ["", "eth0", "caf\u{e9} \u{4e2d}\u{6587} \u{5e2}\u{5d1}\u{5e8}", "a b\u{a0}c", "\u{fffd}"]
        {
            assert!(matches!(printable(text, '?'), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn every_control_character_is_harmful() {
        assert!(('\0'..=char::MAX).filter(|letter| letter.is_control()).all(is_harmful));
    }
}
