//! An expression as a tree: what it says of a connection, and how it is written.

use std::fmt::{self, Formatter};

use ipnet::IpNet;
use regex::Regex;

use super::condition::{Condition, End};
use super::quantity::{Comparison, best_explanation};
use crate::analysis::outcome::Outcome;
use crate::analysis::record::ConnectionRecord;
use crate::segment::Endpoint;
use crate::track::event::{Opened, Party};

/// A connection that an expression is asked about.
pub trait Subject {
    /// Its ends.
    fn opened(&self) -> &Opened;
    /// Its number, if it is known here.
    fn number(&self) -> Option<u64>;
    /// What became of it; nothing while that is not known.
    fn outcome(&self) -> Option<Outcome>;
    /// Everything that may be asked beside, once it is known.
    fn amounts(&self) -> Option<&dyn Amounts>;
}

/// What is known of a connection beside its ends and its outcome.
pub trait Amounts {
    /// How much there is of something, in nanoseconds where it is a time; nothing where it does not show.
    fn amount(&self, quantity: super::Quantity) -> Option<i64>;
    /// The name of the stack that explains its probes best.
    fn stack(&self) -> Option<&str>;
}

impl Subject for ConnectionRecord {
    fn opened(&self) -> &Opened {
        &self.opened
    }

    fn number(&self) -> Option<u64> {
        Some(self.id.0)
    }

    fn outcome(&self) -> Option<Outcome> {
        Some(self.verdict.outcome)
    }

    fn amounts(&self) -> Option<&dyn Amounts> {
        Some(self)
    }
}

impl Amounts for ConnectionRecord {
    fn amount(&self, quantity: super::Quantity) -> Option<i64> {
        quantity.of(self)
    }

    fn stack(&self) -> Option<&str> {
        best_explanation(self).map(|best| best.stack)
    }
}

/// The ends of a connection of which nothing else is known yet.
impl Subject for Opened {
    fn opened(&self) -> &Opened {
        self
    }

    fn number(&self) -> Option<u64> {
        None
    }

    fn outcome(&self) -> Option<Outcome> {
        None
    }

    fn amounts(&self) -> Option<&dyn Amounts> {
        None
    }
}

/// A tree of terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// All of them hold; none of them always holds.
    All(Vec<Expression>),
    /// One of them holds.
    Any(Vec<Expression>),
    Not(Box<Expression>),
    /// One of the alternatives of a word holds.
    Term(Vec<Test>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Net(Option<Party>, IpNet),
    End(Option<Party>, Endpoint),
    Port(Option<Party>, u16),
    Outcome(Outcome),
    Number(u64),
    Stack(String),
    Comparison(Comparison),
    /// In lower case.
    Text(String),
    Pattern(Pattern),
}

