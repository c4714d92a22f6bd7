//! Prints the screen of a capture or a scenario as text, as the README has it.
//!
//! `cargo run --example screen -- captures/lossy.pcap 100x30 ':6.5s'` reads the capture, presses the keys (`:` and
//! what follows it is typed, with Enter) and prints what a terminal of that size would show. A scenario that comes
//! with the program is simulated by its name: `cargo run --example screen -- linux-340s-behind-350s 100x30 D '<<'`.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use keepscope::capture::Captures;
use keepscope::dashboard::effect::Effect;
use keepscope::dashboard::message::{Key, Message};
use keepscope::dashboard::model::Model;
use keepscope::dashboard::replay::{Speed, reader};
use keepscope::dashboard::simulation::{choice, worker};
use keepscope::dashboard::theme::{Palette, Theme};
use keepscope::dashboard::update::{begin, open, settle, update};
use keepscope::dashboard::view;
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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, size, keys @ ..] = arguments.as_slice() else {
        return Err("usage: screen CAPTURE|SCENARIO COLUMNSxROWS [KEYS…]".into());
    };
    let (columns, rows) = size.split_once('x').ok_or("a size is COLUMNSxROWS, such as 100x30")?;
    let (width, height): (u16, u16) = (columns.parse()?, rows.parse()?);
    let theme = Theme { palette: Palette::Mono, truecolor: false, ascii: false };
    let mut model = Model::new((width, height), theme, Speed::Fit);
    match choice(path) {
        Some(plan) => {
            let effects = begin(&mut model, path, plan.scenario);
            simulate(&mut model, effects);
        }
        None => {
            let paths = vec![PathBuf::from(path)];
            open(&mut model, paths.clone());
            reader::run(Captures::open(&paths)?, 0, &|| false, |batch| {
                update(&mut model, Message::Batch(1, Box::new(batch)));
                true
            });
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
    for y in 0..height {
        let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
