//! When the keepalive machine would have sent each probe, given what the prober had heard.
//!
//! Owns the windows that probes are held against. The machine is run over the segments of the capture in
//! every phase of its timer: once forced to send each probe when it was seen, which allows whatever some phase
//! allows, and once left alone for two probes in a row, which allows only what one phase explains for both.
//! Uses [`crate::keepalive`], and [`super::history`] for the segments.

use std::collections::{BTreeMap, BTreeSet};

use super::Expectation;
use super::history::{History, Moment};
use crate::analysis::{ConnectionRecord, Outcome, ProbeRecord, median};
use crate::frame::FrameId;
use crate::keepalive::wheel::Wheel;
use crate::keepalive::{Clock, Event, Incoming, Machine, Setting, Settings, Tcb};
use crate::segment::Flags;
use crate::stack::value::{InboundProbes, Rounding};
use crate::time::{Span, Timestamp};
use crate::track::event::{Mark, Party};

/// HZ values that kernels are built with, for when it is not said which.
pub const ALL_HZ: [u32; 4] = [100, 250, 300, 1000];

/// Phases that are run; where there are more, evenly spread ones.
const PHASES: i64 = 128;

/// Firings between two probes that are followed.
const FIRINGS: usize = 10_000;

/// Added to what is allowed where nobody knows how a stack rounds its timers.
const UNKNOWN_ROUNDING: Span = Span::from_millis(500);

/// One thing to judge: a probe, or what should come after the last one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// The probe before it.
    pub(super) from: Option<Mark>,
    /// The probe; nothing after the last one.
    pub(super) probe: Option<Mark>,
    /// The last segment before it that starts the idle time.
    pub(super) heard: Option<Mark>,
    /// Between which times it is due; nothing if that cannot be known.
    pub(super) window: Option<(Timestamp, Timestamp)>,
    /// It is explained only if what was sent to the prober before it did not arrive.
    pub(super) deaf: bool,
    /// Something that starts the idle time came since the probe before it.
    pub(super) after_receipt: bool,
    /// How far a time may lie outside the window.
    pub(super) tolerance: Span,
}

impl Step {
    pub(super) fn is_explained(&self, at: Timestamp) -> bool {
        self.window.is_some_and(|window| holds(window, at, self.tolerance))
    }
}

fn holds((earliest, latest): (Timestamp, Timestamp), at: Timestamp, tolerance: Span) -> bool {
    at.plus(tolerance) >= earliest && at <= latest.plus(tolerance)
}

/// How far the true phase of a timer may lie from one that is run: after an idle time, and after an interval.
#[derive(Clone, Copy)]
struct Resolution {
    idle: Span,
    interval: Span,
}

impl Resolution {
    fn after(self, in_run: bool) -> Span {
        if in_run { self.interval } else { self.idle.max(self.interval) }
    }
}

/// A machine left or led to where the capture stands.
#[derive(Clone)]
struct Rider {
    machine: Machine,
    resolution: Resolution,
}

/// The machines of one way of rounding.
struct Pack {
    rounding: Rounding,
    /// Forced to probe when the last probe was seen.
    led: Vec<Rider>,
    /// Forced only at the probe before the last, and explaining the last one by themselves.
    free: Vec<Rider>,
}

/// Everything that the windows depend on.
pub(super) struct Replay<'a> {
    expectation: &'a Expectation,
    settings: Settings,
    party: Party,
    probes: &'a [ProbeRecord],
    /// The probes of both sides.
    probe_frames: BTreeSet<FrameId>,
    moments: &'a [Moment],
    /// Where the segment of a frame stands among them.
    places: BTreeMap<FrameId, usize>,
    /// It gave up, so answers at the end did not reach it.
    gave_up: bool,
    /// What gaps that back off begin with.
    rto: Option<Span>,
    /// Added to the times of what the prober received: the way to it and back.
    trip: Span,
}

