//! One row for each thing that the option is required to do.

use keepscope::winsock::*;

use crate::support::*;

const OLD: [WindowsVersion; 3] =
    [WindowsVersion::Windows2000, WindowsVersion::Xp, WindowsVersion::Server2003];

type Row = (&'static str, fn());

const ROWS: &[Row] = &[
    ("SO_KEEPALIVE is 0x0008 at SOL_SOCKET, for getting and setting", || {
        assert_eq!((SO_KEEPALIVE, SOL_SOCKET), (0x0008, 0xffff));
        let mut host = started(WindowsVersion::Windows7);
        let handle = socket(&mut host, SocketKind::Tcp);
        assert_eq!(set(&mut host, handle, 0xffff, 0x0008, 1), Ok(()));
        assert_eq!(get(&mut host, handle, 0xffff, 0x0008), Ok(1));
    }),
    ("off by default, on every version", || {
        for version in WindowsVersion::ALL {
            let mut host = started(*version);
            let handle = connected(&mut host);
            assert_eq!(keepalive(&mut host, handle), Ok(0));
            let on = host.effective(handle).unwrap().on;
            assert_eq!((on.value, on.origin), (false, Origin::Default));
        }
    }),
    ("the DWORD is a boolean: 0 is false, anything else true", || {
        let mut host = started(WindowsVersion::Windows7);
        let handle = socket(&mut host, SocketKind::Tcp);
        for value in [1, 2, 0x100, 0x8000_0000, u32::MAX] {
            set_keepalive(&mut host, handle, value).unwrap();
            assert_eq!(keepalive(&mut host, handle), Ok(1), "{value:#x}");
            set_keepalive(&mut host, handle, 0).unwrap();
            assert_eq!(keepalive(&mut host, handle), Ok(0));
        }
    }),
    ("a larger buffer is accepted; the value and the length 4 are written back", || {
        let mut host = started(WindowsVersion::Windows7);
        let handle = socket(&mut host, SocketKind::Tcp);
        let larger = [1, 0, 0, 0, 9, 9, 9, 9];
        let mut caller = host.on(MAIN);
        let set = caller.setsockopt(handle, SOL_SOCKET, SO_KEEPALIVE, Memory::Valid(&larger), 8);
        assert_eq!(set, Ok(()));
        let (mut value, mut len) = ([0xaa; 8], 8);
        let (memory, length) = (Memory::Valid(&mut value[..]), Memory::Valid(&mut len));
        caller.getsockopt(handle, SOL_SOCKET, SO_KEEPALIVE, memory, length).unwrap();
        assert_eq!((value, len), ([1, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa], 4));
    }),
    ("success returns 0, failure SOCKET_ERROR (-1) and the code in WSAGetLastError", || {
        let mut host = started(WindowsVersion::Windows7);
        let handle = socket(&mut host, SocketKind::Tcp);
        assert_eq!(returned(&set_keepalive(&mut host, handle, 1)), 0);
        assert_eq!(last_error(&mut host), 0);
        assert_eq!(returned(&set_keepalive(&mut host, SocketHandle(3), 1)), -1);
        assert_eq!((SOCKET_ERROR, last_error(&mut host)), (-1, 10038));
        assert_eq!(returned(&set_keepalive(&mut host, handle, 0)), 0);
        assert_eq!(last_error(&mut host), 10038);
    }),
    ("WSANOTINITIALISED: no successful WSAStartup", || {
        let mut host = Host::new(WindowsVersion::Windows7);
        assert_eq!(set_keepalive(&mut host, SocketHandle(4), 1), Err(WsaError::NotInitialised));
        assert_eq!(last_error(&mut host), 10093);
        let refused = host.on(MAIN).wsa_startup(WinsockVersion { major: 0, minor: 9 });
        assert_eq!(refused, Err(WsaError::VerNotSupported));
        assert_eq!(keepalive(&mut host, SocketHandle(4)), Err(WsaError::NotInitialised));
    }),
    ("WSAENETDOWN: the network subsystem has failed", || {
        let mut host = started(WindowsVersion::Windows7);
        let handle = socket(&mut host, SocketKind::Tcp);
        host.set_network_down(true);
        assert_eq!(set_keepalive(&mut host, handle, 1), Err(WsaError::NetDown));
        assert_eq!(last_error(&mut host), 10050);
        assert_eq!(keepalive(&mut host, handle), Err(WsaError::NetDown));
        host.set_network_down(false);
        assert_eq!(set_keepalive(&mut host, handle, 1), Ok(()));
    }),
    ("WSAEFAULT: optval or optlen not in valid memory, or optlen below a DWORD", || {
        let mut host = started(WindowsVersion::Windows7);
        let handle = socket(&mut host, SocketKind::Tcp);
        let mut caller = host.on(MAIN);
        let on = [1; 4];
        for (memory, len) in [
            (Memory::Invalid, 4),
            (Memory::Valid(&on[..]), 3),
            (Memory::Valid(&on[..]), 0),
            (Memory::Valid(&on[..]), -1),
            (Memory::Valid(&on[..]), i32::MIN),
            (Memory::Valid(&on[..]), 5),
            (Memory::Valid(&on[..2]), 4),
        ] {
            let result = caller.setsockopt(handle, SOL_SOCKET, SO_KEEPALIVE, memory, len);
            assert_eq!(result, Err(WsaError::Fault), "{memory:?} {len}");
            assert_eq!(caller.wsa_get_last_error(), 10014);
        }
        let mut len = 4;
        let result =
            caller.getsockopt(handle, SOL_SOCKET, SO_KEEPALIVE, Memory::Invalid, Memory::Valid(&mut len));
        assert_eq!(result, Err(WsaError::Fault));
        let mut value = [7; 4];
        let result =
            caller.getsockopt(handle, SOL_SOCKET, SO_KEEPALIVE, Memory::Valid(&mut value), Memory::Invalid);
        assert_eq!(result, Err(WsaError::Fault));
        let mut len = 3;
        let (memory, length) = (Memory::Valid(&mut value[..]), Memory::Valid(&mut len));
        let result = caller.getsockopt(handle, SOL_SOCKET, SO_KEEPALIVE, memory, length);
        assert_eq!((result, value, len), (Err(WsaError::Fault), [7; 4], 3));
    }),
    ("WSAEINPROGRESS: a blocking call of Winsock 1.1 or a callback, on the same thread", || {
        let mut host = started(WindowsVersion::Windows7);
        let handle = socket(&mut host, SocketKind::Tcp);
        for what in [InProgress::BlockingCall, InProgress::Callback] {
            host.set_in_progress(MAIN, Some(what));
            assert_eq!(set_keepalive(&mut host, handle, 1), Err(WsaError::InProgress));
            assert_eq!(last_error(&mut host), 10036);
            let mut other = host.on(ThreadId(2));
            let on = 1u32.to_le_bytes();
            let result = other.setsockopt(handle, SOL_SOCKET, SO_KEEPALIVE, Memory::Valid(&on), 4);
            assert_eq!((result, other.wsa_get_last_error()), (Ok(()), 0));
        }
        host.set_in_progress(MAIN, None);
        assert_eq!(set_keepalive(&mut host, handle, 1), Ok(()));
    }),
    ("WSAEINVAL: the level is unknown", || {
        let mut host = started(WindowsVersion::Windows7);
        let handle = socket(&mut host, SocketKind::Tcp);
        for level in [1, 7, -1, 0xfffe] {
            assert_eq!(set(&mut host, handle, level, SO_KEEPALIVE, 1), Err(WsaError::Inval));
            assert_eq!(last_error(&mut host), 10022);
            assert_eq!(get(&mut host, handle, level, SO_KEEPALIVE), Err(WsaError::Inval));
        }
    }),
    ("WSAENOPROTOOPT: the option is unknown, or the socket is a datagram socket", || {
        let mut host = started(WindowsVersion::Windows7);
        let handle = socket(&mut host, SocketKind::Tcp);
        assert_eq!(set(&mut host, handle, SOL_SOCKET, 0x7fff, 1), Err(WsaError::NoProtoOpt));
        assert_eq!(last_error(&mut host), 10042);
        assert_eq!(get(&mut host, handle, IPPROTO_TCP, SO_KEEPALIVE), Err(WsaError::NoProtoOpt));
        let datagram = socket(&mut host, SocketKind::Udp);
        assert_eq!(set_keepalive(&mut host, datagram, 1), Err(WsaError::NoProtoOpt));
        assert_eq!(keepalive(&mut host, datagram), Err(WsaError::NoProtoOpt));
        assert_eq!(set_vals(&mut host, datagram, 1, 1, 1), Err(WsaError::NoProtoOpt));
    }),
    ("WSAENOTSOCK: the descriptor is not a socket, or not any more", || {
        let mut host = started(WindowsVersion::Windows7);
        let handle = socket(&mut host, SocketKind::Tcp);
        for stranger in [SocketHandle(0), SocketHandle(INVALID_SOCKET), SocketHandle(handle.0 + 4)] {
            assert_eq!(set_keepalive(&mut host, stranger, 1), Err(WsaError::NotSock));
        }
        host.on(MAIN).closesocket(handle).unwrap();
        assert_eq!(keepalive(&mut host, handle), Err(WsaError::NotSock));
        assert_eq!(last_error(&mut host), 10038);
        assert_eq!(host.on(MAIN).closesocket(handle), Err(WsaError::NotSock));
    }),
    ("only for connection-oriented protocols", || {
        let mut host = started(WindowsVersion::Windows7);
        for kind in SocketKind::ALL {
            let handle = socket(&mut host, kind);
            let set = set_keepalive(&mut host, handle, 1);
            assert_eq!(set.is_ok(), kind.has_so_keepalive(), "{kind:?}");
            assert!(set.is_err() || kind.is_connection_oriented());
            assert_eq!(host.effective(handle).is_some(), kind == SocketKind::Tcp);
        }
    }),
    ("Vista and later: not during a connect by any call, but before and after", || {
        for version in WindowsVersion::ALL.iter().filter(|version| version.is_vista_or_later()) {
            for function in ConnectFunction::ALL {
                let mut host = started(*version);
                let handle = bound(&mut host);
                assert_eq!(set_keepalive(&mut host, handle, 1), Ok(()));
                let _ = host.on(MAIN).connect(handle, function, Connecting::Pending);
                assert_eq!(host.state(handle), Some(SocketState::Connecting(function)));
                assert_eq!(set_keepalive(&mut host, handle, 0), Err(WsaError::Inval));
                assert_eq!(last_error(&mut host), 10022);
                assert_eq!(keepalive(&mut host, handle), Ok(1));
                host.complete_connect(handle, true).unwrap();
                assert_eq!(set_keepalive(&mut host, handle, 0), Ok(()));
                assert_eq!(keepalive(&mut host, handle), Ok(0));
            }
        }
    }),
    ("Vista and later: again after a connect that failed", || {
        let mut host = started(WindowsVersion::Vista);
        let handle = socket(&mut host, SocketKind::Tcp);
        host.on(MAIN).connect(handle, ConnectFunction::Connect, Connecting::Pending).unwrap_err();
        assert_eq!(set_keepalive(&mut host, handle, 1), Err(WsaError::Inval));
        assert_eq!(host.complete_connect(handle, false), Some(SocketState::Bound));
        assert_eq!(set_keepalive(&mut host, handle, 1), Ok(()));
    }),
    ("Server 2003, XP and 2000: also during a connect", || {
        for version in OLD {
            let mut host = started(version);
            let handle = socket(&mut host, SocketKind::Tcp);
            host.on(MAIN).connect(handle, ConnectFunction::WsaConnect, Connecting::Pending).unwrap_err();
            assert_eq!(set_keepalive(&mut host, handle, 1), Ok(()));
            host.complete_connect(handle, true).unwrap();
            assert!(host.effective(handle).unwrap().sends_probes());
        }
    }),
    ("Windows 2000 is the oldest there is", || {
        assert_eq!(WindowsVersion::ALL[0], WindowsVersion::Windows2000);
        assert_eq!("nt4".parse::<WindowsVersion>().ok(), None);
    }),
    ("2 hours and 1 second by default", || {
        for version in WindowsVersion::ALL {
            let mut host = started(*version);
            let handle = connected(&mut host);
            set_keepalive(&mut host, handle, 1).unwrap();
            let (idle, interval, _) = numbers(&host, handle);
            assert_eq!((idle, interval), (7_200_000, 1_000));
        }
    }),
    ("SIO_KEEPALIVE_VALS sets one connection, and wins over the defaults and the registry", || {
        assert_eq!(SIO_KEEPALIVE_VALS, 0x9800_0004);
        for version in WindowsVersion::ALL {
            let entries = [(RegistryEntry::KeepAliveTime, 60_000), (RegistryEntry::KeepAliveInterval, 500)];
            let mut host = started_with(*version, &entries);
            let (one, other) = (connected(&mut host), connected(&mut host));
            set_vals(&mut host, one, 1, 12_345, 67).unwrap();
            set_keepalive(&mut host, other, 1).unwrap();
            let (idle, interval, _) = numbers(&host, one);
            assert_eq!((idle, interval), (12_345, 67));
            let effective = host.effective(one).unwrap();
            assert_eq!(effective.idle.origin, Origin::SioKeepaliveVals);
            let (idle, interval, _) = numbers(&host, other);
            assert_eq!((idle, interval), (60_000, 500));
            let effective = host.effective(other).unwrap();
            assert_eq!(effective.idle.origin, Origin::Registry(RegistryEntry::KeepAliveTime));
            assert_eq!(effective.interval.origin, Origin::Registry(RegistryEntry::KeepAliveInterval));
        }
    }),
    ("the registry entries have their names, in their key", || {
        assert_eq!(Registry::KEY, r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters");
        for entry in RegistryEntry::ALL {
            assert_eq!(RegistryEntry::from_name(&entry.name().to_uppercase()), Some(entry));
        }
        assert_eq!(RegistryEntry::from_name("KeepAlive"), None);
    }),
    ("TCP_KEEPIDLE 3 and TCP_KEEPINTVL 17, in seconds, from Windows 10 1709", || {
        assert_eq!((TCP_KEEPIDLE, TCP_KEEPINTVL, IPPROTO_TCP), (3, 17, 6));
        for version in WindowsVersion::ALL {
            let mut host = started(*version);
            let handle = connected(&mut host);
            let there = *version >= WindowsVersion::Windows10V1709;
            let expected = if there { Ok(()) } else { Err(WsaError::NoProtoOpt) };
            assert_eq!(set(&mut host, handle, IPPROTO_TCP, 3, 30), expected, "{version}");
            assert_eq!(set(&mut host, handle, IPPROTO_TCP, 17, 5), expected, "{version}");
            if there {
                assert_eq!(numbers(&host, handle), (30_000, 5_000, 10));
                assert_eq!(get(&mut host, handle, IPPROTO_TCP, 3), Ok(30));
                assert_eq!(get(&mut host, handle, IPPROTO_TCP, 17), Ok(5));
            }
        }
    }),
    ("TCP_KEEPCNT 16, from Windows 10 1703, up to 255", || {
        assert_eq!(TCP_KEEPCNT, 16);
        for version in WindowsVersion::ALL {
            let mut host = started(*version);
            let handle = connected(&mut host);
            let there = *version >= WindowsVersion::Windows10V1703;
            let expected = if there { Ok(()) } else { Err(WsaError::NoProtoOpt) };
            assert_eq!(set(&mut host, handle, IPPROTO_TCP, 16, 255), expected, "{version}");
            if there {
                assert_eq!(host.effective(handle).unwrap().count.value, 255);
                assert_eq!(get(&mut host, handle, IPPROTO_TCP, 16), Ok(255));
                assert_eq!(set(&mut host, handle, IPPROTO_TCP, 16, 256), Err(WsaError::Inval));
            }
        }
    }),
    ("Vista and later: 10 probes, whatever the registry and SIO_KEEPALIVE_VALS say", || {
        let entries = [
            (RegistryEntry::TcpMaxDataRetransmissions, 3),
            (RegistryEntry::PptpTcpMaxDataRetransmissions, 0),
        ];
        for version in WindowsVersion::ALL.iter().filter(|version| version.is_vista_or_later()) {
            let mut host = started_with(*version, &entries);
            let handle = connected(&mut host);
            set_vals(&mut host, handle, 1, 10_000, 1_000).unwrap();
            let count = host.effective(handle).unwrap().count;
            assert_eq!((count.value, count.origin), (10, Origin::Default));
        }
    }),
    ("before Vista: 5 probes, or the larger of the two entries, up to 255; 0 sends none", || {
        use RegistryEntry::{PptpTcpMaxDataRetransmissions as Pptp, TcpMaxDataRetransmissions as Data};
        let cases: [(&[_], u8, Origin); 11] = [
            (&[], 5, Origin::Default),
            (&[(Data, 3)], 3, Origin::Registry(Data)),
            (&[(Pptp, 7)], 7, Origin::Registry(Pptp)),
            (&[(Data, 3), (Pptp, 7)], 7, Origin::Registry(Pptp)),
            (&[(Data, 9), (Pptp, 7)], 9, Origin::Registry(Data)),
            (&[(Data, 4), (Pptp, 4)], 4, Origin::Registry(Data)),
            (&[(Data, 255), (Pptp, 0)], 255, Origin::Registry(Data)),
            (&[(Data, 256)], 255, Origin::Registry(Data)),
            (&[(Data, u32::MAX), (Pptp, 1)], 255, Origin::Registry(Data)),
            (&[(Data, 0), (Pptp, 0)], 0, Origin::Registry(Data)),
            (&[(Data, 0)], 0, Origin::Registry(Data)),
        ];
        for version in OLD {
            for (entries, value, origin) in &cases {
                let mut host = started_with(version, entries);
                let handle = connected(&mut host);
                set_keepalive(&mut host, handle, 1).unwrap();
                let effective = host.effective(handle).unwrap();
                assert_eq!((effective.count.value, effective.count.origin), (*value, *origin));
                assert_eq!(effective.sends_probes(), *value > 0);
            }
        }
    }),
];

#[test]
fn every_requirement_holds() {
    for (requirement, test) in ROWS {
        // What was being tested when an assertion fails is shown with its output.
        println!("{requirement}");
        test();
    }
}
