//! Which processes hold a socket, and whether they still do.
//!
//! Owns [`Holders`], [`Holder`], [`InForce`] and [`NotTold`]. Sockets are found by their inode among the descriptors of all processes
//! that may be looked at; of others nothing is known. A holder is watched by a pidfd, which takes no rights once it is
//! open. The kernel's tables do not tell the settings of a socket; a duplicate of its descriptor (pidfd_getfd(2)) does.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use caps::{CapSet, Capability};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::live::privilege;
use crate::printable::printable;
use crate::time::Span;

/// A process that has the socket among its descriptors.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its name (/proc/PID/comm), without control characters.
    pub name: String,
    /// The number of the descriptor there.
    descriptor: i32,
    watch: Option<Arc<OwnedFd>>,
}

/// Keepalive options of a socket (tcp(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InForce {
    /// SO_KEEPALIVE.
    pub on: bool,
    /// TCP_KEEPIDLE, its own or the system's.
    pub idle: Span,
    /// TCP_KEEPINTVL, likewise.
    pub interval: Span,
    /// TCP_KEEPCNT, likewise.
    pub count: u32,
    /// TCP_USER_TIMEOUT; zero for none.
    pub user_timeout: Span,
}

impl Holder {
    /// Whether it ended since it was found. Never true where the system (before Linux 5.3) cannot say so.
    pub fn has_ended(&self) -> bool {
        let Some(watch) = &self.watch else { return false };
        let mut fds = [PollFd::new(watch, PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    /// How to get CAP_SYS_PTRACE.
    pub fn remedy() -> String {
        privilege::remedy(Capability::CAP_SYS_PTRACE)
    }

    /// The options of the socket of that inode, read from a duplicate that is closed at once. The process goes on
    /// undisturbed; it takes the right to trace it (ptrace(2)), as a debugger has.
    ///
    /// # Errors
    /// If that is not allowed, or the descriptor is no longer this socket.
    pub fn in_force(&self, inode: u32) -> io::Result<InForce> {
        let watch = self.watch.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        let socket = File::from(pidfd_getfd(watch, self.descriptor, PidfdGetfdFlags::empty())?);
        if socket.metadata()?.ino() != u64::from(inode) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let span =
            |time: std::time::Duration| Span::from_secs(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
        Ok(InForce {
            on: sockopt::socket_keepalive(&socket)?,
            idle: span(sockopt::tcp_keepidle(&socket)?),
            interval: span(sockopt::tcp_keepintvl(&socket)?),
            count: sockopt::tcp_keepcnt(&socket)?,
            user_timeout: Span::from_millis(i64::from(sockopt::tcp_user_timeout(&socket)?)),
        })
    }
}

/// Why the options of a socket are not told.
#[derive(Debug, thiserror::Error)]
pub enum NotTold {
    /// Nobody holds it among the processes that may be looked at, which are not all; how to look at all.
    #[error("its process is not told; looking at all takes CAP_SYS_PTRACE: {0}")]
    Nobody(String),
    /// All may be looked at, and none holds it.
    #[error("no process here holds it: it is the kernel's own, or of another PID namespace")]
    Kernel,
    /// The process may not be traced; how to be allowed to.
    #[error("a duplicate of the socket of process {0} takes CAP_SYS_PTRACE: {1}")]
    Denied(u32, String),
    /// Nobody may trace anybody (Documentation/admin-guide/LSM/Yama.rst).
    #[error("kernel.yama.ptrace_scope = 3 keeps everybody from duplicates until the next boot")]
    Forbidden,
    /// The kernel hands out no duplicates.
    #[error("this kernel knows no pidfd_getfd; Linux 5.6 does")]
    Old,
    /// The process closed it, or ended.
    #[error("its process closed it meanwhile")]
    Gone,
    /// A system call failed.
    #[error("a duplicate of the socket: {0}")]
    System(io::Error),
}

impl NotTold {
    fn of(error: io::Error, pid: u32) -> Self {
        let yama = || fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
        match (error.kind(), error.raw_os_error()) {
            (io::ErrorKind::PermissionDenied, _) if yama().trim() == "3" => NotTold::Forbidden,
            (io::ErrorKind::PermissionDenied, _) => NotTold::Denied(pid, remedy()),
            (io::ErrorKind::Unsupported, _) | (_, Some(libc::ENOSYS)) => NotTold::Old,
            (io::ErrorKind::NotFound, _) | (_, Some(libc::EBADF | libc::ESRCH)) => NotTold::Gone,
            _ => NotTold::System(error),
        }
    }
}

/// How to get CAP_SYS_PTRACE.
pub fn remedy() -> String {
    privilege::remedy(Capability::CAP_SYS_PTRACE)
}

/// The options of the socket of that inode, from the first of its holders that may be asked.
///
/// # Errors
/// If none of them tells.
pub fn options(holders: &[Holder], inode: u32) -> Result<InForce, NotTold> {
    let all_seen = || caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_PTRACE).unwrap_or(false);
    let mut first = None;
    for holder in holders {
        match holder.in_force(inode) {
            Ok(found) => return Ok(found),
            Err(error) => first = first.or(Some(NotTold::of(error, holder.pid))),
        }
    }
    Err(first.unwrap_or_else(|| if all_seen() { NotTold::Kernel } else { NotTold::Nobody(remedy()) }))
}

/// Who holds which socket.
#[derive(Clone, Debug, Default)]
pub struct Holders(HashMap<u32, Vec<Holder>>);

impl Holders {
    /// Of all sockets of all processes that may be looked at.
    ///
    /// # Errors
    /// If there is no /proc.
    pub fn find() -> io::Result<Self> {
        let mut holders = Holders::default();
        for entry in fs::read_dir("/proc")? {
            // Processes come and go meanwhile.
            if let Some(pid) = entry.ok().and_then(|entry| entry.file_name().to_str()?.parse().ok()) {
                let _ = holders.add(pid);
            }
        }
        Ok(holders)
    }

    /// Of one process only.
    ///
    /// # Errors
    /// If there is none, or its descriptors may not be looked at.
    pub fn of(pid: u32) -> io::Result<Self> {
        let mut holders = Holders::default();
        holders.add(pid)?;
        Ok(holders)
    }

    /// Those of one socket.
    pub fn get(&self, inode: u32) -> &[Holder] {
        self.0.get(&inode).map(Vec::as_slice).unwrap_or_default()
    }

    fn add(&mut self, pid: u32) -> io::Result<()> {
        let mut holder: Option<Holder> = None;
        for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
            let Ok(entry) = entry else { continue };
            let descriptor = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let inode = fs::read_link(entry.path()).ok().and_then(|target| inode(&target));
            let (Some(descriptor), Some(inode)) = (descriptor, inode) else { continue };
            let holder = holder.get_or_insert_with(|| Holder::new(pid));
            let all = self.0.entry(inode).or_default();
            if all.iter().all(|other| other.pid != pid) {
                all.push(Holder { descriptor, ..holder.clone() });
            }
        }
        Ok(())
    }
}

impl Holder {
    fn new(pid: u32) -> Self {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let name = printable(name.trim_end(), '?').into_owned();
        let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let watch = id.and_then(|id| pidfd_open(id, PidfdFlags::empty()).ok()).map(Arc::new);
        Self { pid, name, descriptor: -1, watch }
    }
}

/// Of the target of a link in /proc/PID/fd: `socket:[4711]`.
fn inode(target: &std::path::Path) -> Option<u32> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_socket_of_our_own_is_found() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        let inode = inode(&link).unwrap();
        let holders = Holders::find().unwrap();
        let pids: Vec<u32> = holders.get(inode).iter().map(|holder| holder.pid).collect();
        assert!(pids.contains(&std::process::id()), "{pids:?}");
        assert!(!holders.get(inode)[0].has_ended());
    }

    #[test]
    fn the_end_of_a_holder_is_seen() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let holder = Holder::new(child.id());
        assert!(!holder.has_ended());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(holder.has_ended());
        assert!(Holders::of(child.id()).is_err());
    }
}
