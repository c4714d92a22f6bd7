//! From text to expression, and what is wrong with the text.

use ipnet::IpNet;
use regex::RegexBuilder;
use thiserror::Error;

use super::expression::{Expression, Pattern, Test};
use super::quantity::{Comparison, Operator, Quantity};
use crate::analysis::outcome::Outcome;
use crate::segment::Endpoint;
use crate::stack::Stack;
use crate::time::duration;
use crate::track::event::Party;

/// Deepest nesting of parentheses and negations.
const DEEPEST: usize = 50;

/// Most octets of a compiled regular expression.
const LARGEST_PATTERN: usize = 1 << 18;

/// What stands before a colon.
const KEYS: [&str; 7] = ["addr", "port", "client", "server", "outcome", "verdict", "stack"];

/// Something in an expression that is not understood.
///
/// Shown with the expression and a mark under the place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("filter: {problem}\n  {expression}\n  {}{}", " ".repeat(*column), "^".repeat((*width).max(1)))]
pub struct FilterError {
    /// What is wrong, in one line.
    pub problem: String,
    /// The expression, in one line.
    pub expression: String,
    /// Characters before the place.
    pub column: usize,
    /// Characters of the place; at the end of the expression there are none.
    pub width: usize,
}

/// What is wrong, from which character to which.
type Problem = (String, usize, usize);

pub(super) fn parse(text: &str) -> Result<Expression, FilterError> {
    let mut parser = Parser { letters: text.chars().collect(), at: 0, depth: 0 };
    parser.whole().map_err(|(problem, from, to)| FilterError {
        problem: problem.replace(char::is_control, " "),
        expression: text.replace(char::is_control, " "),
        column: from,
        width: to.saturating_sub(from),
    })
}

struct Parser {
    letters: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn whole(&mut self) -> Result<Expression, Problem> {
        self.skip_space();
        if self.next().is_none() {
            return Ok(Expression::All(Vec::new()));
        }
        let expression = self.any()?;
        match self.next() {
            None => Ok(expression),
            // Anything else would have been taken as one more term.
            Some(_) => Err(("')' without '('".to_owned(), self.at, self.at + 1)),
        }
    }

    fn any(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.all()?];
        while self.takes_word(&["or", "OR", "||"]) {
            parts.push(self.all()?);
        }
        Ok(single(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.part()?];
        loop {
            self.skip_space();
            let another = self.takes_word(&["and", "AND", "&&"]);
            let ends = matches!(self.next(), None | Some(')')) || self.is_word(&["or", "OR", "||"]);
            if ends && !another {
                return Ok(single(parts, Expression::All));
            }
            parts.push(self.part()?);
        }
    }

