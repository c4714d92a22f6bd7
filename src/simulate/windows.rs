//! A Windows application on a simulated host, which sets its options by Winsock calls.
//!
//! Owns [`WindowsCall`] and the way from what the model of Winsock holds to the keepalive machine. Uses
//! [`crate::winsock`].

use crate::keepalive::{Setting, Settings};
use crate::winsock::{
    ConnectFunction, Connecting, DWORD_SIZE, Effective, Host, Ioctl, Memory, Registry, SocketHandle,
    SocketKind, TcpKeepalive, ThreadId, WindowsVersion, WinsockVersion, WsaResult,
};

/// What Windows a host runs.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowsSpec {
    /// Its version.
    pub version: WindowsVersion,
    /// Its registry when it started.
    pub registry: Registry,
}

/// A call that an application makes for a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowsCall {
    /// `setsockopt` with a DWORD.
    SetOption {
        /// `level`.
        level: i32,
        /// `optname`.
        name: i32,
        /// `*optval`.
        value: u32,
    },
    /// `WSAIoctl` with `SIO_KEEPALIVE_VALS`.
    KeepaliveVals(TcpKeepalive),
}

/// The one process on a Windows host, with one thread.
#[derive(Debug)]
pub(super) struct Process {
    host: Host,
    sockets: Vec<(usize, SocketHandle)>,
}

const THREAD: ThreadId = ThreadId(1);

impl Process {
    pub(super) fn new(spec: &WindowsSpec) -> Self {
        let mut host = Host::with_registry(spec.version, spec.registry.clone());
        // It fails only without network, of which there is one.
        let started = host.on(THREAD).wsa_startup(WinsockVersion::V2_2);
        debug_assert!(started.is_ok());
        Self { host, sockets: Vec::new() }
    }

    /// The socket of a connection; made when it is first named.
    fn socket(&mut self, connection: usize) -> WsaResult<SocketHandle> {
        if let Some((_, handle)) = self.sockets.iter().find(|(index, _)| *index == connection) {
            return Ok(*handle);
        }
        let handle = self.host.on(THREAD).socket(SocketKind::Tcp)?;
        self.sockets.push((connection, handle));
        Ok(handle)
    }

    pub(super) fn call(&mut self, connection: usize, call: WindowsCall) -> WsaResult {
        let handle = self.socket(connection)?;
        let mut caller = self.host.on(THREAD);
        match call {
            WindowsCall::SetOption { level, name, value } => {
                let value = value.to_le_bytes();
                let len = i32::try_from(DWORD_SIZE).unwrap_or(i32::MAX);
                caller.setsockopt(handle, level, name, Memory::Valid(&value), len)
            }
            WindowsCall::KeepaliveVals(vals) => {
                caller.wsa_ioctl(handle, Ioctl::keepalive_vals(&vals.to_bytes())).map(|_| ())
            }
        }
    }

    /// The connection is being made.
    pub(super) fn connecting(&mut self, connection: usize) {
        if let Ok(handle) = self.socket(connection) {
            // "Would block" is what a connect that has begun comes to.
            let begun = self.host.on(THREAD).connect(handle, ConnectFunction::Connect, Connecting::Pending);
            debug_assert!(begun.is_err());
        }
    }

    /// The connection was made. One that came in has no connect that began; its socket is first there now.
    pub(super) fn connected(&mut self, connection: usize) {
        let Ok(handle) = self.socket(connection) else { return };
        if self.host.complete_connect(handle, true).is_none() {
            let done = Connecting::Blocking(Ok(()));
            let made = self.host.on(THREAD).connect(handle, ConnectFunction::Connect, done);
            debug_assert!(made.is_ok());
        }
    }

    /// What the connection's keepalives run on.
    pub(super) fn effective(&mut self, connection: usize) -> Option<Effective> {
        let handle = self.socket(connection).ok()?;
        self.host.effective(handle)
    }
}

/// What has to be set to get from some settings to those in effect, the switch last.
pub(super) fn changes(settings: &Settings, effective: &Effective) -> Vec<Setting> {
    let (idle, interval) = (effective.idle.value, effective.interval.value);
    let count = u32::from(effective.count.value);
    let mut changes = Vec::new();
    if settings.idle != idle {
        changes.push(Setting::Idle(idle));
    }
    if settings.interval != interval {
        changes.push(Setting::Interval(interval));
    }
    if settings.count != count {
        changes.push(Setting::Count(count));
    }
    changes.push(Setting::Enabled(effective.on.value && count > 0));
    changes
}
