//! The life of sockets, threads and the library.

use keepscope::winsock::*;

use crate::support::*;

#[test]
fn startups_are_counted_and_the_last_cleanup_closes_everything() {
    let mut host = started(WindowsVersion::Windows7);
    assert_eq!(host.on(MAIN).wsa_startup(WinsockVersion::V1_1), Ok(WinsockVersion::V1_1));
    let handle = socket(&mut host, SocketKind::Tcp);
    assert_eq!(host.on(MAIN).wsa_cleanup(), Ok(()));
    assert_eq!(keepalive(&mut host, handle), Ok(0));
    assert_eq!(host.on(MAIN).wsa_cleanup(), Ok(()));
    assert!(!host.is_started());
    assert_eq!(host.on(MAIN).wsa_cleanup(), Err(WsaError::NotInitialised));
    host.on(MAIN).wsa_startup(WinsockVersion::V2_2).unwrap();
    assert_eq!(keepalive(&mut host, handle), Err(WsaError::NotSock));
    assert_ne!(socket(&mut host, SocketKind::Tcp), handle);
}

#[test]
fn startup_negotiates_the_version() {
    let version = |major, minor| WinsockVersion { major, minor };
    let mut host = Host::new(WindowsVersion::Windows2000);
    for (requested, expected) in [
        (version(1, 0), Ok(version(1, 0))),
        (version(1, 5), Ok(version(1, 1))),
        (version(2, 1), Ok(version(2, 1))),
        (version(3, 0), Ok(version(2, 2))),
        (version(0, 255), Err(WsaError::VerNotSupported)),
    ] {
        assert_eq!(host.on(MAIN).wsa_startup(requested), expected);
    }
    assert_eq!(WinsockVersion::from_word(0x0202), WinsockVersion::V2_2);
    assert_eq!(WinsockVersion::from_word(0x0101), WinsockVersion::V1_1);
    assert_eq!(WinsockVersion::from_word(0x0001), version(1, 0));
    host.set_network_down(true);
    assert_eq!(host.on(MAIN).wsa_startup(WinsockVersion::V2_2), Err(WsaError::SysNotReady));
    host.set_network_down(false);
    host.set_in_progress(MAIN, Some(InProgress::BlockingCall));
    assert_eq!(host.on(MAIN).wsa_startup(WinsockVersion::V2_2), Err(WsaError::InProgress));
    assert_eq!(last_error(&mut host), 0);
}

#[test]
fn each_thread_has_its_last_error() {
    let mut host = started(WindowsVersion::Windows7);
    host.on(ThreadId(7)).closesocket(SocketHandle(1)).unwrap_err();
    host.on(ThreadId(8)).bind(SocketHandle(1)).unwrap_err();
    let udp = socket(&mut host, SocketKind::Udp);
    host.on(ThreadId(8)).listen(udp).unwrap_err();
    assert_eq!(host.on(ThreadId(7)).wsa_get_last_error(), 10038);
    assert_eq!(host.on(ThreadId(8)).wsa_get_last_error(), 10045);
    assert_eq!(host.on(ThreadId(9)).wsa_get_last_error(), 0);
}

#[test]
fn connects_fail_where_they_cannot_begin() {
    use ConnectFunction::*;
    let now = Connecting::Blocking(Ok(()));
    let mut host = started(WindowsVersion::Windows7);
    let fresh = socket(&mut host, SocketKind::Tcp);
    assert_eq!(host.on(MAIN).connect(fresh, ConnectEx, now), Err(WsaError::Inval));
    assert_eq!(host.on(MAIN).connect(fresh, WsaConnect, Connecting::Pending), Err(WsaError::WouldBlock));
    assert_eq!(host.on(MAIN).connect(fresh, Connect, now), Err(WsaError::Already));
    assert_eq!(host.complete_connect(fresh, true), Some(SocketState::Connected));
    assert_eq!(host.complete_connect(fresh, true), None);
    assert_eq!(host.on(MAIN).connect(fresh, Connect, now), Err(WsaError::IsConn));
    let listener = bound(&mut host);
    host.on(MAIN).listen(listener).unwrap();
    assert_eq!(host.on(MAIN).connect(listener, Connect, now), Err(WsaError::Inval));
    let refused = Connecting::Blocking(Err(WsaError::ConnRefused));
    let unlucky = bound(&mut host);
    assert_eq!(host.on(MAIN).connect(unlucky, ConnectEx, refused), Err(WsaError::ConnRefused));
    assert_eq!((last_error(&mut host), host.state(unlucky)), (10061, Some(SocketState::Bound)));
    let udp = socket(&mut host, SocketKind::Udp);
    assert_eq!(host.on(MAIN).connect(udp, ConnectEx, now), Err(WsaError::OpNotSupp));
    assert_eq!(host.on(MAIN).connect(udp, Connect, Connecting::Pending), Ok(()));
    assert_eq!(host.state(udp), Some(SocketState::Connected));
}

