//! Whoever else may be at one end: other programs, forgers, and noise. Nothing panics, nothing grows, and before a
//! connection is authenticated no more octets go out than came in.

use keepscope::partner::client::{Client, ClientError, Options, Told};
use keepscope::partner::codec::{Frames, Opening};
use keepscope::partner::message::{Number, OverReason, SessionId};
use keepscope::partner::server::{Limits, News, Token, Turned};
use keepscope::partner::{VERSION, octet};
use keepscope::time::Span;
use proptest::prelude::*;

use crate::pair::{Pair, START, Served, secret};

/// What other programs say first.
const OTHERS: [&[u8]; 6] = [
    b"GET / HTTP/1.1\r\nHost: example.net\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"SSH-2.0-OpenSSH_9.2p1\r\n",
    b"\x00\x00\x00\x55\xffSMB",
    b"\x03\x00\x00\x13\x0e\xe0\x00\x00",
    b"\n\n\n\n\n\n",
];

fn served() -> Served {
    Served::new(secret("correct horse"), Limits::default())
}

#[test]
fn other_programs_are_sent_away_without_a_word() {
    let mut served = served();
    for said in OTHERS {
        let token = served.accept();
        served.say(token, said);
        // Some would have to say more until it is known.
        served.wait(Span::from_secs(5));
        assert!(served.closed.contains_key(&token), "{said:?}");
        assert_eq!(served.out(token), 0, "{said:?}");
    }
    assert_eq!(served.server.connections(), 0);
}

#[test]
fn a_thousand_connections_without_a_word_are_bounded_and_short() {
    let mut served = served();
    for count in 1..=1_000 {
        served.accept();
        assert!(served.server.connections() <= 64);
        assert_eq!(served.closed.len(), usize::saturating_sub(count, 64));
    }
    // Who knows the secret gets in all the same.
    let mut client = Client::new(secret("correct horse"), Options::default(), [1; 32], served.now);
    let control = served.accept();
    for _ in 0..3 {
        while let Some(octets) = client.poll_octets() {
            served.say(control, &octets);
        }
        // Others keep coming.
        for _ in 0..20 {
            served.accept();
        }
        let answer = served.take(control);
        client.on_octets(served.now, &answer);
    }
    assert!(matches!(client.poll_told(), Some(Told::Open(_))));
    served.wait(Span::from_secs(5));
    assert_eq!(served.server.connections(), 1);
    assert_eq!(served.written.len(), 1, "nothing is said to them");
    let silent = |news: &&News| matches!(news, News::Turned { why: Turned::SaidNothing, .. });
    assert_eq!(served.news.iter().filter(silent).count(), 64);
}

#[test]
fn slow_visitors_have_as_much_time_as_others() {
    let mut served = served();
    let token = served.accept();
    let hello = Opening::Hello { version: VERSION, nonce: [1; 32] }.encode();
    for octet in hello.octets().iter().take(40) {
        served.say(token, &[*octet]);
        served.wait(Span::from_millis(120));
    }
    assert!(!served.closed.contains_key(&token));
    served.wait(Span::from_millis(300));
    assert!(served.closed.contains_key(&token));
    assert!(matches!(served.news[..], [News::Turned { why: Turned::TooSlow, .. }]));
    // Also after its hello.
    let token = served.accept();
    served.say(token, hello.octets());
    served.wait(Span::from_secs(5));
    assert!(served.closed.contains_key(&token));
}

#[test]
fn what_comes_after_the_end_is_not_looked_at() {
    let mut pair = Pair::open(Limits::default());
    pair.served.say(pair.control, &[0, 0, 0]);
    pair.talk();
    assert_eq!(pair.failure(), Some(&ClientError::Over(OverReason::Nonsense)));
    let before = pair.served.out(pair.control);
    pair.served.say(pair.control, &[0; 100]);
    pair.served.server.on_ended(
        pair.served.now,
        pair.control,
        keepscope::partner::message::Ending::Fin,
        Span::ZERO,
    );
    pair.served.act();
    assert_eq!(pair.served.out(pair.control), before);
}

