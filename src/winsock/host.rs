//! One process on one Windows system.
//!
//! Owns its version, registry, network, threads and sockets, and what happens to them from outside of the
//! process. Uses the sockets, the settings, the registry and the versions; the calls are in `call`.

use std::collections::BTreeMap;

use super::call::Caller;
use super::registry::Registry;
use super::setting::Effective;
use super::socket::{Loss, Socket, SocketHandle, SocketKind, SocketState};
use super::version::WindowsVersion;

/// A thread of the process. Winsock keeps the last error, and what is in progress, for each thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ThreadId(pub u32);

/// What keeps a thread from making another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InProgress {
    /// A blocking call of Winsock 1.1.
    BlockingCall,
    /// A callback that the service provider still works on.
    Callback,
}

/// A version of Winsock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WinsockVersion {
    /// The number before the point.
    pub major: u8,
    /// The number after the point.
    pub minor: u8,
}

impl WinsockVersion {
    /// Version 1.1.
    pub const V1_1: WinsockVersion = WinsockVersion { major: 1, minor: 1 };
    /// Version 2.2, the latest.
    pub const V2_2: WinsockVersion = WinsockVersion { major: 2, minor: 2 };

    const SUPPORTED: [WinsockVersion; 5] = [
        WinsockVersion { major: 1, minor: 0 },
        WinsockVersion::V1_1,
        WinsockVersion { major: 2, minor: 0 },
        WinsockVersion { major: 2, minor: 1 },
        WinsockVersion::V2_2,
    ];

    /// From the word that `WSAStartup` takes: the minor version in its high octet.
    pub const fn from_word(word: u16) -> Self {
        let [major, minor] = word.to_le_bytes();
        Self { major, minor }
    }

    /// What an application that knows Winsock up to this version uses on any Windows.
    pub(super) fn negotiate(self) -> Option<WinsockVersion> {
        WinsockVersion::SUPPORTED.into_iter().rev().find(|supported| *supported <= self)
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Thread {
    pub(super) last_error: i32,
    in_progress: Option<InProgress>,
}

/// A Windows system and one process on it.
#[derive(Clone, Debug)]
pub struct Host {
    version: WindowsVersion,
    registry: Registry,
    /// The registry as the system read it when it started.
    registry_in_use: Registry,
    network_down: bool,
    pub(super) startups: u32,
    pub(super) threads: BTreeMap<ThreadId, Thread>,
    pub(super) sockets: BTreeMap<SocketHandle, Socket>,
    last_handle: u64,
}

impl Host {
    /// A system as installed, with a process that has not called `WSAStartup`.
    pub fn new(version: WindowsVersion) -> Self {
        Self::with_registry(version, Registry::new())
    }

    /// The same with these entries in the registry when it starts.
    pub fn with_registry(version: WindowsVersion, registry: Registry) -> Self {
        Self {
            version,
            registry_in_use: registry.clone(),
            registry,
            network_down: false,
            startups: 0,
            threads: BTreeMap::new(),
            sockets: BTreeMap::new(),
            last_handle: 0,
        }
    }

    /// Makes calls from a thread.
    pub fn on(&mut self, thread: ThreadId) -> Caller<'_> {
        Caller::new(self, thread)
    }

    /// Its version of Windows.
    pub const fn version(&self) -> WindowsVersion {
        self.version
    }

    /// The registry as it is.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The registry, to be changed. The system reads it when it starts, see [`Host::restart`].
    pub const fn registry_mut(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Starts the system again: the registry is read, all sockets and threads are gone, the process has to
    /// call `WSAStartup` again. The network works.
    pub fn restart(&mut self) {
        let last_handle = self.last_handle;
        *self = Self::with_registry(self.version, std::mem::take(&mut self.registry));
        self.last_handle = last_handle;
    }

    /// Lets the network subsystem fail, or work again.
    pub const fn set_network_down(&mut self, down: bool) {
        self.network_down = down;
    }

    /// Whether the network subsystem has failed.
    pub const fn network_is_down(&self) -> bool {
        self.network_down
    }

    /// Lets a thread be inside a call, or out of it again.
    pub fn set_in_progress(&mut self, thread: ThreadId, what: Option<InProgress>) {
        self.threads.entry(thread).or_default().in_progress = what;
    }

    /// What a thread is inside of.
    pub fn in_progress(&self, thread: ThreadId) -> Option<InProgress> {
        self.threads.get(&thread).and_then(|thread| thread.in_progress)
    }

    /// Whether more calls of `WSAStartup` than of `WSACleanup` succeeded.
    pub const fn is_started(&self) -> bool {
        self.startups > 0
    }

    /// Ends the connect of a socket: its connection was made, or not. Returns the new state, or nothing if
    /// no connect was under way.
    pub fn complete_connect(&mut self, handle: SocketHandle, made: bool) -> Option<SocketState> {
        let socket = self.sockets.get_mut(&handle)?;
        socket.complete_connect(made).then_some(socket.state)
    }

    /// Ends the connection of a socket from outside. Returns the new state, or nothing if there was no
    /// connection.
    pub fn lose_connection(&mut self, handle: SocketHandle, loss: Loss) -> Option<SocketState> {
        let socket = self.sockets.get_mut(&handle)?;
        socket.lose(loss).then_some(socket.state)
    }

    /// What a socket was made for; nothing if the handle is no socket.
    pub fn kind(&self, handle: SocketHandle) -> Option<SocketKind> {
        self.socket(handle).map(|socket| socket.kind)
    }

    /// The state of a socket; nothing if the handle is no socket.
    pub fn state(&self, handle: SocketHandle) -> Option<SocketState> {
        self.socket(handle).map(|socket| socket.state)
    }

    /// What the keepalives of a socket run on; nothing if the handle is no TCP socket.
    pub fn effective(&self, handle: SocketHandle) -> Option<Effective> {
        let socket = self.socket(handle).filter(|socket| socket.kind == SocketKind::Tcp)?;
        let connected = socket.state == SocketState::Connected;
        Some(socket.enabled.effective(self.version, &self.registry_in_use, connected))
    }

    pub(super) fn socket(&self, handle: SocketHandle) -> Option<&Socket> {
        self.sockets.get(&handle)
    }

    pub(super) const fn registry_in_use(&self) -> &Registry {
        &self.registry_in_use
    }

    /// Adds a socket. Handles are multiples of four, as on Windows, and none is given twice, so that a
    /// closed one stays no socket.
    pub(super) fn add(&mut self, socket: Socket) -> SocketHandle {
        self.last_handle += 4;
        let handle = SocketHandle(self.last_handle);
        self.sockets.insert(handle, socket);
        handle
    }
}
