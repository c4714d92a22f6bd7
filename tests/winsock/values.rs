//! Names, numbers and forms in memory.

use std::collections::BTreeSet;

use keepscope::winsock::*;

#[test]
fn errors_have_their_windows_numbers() {
    for (error, name, code) in [
        (WsaError::Fault, "WSAEFAULT", 10014),
        (WsaError::Inval, "WSAEINVAL", 10022),
        (WsaError::InProgress, "WSAEINPROGRESS", 10036),
        (WsaError::NotSock, "WSAENOTSOCK", 10038),
        (WsaError::NoProtoOpt, "WSAENOPROTOOPT", 10042),
        (WsaError::NetDown, "WSAENETDOWN", 10050),
        (WsaError::NetReset, "WSAENETRESET", 10052),
        (WsaError::NotInitialised, "WSANOTINITIALISED", 10093),
    ] {
        assert_eq!((error.name(), error.code(), error as i32), (name, code, code));
        assert_eq!(WsaError::from_code(code), Some(error));
    }
    assert_eq!(WsaError::from_code(0), None);
    assert_eq!(WsaError::NotSock.to_string(), "WSAENOTSOCK (10038)");
    assert!(WsaError::ALL.is_sorted_by_key(|error| error.code()));
}

#[test]
fn the_structure_is_three_little_endian_dwords() {
    assert_eq!(size_of::<TcpKeepalive>(), TcpKeepalive::SIZE);
    assert_eq!(TcpKeepalive::SIZE, 12);
    let vals = TcpKeepalive { onoff: 1, keepalivetime: 7_200_000, keepaliveinterval: 1_000 };
    assert_eq!(vals.to_bytes(), [1, 0, 0, 0, 0x00, 0xdd, 0x6d, 0x00, 0xe8, 0x03, 0, 0]);
    assert_eq!(TcpKeepalive::from_bytes(&vals.to_bytes()[..11]), None);
}

#[test]
fn versions_are_read_as_they_are_written() {
    for version in WindowsVersion::ALL {
        assert_eq!(version.to_string().parse(), Ok(*version));
        assert_eq!(version.product().to_uppercase().parse(), Ok(*version));
    }
    for (text, version) in [
        ("2000", WindowsVersion::Windows2000),
        ("XP", WindowsVersion::Xp),
        ("2003", WindowsVersion::Server2003),
        ("vista", WindowsVersion::Vista),
        ("10-1703", WindowsVersion::Windows10V1703),
        ("11", WindowsVersion::Windows11V21H2),
    ] {
        assert_eq!(text.parse(), Ok(version));
    }
    for text in ["", "10", "95", "nt4", "10-1702", "windows"] {
        let error = text.parse::<WindowsVersion>().unwrap_err().to_string();
        assert!(error.contains("10-1703"), "{error}");
    }
}

#[test]
fn versions_are_in_order() {
    assert!(WindowsVersion::ALL.is_sorted());
    assert!(WindowsVersion::ALL.is_sorted_by_key(|version| version.build()));
    assert!(WindowsVersion::Server2003 < WindowsVersion::Vista);
    assert!(WindowsVersion::Server2016 < WindowsVersion::Windows10V1703);
    assert!(WindowsVersion::Windows10V1703.has_tcp_keepcnt());
    assert!(!WindowsVersion::Windows10V1703.has_tcp_keepidle());
    assert!(WindowsVersion::Server2019.has_tcp_keepidle());
}

#[test]
fn names_are_unique_and_points_are_explained() {
    let points: BTreeSet<&str> = Unverified::ALL.iter().map(|point| point.name()).collect();
    assert_eq!(points.len(), Unverified::ALL.len());
    for point in Unverified::ALL {
        let text = point.explanation();
        assert!(text.len() > 20 && !text.contains("  ") && !text.ends_with('.'), "{text}");
    }
    let versions: BTreeSet<&str> = WindowsVersion::ALL.iter().map(|version| version.name()).collect();
    assert_eq!(versions.len(), WindowsVersion::ALL.len());
    let origins = RegistryEntry::ALL.map(|entry| Origin::Registry(entry).name());
    assert_eq!(origins[3], "PPTPTcpMaxDataRetransmissions");
    assert_eq!(Origin::SioKeepaliveVals.name(), "SIO_KEEPALIVE_VALS");
}
