//! Whatever arrives, the engine ends, and nothing leaves at or above SND.NXT (the world checks each packet).

use keepscope::live::engine::plan::{Octets, Order};
use keepscope::live::wire::{Arrival, Ended, Handle};
use keepscope::segment::encode::Outbound;
use keepscope::segment::{Endpoint, Flags, Options, SackBlock, SeqNum, TcpTimestamps};
use keepscope::time::Span;
use proptest::prelude::*;

use crate::fake::{Act, Fake, Path, Peer};
use crate::{order, probe};

/// A segment that somebody forges, near to what would fit.
fn forged() -> impl Strategy<Value = Vec<u8>> {
    let near = |at: u32| {
        prop_oneof![(0_u32..8).prop_map(move |off| at.wrapping_add(off).wrapping_sub(3)), any::<u32>()]
    };
    let number = move || prop_oneof![near(1_000), near(70_000)];
    (
        any::<bool>(),
        0_u16..3,
        number(),
        number(),
        any::<u8>(),
        any::<u16>(),
        0_usize..4,
        any::<Option<(u32, u32)>>(),
    )
        .prop_map(|(ours, port, seq, ack, flags, window, length, stamps)| {
            let local = Endpoint { address: "192.0.2.1".parse().unwrap(), port: 40_000 + port };
            let remote = Endpoint { address: "198.51.100.2".parse().unwrap(), port: 443 };
            let (source, destination) = if ours { (local, remote) } else { (remote, local) };
            let mut octets = vec![];
            let outbound = Outbound {
                source,
                destination,
                seq: SeqNum(seq),
                ack: SeqNum(ack),
                flags: Flags(flags),
                window,
                options: Options {
                    timestamps: stamps.map(|(value, echo)| TcpTimestamps { value, echo }),
                    sack: (length == 3).then_some(SackBlock { left: SeqNum(ack), right: SeqNum(seq) }),
                    window_scale: (window % 5 == 0).then_some((window % 17) as u8),
                    sack_permitted: window % 3 == 0,
                    ..Options::default()
                },
                payload: &[0; 4][..length],
                ttl: window as u8,
                ip_id: window,
                dont_fragment: length > 1,
            };
            outbound.packet(&mut octets).unwrap();
            octets
        })
}

#[derive(Clone, Debug)]
enum Trouble {
    Frame(Vec<u8>),
    Ended(u32, Ended),
    Opened(u32, u16),
    Lost,
    Stepped(i64),
    Interrupted,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let how = prop::sample::select(vec![
        Ended::Refused,
        Ended::Reset,
        Ended::TimedOut,
        Ended::Unreachable,
        Ended::ClosedByPeer,
        Ended::Other(99),
    ]);
    prop_oneof![
        12 => forged().prop_map(Trouble::Frame),
        4 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Trouble::Frame),
        1 => (0_u32..4, how).prop_map(|(handle, how)| Trouble::Ended(handle, how)),
        1 => (0_u32..4, 0_u16..2).prop_map(|(handle, port)| Trouble::Opened(handle, port)),
        1 => Just(Trouble::Lost),
        1 => any::<i64>().prop_map(Trouble::Stepped),
        1 => Just(Trouble::Interrupted),
    ]
}

fn path() -> impl Strategy<Value = Path> {
    prop::sample::select(vec![Path::Open, Path::Drops, Path::Resets, Path::Forgotten, Path::Kept, Path::Gone])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_arrives_it_ends_and_sends_only_below_snd_nxt(
        troubles in prop::collection::vec((0_i64..6_000, trouble()), 0..40),
        paths in prop::collection::vec((0_i64..6_000, path()), 0..3),
        octets in prop::sample::select(vec![Octets::Zero, Octets::One, Octets::Both]),
    ) {
        let mut peer = Peer::default();
        for (after, path) in paths {
            peer = peer.then(Span::from_millis(after), Act::Path(path));
        }
        let mut world = Fake::new(vec![peer]);
        for (after, trouble) in troubles {
            let after = Span::from_millis(after);
            match trouble {
                Trouble::Frame(octets) => world.frame_later(after, octets),
                Trouble::Ended(handle, how) => {
                    world.later(after, move || Arrival::Ended { handle: Handle(handle), how });
                }
                Trouble::Opened(handle, port) => {
                    let local = Endpoint { address: "192.0.2.1".parse().unwrap(), port: 40_000 + port };
                    let remote = Endpoint { address: "198.51.100.2".parse().unwrap(), port: 443 };
                    world.later(after, move || Arrival::Opened { handle: Handle(handle), local, remote });
                }
                Trouble::Lost => world.later(after, || Arrival::InterfaceLost { name: "lost".to_owned() }),
                Trouble::Stepped(nanos) => world.later(after, move || Arrival::ClockStepped { nanos }),
                Trouble::Interrupted => world.later(after, || Arrival::Interrupted),
            }
        }
        let (report, _) = probe(&mut world, vec![Order { octets, ..order() }; 2]);
        prop_assert_eq!(report.connections.len(), 2);
        for probed in &report.connections {
            prop_assert!(!probed.verdict.reason.is_empty());
        }
    }
}
