//! The records of probers that a keepalive machine, or a list of times, makes.

use keepscope::analysis::inference::{Explanation, Inference, infer};
use keepscope::analysis::{Outcome, ProbeRecord, ProberRecord, Verdict};
use keepscope::frame::FrameId;
use keepscope::keepalive::{Clock, Event, Incoming, Machine, Model, Purpose, Setting, Settings, Tcb};
use keepscope::segment::{Endpoint, Flags, SeqNum, TcpTimestamps};
use keepscope::time::{Span, Timestamp};
use keepscope::track::event::{
    Answer, AnswerKind, Basis, Mark, Opened, Party, ProbeSegment, SideSummary, Start, Summary,
};

const STAMPS: TcpTimestamps = TcpTimestamps { value: 7, echo: 7 };

/// A connection of which one side probes.
#[derive(Clone, Debug)]
pub struct Scene {
    /// When the connection fell silent.
    pub start: Timestamp,
    /// The last segment that the prober received.
    heard: Option<Timestamp>,
    pub prober: ProberRecord,
    run: u32,
    reset: Option<Timestamp>,
    pub octets: u8,
    pub stamps: bool,
    pub ttl: u8,
}

fn mark(time: Timestamp, number: u64) -> Mark {
    Mark { frame: FrameId { capture: 0, number }, time }
}

impl Scene {
    pub fn new(start: Timestamp) -> Self {
        let prober = ProberRecord::default();
        Self { start, heard: Some(start), prober, run: 0, reset: None, octets: 0, stamps: true, ttl: 64 }
    }

    /// Begun midstream: nothing is known of what came before.
    pub fn midstream(start: Timestamp) -> Self {
        Self { heard: None, ..Self::new(start) }
    }

    pub fn probe(&mut self, time: Timestamp, answer: Option<Timestamp>) {
        self.run += 1;
        let number = self.prober.probes.len() as u64 * 2 + 10;
        let silence = self.heard.map(|heard| time.since(heard));
        let stamps = self.stamps.then_some(STAMPS);
        let segment = ProbeSegment {
            prober: Party::Client,
            at: mark(time, number),
            seq: SeqNum(99),
            ack: SeqNum(1),
            octets: self.octets,
            silence,
            quiet: silence,
            run: self.run,
            ttl: self.ttl,
            timestamps: stamps,
            ip_id: None,
            ip_id_before: None,
            dont_fragment: true,
            psh: false,
            octet: (self.octets > 0).then_some(0),
            window: 502,
            window_before: Some(502),
            ack_lag: Some(0),
            in_flight: None,
        };
        let answer = answer.map(|at| Answer {
            probe: number as u32,
            kind: AnswerKind::Ack,
            at: mark(at, number + 1),
            rtt: at.since(time),
            ttl: 64,
            dsack: false,
            window_changed: false,
            timestamps: stamps,
            reporter: None,
            corrects: None,
        });
        if let Some(answer) = &answer {
            self.heard = Some(answer.at.time);
            self.run = 0;
        }
        let basis = Basis::Acknowledged;
        self.prober.probes.push(ProbeRecord { event: number as u32, segment, basis, answer });
    }

    pub fn reset(&mut self, time: Timestamp) {
        self.reset = Some(time);
    }

    pub fn infer(&self) -> Inference {
        let end = |last: u8| Endpoint { address: [192, 0, 2, last].into(), port: 7000 };
        let first = mark(self.start, 1);
        let last = mark(self.prober.probes.last().unwrap().segment.at.time, 9999);
        let side = SideSummary { segments: 5, data_segments: 1, ..SideSummary::default() };
        let summary = Summary {
            opened: Opened { client: end(1), server: end(2), start: Start::Seen, first },
            last,
            client: side,
            server: side,
            reset: self.reset.map(|time| (Party::Client, mark(time, 9999))),
            duplicates: 0,
            seen_until: last.time,
            let_go: false,
        };
        let tail = self.prober.unanswered_tail().iter().map(|probe| probe.segment.at.frame);
        let outcome = if self.reset.is_some() { Outcome::TimedOut } else { Outcome::Alive };
        let verdict = Verdict {
            outcome,
            evidence: tail.collect(),
            reason: String::new(),
            last_life: None,
            origin: None,
        };
        infer(&self.prober, &ProberRecord::default(), Party::Client, &summary, &verdict, None)
    }
}

/// What the machine of a stack does: its peer answers `answered` probes after `rtt`, then nothing more. At most
/// `most` probes.
pub struct Run {
    pub model: Model,
    pub settings: Settings,
    /// The phase of its clock: how long before the start it stood at zero.
    pub phase: Span,
    pub rtt: Span,
    pub answered: usize,
    pub most: usize,
    /// By how much each captured time is off.
    pub jitter: Vec<i64>,
    pub stamps: bool,
}

impl Run {
    pub fn scene(&self) -> Scene {
        let start = Timestamp::from_nanos(1_000_000_000_000_000);
        let zero = start.plus(Span::from_nanos(-self.phase.as_nanos()));
        let clock = Clock::new(self.model.rounding, zero);
        let mut tcb = Tcb::quiet(SeqNum(100), SeqNum(1));
        tcb.ts_recent = self.stamps.then_some(7);
        let mut machine = Machine::new(self.model.rules, self.settings, clock, tcb, start);
        machine.set(start, Setting::Enabled(true));
        let mut scene = Scene::new(start);
        let mut jitter = self.jitter.iter().cycle().copied();
        let mut seen = |time: Timestamp| time.plus(Span::from_nanos(jitter.next().unwrap_or(0)));
        let mut answers: Vec<Timestamp> = Vec::new();
        let mut sent = 0;
        let mut is_start = true;
        while sent < self.most {
            let pending = answers.first().copied();
            // Some send a probe as soon as they are told to.
            let at_once = std::mem::take(&mut is_start).then_some(start);
            let next = [at_once, machine.next_timeout(), pending];
            let Some(now) = next.into_iter().flatten().min() else { break };
            if pending == Some(now) {
                answers.remove(0);
                let flags = Flags::ACK;
                let (seq, ack) = (SeqNum(1), SeqNum(100));
                machine.on_segment(now, &Incoming { seq, ack, flags, octets: 0, tsval: None });
            } else {
                machine.on_timeout(now);
            }
            while let Some(segment) = machine.poll_transmit() {
                if let Purpose::Probe(_) = segment.purpose {
                    let answer = (sent < self.answered).then(|| now.plus(self.rtt));
                    answers.extend(answer);
                    sent += 1;
                    scene.octets = segment.octets;
                    scene.stamps = segment.timestamps;
                    let time = seen(now);
                    scene.probe(time, answer.map(&mut seen).map(|at| at.max(time)));
                } else {
                    scene.reset(seen(now));
                }
            }
            while let Some(event) = machine.poll_event() {
                if let Event::GaveUp { .. } = event {
                    return scene;
                }
            }
        }
        scene
    }
}

/// Seconds as a span.
pub fn secs(seconds: f64) -> Span {
    Span::from_nanos((seconds * 1e9).round() as i64)
}

/// Whether settings lie in the ranges of an explanation, as far as it names them.
pub fn holds(explanation: &Explanation, idle: Span, interval: Span) -> bool {
    let within = |setting: Option<keepscope::analysis::inference::Setting>, span: Span| {
        setting.is_none_or(|setting| setting.low <= span && span <= setting.high)
    };
    within(explanation.idle, idle) && within(explanation.interval, interval)
}
