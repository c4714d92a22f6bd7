//! Plans made up by a generator of numbers, so that rules meet that nobody thought of together.

use super::plan::Plan;

/// SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    fn in_range(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }
}

/// Seconds that a random plan lasts.
const UNTIL: f64 = 30.0;

/// So many plans, numbered from 300 on.
pub fn plans(seed: u64, count: u16) -> Vec<Plan> {
    let mut numbers = Numbers(seed);
    (0..count).map(|index| plan(&mut numbers, 300 + index)).collect()
}

fn plan(numbers: &mut Numbers, number: u16) -> Plan {
    let mut steps = Vec::new();
    let mut muted = false;
    // After a lost segment the window of congestion lets nothing more out, for an unknown time.
    let mut lost = false;
    // With data outstanding a user timeout ends the connection by retransmission, which is no keepalive.
    let user_timeouts = numbers.in_range(0, 2) == 0;
    let mut now = 0.2;
    for option in ["idle", "interval", "count"] {
        steps.push(format!("{now:.3} client {option} {}", numbers.in_range(1, 5)));
    }
    if numbers.in_range(0, 3) > 0 {
        steps.push(format!("{now:.3} client keepalive 1"));
    }
    loop {
        // What is under way on the wire comes to rest between two steps.
        now += numbers.in_range(400, 3_000) as f64 / 1e3;
        if now > UNTIL - 2.0 {
            break;
        }
        let step = match numbers.in_range(0, 17) {
            0 | 1 => format!("client idle {}", numbers.in_range(1, 7)),
            2 => format!("client interval {}", numbers.in_range(1, 5)),
            3 => format!("client count {}", numbers.in_range(1, 6)),
            4 => "client keepalive 0".to_owned(),
            5..=7 => "client keepalive 1".to_owned(),
            8 if user_timeouts => format!("client user_timeout {}", numbers.in_range(0, 9_000)),
            9 | 10 if !(lost || muted && user_timeouts) => {
                lost = muted;
                format!("client send {}", numbers.in_range(2, 90))
            }
            11 | 12 if !muted => format!("server send {}", numbers.in_range(2, 90)),
            13 if !muted => format!("server inject 0 {}", numbers.in_range(0, 1) * 5_000),
            14 if !muted => format!("server inject 1 {}", numbers.in_range(0, 1) * 5_000),
            15.. => {
                muted = !muted;
                if muted { "mute" } else { "unmute" }.to_owned()
            }
            _ => continue,
        };
        steps.push(format!("{now:.3} {step}"));
    }
    Plan::new(&format!("random {number}"), number, UNTIL, &steps.join(";"))
}