    fn part(&mut self) -> Result<Expression, Problem> {
        self.skip_space();
        let from = self.at;
        match self.next() {
            None => return Err(("a term is missing here".to_owned(), from, from)),
            Some(')') => return Err(("a term is missing before ')'".to_owned(), from, from + 1)),
            Some('/') => return self.pattern(),
            Some('"') => return self.quoted(),
            Some('!') if self.letters.get(from + 1) != Some(&'=') => self.at += 1,
            Some('(') => {
                return self.deeper(|parser| {
                    parser.at += 1;
                    let inner = parser.any()?;
                    if parser.next() != Some(')') {
                        return Err(("'(' without ')'".to_owned(), from, from + 1));
                    }
                    parser.at += 1;
                    Ok(inner)
                });
            }
            Some(_) if self.takes_word(&["not", "NOT"]) => {}
            Some(_) => return self.term(),
        }
        self.deeper(|parser| Ok(Expression::Not(Box::new(parser.part()?))))
    }

    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        if self.depth >= DEEPEST {
            return Err((format!("nested deeper than {DEEPEST}"), self.at, self.at + 1));
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    /// A word, or a comparison.
    fn term(&mut self) -> Result<Expression, Problem> {
        let from = self.at;
        let word = self.word();
        let to = self.at;
        self.skip_space();
        let place = self.at;
        if let Some(operator) = self.operator() {
            return self.comparison((from, to), &word, (place, operator));
        }
        self.at = to;
        if let Some(quantity) = Quantity::named(&word) {
            let value = if quantity.is_time() { "60s" } else { "3" };
            return Err((format!("'{word}' needs a comparison, such as {word}>{value}"), from, to));
        }
        let (key, values) = match word.split_once(':') {
            Some((key, values)) if KEYS.contains(&key) => (Some(key), values),
            _ => (None, word.as_str()),
        };
        let mut tests = Vec::new();
        let mut place = to - values.chars().count();
        for value in values.split(',') {
            let length = value.chars().count();
            tests.push(test(key, value).map_err(|problem| (problem, place, place + length))?);
            place += length + 1;
        }
        Ok(Expression::Term(tests))
    }

    fn comparison(
        &mut self,
        (from, to): (usize, usize),
        name: &str,
        (place, operator): (usize, Operator),
    ) -> Result<Expression, Problem> {
        let Some(quantity) = Quantity::named(name) else {
            let names: Vec<&str> =
                Quantity::ALL.iter().filter_map(|one| one.names().first().copied()).collect();
            let problem = match name {
                "" => format!("compare what? {}", names.join(", ")),
                _ if KEYS.contains(&name) => format!("write '{name}:' and a value; it is not compared"),
                _ => format!("'{name}' cannot be compared; what can is {}", names.join(", ")),
            };
            return Err(if name.is_empty() { (problem, place, self.at) } else { (problem, from, to) });
        };
        self.skip_space();
        let from = self.at;
        let word = self.word();
        let wrong = |problem: String| (problem, from, self.at);
        let value = if quantity.is_time() {
            duration::parse(&word)
                .map_err(|problem| wrong(format!("'{word}' is no duration: {problem}")))?
                .as_nanos()
        } else {
            let whole = word.parse::<u32>().ok().filter(|_| word.bytes().all(|byte| byte.is_ascii_digit()));
            i64::from(whole.ok_or_else(|| wrong(format!("'{word}' is no number; {name} is counted")))?)
        };
        Ok(Expression::Term(vec![Test::Comparison(Comparison { quantity, operator, value })]))
    }

    /// Between slashes; a slash within is written `\/`.
    fn pattern(&mut self) -> Result<Expression, Problem> {
        let from = self.at;
        let mut source = String::new();
        self.at += 1;
        loop {
            let letter = self.next().ok_or_else(|| ("'/' without a second one".to_owned(), from, self.at))?;
            self.at += 1;
            match (letter, self.next()) {
                ('/', _) => break,
                ('\\', Some(after)) => {
                    self.at += 1;
                    source.extend((after != '/').then_some('\\'));
                    source.push(after);
                }
                _ => source.push(letter),
            }
        }
        let wrong = |problem: &str| (problem.to_owned(), from, self.at);
        if source.is_empty() {
            return Err(wrong("nothing between the slashes"));
        }
        let built = RegexBuilder::new(&source).case_insensitive(true).size_limit(LARGEST_PATTERN).build();
        let regex = built.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => wrong("the regular expression is too large"),
            other => wrong(&format!("no regular expression: {}", last_line(&other.to_string()))),
        })?;
        Ok(Expression::Term(vec![Test::Pattern(Pattern(regex))]))
    }

    /// Between quotation marks; such a mark, and a backslash, have a backslash before them.
    fn quoted(&mut self) -> Result<Expression, Problem> {
        let from = self.at;
        let mut words = String::new();
        self.at += 1;
        loop {
            let letter =
                self.next().ok_or_else(|| ("'\"' without a second one".to_owned(), from, self.at))?;
            self.at += 1;
            match (letter, self.next()) {
                ('"', _) => break,
                ('\\', Some(after @ ('"' | '\\'))) => {
                    self.at += 1;
                    words.push(after);
                }
                _ => words.push(letter),
            }
        }
        if words.is_empty() {
            return Err(("nothing between the quotation marks".to_owned(), from, self.at));
        }
        Ok(Expression::Term(vec![Test::Text(words.to_lowercase())]))
    }

    fn next(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.next().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Up to a space, a parenthesis or an operator.
    fn word(&mut self) -> String {
        let from = self.at;
        while let Some(letter) = self.next() {
            let operator =
                "<>=".contains(letter) || (letter == '!' && self.letters.get(self.at + 1) == Some(&'='));
            if letter.is_whitespace() || "()".contains(letter) || operator {
                break;
            }
            self.at += 1;
        }
        self.letters.get(from..self.at).unwrap_or_default().iter().collect()
    }

    fn operator(&mut self) -> Option<Operator> {
        let rest = self.letters.get(self.at..)?;
        let written = |(written, _): &&(&str, Operator)| {
            written.chars().enumerate().all(|(index, letter)| rest.get(index) == Some(&letter))
        };
        let (written, operator) = Operator::ALL.iter().find(written)?;
        self.at += written.len();
        Some(*operator)
    }

    fn is_word(&mut self, words: &[&str]) -> bool {
        let before = self.at;
        let found = self.takes_word(words);
        self.at = before;
        found
    }

    /// Goes on if one of these words is next.
    fn takes_word(&mut self, words: &[&str]) -> bool {
        let before = self.at;
        self.skip_space();
        let word = self.word();
        let found = words.contains(&word.as_str());
        if !found {
            self.at = before;
        }
        found
    }
}

