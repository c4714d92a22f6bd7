//! Messages of a session as octets: what is written is read as the same, and what is read has one form only.

use proptest::prelude::*;

use super::*;
use crate::partner::Tuple;
use crate::partner::message::{Abilities, Ask, AskId, Back, Ending, Form, MOST_OCTETS, NotSent, OverReason};
use crate::partner::secret::Secret;
use crate::segment::Endpoint;
use crate::time::{Span, Timestamp};

fn span() -> impl Strategy<Value = Span> {
    (0..=i64::MAX).prop_map(Span::from_nanos)
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_nanos)
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let address = prop_oneof![
        any::<[u8; 4]>().prop_map(std::net::IpAddr::from),
        any::<[u8; 16]>().prop_map(std::net::IpAddr::from)
    ];
    (address, any::<u16>()).prop_map(|(address, port)| Endpoint { address, port })
}

fn tuple() -> impl Strategy<Value = Tuple> {
    (endpoint(), endpoint()).prop_map(|(local, remote)| Tuple { local, remote })
}

fn request() -> impl Strategy<Value = Request> {
    let form = prop_oneof![(1..=MOST_OCTETS).prop_map(Form::Data), (0..=1_u8).prop_map(Form::Keepalive)];
    let ask =
        (any::<u32>(), any::<u32>(), form, span(), span()).prop_map(|(id, number, form, after, watch)| {
            Request::Ask(Ask { id: AskId(id), number: Number(number), form, after, watch })
        });
    prop_oneof![
        ask,
        (any::<u32>(), any::<bool>())
            .prop_map(|(number, abort)| Request::Close { number: Number(number), abort }),
        any::<u64>().prop_map(Request::Ping),
        Just(Request::Bye),
    ]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        Just(Ending::Reset),
        Just(Ending::Fin),
        Just(Ending::TimedOut),
        Just(Ending::Unreachable),
        Just(Ending::Strange),
        Just(Ending::Limit),
        any::<u16>().prop_map(Ending::Other),
    ]
}

fn report() -> impl Strategy<Value = Report> {
    use NotSent::{Limit, NoConnection, NotAble, Refused};
    use OverReason::{Bye, Expired, Lasted, Nonsense, Stopped, TooMany};
    let back = prop_oneof![
        span().prop_map(|after| Back::Acknowledged { after }),
        (ending(), span()).prop_map(|(how, after)| Back::Ended { how, after }),
        (any::<u16>(), span()).prop_map(|(tries, last)| Back::Silence { tries, last }),
    ];
    let id = || any::<u32>().prop_map(AskId);
    let why = prop::sample::select(vec![NoConnection, Limit, NotAble, Refused]);
    let over = prop::sample::select(vec![Expired, Lasted, Stopped, Nonsense, TooMany, Bye]);
    prop_oneof![
        (id(), time(), span()).prop_map(|(id, at, idle)| Report::Sent { id, at, idle }),
        (id(), why).prop_map(|(id, why)| Report::NotSent { id, why }),
        (id(), time(), back).prop_map(|(id, at, back)| Report::Back { id, at, back }),
        (any::<u32>().prop_map(Number), time(), ending(), span())
            .prop_map(|(number, at, how, idle)| Report::Ended { number, at, how, idle }),
        (time(), tuple()).prop_map(|(at, seen)| Report::Stray { at, seen }),
        (any::<u64>(), time()).prop_map(|(token, at)| Report::Pong { token, at }),
        over.prop_map(Report::Over),
    ]
}

fn welcome() -> impl Strategy<Value = Welcome> {
    let allowance = (any::<u16>(), any::<u16>(), any::<u32>(), span(), span(), span()).prop_map(
        |(connections, messages, octets, expire, lasts, watch)| Allowance {
            connections,
            messages,
            octets,
            expire,
            lasts,
            watch,
        },
    );
    let abilities = (any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(keepalive, garbage, strays)| Abilities { keepalive, garbage, strays });
    (any::<[u8; 16]>(), allowance, abilities, time(), tuple()).prop_map(
        |(session, allowance, abilities, now, seen)| Welcome {
            session: SessionId(session),
            allowance,
            abilities,
            now,
            seen,
        },
    )
}

