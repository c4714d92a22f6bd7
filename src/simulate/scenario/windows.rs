//! Windows hosts in a scenario: which Windows, what its registry holds, and the calls that an application makes.
//!
//! Owns [`Windows`]. What each call does is [`crate::winsock`]'s.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::problem::Wrong;
use super::text::{Word, Words, optional_span, read_from_text};
use crate::simulate::windows::{WindowsCall, WindowsSpec};
use crate::stack::nearest;
use crate::time::Span;
use crate::winsock::{
    IPPROTO_TCP, Registry, RegistryEntry, SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL,
    TcpKeepalive, WindowsVersion, WsaError,
};

/// A Windows system and what an application on it asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// Which Windows.
    pub version: Version,
    /// Entries below `Tcpip\Parameters`, by name; DWORDs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registry: BTreeMap<String, u32>,
    /// What the application calls on its socket, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
}

/// A version of Windows, by its short name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub WindowsVersion);

impl std::str::FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Version).map_err(|_| {
            let names = || WindowsVersion::ALL.iter().map(|version| version.name());
            match nearest(text, names()) {
                Some(near) => format!("there is no Windows {text:?}; did you mean {near}?"),
                None => format!(
                    "there is no Windows {text:?}; there are {}",
                    names().collect::<Vec<_>>().join(", ")
                ),
            }
        })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

read_from_text!(Version, "a version of Windows like \"10-1709\", \"2022\" or \"xp\"");

/// A call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// What is called: an option to be set, or `SIO_KEEPALIVE_VALS`.
    pub call: Word<Called>,
    /// The value of the option: 0 or 1, seconds, or a number of probes.
    pub value: Option<u32>,
    /// `SIO_KEEPALIVE_VALS`: 0 turns keepalives off, anything else on.
    pub onoff: Option<u32>,
    /// `SIO_KEEPALIVE_VALS`: idle time in milliseconds.
    pub keepalivetime: Option<u32>,
    /// `SIO_KEEPALIVE_VALS`: interval in milliseconds.
    pub keepaliveinterval: Option<u32>,
    /// When it is called, since the start; before the connection is opened where nothing is said.
    #[serde(default, with = "optional_span")]
    pub at: Option<Span>,
    /// The error that is expected of it; without, it is expected to succeed.
    pub error: Option<Word<WsaError>>,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// `setsockopt`, level `SOL_SOCKET`.
    SoKeepalive,
    /// `setsockopt`, level `IPPROTO_TCP`, in seconds.
    TcpKeepidle,
    /// `setsockopt`, level `IPPROTO_TCP`, in seconds.
    TcpKeepintvl,
    /// `setsockopt`, level `IPPROTO_TCP`.
    TcpKeepcnt,
    /// `WSAIoctl`.
    SioKeepaliveVals,
}

impl Words for Called {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("SO_KEEPALIVE", Called::SoKeepalive),
        ("TCP_KEEPIDLE", Called::TcpKeepidle),
        ("TCP_KEEPINTVL", Called::TcpKeepintvl),
        ("TCP_KEEPCNT", Called::TcpKeepcnt),
        ("SIO_KEEPALIVE_VALS", Called::SioKeepaliveVals),
    ];
}

impl Words for WsaError {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("WSAEFAULT", WsaError::Fault),
        ("WSAEINVAL", WsaError::Inval),
        ("WSAEINPROGRESS", WsaError::InProgress),
        ("WSAENETDOWN", WsaError::NetDown),
        ("WSAENOPROTOOPT", WsaError::NoProtoOpt),
        ("WSAENOTSOCK", WsaError::NotSock),
        ("WSAEOPNOTSUPP", WsaError::OpNotSupp),
        ("WSAENETRESET", WsaError::NetReset),
        ("WSAENOTCONN", WsaError::NotConn),
        ("WSANOTINITIALISED", WsaError::NotInitialised),
    ];
}

impl Windows {
    /// The row of the table of stacks that it is.
    pub(super) fn stack(&self) -> &'static str {
        if !self.version.0.is_vista_or_later() {
            "windows-2003"
        } else if !self.version.0.has_tcp_keepcnt() {
            "windows-vista"
        } else {
            "windows-10-1709"
        }
    }

    /// What is wrong with it.
    pub(super) fn check(&self, key: &str) -> Result<(), Wrong> {
        for name in self.registry.keys() {
            if RegistryEntry::from_name(name).is_none() {
                let known = || RegistryEntry::ALL.iter().map(|entry| entry.name());
                let meant = nearest(name, known()).map_or_else(
                    || format!("there are {}", known().collect::<Vec<_>>().join(", ")),
                    |near| format!("did you mean {near}?"),
                );
                return Err(Wrong::new(format!("{key}.registry.{name}"), format!("no such entry; {meant}")));
            }
        }
        for (index, call) in self.calls.iter().enumerate() {
            call.check(&format!("{key}.calls.{index}"))?;
        }
        Ok(())
    }

    /// The system for the simulator.
    pub(super) fn spec(&self) -> WindowsSpec {
        let mut registry = Registry::new();
        for (name, value) in &self.registry {
            if let Some(entry) = RegistryEntry::from_name(name) {
                registry.set_dword(entry, *value);
            }
        }
        WindowsSpec { version: self.version.0, registry }
    }
}

impl Call {
    fn check(&self, key: &str) -> Result<(), Wrong> {
        let vals = [
            ("onoff", self.onoff),
            ("keepalivetime", self.keepalivetime),
            ("keepaliveinterval", self.keepaliveinterval),
        ];
        if self.call.0 == Called::SioKeepaliveVals {
            if self.value.is_some() {
                return Err(Wrong::new(
                    format!("{key}.value"),
                    "SIO_KEEPALIVE_VALS takes onoff, keepalivetime and keepaliveinterval",
                ));
            }
            return match vals.iter().find(|(_, value)| value.is_none()) {
                Some((name, _)) => Err(Wrong::new(key, format!("{name} is missing"))),
                None => Ok(()),
            };
        }
        if let Some((name, _)) = vals.iter().find(|(_, value)| value.is_some()) {
            return Err(Wrong::new(format!("{key}.{name}"), "only SIO_KEEPALIVE_VALS takes it"));
        }
        match self.value {
            Some(_) => Ok(()),
            None => Err(Wrong::new(key, "value is missing")),
        }
    }

    /// The call for the simulator.
    pub(super) fn spec(&self) -> WindowsCall {
        let (level, name) = match self.call.0 {
            Called::SoKeepalive => (SOL_SOCKET, SO_KEEPALIVE),
            Called::TcpKeepidle => (IPPROTO_TCP, TCP_KEEPIDLE),
            Called::TcpKeepintvl => (IPPROTO_TCP, TCP_KEEPINTVL),
            Called::TcpKeepcnt => (IPPROTO_TCP, TCP_KEEPCNT),
            Called::SioKeepaliveVals => {
                return WindowsCall::KeepaliveVals(TcpKeepalive {
                    onoff: self.onoff.unwrap_or(0),
                    keepalivetime: self.keepalivetime.unwrap_or(0),
                    keepaliveinterval: self.keepaliveinterval.unwrap_or(0),
                });
            }
        };
        WindowsCall::SetOption { level, name, value: self.value.unwrap_or(0) }
    }
}