#[test]
fn connect_calls_exist_from_their_versions_on() {
    use ConnectFunction::*;
    for (version, function, exists) in [
        (WindowsVersion::Windows2000, ConnectEx, false),
        (WindowsVersion::Xp, ConnectEx, true),
        (WindowsVersion::Server2003, WsaConnectByList, false),
        (WindowsVersion::Server2003, WsaConnectByName, false),
        (WindowsVersion::Vista, WsaConnectByList, true),
        (WindowsVersion::Vista, WsaConnectByName, true),
        (WindowsVersion::Windows2000, Connect, true),
    ] {
        let mut host = started(version);
        let handle = bound(&mut host);
        let result = host.on(MAIN).connect(handle, function, Connecting::Blocking(Ok(())));
        let expected = if exists { Ok(()) } else { Err(WsaError::OpNotSupp) };
        assert_eq!(result, expected, "{} on {version}", function.name());
    }
}

#[test]
fn listening_and_accepting_need_their_states() {
    let mut host = started(WindowsVersion::Windows7);
    let handle = socket(&mut host, SocketKind::Tcp);
    assert_eq!(host.on(MAIN).listen(handle), Err(WsaError::Inval));
    assert_eq!(host.on(MAIN).accept(handle), Err(WsaError::Inval));
    host.on(MAIN).bind(handle).unwrap();
    assert_eq!(host.on(MAIN).bind(handle), Err(WsaError::Inval));
    host.on(MAIN).listen(handle).unwrap();
    host.on(MAIN).listen(handle).unwrap();
    assert_eq!(host.state(handle), Some(SocketState::Listening));
    assert_eq!(set_keepalive(&mut host, handle, 1), Ok(()));
    let connected = connected(&mut host);
    assert_eq!(host.on(MAIN).listen(connected), Err(WsaError::IsConn));
    let udp = socket(&mut host, SocketKind::Udp);
    assert_eq!(host.on(MAIN).accept(udp), Err(WsaError::OpNotSupp));
    assert_eq!(host.kind(udp), Some(SocketKind::Udp));
}

#[test]
fn a_lost_connection_shows_in_the_next_call_if_keepalives_were_on() {
    for (loss, error, code) in
        [(Loss::TimedOut, WsaError::NetReset, 10052), (Loss::Reset, WsaError::NotConn, 10057)]
    {
        let mut host = started(WindowsVersion::Windows7);
        let (kept, plain) = (connected(&mut host), connected(&mut host));
        set_keepalive(&mut host, kept, 1).unwrap();
        for handle in [kept, plain] {
            assert_eq!(host.lose_connection(handle, loss), Some(SocketState::Lost(loss)));
            assert_eq!(host.lose_connection(handle, loss), None);
        }
        assert_eq!(set_keepalive(&mut host, kept, 0), Err(error));
        assert_eq!(last_error(&mut host), code);
        assert_eq!(keepalive(&mut host, kept), Ok(1));
        // These errors are documented for setsockopt, not for WSAIoctl.
        assert_eq!(set_vals(&mut host, kept, 1, 1, 1), Ok(()));
        assert_eq!(set_keepalive(&mut host, plain, 1), Ok(()));
    }
}

#[test]
fn other_connection_oriented_sockets_have_the_switch_and_no_times() {
    let mut host = started(WindowsVersion::Windows11V24H2);
    let spx = socket(&mut host, SocketKind::SeqPacket);
    assert_eq!(set_keepalive(&mut host, spx, 1), Ok(()));
    assert_eq!(set(&mut host, spx, IPPROTO_TCP, TCP_KEEPCNT, 3), Err(WsaError::NoProtoOpt));
    assert_eq!(set_vals(&mut host, spx, 1, 1, 1), Err(WsaError::OpNotSupp));
    let atm = socket(&mut host, SocketKind::Atm);
    assert_eq!(set_keepalive(&mut host, atm, 1), Err(WsaError::NoProtoOpt));
}

#[test]
fn ioctl_arguments_are_judged() {
    let mut host = started(WindowsVersion::Windows2000);
    let handle = connected(&mut host);
    let bytes = TcpKeepalive { onoff: 1, keepalivetime: 5, keepaliveinterval: 6 }.to_bytes();
    let good = Ioctl::keepalive_vals(&bytes);
    let longer = [bytes.as_slice(), &[9; 4]].concat();
    let mut caller = host.on(MAIN);
    for (ioctl, expected) in [
        (good, Ok(0)),
        (Ioctl { input: Memory::Valid(&longer), input_len: 16, ..good }, Ok(0)),
        (Ioctl { code: 0x9800_0003, ..good }, Err(WsaError::Inval)),
        (Ioctl { input: Memory::Invalid, ..good }, Err(WsaError::Fault)),
        (Ioctl { input_len: 11, ..good }, Err(WsaError::Fault)),
        (Ioctl { input_len: 13, ..good }, Err(WsaError::Fault)),
        (Ioctl { overlapped: Memory::Invalid, ..good }, Err(WsaError::Fault)),
        (Ioctl { output_len: 4, ..good }, Err(WsaError::Inval)),
    ] {
        assert_eq!(caller.wsa_ioctl(handle, ioctl), expected, "{ioctl:?}");
    }
    assert_eq!(numbers(&host, handle), (5, 6, 5));
}