fn seal() -> Seal {
    Seal::new(Secret::new(b"correct horse").unwrap().keys(b"transcript").to_server)
}

/// The frame as it comes out of a stream of octets.
fn through_a_stream(frame: &Frame) -> Frame {
    let mut octets = frame.octets();
    let found = Frames::default().next(&mut octets).unwrap().unwrap();
    assert!(octets.is_empty() && found == *frame);
    found
}

proptest! {
    #[test]
    fn requests_are_read_as_they_were_written(request in request()) {
        let frame = through_a_stream(&seal().request(&request));
        prop_assert_eq!(seal().open_request(&frame), Ok(request));
    }

    #[test]
    fn reports_are_read_as_they_were_written(report in report()) {
        let frame = through_a_stream(&seal().report(&report));
        prop_assert_eq!(seal().open_report(&frame), Ok(report));
    }

    #[test]
    fn welcomes_are_read_as_they_were_written(welcome in welcome()) {
        let frame = through_a_stream(&seal().welcome(&welcome));
        prop_assert_eq!(seal().open_welcome(&frame), Ok(welcome));
    }

    /// Whoever knows the key may still say anything: what is understood is written as it was read.
    #[test]
    fn a_value_has_one_form(kind in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut reader = Reader::new(&body);
        if let Ok(request) = request::decode(kind, &mut reader) {
            let again = request::encode(&request).finish();
            prop_assert_eq!((again.kind(), again.body()), (kind, &body[..]));
        }
        let mut reader = Reader::new(&body);
        if let Ok(report) = report::decode(kind, &mut reader) {
            let again = report::encode(&report).finish();
            prop_assert_eq!((again.kind(), again.body()), (kind, &body[..]));
        }
    }

    /// The same for messages that are nearly right: one octet is another, or there is one more or less.
    #[test]
    fn a_value_has_one_form_near_what_is_said(
        request in request(),
        report in report(),
        place in any::<prop::sample::Index>(),
        octet in any::<u8>(),
        change in 0..3,
    ) {
        for written in [request::encode(&request).finish(), report::encode(&report).finish()] {
            let mut body = written.body().to_vec();
            match change {
                0 if !body.is_empty() => *place.get_mut(&mut body) = octet,
                1 => body.push(octet),
                _ => drop(body.pop()),
            }
            let mut reader = Reader::new(&body);
            if let Ok(read) = request::decode(written.kind(), &mut reader) {
                let again = request::encode(&read).finish();
                prop_assert_eq!(again.body(), &body[..]);
            }
            let mut reader = Reader::new(&body);
            if let Ok(read) = report::decode(written.kind(), &mut reader) {
                let again = report::encode(&read).finish();
                prop_assert_eq!(again.body(), &body[..]);
            }
        }
    }

    /// A frame that was changed anywhere, or comes a second time, or in the place of another, is not read.
    #[test]
    fn the_seal_shows_every_change(request in request(), place in any::<prop::sample::Index>(), by in 1..=255_u8) {
        let (mut sends, mut reads) = (seal(), seal());
        let first = sends.request(&request);
        let second = sends.request(&request);
        prop_assert_eq!(reads.open_request(&second), Err(CodecError::Tag));
        let mut changed = first.clone();
        *place.get_mut(&mut changed.0) ^= by;
        prop_assert_eq!(reads.open_request(&changed), Err(CodecError::Tag));
        prop_assert_eq!(reads.open_request(&first), Ok(request));
        prop_assert_eq!(reads.open_request(&first), Err(CodecError::Tag));
        prop_assert_eq!(reads.open_request(&second), Ok(request));
    }
}
