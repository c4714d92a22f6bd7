//! The language by examples, and by any text.

use proptest::prelude::*;

use super::*;
use crate::segment::Endpoint;
use crate::time::{Span, Timestamp};
use crate::track::event::{Mark, Start};

/// A connection of which so much is known.
struct Known {
    opened: Opened,
    outcome: Option<Outcome>,
    amounts: Option<Vec<(Quantity, i64)>>,
}

impl Subject for Known {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn number(&self) -> Option<u64> {
        Some(17)
    }

    fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    fn amounts(&self) -> Option<&dyn Amounts> {
        self.amounts.is_some().then_some(self)
    }
}

impl Amounts for Known {
    fn amount(&self, quantity: Quantity) -> Option<i64> {
        let known = self.amounts.iter().flatten();
        known.filter(|(of, _)| *of == quantity).map(|(_, amount)| *amount).next()
    }

    fn stack(&self) -> Option<&str> {
        Some("linux")
    }
}

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
    let known = Known { opened, outcome: Some(outcome), amounts: None };
    filter.parse::<Filter>().unwrap().passes(&known)
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
fn terms_are_joined_by_words_and_parentheses() {
    assert!(passes("port:80 or alive", Outcome::Alive));
    assert!(!passes("port:80 or alive", Outcome::Reset));
    // "and" binds closer.
    assert!(passes("port:443 reset or port:80 and alive", Outcome::Reset));
    assert!(!passes("port:443 reset or port:80 and alive", Outcome::Alive));
    assert!(!passes("port:443 (reset or port:80) and closed", Outcome::Reset));
    assert!(
        passes("not (reset or closed)", Outcome::Alive) && !passes("!(reset or closed)", Outcome::Closed)
    );
    assert!(passes("not not alive", Outcome::Alive) && passes("!!ALIVE", Outcome::Alive));
}

#[test]
fn text_and_patterns_look_at_ends_and_outcome() {
    assert!(passes("\"2.1:400\"", Outcome::Alive));
    assert!(passes("192.0.2.", Outcome::Alive) && !passes("192.0.3.", Outcome::Alive));
    assert!(passes("\"1:40000 > [2001\"", Outcome::Alive) && passes("Timed", Outcome::TimedOut));
    assert!(passes("/^192.*443 (RESET|closed)$/", Outcome::Reset));
    assert!(!passes("/^192.*443 (reset|closed)$/", Outcome::Alive));
    assert!(passes(r"/4\/3|40{4}/", Outcome::Alive) && passes("#17", Outcome::Alive));
    assert!(!passes("#1", Outcome::Alive) && !passes("alive #171", Outcome::Alive));
}

