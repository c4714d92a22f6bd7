//! Prints the screen of a capture or a scenario as text or as a picture, as the README has it.
//!
//! `cargo run --example screen -- captures/lossy.pcap 100x30 ':6.5s'` reads the capture, presses the keys (`:` and
//! what follows it is typed, with Enter) and prints what a terminal of that size would show. A scenario that comes
//! with the program is simulated by its name: `cargo run --example screen -- linux-340s-behind-350s 100x30 D '<<'`.
//! With `-` instead of either it is the start screen. After `--svg`, or the name of a theme such as `--light`, it is a
//! picture in colour.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use keepscope::capture::Captures;
use keepscope::dashboard::effect::Effect;
use keepscope::dashboard::message::{Key, Message};
use keepscope::dashboard::model::Model;
use keepscope::dashboard::replay::{Speed, reader};
use keepscope::dashboard::simulation::{choice, worker};
use keepscope::dashboard::svg;
use keepscope::dashboard::theme::{Palette, Theme};
use keepscope::dashboard::update::{begin, open, settle, update};
use keepscope::dashboard::view;
use keepscope::time::Span;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Simulates what is wanted at once.
fn simulate(model: &mut Model, effects: Vec<Effect>) {
    for effect in effects {
        if let Effect::Simulate(version, scenario, wanted) = effect {
            worker::run(version, &scenario, wanted, &|| true, &mut |message| {
                update(model, message);
                true
            });
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (options, arguments): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let [path, size, keys @ ..] = arguments.as_slice() else {
        return Err(
            "usage: screen [--svg|--light|--high-contrast|--mono] CAPTURE|SCENARIO COLUMNSxROWS [KEYS…]"
                .into(),
        );
    };
    let (columns, rows) = size.split_once('x').ok_or("a size is COLUMNSxROWS, such as 100x30")?;
    let (width, height): (u16, u16) = (columns.parse()?, rows.parse()?);
    let palette = match options.first().map(String::as_str) {
        None | Some("--mono") => Palette::Mono,
        Some("--svg") => Palette::Dark,
        Some(name) => *Palette::ALL
            .iter()
            .find(|palette| name.strip_prefix("--") == Some(palette.name()))
            .ok_or("no such theme")?,
    };
    let theme = Theme { palette, truecolor: true, ascii: false };
    let mut model = Model::new((width, height), theme, Speed::Fit);
    if let Some(plan) = choice(path) {
        let effects = begin(&mut model, path, plan.scenario);
        simulate(&mut model, effects);
    } else if path != "-" {
        let paths = vec![PathBuf::from(path)];
        open(&mut model, paths.clone());
        reader::run(Captures::open(&paths)?, 0, &|| false, |batch| {
            update(&mut model, Message::Batch(1, Box::new(batch)));
            true
        });
        // Time goes on once, so that what has been read to its end stands still.
        for now in [Span::ZERO, Span::from_nanos(1)] {
            update(&mut model, Message::Tick(now));
        }
    }
    settle(&mut model);
    for keys in keys {
        let enter = keys.starts_with([':', '/']).then_some(Key::Enter);
        for key in keys.chars().map(Key::Char).chain(enter) {
            let effects = update(&mut model, Message::Key(key));
            simulate(&mut model, effects);
            settle(&mut model);
        }
    }
    let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width, height });
    view::draw(&model, &mut buffer);
    let mut out = std::io::stdout().lock();
    if !options.is_empty() {
        write!(out, "{}", svg::screen(&buffer, &theme, &format!("keepscope {path}")))?;
        return Ok(());
    }
    for y in 0..height {
        let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
