//! The TCP header, its options, and cut captures.

use keepscope::segment::decode::{Layer, Skip};
use keepscope::segment::{Options, SackBlock, Segment, SeqNum, TcpTimestamps};

use crate::frames::*;

fn with_options(options: &[u8]) -> Segment {
    segment(read(&ethernet(0x0800, &ipv4(6, &tcp(0x12, options, b"")))))
}

#[test]
fn the_options_of_a_syn() {
    #[rustfmt::skip]
    let linux = [
        2, 4, 0x05, 0xb4,                   // maximum segment size 1460
        4, 2,                               // SACK permitted
        8, 10, 0, 0, 0, 9, 0, 0, 0, 0,      // timestamps
        1,                                  // NOP
        3, 3, 7,                            // window scale 7
    ];
    let expected = Options {
        timestamps: Some(TcpTimestamps { value: 9, echo: 0 }),
        sack: None,
        window_scale: Some(7),
        mss: Some(1460),
        sack_permitted: true,
        incomplete: false,
    };
    assert_eq!(with_options(&linux).options, expected);
    assert_eq!(with_options(&[]).options, Options::default());
}

#[test]
fn timestamps_and_the_first_sack_block() {
    let timestamps = Some(TcpTimestamps { value: 0x0a0b_0c0d, echo: 0x0102_0304 });
    assert_eq!(with_options(&TIMESTAMPS).options, Options { timestamps, ..Options::default() });
    #[rustfmt::skip]
    let sack = [
        1, 1, 5, 18,                        // two blocks
        0, 0, 0, 1, 0, 0, 0, 2,             // the D-SACK
        0, 0, 1, 1, 0, 0, 1, 2,
    ];
    let block = Some(SackBlock { left: SeqNum(1), right: SeqNum(2) });
    let expected = Options { timestamps, sack: block, ..Options::default() };
    assert_eq!(with_options(&join(&[&TIMESTAMPS, &sack])).options, expected);
    assert_eq!(with_options(&join(&[&sack, &TIMESTAMPS])).options, expected);
}

#[test]
fn malformed_options_keep_what_was_read_before_them() {
    let segment = with_options(&join(&[&TIMESTAMPS, &[5, 0, 0, 0]]));
    assert_built(&segment, 0);
    assert!(segment.options.timestamps.is_some());
    assert!(segment.options.incomplete);
}

#[test]
fn a_header_beyond_its_packet_is_malformed() {
    let malformed = Skip::Malformed(Layer::Tcp);
    for offset in [0x00, 0x40, 0x60, 0xf0] {
        let mut header = tcp(0x10, &[], b"");
        header[12] = offset;
        assert_eq!(skip(read(&ethernet(0x0800, &ipv4(6, &header)))), malformed, "{offset:#x}");
    }
    // 19 or 10 octets by the IP length, though the padding behind them is there.
    for len in [19, 10] {
        let mut short = ethernet(0x0800, &ipv4(6, &tcp(0x10, &[], b"")[..len]));
        short.resize(60, 0);
        assert_eq!(skip(read(&short)), malformed);
    }
}

#[test]
fn every_cut_of_a_frame() {
    let whole = ethernet(0x0800, &ipv4(6, &tcp(0x18, &TIMESTAMPS, &[b'd'; 100])));
    for captured in 0..=whole.len() {
        let decoded = read_cut(&whole, captured);
        match captured {
            0..14 => assert_eq!(skip(decoded), Skip::Cut(Layer::Link), "{captured}"),
            14..34 => assert_eq!(skip(decoded), Skip::Cut(Layer::Ip), "{captured}"),
            34..50 => assert_eq!(skip(decoded), Skip::Cut(Layer::Tcp), "{captured}"),
            _ => {
                let segment = segment(decoded);
                assert_built(&segment, 100);
                assert_eq!(segment.flags.0, 0x18);
                assert_eq!(segment.options.incomplete, captured < 66, "{captured}");
                assert_eq!(segment.options.timestamps.is_some(), captured >= 66, "{captured}");
                assert_eq!(segment.first_octet, (captured > 66).then_some(b'd'), "{captured}");
            }
        }
    }
}

#[test]
fn a_header_without_options_is_complete_when_it_is_cut_behind_the_window() {
    let whole = ethernet(0x0800, &ipv4(6, &tcp(0x10, &[], b"x")));
    let segment = segment(read_cut(&whole, 14 + 20 + 16));
    assert_built(&segment, 1);
    assert!(!segment.options.incomplete);
    assert_eq!(segment.first_octet, None);
}
