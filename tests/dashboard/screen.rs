//! Prints the screen of a capture as text, as the README has it.
//!
//! `cargo run --example screen -- captures/lossy.pcap 100x30 ':6.5s'` reads the capture, presses the keys (`:` and
//! what follows it is typed, with Enter) and prints what a terminal of that size would show.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use keepscope::capture::Captures;
use keepscope::dashboard::message::{Key, Message};
use keepscope::dashboard::model::Model;
use keepscope::dashboard::replay::{Speed, reader};
use keepscope::dashboard::theme::{Palette, Theme};
use keepscope::dashboard::update::{open, settle, update};
use keepscope::dashboard::view;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, size, keys @ ..] = arguments.as_slice() else {
        return Err("usage: screen CAPTURE COLUMNSxROWS [KEYS…]".into());
    };
    let (columns, rows) = size.split_once('x').ok_or("a size is COLUMNSxROWS, such as 100x30")?;
    let (width, height): (u16, u16) = (columns.parse()?, rows.parse()?);
    let theme = Theme { palette: Palette::Mono, truecolor: false, ascii: false };
    let mut model = Model::new((width, height), theme, Speed::Fit);
    let paths = vec![PathBuf::from(path)];
    open(&mut model, paths.clone());
    reader::run(Captures::open(&paths)?, 0, &|| false, |batch| {
        update(&mut model, Message::Batch(1, Box::new(batch)));
        true
    });
    settle(&mut model);
    for keys in keys {
        let enter = keys.starts_with([':', '/']).then_some(Key::Enter);
        for key in keys.chars().map(Key::Char).chain(enter) {
            update(&mut model, Message::Key(key));
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
