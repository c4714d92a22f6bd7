//! What a connection will do, as text: `"0.2 client idle 5; 1.0 mute"`.

use keepscope::keepalive::Setting;
use keepscope::time::Span;
use serde::{Deserialize, Serialize};

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    Client,
    Server,
}

/// A socket option: its name in the lab, and its value.
pub type SocketOption = (String, i64);

/// What is done in a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Action {
    Set { option: String, value: i64 },
    Send { octets: u32 },
    Shut,
    Forget,
    Mute,
    Unmute,
    Inject { octets: u32, age: i64 },
    Follow { octets: u32, back: i64 },
}

#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub at: f64,
    pub end: End,
    #[serde(flatten)]
    pub action: Action,
}

/// A connection; `number` makes its ports.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    name: String,
    number: u16,
    before: Vec<SocketOption>,
    listener: Vec<SocketOption>,
    steps: Vec<Step>,
    until: f64,
    #[serde(skip)]
    ends: Vec<End>,
}

impl Plan {
    /// A plan whose steps are parted by semicolons: a time in seconds, an end where one is meant, a verb and
    /// its numbers. Only the client is held against the machine.
    pub fn new(name: &str, number: u16, until: f64, steps: &str) -> Plan {
        let steps = steps.split(';').map(str::trim).filter(|step| !step.is_empty()).map(step).collect();
        Plan {
            name: name.to_owned(),
            number,
            before: Vec::new(),
            listener: Vec::new(),
            steps,
            until,
            ends: vec![End::Client],
        }
    }

    /// Options set on the client's socket before it connects.
    pub fn before(mut self, options: &[(&str, i64)]) -> Plan {
        self.before = owned(options);
        self
    }

    /// Options set on the listening socket.
    pub fn listener(mut self, options: &[(&str, i64)]) -> Plan {
        self.listener = owned(options);
        self
    }

    /// Which ends are held against the machine.
    pub fn held(mut self, ends: &[End]) -> Plan {
        self.ends = ends.to_vec();
        self
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn number(&self) -> u16 {
        self.number
    }

    pub fn ends(&self) -> &[End] {
        &self.ends
    }

    /// What an end has set when its connection is made.
    pub fn set_before(&self, end: End) -> &[SocketOption] {
        if end == End::Client { &self.before } else { &self.listener }
    }
}

fn owned(options: &[(&str, i64)]) -> Vec<SocketOption> {
    options.iter().map(|(option, value)| ((*option).to_owned(), *value)).collect()
}

fn step(text: &str) -> Step {
    let mut words = text.split_whitespace().peekable();
    let at = words.next().and_then(|word| word.parse().ok()).expect(text);
    let end = if words.next_if_eq(&"server").is_some() { End::Server } else { End::Client };
    words.next_if_eq(&"client");
    let verb = words.next().expect(text);
    let numbers: Vec<i64> = words.map(|word| word.parse().expect(text)).collect();
    let action = match (verb, numbers.as_slice()) {
        ("send", [octets]) => Action::Send { octets: *octets as u32 },
        ("shut", []) => Action::Shut,
        ("forget", []) => Action::Forget,
        ("mute", []) => Action::Mute,
        ("unmute", []) => Action::Unmute,
        ("inject", [octets, age]) => Action::Inject { octets: *octets as u32, age: *age },
        ("follow", [octets, back]) => Action::Follow { octets: *octets as u32, back: *back },
        (option, [value]) => Action::Set { option: option.to_owned(), value: *value },
        _ => panic!("{text}"),
    };
    Step { at, end, action }
}

/// The machine's setting for a socket option.
pub fn setting(option: &str, value: i64) -> Setting {
    match option {
        "keepalive" => Setting::Enabled(value != 0),
        "idle" => Setting::Idle(Span::from_secs(value)),
        "interval" => Setting::Interval(Span::from_secs(value)),
        "count" => Setting::Count(u32::try_from(value).expect("a count")),
        "user_timeout" => Setting::UserTimeout(Span::from_millis(value)),
        other => panic!("no option is called {other}"),
    }
}
