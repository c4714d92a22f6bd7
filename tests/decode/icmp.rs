//! ICMP and ICMPv6 errors.

use keepscope::segment::IcmpKind;
use keepscope::segment::decode::{Decoded, Layer, Skip};

use crate::frames::*;

/// The 8 octets of an ICMP header.
fn header(kind: u8, code: u8) -> [u8; 8] {
    [kind, code, 0, 0, 0, 0, 5, 0xdc]
}

fn v4(kind: u8, code: u8, quote: &[u8]) -> Decoded {
    read(&ethernet(0x0800, &ipv4(1, &join(&[&header(kind, code), quote]))))
}

fn v6(kind: u8, code: u8, quote: &[u8]) -> Decoded {
    read(&ethernet(0x86dd, &ipv6(58, &join(&[&header(kind, code), quote]))))
}

/// As much of a packet as RFC 792 asks to quote.
fn quote4() -> Vec<u8> {
    ipv4(6, &tcp(0x10, &TIMESTAMPS, &[0; 100]))[..28].to_vec()
}

fn quote6() -> Vec<u8> {
    ipv6(6, &tcp(0x10, &TIMESTAMPS, &[0; 100]))
}

#[test]
fn errors_of_ipv4() {
    for (kind, code, expected) in [
        (3, 0, IcmpKind::Unreachable(0)),
        (3, 13, IcmpKind::Unreachable(13)),
        (3, 4, IcmpKind::PacketTooBig),
        (11, 1, IcmpKind::TimeExceeded(1)),
        (12, 2, IcmpKind::ParameterProblem(2)),
    ] {
        let error = error(v4(kind, code, &quote4()));
        assert_eq!(error.kind, expected);
        assert_eq!((error.reporter, error.ttl), (address("10.0.0.1"), 63));
        assert_eq!(error.source.to_string(), "10.0.0.1:40000");
        assert_eq!(error.destination.to_string(), "10.0.0.2:443");
        assert_eq!(error.seq.0, SEQ);
        assert_eq!((error.id.capture, error.id.number), (3, 17));
    }
}

#[test]
fn errors_of_ipv6() {
    for (kind, code, expected) in [
        (1, 4, IcmpKind::Unreachable(4)),
        (2, 0, IcmpKind::PacketTooBig),
        (3, 0, IcmpKind::TimeExceeded(0)),
        (4, 1, IcmpKind::ParameterProblem(1)),
    ] {
        let error = error(v6(kind, code, &quote6()));
        assert_eq!(error.kind, expected);
        assert_eq!((error.reporter, error.ttl), (address("2001:db8::1"), 62));
        assert_eq!(error.source.to_string(), "[2001:db8::1]:40000");
        assert_eq!(error.destination.to_string(), "[2001:db8::2]:443");
        assert_eq!(error.seq.0, SEQ);
    }
}

#[test]
fn quotes_with_options_and_extension_headers() {
    let segment = tcp(0x10, &[], b"");
    let quote = ipv4_stating(9000, 6, 0x4000, &[1; 12], &segment);
    assert_eq!(error(v4(11, 0, &quote)).seq.0, SEQ);
    // Hop-by-hop, then an atomic fragment.
    let chain = join(&[&[44, 0, 1, 4, 0, 0, 0, 0], &[6, 0, 0, 0, 0, 0, 0, 1], &segment]);
    assert_eq!(error(v6(3, 0, &ipv6(0, &chain))).seq.0, SEQ);
    assert_eq!(skip(v6(3, 0, &ipv6(0, &chain)[..40 + 12])), Skip::Cut(Layer::IcmpQuote));
}

#[test]
fn a_quoted_first_fragment_has_the_ports_and_a_later_one_has_not() {
    let segment = tcp(0x10, &[], b"");
    assert_eq!(error(v4(11, 0, &ipv4_stating(40, 6, 0x2000, &[], &segment))).seq.0, SEQ);
    assert_eq!(skip(v4(11, 0, &ipv4_stating(40, 6, 0x2001, &[], &segment))), Skip::Fragment);
    let first = join(&[&[6, 0, 0, 1, 0, 0, 0, 1], &segment]);
    let later = join(&[&[6, 0, 0, 8, 0, 0, 0, 1], &segment]);
    assert_eq!(error(v6(3, 1, &ipv6(44, &first))).seq.0, SEQ);
    assert_eq!(skip(v6(3, 1, &ipv6(44, &later))), Skip::Fragment);
}

#[test]
fn icmp_that_is_no_error_about_tcp() {
    for kind in [0, 4, 5, 8, 13] {
        assert_eq!(skip(v4(kind, 0, &quote4())), Skip::NotTcp(1), "type {kind}");
    }
    for kind in [128, 129, 133, 135, 137] {
        assert_eq!(skip(v6(kind, 0, &quote6())), Skip::NotTcp(58), "type {kind}");
    }
    assert_eq!(skip(v4(3, 3, &ipv4(17, &[0; 8]))), Skip::NotTcp(1));
    assert_eq!(skip(v6(1, 4, &ipv6(17, &[0; 8]))), Skip::NotTcp(58));
}

#[test]
fn quotes_that_are_too_short_or_no_packet() {
    let cut = Skip::Cut(Layer::IcmpQuote);
    for kept in 0..28 {
        assert_eq!(skip(v4(3, 1, &quote4()[..kept])), cut, "{kept}");
    }
    for kept in 0..48 {
        assert_eq!(skip(v6(1, 0, &quote6()[..kept])), cut, "{kept}");
    }
    assert_eq!(skip(v4(3, 1, &quote6())), Skip::Malformed(Layer::IcmpQuote));
    assert_eq!(skip(v6(1, 0, &quote4().repeat(2))), Skip::Malformed(Layer::IcmpQuote));
    // The same by the snapshot length of the capture.
    let whole = ethernet(0x0800, &ipv4(1, &join(&[&header(3, 1), &quote4()])));
    assert_eq!(skip(read_cut(&whole, 35)), cut);
    assert_eq!(skip(read_cut(&whole, whole.len() - 1)), cut);
}
