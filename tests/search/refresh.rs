//! What keeps a connection open, and where the box is: on a virtual clock, against boxes in closed form.

use std::collections::BTreeMap;

use keepscope::search::refresh::{
    Counts, Course, Experiment, Form, Located, Order, Outcome, Question, QuestionError, Verdict,
};
use keepscope::search::{Id, Input, NotOpened, Sign};
use keepscope::time::{Span, Timestamp};
use proptest::prelude::*;

/// A box that forgets.
struct Forgetful {
    timeout: Span,
    /// What starts the time anew.
    counts: fn(Form) -> bool,
    /// What makes it remember what it had forgotten.
    revives: fn(Form) -> bool,
    /// At this hop, of so many.
    hop: u8,
    hops: u8,
}

impl Forgetful {
    const PLAIN: Forgetful =
        Forgetful { timeout: Span::from_secs(60), counts: |_| true, revives: |_| false, hop: 1, hops: 1 };

    fn question(&self) -> Question {
        let (alive, dead) = (self.timeout, self.timeout);
        Question { alive, dead, partner: true, inward: true, refresh: true, locate: true, most: 100 }
    }

    fn examined(&self, question: Question) -> Outcome {
        let mut now = Timestamp::from_nanos(0);
        let mut experiment = Experiment::new(question, now).expect("a question");
        let mut known: BTreeMap<Id, Timestamp> = BTreeMap::new();
        let sent = |at| Input::Sent { attempt: 0, at, idle: Span::ZERO };
        while !experiment.is_done() {
            while let Some(order) = experiment.poll_order() {
                match order {
                    Order::Open(id) => {
                        known.insert(id, now.plus(self.timeout));
                        experiment.on(now, id, Input::Opened { since: now });
                        experiment.on_hops(now, self.hops);
                    }
                    Order::Refresh(id, form) => {
                        let alive = known[&id] > now;
                        let reaches = !matches!(form, Form::Limited(ttl) if ttl < self.hop);
                        if reaches && if alive { (self.counts)(form) } else { (self.revives)(form) } {
                            known.insert(id, now.plus(self.timeout));
                        }
                        match form {
                            Form::Data if alive => experiment.on(now, id, Input::Armed { since: now }),
                            Form::Keepalive | Form::KeepaliveOctet if alive => {
                                let sign = Sign::default();
                                experiment.on(now, id, Input::Answered { attempt: 0, at: now, sign });
                            }
                            _ => {}
                        }
                    }
                    Order::Test { id, attempt, .. } => {
                        experiment.on(now, id, sent(now));
                        if known[&id] > now {
                            let sign = Sign::default();
                            experiment.on(now, id, Input::Answered { attempt, at: now, sign });
                        }
                    }
                    Order::Close(id) => drop(known.remove(&id)),
                }
            }
            if let Some(due) = experiment.next_timeout() {
                now = now.max(due);
                experiment.on_timeout(now);
            }
        }
        assert!(now.since(Timestamp::from_nanos(0)) <= question.takes(), "{now:?}");
        experiment.outcome()
    }
}

fn verdict(forgetful: &Forgetful) -> (Verdict, Counts, Located) {
    let outcome = forgetful.examined(forgetful.question());
    let (verdict, one_way, _) = outcome.refresh.expect("it was asked");
    (verdict, one_way, outcome.location.expect("it was asked").located)
}

#[test]
fn each_kind_of_box_is_told() {
    let plain = Forgetful::PLAIN;
    assert_eq!(verdict(&plain), (Verdict::KeepalivesCount, Counts::Yes, Located::Hop(1)));
    // Whatever counts only where it is answered.
    let answered = Forgetful { counts: Form::is_both_ways, ..Forgetful::PLAIN };
    assert_eq!(verdict(&answered), (Verdict::KeepalivesCount, Counts::No, Located::OneWay));
    let octet =
        Forgetful { counts: |form| matches!(form, Form::KeepaliveOctet | Form::Data), ..Forgetful::PLAIN };
    assert_eq!(verdict(&octet), (Verdict::OctetNeeded, Counts::No, Located::OneWay));
    let data = Forgetful { counts: |form| form == Form::Data, ..Forgetful::PLAIN };
    assert_eq!(verdict(&data), (Verdict::OnlyData, Counts::No, Located::OneWay));
    let nothing = Forgetful { counts: |_| false, ..Forgetful::PLAIN };
    assert_eq!(verdict(&nothing), (Verdict::Nothing, Counts::No, Located::OneWay));
    let behind = Forgetful { hop: 2, ..Forgetful::PLAIN };
    assert_eq!(verdict(&behind), (Verdict::KeepalivesCount, Counts::Yes, Located::Beyond));
    let proxy = Forgetful { hops: 0, ..data };
    assert_eq!(verdict(&proxy), (Verdict::OnlyData, Counts::No, Located::NoHops));
}

/// Answers pass the box the other way; what counts by itself is told for each way.
#[test]
fn each_way_by_itself_is_told() {
    let inward: fn(Form) -> bool = |form| form == Form::Inward || form.is_both_ways();
    let outward: fn(Form) -> bool = |form| form != Form::Inward;
    for (counts, out, back) in [
        (inward, Counts::No, Counts::Yes),
        (outward, Counts::Yes, Counts::No),
        (Form::is_both_ways, Counts::No, Counts::No),
        (|_| true, Counts::Yes, Counts::Yes),
    ] {
        let forgetful = Forgetful { counts, ..Forgetful::PLAIN };
        let outcome = forgetful.examined(forgetful.question());
        let (verdict, one_way, _) = outcome.refresh.clone().expect("it was asked");
        assert_eq!((verdict, one_way, outcome.one_way_in()), (Verdict::KeepalivesCount, out, back));
        let alone = forgetful.examined(Question { inward: false, ..forgetful.question() });
        assert_eq!(alone.one_way_in(), Counts::Unknown);
    }
}