impl<'a> Replay<'a> {
    pub(super) fn new(
        record: &'a ConnectionRecord,
        history: &'a History,
        party: Party,
        expectation: &'a Expectation,
    ) -> Self {
        let prober = record.prober(party);
        let peer = record.prober(party.peer());
        let shown = peer.round_trips().first().copied();
        let trip = history.trip_to(party).into_iter().chain(shown).min().unwrap_or(Span::ZERO);
        let gaps = prober.run_gaps();
        let first = prober.first_silences().first().copied();
        let model = &expectation.model.settings;
        let settings = Settings {
            // What is not promised is taken as it was seen, so that the rest can be judged.
            idle: expectation.idle.or(first).unwrap_or(model.idle).max(Span::from_nanos(1)),
            interval: match (expectation.interval, expectation.backs_off()) {
                (Some(interval), _) => interval,
                (None, true) => Span::ZERO,
                (None, false) => median(&gaps).unwrap_or(model.interval),
            },
            // The machine that keeps the time never gives up; giving up is judged by itself.
            count: u32::MAX,
            user_timeout: None,
        };
        let moments = &history.moments;
        let both = prober.probes.iter().chain(&peer.probes);
        Self {
            expectation,
            settings,
            party,
            probes: &prober.probes,
            probe_frames: both.map(|probe| probe.segment.at.frame).collect(),
            moments,
            places: moments.iter().enumerate().map(|(place, moment)| (moment.at.frame, place)).collect(),
            gave_up: record.verdict.outcome == Outcome::TimedOut
                && record.summary.reset.is_some_and(|(by, _)| by == party),
            rto: gaps.first().copied(),
            trip,
        }
    }

    /// The round trip to the prober that is allowed for.
    pub(super) fn trip(&self) -> Span {
        self.trip
    }

