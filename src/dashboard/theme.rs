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
    /// Bright on black, which it paints itself; nothing is faint.
    HighContrast,
    /// None at all: bold, reverse and underline only.
    Mono,
}

impl Palette {
    /// All of them.
    pub const ALL: [Palette; 4] = [Palette::Dark, Palette::Light, Palette::HighContrast, Palette::Mono];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Palette::Dark => "dark",
            Palette::Light => "light",
            Palette::HighContrast => "high-contrast",
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
        let plain = self.ground();
        let modified = match role {
            Role::Text | Role::Frame | Role::Good | Role::Doubt | Role::Idle | Role::Interval => plain,
            Role::Faint if self.palette == Palette::HighContrast => plain,
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

    /// How an empty place looks: as the terminal has it, but for the theme that paints its own background.
    pub fn ground(&self) -> Style {
        match (self.palette, self.truecolor) {
            (Palette::HighContrast, true) => {
                Style::new().fg(Color::Rgb(0xff, 0xff, 0xff)).bg(Color::Rgb(0, 0, 0))
            }
            (Palette::HighContrast, false) => Style::new().fg(Color::White).bg(Color::Black),
            _ => Style::new(),
        }
    }

    /// The colour of a role; nothing for that of plain text.
    fn color(&self, role: Role) -> Option<Color> {
        if !self.truecolor {
            return self.basic_color(role);
        }
        let (on_dark, on_light, on_black) = match role {
            Role::Good => (0x00_9e73, 0x00_6b4e, 0x4c_e8b5),
            Role::Doubt => (0xe6_9f00, 0x8a_5a00, 0xff_d24d),
            Role::Bad => (0xd5_5e00, 0xa8_3c00, 0xff_9d66),
            Role::Idle | Role::Focus => (0x56_b4e9, 0x00_5f99, 0x8f_d3ff),
            Role::Interval => (0xcc_79a7, 0x96_3f73, 0xff_b3de),
            _ => return None,
        };
        let color = match self.palette {
            Palette::Dark => on_dark,
            Palette::Light => on_light,
            Palette::HighContrast | Palette::Mono => on_black,
        };
        Some(Color::from_u32(color))
    }

    /// The same of the 16 colours that every terminal has. On white, green, cyan and yellow cannot be read, and
    /// neither can dark red and blue on black; pure red and magenta are too dark there for high contrast.
    fn basic_color(&self, role: Role) -> Option<Color> {
        let (on_dark, on_light, on_black) = match role {
            Role::Good => (Color::Green, None, Color::LightGreen),
            Role::Doubt => (Color::Yellow, Some(Color::Red), Color::LightYellow),
            Role::Bad => (Color::LightRed, Some(Color::Red), Color::White),
            Role::Idle | Role::Focus => (Color::Cyan, Some(Color::Blue), Color::LightCyan),
            Role::Interval => (Color::Magenta, Some(Color::Magenta), Color::White),
            _ => return None,
        };
        match self.palette {
            Palette::Dark => Some(on_dark),
            Palette::Light => on_light,
            Palette::HighContrast | Palette::Mono => Some(on_black),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 12] = [
        Role::Text,
        Role::Faint,
        Role::Strong,
        Role::Selected,
        Role::Focus,
        Role::Frame,
        Role::Good,
        Role::Doubt,
        Role::Bad,
        Role::Idle,
        Role::Interval,
        Role::Now,
    ];

    /// The 16 colours as xterm and as the VGA have them, in the order of their codes.
    const XTERM: [u32; 16] = [
        0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000,
        0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
    ];
    const VGA: [u32; 16] = [
        0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa, 0x555555, 0xff5555,
        0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
    ];

    fn octets(color: Color, basic: &[u32; 16]) -> u32 {
        let place = match color {
            Color::Rgb(red, green, blue) => return u32::from_be_bytes([0, red, green, blue]),
            Color::Black => 0,
            Color::Red => 1,
            Color::Green => 2,
            Color::Yellow => 3,
            Color::Blue => 4,
            Color::Magenta => 5,
            Color::Cyan => 6,
            Color::LightRed => 9,
            Color::LightGreen => 10,
            Color::LightYellow => 11,
            Color::LightBlue => 12,
            Color::LightMagenta => 13,
            Color::LightCyan => 14,
            Color::White => 15,
            other => panic!("{other} is not expected"),
        };
        basic[place]
    }

    /// Relative luminance, as WCAG 2 defines it.
    fn luminance(color: u32) -> f64 {
        let [_, red, green, blue] = color.to_be_bytes().map(|octet| {
            let share = f64::from(octet) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(one: u32, other: u32) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn everything_stands_out_from_its_background() {
        for palette in [Palette::Dark, Palette::Light, Palette::HighContrast] {
            for (truecolor, basic) in [(true, &XTERM), (false, &XTERM), (false, &VGA)] {
                // What people have; with the 16 colours, what those call black and white.
                let (text, grounds): (u32, &[u32]) = match (palette, truecolor) {
                    (Palette::Dark, true) => (0xcc_cccc, &[0x00_0000, 0x1e_1e1e, 0x28_2c34]),
                    (Palette::Light, true) => (0x33_3333, &[0xff_ffff, 0xfd_f6e3, 0xee_eeee]),
                    (Palette::Light, false) => (0x00_0000, &[0xff_ffff]),
                    _ => (0xaa_aaaa, &[0x00_0000]),
                };
                let theme = Theme { palette, truecolor, ascii: false };
                for role in ROLES {
                    let style = theme.style(role);
                    let color = style.fg.map_or(text, |color| octets(color, basic));
                    let own = style.bg.map(|color| octets(color, basic));
                    let least = if palette == Palette::HighContrast { 7.0 } else { 3.0 };
                    for ground in own.as_ref().map_or(grounds, std::slice::from_ref) {
                        let seen = contrast(color, *ground);
                        assert!(
                            seen >= least,
                            "{palette:?} {role:?}: {color:06x} on {ground:06x} is {seen:.1}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn no_theme_without_colour_has_one() {
        let theme = Theme { palette: Palette::Mono, truecolor: true, ascii: false };
        assert!(ROLES.iter().all(|role| theme.style(*role).fg.is_none() && theme.style(*role).bg.is_none()));
    }
}
