//! How keys are written: in the configuration file, and on the screen.
//!
//! Owns the names of [`Key`]s. Pure.

use std::fmt;

use crate::dashboard::message::Key;

/// Keys with a name: as written in a file, and as shown.
const NAMED: &[(&str, &str, Key)] = &[
    ("space", "Space", Key::Char(' ')),
    ("enter", "Enter", Key::Enter),
    ("esc", "Esc", Key::Esc),
    ("tab", "Tab", Key::Tab),
    ("shift-tab", "Shift-Tab", Key::BackTab),
    ("backspace", "Backspace", Key::Backspace),
    ("delete", "Delete", Key::Delete),
    ("up", "Up", Key::Up),
    ("down", "Down", Key::Down),
    ("left", "Left", Key::Left),
    ("right", "Right", Key::Right),
    ("pgup", "PgUp", Key::PageUp),
    ("pgdn", "PgDn", Key::PageDown),
    ("home", "Home", Key::Home),
    ("end", "End", Key::End),
];

impl Key {
    /// Reads a key: a character (`x`, `X`, `?`), `ctrl-l`, `f5`, or a name such as `space`, `enter` and `pgdn`.
    ///
    /// # Errors
    /// If it is none of these, or one that a terminal cannot tell from another; with what to write instead.
    pub fn read(text: &str) -> Result<Key, String> {
        let mut letters = text.chars();
        if let (Some(letter), None) = (letters.next(), letters.next()) {
            return match letter {
                ' ' => Ok(Key::Char(' ')),
                letter if letter.is_control() => Err("a control character is no key".to_owned()),
                letter => Ok(Key::Char(letter)),
            };
        }
        let lower = text.to_ascii_lowercase();
        if let Some((_, _, key)) = NAMED.iter().find(|(name, ..)| *name == lower) {
            return Ok(*key);
        }
        if let Some(number) = lower.strip_prefix('f').and_then(|number| number.parse::<u8>().ok()) {
            return if (1..=12).contains(&number) {
                Ok(Key::F(number))
            } else {
                Err("function keys go from f1 to f12".to_owned())
            };
        }
        let held = lower.strip_prefix("ctrl-").or_else(|| lower.strip_prefix("ctrl+"));
        let mut letters = held.unwrap_or_default().chars();
        match (letters.next(), letters.next()) {
            (Some('c'), None) => Err("ctrl-c always quits".to_owned()),
            (Some('i'), None) => Err("ctrl-i is tab in a terminal".to_owned()),
            (Some('m'), None) => Err("ctrl-m is enter in a terminal".to_owned()),
            (Some(letter @ 'a'..='z'), None) => Ok(Key::Ctrl(letter)),
            _ => Err(format!(
                "no key is called {text:?}: write a character, ctrl-l, f5, or one of {}",
                names()
            )),
        }
    }

    /// As it stands in a file: what [`Key::read`] reads.
    pub fn written(self) -> String {
        let shown = self.to_string();
        if shown.chars().count() == 1 { shown } else { shown.to_ascii_lowercase() }
    }
}

/// The names as a list.
fn names() -> String {
    NAMED.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Key {
    /// As the screen shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((_, shown, _)) = NAMED.iter().find(|(_, _, key)| key == self) {
            return f.write_str(shown);
        }
        match self {
            Key::Ctrl(letter) => write!(f, "Ctrl-{}", letter.to_ascii_uppercase()),
            Key::F(number) => write!(f, "F{number}"),
            Key::Char(letter) => write!(f, "{letter}"),
            // All others have names.
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_read_again() {
        let others = ["x", "X", "?", "\\", "é", "ctrl-l", "Ctrl-A", "F1", "f12", " "];
        for text in NAMED.iter().map(|(name, ..)| *name).chain(others) {
            let key = Key::read(text).expect(text);
            assert_eq!(Key::read(&key.to_string()), Ok(key), "{text}");
        }
        for text in ["", "ctrl-", "ctrl-c", "ctrl-i", "ctrl-M", "ctrl-1", "f0", "f13", "alt-x", "xx", "\u{7}"]
        {
            assert!(Key::read(text).is_err(), "{text:?}");
        }
    }
}
