//! The machine's own probes pass, in every phase of its timer; moved ones break the right rule.

use std::net::{IpAddr, Ipv4Addr};

use keepscope::analysis::Collector;
use keepscope::analysis::verification::{
    ALL_HZ, Expectation, Histories, Outcome, RuleId, RuleVerdict, verify,
};
use keepscope::frame::FrameId;
use keepscope::keepalive::{Clock, Event, Incoming, Machine, Model, Setting, Settings, Tcb};
use keepscope::segment::{Endpoint, Flags, Options, Segment, SeqNum};
use keepscope::stack::Stack;
use keepscope::stack::value::Rounding;
use keepscope::time::{Span, Timestamp};
use keepscope::track::Tracker;
use keepscope::track::event::Party;
use proptest::prelude::*;

/// A segment of the client, or of the server, at a time.
#[derive(Clone, Copy, Debug)]
struct Sent {
    time: Timestamp,
    from: Party,
    seq: u32,
    ack: u32,
    flags: Flags,
    len: u32,
    probe: bool,
}

fn segment(number: u64, sent: &Sent) -> Segment {
    let end = |last, port| Endpoint { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), port };
    let (client, server) = (end(1, 40_000), end(2, 443));
    let (source, destination) = if sent.from == Party::Client { (client, server) } else { (server, client) };
    Segment {
        id: FrameId { capture: 0, number },
        time: sent.time,
        interface: 0,
        source,
        destination,
        seq: SeqNum(sent.seq),
        ack: SeqNum(sent.ack),
        flags: sent.flags,
        window: 500,
        len: sent.len,
        first_octet: (sent.len > 0).then_some(0),
        options: Options::default(),
        ttl: 64,
        ip_id: None,
        dont_fragment: true,
    }
}

/// A connection on which the machine probes: so many probes are answered, then none.
fn conversation(model: &Model, settings: Settings, zero: i64, answered: usize, probes: usize) -> Vec<Sent> {
    let rtt = Span::from_millis(1);
    let at = |millis| Timestamp::from_nanos(1_700_000_000_000_000_000).plus(Span::from_millis(millis));
    let sent = |time, from, seq, ack, flags, len| Sent { time, from, seq, ack, flags, len, probe: false };
    let (syn, ack) = (Flags::SYN, Flags::ACK);
    let mut all = vec![
        sent(at(0), Party::Client, 100, 0, syn, 0),
        sent(at(1), Party::Server, 500, 101, syn.with(ack), 0),
        sent(at(1), Party::Client, 101, 501, ack, 0),
        sent(at(2), Party::Client, 101, 501, ack.with(Flags::PSH), 5),
        sent(at(3), Party::Server, 501, 106, ack, 0),
    ];
    let start = at(3);
    let clock = Clock::new(model.rounding, start.plus(Span::from_nanos(-zero)));
    let tcb = Tcb::quiet(SeqNum(106), SeqNum(501));
    let mut machine = Machine::new(model.rules, settings, clock, tcb, start);
    machine.set(start, Setting::Enabled(true));
    let mut seen = 0;
    let mut answer: Option<Timestamp> = None;
    while seen < probes || answer.is_some() {
        let next = [machine.next_timeout(), answer].into_iter().flatten().min();
        let Some(now) = next else { break };
        if answer.take_if(|time| *time <= now).is_some() {
            all.push(sent(now, Party::Server, 501, 106, ack, 0));
            let reply = Incoming { seq: SeqNum(501), ack: SeqNum(106), flags: ack, octets: 0, tsval: None };
            machine.on_segment(now, &reply);
        } else {
            machine.on_timeout(now);
        }
        while let Some(out) = machine.poll_transmit() {
            let probe = !out.flags.rst();
            all.push(Sent {
                time: now,
                from: Party::Client,
                seq: out.seq.0,
                ack: out.ack.0,
                flags: out.flags,
                len: u32::from(out.octets),
                probe,
            });
            if probe {
                seen += 1;
                answer = (seen <= answered).then(|| now.plus(rtt));
            }
        }
        while let Some(event) = machine.poll_event() {
            if matches!(event, Event::GaveUp { .. }) {
                return all;
            }
        }
    }
    all
}

/// What the verifier says of a conversation.
fn judged(conversation: &[Sent], expectation: &Expectation) -> Vec<RuleVerdict> {
    let (mut tracker, mut collector) = (Tracker::new(0), Collector::default());
    let mut histories = Histories::default();
    for (index, sent) in conversation.iter().enumerate() {
        let segment = segment(index as u64 + 1, sent);
        if let Some(observed) = tracker.segment(&segment) {
            histories.segment(&segment, &observed);
        }
    }
    tracker.finish();
    while let Some(event) = tracker.poll_event() {
        if let Some(record) = collector.on_event(&event) {
            let history = histories.take(record.id);
            return verify(&record, &history, Party::Client, expectation).rules;
        }
    }
    panic!("no record");
}

fn broken(verdicts: &[RuleVerdict]) -> Vec<RuleId> {
    verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Fail).map(|verdict| verdict.rule).collect()
}

fn outcome(verdicts: &[RuleVerdict], rule: RuleId) -> Outcome {
    verdicts.iter().find(|verdict| verdict.rule == rule).expect("every rule").outcome
}

