//! What Winsock calls fail with.
//!
//! Owns the error codes and what a C caller would get as return value. Uses the constants.

use super::constant::SOCKET_ERROR;

macro_rules! errors {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)*) => {
        /// An error of Winsock. Its number is the one that `WSAGetLastError` returns.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        #[non_exhaustive]
        pub enum WsaError {
            $($(#[$doc])* $variant = $code,)*
        }

        impl WsaError {
            /// All of them, by number.
            pub const ALL: &[WsaError] = &[$(WsaError::$variant),*];

            /// Its Windows name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(WsaError::$variant => $name,)*
                }
            }
        }
    };
}

errors! {
    /// An overlapped operation has begun and will complete later. Not a failure.
    IoPending = 997, "WSA_IO_PENDING";
    /// A pointer or length does not describe memory of the process, or too little of it.
    Fault = 10014, "WSAEFAULT";
    /// An argument is not valid, or the socket is in transition.
    Inval = 10022, "WSAEINVAL";
    /// A non-blocking connect has begun and will complete later. Not a failure.
    WouldBlock = 10035, "WSAEWOULDBLOCK";
    /// A blocking call of Winsock 1.1, or a callback, is in progress.
    InProgress = 10036, "WSAEINPROGRESS";
    /// A connect is already under way on this socket.
    Already = 10037, "WSAEALREADY";
    /// The handle is not a socket.
    NotSock = 10038, "WSAENOTSOCK";
    /// The option is unknown, or the protocol does not have it.
    NoProtoOpt = 10042, "WSAENOPROTOOPT";
    /// The call is not possible on this kind of socket, or not on this system.
    OpNotSupp = 10045, "WSAEOPNOTSUPP";
    /// The network subsystem has failed.
    NetDown = 10050, "WSAENETDOWN";
    /// No route to the network.
    NetUnreach = 10051, "WSAENETUNREACH";
    /// The connection was given up because keepalives went unanswered.
    NetReset = 10052, "WSAENETRESET";
    /// The connection was reset by the peer.
    ConnReset = 10054, "WSAECONNRESET";
    /// The socket is already connected.
    IsConn = 10056, "WSAEISCONN";
    /// The socket is not connected.
    NotConn = 10057, "WSAENOTCONN";
    /// No answer within the time allowed.
    TimedOut = 10060, "WSAETIMEDOUT";
    /// The peer refused the connection.
    ConnRefused = 10061, "WSAECONNREFUSED";
    /// No route to the host.
    HostUnreach = 10065, "WSAEHOSTUNREACH";
    /// The network subsystem is not ready (only from `WSAStartup`).
    SysNotReady = 10091, "WSASYSNOTREADY";
    /// The version of Winsock that was asked for does not exist here (only from `WSAStartup`).
    VerNotSupported = 10092, "WSAVERNOTSUPPORTED";
    /// No successful `WSAStartup` came before.
    NotInitialised = 10093, "WSANOTINITIALISED";
}

impl WsaError {
    /// Its number.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The error with this number.
    pub fn from_code(code: i32) -> Option<WsaError> {
        WsaError::ALL.iter().copied().find(|error| error.code() == code)
    }
}

impl std::fmt::Display for WsaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name(), self.code())
    }
}

impl std::error::Error for WsaError {}

/// What a Winsock call comes to.
pub type WsaResult<T = ()> = Result<T, WsaError>;

/// What a caller in C gets from a call with this result: 0, or `SOCKET_ERROR`.
pub const fn returned<T>(result: &WsaResult<T>) -> i32 {
    match result {
        Ok(_) => 0,
        Err(_) => SOCKET_ERROR,
    }
}
