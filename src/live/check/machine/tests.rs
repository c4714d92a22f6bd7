//! The test of a connection on a virtual clock.

use super::*;
use crate::frame::FrameId;
use crate::segment::Options;

const START: Timestamp = Timestamp::from_nanos(1_000_000_000);
const PATIENCE: Span = Span::from_secs(2);

fn end(text: &str, port: u16) -> Endpoint {
    Endpoint { address: text.parse().unwrap(), port }
}

fn plan(confirm: bool) -> Plan {
    Plan {
        local: end("192.0.2.1", 40_000),
        remote: end("198.51.100.2", 443),
        numbers: (SeqNum(5), SeqNum(0xffff_fff0)),
        confirm,
        patience: PATIENCE,
    }
}

fn answer(at: Timestamp, flags: Flags) -> Segment {
    Segment {
        id: FrameId::default(),
        time: at,
        interface: 0,
        source: plan(false).remote,
        destination: plan(false).local,
        seq: SeqNum(9000),
        ack: SeqNum(0),
        flags,
        window: 500,
        len: 0,
        first_octet: None,
        options: Options { timestamps: Some(TcpTimestamps { value: 77, echo: 33 }), ..Options::default() },
        ttl: 64,
        ip_id: None,
        dont_fragment: true,
    }
}

/// Lets time pass up to the next segment, which leaves.
fn step(machine: &mut Machine) -> (Timestamp, Option<Shot>) {
    let now = machine.next_timeout().expect("something is awaited");
    assert_eq!(machine.on_timeout(now.plus(Span::from_nanos(-1))), None, "not before its time");
    let shot = machine.on_timeout(now);
    if let Some(shot) = shot {
        machine.on_sent(now, shot);
    }
    (now, shot)
}

#[test]
fn one_of_four_is_below_whatever_the_true_numbers_are() {
    for (seq, ack) in
        [(0_u32, 0_u32), (1 << 31, 7), (u32::MAX, 1 << 31), (123, 0x8000_0001), (5, 0xffff_fff0)]
    {
        let mut machine = Machine::new(plan(false), START);
        let mut times = Vec::new();
        let mut below = 0;
        while machine.verdict().is_none() {
            let (now, shot) = step(&mut machine);
            times.push(now);
            let Some(shot) = shot else { continue };
            assert_eq!((shot.kind, shot.timestamps), (Kind::Outside, None));
            let is_below = |one: SeqNum, true_one: u32| one.distance_from(SeqNum(true_one)) <= 0;
            below += usize::from(is_below(shot.seq, seq) && is_below(shot.ack, ack));
        }
        assert!(below >= 1, "{seq} {ack}");
        assert_eq!(machine.verdict(), Some(&Verdict::Silent { kernel_unanswered: 0 }));
        let gaps: Vec<Span> = times.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        assert_eq!(gaps, [APART, APART, APART, PATIENCE]);
        assert_eq!(machine.sent().len(), OUTSIDE);
    }
}

#[test]
fn an_ack_is_life_and_ends_the_test() {
    let mut machine = Machine::new(plan(false), START);
    // What was on its way before is no answer.
    machine.on_segment(&answer(START, Flags::ACK));
    let (at, _) = step(&mut machine);
    machine.on_segment(&answer(at.plus(Span::from_millis(30)), Flags::ACK));
    assert_eq!(machine.verdict(), Some(&Verdict::Alive));
    assert_eq!(machine.sent()[0].answer, Some(Answer { after: Span::from_millis(30), rst: false }));
    assert_eq!((machine.next_timeout(), machine.on_timeout(at.plus(PATIENCE))), (None, None));
    machine.on_segment(&answer(at.plus(PATIENCE), Flags::RST));
    assert_eq!(machine.verdict(), Some(&Verdict::Alive), "the first word counts");
}

#[test]
fn a_true_probe_follows_an_ack_only_where_it_may_and_stands_below_snd_nxt() {
    let mut machine = Machine::new(plan(true), START);
    let (at, _) = step(&mut machine);
    machine.on_segment(&answer(at, Flags::ACK));
    assert_eq!(machine.verdict(), None);
    let (later, shot) = step(&mut machine);
    assert_eq!(later.since(at), APART);
    let stamps = Some(TcpTimestamps { value: 33, echo: 77 });
    // SND.NXT is 0: one below it is the largest number.
    let probe = Shot { kind: Kind::Probe, seq: SeqNum(u32::MAX), ack: SeqNum(9000), timestamps: stamps };
    assert_eq!(shot, Some(probe));
    machine.on_segment(&answer(later, Flags::ACK));
    assert_eq!(machine.verdict(), Some(&Verdict::Confirmed));
}

/// The RST of a host that knows no such connection, to that segment.
fn reset(at: Timestamp, to: Shot) -> Segment {
    Segment { seq: to.ack, ..answer(at, Flags::RST) }
}

