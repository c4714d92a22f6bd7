//! Writing into a part of the screen, where nothing goes over its edge.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::dashboard::text;
use crate::dashboard::theme::{Role, Theme};

/// A part of the screen.
pub(super) struct Pen<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    theme: &'a Theme,
}

impl<'a> Pen<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, area: Rect, theme: &'a Theme) -> Self {
        let area = area.intersection(buffer.area);
        Self { buffer, area, theme }
    }

    pub(super) fn width(&self) -> u16 {
        self.area.width
    }

    pub(super) fn height(&self) -> u16 {
        self.area.height
    }

    pub(super) fn theme(&self) -> &'a Theme {
        self.theme
    }

    /// A part of this part, in columns and rows from its corner.
    pub(super) fn part(&mut self, x: u16, y: u16, width: u16, height: u16) -> Pen<'_> {
        let rect = Rect {
            x: self.area.x.saturating_add(x),
            y: self.area.y.saturating_add(y),
            width: width.min(self.area.width.saturating_sub(x)),
            height: height.min(self.area.height.saturating_sub(y)),
        };
        self.within(rect)
    }

    /// A part of the screen.
    pub(super) fn within(&mut self, rect: Rect) -> Pen<'_> {
        let area = rect.intersection(self.area);
        Pen { buffer: self.buffer, area, theme: self.theme }
    }

    /// Blanks everything.
    pub(super) fn clear(&mut self) {
        let ground = self.theme.ground();
        for y in self.area.top()..self.area.bottom() {
            for x in self.area.left()..self.area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                    cell.set_style(ground);
                }
            }
        }
    }

    /// Writes cleaned text; returns the column after it.
    pub(super) fn put(&mut self, x: u16, y: u16, words: &str, role: Role) -> u16 {
        if y >= self.area.height || x >= self.area.width {
            return x;
        }
        let words = text::clean(words);
        let replaced;
        let words = if self.theme.ascii && !words.is_ascii() {
            replaced = words.replace(|letter: char| !letter.is_ascii(), "?");
            replaced.as_str()
        } else {
            &words
        };
        let room = usize::from(self.area.width - x);
        let style = self.theme.style(role);
        let (after, _) = self.buffer.set_stringn(self.area.x + x, self.area.y + y, words, room, style);
        after.saturating_sub(self.area.x)
    }

    /// Writes text that ends at the right edge, or before it.
    pub(super) fn put_right(&mut self, before: u16, y: u16, words: &str, role: Role) {
        let wide = text::width(words) as u16;
        let end = self.area.width.saturating_sub(before);
        if wide <= end {
            self.put(end - wide, y, words, role);
        }
    }

    /// Gives a whole line a role, whatever is on it.
    pub(super) fn mark_line(&mut self, y: u16, role: Role) {
        self.mark(0, y, self.area.width, role);
    }

    /// Gives some columns of a line a role.
    pub(super) fn mark(&mut self, x: u16, y: u16, columns: u16, role: Role) {
        let rect = Rect {
            x: self.area.x.saturating_add(x),
            y: self.area.y.saturating_add(y),
            width: columns,
            height: 1,
        };
        if y < self.area.height {
            self.buffer.set_style(rect.intersection(self.area), self.theme.style(role));
        }
    }

    /// A frame with a title and something at the right of it; returns what is inside. A part of less than three
    /// lines has no frame.
    pub(super) fn panel(&mut self, title: &str, right: &str, focused: bool) -> Pen<'_> {
        let (width, height) = (self.area.width, self.area.height);
        if height < 3 || width < 4 {
            return self.part(0, 0, width, height);
        }
        let glyphs = self.theme.glyphs();
        let role = if focused { Role::Focus } else { Role::Frame };
        let [upper_left, upper_right, lower_left, lower_right] = glyphs.corners;
        let line = glyphs.across.repeat(usize::from(width - 2));
        self.put(0, 0, &format!("{upper_left}{line}{upper_right}"), role);
        self.put(0, height - 1, &format!("{lower_left}{line}{lower_right}"), role);
        for y in 1..height - 1 {
            self.put(0, y, glyphs.down, role);
            self.put(width - 1, y, glyphs.down, role);
        }
        let room = usize::from(width).saturating_sub(4);
        // The panel that keys go to says so without colour as well.
        let title = if focused { format!("[{title}]") } else { format!(" {title} ") };
        let title = text::shorten(&title, room, glyphs.cut).into_owned();
        let after = self.put(2, 0, &title, if focused { Role::Focus } else { Role::Strong });
        let right = format!(" {right} ");
        if right.len() > 2 && usize::from(after) + text::width(&right) + 2 < usize::from(width) {
            self.put_right(2, 0, &right, Role::Text);
        }
        self.part(1, 1, width - 2, height - 2)
    }
}
