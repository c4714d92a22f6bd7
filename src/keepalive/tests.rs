//! The machine on a virtual clock, stack by stack.

use super::predict::{Peer, Question, What, predict};
use super::wheel::Wheel;
use super::*;
use crate::segment::{Flags, SeqNum};
use crate::stack::Stack;
use crate::stack::value::Rounding;
use crate::time::{Span, Timestamp};

fn secs(seconds: f64) -> Span {
    Span::from_nanos((seconds * 1e9).round() as i64)
}

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_nanos((seconds * 1e9).round() as i64)
}

fn settings(idle: f64, interval: f64, count: u32) -> Settings {
    Settings { idle: secs(idle), interval: secs(interval), count, user_timeout: None }
}

/// A machine that is driven to any time, and what it did on the way.
struct Driven {
    machine: Machine,
    done: Vec<(f64, String)>,
}

impl Driven {
    fn new(stack: &str, settings: Settings) -> Self {
        let model = Model::of(Stack::named(stack).unwrap()).unwrap();
        let clock = Clock::new(model.rounding, at(0.0));
        Self::with_clock(stack, settings, clock)
    }

    fn with_clock(stack: &str, settings: Settings, clock: Clock) -> Self {
        let model = Model::of(Stack::named(stack).unwrap()).unwrap();
        let tcb = Tcb { ts_recent: Some(70), ..Tcb::quiet(SeqNum(1000), SeqNum(5000)) };
        let machine = Machine::new(model.rules, settings, clock, tcb, at(0.0));
        Self { machine, done: Vec::new() }
    }

    fn on(mut self) -> Self {
        self.machine.set(at(0.0), Setting::Enabled(true));
        self
    }

    /// Runs up to a time.
    fn until(&mut self, seconds: f64) -> &mut Self {
        self.take(0.0);
        while let Some(due) = self.machine.next_timeout().filter(|due| *due <= at(seconds)) {
            self.machine.on_timeout(due);
            self.take(due.as_nanos() as f64 / 1e9);
        }
        self
    }

    fn take(&mut self, now: f64) {
        while let Some(segment) = self.machine.poll_transmit() {
            let what = match segment.purpose {
                Purpose::Probe(run) => format!("probe {run} seq={}", segment.seq),
                Purpose::Answer => format!("answer dsack={}", segment.dsack.is_some()),
                Purpose::Reset => format!("reset seq={}", segment.seq),
            };
            self.done.push(((now * 1000.0).round() / 1000.0, what));
        }
        while self.machine.poll_event().is_some() {}
    }

    fn set(&mut self, seconds: f64, setting: Setting) -> &mut Self {
        self.until(seconds).machine.set(at(seconds), setting);
        self.take(seconds);
        self
    }

    fn receive(&mut self, seconds: f64, segment: Incoming) -> &mut Self {
        self.until(seconds).machine.on_segment(at(seconds), &segment);
        self.take(seconds);
        self
    }

    fn times(&self) -> Vec<f64> {
        self.done.iter().map(|(time, _)| *time).collect()
    }
}

/// The peer's answer to a probe.
fn ack() -> Incoming {
    Incoming { seq: SeqNum(5000), ack: SeqNum(1000), flags: Flags::ACK, octets: 0, tsval: Some(71) }
}

/// The peer's own probe.
fn inbound_probe(octets: u32) -> Incoming {
    Incoming { seq: SeqNum(4999), ack: SeqNum(1000), flags: Flags::ACK, octets, tsval: Some(72) }
}

#[test]
fn linux_sends_count_probes_and_a_reset_one_interval_later() {
    // Measured on Linux 6.18, HZ=250: 5/2/3 gives probes at 5.17, 7.18, 9.20 s and the RST at 11.21 s.
    let mut host = Driven::new("linux", settings(5.0, 2.0, 3)).on();
    host.until(100.0);
    let kinds: Vec<&str> = host.done.iter().map(|(_, what)| what.as_str()).collect();
    assert_eq!(kinds, ["probe 1 seq=999", "probe 2 seq=999", "probe 3 seq=999", "reset seq=1000"]);
    assert_eq!(host.times(), [5.12, 7.136, 9.152, 11.168]);
}

#[test]
fn the_packetdrill_vector_of_linux() {
    // Neal Cardwell, netdev, 2025-01-09: KEEPIDLE 3, INTVL 2, CNT 4 gives probes at +3, +2, +2, +2 and the
    // RST 2 s after the fourth, to the second.
    let mut host = Driven::new("linux", settings(3.0, 2.0, 4)).on();
    host.until(100.0);
    let times = host.times();
    let gaps: Vec<i64> = std::iter::once(times[0])
        .chain(times.windows(2).map(|pair| pair[1] - pair[0]))
        .map(|gap| gap as i64)
        .collect();
    assert_eq!(gaps, [3, 2, 2, 2, 2]);
    assert_eq!(host.done[4].1, "reset seq=1000");
}