/// A partner that says what was not asked, with the right key: the client's own messages come back as in a mirror, or
/// a message twice.
#[test]
fn a_partner_that_makes_no_sense_is_left() {
    // A message of the server twice.
    let mut pair = Pair::open(Limits::default());
    let last = pair.served.written[&pair.control].clone();
    pair.client.on_octets(pair.served.now, &last[last.len() - 37..]);
    assert!(matches!(pair.client.poll_told(), Some(Told::Failed(ClientError::Codec(_)))));
    // The client's own messages.
    let mut mirror = Client::new(secret("correct horse"), Options::default(), [1; 32], START);
    let hello = mirror.poll_octets().expect("a hello");
    mirror.on_octets(START, &hello);
    assert!(matches!(mirror.poll_told(), Some(Told::Failed(ClientError::NotPartner(_)))));
    // On a test connection.
    for octets in [&b"e"[..], b"E", b"p\0"] {
        let mut pair = Pair::open(Limits::default());
        let (mut test, _) = pair.join(1);
        assert!(matches!(test.on_octets(octets), Err(ClientError::Nonsense(_))), "{octets:?}");
    }
    let mut pair = Pair::open(Limits::default());
    let (_, other) = pair.join(1);
    // The answer to another number.
    let mut test = pair.client.test(Number(2)).expect("a session");
    assert!(matches!(test.on_octets(&pair.served.written[&other]), Err(ClientError::Codec(_))));
}

/// Something that may be said to a fresh connection: noise, or openings with some of it right.
fn said() -> impl Strategy<Value = Vec<u8>> {
    let version = prop_oneof![Just(VERSION), any::<u16>()];
    let hello = (version.clone(), any::<[u8; 32]>())
        .prop_map(|(version, nonce)| Opening::Hello { version, nonce }.encode().octets().to_vec());
    let join = (version, any::<[u8; 16]>(), any::<u32>(), any::<[u8; 32]>()).prop_map(
        |(version, session, number, mac)| {
            let join = Opening::Join { version, session: SessionId(session), number: Number(number), mac };
            join.encode().octets().to_vec()
        },
    );
    let proof = any::<[u8; 32]>().prop_map(|proof| Opening::Proof(proof).encode().octets().to_vec());
    let noise = prop::collection::vec(any::<u8>(), 0..200);
    // A length that is allowed, and anything behind it.
    let framed = prop::collection::vec(any::<u8>(), 1..200).prop_map(|body| {
        let length = u16::try_from(body.len()).expect("short");
        [&length.to_be_bytes()[..], &body].concat()
    });
    prop_oneof![3 => hello, 2 => join, 2 => proof, 1 => noise, 1 => framed]
}

/// Octets cut into pieces.
fn pieces(octets: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(octets.len() + 1)).collect();
    places.extend([0, octets.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| octets[pair[0]..pair[1]].to_vec()).collect()
}

