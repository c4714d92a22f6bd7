//! Choosing connections by address, port and outcome.
//!
//! Owns the filter language: terms separated by spaces must all hold, alternatives within a term are
//! separated by commas, `!` before a term negates it.
//!
//! | term | holds if |
//! |---|---|
//! | `addr:192.0.2.1`, `addr:2001:db8::/32` | either end has this address or lies in this network |
//! | `addr:192.0.2.1:443` | either end is this address and port |
//! | `port:443` | either end has this port |
//! | `client:…`, `server:…` | that end has this address, network or `port` |
//! | `outcome:reset,timed_out` | the connection ended so |
//! | `192.0.2.1`, `443`, `alive` | the same, by what the word looks like |

use ipnet::IpNet;
use thiserror::Error;

use super::outcome::Outcome;
use crate::segment::Endpoint;
use crate::track::event::{Opened, Party};

/// A parsed filter; the default one lets everything pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<Term>,
}

/// A word that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "filter: '{word}' is {problem}; use addr:192.0.2.0/24, port:443, client:ADDR, server:ADDR or \
     outcome:alive,reset,…, with commas between alternatives and ! to negate"
)]
pub struct FilterError {
    /// The word.
    pub word: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    negated: bool,
    any: Vec<Test>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Net(Option<Party>, IpNet),
    End(Option<Party>, Endpoint),
    Port(Option<Party>, u16),
    Outcome(Outcome),
}

impl std::str::FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let terms = text.split_whitespace().map(term).collect::<Result<_, _>>()?;
        Ok(Filter { terms })
    }
}

impl Filter {
    /// Whether the ends alone rule a connection out, whatever becomes of it.
    pub fn may_pass(&self, opened: &Opened) -> bool {
        self.terms.iter().all(|term| term.holds(opened, None).unwrap_or(true))
    }

    /// Whether a connection with this outcome passes.
    pub fn passes(&self, opened: &Opened, outcome: Outcome) -> bool {
        self.terms.iter().all(|term| term.holds(opened, Some(outcome)).unwrap_or(true))
    }

    /// Whether it asks for connections without keepalives by name.
    pub fn wants_no_keepalive(&self) -> bool {
        let asked = self.terms.iter().filter(|term| !term.negated).flat_map(|term| &term.any);
        asked.into_iter().any(|test| *test == Test::Outcome(Outcome::NoKeepalive))
    }

    /// Whether the outcome matters, so that nothing can be said before the end of a connection.
    pub fn needs_outcome(&self) -> bool {
        self.terms.iter().flat_map(|term| &term.any).any(|test| matches!(test, Test::Outcome(_)))
    }
}

/// What a filter demands of a connection's two ends, whichever of them is the client and whatever becomes of it.
///
/// Shown in the filter language.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    /// Neither end may be one of these; otherwise at least one end must be.
    pub negated: bool,
    /// The alternatives.
    pub any: Vec<End>,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// Its address lies in this network.
    pub network: Option<IpNet>,
    /// Its port.
    pub port: Option<u16>,
}

impl Filter {
    /// What holds for the ends of every connection that can pass, for whoever sees segments and no connections.
    /// All conditions hold at once; none of them means that nothing can be said.
    ///
    /// Which end is the client is forgotten: `client:` is taken for either end, and a negated one says nothing,
    /// as the other end may be there. So is a term that an outcome alone can fulfil.
    pub fn conditions(&self) -> Vec<Condition> {
        self.terms.iter().filter_map(Term::condition).collect()
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.negated { "!" } else { "" })?;
        if self.any.iter().all(|end| end.network.is_none()) {
            f.write_str("port:")?;
        } else if self.any.iter().all(|end| end.network.is_some()) {
            f.write_str("addr:")?;
        }
        for (number, end) in self.any.iter().enumerate() {
            write!(f, "{}{end}", if number > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.network, self.port) {
            (Some(network), Some(port)) => write!(f, "{}", std::net::SocketAddr::new(network.addr(), port)),
            (Some(network), None) if network.prefix_len() == network.max_prefix_len() => {
                write!(f, "{}", network.addr())
            }
            (Some(network), None) => write!(f, "{network}"),
            (None, Some(port)) => write!(f, "{port}"),
            (None, None) => Ok(()),
        }
    }
}

