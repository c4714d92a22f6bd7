//! What a responder did, as lines for people and for programs.
//!
//! As JSON it is `keepscope.respond/1`. Lines (`jsonl`) begin with one of type `respond` and end with the `summary`,
//! which is also the document (`json`), there with its sessions:
//!
//! ```text
//! {"type": "respond", "schema", "listen": ["ADDR:PORT"], "secret": bool,
//!  "abilities": {"keepalive": bool, "garbage": bool, "strays": bool}}
//! {"type": "session_opened", "time", "session", "local", "remote"}
//! {"type": "joined", "time", "session", "number", "local", "remote"}
//! {"type": "sent", "time", "session", "number", "form": "data" | "keepalive", "octets", "idle_s"}
//! {"type": "not_sent", "time", "session", "number", "why": "no_connection" | "limit" | "not_able" | "refused"}
//! {"type": "back", "time", "session", "number", "result": "acknowledged" | "silence" | "reset" | "fin" | "timed_out" |
//!  "unreachable" | "strange" | "limit" | "other", "after_s", "tries": number | null}
//! {"type": "ended", "time", "session", "number", "how": "closed" | as result, "idle_s"}
//! {"type": "stray", "time", "session", "local", "remote"}
//! {"type": "session_over", "time", "session", "reason": "bye" | "lost" | "expired" | "lasted" | "stopped" | "nonsense" |
//!  "too_many", "connections", "asked", "sent", "octets", "acknowledged"}
//! {"type": "turned_away", "time", "local", "remote", "why": "strange" | "said_nothing" | "too_slow" | "version" |
//!  "secret" | "full" | "no_session" | "displaced" | "left"}
//! {"type": "summary", "sessions", "connections", "asked", "sent", "octets", "acknowledged",
//!  "turned_away": {why: count}}
//! ```
//!
//! Numbers of connections are those that the client chose. `after_s` is when the acknowledgment or the end came after
//! the sending, of silence the last try.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::number::Seconds;
use super::text::{plural, round_trip, silence};
use crate::partner::Tuple;
use crate::partner::message::{Abilities, Back, Ending, Form, NotSent, OverReason};
use crate::partner::server::{News, Totals, Turned};
use crate::time::Timestamp;

const SCHEMA: &str = "keepscope.respond/1";

/// Sessions of which the document says more than that they were.
const KEPT: usize = 1000;

/// Visitors sent away of whom a line is written, in a minute.
const TURNED: u32 = 20;

const MINUTE: i64 = 60_000_000_000;

/// What a responder is.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    listen: Vec<String>,
    secret: bool,
    abilities: Able,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Able {
    keepalive: bool,
    garbage: bool,
    strays: bool,
}