/// A keepalive that only makes it remember anew lets the last test succeed, and is still no keepalive that counts.
#[test]
fn what_is_made_anew_was_not_kept() {
    let loose = Forgetful { counts: |form| form == Form::Data, revives: |_| true, ..Forgetful::PLAIN };
    let outcome = loose.examined(loose.question());
    let (verdict, _, forms) = outcome.refresh.expect("it was asked");
    assert_eq!(verdict, Verdict::OnlyData);
    let keepalive = forms.iter().find(|one| one.form == Form::Keepalive).expect("it was tried");
    assert_eq!((keepalive.once, keepalive.kept, keepalive.counts), ((0, 1), (2, 0), Counts::MadeAnew));
}

/// Where the control lives, nothing is claimed.
#[test]
fn a_timeout_that_is_none_is_told() {
    let longer = Forgetful { timeout: Span::from_secs(600), hops: 3, ..Forgetful::PLAIN };
    let question = Question { alive: Span::from_secs(60), dead: Span::from_secs(60), ..longer.question() };
    let outcome = longer.examined(question);
    assert_eq!(outcome.refresh.as_ref().map(|(verdict, ..)| *verdict), Some(Verdict::NoTimeout));
    assert_eq!(outcome.location.as_ref().map(|location| location.located), Some(Located::NoTimeout));
    assert!(!outcome.is_answer());
}

/// With eight connections each form has its two, and what has none is named.
#[test]
fn little_room_is_used_for_what_matters() {
    let question = Question { partner: false, locate: false, most: 8, ..Forgetful::PLAIN.question() };
    let outcome = Forgetful::PLAIN.examined(question);
    assert_eq!(outcome.connections, 8);
    let (verdict, _, forms) = outcome.refresh.expect("it was asked");
    assert_eq!(verdict, Verdict::KeepalivesCount);
    assert!(forms.iter().all(|one| one.kept == (2, 0)), "{forms:?}");
    assert_eq!(forms.len(), 3);
    assert!(forms.iter().all(|one| one.form != Form::Data), "nobody would answer it");
    assert!(outcome.left_out.contains(&Form::Limited(1)), "{:?}", outcome.left_out);
}

/// The first refusal ends it.
#[test]
fn nobody_is_asked_twice() {
    let now = Timestamp::from_nanos(0);
    let mut experiment = Experiment::new(Forgetful::PLAIN.question(), now).expect("a question");
    assert_eq!(experiment.poll_order(), Some(Order::Open(Id(0))));
    experiment.on(now, Id(0), Input::NotOpened(NotOpened::Refused));
    assert!(experiment.is_done());
    let outcome = experiment.outcome();
    assert_eq!(outcome.location.map(|location| location.located), Some(Located::Unknown));
}

#[test]
fn what_cannot_be_told_apart_is_refused() {
    let of = |alive, dead| {
        let (alive, dead) = (Span::from_secs(alive), Span::from_secs(dead));
        Question { alive, dead, ..Forgetful::PLAIN.question() }.check()
    };
    assert_eq!((of(2, 2), of(10, 15)), (Err(QuestionError::TooShort), Err(QuestionError::TooWide)));
    assert_eq!((of(3, 3), of(10, 14)), (Ok(()), Ok(())));
}

proptest! {
    /// Whatever the bracket, the box and its place: each packet and each test is on the right side of the timeout.
    #[test]
    fn any_box_is_located(alive in 3_000_i64..7_500_000, wide in 0_i64..=44, inside in 0_i64..=100, hop in 1_u8..=8, more in 0_u8..=8) {
        let alive = Span::from_millis(alive);
        let dead = Span::from_nanos(alive.as_nanos() / 100 * (100 + wide));
        let timeout = Span::from_nanos(alive.as_nanos() + (dead.as_nanos() - alive.as_nanos()) / 100 * inside);
        let forgetful = Forgetful { timeout, hop, hops: hop + more, ..Forgetful::PLAIN };
        let outcome = forgetful.examined(Question { alive, dead, ..forgetful.question() });
        prop_assert_eq!(outcome.location.map(|location| location.located), Some(Located::Hop(hop)));
        let (verdict, _, forms) = outcome.refresh.expect("it was asked");
        prop_assert_eq!(verdict, Verdict::KeepalivesCount);
        prop_assert!(forms.iter().all(|one| one.counts == Counts::Yes));
    }

    /// A connection is tested while its last packet would still keep it, and after the first silence would not.
    #[test]
    fn tests_come_in_time(alive in 3_000_i64..7_500_000, wide in 0_i64..=44) {
        let alive = Span::from_millis(alive);
        let dead = Span::from_nanos(alive.as_nanos() / 100 * (100 + wide));
        let question = Question { alive, dead, ..Forgetful::PLAIN.question() };
        let once = question.tested_after(Course::Once);
        prop_assert!(once > dead && once < question.every().plus(alive));
        prop_assert!(question.tested_after(Course::Kept) >= dead.times(2));
        prop_assert!(question.every() < alive);
    }
}
