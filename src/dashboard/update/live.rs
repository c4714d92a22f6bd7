//! The live screen: what its keys ask for, what its source says, and how its clock goes on.

use std::path::PathBuf;

use crate::dashboard::effect::Effect;
use crate::dashboard::keymap::Action;
use crate::dashboard::live::{Ask, Link, News};
use crate::dashboard::model::{Asks, Model, Once, Overlay, Prompt, Screen, Session};
use crate::time::Span;
use crate::track::event::ConnectionId;

/// The file that is proposed for a recording.
const PROPOSED: &str = "keepscope.pcapng";

/// The live source says something.
pub(super) fn on_news(model: &mut Model, source: u64, mut news: Box<News>) {
    let tick = model.tick;
    let Some(session) = model.live.as_mut().filter(|session| session.number == source) else { return };
    let Some(live) = session.live.as_mut() else { return };
    let begun = session.store.connections().len();
    let events = session.store.events().len() + news.batch.events.len();
    live.take(&mut news, tick, begun, events);
    let first = begun as u64 + 1;
    session.store.take(std::mem::take(&mut news.batch));
    // Ours are shown from their first packet on; a link may have learnt its ends after that.
    let fresh = (first..=session.store.connections().len() as u64).map(ConnectionId);
    let waiting = live.facts.links.len() > session.table.kept.len();
    let all = (1..first).map(ConnectionId).filter(|_| waiting);
    let kept: Vec<ConnectionId> = fresh.chain(all).filter(|id| live.owner(*id).is_some()).collect();
    session.table.stale |= !kept.is_empty() || session.table.all;
    session.table.kept.extend(kept);
    follow(session, tick);
    model.dirty |= model.screen == Screen::Live;
}

/// The clock outside goes on. Says whether something that is shown is different now.
pub(super) fn on_tick(session: &mut Session, tick: Span) -> bool {
    let due = session.live.as_ref().is_some_and(|live| {
        let now = live.now(tick);
        live.changes_at.zip(now).is_some_and(|(at, now)| now >= at)
    });
    due && follow(session, tick)
}

/// Shows the moment of now, unless the screen stands still.
fn follow(session: &mut Session, tick: Span) -> bool {
    let Session { player, store, live, .. } = session;
    let over = live.as_ref().is_some_and(|live| live.facts.over.is_some());
    let Some(now) = live.as_ref().and_then(|live| live.now(tick)).filter(|_| player.playing) else {
        return false;
    };
    if over {
        player.to_end(store);
    } else {
        player.follow(store, now);
    }
    true
}

/// Stops the screen where it is, or goes on with now.
pub(super) fn on_play(session: &mut Session, tick: Span) {
    session.player.playing = !session.player.playing;
    session.ladder_back = 0;
    follow(session, tick);
}

/// To now, and on with it.
pub(super) fn to_now(session: &mut Session, tick: Span) {
    session.player.playing = true;
    session.ladder_back = 0;
    follow(session, tick);
}

/// What a key of the live screen asks for; nothing if it is no such key.
pub(super) fn perform(model: &mut Model, action: Action, asked: Option<Once>) -> Option<Vec<Effect>> {
    match action {
        Action::Peer => {
            if let Some(why) = unavailable(model) {
                model.notice = Some(why);
                return Some(Vec::new());
            }
            let mut line = Prompt::new(Asks::Peer, &format!(" {}", model.manner));
            line.cursor = 0;
            model.overlay = Some(Overlay::Prompt(line));
        }
        Action::Watch => {
            if let Some(why) = unavailable(model) {
                model.notice = Some(why);
                return Some(Vec::new());
            }
            let mut effects = begin(model);
            effects.push(Effect::Ask(Ask::Watch));
            return Some(effects);
        }
        Action::Manner => {
            let line = Prompt::new(Asks::Manner, &model.manner.to_string());
            model.overlay = Some(Overlay::Prompt(line));
        }
        Action::Change => {
            if let Some((index, link)) = chosen(model) {
                let line = Prompt::new(Asks::Change(index), &link.manner.to_string());
                model.overlay = Some(Overlay::Prompt(line));
            }
        }
        Action::ProbeNow => {
            if let Some((index, _)) = chosen(model) {
                model.notice = Some("a probe leaves now".to_owned());
                return Some(vec![Effect::Ask(Ask::ProbeNow(index))]);
            }
        }
        Action::Close => return Some(close(model, asked)),
        Action::Hold => {
            let facts = model.live.as_ref().and_then(|session| session.live.as_ref()).map(|live| &live.facts);
            if let Some(facts) = facts.filter(|facts| facts.over.is_none()) {
                return Some(vec![Effect::Ask(Ask::Hold(!facts.held))]);
            }
        }
        Action::Record => {
            let facts = model.live.as_ref().and_then(|session| session.live.as_ref()).map(|live| &live.facts);
            match facts.filter(|facts| facts.over.is_none()) {
                Some(facts) if facts.recording.is_some() => {
                    return Some(vec![Effect::Ask(Ask::StopRecording)]);
                }
                Some(_) => model.overlay = Some(Overlay::Prompt(Prompt::new(Asks::Record, PROPOSED))),
                None => model.notice = Some("nothing goes on that could be recorded".to_owned()),
            }
        }
        _ => return None,
    }
    Some(Vec::new())
}

