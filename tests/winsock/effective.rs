//! What keepalives run on when several things were set.

use keepscope::time::{Span, Timestamp};
use keepscope::winsock::*;

use crate::support::*;

const NEW: WindowsVersion = WindowsVersion::Windows10V1709;

#[test]
fn of_vals_and_tcp_options_the_later_wins() {
    let mut host = started(NEW);
    let handle = connected(&mut host);
    set_vals(&mut host, handle, 1, 1_500, 250).unwrap();
    set(&mut host, handle, IPPROTO_TCP, TCP_KEEPIDLE, 40).unwrap();
    let effective = host.effective(handle).unwrap();
    assert!(host.rests_on(handle).contains(&Unverified::LaterCallWins));
    assert_eq!(numbers(&host, handle), (40_000, 250, 10));
    assert_eq!(effective.idle.origin, Origin::TcpKeepidle);
    assert_eq!(effective.interval.origin, Origin::SioKeepaliveVals);
    set(&mut host, handle, IPPROTO_TCP, TCP_KEEPCNT, 4).unwrap();
    set_vals(&mut host, handle, 1, 2_999, 1).unwrap();
    assert_eq!(numbers(&host, handle), (2_999, 1, 4));
    assert_eq!(get(&mut host, handle, IPPROTO_TCP, TCP_KEEPIDLE), Ok(2));
    assert_eq!(get(&mut host, handle, IPPROTO_TCP, TCP_KEEPINTVL), Ok(0));
}

#[test]
fn vals_and_so_keepalive_are_one_switch() {
    let mut host = started(NEW);
    let handle = connected(&mut host);
    set_vals(&mut host, handle, 7, 1_500, 250).unwrap();
    assert_eq!(keepalive(&mut host, handle), Ok(1));
    assert!(host.rests_on(handle).contains(&Unverified::ValsSwitchSoKeepalive));
    set_keepalive(&mut host, handle, 0).unwrap();
    assert!(!host.effective(handle).unwrap().on.value);
    set_keepalive(&mut host, handle, 1).unwrap();
    assert_eq!(numbers(&host, handle), (1_500, 250, 10));
    set_vals(&mut host, handle, 0, 0, 0).unwrap();
    assert_eq!(keepalive(&mut host, handle), Ok(0));
    assert_eq!(numbers(&host, handle), (1_500, 250, 10));
}

#[test]
fn the_registry_is_read_when_the_system_starts() {
    let mut host = started(WindowsVersion::Xp);
    let handle = connected(&mut host);
    host.registry_mut().set_dword(RegistryEntry::KeepAliveTime, 300_000);
    host.registry_mut().set_dword(RegistryEntry::TcpMaxDataRetransmissions, 8);
    assert_eq!(numbers(&host, handle), (7_200_000, 1_000, 5));
    host.restart();
    assert_eq!(host.state(handle), None);
    assert_eq!(keepalive(&mut host, handle), Err(WsaError::NotInitialised));
    host.on(MAIN).wsa_startup(WinsockVersion::V2_2).unwrap();
    assert_eq!(keepalive(&mut host, handle), Err(WsaError::NotSock));
    let handle = connected(&mut host);
    assert_eq!(numbers(&host, handle), (300_000, 1_000, 8));
    let rests_on = host.rests_on(handle);
    assert!(rests_on.contains(&Unverified::RegistryReadAtStart));
    assert!(rests_on.contains(&Unverified::AbsentRetransmissions));
}

#[test]
fn unusable_registry_entries_count_as_absent() {
    let mut registry = Registry::new();
    registry.set_dword(RegistryEntry::KeepAliveTime, 0);
    registry.set(RegistryEntry::KeepAliveInterval, RegistryValue::Other);
    registry.set(RegistryEntry::TcpMaxDataRetransmissions, RegistryValue::Other);
    registry.set_dword(RegistryEntry::PptpTcpMaxDataRetransmissions, 9);
    registry.remove(RegistryEntry::PptpTcpMaxDataRetransmissions);
    let mut host = Host::with_registry(WindowsVersion::Server2003, registry);
    host.on(MAIN).wsa_startup(WinsockVersion::V2_2).unwrap();
    let handle = connected(&mut host);
    assert_eq!(numbers(&host, handle), (7_200_000, 1_000, 5));
    assert_eq!(host.registry().get(RegistryEntry::KeepAliveTime), Some(RegistryValue::Dword(0)));
}

