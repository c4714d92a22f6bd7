//! How a session begins, or does not.

use keepscope::partner::VERSION;
use keepscope::partner::client::{ClientError, Told};
use keepscope::partner::codec::{CodecError, Frame, Frames, Opening};
use keepscope::partner::message::{Number, OverReason, Refusal};
use keepscope::partner::server::{Limits, News, Turned};
use keepscope::time::{Span, Timestamp};

use crate::pair::{ABLE, AHEAD, Pair, Served, secret, seen};

/// The frames in some octets.
pub fn frames(mut octets: &[u8]) -> Vec<Frame> {
    let mut frames = Frames::default();
    std::iter::from_fn(|| frames.next(&mut octets).expect("frames")).collect()
}

fn turned(served: &Served) -> Vec<Turned> {
    let why = |news: &News| match news {
        News::Turned { why, .. } => Some(*why),
        _ => None,
    };
    served.news.iter().filter_map(why).collect()
}

#[test]
fn a_session_opens_and_both_know_of_each_other() {
    let limits = Limits { connections: 77, ..Limits::default() };
    let mut pair = Pair::open(limits);
    let welcome = *pair.client.welcome().expect("a session");
    assert_eq!(welcome.allowance.connections, 77);
    assert_eq!(welcome.abilities, ABLE);
    assert_eq!(welcome.seen, seen(40_001));
    // The first ping was answered at once, so the clocks are known exactly.
    let there = Timestamp::from_nanos(5_000_000_000).plus(AHEAD);
    assert_eq!(pair.client.local_time(there), Some(Timestamp::from_nanos(5_000_000_000)));
    let (_, _) = pair.join(3);
    assert_eq!(pair.served.news.len(), 2);
    assert!(matches!(pair.served.news[1], News::Joined { session: 1, number: Number(3), .. }));
    pair.client.bye();
    pair.talk();
    assert!(pair.client.is_over() && pair.served.closed.len() == 2, "{:?}", pair.served.closed);
    let News::Over { reason, totals, .. } = pair.served.news[2] else { panic!("{:?}", pair.served.news) };
    assert_eq!((reason, totals.connections), (Some(OverReason::Bye), 1));
}

#[test]
fn without_a_secret_on_either_side_it_opens_too() {
    let mut pair = Pair::new("", "", Limits::default());
    pair.talk();
    assert!(matches!(pair.told[..], [Told::Open(_)]));
}

#[test]
fn secrets_that_differ_are_told_apart_and_the_right_one_is_not_given_away() {
    let cases = [
        ("correct horse", "battery staple", ClientError::WrongSecret),
        ("", "battery staple", ClientError::SecretWanted),
        ("correct horse", "", ClientError::NoSecretThere),
    ];
    for (of_client, of_server, error) in cases {
        let mut pair = Pair::new(of_client, of_server, Limits::default());
        pair.talk();
        assert_eq!(pair.failure(), Some(&error));
        let out = frames(&pair.served.written[&pair.control]);
        // Nothing but a challenge and a refusal: nothing that was made with the secret.
        for frame in &out {
            let said = Opening::decode(frame).expect("an opening");
            assert!(matches!(said, Opening::Challenge { .. } | Opening::Refused { .. }), "{said:?}");
        }
        assert_eq!(pair.served.server.sessions(), 0);
    }
}

#[test]
fn a_recorded_session_opens_nothing() {
    let mut pair = Pair::new("correct horse", "correct horse", Limits::default());
    let mut recorded = Vec::new();
    for _ in 0..4 {
        while let Some(octets) = pair.client.poll_octets() {
            recorded.extend_from_slice(&octets);
            pair.served.say(pair.control, &octets);
        }
        let answer = pair.served.take(pair.control);
        pair.client.on_octets(pair.served.now, &answer);
    }
    let test = pair.client.test(Number(1)).expect("a session");
    let join = test.begin();
    let first = pair.served.accept();
    pair.served.say(first, &join);
    // The session again, and the join while the session is open and when it is over.
    let again = pair.served.accept();
    pair.served.say(again, &recorded);
    let joined_again = pair.served.accept();
    pair.served.say(joined_again, &join);
    pair.client.bye();
    while let Some(octets) = pair.client.poll_octets() {
        pair.served.say(pair.control, &octets);
    }
    let too_late = pair.served.accept();
    pair.served.say(too_late, &join);
    assert_eq!(turned(&pair.served), [Turned::Secret, Turned::NoSession, Turned::NoSession]);
    for token in [again, joined_again, too_late] {
        assert!(pair.served.closed.contains_key(&token));
    }
    assert_eq!((pair.served.server.sessions(), pair.served.server.connections()), (0, 0));
}

