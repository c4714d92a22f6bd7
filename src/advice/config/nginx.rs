//! nginx: `so_keepalive` of each listening socket, and `proxy_socket_keepalive` towards upstream servers.

use super::line::{OF_NGINX, SECONDS, time};
use super::{Asked, Item, Meaning, Mend};
use crate::time::Span;

/// A statement: words up to `;`, `{` or `}`.
struct Statement {
    line: u32,
    words: Vec<String>,
}

/// The statements, without their blocks.
fn statements(text: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let (mut line, mut begun, mut quote, mut comment) = (1_u32, 1_u32, None, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_end_of_line = letter == '\n';
        line = line.saturating_add(u32::from(is_end_of_line));
        if comment {
            comment = !is_end_of_line;
            continue;
        }
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (_, '\\') if letters.peek().is_some_and(|next| *next != '\n') => word.extend(letters.next()),
            (Some(_), _) => word.push(letter),
            (None, '"' | '\'') => quote = Some(letter),
            (None, '#') if word.is_empty() => comment = true,
            (None, ';' | '{' | '}') => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                if !words.is_empty() {
                    found.push(Statement { line: begun, words: std::mem::take(&mut words) });
                }
            }
            (None, _) if letter.is_whitespace() => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            }
            (None, _) => {
                if words.is_empty() && word.is_empty() {
                    begun = line;
                }
                word.push(letter);
            }
        }
    }
    found
}

/// Towards upstream servers only a switch can be set; the times are the system's.
const SWITCH: [(&str, &str); 5] = [
    ("proxy_socket_keepalive", "proxy_pass"),
    ("fastcgi_socket_keepalive", "fastcgi_pass"),
    ("uwsgi_socket_keepalive", "uwsgi_pass"),
    ("scgi_socket_keepalive", "scgi_pass"),
    ("grpc_socket_keepalive", "grpc_pass"),
];

const UPSTREAM: Mend = Mend::Lines(
    "proxy_socket_keepalive on;
# and the system's times, which it uses:
# net.ipv4.tcp_keepalive_time = @idle@
# net.ipv4.tcp_keepalive_intvl = @interval@
# net.ipv4.tcp_keepalive_probes = @count@",
);

pub(super) fn read(text: &str) -> Vec<Item> {
    let all = statements(text);
    let word = |statement: &Statement, place: usize| statement.words.get(place).cloned().unwrap_or_default();
    let is = |statement: &&Statement, name: &str| statement.words.first().is_some_and(|first| first == name);
    let listens: Vec<&Statement> = all.iter().filter(|statement| is(statement, "listen")).collect();
    let keepalive = |statement: &Statement| {
        let value = |word: &String| word.strip_prefix("so_keepalive=").map(str::to_owned);
        statement.words.iter().find_map(value)
    };
    let mut items = Vec::new();
    for statement in &listens {
        let address = word(statement, 1);
        let is_other = address.starts_with("unix:")
            || statement.words.iter().any(|word| word == "udp" || word == "quic");
        if is_other || address.is_empty() {
            continue;
        }
        // One of several blocks with the same address says it for all.
        let elsewhere =
            || listens.iter().filter(|other| word(other, 1) == address).find_map(|other| keepalive(other));
        let said = keepalive(statement).or_else(elsewhere);
        let meaning = match &said {
            None => Meaning::Off("so_keepalive is off unless it is set"),
            Some(value) => so_keepalive(value),
        };
        let value = said.map(|value| format!("so_keepalive={value}")).unwrap_or_default();
        let mend = Mend::Lines("so_keepalive=@idle@s:@interval@s:@count@ (a parameter of listen)");
        items.push(Item::at(statement.line, format!("listen {address}"), value, meaning, mend));
    }
    for (switch, pass) in SWITCH {
        let before = items.len();
        for statement in all.iter().filter(|statement| is(statement, switch)) {
            let value = word(statement, 1);
            let meaning = match value.as_str() {
                "on" => Meaning::Keepalive(Asked::default()),
                "off" => Meaning::Off("it is off"),
                _ => Meaning::Unreadable("it is neither on nor off".to_owned()),
            };
            items.push(Item::at(statement.line, switch, value, meaning, UPSTREAM));
        }
        if items.len() == before
            && let Some(statement) = all.iter().find(|statement| is(statement, pass))
        {
            let off = Meaning::Off("keepalives towards upstream servers are off unless they are turned on");
            items.push(Item::at(statement.line, pass, "", off, UPSTREAM));
        }
    }
    items
}

/// `on`, `off`, or idle:interval:count, of which each may be missing.
fn so_keepalive(value: &str) -> Meaning {
    match value {
        "on" => return Meaning::Keepalive(Asked::default()),
        "off" => return Meaning::Off("it is off"),
        _ => {}
    }
    let unreadable = |part: &str| Meaning::Unreadable(format!("{part:?} is neither a time nor a number"));
    let mut asked = Asked::default();
    let mut parts = value.split(':');
    for into in [&mut asked.idle, &mut asked.interval] {
        match parts.next().unwrap_or_default() {
            "" => {}
            part => match time(part, OF_NGINX, SECONDS).filter(|span| *span > Span::ZERO) {
                Some(span) => *into = Some(span),
                None => return unreadable(part),
            },
        }
    }
    match parts.next().unwrap_or_default() {
        "" => {}
        part => match part.parse::<u32>() {
            Ok(count) if count > 0 => asked.count = Some(count),
            _ => return unreadable(part),
        },
    }
    match (parts.next(), value.contains(':')) {
        (None, true) => Meaning::Keepalive(asked),
        _ => unreadable(value),
    }
}