/// The places where octets are cut.
fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_is_amplified_before_the_secret_is_known(
        said in prop::collection::vec(said(), 1..6),
        cuts in cuts(),
    ) {
        let mut served = served();
        let token = served.accept();
        let mut came = 0;
        for piece in pieces(&said.concat(), &cuts) {
            came += piece.len();
            served.say(token, &piece);
            prop_assert!(served.out(token) <= came, "{} out of {came}", served.out(token));
        }
        prop_assert_eq!(served.server.sessions(), 0);
        served.wait(Span::from_secs(5));
        prop_assert!(served.closed.contains_key(&token));
        prop_assert_eq!(served.server.connections(), 0);
    }

    /// However octets are cut, the same is said.
    #[test]
    fn pieces_make_no_difference(cuts in cuts(), again in cuts()) {
        let mut pair = Pair::new("correct horse", "correct horse", Limits::default());
        let mut exchanged = 0;
        while exchanged < 6 && !pair.client.is_over() {
            exchanged += 1;
            let mut out = Vec::new();
            while let Some(octets) = pair.client.poll_octets() {
                out.extend(octets);
            }
            for piece in pieces(&out, &cuts) {
                pair.served.say(pair.control, &piece);
            }
            let back = pair.served.take(pair.control);
            for piece in pieces(&back, &again) {
                pair.client.on_octets(pair.served.now, &piece);
            }
        }
        prop_assert!(matches!(pair.client.poll_told(), Some(Told::Open(_))));
        prop_assert_eq!(pair.client.poll_told(), None);
        prop_assert!(pair.client.offset().is_some(), "the ping was answered");
    }

    /// Noise on an open control connection ends the session, and only that.
    #[test]
    fn noise_ends_the_session_and_no_other(noise in prop::collection::vec(any::<u8>(), 1..600)) {
        let mut pair = Pair::open(Limits::default());
        pair.join(1);
        let mut bystander = Client::new(secret("correct horse"), Options::default(), [2; 32], pair.served.now);
        let control = pair.served.accept();
        for _ in 0..3 {
            while let Some(octets) = bystander.poll_octets() {
                pair.served.say(control, &octets);
            }
            let answer = pair.served.take(control);
            bystander.on_octets(pair.served.now, &answer);
        }
        pair.served.say(pair.control, &noise);
        pair.served.wait(Span::from_secs(59));
        prop_assert!(pair.served.sends.is_empty());
        // It may be the beginning of a message; then the session expires.
        pair.served.wait(Span::from_secs(1));
        prop_assert!(pair.served.closed.contains_key(&pair.control));
        prop_assert!(!bystander.is_over());
    }

    /// Noise from the server fails the client once, at whatever moment.
    #[test]
    fn noise_fails_the_client_once(
        noise in prop::collection::vec(any::<u8>(), 512..1200),
        opened in any::<bool>(),
        cuts in cuts(),
    ) {
        let mut pair = if opened {
            Pair::open(Limits::default())
        } else {
            Pair::new("correct horse", "correct horse", Limits::default())
        };
        for piece in pieces(&noise, &cuts) {
            pair.client.on_octets(pair.served.now, &piece);
        }
        prop_assert!(pair.client.is_over());
        prop_assert!(matches!(pair.client.poll_told(), Some(Told::Failed(_))));
        pair.client.on_ended();
        pair.client.on_timeout(pair.served.now.plus(Span::from_secs(1_000)));
        prop_assert_eq!(pair.client.poll_told(), None);
        prop_assert_eq!(pair.client.next_timeout(), None);
    }

    /// On a test connection: at most one octet out for one in, and anything unknown ends it.
    #[test]
    fn a_test_connection_echoes_and_nothing_else(
        octets in prop::collection::vec(prop_oneof![
            4 => Just(octet::ECHO), 2 => Just(octet::SILENT), 1 => any::<u8>()
        ], 0..100),
        cuts in cuts(),
    ) {
        let mut pair = Pair::open(Limits::default());
        let (_, token) = pair.join(1);
        for piece in pieces(&octets, &cuts) {
            pair.served.say(token, &piece);
        }
        let sense = octets.iter().position(|said| ![octet::ECHO, octet::SILENT].contains(said));
        let until = sense.unwrap_or(octets.len());
        let echoes = octets[..until].iter().filter(|said| **said == octet::ECHO).count();
        prop_assert_eq!(pair.served.take(token), vec![octet::ECHOED; echoes]);
        prop_assert_eq!(pair.served.closed.contains_key(&token), sense.is_some());
    }

    /// A finder of frames holds one frame at most, and gives back what was put in.
    #[test]
    fn frames_hold_one_at_most(octets in prop::collection::vec(any::<u8>(), 0..2000), cuts in cuts()) {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        let mut taken = 0;
        'all: for piece in pieces(&octets, &cuts) {
            let mut rest = &piece[..];
            loop {
                let before = rest.len();
                let next = frames.next(&mut rest);
                taken += before - rest.len();
                prop_assert!(frames.pending() <= 512);
                match next {
                    Ok(Some(frame)) => found.extend_from_slice(frame.octets()),
                    Ok(None) => break,
                    Err(_) => break 'all,
                }
            }
            prop_assert!(rest.is_empty());
        }
        prop_assert_eq!(found.len() + frames.pending(), taken);
        prop_assert_eq!(&octets[..found.len()], &found[..]);
    }
}

#[test]
fn tokens_that_are_not_known_are_nobody() {
    let mut served = served();
    served.say(Token(9_999), b"anything");
    assert_eq!(served.server.connections(), 0);
    assert!(served.written.is_empty());
}
