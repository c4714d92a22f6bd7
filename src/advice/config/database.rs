//! postgresql.conf and redis.conf: keys and values, of which the last counts.

use super::line::{Line, MILLISECONDS, OF_POSTGRESQL, SECONDS, lines, time, unquoted};
use super::{Asked, Item, Meaning, Mend};
use crate::advice::shape::{CountOf, IntervalOf, Shape};
use crate::time::Span;

/// The last line with each key.
fn last<'a>(found: &[Line<'a>], key: &str) -> Option<Line<'a>> {
    found.iter().rev().find(|line| line.key.eq_ignore_ascii_case(key)).copied()
}

/// What follows from the three settings of the server, and its user timeout.
pub(super) fn postgresql(text: &str) -> Vec<Item> {
    const MEND: Mend = Mend::Snippet("postgresql");
    let found: Vec<Line> = lines(text, &['='], &['#']).collect();
    let keys = ["tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout"];
    let [idle, interval, count, user_timeout] = keys.map(|key| last(&found, key));
    // 0 stands for the system's.
    let span = |line: Option<Line>, bare| -> Result<Option<Span>, u32> {
        let Some(line) = line else { return Ok(None) };
        let span = time(unquoted(line.value), OF_POSTGRESQL, bare).ok_or(line.number)?;
        Ok(Some(span).filter(|span| *span > Span::ZERO))
    };
    let number = |line: Option<Line>| -> Result<Option<u32>, u32> {
        let Some(line) = line else { return Ok(None) };
        let number: u32 = unquoted(line.value).parse().map_err(|_| line.number)?;
        Ok(Some(number).filter(|number| *number > 0))
    };
    let asked = (|| -> Result<Asked, u32> {
        Ok(Asked {
            idle: span(idle, SECONDS)?,
            interval: span(interval, SECONDS)?,
            count: number(count)?,
            user_timeout: span(user_timeout, MILLISECONDS)?,
            shape: None,
        })
    })();
    let shown = idle.or(interval).or(count).or(user_timeout);
    vec![match (asked, shown) {
        (Ok(asked), Some(line)) => {
            Item::at(line.number, line.key, line.value, Meaning::Keepalive(asked), MEND)
        }
        (Ok(asked), None) => Item::absent("tcp_keepalives_idle", Meaning::Keepalive(asked), MEND),
        (Err(number), _) => {
            let line = found.iter().find(|line| line.number == number);
            let (key, value) = line.map_or(("", ""), |line| (line.key, line.value));
            let meaning =
                Meaning::Unreadable(format!("{value:?} is neither a number nor a time with a unit"));
            Item::at(number, key, value, meaning, MEND)
        }
    }]
}

/// redis-server makes interval and count out of the one value.
const REDIS: Shape = Shape { interval: IntervalOf::Share(3), count: CountOf::Fixed(3) };

/// What follows from the one setting.
pub(super) fn redis(text: &str) -> Vec<Item> {
    const MEND: Mend = Mend::Snippet("redis");
    let found: Vec<Line> = lines(text, &[], &['#']).collect();
    let line = last(&found, "tcp-keepalive");
    let seconds =
        line.map_or(Some(300), |line| unquoted(line.value).parse::<i32>().ok().filter(|value| *value >= 0));
    let meaning = match seconds {
        None => Meaning::Unreadable("it is no number of seconds".to_owned()),
        Some(0) => Meaning::Off("0 turns keepalives off"),
        Some(seconds) => {
            let settings = REDIS.settings(Span::from_secs(i64::from(seconds)), Span::ZERO, 0);
            Meaning::Keepalive(Asked {
                idle: Some(settings.idle),
                interval: Some(settings.interval),
                count: Some(settings.count),
                user_timeout: None,
                shape: Some(REDIS),
            })
        }
    };
    vec![match line {
        Some(line) => Item::at(line.number, line.key, line.value, meaning, MEND),
        None => Item { value: "300 by default".to_owned(), ..Item::absent("tcp-keepalive", meaning, MEND) },
    }]
}
