//! What the packets of a connection teach whoever wants to send beside the kernel that holds it.
//!
//! Owns SND.NXT, RCV.NXT, the window, what was negotiated, the clock of the timestamps, and what the kernel writes
//! into its IP headers. Pure. Uses [`crate::segment`], [`crate::keepalive`] (its [`Tcb`]) and [`crate::time`].

use crate::keepalive::Tcb;
use crate::segment::{Segment, SeqNum, TcpTimestamps};
use crate::time::{Span, Timestamp};

/// Below this the ticks of two TSvals say too little of the rate of their clock.
const LEAST_ELAPSED: Span = Span::from_millis(20);

/// Rates of timestamp clocks in ticks a second: Linux since 4.13, with `tcp_usec_ts`, and with the ticks of older
/// kernels; RFC 7323 §5.4 asks for 1 to 1000.
const RATES: [i64; 5] = [1_000, 100, 250, 300, 1_000_000];

/// The clock that stands behind a host's TSvals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TickClock {
    first: (Timestamp, u32),
    last: (Timestamp, u32),
}

impl TickClock {
    fn new(time: Timestamp, value: u32) -> Self {
        Self { first: (time, value), last: (time, value) }
    }

    fn see(&mut self, time: Timestamp, value: u32) {
        let forward = SeqNum(value).distance_from(SeqNum(self.last.1)) >= 0;
        if forward && time >= self.last.0 {
            self.last = (time, value);
        }
    }

    /// Ticks a second: the known rate that is nearest, or 1 kHz as Linux has it.
    fn rate(&self) -> i64 {
        let elapsed = self.last.0.since(self.first.0);
        if elapsed < LEAST_ELAPSED {
            return RATES[0];
        }
        let ticks = i128::from(self.last.1.wrapping_sub(self.first.1));
        let seen = ticks * 1_000_000_000 / i128::from(elapsed.as_nanos());
        let off = |rate: &i64| {
            let (low, high) = (i128::from(*rate).min(seen), i128::from(*rate).max(seen));
            high * 1000 / low.max(1)
        };
        RATES.into_iter().min_by_key(off).unwrap_or(RATES[0])
    }

    /// The TSval at a time. Rounded down twice, so never ahead of the clock itself: a TSval ahead of it would make
    /// the kernel's own next segment old.
    fn at(&self, time: Timestamp) -> u32 {
        let elapsed = i128::from(time.since(self.last.0).as_nanos().max(0));
        let ticks = elapsed * i128::from(self.rate()) / 1_000_000_000;
        self.last.1.wrapping_add(ticks as u32)
    }
}

/// What was learnt of one connection, from its SYN on.
///
/// SND.NXT is what follows the SYN and stays there: nothing is ever written to the connections that are probed, and
/// a packet that claims otherwise may be forged.
#[derive(Clone, Copy, Debug)]
pub(in crate::live) struct Learner {
    iss: SeqNum,
    own_scale: Option<u8>,
    offers_timestamps: bool,
    offers_sack: bool,
    peer: Option<Peer>,
    /// The kernel acknowledged the peer's SYN.
    confirmed: bool,
    ticks: Option<TickClock>,
    window: u16,
    ttl: u8,
    dont_fragment: bool,
    ip_id: u16,
}

/// What the peer's SYN,ACK and its later segments teach.
#[derive(Clone, Copy, Debug)]
struct Peer {
    irs: SeqNum,
    rcv_nxt: SeqNum,
    /// End of the highest segment that came.
    end: SeqNum,
    scales: bool,
    sack: bool,
    timestamps: Option<TcpTimestamps>,
    heard: Timestamp,
}

/// What a probe takes from the connection, beside what the machine decides.
#[derive(Clone, Copy, Debug)]
pub(in crate::live) struct Dress {
    /// As on the wire.
    pub(in crate::live) window: u16,
    /// TSval, where timestamps were negotiated.
    pub(in crate::live) tsval: Option<u32>,
    /// IPv4 time to live or hop limit.
    pub(in crate::live) ttl: u8,
    /// IPv4 identification.
    pub(in crate::live) ip_id: u16,
    /// IPv4 "don't fragment".
    pub(in crate::live) dont_fragment: bool,
}

impl Learner {
    /// Begins with our SYN.
    pub(in crate::live) fn new(syn: &Segment) -> Self {
        let options = syn.options;
        Self {
            iss: syn.seq,
            own_scale: options.window_scale,
            offers_timestamps: options.timestamps.is_some(),
            offers_sack: options.sack_permitted,
            peer: None,
            confirmed: false,
            ticks: options.timestamps.map(|stamps| TickClock::new(syn.time, stamps.value)),
            window: syn.window,
            ttl: syn.ttl,
            dont_fragment: syn.dont_fragment,
            ip_id: syn.ip_id.unwrap_or(0),
        }
    }

    /// SND.NXT.
    pub(in crate::live) fn snd_nxt(&self) -> SeqNum {
        self.iss.plus(1)
    }

    /// RCV.NXT, once the peer's SYN was seen.
    pub(in crate::live) fn rcv_nxt(&self) -> Option<SeqNum> {
        self.peer.map(|peer| peer.rcv_nxt)
    }

    /// Whether the handshake was seen to its end.
    pub(in crate::live) fn is_complete(&self) -> bool {
        self.confirmed
    }

    /// Whether SACK was negotiated.
    pub(in crate::live) fn has_sack(&self) -> bool {
        self.offers_sack && self.peer.is_some_and(|peer| peer.sack)
    }

