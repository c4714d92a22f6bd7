//! Whether a call fails, and with what.
//!
//! Owns the order in which errors take precedence. Uses the host, the options and the sockets.

use super::constant::SIO_KEEPALIVE_VALS;
use super::error::WsaError;
use super::host::{Host, ThreadId};
use super::option::{Access, KnownOption, level_exists};
use super::socket::{Loss, Socket, SocketHandle, SocketKind, SocketState};

/// Something that a call can fail at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// A successful `WSAStartup`: `WSANOTINITIALISED`.
    Startup,
    /// A network subsystem that works: `WSAENETDOWN`.
    Network,
    /// No blocking call of Winsock 1.1 and no callback in progress on this thread: `WSAEINPROGRESS`.
    Progress,
    /// A handle that is a socket: `WSAENOTSOCK`.
    Handle,
    /// Pointers and lengths that describe memory: `WSAEFAULT`.
    Memory,
    /// A level, or a control code, that exists: `WSAEINVAL`.
    Level,
    /// An option that exists at that level on this version for such a socket: `WSAENOPROTOOPT`.
    Option,
    /// A socket in a state in which it can be set: `WSAEINVAL` during a connect on Vista and later.
    State,
    /// A value in range: `WSAEINVAL`.
    Value,
}

/// The checks in the order in which they are made; the first that fails decides the error.
///
/// Windows documents no order ([`Unverified::Precedence`](super::Unverified::Precedence)). This one goes from
/// what the call needs to run at all to what it asks for, and every check needs the ones before it:
///
/// 1. Without `WSAStartup` there is no library state to look at.
/// 2. A failed network subsystem stops every call, so nothing of the call itself is looked at.
/// 3. So does a thread that is inside another call; it is known without looking at the arguments.
/// 4. The handle leads to the provider, which alone can judge the other arguments.
/// 5. Pointers are tried before what they point to is used.
/// 6. An option number means something only at a level that exists.
/// 7. An option must exist before it can be out of place.
/// 8. The state of the socket is asked by the transport, the last to be reached.
/// 9. The value is looked at by the one who would store it.
///
/// Where no reason speaks against it the order is the one in which the documents list the errors: that of 1,
/// 2, 3, 6 and 7. `WSAENOTSOCK`, which they list last, and `WSAEFAULT`, which they list before
/// `WSAEINPROGRESS`, stand where 4 and 5 put them.
pub const PRECEDENCE: [Check; 9] = [
    Check::Startup,
    Check::Network,
    Check::Progress,
    Check::Handle,
    Check::Memory,
    Check::Level,
    Check::Option,
    Check::State,
    Check::Value,
];

/// What a call asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    /// Anything that is judged by the socket alone.
    Plain,
    /// `getsockopt` or `setsockopt`.
    Option { access: Access, level: i32, name: i32 },
    /// `WSAIoctl`.
    Ioctl { code: u32 },
}

/// A call before it is carried out.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) host: &'a Host,
    pub(super) thread: ThreadId,
    /// The socket it is about, if it is about one.
    pub(super) handle: Option<SocketHandle>,
    pub(super) request: Request,
    pub(super) memory_is_good: bool,
    pub(super) value_is_good: bool,
}

impl<'a> Call<'a> {
    /// A call without anything that could be wrong in its arguments.
    pub(super) fn plain(host: &'a Host, thread: ThreadId, handle: Option<SocketHandle>) -> Self {
        let request = Request::Plain;
        Self { host, thread, handle, request, memory_is_good: true, value_is_good: true }
    }

    /// The error that the call fails with, if any.
    pub(super) fn error(&self) -> Option<WsaError> {
        PRECEDENCE.into_iter().find_map(|check| self.fails(check))
    }

    fn socket(&self) -> Option<&Socket> {
        self.handle.and_then(|handle| self.host.socket(handle))
    }

    fn fails(&self, check: Check) -> Option<WsaError> {
        let (holds, error) = match check {
            Check::Startup => (self.host.is_started(), WsaError::NotInitialised),
            Check::Network => (!self.host.network_is_down(), WsaError::NetDown),
            Check::Progress => (self.host.in_progress(self.thread).is_none(), WsaError::InProgress),
            Check::Handle => (self.handle.is_none() || self.socket().is_some(), WsaError::NotSock),
            Check::Memory => (self.memory_is_good, WsaError::Fault),
            Check::Level => (self.level_exists(), WsaError::Inval),
            Check::Option => return self.option_error(),
            Check::State => return self.state_error(),
            Check::Value => (self.value_is_good, WsaError::Inval),
        };
        (!holds).then_some(error)
    }

    fn level_exists(&self) -> bool {
        match self.request {
            Request::Plain => true,
            Request::Option { level, .. } => level_exists(level),
            Request::Ioctl { code } => code == SIO_KEEPALIVE_VALS,
        }
    }

    fn option_error(&self) -> Option<WsaError> {
        let kind = self.socket()?.kind;
        match self.request {
            Request::Plain => None,
            Request::Option { access, level, name } => {
                let option = KnownOption::find(level, name);
                let exists = option.is_some_and(|option| option.exists(self.host.version(), kind, access));
                (!exists).then_some(WsaError::NoProtoOpt)
            }
            Request::Ioctl { .. } => match kind {
                SocketKind::Tcp => None,
                SocketKind::Udp | SocketKind::Raw => Some(WsaError::NoProtoOpt),
                SocketKind::SeqPacket | SocketKind::Atm => Some(WsaError::OpNotSupp),
            },
        }
    }

    fn state_error(&self) -> Option<WsaError> {
        let socket = self.socket()?;
        if let Request::Option { access: Access::Set, level, name } = self.request
            && KnownOption::find(level, name) == Some(KnownOption::UpdateConnectContext)
        {
            return (socket.state != SocketState::Connected).then_some(WsaError::NotConn);
        }
        let is_option = match self.request {
            Request::Plain | Request::Option { access: Access::Get, .. } => return None,
            Request::Option { access: Access::Set, .. } => true,
            // Its page lists no error for a connection that was lost.
            Request::Ioctl { .. } => false,
        };
        match socket.state {
            SocketState::Connecting(_) => self.host.version().is_vista_or_later().then_some(WsaError::Inval),
            SocketState::Lost(loss) if is_option && socket.options.is_on() => Some(match loss {
                Loss::TimedOut => WsaError::NetReset,
                Loss::Reset => WsaError::NotConn,
            }),
            _ => None,
        }
    }
}
