//! One end of a connection through the machine, and what it sent beside what the kernel sent.
//!
//! A step of the lab happens at some time between its stamps, and a segment is stamped before the stack has it.
//! Where a tick of the clock lies between, the counter that the kernel read is not known; then both are tried.

use std::fmt;

use keepscope::keepalive::wheel::Wheel;
use keepscope::keepalive::{Clock, Incoming, Machine, Model, Outgoing, Setting, answer_without_connection};
use keepscope::segment::Segment;
use keepscope::stack::Stack;
use keepscope::time::{Span, Timestamp};

use super::journal::Journal;
use super::plan::{Action, End, Plan, setting};
use super::wire::{Side, flags, incoming};

/// How far apart a segment of the machine and one of the kernel may be.
const TOLERANCE: Span = Span::from_millis(15);
/// How long after its stamp the stack may get a segment.
const DELIVERY: Span = Span::from_millis(4);

/// How well they agree.
#[derive(Clone, Copy, Debug)]
pub struct Agreement {
    pub segments: usize,
    /// Nanoseconds.
    pub largest: i64,
    /// A step or an arrival lay so near to a tick that its counter was not known, and mattered.
    pub ambiguous: bool,
    /// The kernel ran a timer late, and that moved what followed.
    pub late: bool,
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ambiguous = if self.ambiguous { ", a tick between stamps" } else { "" };
        let late = if self.late { ", a timer run late" } else { "" };
        write!(f, "{} segments, {:.3} ms{ambiguous}{late}", self.segments, self.largest as f64 / 1e6)
    }
}

#[derive(Clone, Debug)]
enum What {
    Set(Setting),
    Send(u32),
    Arrives(Incoming),
}

#[derive(Clone, Debug)]
struct Happening {
    time: Timestamp,
    /// The next tick, if it may have come before the kernel looked at its counter.
    late: Option<Timestamp>,
    what: What,
}

/// A segment the machine sent.
struct Sent {
    time: Timestamp,
    segment: Outgoing,
}

struct Replay {
    side: Side,
    wheel: Wheel,
    before: Vec<Setting>,
    happenings: Vec<Happening>,
    until: Timestamp,
}

/// Holds one end of a connection against the machine.
///
/// # Errors
/// If they differ; with both lists of segments.
pub fn check(
    plan: &Plan,
    end: End,
    journal: &Journal,
    wheel: Wheel,
    packets: &[Segment],
) -> Result<Agreement, String> {
    let (client, server) = (40_000 + plan.number(), 7_000 + plan.number());
    let side = Side::of(packets, client, server, end == End::Client);
    let connection = journal.connection(plan.number());
    let mut happenings = Vec::new();
    for done in connection.steps.iter().filter(|done| done.end == end && done.error.is_none()) {
        let what = match &done.action {
            Action::Set { option, value } => What::Set(setting(option, *value)),
            Action::Send { octets } => What::Send(*octets),
            _ => continue,
        };
        let (began, ended) = journal.times(done);
        happenings.push(Happening { time: began, late: tick_between(wheel, began, ended), what });
    }
    for segment in &side.received {
        let late = tick_between(wheel, segment.time, segment.time.plus(DELIVERY));
        happenings.push(Happening { time: segment.time, late, what: What::Arrives(incoming(segment)) });
    }
    happenings.sort_by_key(|happening| happening.time);
    let before = plan.set_before(end).iter().map(|(option, value)| setting(option, *value)).collect();
    let until = journal.until(connection);
    Replay { side, wheel, before, happenings, until }.check()
}

fn tick_between(wheel: Wheel, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
    let tick = wheel.time_at(wheel.jiffies_at(from) + 1);
    (tick <= to).then_some(tick)
}

impl Replay {
    fn check(&self) -> Result<Agreement, String> {
        let first = self.compare(&|_| false, false);
        if first.is_ok() {
            return first;
        }
        if let Ok(agreement) = self.compare(&|_| false, true) {
            return Ok(Agreement { late: true, ..agreement });
        }
        let count = self.happenings.len();
        let mut others: Vec<Box<dyn Fn(usize) -> bool>> = vec![Box::new(|_| true)];
        for index in (0..count).filter(|index| self.happenings[*index].late.is_some()) {
            others.push(Box::new(move |which| which == index));
            others.push(Box::new(move |which| which >= index));
        }
        let other = others.iter().find_map(|late| self.compare(late.as_ref(), true).ok());
        other.map(|agreement| Agreement { ambiguous: true, ..agreement }).ok_or_else(|| first.unwrap_err())
    }