fn single(mut parts: Vec<Expression>, several: fn(Vec<Expression>) -> Expression) -> Expression {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            several(parts)
        }
    }
}

/// The last line of a message says what is wrong, without what stands before its colon.
fn last_line(message: &str) -> &str {
    let line = message.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line)
}

fn test(key: Option<&str>, value: &str) -> Result<Test, String> {
    let net = |party| network(value).map(|net| Test::Net(party, net));
    let end = |party| {
        let socket = value.parse::<std::net::SocketAddr>().ok()?;
        Some(Test::End(party, Endpoint { address: socket.ip(), port: socket.port() }))
    };
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|_| digits);
    let port = |party| number.map(|port| Test::Port(party, port));
    let place = |party| net(party).or_else(|| end(party));
    let lower = value.to_lowercase();
    let outcome = || Outcome::ALL.into_iter().find(|outcome| outcome.name() == lower).map(Test::Outcome);
    let stack = || {
        let known = !lower.is_empty() && Stack::all().iter().any(|stack| stack.name.starts_with(&lower));
        known.then(|| Test::Stack(lower.clone()))
    };
    let (found, wanted) = match key {
        Some("addr") => (place(None), "an address or network"),
        Some("port") => (port(None), "a port (0 to 65535)"),
        Some("client") => {
            let client = Some(Party::Client);
            (place(client).or_else(|| port(client)), "an address, network or port")
        }
        Some("server") => {
            let server = Some(Party::Server);
            (place(server).or_else(|| port(server)), "an address, network or port")
        }
        Some("outcome" | "verdict") => (
            outcome(),
            "an outcome (timed_out, reset, unanswered, inconclusive, alive, closed, no_keepalive)",
        ),
        Some("stack") => (stack(), "a stack; `keepscope stacks` names them"),
        _ => {
            return place(None)
                .or_else(|| port(None))
                .or_else(outcome)
                .map_or_else(|| bare(value, lower), Ok);
        }
    };
    found.ok_or_else(|| format!("'{value}' is not {wanted}"))
}

/// A word that is neither a place nor an outcome.
fn bare(value: &str, lower: String) -> Result<Test, String> {
    if let Some(number) = value.strip_prefix('#') {
        let number = number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()));
        return number.map(Test::Number).ok_or_else(|| format!("'{value}' is no number of a connection"));
    }
    let before = value.split_once(':').map(|(before, _)| before);
    match before {
        _ if KEYS.contains(&value) => Err(format!("'{value}' needs a colon and a value")),
        _ if value.is_empty() => Err("a value is missing here".to_owned()),
        _ if value.starts_with('!') => Err("'!' stands before a whole term".to_owned()),
        Some(before)
            if value.contains(|letter: char| !letter.is_ascii_hexdigit() && !":.[]/".contains(letter)) =>
        {
            Err(format!("'{before}:' means nothing; what does is {}:", KEYS.join(":, ")))
        }
        Some(_) => Err(format!("'{value}' is not an address; as a text it stands in quotation marks")),
        None if value.contains('/') => {
            Err(format!("'{value}' is not a network; a regular expression stands between slashes"))
        }
        None if value.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(format!("'{value}' is not a port (0 to 65535)"))
        }
        None if value.contains(['"', '\\']) => Err("quotation marks stand around all of a text".to_owned()),
        None => Ok(Test::Text(lower)),
    }
}

/// An address, with or without a prefix length.
fn network(text: &str) -> Option<IpNet> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpNet>().ok().or_else(|| bare.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}
