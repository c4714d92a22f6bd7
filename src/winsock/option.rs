//! Which socket options there are.
//!
//! Owns where each option is found and which versions and sockets have it. Uses the constants, the versions and
//! the kinds of sockets.

use super::constant::*;
use super::socket::SocketKind;
use super::version::WindowsVersion;

/// An option that the model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KnownOption {
    Keepalive,
    UpdateConnectContext,
    KeepIdle,
    KeepIntvl,
    KeepCnt,
}

/// Whether an option is to be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Get,
    Set,
}

/// Whether options can be found at this level at all.
pub(super) const fn level_exists(level: i32) -> bool {
    matches!(level, SOL_SOCKET | IPPROTO_IP | IPPROTO_TCP | IPPROTO_UDP | IPPROTO_IPV6)
}

impl KnownOption {
    pub(super) const fn find(level: i32, name: i32) -> Option<KnownOption> {
        match (level, name) {
            (SOL_SOCKET, SO_KEEPALIVE) => Some(KnownOption::Keepalive),
            (SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT) => Some(KnownOption::UpdateConnectContext),
            (IPPROTO_TCP, TCP_KEEPIDLE) => Some(KnownOption::KeepIdle),
            (IPPROTO_TCP, TCP_KEEPINTVL) => Some(KnownOption::KeepIntvl),
            (IPPROTO_TCP, TCP_KEEPCNT) => Some(KnownOption::KeepCnt),
            _ => None,
        }
    }

    /// Whether this system has it for such a socket.
    pub(super) fn exists(self, version: WindowsVersion, kind: SocketKind, access: Access) -> bool {
        let is_tcp = kind == SocketKind::Tcp;
        match self {
            KnownOption::Keepalive => kind.has_so_keepalive(),
            KnownOption::UpdateConnectContext => {
                access == Access::Set && version.has_connect_ex() && kind.is_connection_oriented()
            }
            KnownOption::KeepIdle | KnownOption::KeepIntvl => is_tcp && version.has_tcp_keepidle(),
            KnownOption::KeepCnt => is_tcp && version.has_tcp_keepcnt(),
        }
    }

    /// Octets of its value.
    pub(super) const fn size(self) -> usize {
        match self {
            KnownOption::UpdateConnectContext => 0,
            _ => DWORD_SIZE,
        }
    }

    /// Whether a value can be set.
    pub(super) const fn accepts(self, value: u32) -> bool {
        match self {
            KnownOption::Keepalive | KnownOption::UpdateConnectContext => true,
            KnownOption::KeepIdle | KnownOption::KeepIntvl => value > 0,
            KnownOption::KeepCnt => value > 0 && value <= u8::MAX as u32,
        }
    }
}
