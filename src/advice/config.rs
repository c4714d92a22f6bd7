//! Existing configuration, read for what it says of keepalives.
//!
//! Owns [`Kind`] (which files are understood, and how to tell), [`Item`] (one thing that is set, or that is not) and how
//! each is mended. A reader takes any text and never fails but where the text is no document of its kind at all. Uses
//! `super::shape` for what follows from what.

mod database;
mod haproxy;
mod kubernetes;
mod line;
mod nginx;
mod ssh;
mod sysctl;
mod yaml;

use super::shape::Shape;
use super::snippets::Values;
use crate::time::Span;

/// A kind of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `sysctl -a`, or sysctl.conf.
    Sysctl,
    /// postgresql.conf.
    Postgresql,
    /// redis.conf.
    Redis,
    /// nginx.conf and what it includes.
    Nginx,
    /// haproxy.cfg.
    Haproxy,
    /// Manifests of Kubernetes, in YAML or JSON.
    Kubernetes,
    /// ssh_config.
    Ssh,
    /// sshd_config.
    Sshd,
}

/// One thing that is set, or could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The line, from 1; nothing where it is not set at all.
    pub line: Option<u32>,
    /// What it is, as the file calls it.
    pub what: String,
    /// As it is written; empty where it is not set.
    pub value: String,
    /// What it means.
    pub meaning: Meaning,
    /// How to set something else.
    pub mend: Mend,
}

/// What an item means for an idle connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Keepalives are on.
    Keepalive(Asked),
    /// These are the system's own times.
    System(Asked),
    /// Keepalives are off; with what says so.
    Off(&'static str),
    /// The application says something so often.
    Heartbeat(Span),
    /// It cannot be read; with the reason.
    Unreadable(String),
}

/// What is asked of the stack; what is absent is the system's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Asked {
    /// Silence before the first probe.
    pub idle: Option<Span>,
    /// Time between unanswered probes.
    pub interval: Option<Span>,
    /// How many unanswered probes it takes.
    pub count: Option<u32>,
    /// `TCP_USER_TIMEOUT`.
    pub user_timeout: Option<Span>,
    /// What can be set there.
    pub shape: Option<Shape>,
}

/// How something else is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// By a snippet of the table.
    Snippet(&'static str),
    /// By lines of this form, with a blank for each value.
    Lines(&'static str),
}

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not of its kind.
    #[error("line {line}: {problem}")]
    At {
        /// Where, from 1.
        line: u32,
        /// What is wrong.
        problem: String,
    },
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 8] = [
        Kind::Sysctl,
        Kind::Postgresql,
        Kind::Redis,
        Kind::Nginx,
        Kind::Haproxy,
        Kind::Kubernetes,
        Kind::Ssh,
        Kind::Sshd,
    ];

    /// As an argument, and as a value in output for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Sysctl => "sysctl",
            Kind::Postgresql => "postgresql",
            Kind::Redis => "redis",
            Kind::Nginx => "nginx",
            Kind::Haproxy => "haproxy",
            Kind::Kubernetes => "kubernetes",
            Kind::Ssh => "ssh",
            Kind::Sshd => "sshd",
        }
    }

    /// For people.
    pub const fn title(self) -> &'static str {
        match self {
            Kind::Sysctl => "sysctls",
            Kind::Postgresql => "PostgreSQL",
            Kind::Redis => "Redis",
            Kind::Nginx => "nginx",
            Kind::Haproxy => "HAProxy",
            Kind::Kubernetes => "Kubernetes",
            Kind::Ssh => "OpenSSH client",
            Kind::Sshd => "OpenSSH server",
        }
    }

    /// Which kind a file is: by its name, or by what stands in it.
    pub fn recognise(path: &str, text: &str) -> Option<Kind> {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path).to_ascii_lowercase();
        let by_name = [
            ("sshd_config", Kind::Sshd),
            ("ssh_config", Kind::Ssh),
            ("postgresql", Kind::Postgresql),
            ("redis", Kind::Redis),
            ("valkey", Kind::Redis),
            ("nginx", Kind::Nginx),
            ("haproxy", Kind::Haproxy),
            ("sysctl", Kind::Sysctl),
        ];
        let ends = [".conf", ".cfg", "_config"];
        let is_named = |word: &str| name.contains(word) && ends.iter().any(|end| name.ends_with(end));
        by_name
            .into_iter()
            .find(|(word, _)| is_named(word))
            .map(|(_, kind)| kind)
            .or_else(|| by_content(text))
    }

    /// What it says of keepalives.
    ///
    /// # Errors
    /// If it is no document of that kind at all.
    pub fn read(self, text: &str) -> Result<Vec<Item>, ConfigError> {
        Ok(match self {
            Kind::Sysctl => sysctl::read(text),
            Kind::Postgresql => database::postgresql(text),
            Kind::Redis => database::redis(text),
            Kind::Nginx => nginx::read(text),
            Kind::Haproxy => haproxy::read(text),
            Kind::Kubernetes => kubernetes::read(text)?,
            Kind::Ssh => ssh::client(text),
            Kind::Sshd => ssh::server(text),
        })
    }
}