impl Setting {
    /// Of a responder that listens on these addresses.
    pub fn new(listen: &[std::net::SocketAddr], secret: bool, abilities: Abilities) -> Self {
        let Abilities { keepalive, garbage, strays } = abilities;
        let listen = listen.iter().map(ToString::to_string).collect();
        Self { listen, secret, abilities: Able { keepalive, garbage, strays } }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Respond {
        schema: &'static str,
        #[serde(flatten)]
        setting: &'a Setting,
    },
    SessionOpened {
        time: Seconds,
        session: u32,
        #[serde(flatten)]
        ends: Ends,
    },
    Joined {
        time: Seconds,
        session: u32,
        number: u32,
        #[serde(flatten)]
        ends: Ends,
    },
    Sent {
        time: Seconds,
        session: u32,
        number: u32,
        form: &'static str,
        octets: u8,
        idle_s: Seconds,
    },
    NotSent {
        time: Seconds,
        session: u32,
        number: u32,
        why: &'static str,
    },
    Back {
        time: Seconds,
        session: u32,
        number: u32,
        result: &'static str,
        after_s: Seconds,
        tries: Option<u16>,
    },
    Ended {
        time: Seconds,
        session: u32,
        number: u32,
        how: &'static str,
        idle_s: Seconds,
    },
    Stray {
        time: Seconds,
        session: u32,
        #[serde(flatten)]
        ends: Ends,
    },
    SessionOver {
        time: Seconds,
        session: u32,
        reason: &'static str,
        #[serde(flatten)]
        totals: Sums,
    },
    TurnedAway {
        time: Seconds,
        #[serde(flatten)]
        ends: Ends,
        why: &'static str,
    },
    Summary {
        sessions: u32,
        #[serde(flatten)]
        totals: Sums,
        turned_away: &'a BTreeMap<&'static str, u64>,
    },
}

#[derive(Serialize)]
struct Ends {
    local: String,
    remote: String,
}

impl From<&Tuple> for Ends {
    fn from(tuple: &Tuple) -> Self {
        Self { local: tuple.local.to_string(), remote: tuple.remote.to_string() }
    }
}

#[derive(Clone, Copy, Default, Debug, Serialize)]
struct Sums {
    connections: u64,
    asked: u64,
    sent: u64,
    octets: u64,
    acknowledged: u64,
}

impl From<Totals> for Sums {
    fn from(totals: Totals) -> Self {
        Self {
            connections: totals.connections.into(),
            asked: totals.asked.into(),
            sent: totals.sent.into(),
            octets: totals.octets.into(),
            acknowledged: totals.acknowledged.into(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct SessionRecord {
    session: u32,
    local: String,
    remote: String,
    opened: Seconds,
    ended: Option<Seconds>,
    reason: Option<&'static str>,
    #[serde(flatten)]
    totals: Sums,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    #[serde(flatten)]
    setting: &'a Setting,
    sessions: &'a [SessionRecord],
    sessions_left_out: u32,
    #[serde(flatten)]
    totals: Sums,
    turned_away: &'a BTreeMap<&'static str, u64>,
}

/// What a responder did so far. Its size is bounded.
#[derive(Debug)]
pub struct Log {
    setting: Setting,
    count: u32,
    sessions: Vec<SessionRecord>,
    totals: Sums,
    turned: BTreeMap<&'static str, u64>,
    /// The minute, and visitors sent away in it.
    minute: (i64, u32),
}

impl Log {
    /// Nothing yet.
    pub fn new(setting: Setting) -> Self {
        Self {
            setting,
            count: 0,
            sessions: Vec::new(),
            totals: Sums::default(),
            turned: BTreeMap::new(),
            minute: (i64::MIN, 0),
        }
    }

    /// Takes note of something; whether it is worth a line. Only of visitors sent away there may be too many.
    pub fn note(&mut self, at: Timestamp, news: &News) -> bool {
        match news {
            News::Opened { session, seen } => {
                self.count += 1;
                if self.sessions.len() < KEPT {
                    let Ends { local, remote } = seen.into();
                    self.sessions.push(SessionRecord {
                        session: *session,
                        local,
                        remote,
                        opened: at.into(),
                        ended: None,
                        reason: None,
                        totals: Sums::default(),
                    });
                }
            }
            News::Over { session, reason, totals } => {
                let totals = Sums::from(*totals);
                if let Some(record) = self.sessions.iter_mut().find(|record| record.session == *session) {
                    record.ended = Some(at.into());
                    record.reason = Some(over_name(*reason));
                    record.totals = totals;
                }
                self.totals.connections += totals.connections;
                self.totals.asked += totals.asked;
                self.totals.sent += totals.sent;
                self.totals.octets += totals.octets;
                self.totals.acknowledged += totals.acknowledged;
            }
            News::Turned { why, .. } => {
                *self.turned.entry(why.name()).or_default() += 1;
                let minute = at.as_nanos().div_euclid(MINUTE);
                if self.minute.0 != minute {
                    self.minute = (minute, 0);
                }
                self.minute.1 = self.minute.1.saturating_add(1);
                return self.minute.1 <= TURNED;
            }
            _ => {}
        }
        true
    }

    /// Writes the first line for programs.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn header(&self, out: &mut dyn Write) -> io::Result<()> {
        line(out, &Line::Respond { schema: SCHEMA, setting: &self.setting })
    }

    /// Writes the last line for programs.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn summary_json(&self, out: &mut dyn Write) -> io::Result<()> {
        line(out, &Line::Summary { sessions: self.count, totals: self.totals, turned_away: &self.turned })
    }

    /// Writes all of it as one document.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn document(&self, out: &mut dyn Write) -> io::Result<()> {
        let kept = u32::try_from(self.sessions.len()).unwrap_or(u32::MAX);
        let document = Document {
            schema: SCHEMA,
            setting: &self.setting,
            sessions: &self.sessions,
            sessions_left_out: self.count.saturating_sub(kept),
            totals: self.totals,
            turned_away: &self.turned,
        };
        crate::report::plain::pretty(&mut *out, &document)?;
        writeln!(out)
    }

    /// Writes the summary for people.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn summary_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: {}", plural(self.count.into(), "session"), sums(&self.totals))?;
        if !self.turned.is_empty() {
            let each: Vec<String> =
                self.turned.iter().map(|(why, count)| format!("{count} {}", why.replace('_', " "))).collect();
            writeln!(out, "turned away: {}", each.join(", "))?;
        }
        Ok(())
    }
}

fn sums(sums: &Sums) -> String {
    format!(
        "{}, {} of {} sent ({}), {} acknowledged",
        plural(sums.connections, "connection"),
        sums.sent,
        plural(sums.asked, "question"),
        plural(sums.octets, "octet"),
        sums.acknowledged
    )
}

/// Writes something that happened as a line for programs.
///
/// # Errors
/// If `out` cannot be written to.
pub fn line_json(out: &mut dyn Write, at: Timestamp, news: &News) -> io::Result<()> {
    let time = at.into();
    line(
        out,
        &match *news {
            News::Opened { session, seen } => Line::SessionOpened { time, session, ends: (&seen).into() },
            News::Joined { session, number, seen } => {
                Line::Joined { time, session, number: number.0, ends: (&seen).into() }
            }
            News::Sent { session, number, form, at, idle } => Line::Sent {
                time: at.into(),
                session,
                number: number.0,
                form: form_name(form),
                octets: form.octets(),
                idle_s: idle.into(),
            },
            News::NotSent { session, number, why } => {
                Line::NotSent { time, session, number: number.0, why: why.name() }
            }
            News::Back { session, number, back } => {
                let (result, after, tries) = match back {
                    Back::Acknowledged { after } => ("acknowledged", after, None),
                    Back::Ended { how, after } => (how.name(), after, None),
                    Back::Silence { tries, last } => ("silence", last, Some(tries)),
                };
                Line::Back { time, session, number: number.0, result, after_s: after.into(), tries }
            }
            News::Ended { session, number, how, idle } => Line::Ended {
                time,
                session,
                number: number.0,
                how: how.map_or("closed", Ending::name),
                idle_s: idle.into(),
            },
            News::Stray { session, seen } => Line::Stray { time, session, ends: (&seen).into() },
            News::Over { session, reason, totals } => {
                Line::SessionOver { time, session, reason: over_name(reason), totals: totals.into() }
            }
            News::Turned { seen, why } => Line::TurnedAway { time, ends: (&seen).into(), why: why.name() },
        },
    )
}

fn line(out: &mut dyn Write, line: &Line<'_>) -> io::Result<()> {
    crate::report::plain::compact(&mut *out, line)?;
    writeln!(out)
}

const fn form_name(form: Form) -> &'static str {
    match form {
        Form::Data(_) => "data",
        Form::Keepalive(_) => "keepalive",
    }
}