impl Term {
    fn condition(&self) -> Option<Condition> {
        let ends = self.any.iter().map(|test| match test {
            Test::Outcome(_) => None,
            // Either end may be the one that is meant, and so neither can be ruled out.
            Test::Net(Some(_), _) | Test::End(Some(_), _) | Test::Port(Some(_), _) if self.negated => None,
            Test::Net(_, network) => Some(End { network: Some(*network), port: None }),
            Test::End(_, end) => Some(End { network: Some(IpNet::from(end.address)), port: Some(end.port) }),
            Test::Port(_, port) => Some(End { network: None, port: Some(*port) }),
        });
        // An alternative that is not known fulfils a term; a negated term is broken by each alone.
        let any: Vec<End> =
            if self.negated { ends.flatten().collect() } else { ends.collect::<Option<_>>()? };
        (!any.is_empty()).then_some(Condition { negated: self.negated, any })
    }

    /// `None` if it depends on an outcome that is not known.
    fn holds(&self, opened: &Opened, outcome: Option<Outcome>) -> Option<bool> {
        let mut unknown = false;
        for test in &self.any {
            match test.holds(opened, outcome) {
                Some(true) => return Some(!self.negated),
                Some(false) => {}
                None => unknown = true,
            }
        }
        if unknown { None } else { Some(self.negated) }
    }
}

impl Test {
    fn holds(&self, opened: &Opened, outcome: Option<Outcome>) -> Option<bool> {
        let either = |party: Option<Party>, end_passes: &dyn Fn(Endpoint) -> bool| {
            let client = party != Some(Party::Server) && end_passes(opened.client);
            let server = party != Some(Party::Client) && end_passes(opened.server);
            client || server
        };
        match self {
            Test::Net(party, net) => Some(either(*party, &|end| net.contains(&end.address))),
            Test::End(party, wanted) => Some(either(*party, &|end| end == *wanted)),
            Test::Port(party, port) => Some(either(*party, &|end| end.port == *port)),
            Test::Outcome(wanted) => outcome.map(|outcome| outcome == *wanted),
        }
    }
}

fn term(word: &str) -> Result<Term, FilterError> {
    let (negated, body) = word.strip_prefix('!').map_or((false, word), |body| (true, body));
    let error = |problem| FilterError { word: word.to_owned(), problem };
    let known = ["addr", "port", "client", "server", "outcome"];
    let (key, values) = match body.split_once(':') {
        Some((key, values)) if known.contains(&key) => (Some(key), values),
        _ => (None, body),
    };
    let any = values
        .split(',')
        .map(|value| test(key, value).ok_or_else(|| error(problem_with(key))))
        .collect::<Result<_, _>>()?;
    Ok(Term { negated, any })
}

fn problem_with(key: Option<&str>) -> &'static str {
    match key {
        Some("addr") => "not an address or network",
        Some("port") => "not a port (0 to 65535)",
        Some("client" | "server") => "not an address, network or port",
        Some("outcome") => {
            "not an outcome (timed_out, reset, unanswered, inconclusive, alive, closed, no_keepalive)"
        }
        _ => "neither an address, a port nor an outcome",
    }
}

fn test(key: Option<&str>, value: &str) -> Option<Test> {
    let net = |party| network(value).map(|net| Test::Net(party, net));
    let end = |party| {
        let socket = value.parse::<std::net::SocketAddr>().ok()?;
        Some(Test::End(party, Endpoint { address: socket.ip(), port: socket.port() }))
    };
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|_| digits);
    let port = |party| number.map(|port| Test::Port(party, port));
    let place = |party| net(party).or_else(|| end(party));
    let outcome = || Outcome::ALL.into_iter().find(|outcome| outcome.name() == value).map(Test::Outcome);
    match key {
        Some("addr") => place(None),
        Some("port") => port(None),
        Some("client") => place(Some(Party::Client)).or_else(|| port(Some(Party::Client))),
        Some("server") => place(Some(Party::Server)).or_else(|| port(Some(Party::Server))),
        Some("outcome") => outcome(),
        _ => place(None).or_else(|| port(None)).or_else(outcome),
    }
}

