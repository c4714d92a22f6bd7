//! A line of text being typed, and what becomes of it.

use std::path::PathBuf;

use super::simulate;
use crate::analysis::filter::{Filter, FilterError};
use crate::dashboard::effect::Effect;
use crate::dashboard::message::Key;
use crate::dashboard::model::{Asks, Model, Overlay, Prompt, Session};
use crate::time::{Span, Timestamp};

/// Longer lines are not taken.
const LONGEST: usize = 1024;

pub(super) fn on_key(model: &mut Model, mut line: Prompt, key: Key) -> Vec<Effect> {
    match key {
        Key::Esc => {
            if line.asks == Asks::Filter {
                // What was there before stays.
                let before = model.shown().map(|session| session.table.filter_text.clone());
                let _ = set_filter(model, &before.unwrap_or_default());
            }
            return Vec::new();
        }
        Key::Enter => return accept(model, line),
        Key::Char(letter) if line.text.len() < LONGEST => {
            line.text.insert(line.cursor.min(line.text.len()), letter);
            line.cursor += 1;
        }
        Key::Backspace if line.cursor > 0 => {
            line.cursor -= 1;
            line.text.remove(line.cursor);
        }
        Key::Delete if line.cursor < line.text.len() => {
            line.text.remove(line.cursor);
        }
        Key::Left => line.cursor = line.cursor.saturating_sub(1),
        Key::Right => line.cursor = (line.cursor + 1).min(line.text.len()),
        Key::Home | Key::Ctrl('a') => line.cursor = 0,
        Key::End | Key::Ctrl('e') => line.cursor = line.text.len(),
        Key::Ctrl('u') => {
            line.text.drain(..line.cursor.min(line.text.len()));
            line.cursor = 0;
        }
        _ => {}
    }
    (line.problem, line.wrong) = (None, None);
    if line.asks == Asks::Filter {
        // The table shows at once what would be left of it.
        if let Err(error) = set_filter(model, &line.content()) {
            line.wrong = Some((error.column, error.width));
            line.problem = Some(error.problem);
        }
    }
    model.overlay = Some(Overlay::Prompt(line));
    Vec::new()
}

/// Filters the table, but keeps what was typed before until that is accepted.
fn set_filter(model: &mut Model, text: &str) -> Result<(), FilterError> {
    let filter: Filter = text.parse()?;
    if let Some(session) = model.shown_mut() {
        session.table.filter = filter;
        session.table.stale = true;
    }
    Ok(())
}

fn accept(model: &mut Model, line: Prompt) -> Vec<Effect> {
    let text = line.content();
    let done = match line.asks {
        Asks::Open if text.trim().is_empty() => Err("name a pcap or pcapng file, or a scenario".to_owned()),
        Asks::Open if text.trim().ends_with(".toml") => {
            return vec![Effect::ReadScenario(PathBuf::from(text.trim()))];
        }
        Asks::Open => return super::open(model, vec![PathBuf::from(text.trim())]),
        Asks::Peer | Asks::Change(_) | Asks::Manner | Asks::Record => {
            match super::live::accept(model, line.asks, &text) {
                Ok(effects) => return effects,
                Err(problem) => Err(problem),
            }
        }
        Asks::Rehearse => super::middlebox::rehearse(model, &text),
        Asks::Filter => match set_filter(model, &text) {
            Ok(()) => {
                if let Some(session) = model.shown_mut() {
                    session.table.filter_text = text;
                }
                Ok(())
            }
            Err(error) => Err(error.problem),
        },
        Asks::GoTo => model.shown_mut().map_or(Ok(()), |session| go_to(session, text.trim())),
        Asks::Setting => match simulate::set(model, &text) {
            Ok(effects) => return effects,
            Err(problem) => Err(problem),
        },
    };
    if let Err(problem) = done {
        model.overlay = Some(Overlay::Prompt(Prompt { problem: Some(problem), ..line }));
    }
    Vec::new()
}

/// Goes to a moment in words.
fn go_to(session: &mut Session, text: &str) -> Result<(), String> {
    let Some((first, _)) = session.store.span() else { return Ok(()) };
    let target = moment(session, first, text)?;
    session.stay();
    match target {
        Target::Time(time) => session.player.to_time(&session.store, time),
        Target::Rows(rows) => session.player.to_row(&session.store, rows),
    }
    session.player.pause();
    session.ladder_back = 0;
    Ok(())
}

enum Target {
    Time(Timestamp),
    Rows(usize),
}

const FORMS: &str =
    "write a time since the start (12.5s, 2m30s), a time of day in UTC (14:03:22), a packet (#9118), a or b";

fn moment(session: &Session, first: Timestamp, text: &str) -> Result<Target, String> {
    if let Some(number) = text.strip_prefix('#') {
        let number: u64 = number.parse().map_err(|_| FORMS.to_owned())?;
        let rows = session.store.rows();
        let place = rows.iter().position(|row| row.frame().capture == 0 && row.frame().number >= number);
        return place
            .map(|place| Target::Rows(place + 1))
            .ok_or_else(|| format!("no TCP segment at or after packet {number}"));
    }
    for (name, mark) in ["a", "b"].into_iter().zip(session.player.marks) {
        if text.eq_ignore_ascii_case(name) {
            return mark.map(Target::Time).ok_or_else(|| format!("no mark {}", name.to_uppercase()));
        }
    }
    if text.contains(':') {
        let within = time_of_day(text).ok_or_else(|| FORMS.to_owned())?;
        let day = 86_400_000_000_000;
        let midnight = first.as_nanos().div_euclid(day) * day;
        let mut time = Timestamp::from_nanos(midnight).plus(within);
        // A time before that of the first packet is of the next day.
        if time < Timestamp::from_nanos(first.as_nanos() / 1_000_000_000 * 1_000_000_000) {
            time = time.plus(Span::from_nanos(day));
        }
        return Ok(Target::Time(time));
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("say the unit: {text}s, or #{text} for a packet"));
    }
    let decimal = text.strip_suffix('s').and_then(|number| number.parse::<f64>().ok());
    let span = match decimal.filter(|seconds| (0.0..9e9).contains(seconds)) {
        Some(seconds) => Span::from_nanos((seconds * 1e9).round() as i64),
        None => {
            let duration = humantime::parse_duration(text).map_err(|_| FORMS.to_owned())?;
            Span::from_nanos(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
        }
    };
    Ok(Target::Time(first.plus(span)))
}

/// Hours, minutes and seconds with an optional fraction.
fn time_of_day(text: &str) -> Option<Span> {
    let mut parts = text.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next().unwrap_or("0").parse().ok()?;
    let valid = (0..24).contains(&hours) && (0..60).contains(&minutes) && (0.0..60.0).contains(&seconds);
    let nanos = (seconds * 1e9).round() as i64;
    (valid && parts.next().is_none())
        .then(|| Span::from_secs(hours * 3600 + minutes * 60).plus(Span::from_nanos(nanos)))
}
