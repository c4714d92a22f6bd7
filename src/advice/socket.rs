//! Connections that exist already, judged by the rules of a recommendation.
//!
//! Owns [`State`], what is known of a connection's keepalives, and its judgement ([`Auditor::socket`]). A system rarely
//! tells the settings of a connection; what its timer shows is judged then, and the rest is unknown.

use super::audit::{Auditor, Verdict};
use super::path::Owner;
use crate::keepalive::Settings;
use crate::stack::value::seconds;
use crate::time::Span;

/// The keepalives of a connection, as far as they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There are none.
    Off,
    /// There are, with these settings.
    Set(Settings),
    /// There are, and before this much time has passed no probe leaves.
    On {
        /// Until the system next looks whether a probe is due.
        next: Span,
    },
    /// It is not known whether there are any.
    Hidden,
}

impl Auditor {
    /// Judges a connection that has been silent for some time; nothing where not even that is known.
    pub fn socket(&mut self, state: State, silent: Option<Span>) -> (Verdict, String) {
        let silence = self.path().silence;
        if self.path().owner != Owner::Tracker {
            let (_, why, _) = self.beside_the_point();
            let told = "whether the application says something in time is not told";
            return (Verdict::Unknown, format!("{why}; {told}"));
        }
        let (verdict, reason) = match state {
            State::Off => {
                let after = seconds(silence);
                (
                    Verdict::Unsafe,
                    format!("keepalives are off; an idle connection is forgotten after {after}"),
                )
            }
            State::Set(settings) => self.settings(settings),
            State::On { next } => first_probe(silent, next, silence),
            State::Hidden => {
                let why = "another timer runs, which hides whether keepalives are on";
                (Verdict::Unknown, why.to_owned())
            }
        };
        match silent.filter(|silent| *silent >= silence) {
            Some(silent) => {
                let already = format!("silent for {} already", rounded(silent));
                (verdict, format!("{already}; {reason}"))
            }
            None => (verdict, reason),
        }
    }
}

/// Keepalives with unknown settings: how much silence there is before the next probe, at least.
fn first_probe(silent: Option<Span>, next: Span, silence: Span) -> (Verdict, String) {
    let least = silent.unwrap_or(Span::ZERO).plus(next);
    if least >= silence {
        let least = rounded(least);
        return (
            Verdict::Unsafe,
            format!("no probe leaves before {least} of silence, when it is forgotten already"),
        );
    }
    let next = rounded(next);
    (
        Verdict::Unknown,
        format!("keepalives are on, the timer fires in {next}; interval and count are not told"),
    )
}

/// Whole seconds, where there is at least one; the system's ticks make more digits meaningless.
fn rounded(span: Span) -> String {
    let second = 1_000_000_000;
    match span.as_nanos() {
        nanos if nanos >= second => seconds(Span::from_secs(nanos / second)),
        _ => seconds(span),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Wish;
    use super::super::path::Path;
    use super::*;
    use crate::product::Product;
    use crate::stack::Stack;

    /// One that judges connections of Linux on a path.
    pub(in crate::advice) fn auditor(path: Path) -> Auditor {
        let wish = Wish {
            silence: path.silence,
            stack: Stack::named("linux").unwrap(),
            hz: Some(250),
            lost: 1,
            notice_within: None,
            rtt: Span::from_millis(200),
        };
        Auditor::new(path, wish).unwrap()
    }

    fn settings(idle: i64) -> State {
        let (idle, interval) = (Span::from_secs(idle), Span::from_secs(30));
        State::Set(Settings { idle, interval, count: 4, user_timeout: None })
    }

    #[test]
    fn what_is_known_decides_what_is_said() {
        let mut auditor = auditor(Path::of_silence(Span::from_secs(350)).unwrap());
        let on = |next| State::On { next: Span::from_secs(next) };
        let cases = [
            (State::Off, 0, Verdict::Unsafe, "keepalives are off"),
            (State::Hidden, 0, Verdict::Unknown, "hides"),
            (on(7100), 100, Verdict::Unsafe, "no probe leaves before 7200 s of silence"),
            (on(50), 10, Verdict::Unknown, "not told"),
            (on(50), 300, Verdict::Unsafe, "before 350 s"),
            (settings(150), 10, Verdict::Safe, "150 s / 30 s / 4"),
            (settings(340), 10, Verdict::Unsafe, "340 s / 30 s / 4"),
            (settings(150), 400, Verdict::Safe, "silent for 400 s already"),
        ];
        for (state, silent, verdict, words) in cases {
            let (found, reason) = auditor.socket(state, Some(Span::from_secs(silent)));
            assert!(found == verdict && reason.contains(words), "{state:?} {silent}: {found:?} {reason}");
        }
    }

    #[test]
    fn behind_a_proxy_nothing_is_known() {
        let path = Path::behind(Product::named("aws-alb").unwrap(), None).unwrap();
        let (verdict, reason) = auditor(path).socket(settings(10), None);
        assert_eq!(verdict, Verdict::Unknown);
        assert!(reason.contains("a proxy answers keepalives itself"), "{reason}");
    }
}
