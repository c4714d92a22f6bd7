//! The Winsock calls.
//!
//! Owns what each call does when no check stands against it, and the last error of its thread. Uses everything
//! else of the model.

use super::check::{Call, Request};
use super::constant::{DWORD_SIZE, SIO_KEEPALIVE_VALS};
use super::error::{WsaError, WsaResult};
use super::host::{Host, ThreadId, WinsockVersion};
use super::memory::{Memory, covers, read_dword, write_dword};
use super::option::{Access, KnownOption};
use super::setting::Options;
use super::socket::{ConnectFunction, Socket, SocketHandle, SocketKind};
use super::tcp_keepalive::TcpKeepalive;

/// When a connect returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connecting {
    /// When the connection was made, or was not made for this reason.
    Blocking(WsaResult),
    /// Before: on a non-blocking socket, or overlapped. For the calls that always block it means that the
    /// call has not returned and other threads see it under way. [`Host::complete_connect`] ends it.
    Pending,
}

/// The arguments of `WSAIoctl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ioctl<'a> {
    /// `dwIoControlCode`.
    pub code: u32,
    /// `lpvInBuffer`.
    pub input: Memory<&'a [u8]>,
    /// `cbInBuffer`.
    pub input_len: u32,
    /// `cbOutBuffer`; `SIO_KEEPALIVE_VALS` writes nothing and wants 0.
    pub output_len: u32,
    /// `lpOverlapped`. Null is valid memory of no octets; the call completes at once either way.
    pub overlapped: Memory<()>,
}

impl<'a> Ioctl<'a> {
    /// `SIO_KEEPALIVE_VALS` with a structure in memory.
    pub fn keepalive_vals(bytes: &'a [u8; TcpKeepalive::SIZE]) -> Self {
        Self {
            code: SIO_KEEPALIVE_VALS,
            input: Memory::Valid(bytes),
            input_len: u32::try_from(TcpKeepalive::SIZE).unwrap_or(u32::MAX),
            output_len: 0,
            overlapped: Memory::Valid(()),
        }
    }
}

/// A thread that makes calls.
///
/// A call that fails sets the last error of the thread; one that succeeds leaves it as it was.
#[derive(Debug)]
pub struct Caller<'h> {
    host: &'h mut Host,
    thread: ThreadId,
}

impl<'h> Caller<'h> {
    pub(super) fn new(host: &'h mut Host, thread: ThreadId) -> Self {
        Self { host, thread }
    }

    /// `WSAStartup`: returns the version of Winsock to be used. Its error is returned, not kept as the
    /// last error.
    pub fn wsa_startup(&mut self, requested: WinsockVersion) -> WsaResult<WinsockVersion> {
        if self.host.network_is_down() {
            return Err(WsaError::SysNotReady);
        }
        if self.host.in_progress(self.thread).is_some() {
            return Err(WsaError::InProgress);
        }
        let version = requested.negotiate().ok_or(WsaError::VerNotSupported)?;
        self.host.startups = self.host.startups.saturating_add(1);
        Ok(version)
    }

    /// `WSACleanup`: takes back one `WSAStartup`. The last one closes all sockets.
    pub fn wsa_cleanup(&mut self) -> WsaResult {
        self.check(None)?;
        self.host.startups = self.host.startups.saturating_sub(1);
        if !self.host.is_started() {
            self.host.sockets.clear();
        }
        Ok(())
    }

    /// `WSAGetLastError`: the error of the last call on this thread that failed, 0 if none did. Works
    /// without `WSAStartup`.
    pub fn wsa_get_last_error(&self) -> i32 {
        self.host.threads.get(&self.thread).map_or(0, |thread| thread.last_error)
    }

    /// `socket`.
    pub fn socket(&mut self, kind: SocketKind) -> WsaResult<SocketHandle> {
        self.check(None)?;
        Ok(self.host.add(Socket::new(kind)))
    }

    /// `bind`.
    pub fn bind(&mut self, handle: SocketHandle) -> WsaResult {
        self.with(handle, Socket::bind)
    }

    /// `listen`.
    pub fn listen(&mut self, handle: SocketHandle) -> WsaResult {
        self.with(handle, Socket::listen)
    }

    /// `accept` with a connection that has come in.
    pub fn accept(&mut self, listener: SocketHandle) -> WsaResult<SocketHandle> {
        let accepted = self.with(listener, |socket| socket.accept())?;
        Ok(self.host.add(accepted))
    }

    /// One of the calls that connect.
    ///
    /// On a socket without connections a plain connect only remembers the peer and is done at once.
    pub fn connect(&mut self, handle: SocketHandle, by: ConnectFunction, how: Connecting) -> WsaResult {
        let version = self.host.version();
        self.with(handle, |socket| {
            socket.connect(by, version)?;
            let (made, result) = match how {
                _ if !socket.kind.is_connection_oriented() => (true, Ok(())),
                Connecting::Blocking(result) => (result.is_ok(), result),
                Connecting::Pending => return by.pending(),
            };
            socket.complete_connect(made);
            result
        })
    }

    /// `closesocket`.
    pub fn closesocket(&mut self, handle: SocketHandle) -> WsaResult {
        self.check(Some(handle))?;
        self.host.sockets.remove(&handle);
        Ok(())
    }

