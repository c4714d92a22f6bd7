//! The mouse, for those who turned it on.

use super::keys::select;
use crate::dashboard::message::Mouse;
use crate::dashboard::model::{Model, Overlay, Panel, Screen};
use crate::dashboard::view::layout::{self, Place};
use crate::dashboard::view::{connections, scrubber};
use crate::track::event::ConnectionId;

pub(super) fn on_mouse(model: &mut Model, mouse: Mouse) {
    if model.screen == Screen::Start
        || matches!(model.overlay, Some(Overlay::Prompt(_) | Overlay::Export | Overlay::Scenarios(_)))
    {
        return;
    }
    let (column, row) = match mouse {
        Mouse::Press(column, row) | Mouse::WheelUp(column, row) | Mouse::WheelDown(column, row) => {
            (column, row)
        }
    };
    let Some((place, area)) = layout::at(model, column, row) else { return };
    if let (Mouse::Press(..), Place::Panel(panel)) = (mouse, place) {
        model.choices.focus = panel;
    }
    let Some(session) = model.shown_mut() else { return };
    match (mouse, place) {
        (Mouse::Press(..), Place::Scrubber) => {
            let axis = scrubber::axis(session, area.width);
            let time = axis.time(column.saturating_sub(area.x));
            session.stay();
            session.player.to_time(&session.store, time);
            session.player.pause();
        }
        (Mouse::Press(..), Place::Panel(Panel::Connections)) => {
            if let Some(index) = connections::row_at(session, area, row) {
                session.selected = Some(ConnectionId(u64::from(index) + 1));
                session.chosen_by_hand = true;
                session.ladder_back = 0;
            }
        }
        (Mouse::WheelUp(..) | Mouse::WheelDown(..), Place::Panel(panel)) => {
            let step: isize = if matches!(mouse, Mouse::WheelUp(..)) { -3 } else { 3 };
            match panel {
                Panel::Connections => select(session, step.signum()),
                Panel::Ladder => {
                    session.ladder_back = session.ladder_back.saturating_add_signed(-step);
                }
                Panel::Events => session.events_back = session.events_back.saturating_add_signed(-step),
                _ => {}
            }
        }
        _ => {}
    }
}