fn over_name(reason: Option<OverReason>) -> &'static str {
    reason.map_or("lost", OverReason::name)
}

/// Something that happened in words.
pub fn line_text(news: &News) -> String {
    match *news {
        News::Opened { session, seen } => format!("session {session} opened by {}", seen.remote),
        News::Joined { session, number, seen } => {
            format!("session {session} #{} joined from {}", number.0, seen.remote)
        }
        News::Sent { session, number, form, idle, .. } => {
            let what = match form {
                Form::Data(octets) => plural(octets.into(), "octet"),
                Form::Keepalive(0) => "keepalive probe".to_owned(),
                Form::Keepalive(octets) => format!("keepalive probe of {}", plural(octets.into(), "octet")),
            };
            format!("session {session} #{} sent {what} after {} idle", number.0, silence(idle))
        }
        News::NotSent { session, number, why } => {
            let why = match why {
                NotSent::NoConnection => "there is no such connection",
                NotSent::Limit => "more than the limits allow",
                NotSent::NotAble => "it takes CAP_NET_RAW, or SND.NXT is not known",
                NotSent::Refused => "something is still on its way, or the system refused",
            };
            format!("session {session} #{} not sent: {why}", number.0)
        }
        News::Back { session, number, back } => {
            let what = match back {
                Back::Acknowledged { after } => format!("acknowledged in {}", round_trip(after)),
                Back::Ended { how, after } => format!("{} in {}", ending(how), round_trip(after)),
                Back::Silence { tries: 1, .. } => "not answered".to_owned(),
                Back::Silence { tries, last } => {
                    format!("not answered; sent {tries} times, for the last time after {}", silence(last))
                }
            };
            format!("session {session} #{} {what}", number.0)
        }
        News::Ended { session, number, how: None, .. } => {
            format!("session {session} #{} closed by request", number.0)
        }
        News::Ended { session, number, how: Some(how), idle } => {
            format!("session {session} #{} ended by {} after {} idle", number.0, ending(how), silence(idle))
        }
        News::Stray { session, seen } => {
            format!("session {session} a segment of no known connection from {}", seen.remote)
        }
        News::Over { session, reason, totals } => {
            let why = match reason {
                None => "its control connection ended",
                Some(OverReason::Bye) => "the client is done",
                Some(OverReason::Expired) => "nothing was heard of the client",
                Some(OverReason::Lasted) => "it lasted as long as a session may",
                Some(OverReason::Stopped) => "stopped here",
                Some(OverReason::Nonsense) => "the client said something that makes no sense",
                Some(OverReason::TooMany) => "more messages than allowed",
            };
            format!("session {session} over: {why}; {}", sums(&totals.into()))
        }
        News::Turned { seen, why } => {
            let why = match why {
                Turned::Strange => "speaks something else",
                Turned::SaidNothing => "said nothing in time",
                Turned::TooSlow => "was too slow",
                Turned::Version => "speaks another version",
                Turned::Secret => "does not know the secret",
                Turned::Full => "there is no room",
                Turned::NoSession => "belongs to no session",
                Turned::Displaced => "made room for others",
                Turned::Left => "left before it said who it is",
            };
            format!("turned away {}: {why}", seen.remote)
        }
    }
}

fn ending(ending: Ending) -> String {
    match ending {
        Ending::Reset => "a RST".to_owned(),
        Ending::Fin => "a FIN".to_owned(),
        Ending::TimedOut => "silence".to_owned(),
        Ending::Unreachable => "an ICMP error".to_owned(),
        Ending::Strange => "octets that make no sense".to_owned(),
        Ending::Limit => "more than the limits allow".to_owned(),
        Ending::Other(errno) => format!("error {errno}"),
    }
}
