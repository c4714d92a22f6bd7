//! Through a real translation: what the far side sees, and what comes back once the box has forgotten.

use std::io::Write;

use keepscope::frame::{Frame, FrameId, LinkType};
use keepscope::partner::client::{Options, Told};
use keepscope::partner::message::{Back, Ending, Form, Number};
use keepscope::segment::decode::{Decoded, decode};
use keepscope::segment::{Segment, SeqNum};
use keepscope::time::{Span, Timestamp};

use crate::Responding;
use crate::far::{Far, ROUTER, SERVER};
use crate::near::{Near, secret};
use crate::net::{Tcpdump, Witnessed};

const WATCH: Span = Span::from_secs(3);

/// A responder on the far side and a session with it through the box.
fn session(far: &Far, version: usize) -> (Responding, Near) {
    let mut responding = Responding::on(&Far::listen(SERVER[version]), &["--netns", &far.server]);
    let near = Near::open(secret(), Options::default(), far.connector(responding.address));
    responding.told("session_opened");
    (responding, near.expect("a session"))
}

fn segment(seen: &Witnessed) -> Option<Segment> {
    let frame = Frame {
        id: FrameId::default(),
        time: Timestamp::from_nanos(seen.nanos),
        interface: 0,
        link: LinkType::Ethernet,
        fcs_len: 0,
        flags: None,
        names: None,
        wire_len: u32::try_from(seen.octets.len()).expect("a frame"),
        data: &seen.octets,
    };
    match decode(&frame) {
        Decoded::Segment(segment) => Some(segment),
        _ => None,
    }
}

#[test]
fn translation_shows_in_the_ends_that_the_far_side_sees() {
    let Some(far) = Far::new("masquerade to :50000-50100") else { return };
    for (version, router) in ROUTER.iter().enumerate() {
        let (mut responding, mut near) = session(&far, version);
        let mut tested = near.join(1);
        let own = tested.stream.local_addr().expect("an address");
        let seen = tested.joined.seen;
        assert_eq!(seen.remote.address.to_string(), *router);
        assert!((50_000..=50_100).contains(&seen.remote.port) && seen.remote.port != own.port(), "{seen}");
        assert_eq!(responding.told("joined")["remote"], seen.remote.to_string());
        tested.arm();
        let (id, _) = near.ask(1, Form::Data(1), WATCH);
        tested.probes(1);
        assert!(matches!(near.back(id), Back::Acknowledged { .. }));
        near.bye();
    }
}

#[test]
fn a_box_that_forgot_answers_in_place_of_the_client_or_lets_nothing_through() {
    // The port is kept, as most boxes do.
    let Some(far) = Far::new("masquerade") else { return };
    for version in [0, 1] {
        let (_responding, mut near) = session(&far, version);
        let forget = |port| if version == 0 { far.forget(port) } else { far.forget_v6(port) };
        let mut tested = [near.join(1), near.join(2)];
        let port = |one: &crate::near::Tested| one.stream.local_addr().expect("an address").port();
        assert_eq!(tested[0].joined.seen.remote.port, port(&tested[0]));
        // Once this is acknowledged nothing is on its way any more: a late acknowledgment from inside would make the
        // box remember.
        for (number, one) in (1..).zip(&mut tested) {
            let (id, _) = near.ask(number, Form::Data(1), WATCH);
            one.probes(1);
            assert!(matches!(near.back(id), Back::Acknowledged { .. }));
        }
        // The router's own TCP answers with a RST: the packet is for its address.
        forget(port(&tested[0]));
        let (id, _) = near.ask(1, Form::Data(1), WATCH);
        let Back::Ended { how: Ending::Reset, after } = near.back(id) else { panic!("no RST") };
        assert!(after < Span::from_secs(2), "{after}");
        assert!(matches!(near.next(), Told::Ended { number: Number(1), how: Ending::Reset, .. }));
        // Nothing is let in that is not asked for: silence, and the kernel goes on trying.
        far.nft("add table inet shut");
        far.nft("add chain inet shut in { type filter hook input priority 0; }");
        far.nft("add rule inet shut in iifname r1 meta l4proto tcp drop");
        forget(port(&tested[1]));
        let (id, _) = near.ask(2, Form::Data(1), WATCH);
        let back = near.back(id);
        let Back::Silence { tries, last } = back else { panic!("IPv{version}: {back:?}") };
        assert!(tries >= 2 && last > Span::ZERO && last <= WATCH.times(2), "{tries} {last}");
        // The control connection was not touched, and the session goes on.
        near.client.close(Number(2), true);
        near.write();
        let mut third = near.join(3);
        third.arm();
        near.bye();
        far.nft("delete table inet shut");
    }
}