    /// `setsockopt`.
    pub fn setsockopt(
        &mut self,
        handle: SocketHandle,
        level: i32,
        name: i32,
        value: Memory<&[u8]>,
        len: i32,
    ) -> WsaResult {
        let option = KnownOption::find(level, name);
        let needed = option.map_or(DWORD_SIZE, KnownOption::size);
        let memory_is_good =
            needed == 0 || matches!(value, Memory::Valid(buffer) if covers(len.into(), buffer.len(), needed));
        let value = match value {
            Memory::Valid(buffer) => read_dword(buffer).unwrap_or(0),
            Memory::Invalid => 0,
        };
        let call = Call {
            request: Request::Option { access: Access::Set, level, name },
            memory_is_good,
            value_is_good: option.is_none_or(|option| option.accepts(value)),
            ..Call::plain(self.host, self.thread, Some(handle))
        };
        let error = call.error();
        self.record(error.map_or(Ok(()), Err))?;
        if let (Some(socket), Some(option)) = (self.host.sockets.get_mut(&handle), option) {
            match option {
                KnownOption::UpdateConnectContext => socket.update_connect_context(),
                _ => socket.set(|options| store(options, option, value)),
            }
        }
        Ok(())
    }

    /// `getsockopt`: writes the value and its length.
    pub fn getsockopt(
        &mut self,
        handle: SocketHandle,
        level: i32,
        name: i32,
        value: Memory<&mut [u8]>,
        len: Memory<&mut i32>,
    ) -> WsaResult {
        let memory = match (value, len) {
            (Memory::Valid(value), Memory::Valid(len)) if covers((*len).into(), value.len(), DWORD_SIZE) => {
                Some((value, len))
            }
            _ => None,
        };
        let call = Call {
            request: Request::Option { access: Access::Get, level, name },
            memory_is_good: memory.is_some(),
            ..Call::plain(self.host, self.thread, Some(handle))
        };
        let error = call.error();
        self.record(error.map_or(Ok(()), Err))?;
        let loaded = KnownOption::find(level, name).and_then(|option| self.load(handle, option));
        if let (Some((buffer, len)), Some(loaded)) = (memory, loaded) {
            write_dword(buffer, loaded);
            *len = i32::try_from(DWORD_SIZE).unwrap_or(i32::MAX);
        }
        Ok(())
    }

    /// `WSAIoctl`: returns the number of octets written, which is 0 for `SIO_KEEPALIVE_VALS`.
    pub fn wsa_ioctl(&mut self, handle: SocketHandle, ioctl: Ioctl<'_>) -> WsaResult<u32> {
        let vals = match ioctl.input {
            Memory::Valid(buffer) if covers(ioctl.input_len.into(), buffer.len(), TcpKeepalive::SIZE) => {
                TcpKeepalive::from_bytes(buffer)
            }
            _ => None,
        };
        let times_are_good =
            vals.is_none_or(|vals| vals.onoff == 0 || (vals.keepalivetime > 0 && vals.keepaliveinterval > 0));
        let call = Call {
            request: Request::Ioctl { code: ioctl.code },
            memory_is_good: vals.is_some() && ioctl.overlapped == Memory::Valid(()),
            value_is_good: times_are_good && ioctl.output_len == 0,
            ..Call::plain(self.host, self.thread, Some(handle))
        };
        let error = call.error();
        self.record(error.map_or(Ok(()), Err))?;
        if let (Some(socket), Some(vals)) = (self.host.sockets.get_mut(&handle), vals) {
            socket.set(|options| options.set_vals(vals));
        }
        Ok(0)
    }

    /// What an option is, as `getsockopt` gives it.
    fn load(&self, handle: SocketHandle, option: KnownOption) -> Option<u32> {
        let options = &self.host.socket(handle)?.options;
        let registry = self.host.registry_in_use();
        let seconds = |millis: u64| u32::try_from(millis / 1_000).unwrap_or(u32::MAX);
        match option {
            KnownOption::Keepalive => Some(options.is_on().into()),
            KnownOption::UpdateConnectContext => None,
            KnownOption::KeepIdle => Some(seconds(options.idle(registry).value)),
            KnownOption::KeepIntvl => Some(seconds(options.interval(registry).value)),
            KnownOption::KeepCnt => Some(options.count(self.host.version(), registry).value.into()),
        }
    }

    /// Judges a call that takes no more than a handle.
    fn check(&mut self, handle: Option<SocketHandle>) -> WsaResult {
        let error = Call::plain(self.host, self.thread, handle).error();
        self.record(error.map_or(Ok(()), Err))
    }

    /// Makes such a call.
    fn with<T>(
        &mut self,
        handle: SocketHandle,
        call: impl FnOnce(&mut Socket) -> WsaResult<T>,
    ) -> WsaResult<T> {
        self.check(Some(handle))?;
        let result = self.host.sockets.get_mut(&handle).map_or(Err(WsaError::NotSock), call);
        self.record(result)
    }

    /// Keeps the error of a call that failed.
    fn record<T>(&mut self, result: WsaResult<T>) -> WsaResult<T> {
        if let Err(error) = &result {
            self.host.threads.entry(self.thread).or_default().last_error = error.code();
        }
        result
    }
}

fn store(options: &mut Options, option: KnownOption, value: u32) {
    match option {
        KnownOption::Keepalive => options.set_on(value != 0),
        KnownOption::UpdateConnectContext => {}
        KnownOption::KeepIdle => options.set_idle_seconds(value),
        KnownOption::KeepIntvl => options.set_interval_seconds(value),
        KnownOption::KeepCnt => options.set_count(u8::try_from(value).unwrap_or(u8::MAX)),
    }
}
