//! Which error is returned when several apply.

use keepscope::winsock::*;

use crate::support::*;

/// A call with some things wrong.
#[derive(Debug, Default)]
struct Faults(Vec<Check>);

impl Faults {
    fn has(&self, check: Check) -> bool {
        self.0.contains(&check)
    }

    /// The host as it is when the call comes, and the socket that it names.
    fn host(&self, kind: SocketKind) -> (Host, SocketHandle) {
        let mut host = started(WindowsVersion::Windows10V1709);
        let handle = socket(&mut host, kind);
        if self.has(Check::State) {
            let _ = host.on(MAIN).connect(handle, ConnectFunction::Connect, Connecting::Pending);
        }
        if self.has(Check::Network) {
            host.set_network_down(true);
        }
        if self.has(Check::Progress) {
            host.set_in_progress(MAIN, Some(InProgress::Callback));
        }
        if self.has(Check::Startup) {
            // A cleanup would fail, or would close the socket; a process that never started has neither.
            let network_down = host.network_is_down();
            let in_progress = host.in_progress(MAIN);
            host = Host::new(WindowsVersion::Windows10V1709);
            host.set_network_down(network_down);
            host.set_in_progress(MAIN, in_progress);
        }
        (host, if self.has(Check::Handle) { SocketHandle(2) } else { handle })
    }

    fn set(&self) -> WsaResult {
        let (mut host, handle) = self.host(SocketKind::Tcp);
        let level = if self.has(Check::Level) { 99 } else { IPPROTO_TCP };
        let name = if self.has(Check::Option) { 99 } else { TCP_KEEPCNT };
        let value = if self.has(Check::Value) { 256u32 } else { 3 }.to_le_bytes();
        let len = if self.has(Check::Memory) { 3 } else { 4 };
        host.on(MAIN).setsockopt(handle, level, name, Memory::Valid(&value), len)
    }

    fn get(&self) -> WsaResult {
        let (mut host, handle) = self.host(SocketKind::Tcp);
        let level = if self.has(Check::Level) { 99 } else { SOL_SOCKET };
        let name = if self.has(Check::Option) { 99 } else { SO_KEEPALIVE };
        let (mut value, mut len) = ([0; 4], 4);
        let memory = if self.has(Check::Memory) { Memory::Invalid } else { Memory::Valid(&mut value[..]) };
        host.on(MAIN).getsockopt(handle, level, name, memory, Memory::Valid(&mut len))
    }

    fn ioctl(&self) -> WsaResult {
        // What a wrong option is for others, a wrong kind of socket is here.
        let kind = if self.has(Check::Option) { SocketKind::Udp } else { SocketKind::Tcp };
        let (mut host, handle) = self.host(kind);
        let time = if self.has(Check::Value) { 0 } else { 1 };
        let bytes = TcpKeepalive { onoff: 1, keepalivetime: time, keepaliveinterval: time }.to_bytes();
        let mut ioctl = Ioctl::keepalive_vals(&bytes);
        if self.has(Check::Level) {
            ioctl.code = 0x9800_0005;
        }
        if self.has(Check::Memory) {
            ioctl.input_len = 11;
        }
        host.on(MAIN).wsa_ioctl(handle, ioctl).map(|_| ())
    }
}

const fn error_of(check: Check) -> WsaError {
    match check {
        Check::Startup => WsaError::NotInitialised,
        Check::Network => WsaError::NetDown,
        Check::Progress => WsaError::InProgress,
        Check::Handle => WsaError::NotSock,
        Check::Memory => WsaError::Fault,
        Check::Option => WsaError::NoProtoOpt,
        Check::Level | Check::State | Check::Value => WsaError::Inval,
    }
}

#[test]
fn each_fault_alone_gives_its_error() {
    assert_eq!(Faults::default().set(), Ok(()));
    assert_eq!(Faults::default().get(), Ok(()));
    assert_eq!(Faults::default().ioctl(), Ok(()));
    for check in PRECEDENCE {
        let faults = Faults(vec![check]);
        assert_eq!(faults.set(), Err(error_of(check)), "{check:?}");
        assert_eq!(faults.ioctl(), Err(error_of(check)), "{check:?}");
        let read_too = !matches!(check, Check::State | Check::Value);
        assert_eq!(faults.get(), if read_too { Err(error_of(check)) } else { Ok(()) }, "{check:?}");
    }
}

#[test]
fn the_order_is_the_documented_one() {
    let order = PRECEDENCE.map(|check| format!("{check:?}"));
    let expected =
        ["Startup", "Network", "Progress", "Handle", "Memory", "Level", "Option", "State", "Value"];
    assert_eq!(order, expected);
}

/// Both are `WSAEINVAL` during a connect, but a lost connection has errors of its own.
#[test]
fn the_state_is_judged_before_the_value() {
    let mut host = started(WindowsVersion::Windows10V1709);
    let handle = connected(&mut host);
    set_keepalive(&mut host, handle, 1).unwrap();
    host.lose_connection(handle, Loss::Reset).unwrap();
    assert_eq!(set(&mut host, handle, IPPROTO_TCP, TCP_KEEPCNT, 256), Err(WsaError::NotConn));
}

#[test]
fn of_any_two_faults_the_earlier_decides() {
    for (place, first) in PRECEDENCE.into_iter().enumerate() {
        for second in PRECEDENCE.into_iter().skip(place + 1) {
            let faults = Faults(vec![first, second]);
            assert_eq!(faults.set(), Err(error_of(first)), "{first:?} before {second:?}");
            assert_eq!(faults.ioctl(), Err(error_of(first)), "{first:?} before {second:?}");
            if first != Check::State {
                assert_eq!(faults.get(), Err(error_of(first)), "{first:?} before {second:?}");
            }
        }
    }
}

/// Everything wrong at once, then one thing less at a time.
#[test]
fn all_faults_fall_one_by_one() {
    let mut left = PRECEDENCE.to_vec();
    while let Some(first) = left.first().copied() {
        assert_eq!(Faults(left.clone()).set(), Err(error_of(first)));
        left.remove(0);
    }
}

#[test]
fn a_failed_call_changes_nothing() {
    for check in PRECEDENCE.into_iter().filter(|check| *check != Check::Startup) {
        let faults = Faults(vec![check]);
        let (mut host, handle) = faults.host(SocketKind::Tcp);
        let real = SocketHandle(4);
        let before = host.effective(real);
        let value = if faults.has(Check::Value) { 256u32 } else { 3 }.to_le_bytes();
        let level = if faults.has(Check::Level) { 99 } else { IPPROTO_TCP };
        let name = if faults.has(Check::Option) { 99 } else { TCP_KEEPCNT };
        let len = if faults.has(Check::Memory) { 3 } else { 4 };
        let result = host.on(MAIN).setsockopt(handle, level, name, Memory::Valid(&value), len);
        assert!(result.is_err());
        assert_eq!(host.effective(real), before);
        assert!(before.is_some());
    }
}