#[test]
fn accepted_sockets_inherit_and_then_go_their_own_way() {
    let mut host = started(NEW);
    let listener = bound(&mut host);
    set_keepalive(&mut host, listener, 1).unwrap();
    set(&mut host, listener, IPPROTO_TCP, TCP_KEEPIDLE, 20).unwrap();
    host.on(MAIN).listen(listener).unwrap();
    let accepted = host.on(MAIN).accept(listener).unwrap();
    assert_eq!(keepalive(&mut host, accepted), Ok(1));
    let effective = host.effective(accepted).unwrap();
    assert!(effective.sends_probes());
    assert!(effective.on.inherited && effective.idle.inherited && !effective.interval.inherited);
    assert_eq!((effective.on.origin, effective.idle.origin), (Origin::SoKeepalive, Origin::TcpKeepidle));
    assert!(host.rests_on(accepted).contains(&Unverified::AcceptInheritsTimes));
    assert!(!host.effective(listener).unwrap().sends_probes());
    set_keepalive(&mut host, listener, 0).unwrap();
    assert_eq!(keepalive(&mut host, accepted), Ok(1));
    set_keepalive(&mut host, accepted, 1).unwrap();
    assert!(!host.effective(accepted).unwrap().on.inherited);
}

#[test]
fn connect_ex_forgets_what_was_set_until_its_context_is_updated() {
    let mut host = started(NEW);
    let handle = bound(&mut host);
    set_keepalive(&mut host, handle, 1).unwrap();
    let update = |host: &mut Host| {
        host.on(MAIN).setsockopt(handle, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, Memory::Invalid, 0)
    };
    assert_eq!(update(&mut host), Err(WsaError::NotConn));
    let begun = host.on(MAIN).connect(handle, ConnectFunction::ConnectEx, Connecting::Pending);
    assert_eq!(begun, Err(WsaError::IoPending));
    assert_eq!(host.complete_connect(handle, true), Some(SocketState::Connected));
    assert_eq!(keepalive(&mut host, handle), Ok(1));
    assert!(!host.effective(handle).unwrap().on.value);
    assert!(host.rests_on(handle).contains(&Unverified::ConnectExForgets));
    set(&mut host, handle, IPPROTO_TCP, TCP_KEEPIDLE, 20).unwrap();
    assert_eq!(numbers(&host, handle).0, 20_000);
    assert_eq!(update(&mut host), Ok(()));
    assert!(host.effective(handle).unwrap().sends_probes());
    assert_eq!(numbers(&host, handle).0, 20_000);
}

#[test]
fn zero_times_are_refused_only_where_they_would_count() {
    let mut host = started(NEW);
    let handle = connected(&mut host);
    for (onoff, time, interval, expected) in [
        (1, 0, 1, Err(WsaError::Inval)),
        (1, 1, 0, Err(WsaError::Inval)),
        (0, 0, 0, Ok(())),
        (1, 1, 1, Ok(())),
    ] {
        assert_eq!(set_vals(&mut host, handle, onoff, time, interval), expected);
    }
    for name in [TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT] {
        assert_eq!(set(&mut host, handle, IPPROTO_TCP, name, 0), Err(WsaError::Inval));
    }
    assert_eq!(numbers(&host, handle), (1, 1, 10));
}

#[test]
fn the_longest_times_are_exact() {
    let mut host = started(NEW);
    let handle = connected(&mut host);
    set(&mut host, handle, IPPROTO_TCP, TCP_KEEPIDLE, u32::MAX).unwrap();
    assert_eq!(numbers(&host, handle).0, i64::from(u32::MAX) * 1_000);
    assert_eq!(get(&mut host, handle, IPPROTO_TCP, TCP_KEEPIDLE), Ok(u32::MAX));
    set_vals(&mut host, handle, 1, u32::MAX, u32::MAX).unwrap();
    assert_eq!(numbers(&host, handle).1, i64::from(u32::MAX));
}