fn expectation(model: &Model, settings: Settings, hz: Option<u32>) -> Expectation {
    Expectation {
        model: model.clone(),
        hz,
        idle: Some(settings.idle),
        interval: Some(settings.interval),
        count: Some(settings.count),
        user_timeout: settings.user_timeout,
        jitter: Span::from_millis(5),
        defaults: false,
    }
}

fn models() -> Vec<Model> {
    Stack::all().iter().filter_map(|stack| Model::of(stack)).collect()
}

fn any_settings() -> impl Strategy<Value = Settings> {
    (1..400_i64, 1..80_i64, 2..8_u32).prop_map(|(idle, interval, count)| Settings {
        idle: Span::from_secs(idle),
        interval: Span::from_secs(interval),
        count,
        user_timeout: None,
    })
}

fn linux(hz: u32) -> Model {
    let mut model = Model::of(Stack::named("linux").expect("Linux")).expect("runs");
    model.rounding = Rounding::TimerWheel { hz };
    model
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_probes_of_every_stack_pass(
        which in 0..models().len(),
        hz in 0..ALL_HZ.len(),
        said in any::<bool>(),
        settings in any_settings(),
        zero in 0..1_000_000_000_000_i64,
        answered in 0..4_usize,
    ) {
        let mut model = models().swap_remove(which);
        let wheel = matches!(model.rounding, Rounding::TimerWheel { .. });
        if wheel {
            model.rounding = Rounding::TimerWheel { hz: ALL_HZ[hz] };
        }
        let conversation = conversation(&model, settings, zero, answered, answered + 9);
        let hz = (wheel && said).then_some(ALL_HZ[hz]);
        let verdicts = judged(&conversation, &expectation(&model, settings, hz));
        let wrong: Vec<&RuleVerdict> =
            verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Fail).collect();
        prop_assert!(wrong.is_empty(), "{}: {wrong:#?}", model.stack.name);
        prop_assert_eq!(outcome(&verdicts, RuleId::IdleNotEarly), Outcome::Pass, "{}", model.stack.name);
    }

    #[test]
    fn a_run_that_comes_early_or_late_is_refuted(
        hz in 0..ALL_HZ.len(),
        settings in any_settings(),
        zero in 0..1_000_000_000_000_i64,
        early in any::<bool>(),
    ) {
        let model = linux(ALL_HZ[hz]);
        let mut conversation = conversation(&model, settings, zero, 0, 9);
        // More than the timer wheel can add to these settings, and all of the run alike.
        let by = if early { -settings.idle.as_nanos() / 2 } else { settings.idle.as_nanos() + 1_000_000_000 };
        for sent in conversation.iter_mut().skip(5) {
            sent.time = sent.time.plus(Span::from_nanos(by));
        }
        let verdicts = judged(&conversation, &expectation(&model, settings, Some(ALL_HZ[hz])));
        let rule = if early { RuleId::IdleNotEarly } else { RuleId::IdleNotLate };
        prop_assert_eq!(broken(&verdicts), vec![rule]);
    }

    #[test]
    fn a_gap_that_is_short_or_long_is_refuted(
        hz in 0..ALL_HZ.len(),
        mut settings in any_settings(),
        zero in 0..1_000_000_000_000_i64,
        early in any::<bool>(),
    ) {
        settings.count = settings.count.max(3);
        let model = linux(ALL_HZ[hz]);
        let mut conversation = conversation(&model, settings, zero, 0, 9);
        let by = settings.interval.as_nanos() / 3;
        let by = if early { -by } else { by };
        for sent in conversation.iter_mut().skip(7) {
            sent.time = sent.time.plus(Span::from_nanos(by));
        }
        let verdicts = judged(&conversation, &expectation(&model, settings, Some(ALL_HZ[hz])));
        let rule = if early { RuleId::IntervalNotEarly } else { RuleId::IntervalNotLate };
        prop_assert_eq!(broken(&verdicts), vec![rule], "{:#?}", verdicts);
    }

    #[test]
    fn a_missing_or_additional_probe_is_refuted(
        hz in 0..ALL_HZ.len(),
        settings in any_settings(),
        zero in 0..1_000_000_000_000_i64,
        more in any::<bool>(),
    ) {
        let model = linux(ALL_HZ[hz]);
        let conversation = conversation(&model, settings, zero, 0, 99);
        let promised = if more { settings.count + 1 } else { settings.count - 1 };
        let promise = Settings { count: promised, ..settings };
        let verdicts = judged(&conversation, &expectation(&model, promise, Some(ALL_HZ[hz])));
        prop_assert_eq!(broken(&verdicts), vec![RuleId::Count]);
    }
}

#[test]
fn probes_of_the_conversation_are_seen_as_probes() {
    let settings =
        Settings { idle: Span::from_secs(7), interval: Span::from_secs(3), count: 4, user_timeout: None };
    let conversation = conversation(&linux(250), settings, 0, 2, 99);
    assert_eq!(conversation.iter().filter(|sent| sent.probe).count(), 6);
    let verdicts = judged(&conversation, &expectation(&linux(250), settings, Some(250)));
    for rule in [RuleId::Count, RuleId::GiveUp, RuleId::IntervalNotLate, RuleId::Must29, RuleId::Shld12] {
        assert_eq!(outcome(&verdicts, rule), Outcome::Pass, "{rule:?}");
    }
}
