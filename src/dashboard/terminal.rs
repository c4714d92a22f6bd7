//! The terminal: made ours, and given back as it was, whatever ends us.
//!
//! Owns the [`Guard`] and the translation of what crossterm reads. Impure.

use std::io::{self, Write, stdout};
use std::sync::Once;
use std::time::Duration;

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    DisableMouseCapture, EnableMouseCapture, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
    MouseButton, MouseEvent, MouseEventKind,
};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use signal_hook::consts::SIGTSTP;
use terminal_colorsaurus::{QueryOptions, ThemeMode, theme_mode};

use super::message::{Key, Message, Mouse};

/// Holds the terminal in our mode until it is dropped.
#[derive(Debug)]
pub struct Guard(());

static HOOK: Once = Once::new();

impl Guard {
    /// Takes the terminal over. From then on a panic gives it back before it says what happened.
    ///
    /// # Errors
    /// If there is no terminal, or it cannot be written to.
    pub fn take() -> io::Result<Guard> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        enable_raw_mode()?;
        let guard = Guard(());
        execute!(stdout(), EnterAlternateScreen, Hide)?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

/// Makes the terminal what it was. Nothing is left to do where that fails: then it is gone.
fn give_back() {
    let _ = execute!(stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
    let _ = stdout().flush();
}

/// Gives the terminal back and stops this process, as SIGTSTP does where nobody catches it. SIGCONT follows when it
/// goes on, and with it [`retake`].
pub(super) fn suspend() -> io::Result<()> {
    give_back();
    signal_hook::low_level::emulate_default_handler(SIGTSTP)
}

/// Takes the terminal over again after this process was stopped: a shell has used it meanwhile.
pub(super) fn retake(mouse: bool) -> io::Result<()> {
    // It counts as ours already, unless we gave it back ourselves.
    disable_raw_mode()?;
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, Hide)?;
    set_mouse(mouse)
}

/// How long the terminal may take to say its colours.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);

/// Whether the background is light, if the terminal says so when it is asked (OSC 11). A terminal that does not
/// know the question answers the one after it, so that hardly any lets us wait.
pub fn is_light() -> Option<bool> {
    let mut options = QueryOptions::default();
    options.timeout = ANSWERS_WITHIN;
    theme_mode(options).ok().map(|mode| mode == ThemeMode::Light)
}

/// Keeps what is no key from becoming one: an answer of the terminal that comes after all.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Characters of an answer that may still come.
    left: u8,
}

/// The longest answer with a colour, `11;rgba:ffff/ffff/ffff/ffff`, and a few more.
const LONGEST_ANSWER: u8 = 40;

impl Answers {
    /// Whether an event is part of an answer. It begins with ESC ], which is read as Alt and ].
    pub(super) fn has(&mut self, event: &Event) -> bool {
        let Event::Key(KeyEvent { code: KeyCode::Char(letter), modifiers, .. }) = event else {
            self.left = 0;
            return false;
        };
        let (alt, control) =
            (modifiers.contains(KeyModifiers::ALT), modifiers.contains(KeyModifiers::CONTROL));
        if alt && *letter == ']' {
            self.left = LONGEST_ANSWER;
            return true;
        }
        if self.left == 0 {
            return false;
        }
        let ends = (alt && *letter == '\\') || (control && letter.eq_ignore_ascii_case(&'g'));
        let within = letter.is_ascii_hexdigit() || "rgba:;/".contains(*letter);
        self.left = if within && !ends { self.left - 1 } else { 0 };
        within || ends
    }
}

/// Turns clicks on or off.
pub(super) fn set_mouse(on: bool) -> io::Result<()> {
    if on { execute!(stdout(), EnableMouseCapture) } else { execute!(stdout(), DisableMouseCapture) }
}

/// Puts text on the clipboard of whoever sits at the terminal, also through ssh (OSC 52).
pub(super) fn copy(text: &str) -> io::Result<()> {
    execute!(stdout(), CopyToClipboard::to_clipboard_from(text))
}

/// What an event of the terminal means to us.
pub(super) fn message(event: &Event) -> Option<Message> {
    match event {
        Event::Key(key) => self::key(key).map(Message::Key),
        Event::Mouse(mouse) => self::mouse(mouse).map(Message::Mouse),
        Event::Resize(columns, rows) => Some(Message::Resize(*columns, *rows)),
        _ => None,
    }
}

fn key(event: &KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    Some(match event.code {
        KeyCode::Char(letter) if event.modifiers.contains(KeyModifiers::CONTROL) => {
            Key::Ctrl(letter.to_ascii_lowercase())
        }
        KeyCode::Char(letter) => Key::Char(letter),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::F(number) => Key::F(number),
        _ => return None,
    })
}

fn mouse(event: &MouseEvent) -> Option<Mouse> {
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) | MouseEventKind::Drag(MouseButton::Left) => {
            Some(Mouse::Press(event.column, event.row))
        }
        MouseEventKind::ScrollUp => Some(Mouse::WheelUp(event.column, event.row)),
        MouseEventKind::ScrollDown => Some(Mouse::WheelDown(event.column, event.row)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(code: char, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(KeyCode::Char(code), modifiers))
    }

    /// As crossterm reads it.
    fn answer(ends: Event) -> Vec<Event> {
        let mut events = vec![pressed(']', KeyModifiers::ALT)];
        events.extend("11;rgb:1c1c/1C1C/ffff".chars().map(|letter| pressed(letter, KeyModifiers::NONE)));
        events.push(ends);
        events
    }

    #[test]
    fn a_late_answer_of_the_terminal_is_no_key() {
        for ends in [pressed('g', KeyModifiers::CONTROL), pressed('\\', KeyModifiers::ALT)] {
            let mut answers = Answers::default();
            assert!(answer(ends).iter().all(|event| answers.has(event)));
            assert!(!answers.has(&pressed('g', KeyModifiers::NONE)), "it has ended");
        }
        let mut answers = Answers::default();
        assert!(answers.has(&pressed(']', KeyModifiers::ALT)));
        assert!(!answers.has(&pressed('q', KeyModifiers::NONE)), "what no answer has is a key");
        assert!(!answers.has(&pressed('1', KeyModifiers::NONE)), "and so is what follows");
        assert!(!answers.has(&Event::Resize(80, 24)));
    }
}