/// A regular expression; equal if it is written the same.
#[derive(Clone, Debug)]
pub(super) struct Pattern(pub(super) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl Expression {
    /// Whether it holds; nothing if that depends on something that is not known yet.
    pub(super) fn holds(&self, subject: &dyn Subject) -> Option<bool> {
        match self {
            Expression::All(parts) => decide(parts.iter().map(|part| part.holds(subject)), false),
            Expression::Any(parts) => decide(parts.iter().map(|part| part.holds(subject)), true),
            Expression::Not(part) => part.holds(subject).map(|holds| !holds),
            Expression::Term(tests) => decide(tests.iter().map(|test| test.holds(subject)), true),
        }
    }

    /// Whether a test stands somewhere in it that is not negated (or just the opposite) and of this kind.
    pub(super) fn asks(&self, negated: bool, of: &dyn Fn(&Test) -> bool) -> bool {
        match self {
            Expression::All(parts) | Expression::Any(parts) => {
                parts.iter().any(|part| part.asks(negated, of))
            }
            Expression::Not(part) => part.asks(!negated, of),
            Expression::Term(tests) => !negated && tests.iter().any(of),
        }
    }

    /// Adds what it demands of the ends, as far as that can be said.
    pub(super) fn demand(&self, negated: bool, conditions: &mut Vec<Condition>) {
        match (self, negated) {
            (Expression::Not(part), _) => part.demand(!negated, conditions),
            (Expression::All(parts), false) | (Expression::Any(parts), true) => {
                parts.iter().for_each(|part| part.demand(negated, conditions));
            }
            (Expression::Term(tests), _) => conditions.extend(condition(tests, negated)),
            (Expression::Any(parts), false) => {
                let tests = parts.iter().map(|part| match part {
                    Expression::Term(tests) => Some(tests.as_slice()),
                    _ => None,
                });
                let together: Option<Vec<&[Test]>> = tests.collect();
                conditions.extend(together.and_then(|tests| condition(&tests.concat(), false)));
            }
            // Some part is broken, and nobody knows which.
            (Expression::All(_), true) => {}
        }
    }
}

/// Whether any is `sought`, or else the opposite if all are; nothing if that is open.
fn decide(parts: impl Iterator<Item = Option<bool>>, sought: bool) -> Option<bool> {
    let mut open = false;
    for part in parts {
        match part {
            Some(holds) if holds == sought => return Some(sought),
            Some(_) => {}
            None => open = true,
        }
    }
    if open { None } else { Some(!sought) }
}

fn condition(tests: &[Test], negated: bool) -> Option<Condition> {
    let ends = tests.iter().map(|test| match test {
        // Either end may be the one that is meant, and so neither can be ruled out.
        Test::Net(Some(_), _) | Test::End(Some(_), _) | Test::Port(Some(_), _) if negated => None,
        Test::Net(_, network) => Some(End { network: Some(*network), port: None }),
        Test::End(_, end) => Some(End { network: Some(IpNet::from(end.address)), port: Some(end.port) }),
        Test::Port(_, port) => Some(End { network: None, port: Some(*port) }),
        _ => None,
    });
    // An alternative that is not known fulfils a term; a negated term is broken by each alone.
    let any: Vec<End> = if negated { ends.flatten().collect() } else { ends.collect::<Option<_>>()? };
    (!any.is_empty()).then_some(Condition { negated, any })
}

impl Test {
    fn holds(&self, subject: &dyn Subject) -> Option<bool> {
        let either = |party: Option<Party>, end_passes: &dyn Fn(Endpoint) -> bool| {
            let client = party != Some(Party::Server) && end_passes(subject.opened().client);
            let server = party != Some(Party::Client) && end_passes(subject.opened().server);
            client || server
        };
        match self {
            Test::Net(party, net) => Some(either(*party, &|end| net.contains(&end.address))),
            Test::End(party, wanted) => Some(either(*party, &|end| end == *wanted)),
            Test::Port(party, port) => Some(either(*party, &|end| end.port == *port)),
            Test::Outcome(wanted) => subject.outcome().map(|outcome| outcome == *wanted),
            Test::Number(wanted) => subject.number().map(|number| number == *wanted),
            Test::Stack(name) => {
                let stack = subject.amounts()?.stack();
                Some(stack.is_some_and(|stack| stack.starts_with(name.as_str())))
            }
            Test::Comparison(comparison) => {
                Some(comparison.holds(subject.amounts()?.amount(comparison.quantity)))
            }
            Test::Text(words) => {
                let (text, whole) = text_of(subject);
                (text.contains(words.as_str()) || whole).then(|| text.contains(words.as_str()))
            }
            Test::Pattern(pattern) => {
                let (text, whole) = text_of(subject);
                whole.then(|| pattern.0.is_match(&text))
            }
        }
    }

    /// Whether it depends on more than the ends.
    pub(super) fn waits(&self) -> bool {
        !matches!(self, Test::Net(..) | Test::End(..) | Test::Port(..))
    }
}

/// What a bare word and a regular expression are looked for in: both ends and the outcome, in lower case. Also
/// says whether that is all of it.
fn text_of(subject: &dyn Subject) -> (String, bool) {
    let Opened { client, server, .. } = subject.opened();
    match subject.outcome() {
        Some(outcome) => (format!("{client} > {server} {}", outcome.name()), true),
        None => (format!("{client} > {server}"), false),
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let list = |f: &mut Formatter<'_>, parts: &[Expression], between: &str| {
            for (index, part) in parts.iter().enumerate() {
                f.write_str(if index > 0 { between } else { "" })?;
                match part {
                    Expression::All(_) | Expression::Any(_) => write!(f, "({part})")?,
                    Expression::Not(_) | Expression::Term(_) => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Expression::All(parts) => list(f, parts, " "),
            Expression::Any(parts) => list(f, parts, " or "),
            Expression::Not(part) => match part.as_ref() {
                Expression::Not(_) | Expression::Term(_) => write!(f, "!{part}"),
                _ => write!(f, "!({part})"),
            },
            Expression::Term(tests) => term(f, tests),
        }
    }
}

fn term(f: &mut Formatter<'_>, tests: &[Test]) -> fmt::Result {
    let key = match tests.first() {
        Some(Test::Text(words)) if tests.len() == 1 => {
            return write!(f, "\"{}\"", words.replace('\\', "\\\\").replace('"', "\\\""));
        }
        Some(Test::Net(Some(party), _) | Test::End(Some(party), _) | Test::Port(Some(party), _)) => {
            party.name()
        }
        Some(Test::Stack(_)) => "stack",
        _ => "",
    };
    write!(f, "{key}{}", if key.is_empty() { "" } else { ":" })?;
    for (index, test) in tests.iter().enumerate() {
        write!(f, "{}{test}", if index > 0 { "," } else { "" })?;
    }
    Ok(())
}

impl fmt::Display for Test {
    /// As an alternative of a word, without what stands before the colon where it can do without.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Test::Net(_, network) => write!(f, "{}", End { network: Some(*network), port: None }),
            Test::End(_, end) => write!(f, "{end}"),
            Test::Port(_, port) => write!(f, "{port}"),
            Test::Outcome(outcome) => f.write_str(outcome.name()),
            Test::Number(number) => write!(f, "#{number}"),
            Test::Stack(name) => f.write_str(name),
            Test::Comparison(comparison) => write!(f, "{comparison}"),
            Test::Text(words) => f.write_str(words),
            Test::Pattern(Pattern(regex)) => write!(f, "/{}/", regex.as_str().replace('/', "\\/")),
        }
    }
}