/// Why nothing live can be begun.
fn unavailable(model: &Model) -> Option<String> {
    let over = model.live.as_ref().and_then(|session| session.live.as_ref()).is_some_and(|live| {
        // Its sockets went with it.
        live.facts.over.is_some()
    });
    if over {
        return Some("the live source has ended; start again for another one".to_owned());
    }
    model.no_live.clone().filter(|_| model.live.is_none())
}

/// Shows the live screen, with a source if there is none.
pub fn begin(model: &mut Model) -> Vec<Effect> {
    model.screen = Screen::Live;
    model.dirty = true;
    if model.live.is_some() {
        return Vec::new();
    }
    model.sources += 1;
    model.live = Some(Session::of_live(model.sources));
    vec![Effect::Live(model.sources)]
}

/// The chosen connection, if it is ours and goes on; says so otherwise.
fn chosen(model: &mut Model) -> Option<(usize, Link)> {
    let session = model.live.as_ref()?;
    let live = session.live.as_ref()?;
    let found = session.selected.and_then(|id| Some((live.owner(id)?, *live.link(id)?)));
    let problem = match found {
        Some((_, link)) if link.stage.goes_on() && live.facts.over.is_none() => return found,
        Some((_, link)) => format!("this connection is no longer probed: {}", link.stage.word()),
        None if session.selected.is_some() => "this connection is only watched".to_owned(),
        None => "no connection is chosen".to_owned(),
    };
    model.notice = Some(problem);
    None
}

fn close(model: &mut Model, asked: Option<Once>) -> Vec<Effect> {
    let Some((index, link)) = chosen(model) else { return Vec::new() };
    if asked == Some(Once::Close(index)) {
        return vec![Effect::Ask(Ask::Close(index))];
    }
    model.asked_once = Some(Once::Close(index));
    let key = model.keys.key(Screen::Live, Action::Close);
    model.notice = Some(format!("{key} again closes the connection to {}", link.peer));
    Vec::new()
}

/// A line that was typed for the live screen.
pub(super) fn accept(model: &mut Model, asks: Asks, text: &str) -> Result<Vec<Effect>, String> {
    let mut words = text.split_whitespace();
    match asks {
        Asks::Peer => {
            let target = words.next().filter(|word| !word.contains('='));
            let target = target.filter(|word| word.contains(':'));
            let target = target.ok_or("name the peer first, like example.net:443 or [2001:db8::1]:80")?;
            let manner = model.manner.changed(words)?;
            let mut effects = begin(model);
            effects.push(Effect::Ask(Ask::Probe { target: target.to_owned(), manner }));
            Ok(effects)
        }
        Asks::Change(link) => {
            let facts = model.live.as_ref().and_then(|session| session.live.as_ref()).map(|live| &live.facts);
            let before =
                facts.and_then(|facts| facts.links.get(link)).map_or(model.manner, |link| link.manner);
            let manner = before.changed(words)?;
            Ok(vec![Effect::Ask(Ask::Change { link, manner })])
        }
        Asks::Manner => {
            model.manner = model.manner.changed(words)?;
            model.notice = Some(format!("peers to come: {}", model.manner));
            Ok(Vec::new())
        }
        _ => {
            let name = text.trim();
            if !(name.ends_with(".pcapng") || name.ends_with(".pcap")) {
                return Err("the name ends with .pcapng or .pcap".to_owned());
            }
            Ok(vec![Effect::Ask(Ask::Record(PathBuf::from(name)))])
        }
    }
}
