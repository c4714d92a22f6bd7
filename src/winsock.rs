//! The `SO_KEEPALIVE` socket option as Windows defines it, as a value that can be asked.
//!
//! Owns a model of one process on one Windows system: version, registry, network, sockets and the Winsock
//! calls that touch keepalives, each with the code that `WSAGetLastError` would give. Pure: no socket is
//! opened and no clock is read. Uses [`crate::time`].
//!
//! ```text
//! Host ── version, registry ─┐
//!  └ on(thread) ─ Caller ────┼─ check     does the call fail, and with which code
//!                            ├─ option    which options there are, and where
//!                            ├─ socket    what state a socket is in
//!                            ├─ setting   what is set ─── Effective: what a keepalive machine runs on
//!                            └─ doubt     how sure that is
//! ```
//!
//! What Microsoft documents was read from these pages (names as published): "SO_KEEPALIVE socket option",
//! "SIO_KEEPALIVE_VALS Control Code", "IPPROTO_TCP socket options", "setsockopt function", "getsockopt
//! function", "accept function", "WSAStartup function", "WSAIoctl function", "ConnectEx" (LPFN_CONNECTEX), and
//! the registry reference of Windows 2000 and Windows Server 2003 for KeepAliveTime, KeepAliveInterval,
//! TcpMaxDataRetransmissions and PPTPTcpMaxDataRetransmissions. Where they are silent the model still has to
//! do something; every such choice is an [`Unverified`] point, so that nobody takes it for a fact.
//!
//! ```
//! use keepscope::winsock::*;
//!
//! let mut host = Host::new(WindowsVersion::Windows7);
//! let mut caller = host.on(ThreadId(1));
//! caller.wsa_startup(WinsockVersion::V2_2).unwrap();
//! let socket = caller.socket(SocketKind::Tcp).unwrap();
//! let on = 1u32.to_le_bytes();
//! caller.setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, Memory::Valid(&on), 4).unwrap();
//! caller.connect(socket, ConnectFunction::Connect, Connecting::Pending).unwrap_err();
//! let refused = caller.setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, Memory::Valid(&on), 4);
//! assert_eq!(refused, Err(WsaError::Inval));
//! assert_eq!((returned(&refused), caller.wsa_get_last_error()), (SOCKET_ERROR, 10022));
//! ```

mod call;
mod check;
mod constant;
mod doubt;
mod error;
mod host;
mod memory;
mod option;
mod registry;
mod setting;
mod socket;
mod tcp_keepalive;
mod unverified;
mod version;

pub use self::call::{Caller, Connecting, Ioctl};
pub use self::check::{Check, PRECEDENCE};
pub use self::constant::*;
pub use self::error::{WsaError, WsaResult, returned};
pub use self::host::{Host, InProgress, ThreadId, WinsockVersion};
pub use self::memory::Memory;
pub use self::registry::{Registry, RegistryEntry, RegistryValue};
pub use self::setting::{Effective, Origin, Setting};
pub use self::socket::{ConnectFunction, Loss, SocketHandle, SocketKind, SocketState};
pub use self::tcp_keepalive::TcpKeepalive;
pub use self::unverified::Unverified;
pub use self::version::{UnknownVersion, WindowsVersion};
