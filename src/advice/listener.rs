//! Sockets that listen, judged by what their connections inherit and by the connections themselves.
//!
//! Owns [`Listener`], what is known of one, and its judgement ([`Auditor::listener`]). A connection that Linux accepts
//! begins as a copy of the socket that listens, with its keepalive options (net/core/sock.c, `sk_clone_lock`; net/ipv4/
//! inet_connection_sock.c, `inet_csk_clone_lock`); the program may set others after accept(2), and many do. So
//! connections that were accepted say more than the listener.

use super::audit::{Auditor, Verdict};
use super::path::Owner;
use super::shape::Shape;
use super::socket::State;
use crate::keepalive::Settings;
use crate::segment::Endpoint;
use crate::time::Span;

/// A socket that listens, as far as it is known.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where it listens; the address may be the unspecified one.
    pub local: Endpoint,
    /// Whose it is.
    pub uid: u32,
    /// The processes that hold it: ids and names, without control characters.
    pub processes: Vec<(u32, String)>,
    /// Its own options, or why they are not told and what mends that.
    pub options: Result<Options, String>,
    /// Established connections that it accepted.
    pub accepted: Vec<Accepted>,
}

/// Keepalive options of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// SO_KEEPALIVE.
    pub on: bool,
    /// TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT and TCP_USER_TIMEOUT, its own or the system's.
    pub settings: Settings,
}

impl Options {
    /// The keepalives of a connection that has them.
    pub const fn state(self) -> State {
        if self.on { State::Set(self.settings) } else { State::Off }
    }
}

/// A connection that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Our end.
    pub local: Endpoint,
    /// The peer's end.
    pub remote: Endpoint,
    /// Who holds it: id and name of one process, if any is told.
    pub process: Option<(u32, String)>,
    /// Its keepalives.
    pub state: State,
    /// How long it has been silent, if that is told.
    pub silent: Option<Span>,
}

/// What a judgement rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The options of the listener, which its connections inherit.
    Inherited,
    /// Connections that it accepted.
    Accepted,
    /// Nothing that tells.
    Nothing,
}

impl Basis {
    /// As a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Basis::Inherited => "inherited",
            Basis::Accepted => "accepted",
            Basis::Nothing => "nothing",
        }
    }
}

/// A listener with its verdict.
#[derive(Clone, Debug)]
pub struct ListenerJudgement {
    /// What is judged.
    pub listener: Listener,
    /// What is said of it.
    pub verdict: Verdict,
    /// On what it rests.
    pub basis: Basis,
    /// Why, for people.
    pub reason: String,
    /// What is said of each of its connections, in their order.
    pub accepted: Vec<(Verdict, String)>,
    /// What would hold; nothing where nothing is to be mended or nothing would help.
    pub mend: Option<Settings>,
}

impl Auditor {
    /// Judges a listener.
    pub fn listener(&mut self, listener: Listener) -> ListenerJudgement {
        let accepted: Vec<(Verdict, String)> =
            listener.accepted.iter().map(|one| self.socket(one.state, one.silent)).collect();
        let (verdict, basis, reason) = match self.path().owner {
            Owner::Tracker => self.rests(&listener, &accepted),
            _ => {
                let (verdict, reason) = self.socket(State::Hidden, None);
                (verdict, Basis::Nothing, reason)
            }
        };
        let mend = (verdict == Verdict::Unsafe).then(|| self.wish().advise(Shape::FREE).ok()).flatten();
        let mend = mend.map(|advice| advice.settings);
        ListenerJudgement { listener, verdict, basis, reason, accepted, mend }
    }

    /// Connections first, for they are what is lost; then what the next one would begin with.
    fn rests(&mut self, listener: &Listener, accepted: &[(Verdict, String)]) -> (Verdict, Basis, String) {
        let count = |wanted| accepted.iter().filter(|(verdict, _)| *verdict == wanted).count();
        let [safe, unsafe_, unknown] = [Verdict::Safe, Verdict::Unsafe, Verdict::Unknown].map(count);
        let of = |wanted| accepted.iter().zip(&listener.accepted).find(|((found, _), _)| *found == wanted);
        let all = accepted.len();
        let connections = if all == 1 { "connection" } else { "connections" };
        if let Some(((_, why), worst)) = of(Verdict::Unsafe) {
            let held = worst.process.as_ref().map(|(pid, name)| format!(" of {name}[{pid}]"));
            let (peer, held) = (worst.remote, held.unwrap_or_default());
            let reason =
                format!("{unsafe_} of {all} accepted {connections} unsafe; with {peer}{held}: {why}");
            return (Verdict::Unsafe, Basis::Accepted, reason);
        }
        if let (true, Some(((_, why), _))) = (unknown == 0, of(Verdict::Safe)) {
            let own = match &listener.options {
                Ok(options) if !options.on => {
                    "; the listener has none, so its program sets them after accept"
                }
                _ => "",
            };
            let reason = format!("{safe} of {all} accepted {connections} safe, as {why}{own}");
            return (Verdict::Safe, Basis::Accepted, reason);
        }
        let (verdict, basis, reason) = self.inherited(&listener.options, all == 0);
        match of(Verdict::Unknown) {
            // The program may have set something else on what it accepted.
            Some(((_, why), _)) if verdict != Verdict::Safe => {
                let reason = format!("{unknown} of {all} accepted {connections} unknown: {why}; {reason}");
                (Verdict::Unknown, Basis::Nothing, reason)
            }
            _ => (verdict, basis, reason),
        }
    }