    /// One step for each probe, and one for what should follow the last.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut packs: Vec<Pack> = self
            .roundings()
            .into_iter()
            .map(|rounding| Pack { rounding, led: vec![], free: vec![] })
            .collect();
        let mut steps = Vec::new();
        let mut before: Option<&ProbeRecord> = None;
        for probe in self.probes {
            steps.push(match before {
                None => self.first(&mut packs, probe),
                Some(earlier) => self.next(&mut packs, earlier, probe),
            });
            before = Some(probe);
        }
        if let Some(last) = before {
            steps.push(self.after(&packs, last));
        }
        steps
    }

    fn roundings(&self) -> Vec<Rounding> {
        match (self.expectation.model.rounding, self.expectation.hz) {
            (Rounding::TimerWheel { .. }, Some(hz)) => vec![Rounding::TimerWheel { hz }],
            (Rounding::TimerWheel { .. }, None) => {
                ALL_HZ.into_iter().map(|hz| Rounding::TimerWheel { hz }).collect()
            }
            (other, _) => vec![other],
        }
    }

    /// Clocks in every phase relative to `near`, with how far the true one may lie from the next of them.
    fn clocks(&self, rounding: Rounding, near: Timestamp) -> (Vec<Clock>, Resolution) {
        let same = |span| Resolution { idle: span, interval: span };
        match rounding {
            Rounding::Exact => (vec![Clock::Exact], same(Span::ZERO)),
            Rounding::TimerWheel { hz } => {
                let wheel = Wheel::new(hz, near);
                let granule = |span: Span| Wheel::granule(wheel.to_jiffies(span));
                let fine = granule(self.settings.interval);
                let coarse = fine.max(granule(self.settings.idle));
                let stride = |phases: i64| (phases / PHASES).max(1);
                let spread = |phases: i64| (0..phases).step_by(usize::try_from(stride(phases)).unwrap_or(1));
                let mut phases: Vec<i64> = spread(coarse).chain(spread(fine)).collect();
                phases.sort_unstable();
                phases.dedup();
                let clock = |phase: i64| Clock::Wheel(Wheel::with_phase(hz, near, phase.unsigned_abs()));
                let jiffies =
                    |count: i64| Span::from_nanos(1_000_000_000 / i64::from(hz.max(1))).times(count);
                let resolution =
                    Resolution { idle: jiffies(stride(coarse)), interval: jiffies(stride(fine)) };
                (phases.into_iter().map(clock).collect(), resolution)
            }
            Rounding::Coalesced { window: tick }
            | Rounding::Ticks { tick, .. }
            | Rounding::Polled { period: tick, .. } => {
                let stride = (tick.as_nanos() / PHASES).max(1);
                let zero = |index: i64| near.plus(Span::from_nanos(-index.saturating_mul(stride)));
                let clocks = (0..PHASES).map(|index| Clock::new(rounding, zero(index)));
                (clocks.collect(), same(Span::from_nanos(stride)))
            }
        }
    }

    /// More than any timer of these settings is late.
    fn margin(&self, rounding: Rounding) -> Span {
        match rounding {
            Rounding::TimerWheel { hz } => {
                let wheel = Wheel::new(hz, Timestamp::default());
                let granule = Wheel::granule(wheel.to_jiffies(self.settings.idle)).saturating_add(2);
                Span::from_nanos((1_000_000_000 / i64::from(hz.max(1))).saturating_mul(granule))
            }
            Rounding::Coalesced { window: tick }
            | Rounding::Ticks { tick, .. }
            | Rounding::Polled { period: tick, .. } => tick.times(3),
            Rounding::Exact => Span::from_nanos(1),
        }
    }

    fn rider(&self, clock: Clock, resolution: Resolution, heard: Timestamp, probe: &ProbeRecord) -> Rider {
        let tcb = Tcb::quiet(probe.segment.seq.plus(1), probe.segment.ack);
        let mut machine = Machine::new(self.expectation.model.rules, self.settings, clock, tcb, heard);
        if let Some(rto) = self.rto {
            machine.set_rto(rto);
        }
        machine.set(heard, Setting::Enabled(true));
        Rider { machine, resolution }
    }

    /// The first probe: nobody knows where the timer stood, so any phase and any earlier firing is allowed.
    fn first(&self, packs: &mut [Pack], probe: &ProbeRecord) -> Step {
        let at = probe.segment.at;
        let place = self.places.get(&at.frame).copied().unwrap_or(0);
        let before = self.moments.get(..place).unwrap_or_default();
        let heard = before.iter().rev().find(|moment| self.starts_idle(moment));
        let mut window = None;
        for pack in packs.iter_mut() {
            let Some(heard) = heard.map(|moment| self.time_of(moment)) else { continue };
            let (mut clocks, resolution) = self.clocks(pack.rounding, heard);
            // Ticks that fall on the probe itself, which those that are run may miss on either side.
            if !is_wheel(pack.rounding) {
                clocks.push(Clock::new(pack.rounding, at.time));
            }
            for clock in clocks {
                let mut rider = self.rider(clock, resolution, heard, probe);
                if let Some(due) = advance(&mut rider.machine.clone(), &[], self) {
                    window = joined(window, wide(due, resolution.idle));
                }
                if !is_wheel(pack.rounding) && self.force(&mut rider, &[], at.time) {
                    pack.led.push(rider);
                }
            }
        }
        self.restart_empty(packs, probe);
        let since = heard.map_or(Span::ZERO, |moment| at.time.since(moment.at.time));
        self.step(None, Some(at), heard.map(|moment| moment.at), window, since)
    }

    fn step(
        &self,
        from: Option<Mark>,
        probe: Option<Mark>,
        heard: Option<Mark>,
        window: Option<(Timestamp, Timestamp)>,
        since: Span,
    ) -> Step {
        let known = self.expectation.model.stack.timing.rounding.value.is_some();
        let slack = if known { Span::ZERO } else { UNKNOWN_ROUNDING };
        let window = window.map(|(earliest, latest)| (earliest, latest.plus(slack)));
        let tolerance = self.expectation.tolerance(since);
        Step { from, probe, heard, window, deaf: false, after_receipt: false, tolerance }
    }

    fn next(&self, packs: &mut [Pack], earlier: &ProbeRecord, probe: &ProbeRecord) -> Step {
        let (from, at) = (earlier.segment.at, probe.segment.at);
        let between = self.between(from, Some(at));
        let own: Vec<&Moment> = between.iter().copied().filter(|moment| moment.from == self.party).collect();
        let since = at.time.since(from.time);
        let heard = between.iter().rev().find(|moment| self.starts_idle(moment)).copied();
        let (window, free) = self.windows(packs, &between, heard.is_none());
        let mut step = self.step(Some(from), Some(at), heard.map(|moment| moment.at), free.or(window), since);
        step.after_receipt = heard.is_some();
        let mut used = &between;
        if heard.is_some() && !step.is_explained(at.time) {
            let (unheard, _) = self.windows(packs, &own, true);
            let too_soon = heard.is_some_and(|heard| {
                at.time.plus(step.tolerance) < self.time_of(heard).plus(self.settings.idle)
            });
            if unheard.is_some_and(|window| holds(window, at.time, step.tolerance))
                || self.gave_up
                    && too_soon
                    && unheard.is_some_and(|window| at.time <= window.1.plus(step.tolerance))
            {
                step.deaf = true;
                step.window = unheard;
                used = &own;
            }
        }
        let in_run = heard.is_none() || step.deaf;
        for pack in packs.iter_mut() {
            let led = std::mem::take(&mut pack.led);
            pack.free.clear();
            for mut rider in led {
                let mut alone = rider.clone();
                let off = rider.resolution.after(in_run);
                if let Some(due) = advance(&mut alone.machine, used, self)
                    && holds(wide(due, off), at.time, step.tolerance)
                {
                    // As far as it was off, it still is.
                    alone.resolution.interval = off;
                    pack.free.push(alone);
                }
                // After an idle time few phases are left of those that are run, and after a step that none
                // explains they mean nothing: then all begin anew.
                let keeps = (in_run && step.is_explained(at.time)) || !is_wheel(pack.rounding);
                if keeps && self.force(&mut rider, used, at.time) {
                    pack.led.push(rider);
                }
            }
        }
        self.restart_empty(packs, probe);
        step
    }

    /// What should follow the last probe.
    fn after(&self, packs: &[Pack], last: &ProbeRecord) -> Step {
        let from = last.segment.at;
        let between = self.between(from, None);
        let heard = between.iter().rev().find(|moment| self.starts_idle(moment)).copied();
        let (window, free) = self.windows(packs, &between, heard.is_none());
        let window = free.or(window);
        let since = window.map_or(Span::ZERO, |(_, latest)| latest.since(from.time));
        let mut step = self.step(Some(from), None, heard.map(|moment| moment.at), window, since);
        step.after_receipt = heard.is_some();
        step
    }

    /// When the next probe is due, by the machines that were led, and by those left alone.
    fn windows(&self, packs: &[Pack], between: &[&Moment], in_run: bool) -> (Window, Window) {
        let all = |riders: &dyn Fn(&Pack) -> Vec<Rider>| {
            let mut window = None;
            for mut rider in packs.iter().flat_map(riders) {
                if let Some(due) = advance(&mut rider.machine, between, self) {
                    window = joined(window, wide(due, rider.resolution.after(in_run)));
                }
            }
            window
        };
        (all(&|pack| pack.led.clone()), all(&|pack| pack.free.clone()))
    }

    /// Where no machine can have sent a probe when it was seen, all begin anew with that probe.
    fn restart_empty(&self, packs: &mut [Pack], probe: &ProbeRecord) {
        let at = probe.segment.at.time;
        for pack in packs.iter_mut().filter(|pack| pack.led.is_empty()) {
            let (clocks, resolution) = self.clocks(pack.rounding, at);
            let back = self.settings.idle.plus(self.margin(pack.rounding));
            let heard = at.plus(Span::from_nanos(back.as_nanos().saturating_neg()));
            for clock in clocks {
                let mut rider = self.rider(clock, resolution, heard, probe);
                if self.force(&mut rider, &[], at) {
                    pack.led.push(rider);
                }
            }
        }
    }

    /// Segments after a probe, up to the next one.
    fn between(&self, from: Mark, to: Option<Mark>) -> Vec<&'a Moment> {
        let place = |mark: Mark| self.places.get(&mark.frame).copied();
        let first = place(from).map_or(self.moments.len(), |place| place + 1);
        let end = to.and_then(place).unwrap_or(self.moments.len());
        self.moments.get(first..end).unwrap_or_default().iter().collect()
    }

    /// Makes a machine send its probe at a time although it would have sent it sooner; not later.
    fn force(&self, rider: &mut Rider, between: &[&Moment], at: Timestamp) -> bool {
        let machine = &mut rider.machine;
        let mut moments = between.iter().peekable();
        for _ in 0..FIRINGS {
            let Some(timer) = machine.next_timeout() else {
                match moments.next() {
                    Some(moment) => self.feed(machine, moment),
                    None => return false,
                }
                continue;
            };
            if let Some(moment) = moments.next_if(|moment| self.time_of(moment) <= timer.min(at)) {
                self.feed(machine, moment);
                continue;
            }
            let late = timer.since(at);
            if late > self.expectation.jitter.plus(rider.resolution.idle) {
                return false;
            }
            let mut trial = machine.clone();
            trial.on_timeout(timer);
            if probed(&mut trial) {
                machine.on_timeout(at.max(timer));
                return probed(machine);
            }
            *machine = trial;
        }
        false
    }

    /// Whether a segment starts the idle time of this stack.
    fn starts_idle(&self, moment: &Moment) -> bool {
        let clock = &self.expectation.model.stack.idle_clock;
        if moment.from == self.party {
            return clock.reset_by_sending.value_or(false);
        }
        match (self.is_probe(moment), clock.reset_by_probes.value_or(InboundProbes::Both)) {
            (true, InboundProbes::None) => false,
            (true, InboundProbes::OneOctet) => moment.octets == 1,
            (true, InboundProbes::Both) | (false, InboundProbes::Both) => true,
            (false, _) => !moment.old,
        }
    }

    fn is_probe(&self, moment: &Moment) -> bool {
        self.probe_frames.contains(&moment.at.frame)
    }

    /// When the prober heard or sent it, on the clock of its probes at the point of capture.
    fn time_of(&self, moment: &Moment) -> Timestamp {
        if moment.from == self.party { moment.at.time } else { moment.at.time.plus(self.trip) }
    }

    fn feed(&self, machine: &mut Machine, moment: &Moment) {
        let now = self.time_of(moment);
        let tcb = *machine.tcb();
        if moment.from == self.party {
            let more = u32::try_from(moment.end.distance_from(tcb.snd_nxt)).unwrap_or(0);
            let sent = if moment.octets > 0 { more } else { 0 };
            if sent > 0 || self.expectation.model.stack.idle_clock.reset_by_sending.value_or(false) {
                machine.on_sent(now, sent, false);
            }
        } else {
            let below = moment.old || self.is_probe(moment);
            let seq = if below { tcb.rcv_nxt.plus(u32::MAX) } else { tcb.rcv_nxt };
            let octets = if below { moment.octets.min(1) } else { 0 };
            let ack = if moment.ack.distance_from(tcb.snd_nxt) > 0 { tcb.snd_nxt } else { moment.ack };
            machine.on_segment(now, &Incoming { seq, ack, flags: Flags::ACK, octets, tsval: None });
        }
        while machine.poll_transmit().is_some() {}
        while machine.poll_event().is_some() {}
    }
}