/// The kind whose words stand at the beginning of lines.
fn by_content(text: &str) -> Option<Kind> {
    const WORDS: [(Kind, &[&str]); 8] = [
        (Kind::Kubernetes, &["apiVersion:", "- apiVersion:", "\"apiVersion\":", "{\"apiVersion\":"]),
        (Kind::Sysctl, &["net.ipv4.", "net/ipv4/", "net.inet.tcp.", "net.core.", "kernel.", "vm."]),
        (
            Kind::Postgresql,
            &["tcp_keepalives_", "listen_addresses", "shared_buffers", "max_connections", "wal_level"],
        ),
        (Kind::Redis, &["tcp-keepalive ", "tcp-backlog ", "protected-mode ", "appendonly ", "maxmemory"]),
        (
            Kind::Sshd,
            &["ClientAlive", "PermitRootLogin", "AuthorizedKeysFile", "PasswordAuthentication", "Subsystem "],
        ),
        (Kind::Ssh, &["ServerAlive", "Host ", "HostName ", "IdentityFile "]),
        (
            Kind::Nginx,
            &["server {", "http {", "stream {", "listen ", "location ", "worker_processes ", "events {"],
        ),
        (Kind::Haproxy, &["frontend ", "backend ", "defaults", "listen ", "option ", "bind ", "timeout "]),
    ];
    let hits = |kind: &(Kind, &[&str])| {
        let starts = |line: &&str| kind.1.iter().any(|word| line.starts_with(word));
        // Statements of nginx end so, and those of HAProxy never do.
        let fits = |line: &&str| match kind.0 {
            Kind::Nginx => line.ends_with([';', '{', '}']),
            Kind::Haproxy => !line.ends_with([';', '{', '}']),
            _ => true,
        };
        text.lines()
            .map(|line| line.trim().trim_start_matches("#").trim_start())
            .filter(starts)
            .filter(fits)
            .count()
    };
    let counted = WORDS.iter().map(|kind| (hits(kind), kind.0)).filter(|(hits, _)| *hits > 0);
    // The first of those with the most.
    counted.rev().max_by_key(|(hits, _)| *hits).map(|(_, kind)| kind)
}

impl Mend {
    /// The lines that set these values.
    pub fn text(self, values: &Values) -> String {
        match self {
            Mend::Snippet(name) => {
                super::snippets::Snippet::named(name).map(|snippet| snippet.text(values)).unwrap_or_default()
            }
            Mend::Lines(text) => super::snippets::fill(text, values),
        }
    }
}

impl Item {
    /// Something that is written in a line.
    fn at(
        line: u32,
        what: impl Into<String>,
        value: impl Into<String>,
        meaning: Meaning,
        mend: Mend,
    ) -> Item {
        Item { line: Some(line), what: what.into(), value: value.into(), meaning, mend }
    }

    /// Something that is not set.
    fn absent(what: impl Into<String>, meaning: Meaning, mend: Mend) -> Item {
        Item { line: None, what: what.into(), value: String::new(), meaning, mend }
    }
}
