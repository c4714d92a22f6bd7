//! Colours and glyphs. No meaning rests on a colour alone: each has a word or a sign beside it.
//!
//! Owns [`Theme`]. The colours are those of Okabe and Ito, which people of every colour vision tell apart; the
//! light theme has darker ones of the same hues. Text has the terminal's own colours. Pure.

use ratatui::style::{Color, Modifier, Style};

use crate::analysis::Outcome;

/// Which colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// For a dark background.
    Dark,
    /// For a light one.
    Light,
    /// None at all: bold, reverse and underline only.
    Mono,
}

impl Palette {
    /// All of them.
    pub const ALL: [Palette; 3] = [Palette::Dark, Palette::Light, Palette::Mono];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Palette::Dark => "dark",
            Palette::Light => "light",
            Palette::Mono => "mono",
        }
    }
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Plain text.
    Text,
    /// Less important.
    Faint,
    /// A heading, or what is pressed.
    Strong,
    /// The line or tab that is chosen.
    Selected,
    /// The frame of the panel that keys go to.
    Focus,
    /// Frames.
    Frame,
    /// Answered, alive.
    Good,
    /// No answer, not known.
    Doubt,
    /// Dead, reset.
    Bad,
    /// The idle time.
    Idle,
    /// The interval.
    Interval,
    /// Now.
    Now,
}

/// Colours and glyphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Which colours.
    pub palette: Palette,
    /// The terminal shows any colour, not only its own 16.
    pub truecolor: bool,
    /// Nothing but ASCII.
    pub ascii: bool,
}

impl Theme {
    /// How a piece of text looks.
    pub fn style(&self, role: Role) -> Style {
        let plain = Style::new();
        let modified = match role {
            Role::Text | Role::Frame | Role::Good | Role::Doubt | Role::Idle | Role::Interval => plain,
            Role::Faint => plain.add_modifier(Modifier::DIM),
            Role::Strong | Role::Focus | Role::Bad => plain.add_modifier(Modifier::BOLD),
            Role::Selected | Role::Now => plain.add_modifier(Modifier::REVERSED),
        };
        if self.palette == Palette::Mono {
            return if role == Role::Doubt { plain.add_modifier(Modifier::UNDERLINED) } else { modified };
        }
        match self.color(role) {
            Some(color) => modified.fg(color),
            None => modified,
        }
    }

    fn color(&self, role: Role) -> Option<Color> {
        let dark = self.palette == Palette::Dark;
        let (on_dark, on_light, basic) = match role {
            Role::Good => ((0x00, 0x9e, 0x73), (0x00, 0x6b, 0x4e), Color::Green),
            Role::Doubt => ((0xe6, 0x9f, 0x00), (0x8a, 0x5a, 0x00), Color::Yellow),
            Role::Bad => ((0xd5, 0x5e, 0x00), (0xa8, 0x3c, 0x00), Color::Red),
            Role::Idle => ((0x56, 0xb4, 0xe9), (0x00, 0x5f, 0x99), Color::Cyan),
            Role::Interval => ((0xcc, 0x79, 0xa7), (0x96, 0x3f, 0x73), Color::Magenta),
            Role::Focus => ((0x56, 0xb4, 0xe9), (0x00, 0x5f, 0x99), Color::Blue),
            _ => return None,
        };
        if !self.truecolor {
            // Yellow on a light background cannot be read.
            return Some(if !dark && basic == Color::Yellow { Color::Red } else { basic });
        }
        let (red, green, blue) = if dark { on_dark } else { on_light };
        Some(Color::Rgb(red, green, blue))
    }

    /// Sign and word of an outcome.
    pub fn outcome(&self, outcome: Outcome) -> (&'static str, &'static str, Role) {
        match outcome {
            Outcome::TimedOut => ("X", "TIMED OUT", Role::Bad),
            Outcome::Reset => ("X", "RESET", Role::Bad),
            Outcome::Unanswered => ("?", "UNANSWERED", Role::Doubt),
            Outcome::Inconclusive => ("?", "INCONCLUSIVE", Role::Doubt),
            Outcome::Alive => ("*", "ALIVE", Role::Good),
            Outcome::Closed => ("-", "CLOSED", Role::Text),
            Outcome::NoKeepalive => (".", "NO KEEPALIVE", Role::Faint),
        }
    }

    /// The signs that differ between ASCII and not.
    pub const fn glyphs(&self) -> &'static Glyphs {
        if self.ascii { &ASCII } else { &UNICODE }
    }
}

/// Signs.
#[derive(Debug)]
pub struct Glyphs {
    /// Corners: upper left, upper right, lower left, lower right.
    pub corners: [&'static str; 4],
    /// Lines across and down.
    pub across: &'static str,
    /// See `across`.
    pub down: &'static str,
    /// The line of an arrow.
    pub shaft: char,
    /// Its head to the right and to the left.
    pub right: char,
    /// See `right`.
    pub left: char,
    /// Where something was lost.
    pub lost: char,
    /// A point in a chart.
    pub point: &'static str,
    /// The chosen line.
    pub pointer: &'static str,
    /// Much, little and no activity.
    pub much: &'static str,
    /// See `much`.
    pub little: &'static str,
    /// See `much`.
    pub none: &'static str,
    /// A folded silence.
    pub fold: &'static str,
    /// Something was cut.
    pub cut: char,
    /// Playing, and standing still.
    pub play: &'static str,
    /// See `play`.
    pub pause: &'static str,
}

static ASCII: Glyphs = Glyphs {
    corners: ["+", "+", "+", "+"],
    across: "-",
    down: "|",
    shaft: '-',
    right: '>',
    left: '<',
    lost: 'x',
    point: "*",
    pointer: ">",
    much: "#",
    little: ":",
    none: ".",
    fold: "//",
    cut: '~',
    play: ">",
    pause: "||",
};

static UNICODE: Glyphs = Glyphs {
    corners: ["┌", "┐", "└", "┘"],
    across: "─",
    down: "│",
    shaft: '─',
    right: '▶',
    left: '◀',
    lost: '×',
    point: "•",
    pointer: "▸",
    much: "█",
    little: "▄",
    none: "·",
    fold: "//",
    cut: '…',
    play: "▶",
    pause: "‖",
};
