//! One socket: what it is, what state it is in, what is set on it.
//!
//! Owns the transitions between states. Uses the versions, the settings and the errors.

use super::error::{WsaError, WsaResult};
use super::setting::Options;
use super::version::WindowsVersion;

/// What a call names a socket by. Any number may be passed; only those that `socket` or `accept` returned,
/// and that were not closed, name a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketHandle(pub u64);

/// What a socket was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketKind {
    /// `SOCK_STREAM` over TCP.
    Tcp,
    /// `SOCK_DGRAM` over UDP.
    Udp,
    /// `SOCK_SEQPACKET` over a connection-oriented protocol other than TCP.
    SeqPacket,
    /// ATM, which has connections but, as documented for `setsockopt`, no `SO_KEEPALIVE`.
    Atm,
    /// `SOCK_RAW`.
    Raw,
}

impl SocketKind {
    /// All of them.
    pub const ALL: [SocketKind; 5] =
        [SocketKind::Tcp, SocketKind::Udp, SocketKind::SeqPacket, SocketKind::Atm, SocketKind::Raw];

    /// Whether its protocol has connections.
    pub const fn is_connection_oriented(self) -> bool {
        matches!(self, SocketKind::Tcp | SocketKind::SeqPacket | SocketKind::Atm)
    }

    /// Whether it has `SO_KEEPALIVE`.
    pub const fn has_so_keepalive(self) -> bool {
        matches!(self, SocketKind::Tcp | SocketKind::SeqPacket)
    }
}

/// The calls that connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectFunction {
    /// `connect`.
    Connect,
    /// `ConnectEx`.
    ConnectEx,
    /// `WSAConnect`.
    WsaConnect,
    /// `WSAConnectByList`.
    WsaConnectByList,
    /// `WSAConnectByName`.
    WsaConnectByName,
}

impl ConnectFunction {
    /// All of them.
    pub const ALL: [ConnectFunction; 5] = [
        ConnectFunction::Connect,
        ConnectFunction::ConnectEx,
        ConnectFunction::WsaConnect,
        ConnectFunction::WsaConnectByList,
        ConnectFunction::WsaConnectByName,
    ];

    /// Its Windows name.
    pub const fn name(self) -> &'static str {
        match self {
            ConnectFunction::Connect => "connect",
            ConnectFunction::ConnectEx => "ConnectEx",
            ConnectFunction::WsaConnect => "WSAConnect",
            ConnectFunction::WsaConnectByList => "WSAConnectByList",
            ConnectFunction::WsaConnectByName => "WSAConnectByName",
        }
    }

    /// Whether this version of Windows has it.
    pub fn exists_on(self, version: WindowsVersion) -> bool {
        match self {
            ConnectFunction::Connect | ConnectFunction::WsaConnect => true,
            ConnectFunction::ConnectEx => version.has_connect_ex(),
            ConnectFunction::WsaConnectByList | ConnectFunction::WsaConnectByName => {
                version.is_vista_or_later()
            }
        }
    }

    /// What the call returns while its connection is still being made. `WSAConnectByList` and
    /// `WSAConnectByName` always block: theirs is seen only from other threads, and returns nothing yet.
    pub(super) const fn pending(self) -> WsaResult {
        match self {
            ConnectFunction::Connect | ConnectFunction::WsaConnect => Err(WsaError::WouldBlock),
            ConnectFunction::ConnectEx => Err(WsaError::IoPending),
            ConnectFunction::WsaConnectByList | ConnectFunction::WsaConnectByName => Ok(()),
        }
    }
}

/// How a connection ended without being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Given up because nothing answered.
    TimedOut,
    /// Reset by the peer.
    Reset,
}

/// Where a socket stands. A closed socket has no state: its handle is no socket any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketState {
    /// Made, nothing more.
    Created,
    /// It has a local address.
    Bound,
    /// It takes connections.
    Listening,
    /// A connection is being made: the state in transition.
    Connecting(ConnectFunction),
    /// It has a connection.
    Connected,
    /// It had a connection.
    Lost(Loss),
}

/// A socket.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    pub(super) kind: SocketKind,
    pub(super) state: SocketState,
    /// What is set, as `getsockopt` shows it.
    pub(super) options: Options,
    /// What of it the connection runs on: differs after `ConnectEx`, until `SO_UPDATE_CONNECT_CONTEXT`.
    pub(super) enabled: Options,
}

impl Socket {
    pub(super) fn new(kind: SocketKind) -> Self {
        Self { kind, state: SocketState::Created, options: Options::default(), enabled: Options::default() }
    }

    /// Changes what is set, and what the connection runs on.
    pub(super) fn set(&mut self, change: impl Fn(&mut Options)) {
        change(&mut self.options);
        change(&mut self.enabled);
    }

    /// Makes what is set hold for a connection made by `ConnectEx`.
    pub(super) fn update_connect_context(&mut self) {
        self.enabled = self.options;
    }

    pub(super) fn bind(&mut self) -> WsaResult {
        if self.state != SocketState::Created {
            return Err(WsaError::Inval);
        }
        self.state = SocketState::Bound;
        Ok(())
    }

    pub(super) fn listen(&mut self) -> WsaResult {
        if !self.kind.is_connection_oriented() {
            return Err(WsaError::OpNotSupp);
        }
        match self.state {
            SocketState::Bound | SocketState::Listening => {
                self.state = SocketState::Listening;
                Ok(())
            }
            SocketState::Connected => Err(WsaError::IsConn),
            _ => Err(WsaError::Inval),
        }
    }

    /// The socket of a connection that came in.
    pub(super) fn accept(&self) -> WsaResult<Socket> {
        if !self.kind.is_connection_oriented() {
            return Err(WsaError::OpNotSupp);
        }
        if self.state != SocketState::Listening {
            return Err(WsaError::Inval);
        }
        let options = self.options.inherited();
        Ok(Socket { kind: self.kind, state: SocketState::Connected, options, enabled: options })
    }

    /// Begins to make a connection.
    pub(super) fn connect(&mut self, function: ConnectFunction, version: WindowsVersion) -> WsaResult {
        let by_plain_connect = matches!(function, ConnectFunction::Connect | ConnectFunction::WsaConnect);
        if !function.exists_on(version) || !(self.kind.is_connection_oriented() || by_plain_connect) {
            return Err(WsaError::OpNotSupp);
        }
        match self.state {
            SocketState::Connecting(_) => Err(WsaError::Already),
            SocketState::Connected if self.kind.is_connection_oriented() => Err(WsaError::IsConn),
            SocketState::Listening | SocketState::Lost(_) => Err(WsaError::Inval),
            SocketState::Created if function == ConnectFunction::ConnectEx => Err(WsaError::Inval),
            SocketState::Created | SocketState::Bound | SocketState::Connected => {
                self.state = SocketState::Connecting(function);
                Ok(())
            }
        }
    }

    /// Ends the making of a connection; false if none was being made.
    pub(super) fn complete_connect(&mut self, made: bool) -> bool {
        let SocketState::Connecting(function) = self.state else { return false };
        // Its local address was chosen when the connect began, so a socket that failed is still bound.
        self.state = if made { SocketState::Connected } else { SocketState::Bound };
        if made && function == ConnectFunction::ConnectEx {
            self.enabled = Options::default();
        }
        true
    }

    /// Loses the connection; false if there was none.
    pub(super) fn lose(&mut self, loss: Loss) -> bool {
        let had_one = self.state == SocketState::Connected && self.kind.is_connection_oriented();
        if had_one {
            self.state = SocketState::Lost(loss);
        }
        had_one
    }
}