fn is_wheel(rounding: Rounding) -> bool {
    matches!(rounding, Rounding::TimerWheel { .. })
}

type Window = Option<(Timestamp, Timestamp)>;

/// Runs a machine until it probes; returns when.
fn advance(machine: &mut Machine, between: &[&Moment], replay: &Replay<'_>) -> Option<Timestamp> {
    let mut moments = between.iter().peekable();
    for _ in 0..FIRINGS {
        let timer = machine.next_timeout();
        let due = moments.next_if(|moment| timer.is_none_or(|timer| replay.time_of(moment) <= timer));
        match (due, timer) {
            (Some(moment), _) => replay.feed(machine, moment),
            (None, Some(timer)) => {
                machine.on_timeout(timer);
                if probed(machine) {
                    return Some(timer);
                }
            }
            (None, None) => return None,
        }
    }
    None
}

/// Whether a probe has left, or the end has come instead; takes out all that the machine has to tell.
fn probed(machine: &mut Machine) -> bool {
    let mut probed = false;
    while let Some(event) = machine.poll_event() {
        probed |= matches!(event, Event::ProbeSent { .. } | Event::GaveUp { .. });
    }
    while machine.poll_transmit().is_some() {}
    probed
}

fn wide(due: Timestamp, by: Span) -> (Timestamp, Timestamp) {
    (due.plus(Span::from_nanos(by.as_nanos().saturating_neg())), due.plus(by))
}

fn joined(window: Window, other: (Timestamp, Timestamp)) -> Window {
    Some(match window {
        Some((earliest, latest)) => (earliest.min(other.0), latest.max(other.1)),
        None => other,
    })
}
