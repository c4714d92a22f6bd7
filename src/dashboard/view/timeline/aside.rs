//! What a simulation knows beside the packets, along time: what befell hosts, and what boxes knew.

use crate::dashboard::axis::Axis;
use crate::dashboard::model::Session;
use crate::dashboard::theme::Role;
use crate::dashboard::view::pen::Pen;

/// Power lost, cables pulled, connections closed.
pub(super) fn script(axis: &Axis, session: &Session, pen: &mut Pen<'_>) {
    let of_box = |by: &str| session.asides.boxes.iter().any(|found| found.name == by);
    for note in session.asides.notes.iter().filter(|note| !note.sign.is_empty() && !of_box(&note.by)) {
        if let Some(column) = axis.column(note.time) {
            let past = note.time <= session.player.at.time;
            pen.put(column, 0, note.sign, if past { note.role } else { Role::Faint });
        }
    }
}

/// While a box knows the connection there is a line, which is faint where it is still to come.
pub(super) fn of_box(axis: &Axis, session: &Session, place: usize, pen: &mut Pen<'_>) {
    let Some(found) = session.asides.boxes.get(place) else { return };
    let (Some(first), Some(last)) = (axis.pieces().first(), axis.pieces().last()) else { return };
    let now = session.player.at.time;
    for (from, to) in &found.known {
        if *to < first.from || *from > last.to {
            continue;
        }
        let begin = axis.column((*from).max(first.from)).unwrap_or(0);
        let end = axis.column((*to).min(last.to)).unwrap_or(pen.width());
        for column in begin..=end {
            let past = axis.time(column) <= now;
            pen.put(column, 0, if past { "=" } else { "-" }, if past { Role::Good } else { Role::Faint });
        }
    }
    for (time, sign) in &found.marks {
        let Some(column) = axis.column(*time) else { continue };
        let role = match *sign {
            _ if *time > now => Role::Faint,
            "X" | "R" | "F" => Role::Bad,
            "d" => Role::Doubt,
            _ => Role::Text,
        };
        pen.put(column, 0, sign, role);
    }
}
