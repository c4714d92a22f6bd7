//! Network namespaces: to listen and send where a container or a test does.
//!
//! Owns [`NetNs`]. Uses [`super::privilege`] for what to do where rights are missing.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use caps::Capability;
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::privilege;

/// Where `ip netns add` puts names.
const NAMES: &str = "/run/netns";

/// A network namespace: of a name (`ip netns`) or of a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NetNs {
    /// As `ip netns list` shows it.
    Name(String),
    /// The one in which a process is.
    Process(u32),
}

/// Why a namespace could not be entered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetNsError {
    /// There is no namespace of this name.
    #[error("there is no network namespace {0} (ip netns list shows them)")]
    NoName(String),
    /// There is no such process.
    #[error("there is no process {0}")]
    NoProcess(u32),
    /// A capability is missing: CAP_SYS_PTRACE to ask somebody else's process for its namespace, CAP_SYS_ADMIN to
    /// enter one.
    #[error("entering the network namespace {namespace} needs {capability}: {remedy}")]
    Denied {
        /// The namespace.
        namespace: String,
        /// What is missing.
        capability: Capability,
        /// How to get it.
        remedy: String,
    },
    /// Something else is in the place of the namespace.
    #[error("{} is no network namespace", .0.display())]
    NoNamespace(PathBuf),
    /// The system refused.
    #[error("cannot enter the network namespace {name}: {error}")]
    System {
        /// The namespace.
        name: String,
        /// What the system said.
        error: io::Error,
    },
}

impl std::fmt::Display for NetNs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NetNs::Name(name) => f.write_str(name),
            NetNs::Process(id) => write!(f, "of process {id}"),
        }
    }
}

impl std::str::FromStr for NetNs {
    type Err = String;

    /// A number is a process, as for `nsenter` and `ip link set netns`; everything else is a name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(id) = text.parse() {
            return Ok(NetNs::Process(id));
        }
        if text.is_empty() || text == "." || text == ".." || text.contains('/') {
            return Err("give the name of a network namespace (ip netns list), or a process id".to_owned());
        }
        Ok(NetNs::Name(text.to_owned()))
    }
}

impl NetNs {
    fn path(&self) -> PathBuf {
        match self {
            NetNs::Name(name) => PathBuf::from(NAMES).join(name),
            NetNs::Process(id) => PathBuf::from(format!("/proc/{id}/ns/net")),
        }
    }

    /// Moves the calling thread into it. What was opened before stays where it is.
    ///
    /// # Errors
    /// If there is none, or rights are missing.
    pub fn enter(&self) -> Result<(), NetNsError> {
        let path = self.path();
        let namespace = File::open(&path).map_err(|error| self.cannot_open(error))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).map_err(|error| {
            match error {
                Errno::PERM => self.denied(Capability::CAP_SYS_ADMIN),
                Errno::INVAL => NetNsError::NoNamespace(path),
                other => NetNsError::System { name: self.to_string(), error: other.into() },
            }
        })
    }

    /// It takes a capability that this program does not have, or not where the namespace is.
    pub fn denied(&self, capability: Capability) -> NetNsError {
        NetNsError::Denied { namespace: self.to_string(), capability, remedy: privilege::remedy(capability) }
    }

    fn cannot_open(&self, error: io::Error) -> NetNsError {
        match (error.kind(), self) {
            (io::ErrorKind::NotFound, NetNs::Name(name)) => NetNsError::NoName(name.clone()),
            (io::ErrorKind::NotFound, NetNs::Process(id)) => NetNsError::NoProcess(*id),
            (io::ErrorKind::PermissionDenied, NetNs::Name(_)) => self.denied(Capability::CAP_SYS_ADMIN),
            (io::ErrorKind::PermissionDenied, NetNs::Process(_)) => self.denied(Capability::CAP_SYS_PTRACE),
            _ => NetNsError::System { name: self.to_string(), error },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_process_and_a_path_is_nothing() {
        assert_eq!("4711".parse(), Ok(NetNs::Process(4711)));
        assert_eq!("blue".parse(), Ok(NetNs::Name("blue".to_owned())));
        for bad in ["", ".", "..", "/proc/1/ns/net", "a/b"] {
            assert!(bad.parse::<NetNs>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        let missing = NetNs::Name("no-such-namespace".to_owned()).enter().unwrap_err();
        assert!(missing.to_string().contains("no-such-namespace"), "{missing}");
        let gone = NetNs::Process(u32::MAX).enter().unwrap_err();
        assert_eq!(gone.to_string(), format!("there is no process {}", u32::MAX));
    }
}