    /// Whether timestamps were negotiated.
    pub(in crate::live) fn has_timestamps(&self) -> bool {
        self.offers_timestamps && self.peer.is_some_and(|peer| peer.timestamps.is_some())
    }

    /// A segment from our address: the kernel's, or a probe of ours.
    pub(in crate::live) fn on_own(&mut self, segment: &Segment) {
        self.ip_id = segment.ip_id.unwrap_or(self.ip_id);
        let Some(peer) = &mut self.peer else { return };
        let of_kernel = segment.seq == self.iss.plus(1) && !segment.flags.syn() && segment.flags.ack();
        if !of_kernel || segment.flags.rst() {
            return;
        }
        let advances = segment.ack.distance_from(peer.rcv_nxt) >= 0;
        if !advances || segment.ack.distance_from(peer.end) > 0 {
            return;
        }
        peer.rcv_nxt = segment.ack;
        self.confirmed = true;
        self.window = segment.window;
        (self.ttl, self.dont_fragment) = (segment.ttl, segment.dont_fragment);
        if let (Some(ticks), Some(stamps)) = (&mut self.ticks, segment.options.timestamps) {
            ticks.see(segment.time, stamps.value);
        }
    }

    /// A segment from the peer's address.
    pub(in crate::live) fn on_peer(&mut self, segment: &Segment) {
        let (length, fin) = (segment.len, u32::from(segment.flags.fin()));
        if let Some(peer) = &mut self.peer {
            let end = segment.seq.plus(length).plus(fin);
            let window = i64::from(self.window) << self.own_scale.unwrap_or(0).min(14);
            let ahead = i64::from(end.distance_from(peer.rcv_nxt));
            if !segment.flags.syn() && !segment.flags.rst() && (0..=window).contains(&ahead) {
                if end.distance_from(peer.end) > 0 {
                    peer.end = end;
                }
                peer.heard = peer.heard.max(segment.time);
            }
            return;
        }
        let answers = segment.flags.syn() && segment.flags.ack() && segment.ack == self.iss.plus(1);
        if !answers {
            return;
        }
        let first = segment.seq.plus(1);
        self.peer = Some(Peer {
            irs: segment.seq,
            rcv_nxt: first,
            end: first,
            scales: segment.options.window_scale.is_some(),
            sack: segment.options.sack_permitted,
            timestamps: segment.options.timestamps,
            heard: segment.time,
        });
    }

    /// The connection as the machine wants it, and when its peer was last heard; once the handshake is complete.
    pub(in crate::live) fn established(&self) -> Option<(Tcb, Timestamp)> {
        let peer = self.peer.filter(|_| self.confirmed)?;
        let echo = peer.timestamps.filter(|_| self.offers_timestamps);
        let tcb = Tcb {
            snd_una: self.snd_nxt(),
            snd_nxt: self.snd_nxt(),
            rcv_nxt: peer.rcv_nxt,
            rcv_wnd: self.scaled_window(&peer),
            unsent: false,
            sack: self.has_sack(),
            ts_recent: echo.map(|stamps| stamps.value),
        };
        Some((tcb, peer.heard))
    }

    fn scaled_window(&self, peer: &Peer) -> u32 {
        let scale = self.own_scale.filter(|_| peer.scales).unwrap_or(0).min(14);
        u32::from(self.window) << scale
    }

    /// What a probe that leaves now looks like.
    pub(in crate::live) fn dress(&self, now: Timestamp) -> Dress {
        Dress {
            window: self.window,
            tsval: self.ticks.filter(|_| self.has_timestamps()).map(|ticks| ticks.at(now)),
            ttl: self.ttl,
            ip_id: self.ip_id.wrapping_add(1),
            dont_fragment: self.dont_fragment,
        }
    }

    /// Our first sequence number and the peer's.
    pub(in crate::live) fn first_numbers(&self) -> Option<(SeqNum, SeqNum)> {
        self.peer.map(|peer| (self.iss, peer.irs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(samples: &[(i64, u32)]) -> TickClock {
        let at = |millis: i64| Timestamp::from_nanos(millis * 1_000_000);
        let mut clock = TickClock::new(at(samples[0].0), samples[0].1);
        samples[1..].iter().for_each(|(millis, value)| clock.see(at(*millis), *value));
        clock
    }

    #[test]
    fn the_clock_of_timestamps_goes_on_at_the_rate_that_was_seen() {
        let later = Timestamp::from_nanos(10_000_500_000);
        // Nothing known but one value, or too little between two.
        assert_eq!(clock(&[(0, 7)]).at(later), 10_007);
        assert_eq!(clock(&[(0, 7), (1, 8)]).at(later), 10_007);
        // 1 kHz, 100 Hz and 1 MHz over a path of 50 ms; the last value is where it goes on.
        assert_eq!(clock(&[(0, 0), (50, 51)]).at(later), 51 + 9_950);
        assert_eq!(clock(&[(0, 0), (50, 5)]).at(later), 5 + 995);
        assert_eq!(clock(&[(0, 0), (50, 50_003)]).at(later), 50_003 + 9_950_500);
        // Across the wrap, and never back.
        assert_eq!(clock(&[(0, u32::MAX - 1), (50, 48)]).at(later), 48 + 9_950);
        assert_eq!(clock(&[(0, 100), (50, 90)]).at(Timestamp::from_nanos(0)), 100);
    }
}