#[test]
fn a_user_timeout_replaces_the_count_on_linux() {
    // Measured: 5/2/9 with 7 s gives one probe at 5.4 and the RST at 7.44 s; 5/5/9 with 1 s gives one probe
    // and the RST an interval later, never before.
    let timeout = |seconds| Some(secs(seconds));
    let mut host =
        Driven::new("linux", Settings { user_timeout: timeout(7.0), ..settings(5.0, 2.0, 9) }).on();
    host.until(100.0);
    assert_eq!(host.times(), [5.12, 7.136]);
    let mut host =
        Driven::new("linux", Settings { user_timeout: timeout(1.0), ..settings(5.0, 5.0, 9) }).on();
    host.until(100.0);
    assert_eq!(host.times(), [5.12, 10.24]);
    assert!(host.done[1].1.starts_with("reset"));
    // A user timeout of zero is none.
    let mut host =
        Driven::new("linux", Settings { user_timeout: timeout(0.0), ..settings(5.0, 2.0, 1) }).on();
    host.until(100.0);
    assert_eq!(host.times(), [5.12, 7.136]);
}

#[test]
fn one_lost_probe_ends_a_reqwest_connection() {
    // 15/15/3 with TCP_USER_TIMEOUT 30 s: the second firing finds 30 s past and one probe unanswered.
    let mut host =
        Driven::new("linux", Settings { user_timeout: Some(secs(30.0)), ..settings(15.0, 15.0, 3) }).on();
    host.until(100.0);
    assert_eq!(host.done.len(), 2);
    assert!(host.done[1].1.starts_with("reset"));
}

#[test]
fn an_answer_does_not_move_the_linux_timer() {
    // 10/3: after an answer the timer still fires 3 s later and finds what is left of the idle time.
    let mut host = Driven::new("linux", settings(10.0, 3.0, 5)).on();
    host.until(10.3).receive(10.3, ack()).until(21.0);
    let times = host.times();
    assert_eq!(times.len(), 2);
    // Measured: a steady period of 10.24 s.
    assert!((times[1] - times[0] - 10.24).abs() < 0.3, "{times:?}");
    // Idle no longer than the interval: the period is the interval, not the idle time.
    let mut host = Driven::new("linux", settings(2.0, 5.0, 5)).on();
    host.until(2.1).receive(2.1, ack()).until(8.0);
    assert!((host.times()[1] - host.times()[0] - 5.12).abs() < 0.1);
}

#[test]
fn setting_the_idle_time_of_a_quiet_linux_socket_probes_at_once() {
    let mut host = Driven::new("linux", settings(7200.0, 75.0, 9)).on();
    host.set(8.0, Setting::Idle(secs(5.0))).until(8.1);
    assert_eq!(host.times(), [8.004]);
    // Turned on after a silence: the whole idle time begins then.
    let mut host = Driven::new("linux", settings(5.0, 2.0, 9));
    host.set(8.0, Setting::Enabled(true)).until(13.5);
    assert_eq!(host.times(), [13.056]);
    // Interval and count do not touch the timer; turning it on twice does not either.
    let mut host = Driven::new("linux", settings(5.0, 2.0, 9)).on();
    host.set(4.0, Setting::Interval(secs(1.0))).set(4.1, Setting::Count(1)).set(4.2, Setting::Enabled(true));
    host.until(10.0);
    assert_eq!(host.times(), [5.12, 6.144]);
}

#[test]
fn linux_waits_a_whole_idle_time_while_data_is_outstanding() {
    let mut host = Driven::new("linux", settings(5.0, 2.0, 3)).on();
    host.until(4.0).machine.on_sent(at(4.0), 10, false);
    host.until(9.0);
    assert_eq!(host.done, []);
    let acked = Incoming { ack: SeqNum(1010), ..ack() };
    host.receive(9.0, acked).until(16.0);
    assert_eq!(host.done[0].1, "probe 1 seq=1009");
}

#[test]
fn what_linux_takes_for_a_sign_of_life() {
    // An empty probe of the peer fails the sequence test; one octet passes.
    let mut host = Driven::new("linux", settings(5.0, 2.0, 3)).on();
    host.receive(4.0, inbound_probe(0)).until(5.5);
    assert_eq!(host.done[1].1, "probe 1 seq=999");
    let mut host = Driven::new("linux", settings(5.0, 2.0, 3)).on();
    host.receive(4.0, inbound_probe(1)).until(8.0);
    assert_eq!(host.done.len(), 1);
    assert_eq!(host.done[0].1, "answer dsack=true");
}

