//! What a search tried and heard, in few words; what it found is said by [`crate::report::middlebox`].
//!
//! Pure.

use super::Hunt;
use crate::report::middlebox::{advice, sentence};
use crate::search::{Death, News, Outcome, Trial, Way};
use crate::time::Span;

/// A silence in seconds: as many digits as tell it from its neighbours.
pub fn silence(span: Span) -> String {
    let tenths = (span.as_nanos().max(0) + 50_000_000) / 100_000_000;
    if tenths < 100_000 { format!("{}.{} s", tenths / 10, tenths % 10) } else { format!("{} s", tenths / 10) }
}

/// A time to wait, which need not be exact.
pub fn roughly(span: Span) -> String {
    let seconds = (span.as_nanos().max(0) + 500_000_000) / 1_000_000_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A direction.
pub const fn way(way: Way) -> &'static str {
    match way {
        Way::Out => "outbound",
        Way::In => "inbound",
    }
}

/// What came of a silence: sign, word, and by what it showed.
pub fn result(trial: &Trial) -> (&'static str, &'static str, String) {
    match trial.result {
        Outcome::Lived => {
            let took = trial.sign.round_trip.map(super::super::text::brief);
            ("*", "lived", took.map_or("answered".to_owned(), |took| format!("answered, {took}")))
        }
        Outcome::Died(death) => ("x", "died", how(death).to_owned()),
        Outcome::Void(void) => ("-", "void", void.name().replace('_', " ")),
    }
}

fn how(death: Death) -> &'static str {
    use crate::search::End;
    match death {
        Death::Silent => "no answer",
        Death::Ended(End::Reset, _) => "RST in answer",
        Death::Ended(End::Fin, _) => "FIN in answer",
        Death::Ended(End::Icmp, _) => "ICMP error",
        Death::Unasked(End::Reset, _) => "RST, unasked",
        Death::Unasked(End::Fin, _) => "FIN, unasked",
        Death::Unasked(End::Icmp, _) => "ICMP, unasked",
        Death::NewPort => "from another port",
    }
}

/// A piece of news.
pub fn news(news: &News) -> String {
    match news {
        News::Trial(trial) => {
            let (_, word, how) = result(trial);
            format!("{} {word}: {how} (connection {})", silence(trial.idle), trial.id.0)
        }
        News::Bracket { longest_alive, shortest_dead } => {
            let said = |span: &Option<Span>| span.map_or("?".to_owned(), silence);
            format!("between {} and {}", said(longest_alive), said(shortest_dead))
        }
        News::Confounder(confounder) => format!("note: {}", confounder.sentence()),
        News::Phase(phase) => format!("phase: {}", phase.name()),
        News::Done(verdict) => format!("done: {}", verdict.name().replace('_', " ")),
    }
}

/// What the search shown comes to at the moment shown, for the clipboard and for who has left the screen; nothing if
/// that is nothing yet.
pub fn summary(hunt: &Hunt) -> Option<String> {
    let (course, finding) = (hunt.shown()?, hunt.standing()?.finding?);
    let mut lines = vec![hunt.subject.clone()];
    if hunt.simulated {
        lines.push("SIMULATED: nothing was sent".to_owned());
    }
    lines.push(sentence(&course.wanted, finding));
    lines.extend(advice(&course.wanted, finding, hunt.has_inward()));
    Some(lines.join("\n") + "\n")
}
