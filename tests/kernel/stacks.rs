//! smoltcp and lwIP: their probes in the committed captures, and in captures made anew where the tools are.

use std::path::{Path, PathBuf};
use std::process::Command;

use keepscope::keepalive::{Clock, Incoming, Machine, Model, Outgoing, Purpose, Setting, Settings, Tcb};
use keepscope::segment::{Flags, Segment, SeqNum};
use keepscope::stack::Stack;
use keepscope::stack::value::Rounding;
use keepscope::time::{Span, Timestamp};

use super::LACKS_SOMETHING;
use super::common::{capture_path, has, scratch, skip, text};
use super::replay::is_same;
use super::wire::{self, Side, incoming};

/// How late a poll and a stamp may be.
const TOLERANCE: Span = Span::from_millis(20);

/// How often a capture is made before it counts as wrong.
const ATTEMPTS: u32 = 3;

/// A capture of one connection whose client is another stack.
struct Case {
    name: &'static str,
    stack: &'static str,
    client: u16,
    server: u16,
    settings: Settings,
}

/// As `tests/lab/scenarios/stacks.py` sets them.
fn cases() -> [Case; 3] {
    let smoltcp = |millis| Settings {
        idle: Span::from_millis(millis),
        interval: Span::from_millis(millis),
        count: 9,
        user_timeout: None,
    };
    let lwip =
        Settings { idle: Span::from_secs(2), interval: Span::from_secs(1), count: 3, user_timeout: None };
    let case = |name, stack, number: u16, settings| Case {
        name,
        stack,
        client: 40_000 + number,
        server: 7_000 + number,
        settings,
    };
    [
        case("smoltcp", "smoltcp", 71, smoltcp(1_500)),
        case("smoltcp_unanswered", "smoltcp", 72, smoltcp(2_000)),
        case("lwip", "lwip", 73, lwip),
    ]
}

impl Case {
    /// `adds_up` is how much more than [`TOLERANCE`] late polls may make of a whole capture. Returns what is
    /// wrong.
    fn check(&self, path: &Path, adds_up: Span) -> Result<(), String> {
        let segments = wire::read(path);
        let side = Side::of(&segments, self.client, self.server, true);
        let model = Model::of(Stack::named(self.stack).expect("a stack")).expect("a model");
        let tick = match model.rounding {
            Rounding::Ticks { tick, .. } => tick,
            _ => Span::ZERO,
        };
        let first = side.sent.first().expect("a probe").time;
        // Where the ticks fell is not in the capture; its first probe was on one of them. In any other phase
        // the first probe is within a tick of it.
        let exact = self.run(&side, &segments, model.clone(), first);
        let adds_up = if adds_up > Span::ZERO { adds_up.plus(tick) } else { adds_up };
        self.compare(&exact, &side.sent, TOLERANCE.plus(adds_up))?;
        let mut before = side.clone();
        before.received.retain(|segment| segment.time < first);
        for part in 0..8 {
            let zero = first.plus(Span::from_nanos(tick.as_nanos() * part / 8));
            let sent = self.run(&before, &segments, model.clone(), zero);
            let apart = side.sent[0].time.since(sent[0].0).abs();
            if apart > tick.plus(TOLERANCE) {
                return Err(format!("{}: phase {part}: {apart:?}", self.name));
            }
        }
        Ok(())
    }

    /// What the machine sends, given what the stack's application did and what arrived.
    fn run(
        &self,
        side: &Side,
        segments: &[Segment],
        model: Model,
        zero: Timestamp,
    ) -> Vec<(Timestamp, Outgoing)> {
        let start = side.established.time;
        let hello = segments
            .iter()
            .find(|segment| segment.source.port == self.client && segment.len > 1)
            .expect("data of the client");
        let clock = Clock::new(model.rounding, zero);
        let mut machine = Machine::new(model.rules, self.settings, clock, side.tcb, start);
        let mut sent = Vec::new();
        machine.on_sent(hello.time, hello.len, false);
        machine.set(hello.time, Setting::Enabled(true));
        take(&mut machine, hello.time, &mut sent);
        for segment in &side.received {
            fire(&mut machine, segment.time, &mut sent);
            machine.on_segment(segment.time, &incoming(segment));
            take(&mut machine, segment.time, &mut sent);
        }
        let last = segments.last().expect("segments").time;
        fire(&mut machine, last.plus(TOLERANCE), &mut sent);
        sent
    }