    /// Runs the machine; `late` says which happenings come with the next tick.
    fn run(&self, late: &dyn Fn(usize) -> bool, as_fired: bool) -> Vec<Sent> {
        let seen: &[Segment] = if as_fired { &self.side.sent } else { &[] };
        let model = Model::of(Stack::named("linux").expect("a stack")).expect("a model");
        let start = self.side.established.time;
        let clock = Clock::Wheel(self.wheel);
        let mut machine = Machine::new(model.rules, model.settings, clock, self.side.tcb, start);
        for setting in &self.before {
            machine.set(start, *setting);
        }
        let mut sent = Vec::new();
        for (index, happening) in self.happenings.iter().enumerate() {
            let time = happening.late.filter(|_| late(index)).unwrap_or(happening.time);
            fire(&mut machine, time, seen, &mut sent);
            match &happening.what {
                What::Set(setting) => machine.set(time, *setting),
                What::Send(octets) => machine.on_sent(time, *octets, false),
                What::Arrives(segment) if machine.has_ended() => {
                    let answer = answer_without_connection(segment);
                    sent.extend(answer.map(|segment| Sent { time, segment }));
                }
                What::Arrives(segment) => machine.on_segment(time, segment),
            }
            collect(&mut machine, time, &mut sent);
        }
        fire(&mut machine, self.until, seen, &mut sent);
        sent
    }

    fn compare(&self, late: &dyn Fn(usize) -> bool, as_fired: bool) -> Result<Agreement, String> {
        let mut predicted = self.run(late, as_fired);
        let mut observed = self.side.sent.clone();
        // The end is put where the kernel is quiet, so that nothing falls on either side of it.
        let mut end = self.until;
        while observed.iter().any(|segment| segment.time.since(end).abs() < Span::from_millis(25)) {
            end = end.plus(Span::from_millis(-10));
        }
        predicted.retain(|sent| sent.time < end);
        observed.retain(|segment| segment.time < end);
        let mut largest = 0;
        let mut wrong = predicted.len() != observed.len();
        for (ours, kernels) in predicted.iter().zip(&observed) {
            let apart = kernels.time.since(ours.time).abs();
            wrong |= apart > TOLERANCE || !is_same(&ours.segment, kernels);
            largest = largest.max(apart.as_nanos());
        }
        if wrong {
            Err(self.table(&predicted, &observed))
        } else {
            Ok(Agreement { segments: observed.len(), largest, ambiguous: false, late: false })
        }
    }

    fn table(&self, predicted: &[Sent], observed: &[Segment]) -> String {
        let start = self.side.established.time;
        let seconds = |time: Timestamp| time.since(start).as_nanos() as f64 / 1e9;
        let isn = self.side.tcb.snd_nxt;
        let peer = self.side.tcb.rcv_nxt;
        let mut lines = vec![String::new(), "  happened:".to_owned()];
        for Happening { time, what, .. } in &self.happenings {
            let what = match what {
                What::Arrives(segment) => format!(
                    "arrives seq={} ack={} flags={:#04x} len={}",
                    segment.seq.distance_from(peer),
                    segment.ack.distance_from(isn),
                    flags(segment.flags),
                    segment.octets
                ),
                other => format!("{other:?}"),
            };
            lines.push(format!("    {:10.6} {what}", seconds(*time)));
        }
        lines.push("  machine:".to_owned());
        for Sent { time, segment } in predicted {
            lines.push(format!(
                "    {:10.6} {:?} seq={} ack={} flags={:#04x} len={} echo={:?} dsack={}",
                seconds(*time),
                segment.purpose,
                segment.seq.distance_from(isn),
                segment.ack.distance_from(peer),
                flags(segment.flags),
                segment.octets,
                segment.echo.filter(|_| segment.timestamps),
                segment.dsack.is_some()
            ));
        }
        lines.push("  kernel:".to_owned());
        for segment in observed {
            lines.push(format!(
                "    {:10.6} seq={} ack={} flags={:#04x} len={} echo={:?} sack={}",
                seconds(segment.time),
                segment.seq.distance_from(isn),
                segment.ack.distance_from(peer),
                flags(segment.flags),
                segment.len,
                segment.options.timestamps.map(|stamps| stamps.echo),
                segment.options.sack.is_some()
            ));
        }
        lines.join("\n")
    }
}

/// Lets the timer fire as often as it is due up to a time. The kernel now and then runs a timer a tick late
/// (another processor looks after it), and arms the next from there: where a segment of `seen` shows it, so
/// does the machine. What the machine sends has the time at which it was due all the same.
fn fire(machine: &mut Machine, until: Timestamp, seen: &[Segment], sent: &mut Vec<Sent>) {
    collect(machine, until, sent);
    while let Some(due) = machine.next_timeout().filter(|due| *due <= until) {
        let shown = seen.iter().map(|segment| segment.time);
        let ran = shown.into_iter().find(|time| *time >= due && time.since(due) <= TOLERANCE).unwrap_or(due);
        machine.on_timeout(ran.min(until));
        collect(machine, due, sent);
    }
}

fn collect(machine: &mut Machine, time: Timestamp, sent: &mut Vec<Sent>) {
    while let Some(segment) = machine.poll_transmit() {
        sent.push(Sent { time, segment });
    }
    while machine.poll_event().is_some() {}
}

/// Whether two segments are the same in number, flags, length and options.
pub fn is_same(ours: &Outgoing, seen: &Segment) -> bool {
    let stamps = seen.options.timestamps;
    ours.seq == seen.seq
        && (!ours.flags.ack() || ours.ack == seen.ack)
        && flags(ours.flags) == flags(seen.flags)
        && u32::from(ours.octets) == seen.len
        && ours.timestamps == stamps.is_some()
        && (!ours.timestamps || ours.echo == stamps.map(|stamps| stamps.echo))
        && ours.dsack == seen.options.sack
}