#[test]
fn a_new_port_is_seen_by_who_is_behind_the_box() {
    let Some(far) = Far::new("masquerade random") else { return };
    let (mut responding, mut near) = session(&far, 0);
    assert!(near.client.welcome().expect("a session").abilities.strays);
    let mut tested = near.join(1);
    let (id, _) = near.ask(1, Form::Data(1), WATCH);
    tested.probes(1);
    assert!(matches!(near.back(id), Back::Acknowledged { .. }));
    far.forget(tested.stream.local_addr().expect("an address").port());
    // Outbound: the box makes a new entry with a new port, which the server has never heard of.
    let octet = [tested.test.arm()];
    tested.stream.write_all(&octet).expect("written");
    let Told::Stray { seen, .. } = near.next() else { panic!("a segment of no connection") };
    assert_eq!(seen.remote.address.to_string(), ROUTER[0]);
    assert_ne!(seen.remote.port, tested.joined.seen.remote.port);
    assert_eq!(responding.told("stray")["remote"], seen.remote.to_string());
}

#[test]
fn keepalive_probes_stand_just_before_what_is_sent_next() {
    let Some(far) = Far::new("masquerade") else { return };
    let (_responding, mut near) = session(&far, 0);
    let mut tested = near.join(1);
    let port = tested.stream.local_addr().expect("an address").port();
    // Nothing is on its way any more once this is acknowledged.
    let (id, _) = near.ask(1, Form::Data(1), WATCH);
    tested.probes(1);
    assert!(matches!(near.back(id), Back::Acknowledged { .. }));
    let mut tcpdump = Tcpdump::on(&far.client, "c0", &format!("tcp and dst port {port}"));
    let mut answers = Tcpdump::on(&far.client, "c0", &format!("tcp and src port {port}"));
    let mut snd_nxt = None::<SeqNum>;
    for octets in [1, 0, 1] {
        let wait = Span::from_millis(1_200);
        let id = near.client.ask(Number(1), Form::Keepalive(octets), wait, WATCH).expect("a session");
        assert!(matches!(near.next(), Told::Sent { ask, .. } if ask.id == id));
        assert!(matches!(near.back(id), Back::Acknowledged { .. }));
        let probe = segment(&tcpdump.packets(1)[0]).expect("a segment");
        let answer = segment(&answers.packets(1)[0]).expect("a segment");
        assert_eq!(probe.len, u32::from(octets));
        assert_eq!((answer.len, answer.ack), (0, probe.seq.plus(1)), "SEQ is SND.NXT-1");
        assert_eq!(probe.ack, answer.seq);
        assert!(snd_nxt.is_none_or(|known| known == answer.ack), "nothing was taken for data");
        snd_nxt = Some(answer.ack);
        assert_eq!(probe.options.timestamps.is_some(), answer.options.timestamps.is_some());
    }
    // And the connection is as it was.
    tested.arm();
    let (id, _) = near.ask(1, Form::Data(2), WATCH);
    tested.probes(2);
    assert!(matches!(near.back(id), Back::Acknowledged { .. }));
    near.bye();
}