#[test]
fn a_number_joins_once_and_only_by_who_has_the_key() {
    let mut pair = Pair::open(Limits::default());
    let (test, _) = pair.join(5);
    // The same again, and another number with the proof of this one.
    let frame = &frames(&test.begin())[0];
    let Ok(Opening::Join { version, session, mac, .. }) = Opening::decode(frame) else { panic!("a join") };
    let forged = Opening::Join { version, session, number: Number(6), mac }.encode();
    for octets in [test.begin(), forged.octets().to_vec()] {
        let token = pair.served.accept();
        pair.served.say(token, &octets);
        let said = frames(&pair.served.written[&token]);
        let refused = Opening::Refused { refusal: Refusal::NoSession, version: VERSION };
        assert_eq!(Opening::decode(&said[0]), Ok(refused));
    }
    // What is far behind is forgotten, and refused.
    pair.join(5_000);
    pair.join(4_999);
    let old = pair.client.test(Number(7)).expect("a session");
    let token = pair.served.accept();
    pair.served.say(token, &old.begin());
    assert_eq!(turned(&pair.served).len(), 3);
}

#[test]
fn other_versions_are_told_which_one_is_spoken() {
    let mut served = Served::new(secret("correct horse"), Limits::default());
    for version in [0, 2, u16::MAX] {
        let hello = Opening::Hello { version, nonce: [1; 32] }.encode();
        let token = served.accept();
        served.say(token, hello.octets());
        let refused = Opening::Refused { refusal: Refusal::Version, version: VERSION };
        assert_eq!(Opening::decode(&frames(&served.written[&token])[0]), Ok(refused));
        assert!(served.closed.contains_key(&token));
    }
    // And the other way about.
    let answers = [
        Opening::Challenge { version: 2, secret: true, nonce: [1; 32] },
        Opening::Refused { refusal: Refusal::Version, version: 2 },
    ];
    for answer in answers {
        let mut pair = Pair::new("correct horse", "correct horse", Limits::default());
        pair.client.on_octets(pair.served.now, answer.encode().octets());
        assert_eq!(pair.client.poll_told(), Some(Told::Failed(ClientError::Version(2))));
        assert!(pair.client.is_over());
    }
}

#[test]
fn who_does_not_know_the_secret_is_not_taken_for_a_partner() {
    let mut pair = Pair::new("correct horse", "correct horse", Limits::default());
    let challenge = Opening::Challenge { version: VERSION, secret: true, nonce: [9; 32] }.encode();
    pair.client.on_octets(pair.served.now, challenge.octets());
    // A welcome of another session, as a recording would have it.
    let other = Pair::open(Limits::default());
    let welcome = frames(&other.served.written[&other.control]).swap_remove(1);
    pair.client.on_octets(pair.served.now, welcome.octets());
    assert_eq!(pair.client.poll_told(), Some(Told::Failed(ClientError::NotProven)));
}

#[test]
fn other_servers_are_named_by_what_they_say() {
    let said: [(&[u8], &str); 4] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", r"SSH-2.0-OpenSSH_9.2p1\r\n"),
        (b"\x15\x03\x01\x00\x02\x02\x46", r"\x15\x03\x01\x00\x02\x02F"),
        (b"\x00\x01\x1b", r"\x00\x01\x1b"),
    ];
    for (octets, shown) in said {
        let mut pair = Pair::new("correct horse", "correct horse", Limits::default());
        pair.client.on_octets(pair.served.now, octets);
        let Some(Told::Failed(error)) = pair.client.poll_told() else { panic!("{octets:?} is no answer") };
        assert!(error.to_string().contains(shown), "{error}");
    }
    let mut pair = Pair::new("correct horse", "correct horse", Limits::default());
    pair.client.on_ended();
    assert_eq!(pair.client.poll_told(), Some(Told::Failed(ClientError::ClosedEarly)));
    let mut pair = Pair::new("correct horse", "correct horse", Limits::default());
    let due = pair.client.next_timeout().expect("a limit");
    assert_eq!(due.since(pair.served.now), Span::from_secs(10));
    pair.client.on_timeout(due);
    assert_eq!(pair.client.poll_told(), Some(Told::Failed(ClientError::SaysNothing(Span::from_secs(10)))));
}

#[test]
fn frames_have_a_length_that_is_allowed() {
    for (octets, error) in [([0, 0], 0), ([1, 255], 511), ([255, 255], 65_535)] {
        assert_eq!(Frames::default().next(&mut &octets[..]), Err(CodecError::Length(error)));
    }
    let longest = [&[1, 254, 1][..], &[0; 509]].concat();
    let mut rest = &longest[..];
    let frame = Frames::default().next(&mut rest).expect("allowed").expect("whole");
    assert_eq!(frame.octets().len(), 512);
    assert_eq!(Opening::decode(&frame), Err(CodecError::Malformed(1)));
}
