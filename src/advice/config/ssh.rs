//! ssh_config and sshd_config: messages of the application, and the stack's keepalives where there are none.

use super::line::{Line, OF_OPENSSH, SECONDS, lines, time, unquoted};
use super::{Asked, Item, Meaning, Mend};
use crate::time::Span;

/// What a client sends.
pub(super) fn client(text: &str) -> Vec<Item> {
    read(text, "ServerAliveInterval", Mend::Lines("ServerAliveInterval @idle@"))
}

/// What a server sends.
pub(super) fn server(text: &str) -> Vec<Item> {
    read(text, "ClientAliveInterval", Mend::Lines("ClientAliveInterval @idle@"))
}

fn read(text: &str, key: &str, mend: Mend) -> Vec<Item> {
    let found: Vec<Line> = lines(text, &['='], &['#']).collect();
    let is_no = |line: &Line| unquoted(line.value).eq_ignore_ascii_case("no");
    let is_off = found.iter().rev().any(|line| line.key.eq_ignore_ascii_case("TCPKeepAlive") && is_no(line));
    // Without messages of its own, the keepalive of the stack is all there is, with the system's times.
    let below = if is_off {
        Meaning::Off("no messages of its own, and TCPKeepAlive no")
    } else {
        Meaning::Keepalive(Asked::default())
    };
    let item = |line: &Line| {
        let meaning = match time(unquoted(line.value), OF_OPENSSH, SECONDS) {
            None => Meaning::Unreadable("it is no time".to_owned()),
            Some(Span::ZERO) => below.clone(),
            Some(every) => Meaning::Heartbeat(every),
        };
        Item::at(line.number, key, line.value, meaning, mend)
    };
    let items: Vec<Item> = found.iter().filter(|line| line.key.eq_ignore_ascii_case(key)).map(item).collect();
    if items.is_empty() { vec![Item::absent(key, below.clone(), mend)] } else { items }
}