    fn compare(
        &self,
        machine: &[(Timestamp, Outgoing)],
        seen: &[Segment],
        tolerance: Span,
    ) -> Result<(), String> {
        let name = self.name;
        let mut largest = Span::ZERO;
        for ((time, segment), observed) in machine.iter().zip(seen) {
            let apart = observed.time.since(*time).abs();
            if apart > tolerance {
                return Err(format!("{name}: {segment:?} {apart:?} from {observed:?}"));
            }
            if !is_same(segment, observed) {
                return Err(format!("{name}: {segment:?} is not {observed:?}"));
            }
            largest = largest.max(apart);
        }
        if machine.len() != seen.len() {
            return Err(format!("{name}: {machine:#?} are not {} segments", seen.len()));
        }
        let millis = largest.as_nanos() as f64 / 1e6;
        eprintln!("{name}: {} segments, at most {millis:.3} ms apart", seen.len());
        Ok(())
    }
}

fn fire(machine: &mut Machine, until: Timestamp, sent: &mut Vec<(Timestamp, Outgoing)>) {
    while let Some(due) = machine.next_timeout().filter(|due| *due <= until) {
        machine.on_timeout(due);
        take(machine, due, sent);
    }
}

fn take(machine: &mut Machine, time: Timestamp, sent: &mut Vec<(Timestamp, Outgoing)>) {
    while let Some(segment) = machine.poll_transmit() {
        sent.push((time, segment));
    }
    while machine.poll_event().is_some() {}
}

#[test]
fn the_machine_does_what_smoltcp_and_lwip_did() {
    for case in cases() {
        let path = capture_path(&format!("{}.pcap", case.name));
        case.check(Path::new(&path), Span::ZERO).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

#[test]
fn the_machine_does_what_smoltcp_and_lwip_do() {
    if !has("python3") {
        return;
    }
    for case in cases() {
        // A stack in user space that was not run for seconds has lost that time for good, which no tolerance
        // covers. Where the machine itself is wrong, it is wrong each time.
        let mut wrong = Ok(());
        for _ in 0..ATTEMPTS {
            let Some(folder) = capture_anew(case.name) else { break };
            // On a busy machine such a stack polls late, and what is lost adds up from tick to tick.
            wrong = case.check(&folder.join(format!("{}.pcap", case.name)), TOLERANCE.times(2));
            std::fs::remove_dir_all(&folder).expect("the folder can be removed");
            match &wrong {
                Ok(()) => break,
                Err(wrong) => eprintln!("once more, since {wrong}"),
            }
        }
        wrong.unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

/// The folder with a new capture; nothing if this machine lacks something.
fn capture_anew(name: &str) -> Option<PathBuf> {
    let make = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/make");
    let folder = scratch(&format!("kernel-{name}"));
    let output = match Command::new(&make).args([name, text(&folder)]).output() {
        Ok(output) => output,
        Err(error) => {
            skip(&format!("{}: {error}", make.display()));
            return None;
        }
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(LACKS_SOMETHING) {
        skip(complaint.trim().trim_start_matches("SKIPPED: "));
        return None;
    }
    assert!(output.status.success(), "the lab failed: {complaint}");
    Some(folder)
}

/// smoltcp 0.12, `test_established_keep_alive_timeout`: keepalive 50 ms, timeout 100 ms.
#[test]
fn a_timeout_of_smoltcp_counts_from_the_last_receipt() {
    let at = |millis| Timestamp::default().plus(Span::from_millis(millis));
    let model = Model::of(Stack::named("smoltcp").expect("a stack")).expect("a model");
    let settings = Settings {
        idle: Span::from_millis(50),
        interval: Span::from_millis(50),
        count: 9,
        user_timeout: Some(Span::from_millis(100)),
    };
    let clock = Clock::new(model.rounding, at(0));
    let mut machine =
        Machine::new(model.rules, settings, clock, Tcb::quiet(SeqNum(1_000), SeqNum(5_000)), at(100));
    machine.set(at(100), Setting::Enabled(true));
    let mut sent = Vec::new();
    take(&mut machine, at(100), &mut sent);
    assert_eq!(machine.next_timeout(), Some(at(150)));
    let ack = Incoming { seq: SeqNum(5_000), ack: SeqNum(1_000), flags: Flags::ACK, octets: 0, tsval: None };
    machine.on_segment(at(105), &ack);
    fire(&mut machine, at(400), &mut sent);
    let times: Vec<Timestamp> = sent.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [at(100), at(155), at(205)]);
    assert_eq!(sent[2].1.purpose, Purpose::Reset);
    assert!(machine.has_ended());
}