#[test]
fn resets_without_an_ack_are_a_reset() {
    for answered in [1, 2, OUTSIDE] {
        let mut machine = Machine::new(plan(true), START);
        let mut left = answered;
        while machine.verdict().is_none() {
            let (at, shot) = step(&mut machine);
            if let (Some(shot), 1..) = (shot, left) {
                machine.on_segment(&reset(at, shot));
                left -= 1;
            }
        }
        assert_eq!(machine.verdict(), Some(&Verdict::Reset));
        assert_eq!(machine.verdict().map(Verdict::standing), Some(Standing::Dead));
        assert_eq!((machine.sent().len(), machine.resets()), (OUTSIDE, answered));
        assert!(machine.sent().iter().all(|sent| sent.shot.kind == Kind::Outside), "no probe without an ACK");
    }
}

#[test]
fn an_ack_outweighs_resets_to_what_a_box_did_not_translate() {
    for confirm in [false, true] {
        let mut machine = Machine::new(plan(confirm), START);
        for _ in 0..3 {
            let (at, shot) = step(&mut machine);
            machine.on_segment(&reset(at, shot.expect("a segment")));
            assert_eq!(machine.verdict(), None);
        }
        let (at, shot) = step(&mut machine);
        machine.on_segment(&answer(at, Flags::ACK));
        if confirm {
            // Late, and about another segment than the probe.
            let (later, probe) = step(&mut machine);
            machine.on_segment(&reset(later, shot.expect("a segment")));
            assert_eq!(machine.verdict(), None);
            machine.on_segment(&reset(later, probe.expect("a probe")));
            assert_eq!(machine.verdict(), Some(&Verdict::Reset));
        } else {
            assert_eq!(machine.verdict(), Some(&Verdict::Alive));
        }
    }
}

#[test]
fn a_reset_of_the_connection_itself_ends_it_at_once() {
    let mut machine = Machine::new(plan(true), START);
    let (at, _) = step(&mut machine);
    machine.on_segment(&answer(at, Flags::RST));
    assert_eq!(machine.verdict(), Some(&Verdict::Reset));
    assert_eq!((machine.next_timeout(), machine.sent().len()), (None, 1));
}

#[test]
fn never_more_than_five() {
    // The answer comes to the last of the first kind; then none comes to the probe.
    let mut machine = Machine::new(plan(true), START);
    for _ in 0..OUTSIDE {
        step(&mut machine);
    }
    machine.on_segment(&answer(START.plus(Span::from_secs(3)), Flags::ACK));
    let mut probes = 0;
    while machine.verdict().is_none() {
        probes += usize::from(step(&mut machine).1.is_some());
    }
    assert_eq!((probes, machine.sent().len()), (1, MOST));
    assert_eq!(machine.verdict(), Some(&Verdict::Unconfirmed));
    assert_eq!(machine.verdict().map(Verdict::standing), Some(Standing::Unknown));
    // And the other way round.
    let mut machine = Machine::new(plan(true), START);
    step(&mut machine);
    machine.on_segment(&answer(START, Flags::ACK));
    while machine.verdict().is_none() {
        step(&mut machine);
    }
    assert_eq!(machine.sent().len(), MOST);
}

#[test]
fn silence_is_death_only_where_the_kernel_is_not_answered_either() {
    for (unanswered, standing) in [(0, Standing::Unknown), (2, Standing::Dead)] {
        let mut machine = Machine::new(plan(false), START);
        machine.on_kernel_unanswered(unanswered);
        while machine.verdict().is_none() {
            step(&mut machine);
        }
        assert_eq!(machine.verdict().map(Verdict::standing), Some(standing));
    }
}

#[test]
fn other_connections_and_own_segments_say_nothing() {
    let mut machine = Machine::new(plan(false), START);
    let (at, shot) = step(&mut machine);
    let mut own = answer(at, Flags::ACK);
    (own.source, own.destination) = (own.destination, own.source);
    machine.on_segment(&own);
    let mut other = answer(at, Flags::RST);
    other.destination.port = 1;
    machine.on_segment(&other);
    machine.on_segment(&answer(at, Flags::SYN.with(Flags::ACK)));
    let mut error = IcmpError {
        id: FrameId::default(),
        time: at,
        reporter: "198.51.100.1".parse().unwrap(),
        kind: IcmpKind::Unreachable(1),
        source: plan(false).local,
        destination: plan(false).remote,
        seq: SeqNum(4),
        quoted_ip_id: None,
        ttl: 64,
    };
    machine.on_icmp(&error);
    assert_eq!(machine.verdict(), None, "it quotes none of ours");
    error.seq = shot.expect("a segment").seq;
    machine.on_icmp(&error);
    assert_eq!(machine.verdict().map(Verdict::name), Some("unreachable"));
}

#[test]
fn what_the_owner_changes_ends_it() {
    let mut machine = Machine::new(plan(false), START);
    step(&mut machine);
    let now = machine.next_timeout().expect("a time");
    assert!(machine.on_timeout(now).is_some());
    machine.on_changed(Changed::Ended(4711));
    assert_eq!(machine.sent().len(), 1, "what was not sent does not count");
    assert_eq!(machine.verdict().map(Verdict::standing), Some(Standing::Unknown));
    assert_eq!(machine.next_timeout(), None);
}
