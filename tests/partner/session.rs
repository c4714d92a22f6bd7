//! What can be asked in a session, and its limits.

use keepscope::partner::client::{ClientError, Told};
use keepscope::partner::message::{Back, Ending, Form, NotSent, Number, OverReason};
use keepscope::partner::server::{Limits, News};
use keepscope::time::Span;

use crate::pair::{AHEAD, Pair, seen};

const SECOND: Span = Span::from_secs(1);

#[test]
fn what_is_asked_is_sent_and_what_comes_back_is_told() {
    let mut pair = Pair::open(Limits::default());
    let (mut test, token) = pair.join(1);
    let id = pair.client.ask(Number(1), Form::Data(3), Span::ZERO, SECOND).expect("a question");
    pair.talk();
    assert_eq!(pair.served.sends.pop_front(), Some((token, id, Form::Data(3), SECOND)));
    let now = pair.served.clock();
    pair.served.server.on_sent(now, token, id, Form::Data(3), Span::from_secs(7));
    let later = now.plus(Span::from_millis(20));
    let back = Back::Acknowledged { after: Span::from_millis(12) };
    pair.served.server.on_back(later, token, id, back);
    pair.served.act();
    pair.talk();
    let [_, Told::Sent { ask, at, idle }, Told::Back { ask: of, at: known, back: told }] = &pair.told[..]
    else {
        panic!("{:?}", pair.told)
    };
    assert_eq!((ask.id, ask.number, *idle), (id, Number(1), Span::from_secs(7)));
    assert_eq!((of.id, *told, known.since(*at)), (id, back, Span::from_millis(20)));
    assert_eq!(pair.client.local_time(*at), Some(now.plus(AHEAD.times(-1))));
    // The octets themselves, and an exchange.
    assert_eq!(test.on_octets(b"ppp").expect("sense").probes, 3);
    let arm = [test.arm()];
    pair.served.say(token, &arm);
    assert_eq!(test.awaited(), 1);
    let heard = pair.heard(&mut test, token).expect("sense");
    assert_eq!((heard.echoes, test.awaited()), (1, 0));
    let one_way = [test.one_way()];
    pair.served.say(token, &one_way);
    assert!(pair.served.take(token).is_empty());
}

#[test]
fn what_is_asked_for_later_is_sent_then() {
    let mut pair = Pair::open(Limits::default());
    let (_, token) = pair.join(1);
    let wait = Span::from_millis(2_500);
    let later = pair.client.ask(Number(1), Form::Keepalive(1), wait, SECOND).expect("a question");
    let sooner = pair.client.ask(Number(1), Form::Data(1), SECOND, SECOND).expect("a question");
    pair.talk();
    assert!(pair.served.sends.is_empty());
    pair.wait(SECOND);
    assert_eq!(pair.served.sends.pop_front().map(|send| (send.0, send.1)), Some((token, sooner)));
    assert!(pair.served.sends.is_empty());
    pair.wait(Span::from_millis(1_499));
    assert!(pair.served.sends.is_empty());
    pair.wait(Span::from_millis(1));
    assert_eq!(pair.served.sends.pop_front().map(|send| send.1), Some(later));
}

#[test]
fn what_cannot_be_sent_is_told() {
    let limits = Limits { octets: 4, watch: SECOND, ..Limits::default() };
    let mut pair = Pair::open(limits);
    pair.join(1);
    pair.client.ask(Number(2), Form::Data(1), Span::ZERO, SECOND);
    pair.client.ask(Number(1), Form::Data(8), Span::ZERO, SECOND.times(9));
    pair.client.ask(Number(1), Form::Data(1), Span::ZERO, SECOND);
    pair.talk();
    let not_sent: Vec<NotSent> = pair
        .told
        .iter()
        .filter_map(|told| match told {
            Told::NotSent { why, .. } => Some(*why),
            _ => None,
        })
        .collect();
    assert_eq!(not_sent, [NotSent::NoConnection, NotSent::Limit]);
    // Twice the rate at once, and no longer than the limit.
    let [send] = pair.served.sends.make_contiguous() else { panic!("{:?}", pair.served.sends) };
    assert_eq!((send.2, send.3), (Form::Data(8), SECOND));
    // What is out of its range is not even asked.
    for form in [Form::Data(0), Form::Data(17), Form::Keepalive(2)] {
        assert_eq!(pair.client.ask(Number(1), form, Span::ZERO, SECOND), None);
    }
    assert_eq!(pair.client.ask(Number(1), Form::Data(1), Span::from_nanos(-1), SECOND), None);
}

