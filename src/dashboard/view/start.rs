//! What can be done, for who started without a command.

use super::pen::Pen;
use crate::dashboard::model::Model;
use crate::dashboard::theme::Role;
use crate::dashboard::update::ENTRIES;

pub(super) fn draw(model: &Model, pen: &mut Pen<'_>) {
    let glyphs = pen.theme().glyphs();
    pen.put(4, 1, "keepscope", Role::Strong);
    pen.put(4, 2, "finds, times and judges TCP keepalive probes at packet level", Role::Text);
    for (index, (y, (name, words, _))) in (4..).step_by(3).zip(ENTRIES).enumerate() {
        let chosen = index == model.start_entry;
        let pointer = if chosen { glyphs.pointer } else { " " };
        pen.put(2, y, &format!("{pointer} {name} "), if chosen { Role::Selected } else { Role::Strong });
        pen.put(6, y + 1, words, Role::Text);
    }
}
