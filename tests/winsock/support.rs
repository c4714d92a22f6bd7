//! Short forms of calls.

use keepscope::winsock::*;

pub const MAIN: ThreadId = ThreadId(1);

/// A host with a process that has called `WSAStartup`.
pub fn started(version: WindowsVersion) -> Host {
    started_with(version, &[])
}

pub fn started_with(version: WindowsVersion, entries: &[(RegistryEntry, u32)]) -> Host {
    let mut registry = Registry::new();
    for (entry, value) in entries {
        registry.set_dword(*entry, *value);
    }
    let mut host = Host::with_registry(version, registry);
    host.on(MAIN).wsa_startup(WinsockVersion::V2_2).unwrap();
    host
}

pub fn socket(host: &mut Host, kind: SocketKind) -> SocketHandle {
    host.on(MAIN).socket(kind).unwrap()
}

/// A TCP socket that is bound and ready to connect by any call.
pub fn bound(host: &mut Host) -> SocketHandle {
    let handle = socket(host, SocketKind::Tcp);
    host.on(MAIN).bind(handle).unwrap();
    handle
}

pub fn connected(host: &mut Host) -> SocketHandle {
    let handle = socket(host, SocketKind::Tcp);
    host.on(MAIN).connect(handle, ConnectFunction::Connect, Connecting::Blocking(Ok(()))).unwrap();
    handle
}

pub fn set(host: &mut Host, handle: SocketHandle, level: i32, name: i32, value: u32) -> WsaResult {
    host.on(MAIN).setsockopt(handle, level, name, Memory::Valid(&value.to_le_bytes()), 4)
}

pub fn get(host: &mut Host, handle: SocketHandle, level: i32, name: i32) -> WsaResult<u32> {
    let (mut value, mut len) = ([0xaa; 4], 4);
    host.on(MAIN).getsockopt(handle, level, name, Memory::Valid(&mut value), Memory::Valid(&mut len))?;
    assert_eq!(len, 4);
    Ok(u32::from_le_bytes(value))
}

pub fn set_keepalive(host: &mut Host, handle: SocketHandle, value: u32) -> WsaResult {
    set(host, handle, SOL_SOCKET, SO_KEEPALIVE, value)
}

pub fn keepalive(host: &mut Host, handle: SocketHandle) -> WsaResult<u32> {
    get(host, handle, SOL_SOCKET, SO_KEEPALIVE)
}

pub fn set_vals(host: &mut Host, handle: SocketHandle, onoff: u32, time: u32, interval: u32) -> WsaResult {
    let vals = TcpKeepalive { onoff, keepalivetime: time, keepaliveinterval: interval };
    host.on(MAIN)
        .wsa_ioctl(handle, Ioctl::keepalive_vals(&vals.to_bytes()))
        .map(|written| assert_eq!(written, 0))
}

pub fn last_error(host: &mut Host) -> i32 {
    host.on(MAIN).wsa_get_last_error()
}

/// Idle time and interval in milliseconds, and the number of probes.
pub fn numbers(host: &Host, handle: SocketHandle) -> (i64, i64, u8) {
    let effective = host.effective(handle).unwrap();
    let millis = |nanos: i64| {
        assert_eq!(nanos % 1_000_000, 0);
        nanos / 1_000_000
    };
    (
        millis(effective.idle.value.as_nanos()),
        millis(effective.interval.value.as_nanos()),
        effective.count.value,
    )
}
