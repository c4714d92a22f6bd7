//! Any order of inputs, sensible or not: no panic, no standstill, no connection too many, no word to a sentinel.

use std::collections::{BTreeMap, BTreeSet};

use keepscope::search::{
    Command, Cue, Disturbance, End, Form, Id, Input, Mode, News, NotOpened, Origin, Precision, SENTINELS,
    Search, Sign, Verdict, Wanted, Way, Why,
};
use keepscope::time::{Span, Timestamp};
use proptest::prelude::*;

use super::path::START;

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![
        8 => (0_i64..400_000_000_000).prop_map(Span::from_nanos),
        1 => Just(Span::ZERO),
        1 => any::<i64>().prop_map(Span::from_nanos),
    ]
}

fn input() -> impl Strategy<Value = (u32, Span, Input)> {
    let how = prop_oneof![Just(End::Reset), Just(End::Fin), Just(End::Icmp)];
    let origin = prop_oneof![
        Just(Origin::Unknown),
        Just(Origin::Path(Cue::default())),
        Just(Origin::Peer(Cue::default()))
    ];
    let by = prop_oneof![
        Just(Disturbance::PeerKeepalive),
        Just(Disturbance::PeerData),
        Just(Disturbance::PeerOther),
        Just(Disturbance::OwnKernel)
    ];
    let why = prop_oneof![
        Just(NotOpened::Refused),
        Just(NotOpened::TimedOut),
        Just(NotOpened::Partner),
        Just(NotOpened::Other)
    ];
    let at = span().prop_map(|span| START.plus(span)).boxed();
    let kind = prop_oneof![
        6 => at.clone().prop_map(|since| Input::Opened { since }),
        1 => why.prop_map(Input::NotOpened),
        1 => at.clone().prop_map(|since| Input::Armed { since }),
        6 => (0_u8..4, at.clone(), span()).prop_map(|(attempt, at, idle)| Input::Sent { attempt, at, idle }),
        1 => (0_u8..4).prop_map(|attempt| Input::NotSent { attempt }),
        6 => (0_u8..4, at.clone(), proptest::option::of(any::<bool>()), any::<bool>(), proptest::option::of(span()))
            .prop_map(|(attempt, at, new_port, reset, round_trip)| {
                let sign = Sign { new_port, round_trip, reset };
                Input::Answered { attempt, at, sign }
            }),
        2 => (at.clone(), how, origin).prop_map(|(at, how, origin)| Input::Ended { at, how, origin }),
        2 => (at, by).prop_map(|(at, by)| Input::Disturbed { at, by }),
    ];
    (0_u32..24, span(), kind)
}

/// What is done to the search.
#[derive(Clone, Debug)]
enum Step {
    Tell(u32, Span, Input),
    /// As a driver would: the oldest command is carried out, and answered after so long.
    Obey(bool),
    Wait,
    Gap(Span),
    Interrupt,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => input().prop_map(|(id, at, input)| Step::Tell(id, at, input)),
        30 => any::<bool>().prop_map(Step::Obey),
        40 => Just(Step::Wait),
        2 => span().prop_map(Step::Gap),
        1 => Just(Step::Interrupt),
    ]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let mode = prop_oneof![
        4 => Just(Mode::Full),
        1 => Just(Mode::Quick),
        1 => (3_i64..900).prop_map(|seconds| Mode::Confirm(Span::from_secs(seconds))),
    ];
    (mode, 1_u16..12, any::<bool>(), 3_i64..60, 61_i64..9000, proptest::option::of(1_i64..2000), 1_u16..20)
        .prop_map(|(mode, connections, inbound, min, max, budget, pace)| Wanted {
            way: if inbound { Way::In } else { Way::Out },
            form: Form::Data,
            partner: inbound,
            min: Span::from_secs(min),
            max: Span::from_secs(max),
            precision: Precision::default(),
            connections,
            mode,
            opens_per_second: pace,
            budget: budget.map(Span::from_secs),
            known: Vec::new(),
        })
}

/// What holds whatever comes.
struct Watch {
    open: BTreeMap<Id, bool>,
    ever: BTreeSet<Id>,
    sentinels: BTreeSet<Id>,
    most: usize,
    last: Option<Command>,
}

impl Watch {
    fn new(wanted: &Wanted) -> Self {
        let most = usize::from(wanted.connections + SENTINELS);
        Self { open: BTreeMap::new(), ever: BTreeSet::new(), sentinels: BTreeSet::new(), most, last: None }
    }

    fn take(&mut self, search: &mut Search, now: Timestamp) {
        for silence in search.view(now).silences {
            if silence.sentinel {
                self.sentinels.insert(silence.id);
            }
        }
        while let Some(command) = search.poll_command() {
            let id = command.id();
            match command {
                Command::Open(_) => {
                    assert!(self.ever.insert(id), "{id:?} was used before");
                    self.open.insert(id, true);
                    assert!(self.open.len() <= self.most, "{} are open", self.open.len());
                }
                Command::Close(_) => assert!(self.open.remove(&id).is_some(), "{id:?} is not open"),
                Command::Arm(_) | Command::Probe { .. } => {
                    assert!(self.open.contains_key(&id), "{id:?} is not open");
                    assert!(!self.sentinels.contains(&id), "{id:?} is a sentinel");
                }
            }
            self.last = Some(command);
        }
        while let Some(news) = search.poll_news() {
            let _: News = news;
        }
        if search.is_done() {
            assert!(self.open.is_empty(), "left open: {:?}", self.open);
            assert_eq!(search.next_timeout(), None);
        }
        let finding = search.finding();
        if let Some((low, high)) = finding.interval() {
            assert!(low <= high, "{low} {high}");
        }
        if let (Some(alive), Some(dead)) = (finding.longest_alive, finding.shortest_dead) {
            assert!(alive <= dead || finding.is_range(), "{finding:?}");
        }
        let view = search.view(now);
        assert!(view.left.0 <= view.left.1, "{:?}", view.left);
    }
}