    /// What connections begin with.
    fn inherited(&mut self, options: &Result<Options, String>, idle: bool) -> (Verdict, Basis, String) {
        let options = match options {
            Ok(options) => options,
            Err(why) => return (Verdict::Unknown, Basis::Nothing, why.clone()),
        };
        if !options.on {
            let look = match idle {
                true => {
                    "only an accepted connection shows whether, and none is open: audit again while one is"
                }
                false => "its connections do not tell",
            };
            let reason = format!(
                "keepalives are off, and connections inherit that; a program may switch them on after accept: {look}"
            );
            return (Verdict::Unknown, Basis::Nothing, reason);
        }
        let (verdict, why) = self.settings(options.settings);
        let reason = format!("connections inherit {why}; unless the program sets others after accept");
        (verdict, Basis::Inherited, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::Path;
    use super::super::socket::tests::auditor;
    use super::*;
    use crate::product::Product;

    fn end(port: u16) -> Endpoint {
        Endpoint { address: [192, 0, 2, 1].into(), port }
    }

    fn options(on: bool, idle: i64) -> Options {
        let (idle, interval) = (Span::from_secs(idle), Span::from_secs(30));
        Options { on, settings: Settings { idle, interval, count: 4, user_timeout: None } }
    }

    fn listener(own: Result<Options, String>, accepted: &[State]) -> Listener {
        let accepted = accepted.iter().zip(4000..).map(|(state, port)| Accepted {
            local: end(80),
            remote: end(port),
            process: Some((7, "served".to_owned())),
            state: *state,
            silent: Some(Span::ZERO),
        });
        Listener {
            local: end(80),
            uid: 0,
            processes: vec![(7, "served".to_owned())],
            options: own,
            accepted: accepted.collect(),
        }
    }

    #[test]
    fn connections_count_before_what_they_inherit() {
        let mut auditor = auditor(Path::of_silence(Span::from_secs(350)).unwrap());
        let (good, bad) = (options(true, 150), options(true, 7200));
        let off = options(false, 7200);
        let untold = || Err("run it by sudo".to_owned());
        let cases = [
            (Ok(good), vec![], Verdict::Safe, Basis::Inherited, "connections inherit 150 s"),
            (Ok(bad), vec![], Verdict::Unsafe, Basis::Inherited, "unless the program sets others"),
            (Ok(off), vec![], Verdict::Unknown, Basis::Nothing, "audit again"),
            (untold(), vec![], Verdict::Unknown, Basis::Nothing, "run it by sudo"),
            (
                Ok(off),
                vec![State::Off],
                Verdict::Unsafe,
                Basis::Accepted,
                "1 of 1 accepted connection unsafe",
            ),
            (
                Ok(off),
                vec![good.state()],
                Verdict::Safe,
                Basis::Accepted,
                "its program sets them after accept",
            ),
            (
                Ok(good),
                vec![good.state(), State::Off],
                Verdict::Unsafe,
                Basis::Accepted,
                "with 192.0.2.1:4001",
            ),
            (
                Ok(off),
                vec![State::Hidden],
                Verdict::Unknown,
                Basis::Nothing,
                "1 of 1 accepted connection unknown",
            ),
            (Ok(good), vec![State::Hidden], Verdict::Safe, Basis::Inherited, "connections inherit"),
            (Ok(bad), vec![State::Hidden], Verdict::Unknown, Basis::Nothing, "hides"),
            (untold(), vec![State::Off], Verdict::Unsafe, Basis::Accepted, "keepalives are off"),
            (untold(), vec![State::Hidden], Verdict::Unknown, Basis::Nothing, "run it by sudo"),
        ];
        for (own, accepted, verdict, basis, words) in cases {
            let judged = auditor.listener(listener(own.clone(), &accepted));
            let found = (judged.verdict, judged.basis);
            assert_eq!(found, (verdict, basis), "{own:?} {accepted:?}: {}", judged.reason);
            assert!(judged.reason.contains(words), "{own:?} {accepted:?}: {}", judged.reason);
            assert_eq!(judged.accepted.len(), accepted.len());
            assert_eq!(judged.mend.is_some(), verdict == Verdict::Unsafe);
        }
    }

    #[test]
    fn behind_a_proxy_nothing_is_known() {
        let path = Path::behind(Product::named("aws-alb").unwrap(), None).unwrap();
        let judged = auditor(path).listener(listener(Ok(options(true, 10)), &[]));
        assert_eq!((judged.verdict, judged.basis), (Verdict::Unknown, Basis::Nothing));
        assert!(judged.reason.contains("a proxy answers keepalives itself"), "{}", judged.reason);
    }
}