/// RFC 1122 §4.2.3.6: probes go out when neither data nor an ACK came within the idle time.
#[test]
fn probes_are_due_after_the_idle_time_and_then_every_interval() {
    let at = |millis: i64| Some(Timestamp::from_nanos(millis * 1_000_000));
    let heard = Timestamp::from_nanos(5_000_000_000);
    let mut host = started(WindowsVersion::Vista);
    let handle = connected(&mut host);
    assert_eq!(host.effective(handle).unwrap().probe_due(heard, 0), None);
    set_vals(&mut host, handle, 1, 10_000, 500).unwrap();
    let effective = host.effective(handle).unwrap();
    assert_eq!(effective.idle.value, Span::from_secs(10));
    assert_eq!(effective.probe_due(heard, 0), at(15_000));
    assert_eq!(effective.probe_due(heard, 1), at(15_500));
    assert_eq!(effective.probe_due(heard, 9), at(19_500));
    assert_eq!(effective.probe_due(heard, 10), None);
    assert_eq!(effective.give_up_due(heard), at(20_000));
    let last = effective.probe_due(Timestamp::from_nanos(i64::MAX), 0);
    assert_eq!(last, Some(Timestamp::from_nanos(i64::MAX)));
}

#[test]
fn without_probes_nothing_is_due() {
    let none =
        [(RegistryEntry::TcpMaxDataRetransmissions, 0), (RegistryEntry::PptpTcpMaxDataRetransmissions, 0)];
    let mut host = started_with(WindowsVersion::Xp, &none);
    let handle = connected(&mut host);
    set_keepalive(&mut host, handle, 1).unwrap();
    let effective = host.effective(handle).unwrap();
    assert_eq!(effective.probe_due(Timestamp::default(), 0), None);
    assert_eq!(effective.give_up_due(Timestamp::default()), None);
}

#[test]
fn only_a_connection_sends_probes() {
    let mut host = started(NEW);
    let handle = socket(&mut host, SocketKind::Tcp);
    set_keepalive(&mut host, handle, 1).unwrap();
    assert!(!host.effective(handle).unwrap().sends_probes());
    host.on(MAIN).connect(handle, ConnectFunction::Connect, Connecting::Blocking(Ok(()))).unwrap();
    assert!(host.effective(handle).unwrap().sends_probes());
    host.lose_connection(handle, Loss::TimedOut).unwrap();
    assert!(!host.effective(handle).unwrap().sends_probes());
}

#[test]
fn settings_say_what_they_rest_on() {
    use RegistryEntry::*;
    let mut host = started(NEW);
    let handle = connected(&mut host);
    assert_eq!(host.rests_on(handle), []);
    set_keepalive(&mut host, handle, 1).unwrap();
    assert_eq!(host.rests_on(handle), [Unverified::GiveUpTime]);
    set_vals(&mut host, handle, 1, 5_000, 5_000).unwrap();
    set_keepalive(&mut host, handle, 1).unwrap();
    assert_eq!(host.rests_on(handle), [Unverified::TimesOutliveSwitch, Unverified::GiveUpTime]);
    assert_eq!(host.rests_on(SocketHandle(1)), []);

    let both = [(TcpMaxDataRetransmissions, 3), (PptpTcpMaxDataRetransmissions, 4)];
    let mut host = started_with(WindowsVersion::Xp, &both);
    let handle = connected(&mut host);
    assert_eq!(host.rests_on(handle), [Unverified::RegistryReadAtStart]);

    let mut host = started_with(NEW, &[(KeepAliveTime, 5_000), (KeepAliveInterval, 0)]);
    let handle = connected(&mut host);
    let expected =
        [Unverified::RegistryReadAtStart, Unverified::RegistrySinceVista, Unverified::RegistryOutOfRange];
    assert_eq!(host.rests_on(handle), expected);
}
