//! How frames, ends, files and times are named in the document.

use std::time::{Duration, SystemTime};

use crate::frame::FrameId;
use crate::time::Timestamp;
use crate::track::event::Party;

/// A frame: its number, and before it the file where there are several.
pub(super) fn frame(id: FrameId, several: bool) -> String {
    if several { format!("{}:{}", u64::from(id.capture) + 1, id.number) } else { id.number.to_string() }
}

/// A list of frames, of a long one the beginning.
pub(super) fn frames(ids: &[FrameId], several: bool) -> String {
    const MOST: usize = 40;
    let named: Vec<String> = ids.iter().take(MOST).map(|id| frame(*id, several)).collect();
    let more = match ids.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", named.join(", "))
}

pub(super) const fn party(party: Party) -> &'static str {
    party.name()
}

/// A time as date and time of day in UTC, or as seconds where it lies before 1970.
pub(super) fn moment(time: Timestamp) -> String {
    match u64::try_from(time.as_nanos()) {
        Ok(nanos) => {
            let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos);
            humantime::format_rfc3339_millis(time).to_string().replace('T', " ").replace('Z', " UTC")
        }
        Err(_) => format!("{time} s"),
    }
}

/// Text from outside: what cannot be seen, or turns what follows around, shows as a replacement character.
pub(super) fn foreign(text: &str) -> String {
    let hidden = |letter: char| {
        letter.is_control()
            || matches!(letter,
                '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
            || (u32::from(letter) & 0xfffe == 0xfffe)
            || matches!(letter, '\u{fdd0}'..='\u{fdef}')
    };
    text.chars().map(|letter| if hidden(letter) { char::REPLACEMENT_CHARACTER } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_shows() {
        assert_eq!(foreign("a\u{202e}gpj.exe\u{1b}[31m\u{7}b"), "a\u{fffd}gpj.exe\u{fffd}[31m\u{fffd}b");
        assert_eq!(foreign("zoë <b>&'\""), "zoë <b>&'\"");
        assert_eq!(foreign("\u{fffe}\u{1ffff}\u{fdd0}"), "\u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn times_are_dates_where_they_can_be() {
        assert_eq!(moment(Timestamp::from_nanos(1_500_000_000)), "1970-01-01 00:00:01.500 UTC");
        assert_eq!(moment(Timestamp::from_nanos(-1)), "-0.000000001 s");
        assert_eq!(moment(Timestamp::from_nanos(i64::MAX)), "2262-04-11 23:47:16.854 UTC");
    }

    #[test]
    fn long_lists_of_frames_are_cut() {
        let ids: Vec<FrameId> = (1..=50).map(|number| FrameId { capture: 0, number }).collect();
        assert!(frames(&ids, false).ends_with("39, 40 and 10 more"), "{}", frames(&ids, false));
        assert_eq!(frame(FrameId { capture: 1, number: 7 }, true), "2:7");
    }
}
