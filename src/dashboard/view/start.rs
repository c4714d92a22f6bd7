//! What can be done, for who started without a command.

use super::pen::Pen;
use crate::dashboard::model::Model;
use crate::dashboard::theme::Role;
use crate::dashboard::update::ENTRIES;

pub(super) fn draw(model: &Model, pen: &mut Pen<'_>) {
    let glyphs = pen.theme().glyphs();
    // Where there is little room the entries come first.
    let (room, count) = (usize::from(pen.height()), ENTRIES.len());
    let first = if room < 4 + 2 * count { 0 } else { 4 };
    let step = if room < 4 + 3 * count { 2 } else { 3 };
    if first > 0 {
        pen.put(4, 1, "keepscope", Role::Strong);
        pen.put(4, 2, "finds, times and judges TCP keepalive probes at packet level", Role::Text);
    }
    for (index, (y, (name, words, _))) in (first..).step_by(step).zip(ENTRIES).enumerate() {
        let chosen = index == model.start_entry;
        let pointer = if chosen { glyphs.pointer } else { " " };
        pen.put(2, y, &format!("{pointer} {name} "), if chosen { Role::Selected } else { Role::Strong });
        pen.put(6, y + 1, words, Role::Text);
    }
}