#[test]
fn quantities_are_compared() {
    let seconds = |seconds| Span::from_secs(seconds).as_nanos();
    let amounts = vec![
        (Quantity::Probes, 5),
        (Quantity::Lost, 2),
        (Quantity::Idle, seconds(60)),
        (Quantity::RttMedian, Span::from_millis(20).as_nanos()),
        (Quantity::Duration, seconds(300)),
    ];
    let opened = opened("192.0.2.1:40000", "192.0.2.2:443");
    let known = Known { opened, outcome: Some(Outcome::Alive), amounts: Some(amounts) };
    for (text, holds) in [
        ("ka.probes>3", true),
        ("ka.probes > 3 and ka.lost!=0", true),
        ("probes=5 lost<=2", true),
        ("lost>2", false),
        ("idle==1m idle>=60s", true),
        ("idle>60s", false),
        ("rtt<20.5ms dur>4m59s", true),
        // What does not show is neither more nor less.
        ("gap>1ns or gap<=1ns or gap!=1ns", false),
        ("!gap>1ns", true),
        ("stack:linux", true),
        ("stack:win", false),
    ] {
        let filter: Filter = text.parse().unwrap();
        assert_eq!(filter.passes(&known), holds, "{text}");
        assert!(filter.needs_amounts() && filter.needs_outcome(), "{text}");
        assert!(filter.may_pass(&opened) || !text.contains("port"), "{text}");
    }
    assert!("ka.probes=0".parse::<Filter>().unwrap().wants_no_keepalive());
    assert!("!alive ka < 1".parse::<Filter>().unwrap().wants_no_keepalive());
    assert!(!"ka.probes<3".parse::<Filter>().unwrap().wants_no_keepalive());
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (text, problem, column, width) in [
        ("port:99999", "'99999' is not a port", 5, 5),
        ("alive addr:x", "'x' is not an address", 11, 1),
        ("outcome:alive,gone", "'gone' is not an outcome", 14, 4),
        ("port:+80", "not a port", 5, 3),
        ("99999", "not a port", 0, 5),
        ("outcom:alive", "'outcom:' means nothing; what does is addr:, port:", 0, 12),
        ("192.0.2.0/33", "not a network", 0, 12),
        ("idle>60", "'60' is no duration: say the unit: 60s", 5, 2),
        ("lost > -1", "'-1' is no number; lost is counted", 7, 2),
        ("port:80 speed>3", "'speed' cannot be compared; what can is ka.probes", 8, 5),
        ("outcome=alive", "write 'outcome:'", 0, 7),
        ("> 3", "compare what?", 0, 1),
        ("idle", "'idle' needs a comparison, such as idle>60s", 0, 4),
        ("alive or", "a term is missing here", 8, 0),
        ("(alive", "'(' without ')'", 0, 1),
        ("alive)", "')' without '('", 5, 1),
        ("a ()", "a term is missing before ')'", 3, 1),
        ("!", "a term is missing here", 1, 0),
        ("port:", "not a port", 5, 0),
        ("alive port", "needs a colon", 6, 4),
        ("443,", "a value is missing", 4, 0),
        ("a /x", "'/' without a second one", 2, 2),
        ("/(/", "unclosed group", 0, 3),
        ("/a{9999}{9999}/", "too large", 0, 15),
        ("\"x", "without a second one", 0, 2),
        ("stack:beos", "not a stack", 6, 4),
        ("#x", "no number of a connection", 0, 2),
    ] {
        let error = text.parse::<Filter>().expect_err(text);
        assert!(error.problem.contains(problem), "{text}: {error}");
        assert_eq!((error.column, error.width), (column, width), "{text}: {error}");
    }
    let error = "port:80 addr:x".parse::<Filter>().unwrap_err();
    let shown = "filter: 'x' is not an address or network\n  port:80 addr:x\n               ^";
    assert_eq!(error.to_string(), shown);
    assert!("(".repeat(100_000).parse::<Filter>().unwrap_err().problem.contains("nested"));
    assert!("!".repeat(100_000).parse::<Filter>().unwrap_err().problem.contains("nested"));
}

/// Pieces of the language and of what is none, in any order.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "alive",
        "443",
        "port:80,443",
        "addr:192.0.2.0/24",
        "client:2001:db8::1",
        "server:[2001:db8::7]:443",
        "foo,Reset",
        "K",
        "#3",
        "stack:linux,windows",
        "idle>60s",
        "ka.lost != 0",
        "rtt.p99<=20.5ms",
        "cnt=9",
        "/a\\/b|c/",
        "/x/",
        "\"q \\\" r\"",
        " ",
        " or ",
        " and ",
        " not ",
        "!",
        "(",
        ")",
        "/",
        "\"",
        ",",
        ":",
        "=",
        "!=",
        "\\",
        "é",
        "\u{0}",
        "[",
        "~",
        "or",
        "9999999999",
    ]);
    let mixed = prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat());
    let spaced = prop::collection::vec(
        prop::sample::select(vec![
            "alive",
            "443,x",
            "!",
            "(",
            ")",
            "or",
            "and",
            "not",
            "idle>1h",
            "/x|y/",
            "\"or\"",
            "client:7,::1",
        ]),
        0..12,
    );
    prop_oneof![mixed, spaced.prop_map(|words| words.join(" ")), any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    /// No text makes it fail, and what is written is read as the same.
    #[test]
    fn any_text_is_read_or_refused(text in texts()) {
        match text.parse::<Filter>() {
            Ok(filter) => {
                let written = filter.to_string();
                let again = written.parse::<Filter>();
                prop_assert_eq!(again.as_ref(), Ok(&filter), "{:?} -> {:?}", text, written);
                prop_assert_eq!(again.unwrap().to_string(), written);
                let known = Known { opened: opened("192.0.2.1:40000", "192.0.2.2:443"), outcome: None, amounts: None };
                filter.passes(&known);
                filter.conditions();
            }
            Err(error) => {
                let length = text.chars().count();
                prop_assert!(error.column + error.width <= length, "{:?}: {}", text, error);
                prop_assert!(!error.problem.is_empty() && !error.problem.contains('\n'), "{}", error);
            }
        }
    }
}
