//! `keepscope audit --listeners`: the sockets of this host that listen, judged by the same rules.

use clap::Args;

use crate::advice::Wish;
use crate::advice::audit::Auditor;
use crate::advice::listener::{Accepted, Listener, Options};
use crate::advice::path::Path;
use crate::cli::sockets::{self, Refused};
use crate::live::check::accepted::by_listener;
use crate::live::check::diag::Connection;
use crate::live::check::owner::{self, Holder, Holders};
use crate::live::check::table::Table;
use crate::live::doctor;
use crate::live::netns::NetNs;
use crate::report::audit::Listeners;

/// Which listeners.
#[derive(Debug, Args)]
pub(super) struct ListenerArguments {
    /// Judge the TCP sockets that listen on this host: what connections inherit from them, and connections that they
    /// accepted, whose program may have set something else. Reading their options takes the right to trace their
    /// processes (CAP_SYS_PTRACE); nothing is sent, and nothing is set
    #[arg(long)]
    pub(super) listeners: bool,

    /// Only listeners of this process; looks in its network namespace, unless --netns says another
    #[arg(long, value_name = "PID", requires = "listeners", value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,

    /// Only listeners at this port
    #[arg(long, value_name = "PORT", requires = "listeners", value_parser = clap::value_parser!(u16).range(1..))]
    port: Vec<u16>,

    /// Network namespace to look for listeners in: a name of `ip netns`, or a process id
    #[arg(long, value_name = "NAME|PID", requires = "listeners")]
    netns: Option<NetNs>,
}

impl ListenerArguments {
    fn wants(&self, one: &Connection) -> bool {
        self.port.is_empty() || self.port.contains(&one.local.port)
    }

    /// Finds the listeners, and judges them; nothing if they were not asked for.
    pub(super) fn judge(&self, path: &Path, wish: &Wish) -> Result<Option<Listeners>, Refused> {
        if !self.listeners {
            return Ok(None);
        }
        if wish.stack.name != "linux" {
            let stack = wish.stack.name;
            return Err(Refused::usage(format!(
                "--listeners: they run on this host's Linux, not on {stack}"
            )));
        }
        // This is the kernel whose timers count.
        let wish = Wish { hz: wish.hz.or_else(doctor::hz), ..wish.clone() };
        let mut auditor = Auditor::new(path.clone(), wish)
            .ok_or_else(|| Refused::usage("too little is known of this stack to simulate it"))?;
        let netns = sockets::enter(self.netns.as_ref(), self.pid)?.map(|netns| netns.to_string());
        let (found, loopback) = self.find()?;
        let judged = found.into_iter().map(|one| auditor.listener(one)).collect();
        Ok(Some(Listeners { netns, judged, loopback }))
    }

    /// Those that are wanted, and how many were left out because no path leads to them.
    fn find(&self) -> Result<(Vec<Listener>, usize), Refused> {
        let mut table = Table::open().map_err(Refused::usage)?;
        let mut listening = table.listening().map_err(Refused::usage)?;
        listening.sort_by_key(|one| (one.local.port, one.local));
        let established = table.established().map_err(Refused::usage)?;
        let holders = sockets::holders(None)?;
        // Asked for by itself, so that what it lacks is said.
        let theirs = self.pid.map(|pid| sockets::holders(Some(pid))).transpose()?;
        let accepted = by_listener(&listening, &established, |one, other| share(&holders, one, other));
        let mut accepted = accepted.into_iter();
        let mut found = Vec::new();
        let mut loopback = 0;
        for listener in &listening {
            let accepted = accepted.next().unwrap_or_default();
            let is_theirs = theirs.as_ref().is_none_or(|theirs| !theirs.get(listener.inode).is_empty());
            if !self.wants(listener) || !is_theirs {
                continue;
            }
            if self.port.is_empty() && self.pid.is_none() && listener.local.address.is_loopback() {
                loopback += 1;
                continue;
            }
            let accepted = accepted.into_iter().filter_map(|place| established.get(place));
            let accepted = accepted.map(|one| of_connection(one, holders.get(one.inode))).collect();
            found.push(of_listener(listener, holders.get(listener.inode), accepted));
        }
        if found.is_empty() && (self.pid.is_some() || !self.port.is_empty()) {
            return Err(Refused::usage("--listeners: there is no such listener"));
        }
        Ok((found, loopback))
    }
}

/// Whether some process holds both sockets.
fn share(holders: &Holders, one: u32, other: u32) -> bool {
    let others = holders.get(other);
    holders.get(one).iter().any(|holder| others.iter().any(|other| other.pid == holder.pid))
}

fn of_listener(listener: &Connection, holders: &[Holder], accepted: Vec<Accepted>) -> Listener {
    let options = owner::options(holders, listener.inode);
    Listener {
        local: listener.local,
        uid: listener.uid,
        processes: holders.iter().map(|holder| (holder.pid, holder.name.clone())).collect(),
        options: options
            .map(|set| Options { on: set.on, settings: sockets::settings(set) })
            .map_err(|why| why.to_string()),
        accepted,
    }
}

fn of_connection(connection: &Connection, holders: &[Holder]) -> Accepted {
    let in_force = owner::options(holders, connection.inode).ok();
    Accepted {
        local: connection.local,
        remote: connection.remote,
        process: holders.first().map(|holder| (holder.pid, holder.name.clone())),
        state: sockets::state(in_force, connection.timer),
        silent: connection.info.map(|info| info.silence()),
    }
}
