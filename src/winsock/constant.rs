//! Numbers of the Windows headers, under their Windows names.
//!
//! Owns nothing else and uses nothing. Where a header spells a number as a macro, this is its value.

/// Level of the options of sockets in general.
pub const SOL_SOCKET: i32 = 0xffff;
/// Level of the options of IPv4.
pub const IPPROTO_IP: i32 = 0;
/// Level of the options of TCP.
pub const IPPROTO_TCP: i32 = 6;
/// Level of the options of UDP.
pub const IPPROTO_UDP: i32 = 17;
/// Level of the options of IPv6.
pub const IPPROTO_IPV6: i32 = 41;

/// Turns keepalives on or off, at [`SOL_SOCKET`].
pub const SO_KEEPALIVE: i32 = 0x0008;
/// Gives a socket connected by `ConnectEx` the options set before, at [`SOL_SOCKET`].
pub const SO_UPDATE_CONNECT_CONTEXT: i32 = 0x7010;

/// Idle time in seconds, at [`IPPROTO_TCP`]; from Windows 10 version 1709.
pub const TCP_KEEPIDLE: i32 = 3;
/// Number of probes, at [`IPPROTO_TCP`]; from Windows 10 version 1703.
pub const TCP_KEEPCNT: i32 = 16;
/// Interval in seconds, at [`IPPROTO_TCP`]; from Windows 10 version 1709.
pub const TCP_KEEPINTVL: i32 = 17;

/// Code for `WSAIoctl` that sets idle time and interval of one connection: `_WSAIOW(IOC_VENDOR, 4)`.
pub const SIO_KEEPALIVE_VALS: u32 = 0x9800_0004;

/// What a call returns that failed.
pub const SOCKET_ERROR: i32 = -1;
/// What `socket` and `accept` return when they fail.
pub const INVALID_SOCKET: u64 = u64::MAX;

/// Idle time without registry entry, in milliseconds: 2 hours.
pub const DEFAULT_KEEPALIVE_TIME: u32 = 7_200_000;
/// Interval without registry entry, in milliseconds: 1 second.
pub const DEFAULT_KEEPALIVE_INTERVAL: u32 = 1_000;
/// Probes on Windows Vista and later.
pub const KEEPALIVE_PROBES: u8 = 10;
/// Probes on Windows Server 2003, XP and 2000 without registry entry.
pub const KEEPALIVE_PROBES_BEFORE_VISTA: u8 = 5;

/// Octets of a DWORD, the smallest buffer of an option.
pub const DWORD_SIZE: usize = size_of::<u32>();