#[test]
fn linux_answers_empty_probes_twice_a_second_and_octets_always() {
    let mut host = Driven::new("linux", settings(7200.0, 75.0, 9));
    for index in 0..6 {
        host.receive(1.0 + f64::from(index) * 0.1, inbound_probe(0));
    }
    // Measured: six in half a second, two answers.
    assert_eq!(host.times(), [1.0, 1.5]);
    let mut host = Driven::new("linux", settings(7200.0, 75.0, 9));
    for index in 0..6 {
        host.receive(1.0 + f64::from(index) * 0.1, inbound_probe(1));
    }
    assert_eq!(host.done.len(), 6);
    // An old TSval: dropped without an answer, but one octet is answered all the same.
    let old = |octets| Incoming { tsval: Some(3), ..inbound_probe(octets) };
    let mut host = Driven::new("linux", settings(7200.0, 75.0, 9));
    host.receive(1.0, old(0)).receive(2.0, old(1));
    assert_eq!(host.times(), [2.0]);
}

#[test]
fn the_echo_of_an_answer_is_older_for_an_empty_probe() {
    let mut host = Driven::new("linux", settings(7200.0, 75.0, 9));
    host.machine.on_segment(at(1.0), &inbound_probe(0));
    assert_eq!(host.machine.poll_transmit().unwrap().echo, Some(70));
    host.machine.on_segment(at(2.0), &inbound_probe(1));
    assert_eq!(host.machine.poll_transmit().unwrap().echo, Some(72));
}

#[test]
fn a_host_without_the_connection_resets_at_what_was_acknowledged() {
    let reset = answer_without_connection(&inbound_probe(0)).unwrap();
    assert_eq!((reset.seq, reset.flags), (SeqNum(1000), Flags::RST));
    let rst = Incoming { flags: Flags::RST, ..inbound_probe(0) };
    assert_eq!(answer_without_connection(&rst), None);
}

#[test]
fn bsd_gives_up_by_time_after_count_probes() {
    for stack in ["freebsd", "openbsd", "netbsd"] {
        let mut host = Driven::new(stack, settings(10.0, 3.0, 4)).on();
        host.until(100.0);
        let probes = host.done.iter().filter(|(_, what)| what.starts_with("probe")).count();
        assert_eq!(probes, 4, "{stack}: {:?}", host.done);
        let (time, what) = host.done.last().unwrap();
        assert_eq!(what, "reset seq=1000", "{stack}");
        assert!((22.0..23.0).contains(time), "{stack}: {time}");
    }
}

#[test]
fn bsd_probes_with_data_in_flight_below_what_was_acknowledged() {
    let mut host = Driven::new("freebsd", settings(10.0, 3.0, 4)).on();
    host.machine.on_sent(at(1.0), 100, false);
    host.until(11.0);
    assert_eq!(host.done[0].1, "probe 1 seq=999");
}

#[test]
fn illumos_backs_off_from_the_retransmission_timeout() {
    let model = Model::of(Stack::named("illumos").unwrap()).unwrap();
    let mut host = Driven::new("illumos", Settings { idle: secs(100.0), ..model.settings }).on();
    host.machine.set_rto(secs(0.5));
    host.until(1000.0);
    let times = host.times();
    let gaps: Vec<f64> =
        times.windows(2).map(|pair| ((pair[1] - pair[0]) * 1000.0).round() / 1000.0).collect();
    assert_eq!(gaps[..6], [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]);
    assert!(*times.last().unwrap() > 580.0 && gaps.iter().all(|gap| *gap <= 60.0), "{times:?}");
}

#[test]
fn windows_counts_ten_at_one_second_unless_it_is_old() {
    for (stack, count) in [("windows-vista", 10), ("windows-10-1709", 10), ("windows-2003", 5)] {
        let model = Model::of(Stack::named(stack).unwrap()).unwrap();
        assert_eq!(model.settings.interval, secs(1.0));
        let mut host = Driven::new(stack, model.settings).on();
        host.until(8000.0);
        let probes = host.done.iter().filter(|(_, what)| what.starts_with("probe")).count();
        assert_eq!(probes, count, "{stack}");
        assert!(!model.assumptions.is_empty(), "what Windows does on the wire nobody has verified");
    }
}

