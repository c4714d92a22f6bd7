//! A whole screen as a picture: each run of characters that look alike is a text of its own, stretched to the
//! columns it takes, so that it stands where the terminal has it whatever font the reader has.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::escape;
use crate::dashboard::text;
use crate::dashboard::theme::{Palette, Theme};

/// Size of a character and of the edge around all of them, in tenths of a unit.
const WIDE: usize = 84;
const HIGH: usize = 170;
const EDGE: usize = 80;

/// Foreground and background of a terminal that has not been told any.
fn ground(theme: &Theme) -> (&'static str, &'static str) {
    match theme.palette {
        Palette::Light => ("#222222", "#ffffff"),
        Palette::HighContrast => ("#ffffff", "#000000"),
        Palette::Dark | Palette::Mono => ("#d6d6d6", "#16181d"),
    }
}

fn color(color: Color, default: &str) -> String {
    let basic = match color {
        Color::Rgb(red, green, blue) => return format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Black => "#000000",
        Color::Red => "#cd0000",
        Color::Green => "#00cd00",
        Color::Yellow => "#cdcd00",
        Color::Blue => "#0000ee",
        Color::Magenta => "#cd00cd",
        Color::Cyan => "#00cdcd",
        Color::LightRed => "#ff5555",
        Color::LightGreen => "#55ff55",
        Color::LightYellow => "#ffff55",
        Color::LightBlue => "#5c5cff",
        Color::LightMagenta => "#ff55ff",
        Color::LightCyan => "#55ffff",
        Color::White => "#ffffff",
        _ => default,
    };
    basic.to_owned()
}

/// Tenths of a unit.
fn units(tenths: usize) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// What was drawn, as a picture.
pub fn screen(buffer: &Buffer, theme: &Theme, title: &str) -> String {
    let area = buffer.area;
    let (text, paper) = ground(theme);
    let width = units(usize::from(area.width) * WIDE + 2 * EDGE);
    let height = units(usize::from(area.height) * HIGH + 2 * EDGE);
    let mut body = String::new();
    for y in 0..area.height {
        let mut x = 0;
        while x < area.width {
            let Some(first) = buffer.cell((area.x + x, area.y + y)) else { break };
            let (mut words, mut after) = (String::new(), x);
            while let Some(cell) = buffer.cell((area.x + after, area.y + y)).filter(|_| after < area.width)
                && cell.style() == first.style()
            {
                words.push_str(cell.symbol());
                after += text::width(cell.symbol()).max(1) as u16;
            }
            run(&mut body, first, &words, (x, after, y), (text, paper));
            x = after;
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{paper}\"/>\n\
         <g font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"14\" xml:space=\"preserve\">\n\
         {body}</g>\n</svg>\n",
        escape(title)
    )
}

/// Characters that look alike, from a column to before another.
fn run(body: &mut String, cell: &Cell, words: &str, place: (u16, u16, u16), (text, paper): (&str, &str)) {
    let (from, to, line) = place;
    let style = cell.style();
    let set = |modifier| style.add_modifier.contains(modifier);
    let mut ink = color(style.fg.unwrap_or(Color::Reset), text);
    let mut behind = color(style.bg.unwrap_or(Color::Reset), paper);
    if set(Modifier::REVERSED) {
        std::mem::swap(&mut ink, &mut behind);
    }
    let x = EDGE + usize::from(from) * WIDE;
    let y = EDGE + usize::from(line) * HIGH;
    let wide = usize::from(to - from) * WIDE;
    if behind != paper {
        // A string takes everything.
        let _ = writeln!(
            body,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{behind}\"/>",
            units(x),
            units(y),
            units(wide),
            units(HIGH)
        );
    }
    // What is empty at the ends need not be written.
    let left = words.len() - words.trim_start().len();
    let shown = words.trim();
    if shown.is_empty() {
        return;
    }
    let mut looks = String::new();
    for (modifier, attribute) in [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::DIM, " opacity=\"0.65\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
    ] {
        looks.push_str(if set(modifier) { attribute } else { "" });
    }
    let _ = writeln!(
        body,
        "<text x=\"{}\" y=\"{}\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{ink}\"{looks}>{}</text>",
        units(x + left * WIDE),
        units(y + HIGH * 3 / 4),
        units(text::width(shown) * WIDE),
        escape(shown)
    );
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn each_run_stands_in_its_columns() {
        let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width: 12, height: 2 });
        buffer.set_string(0, 0, "  a <b>", Style::new());
        buffer.set_string(7, 0, "日!", Style::new().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::REVERSED));
        let theme = Theme { palette: Palette::Dark, truecolor: true, ascii: false };
        let picture = screen(&buffer, &theme, "a & b");
        assert!(picture.contains("<title>a &amp; b</title>"), "{picture}");
        let text = "<text x=\"24.8\" y=\"20.7\" textLength=\"42.0\" lengthAdjust=\"spacingAndGlyphs\" fill=\"#d6d6d6\">a &lt;b&gt;</text>";
        assert!(picture.contains(text), "{picture}");
        assert!(
            picture.contains("<rect x=\"66.8\" y=\"8.0\" width=\"25.2\" height=\"17.0\" fill=\"#010203\"/>"),
            "{picture}"
        );
        assert!(picture.contains("fill=\"#16181d\">日!</text>"), "{picture}");
    }
}