#[test]
fn the_end_of_a_test_connection_answers_what_is_out() {
    let mut pair = Pair::open(Limits::default());
    let (_, token) = pair.join(1);
    let sent = pair.client.ask(Number(1), Form::Data(1), Span::ZERO, SECOND).expect("a question");
    pair.talk();
    let unsent = pair.client.ask(Number(1), Form::Data(1), Span::ZERO, SECOND).expect("a question");
    pair.talk();
    let now = pair.served.clock();
    pair.served.server.on_sent(now, token, sent, Form::Data(1), SECOND);
    let later = now.plus(Span::from_millis(30));
    pair.served.server.on_ended(later, token, Ending::Reset, Span::from_millis(30));
    pair.served.act();
    pair.talk();
    let after = Span::from_millis(30);
    assert!(matches!(pair.told[1], Told::Sent { ask, .. } if ask.id == sent));
    let ended = Back::Ended { how: Ending::Reset, after };
    assert!(matches!(pair.told[2], Told::Back { ask, back, .. } if ask.id == sent && back == ended));
    assert!(
        matches!(pair.told[3], Told::NotSent { ask, why: NotSent::NoConnection } if ask.id == unsent),
        "{:?}",
        pair.told
    );
    assert!(
        matches!(pair.told[4], Told::Ended { number: Number(1), how: Ending::Reset, idle, .. } if idle == after)
    );
    assert_eq!(pair.told.len(), 5);
}

#[test]
fn a_connection_that_is_closed_by_request_is_heard_of_no_more() {
    let mut pair = Pair::open(Limits::default());
    let (_, first) = pair.join(1);
    let (_, second) = pair.join(2);
    let id = pair.client.ask(Number(1), Form::Data(1), Span::ZERO, SECOND).expect("a question");
    pair.talk();
    let now = pair.served.clock();
    // It crosses the request.
    pair.served.server.on_sent(now, first, id, Form::Data(1), SECOND);
    pair.client.close(Number(1), false);
    pair.client.close(Number(2), true);
    pair.served.act();
    pair.talk();
    let back = Back::Acknowledged { after: Span::ZERO };
    pair.served.server.on_back(now, first, id, back);
    pair.served.server.on_ended(now, first, Ending::Fin, SECOND);
    pair.served.act();
    pair.talk();
    assert_eq!(pair.told.len(), 1, "{:?}", pair.told);
    assert_eq!((pair.served.closed[&first], pair.served.closed[&second]), (false, true));
    assert!(!pair.client.is_over());
}

#[test]
fn a_quiet_session_is_kept_fresh_and_lasts_as_long_as_it_may() {
    let mut pair = Pair::open(Limits { lasts: Span::from_secs(3600), ..Limits::default() });
    pair.join(1);
    pair.wait(Span::from_secs(3590));
    assert!(!pair.client.is_over());
    pair.wait(Span::from_secs(10));
    assert_eq!(pair.failure(), Some(&ClientError::Over(OverReason::Lasted)));
    assert_eq!((pair.served.server.connections(), pair.served.closed.len()), (0, 2));
}

#[test]
fn a_client_that_is_heard_no_more_leaves_nothing_behind() {
    let mut pair = Pair::open(Limits::default());
    pair.join(1);
    pair.join(2);
    pair.client.ask(Number(1), Form::Data(1), Span::from_secs(300), SECOND);
    pair.talk();
    // From here on only the server's time passes.
    pair.served.wait(Span::from_secs(59));
    assert_eq!(pair.served.server.connections(), 3);
    pair.served.wait(Span::from_secs(1));
    assert_eq!((pair.served.server.connections(), pair.served.closed.len()), (0, 3));
    assert_eq!(pair.served.server.next_timeout(), None);
    assert!(pair.served.sends.is_empty());
}

#[test]
fn a_server_that_is_heard_no_more_is_given_up() {
    let mut pair = Pair::open(Limits::default());
    let begin = pair.served.now;
    while !pair.client.is_over() {
        let due = pair.client.next_timeout().expect("something to wait for");
        assert!(due.since(begin) <= Span::from_secs(20));
        pair.client.on_timeout(due);
    }
    assert_eq!(pair.client.poll_told(), Some(Told::Failed(ClientError::Silent(Span::from_secs(20)))));
    // And one whose connection ends at once.
    let mut pair = Pair::open(Limits::default());
    pair.client.on_ended();
    assert_eq!(pair.client.poll_told(), Some(Told::Failed(ClientError::Lost)));
}

