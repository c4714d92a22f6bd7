//! Arbitrary octets and arbitrary damage: always an end, never a panic.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::bytes::*;

fn check(octets: &[u8]) {
    let read = read(octets);
    for pair in read.frames.windows(2) {
        assert!(pair[0].number < pair[1].number);
    }
    for frame in &read.frames {
        assert!(frame.data.len() <= 262_144);
        assert!(frame.wire_len as usize >= frame.data.len());
    }
    for (index, problem) in read.problems.iter().enumerate() {
        assert!(read.problems[..index].iter().all(|other| other.kind != problem.kind));
    }
}

fn samples() -> Vec<Vec<u8>> {
    let mut rich = Out::new(Order::Big);
    rich.section()
        .interface(1, 96, &[(9, &[9]), (13, &[4]), (2, b"eth0")])
        .interface(113, 0, &[(9, &[0x94])])
        .packet(0, 1_700_000_000_000_000_000, &[1; 61])
        .packet(1, 1_700_000_000 << 20, &[2; 54])
        .block(3, |out| {
            out.u32(54).raw(&[3; 56]);
        })
        .block(2, |out| {
            out.u16(1).u16(0).u32(0).u32(7).u32(5).u32(5).padded(&[4; 5]);
        })
        .block(5, |out| {
            out.u32(0).u32(0).u32(0);
        });
    let rich = [rich.octets, small_pcapng(Order::Little, 3)].concat();
    let pcap = small_pcap(Order::Little, 4);
    let packed = [gzip, zstd, xz].iter().flat_map(|pack| [pack(&rich), pack(&pcap)]);
    packed.chain([small_pcap(Order::Big, 4), pcap.clone(), rich.clone()]).collect()
}

proptest! {
    #[test]
    fn arbitrary_octets(octets in vec(any::<u8>(), 0..2_000)) {
        check(&octets);
    }

    #[test]
    fn arbitrary_octets_after_a_magic(
        magic in prop::sample::select(vec![
            [0xa1, 0xb2, 0xc3, 0xd4], [0x4d, 0x3c, 0xb2, 0xa1], [0x34, 0xcd, 0xb2, 0xa1],
            [0x0a, 0x0d, 0x0d, 0x0a], [0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd],
            [0xfd, b'7', b'z', b'X'],
        ]),
        octets in vec(prop_oneof![3 => Just(0u8), 1 => any::<u8>()], 0..2_000),
    ) {
        check(&[&magic[..], &octets].concat());
    }

    #[test]
    fn arbitrary_damage(
        sample in prop::sample::select(samples()),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
        twice in any::<bool>(),
    ) {
        let mut octets = sample;
        for (index, octet) in changes {
            let at = index.index(octets.len());
            octets[at] = octet;
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len()));
        }
        if twice {
            octets.extend_from_within(..);
        }
        check(&octets);
    }
}