#[test]
fn small_stacks() {
    // lwIP: ticks of 500 ms, strictly past the limit; counted from the last receipt.
    let mut host = Driven::new("lwip", settings(10.0, 3.0, 3)).on();
    host.until(100.0);
    assert_eq!(host.times(), [10.5, 13.5, 16.5, 19.5]);
    // smoltcp: one octet at the same interval for ever.
    let mut host = Driven::new("smoltcp", settings(5.0, 5.0, 9)).on();
    host.until(31.0);
    assert!(host.done.len() >= 6 && host.done.iter().all(|(_, what)| what.starts_with("probe")));
    // gVisor: like Linux, on time.
    let mut host = Driven::new("gvisor", settings(10.0, 3.0, 2)).on();
    host.until(100.0);
    assert_eq!(host.times(), [10.0, 13.0, 16.0]);
}

#[test]
fn a_timeout_before_its_time_changes_nothing() {
    let mut host = Driven::new("linux", settings(5.0, 2.0, 3)).on();
    for tenth in 0..51 {
        host.machine.on_timeout(at(f64::from(tenth) / 10.0));
    }
    host.take(5.0);
    assert_eq!(host.done, []);
    host.until(100.0);
    assert_eq!(host.times(), [5.12, 7.136, 9.152, 11.168]);
}

fn ask(hz: u32, settings: Settings, peer: Peer) -> predict::Prediction {
    let mut model = Model::of(Stack::named("linux").unwrap()).unwrap();
    model.rounding = Rounding::TimerWheel { hz };
    predict(&Question { model, settings, peer, rtt: Span::from_millis(1), steps: 20 })
}

#[test]
fn predictions_hold_every_phase() {
    let prediction = ask(1000, settings(340.0, 75.0, 9), Peer::Silent);
    let first = prediction.steps[0];
    assert_eq!(first.what, What::Probe(1));
    assert!(first.earliest > secs(340.0) && first.latest <= secs(340.0 + 32.769), "{first:?}");
    assert!(first.latest > secs(340.0 + 32.7));
    assert_eq!(prediction.steps.len(), 10);
    assert_eq!(prediction.steps[9].what, What::GiveUp { reset: true });
    // A limit of 350 s: measured share of phases in which the first probe comes too late.
    for (hz, share) in [(250, 39), (1000, 69)] {
        let wheel = Wheel::new(hz, Timestamp::default());
        let delay = wheel.to_jiffies(secs(340.0));
        let limit = wheel.to_jiffies(secs(350.0));
        let granule = Wheel::granule(delay);
        let late = (0..granule).filter(|now| wheel.fires_at(*now, delay) - now > limit).count() as i64;
        assert_eq!((late * 100 + granule / 2) / granule, share, "HZ={hz}");
    }
}

#[test]
fn predictions_for_other_peers() {
    let gone = ask(250, settings(7.0, 3.0, 4), Peer::Gone);
    assert_eq!(
        gone.steps.iter().map(|step| step.what).collect::<Vec<_>>(),
        [What::Probe(1), What::ResetByPeer]
    );
    let alive = ask(250, settings(15.0, 15.0, 9), Peer::Alive);
    assert!(alive.goes_on && alive.detection.is_none());
    let silent = ask(250, settings(15.0, 15.0, 9), Peer::Silent);
    let detection = silent.detection.unwrap();
    assert!(detection.best >= secs(135.0) && detection.worst >= secs(151.0) && detection.worst < secs(152.1));
}

/// A peer that falls silent after some answers: the last answer begins the idle time anew, and the timer's own steps
/// go on. Measured on Linux 6.18 at HZ=250 with 2/1/2: probes at 2.015 s, 4.032 s, 5.057 s, end at 6.075 s.
#[test]
fn predictions_for_peers_that_answer_at_first() {
    let silent = ask(250, settings(2.0, 1.0, 2), Peer::SilentAfter(1));
    let what: Vec<What> = silent.steps.iter().map(|step| step.what).collect();
    assert_eq!(what, [What::Probe(1), What::Probe(2), What::Probe(3), What::GiveUp { reset: true }]);
    for (step, seen) in silent.steps.iter().zip([2.015, 4.032, 5.057, 6.075]) {
        assert!(step.earliest <= secs(seen) && secs(seen) <= step.latest, "{step:?}");
    }
    // It is alive until its last answer.
    let detection = silent.detection.unwrap();
    assert!(detection.worst < secs(4.1) && detection.best < secs(2.1), "{detection:?}");
    assert!(!silent.goes_on);
    let gone = ask(250, settings(2.0, 1.0, 2), Peer::GoneAfter(1));
    let what: Vec<What> = gone.steps.iter().map(|step| step.what).collect();
    assert_eq!(what, [What::Probe(1), What::Probe(2), What::ResetByPeer]);
}
