//! The part of the registry that concerns keepalives.
//!
//! Owns the entries below [`Registry::KEY`] and what an absent or unusable one means. Uses the constants.

use std::collections::BTreeMap;

use super::constant::{DEFAULT_KEEPALIVE_INTERVAL, DEFAULT_KEEPALIVE_TIME, KEEPALIVE_PROBES_BEFORE_VISTA};

/// An entry that concerns keepalives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegistryEntry {
    /// Idle time in milliseconds.
    KeepAliveTime,
    /// Interval in milliseconds.
    KeepAliveInterval,
    /// Retransmissions of data, and probes before Vista.
    TcpMaxDataRetransmissions,
    /// The same for PPTP.
    PptpTcpMaxDataRetransmissions,
}

impl RegistryEntry {
    /// All of them.
    pub const ALL: [RegistryEntry; 4] = [
        RegistryEntry::KeepAliveTime,
        RegistryEntry::KeepAliveInterval,
        RegistryEntry::TcpMaxDataRetransmissions,
        RegistryEntry::PptpTcpMaxDataRetransmissions,
    ];

    /// Its name in the registry.
    pub const fn name(self) -> &'static str {
        match self {
            RegistryEntry::KeepAliveTime => "KeepAliveTime",
            RegistryEntry::KeepAliveInterval => "KeepAliveInterval",
            RegistryEntry::TcpMaxDataRetransmissions => "TcpMaxDataRetransmissions",
            RegistryEntry::PptpTcpMaxDataRetransmissions => "PPTPTcpMaxDataRetransmissions",
        }
    }

    /// The entry with this name, in any case, as the registry compares them.
    pub fn from_name(name: &str) -> Option<RegistryEntry> {
        RegistryEntry::ALL.into_iter().find(|entry| entry.name().eq_ignore_ascii_case(name))
    }

    /// The smallest value that the registry reference allows.
    const fn smallest(self) -> u32 {
        match self {
            RegistryEntry::KeepAliveTime | RegistryEntry::KeepAliveInterval => 1,
            RegistryEntry::TcpMaxDataRetransmissions | RegistryEntry::PptpTcpMaxDataRetransmissions => 0,
        }
    }

    /// What holds when the entry is not there.
    pub const fn default_value(self) -> u32 {
        match self {
            RegistryEntry::KeepAliveTime => DEFAULT_KEEPALIVE_TIME,
            RegistryEntry::KeepAliveInterval => DEFAULT_KEEPALIVE_INTERVAL,
            RegistryEntry::TcpMaxDataRetransmissions | RegistryEntry::PptpTcpMaxDataRetransmissions => {
                KEEPALIVE_PROBES_BEFORE_VISTA as u32
            }
        }
    }
}

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegistryValue {
    /// `REG_DWORD`, the type these entries have.
    Dword(u32),
    /// Any other type.
    Other,
}

/// The entries that somebody has set.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Registry {
    entries: BTreeMap<RegistryEntry, RegistryValue>,
}

impl Registry {
    /// Where the entries are.
    pub const KEY: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";

    /// A registry as Windows is installed: none of the entries is there.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an entry.
    pub fn set(&mut self, entry: RegistryEntry, value: RegistryValue) {
        self.entries.insert(entry, value);
    }

    /// Sets an entry to a `REG_DWORD`.
    pub fn set_dword(&mut self, entry: RegistryEntry, value: u32) {
        self.set(entry, RegistryValue::Dword(value));
    }

    /// Removes an entry.
    pub fn remove(&mut self, entry: RegistryEntry) {
        self.entries.remove(&entry);
    }

    /// What an entry holds, if it is there.
    pub fn get(&self, entry: RegistryEntry) -> Option<RegistryValue> {
        self.entries.get(&entry).copied()
    }

    /// The value of an entry that is there, has the right type and lies in its range.
    pub(super) fn usable(&self, entry: RegistryEntry) -> Option<u32> {
        match self.get(entry) {
            Some(RegistryValue::Dword(value)) if value >= entry.smallest() => Some(value),
            _ => None,
        }
    }
}
