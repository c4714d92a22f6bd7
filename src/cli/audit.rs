//! `keepscope audit`: whether existing configuration, and what listens on this host, holds on a path.

#[cfg(feature = "live")]
mod listeners;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::advice_input::{PathArguments, read, shown};
use super::{Exit, complain};
use crate::advice::Wish;
use crate::advice::audit::{Auditor, Judgement, Verdict};
use crate::advice::config::Kind;
use crate::advice::path::Path;
use crate::report::audit::Judged;

/// Where there are sockets to look at.
const LISTENERS: &str = if cfg!(feature = "live") {
    "  sudo keepscope audit --timeout 350s --listeners             what listens on this host, and what it accepted
  sudo keepscope audit --timeout 350s --listeners --port 443 nginx.conf
"
} else {
    ""
};

fn help() -> String {
    format!(
        "\
Examples:
  sysctl -a 2>/dev/null | keepscope audit --timeout 350s -
  keepscope audit --behind azure-lb /etc/postgresql/15/main/postgresql.conf /etc/redis/redis.conf
  keepscope audit --timeout 350s sysctl.txt nginx.conf        what nginx leaves to the system is in the first
  keepscope audit --timeout 350s --stack linux --hz 1000 --format json haproxy.cfg | jq '.items[]'
  kubectl get deployment -o yaml | keepscope audit --timeout 350s --kind kubernetes -
{LISTENERS}
Understood: sysctl -a and sysctl.conf, postgresql.conf, redis.conf, nginx, haproxy.cfg, manifests of Kubernetes
(sysctls of pods), ssh_config, sshd_config. One file at a time: what a file includes is not followed.

An item is safe if it holds by every rule of `keepscope recommend`: in time in every phase of the timer, also where
one probe in a row is lost, and a dead peer noticed within --notice-within, if that is given.

Exit codes: 0 all that could be judged is safe, 1 something is unsafe, 2 wrong usage or a file that cannot be
read, 3 rights are missing to look where it was asked to, 4 nothing could be judged."
    )
}

/// What is judged, and for which path.
#[derive(Debug, Args)]
#[command(after_help = help(), after_long_help = help())]
pub(super) struct Arguments {
    #[command(flatten)]
    path: PathArguments,

    /// Files to judge, or - for standard input
    #[arg(value_name = "FILE")]
    #[cfg_attr(feature = "live", arg(required_unless_present = "listeners"))]
    #[cfg_attr(not(feature = "live"), arg(required = true))]
    files: Vec<PathBuf>,

    /// What kind of files they are [default: told by name or content]
    #[arg(long, value_enum)]
    kind: Option<KindArgument>,

    #[cfg(feature = "live")]
    #[command(flatten)]
    listeners: listeners::ListenerArguments,

    /// How to show the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindArgument {
    Sysctl,
    Postgresql,
    Redis,
    Nginx,
    Haproxy,
    Kubernetes,
    Ssh,
    Sshd,
}

impl KindArgument {
    fn kind(self) -> Kind {
        match self {
            KindArgument::Sysctl => Kind::Sysctl,
            KindArgument::Postgresql => Kind::Postgresql,
            KindArgument::Redis => Kind::Redis,
            KindArgument::Nginx => Kind::Nginx,
            KindArgument::Haproxy => Kind::Haproxy,
            KindArgument::Kubernetes => Kind::Kubernetes,
            KindArgument::Ssh => Kind::Ssh,
            KindArgument::Sshd => Kind::Sshd,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One document, schema keepscope.audit/1
    Json,
}

/// Judges and writes the judgements.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    let (path, judged) = match judge(arguments) {
        Ok(judged) => judged,
        Err((exit, problem)) => {
            complain(&format!("error: {problem}"));
            return Ok(exit);
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Text => judged.text(&mut out, &path)?,
        Format::Json => judged.json(&mut out, &path)?,
    }
    out.flush()?;
    let any = |verdict| judged.count(verdict) > 0;
    Ok(match (any(Verdict::Unsafe), any(Verdict::Safe)) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Done,
        (false, false) => Exit::Inconclusive,
    })
}

fn judge(arguments: &Arguments) -> Result<(Path, Judged), (Exit, String)> {
    let wrong = |problem| (Exit::BadInput, problem);
    let dashes = arguments.files.iter().filter(|file| file.as_os_str() == "-").count();
    if dashes + usize::from(arguments.path.reads_stdin()) > 1 {
        return Err(wrong("standard input can be read once".to_owned()));
    }
    let (path, wish) = arguments.path.wish().map_err(wrong)?;
    let items = items(arguments, &path, &wish).map_err(wrong)?;
    #[cfg(feature = "live")]
    let listeners = arguments.listeners.judge(&path, &wish).map_err(|refused| (refused.0, refused.1))?;
    #[cfg(not(feature = "live"))]
    let listeners = None;
    Ok((path, Judged { items, listeners }))
}

fn items(arguments: &Arguments, path: &Path, wish: &Wish) -> Result<Vec<Judgement>, String> {
    let auditor = Auditor::new(path.clone(), wish.clone());
    let mut auditor = auditor.ok_or("too little is known of this stack to simulate it")?;
    for file in &arguments.files {
        let (name, text) = (shown(file), read(file)?);
        let kind = arguments.kind.map(KindArgument::kind).or_else(|| Kind::recognise(&name, &text));
        let kind = kind.ok_or_else(|| {
            let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            format!("{name}: cannot tell what this is; say --kind {}", names.join(", "))
        })?;
        auditor.take(&name, kind, &text).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(auditor.judge())
}