/// An address, with or without a prefix length.
fn network(text: &str) -> Option<IpNet> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpNet>().ok().or_else(|| bare.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use crate::track::event::{Mark, Start};

    fn opened(client: &str, server: &str) -> Opened {
        let end = |text: &str| {
            let socket: std::net::SocketAddr = text.parse().unwrap();
            Endpoint { address: socket.ip(), port: socket.port() }
        };
        let first = Mark { frame: Default::default(), time: Timestamp::default() };
        Opened { client: end(client), server: end(server), start: Start::Seen, first }
    }

    fn passes(filter: &str, outcome: Outcome) -> bool {
        let opened = opened("192.0.2.1:40000", "[2001:db8::7]:443");
        filter.parse::<Filter>().unwrap().passes(&opened, outcome)
    }

    #[test]
    fn terms_join_and_alternatives_choose() {
        assert!(passes("", Outcome::Alive));
        assert!(passes("port:443 addr:192.0.2.0/24", Outcome::Alive));
        assert!(!passes("port:443 addr:198.51.100.0/24", Outcome::Alive));
        assert!(passes("port:80,443", Outcome::Alive));
        assert!(passes("2001:db8::/32 outcome:reset,alive", Outcome::Alive));
        assert!(!passes("!alive", Outcome::Alive));
        assert!(passes("!alive 443", Outcome::Reset));
        assert!(passes("client:40000 server:443", Outcome::Reset));
        assert!(!passes("client:443", Outcome::Reset));
        assert!(passes("addr:[2001:db8::7]", Outcome::Reset));
        assert!(passes("192.0.2.1:40000 server:[2001:db8::7]:443", Outcome::Reset));
        assert!(!passes("192.0.2.1:40001", Outcome::Reset));
        assert!("no_keepalive,reset".parse::<Filter>().unwrap().wants_no_keepalive());
        assert!(!"!no_keepalive".parse::<Filter>().unwrap().wants_no_keepalive());
    }

    #[test]
    fn an_unknown_outcome_decides_nothing() {
        let ends = opened("192.0.2.1:40000", "192.0.2.2:443");
        let filter: Filter = "alive,443".parse().unwrap();
        assert!(filter.needs_outcome() && filter.may_pass(&ends));
        assert!("alive".parse::<Filter>().unwrap().may_pass(&ends));
        assert!(!"port:80".parse::<Filter>().unwrap().may_pass(&ends));
    }

    #[test]
    fn conditions_say_what_holds_for_either_end() {
        for (expression, wanted) in [
            ("", ""),
            ("port:443,80 addr:192.0.2.7/24", "port:443,80 addr:192.0.2.7/24"),
            ("client:40000 server:[2001:db8::7]:443", "port:40000 addr:[2001:db8::7]:443"),
            ("443,192.0.2.1", "443,192.0.2.1"),
            ("!22", "!port:22"),
            // Nothing can be said of these.
            ("alive,443", ""),
            ("!alive", ""),
            ("!client:443", ""),
            // Of these, a part.
            ("!alive,443 reset", "!port:443"),
            ("!reset,2001:db8::/32 !server:80", "!addr:2001:db8::/32"),
        ] {
            let conditions = expression.parse::<Filter>().unwrap().conditions();
            let shown: Vec<String> = conditions.iter().map(Condition::to_string).collect();
            assert_eq!(shown.join(" "), wanted, "{expression}");
            let again = shown.join(" ").parse::<Filter>().unwrap().conditions();
            assert_eq!(again, conditions, "{expression}");
        }
    }

    #[test]
    fn words_that_mean_nothing_are_named() {
        for (word, problem) in
            [("port:99999", "a port"), ("addr:x", "an address"), ("outcome:gone", "outcome")]
        {
            let error = word.parse::<Filter>().unwrap_err();
            assert!(error.problem.contains(problem) && error.to_string().contains(word), "{error}");
        }
        assert!("foo".parse::<Filter>().is_err() && "port:+80".parse::<Filter>().is_err());
    }
}
