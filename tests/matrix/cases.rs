//! The settings, and what the peer does.

use super::plan::Plan;

/// When a peer falls silent that is so from the beginning.
const SILENT: &str = "0.3 mute";

/// The longest that a connection is looked at, in seconds.
const UNTIL: f64 = 36.0;

/// A peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    /// Answers every probe.
    Alive,
    /// Is silent until the prober gives up.
    Silent,
    /// Is silent for two probes or more, and answers again.
    Returns,
    /// Answers, but is never asked.
    Unasked,
}

/// A connection whose client probes.
#[derive(Clone, Debug)]
pub struct Case {
    number: u16,
    pub idle: i64,
    pub interval: i64,
    pub count: i64,
    /// Milliseconds.
    pub user_timeout: Option<i64>,
    peer: Peer,
    steps: &'static str,
}

impl Case {
    pub fn name(&self) -> String {
        let timeout = self.user_timeout.map(|timeout| format!(", a user timeout of {timeout} ms"));
        let Case { idle, interval, count, peer, .. } = self;
        format!("{idle}/{interval}/{count}{}, {peer:?}, {:?}", timeout.unwrap_or_default(), self.steps)
    }

    pub fn client_port(&self) -> u16 {
        40_000 + self.number
    }

    /// Whether a probe is sent.
    pub fn probes(&self) -> bool {
        self.peer != Peer::Unasked
    }

    /// Whether two probes of a run or more stay unanswered.
    pub fn shows_interval(&self) -> bool {
        let several = self.count > 1 || self.user_timeout.is_some();
        self.peer == Peer::Returns || self.peer == Peer::Silent && several
    }

    /// Whether the prober gives up because of the count: with a user timeout, Linux does not look at it.
    pub fn shows_count(&self) -> bool {
        self.peer == Peer::Silent && self.user_timeout.is_none()
    }

    /// Half of the sockets have the settings before they connect, the others soon after.
    pub fn plan(&self) -> Plan {
        let mut options = vec![("idle", self.idle), ("interval", self.interval), ("count", self.count)];
        options.extend(self.user_timeout.map(|timeout| ("user_timeout", timeout)));
        options.push(("keepalive", 1));
        if self.number.is_multiple_of(2) {
            return Plan::new(&self.name(), self.number, UNTIL, self.steps).before(&options);
        }
        let set = options.iter().map(|(option, value)| format!("0.1 client {option} {value};"));
        Plan::new(&self.name(), self.number, UNTIL, &(set.collect::<String>() + self.steps))
    }
}

/// The cases, numbered from 300 on.
pub fn all() -> Vec<Case> {
    use Peer::{Alive, Returns, Silent, Unasked};
    let cases = [
        ((4, 1, 2), None, Silent, SILENT),
        ((4, 1, 2), None, Silent, SILENT),
        ((6, 2, 3), None, Silent, SILENT),
        ((5, 4, 2), None, Silent, SILENT),
        ((8, 3, 2), None, Silent, SILENT),
        ((11, 2, 2), None, Silent, SILENT),
        ((9, 5, 1), None, Silent, SILENT),
        ((9, 5, 1), None, Silent, SILENT),
        ((3, 7, 2), None, Silent, SILENT),
        ((12, 1, 5), None, Silent, SILENT),
        ((7, 6, 3), None, Silent, SILENT),
        ((13, 4, 4), None, Silent, SILENT),
        ((5, 4, 2), None, Alive, ""),
        ((6, 2, 3), None, Alive, ""),
        ((11, 2, 2), None, Alive, ""),
        ((3, 7, 2), None, Alive, ""),
        ((10, 1, 1), None, Alive, ""),
        ((14, 9, 3), None, Alive, ""),
        // Data in either direction begins the silence anew.
        ((7, 2, 4), None, Alive, "3.2 client send 30; 5.7 server send 40; 20.4 client send 50"),
        ((8, 5, 2), None, Alive, "2.6 server send 1; 15.3 server send 700"),
        // Answered probes before the silence.
        ((4, 3, 3), None, Silent, "10.5 mute"),
        ((6, 1, 4), None, Silent, "14.5 mute"),
        ((5, 7, 2), None, Silent, "8.3 mute"),
        // Lost probes, and then an answer again.
        ((4, 2, 6), None, Returns, "1.0 mute; 9.3 unmute"),
        ((5, 3, 5), None, Returns, "1.0 mute; 12.7 unmute"),
        // The user timeout ends these, before the count would and after it.
        ((5, 3, 9), Some(10_000), Silent, SILENT),
        ((6, 4, 7), Some(13_000), Silent, SILENT),
        ((4, 5, 2), Some(20_000), Silent, SILENT),
        ((7, 3, 3), Some(12_500), Alive, ""),
        ((60, 2, 3), None, Unasked, ""),
    ];
    let case = |(number, ((idle, interval, count), user_timeout, peer, steps))| Case {
        number,
        idle,
        interval,
        count,
        user_timeout,
        peer,
        steps,
    };
    (300..).zip(cases).map(case).collect()
}
