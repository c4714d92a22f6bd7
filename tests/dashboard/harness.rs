//! A screen without a terminal: captures are read at once, and time is what a test says.

use std::path::PathBuf;

use keepscope::capture::Captures;
use keepscope::dashboard::effect::Effect;
use keepscope::dashboard::message::{Key, Message};
use keepscope::dashboard::model::{Model, Session};
use keepscope::dashboard::replay::{Speed, reader};
use keepscope::dashboard::simulation::{Simulation, choice, worker};
use keepscope::dashboard::theme::{Palette, Theme};
use keepscope::dashboard::update::{begin, open, settle, update};
use keepscope::dashboard::view;
use keepscope::time::Span;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use crate::common::capture_path;

/// Full colour and all glyphs.
pub const COLOR: Theme = Theme { palette: Palette::Dark, truecolor: true, ascii: false };

/// No colour at all.
pub const MONO: Theme = Theme { palette: Palette::Mono, truecolor: true, ascii: false };

/// The terminal's 16 colours, and ASCII only.
pub const ASCII: Theme = Theme { palette: Palette::Light, truecolor: false, ascii: true };

/// A screen of some size.
pub struct Screen {
    pub model: Model,
    /// What it asked to be done.
    pub effects: Vec<Effect>,
}

impl Screen {
    /// The start screen.
    pub fn start(columns: u16, rows: u16, theme: Theme) -> Screen {
        let model = Model::new((columns, rows), theme, Speed::Fit);
        Screen { model, effects: Vec::new() }
    }

    /// Captures, read to their end.
    pub fn replay(names: &[&str], columns: u16, rows: u16, theme: Theme) -> Screen {
        let mut screen = Screen::start(columns, rows, theme);
        // What is shown must not depend on where the repository is.
        screen.open(names, names);
        screen
    }

    /// A capture under another name.
    pub fn replay_as(name: &str, shown: &str, columns: u16, rows: u16, theme: Theme) -> Screen {
        let mut screen = Screen::start(columns, rows, theme);
        screen.open(&[name], &[shown]);
        screen
    }

    /// A scenario that can be begun with, simulated.
    pub fn simulate(name: &str, columns: u16, rows: u16, theme: Theme) -> Screen {
        let mut screen = Screen::start(columns, rows, theme);
        let plan = choice(name).expect("a scenario");
        screen.effects = begin(&mut screen.model, name, plan.scenario);
        screen.simulate_now();
        screen
    }

    /// Simulates what was asked for, as a thread would.
    fn simulate_now(&mut self) {
        let effects = std::mem::take(&mut self.effects);
        for effect in effects {
            let Effect::Simulate(version, scenario, wanted) = effect else {
                self.effects.push(effect);
                continue;
            };
            let model = &mut self.model;
            worker::run(version, &scenario, wanted, &|| true, &mut |message| {
                update(model, message);
                true
            });
        }
        settle(&mut self.model);
    }

    pub fn simulation(&self) -> &Simulation {
        self.model.simulation.as_ref().expect("a simulation")
    }

    fn open(&mut self, names: &[&str], shown: &[&str]) {
        let paths: Vec<PathBuf> = names.iter().map(|name| capture_path(name).into()).collect();
        let captures = Captures::open(&paths).expect("captures");
        self.effects = open(&mut self.model, shown.iter().map(PathBuf::from).collect());
        self.read(captures);
    }

    /// Reads a source to its end.
    pub fn read(&mut self, captures: Captures) {
        let number = self.model.sources;
        let model = &mut self.model;
        reader::run(captures, 0, &|| false, |batch| {
            update(model, Message::Batch(number, Box::new(batch)));
            true
        });
        self.tick(Span::ZERO);
        self.tick(Span::from_nanos(1));
    }

    pub fn send(&mut self, message: Message) {
        self.effects.extend(update(&mut self.model, message));
        settle(&mut self.model);
        self.simulate_now();
    }

    pub fn tick(&mut self, now: Span) {
        self.send(Message::Tick(now));
    }

    pub fn key(&mut self, key: Key) {
        self.send(Message::Key(key));
    }

    /// Types characters, one after the other.
    pub fn keys(&mut self, keys: &str) {
        for letter in keys.chars() {
            self.key(Key::Char(letter));
        }
    }

    pub fn session(&self) -> &Session {
        self.model.shown().expect("a session")
    }

    /// Seconds since the first packet.
    pub fn seconds(&self) -> f64 {
        let session = self.session();
        let (first, _) = session.store.span().expect("packets");
        session.player.at.time.since(first).as_nanos() as f64 / 1e9
    }

    pub fn draw(&mut self) -> Buffer {
        settle(&mut self.model);
        let (width, height) = self.model.size;
        let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width, height });
        view::draw(&self.model, &mut buffer);
        buffer
    }

    /// The screen as text.
    pub fn text(&mut self) -> String {
        lines(&self.draw()).join("\n")
    }

    pub fn shows(&mut self, words: &str) -> bool {
        self.text().contains(words)
    }
}

/// The lines of a buffer without what is empty at their ends.
pub fn lines(buffer: &Buffer) -> Vec<String> {
    let Rect { width, height, .. } = buffer.area;
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(line).collect()
}

/// A buffer as text, and below it how each character looks: a letter for each style, explained at the end.
pub fn dump(buffer: &Buffer) -> String {
    let Rect { width, height, .. } = buffer.area;
    let mut styles: Vec<Style> = Vec::new();
    let mut grid = String::new();
    for y in 0..height {
        let mut line = String::new();
        for x in 0..width {
            let style = buffer[(x, y)].style();
            let plain = Style::reset().fg(Color::Reset).bg(Color::Reset);
            if words(style) == words(plain) {
                line.push('.');
                continue;
            }
            let place = styles.iter().position(|known| words(*known) == words(style)).unwrap_or_else(|| {
                styles.push(style);
                styles.len() - 1
            });
            line.push(char::from(b'a' + u8::try_from(place).expect("few styles")));
        }
        grid.push_str(line.trim_end_matches('.'));
        grid.push('\n');
    }
    let legend: Vec<String> =
        ('a'..).zip(&styles).map(|(letter, style)| format!("{letter} {}", words(*style))).collect();
    format!("{}\n\n{grid}\n{}\n", lines(buffer).join("\n"), legend.join("\n"))
}

fn words(style: Style) -> String {
    let color = |name: &str, color: Option<Color>| match color {
        None | Some(Color::Reset) => String::new(),
        Some(color) => format!("{name}={color} "),
    };
    let modifiers: Vec<&str> =
        style.add_modifier.difference(Modifier::empty()).iter_names().map(|(name, _)| name).collect();
    format!("{}{}{}", color("fg", style.fg), color("bg", style.bg), modifiers.join(" ")).trim().to_owned()
}