/// What a driver would answer.
fn answer(command: Command, now: Timestamp, well: bool) -> Vec<Input> {
    match (command, well) {
        (Command::Open(_), true) => vec![Input::Opened { since: now }],
        (Command::Open(_), false) => vec![Input::NotOpened(NotOpened::TimedOut)],
        (Command::Arm(_), true) => vec![Input::Armed { since: now }],
        (Command::Probe { attempt, .. }, _) => {
            let sent = Input::Sent { attempt, at: now, idle: Span::from_secs(20) };
            let answered = Input::Answered { attempt, at: now, sign: Sign::default() };
            if well { vec![sent, answered] } else { vec![sent] }
        }
        (Command::Arm(_), false) | (Command::Close(_), _) => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_comes_in_breaks_it(wanted in wanted(), steps in proptest::collection::vec(step(), 1..120)) {
        let mut search = Search::new(wanted.clone(), START).expect("a question");
        let mut watch = Watch::new(&wanted);
        let mut now = START;
        watch.take(&mut search, now);
        for step in steps {
            match step {
                // Times that go back and forth.
                Step::Tell(id, at, input) => search.on(START.plus(at).min(now.plus(Span::from_secs(900))), Id(id), input),
                Step::Obey(well) => {
                    if let Some(command) = watch.last.take() {
                        for input in answer(command, now, well) {
                            search.on(now, command.id(), input);
                        }
                    }
                }
                Step::Wait => {
                    if let Some(due) = search.next_timeout() {
                        now = now.max(due);
                        search.on_timeout(now);
                        prop_assert!(search.next_timeout().is_none_or(|next| next > due), "it stands still");
                    }
                }
                Step::Gap(gap) => search.on_clock_gap(now, gap),
                Step::Interrupt => search.interrupt(now),
            }
            watch.take(&mut search, now);
        }
        // Left alone by its driver, it ends.
        let mut steps = 0;
        while let Some(due) = search.next_timeout() {
            now = now.max(due);
            search.on_timeout(now);
            watch.take(&mut search, now);
            steps += 1;
            prop_assert!(steps < 20_000, "it does not end: {:?}", search.view(now));
        }
        prop_assert!(search.is_done());
    }
}

#[test]
fn questions_that_cannot_be_asked_are_refused() {
    let good = Wanted::new(Way::In, true);
    let bad = [
        Wanted { min: Span::from_secs(1), ..good.clone() },
        Wanted { max: Span::from_secs(5), ..good.clone() },
        Wanted { max: Span::from_secs(100 * 86_400), ..good.clone() },
        Wanted { connections: 0, ..good.clone() },
        Wanted { connections: 5000, ..good.clone() },
        Wanted { opens_per_second: 0, ..good.clone() },
        Wanted { precision: Precision { share: 0.0, least: Span::from_secs(1) }, ..good.clone() },
        Wanted { precision: Precision { share: f64::NAN, least: Span::from_secs(1) }, ..good.clone() },
        Wanted { partner: false, ..good.clone() },
        Wanted { mode: Mode::Confirm(Span::ZERO), ..good.clone() },
    ];
    for wanted in bad {
        let told = format!("{wanted:?}");
        assert!(Search::new(wanted, START).is_err(), "{told}");
    }
}

/// A driver whose times fit nothing, found by chance (its seed is among the regressions): when nothing is left to try that
/// would tell more, that is said, and not that others lived longer.
#[test]
fn a_search_with_nothing_left_to_try_says_so() {
    let (min, max) = (Span::from_secs(49), Span::from_secs(76));
    let wanted = Wanted {
        min,
        max,
        connections: 7,
        opens_per_second: 2,
        budget: None,
        ..Wanted::new(Way::Out, false)
    };
    let mut search = Search::new(Wanted { form: Form::Data, ..wanted.clone() }, START).expect("a question");
    let mut watch = Watch::new(&wanted);
    let mut now = START;
    let opened = Input::Opened { since: START.plus(Span::from_nanos(5_448_960)) };
    let steps = [
        Step::Tell(0, Span::from_nanos(319_979_413_197), Input::Armed { since: START }),
        Step::Wait,
        Step::Obey(true),
        Step::Wait,
        Step::Obey(true),
        Step::Wait,
        Step::Wait,
        Step::Obey(true),
        Step::Tell(0, Span::from_nanos(341_479_413_197), opened),
        Step::Wait,
        Step::Obey(false),
    ];
    for step in steps {
        match step {
            Step::Tell(id, at, input) => search.on(START.plus(at), Id(id), input),
            Step::Obey(well) => {
                let command = watch.last.take().expect("a command");
                answer(command, now, well).into_iter().for_each(|input| search.on(now, command.id(), input));
            }
            _ => {
                now = now.max(search.next_timeout().expect("something due"));
                search.on_timeout(now);
            }
        }
        watch.take(&mut search, now);
    }
    while let Some(due) = search.next_timeout() {
        now = now.max(due);
        search.on_timeout(now);
        watch.take(&mut search, now);
    }
    let Verdict::Inconclusive(why) = search.finding().verdict else { panic!("{:?}", search.finding()) };
    assert_eq!((why, why.name()), (Why::NothingDue, "nothing_due"));
    assert!(why.sentence().contains("nothing was left to try"), "{}", why.sentence());
}