#[test]
fn a_server_that_stops_says_so_and_closes_everything() {
    let mut pair = Pair::open(Limits::default());
    pair.join(1);
    let visitor = pair.served.accept();
    let now = pair.served.clock();
    pair.served.server.stop(now);
    pair.served.act();
    pair.talk();
    assert_eq!(pair.failure(), Some(&ClientError::Over(OverReason::Stopped)));
    assert!(pair.served.closed.contains_key(&visitor));
    assert_eq!((pair.served.closed.len(), pair.served.server.connections()), (3, 0));
}

#[test]
fn sessions_and_their_connections_are_few() {
    let mut pair = Pair::open(Limits { sessions: 1, connections: 2, ..Limits::default() });
    pair.join(1);
    pair.join(2);
    let mut third = pair.client.test(Number(3)).expect("a session");
    let token = pair.served.accept();
    pair.served.say(token, &third.begin());
    assert_eq!(pair.heard(&mut third, token), Err(ClientError::Full));
    // One that ended leaves its place; its number does not come back.
    pair.client.close(Number(1), false);
    pair.talk();
    pair.join(4);
    // A second session.
    let mut other = Pair::new("correct horse", "correct horse", Limits::default());
    let control = pair.served.accept();
    for _ in 0..3 {
        while let Some(octets) = other.client.poll_octets() {
            pair.served.say(control, &octets);
        }
        let answer = pair.served.take(control);
        other.client.on_octets(pair.served.now, &answer);
    }
    assert_eq!(other.client.poll_told(), Some(Told::Failed(ClientError::Full)));
    assert_eq!(pair.served.server.sessions(), 1);
}

#[test]
fn too_many_messages_end_the_session() {
    let limits = Limits { messages: 20, ..Limits::default() };
    let mut pair = Pair::open(limits);
    // Twice the rate at once, and one ping was said.
    for _ in 0..38 {
        pair.client.close(Number(99), false);
        pair.talk();
    }
    assert!(!pair.client.is_over());
    for _ in 0..2 {
        pair.client.close(Number(99), false);
    }
    pair.talk();
    assert_eq!(pair.failure(), Some(&ClientError::Over(OverReason::TooMany)));
    // On a test connection they end that one.
    let mut pair = Pair::open(limits);
    let (_, token) = pair.join(1);
    pair.served.say(token, &[b'E'; 60]);
    pair.talk();
    assert_eq!(pair.served.take(token).len(), 39);
    assert!(matches!(pair.told[1], Told::Ended { number: Number(1), how: Ending::Limit, .. }));
    assert!(!pair.client.is_over());
}

#[test]
fn questions_that_wait_are_few() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let mut pair = Pair::open(limits);
    pair.join(1);
    for _ in 0..20 {
        pair.client.ask(Number(1), Form::Data(1), Span::from_secs(5), SECOND);
    }
    pair.talk();
    let refused = |told: &&Told| matches!(told, Told::NotSent { why: NotSent::Limit, .. });
    assert_eq!(pair.told.iter().filter(refused).count(), 12);
    pair.wait(Span::from_secs(6));
    assert_eq!(pair.served.sends.len(), 8);
}

#[test]
fn segments_of_unknown_connections_are_told_to_whom_they_may_belong() {
    let mut pair = Pair::open(Limits::default());
    let now = pair.served.clock();
    let mut elsewhere = seen(50_000);
    elsewhere.remote.address = [198, 51, 100, 9].into();
    pair.served.server.on_stray(now, elsewhere);
    for _ in 0..50 {
        pair.served.server.on_stray(now, seen(50_000));
    }
    pair.served.act();
    pair.talk();
    let strays: Vec<_> = pair.told.iter().filter(|told| matches!(told, Told::Stray { .. })).collect();
    // No flood of them.
    assert_eq!(strays.len(), 10);
    assert_eq!(*strays[0], Told::Stray { at: now, seen: seen(50_000) });
    assert_eq!(pair.served.news.iter().filter(|news| matches!(news, News::Stray { .. })).count(), 10);
}
