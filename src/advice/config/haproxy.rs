//! haproxy.cfg: keepalives of each proxy towards its clients and towards its servers, with what `defaults` says.

use super::line::{Line, OF_HAPROXY, SECONDS, lines, time, unquoted};
use super::{Asked, Item, Meaning, Mend};
use crate::time::Span;

/// What is set for one side.
#[derive(Clone, Debug, Default)]
struct Half {
    /// Whether it is on, and the line that says so.
    on: Option<(bool, u32)>,
    /// The line with the idle time.
    idle_line: Option<u32>,
    asked: Asked,
    /// A line that cannot be read.
    wrong: Option<(u32, String)>,
}

/// What is set towards clients, and towards servers.
#[derive(Clone, Debug, Default)]
struct Both {
    cli: Half,
    srv: Half,
}

/// A section that is being read.
struct Section {
    kind: String,
    name: String,
    line: u32,
    both: Both,
}

const CLI: Mend =
    Mend::Lines("option clitcpka\nclitcpka-idle @idle@s\nclitcpka-intvl @interval@s\nclitcpka-cnt @count@");
const SRV: Mend =
    Mend::Lines("option srvtcpka\nsrvtcpka-idle @idle@s\nsrvtcpka-intvl @interval@s\nsrvtcpka-cnt @count@");

pub(super) fn read(text: &str) -> Vec<Item> {
    const SECTIONS: [&str; 16] = [
        "global",
        "defaults",
        "frontend",
        "backend",
        "listen",
        "peers",
        "resolvers",
        "userlist",
        "mailers",
        "cache",
        "program",
        "http-errors",
        "ring",
        "log-forward",
        "fcgi-app",
        "crt-store",
    ];
    let mut defaults: Vec<(String, Both)> = Vec::new();
    let mut items = Vec::new();
    let mut section: Option<Section> = None;
    for line in lines(text, &[], &['#']) {
        if SECTIONS.contains(&line.key) {
            close(section.take(), &mut defaults, &mut items);
            let mut words = line.value.split_whitespace();
            let name = words.next().filter(|name| *name != "from").unwrap_or_default().to_owned();
            let from = line.value.split_once("from ").map(|(_, from)| from.trim());
            let inherited = defaults.iter().rev().find(|(name, _)| from.is_none_or(|from| from == name));
            let both =
                inherited.filter(|_| line.key != "defaults" || from.is_some()).map(|(_, both)| both.clone());
            let both = both.unwrap_or_default();
            section = Some(Section { kind: line.key.to_owned(), name, line: line.number, both });
        } else if let Some(section) = &mut section {
            section.both.take(&line);
        }
    }
    close(section, &mut defaults, &mut items);
    items
}

fn close(section: Option<Section>, defaults: &mut Vec<(String, Both)>, items: &mut Vec<Item>) {
    let Some(Section { kind, name, line, both }) = section else { return };
    let what = |side: &str| format!("{kind} {name}, {side}");
    match kind.as_str() {
        "defaults" => defaults.push((name, both)),
        "frontend" => items.push(both.cli.item(line, what("its clients"), CLI)),
        "backend" => items.push(both.srv.item(line, what("its servers"), SRV)),
        "listen" => {
            items.push(both.cli.item(line, what("its clients"), CLI));
            items.push(both.srv.item(line, what("its servers"), SRV));
        }
        _ => {}
    }
}

impl Both {
    fn take(&mut self, line: &Line) {
        let mut words = line.value.split_whitespace();
        let (on, option) = match (line.key, words.next()) {
            ("option", Some(option)) => (true, option),
            ("no", Some("option")) => (false, words.next().unwrap_or_default()),
            (key, value) => {
                self.set(line.number, key, unquoted(value.unwrap_or_default()));
                return;
            }
        };
        if matches!(option, "clitcpka" | "tcpka") {
            self.cli.on = Some((on, line.number));
        }
        if matches!(option, "srvtcpka" | "tcpka") {
            self.srv.on = Some((on, line.number));
        }
    }

    fn set(&mut self, line: u32, key: &str, value: &str) {
        let (half, what) = match key.split_once('-') {
            Some(("clitcpka", what)) => (&mut self.cli, what),
            Some(("srvtcpka", what)) => (&mut self.srv, what),
            _ => return,
        };
        // 0 stands for the system's.
        let span =
            || time(value, OF_HAPROXY, SECONDS).map(|span| Some(span).filter(|span| *span > Span::ZERO));
        let taken = match what {
            "idle" => {
                half.idle_line = Some(line);
                span().map(|span| half.asked.idle = span)
            }
            "intvl" => span().map(|span| half.asked.interval = span),
            "cnt" => value
                .parse::<u32>()
                .ok()
                .map(|count| half.asked.count = Some(count).filter(|count| *count > 0)),
            _ => return,
        };
        if taken.is_none() {
            half.wrong = Some((line, format!("{value:?} is no time or number for {key}")));
        }
    }
}

impl Half {
    fn item(&self, header: u32, what: String, mend: Mend) -> Item {
        let line = self.idle_line.or(self.on.map(|(_, line)| line)).unwrap_or(header);
        if let Some((line, problem)) = &self.wrong {
            return Item::at(*line, what, "", Meaning::Unreadable(problem.clone()), mend);
        }
        let number =
            |count: Option<u32>| count.map_or_else(|| "system".to_owned(), |count| count.to_string());
        let seconds =
            |span: Option<Span>| span.map_or_else(|| "system".to_owned(), crate::stack::value::seconds);
        match self.on {
            Some((true, _)) => {
                let asked = self.asked;
                let value = format!(
                    "{} / {} / {}",
                    seconds(asked.idle),
                    seconds(asked.interval),
                    number(asked.count)
                );
                Item::at(line, what, value, Meaning::Keepalive(asked), mend)
            }
            Some((false, line)) => {
                Item::at(line, what, "off", Meaning::Off("the option is turned off"), mend)
            }
            None => Item::at(
                header,
                what,
                "",
                Meaning::Off("the option that turns keepalives on is missing"),
                mend,
            ),
        }
    }
}
