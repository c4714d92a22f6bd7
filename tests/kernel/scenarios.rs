//! The plans: each one a rule of the kernel.

use super::plan::{End, Plan};

/// Keepalive options in the order in which most programs set them.
fn on(at: f64, end: &str, idle: i64, interval: i64, count: i64) -> String {
    format!(
        "{at} {end} idle {idle}; {at} {end} interval {interval}; {at} {end} count {count}; {at} {end} keepalive 1;"
    )
}

fn client(idle: i64, interval: i64, count: i64) -> String {
    on(0.1, "client", idle, interval, count)
}

/// The scenarios, numbered from 100 on.
pub fn all() -> Vec<Plan> {
    let mut numbers = 100..;
    let mut plan = |name: &str, until: f64, steps: String| {
        Plan::new(name, numbers.next().expect("a number"), until, &steps)
    };
    vec![
        plan("silent peer, 5/2/3", 14.0, client(5, 2, 3) + "0.3 mute"),
        plan("silent peer, 1/1/9", 13.0, client(1, 1, 9) + "0.3 mute"),
        plan("silent peer, 3/7/1", 14.0, client(3, 7, 1) + "0.3 mute"),
        plan("silent peer, 20/1/3, the third level of the wheel", 27.0, client(20, 1, 3) + "0.3 mute"),
        plan("silent peer, 17/4/2", 30.0, client(17, 4, 2) + "0.3 mute"),
        plan("a peer that answers, 4/2/3", 20.0, client(4, 2, 3)),
        plan("a peer that answers, 3/3/3", 16.0, client(3, 3, 3)),
        plan("a peer that answers, idle shorter than interval, 2/5/3", 24.0, client(2, 5, 3)),
        plan("an answer after two lost probes, 2/1/6", 14.0, client(2, 1, 6) + "0.3 mute; 5.0 unmute"),
        plan(
            "a user timeout of 7 s with 5/2/9",
            12.0,
            "0.1 client user_timeout 7000;".to_owned() + &client(5, 2, 9) + "0.3 mute",
        ),
        plan(
            "a user timeout of 1 s with 5/5/9",
            14.0,
            client(5, 5, 9) + "0.2 client user_timeout 1000; 0.3 mute",
        ),
        plan(
            "a user timeout past the count, 2/1/2 and 6.5 s",
            12.0,
            client(2, 1, 2) + "0.2 client user_timeout 6500; 0.3 mute",
        ),
        plan(
            "a user timeout that is cleared between probes",
            14.0,
            client(2, 1, 4) + "0.2 client user_timeout 30000; 0.3 mute; 8.4 client user_timeout 0",
        ),
        plan(
            "keepalive on first, then idle, interval and count",
            12.0,
            "0.1 client keepalive 1; 0.9 client idle 3; 1.3 client interval 1; 1.7 client count 2; 2.0 mute"
                .to_owned(),
        ),
        plan(
            "idle set on a socket that has been quiet for longer",
            16.0,
            "0.1 client keepalive 1; 0.2 client interval 2; 6.3 client idle 4; 8.0 client idle 3".to_owned(),
        ),
        plan(
            "idle set longer and shorter while it runs",
            20.0,
            client(3, 2, 5) + "1.4 client idle 6; 5.1 client idle 9; 7.7 client idle 8",
        ),
        plan("keepalive on after a silence", 18.0, "7.3 client idle 5; 7.4 client keepalive 1".to_owned()),
        plan(
            "keepalive turned on twice",
            12.0,
            client(4, 2, 5) + "2.1 client keepalive 1; 3.3 client interval 1; 3.4 client count 1; 5.0 mute",
        ),
        plan(
            "off between unanswered probes, on again",
            22.0,
            client(2, 1, 4) + "0.3 mute; 4.5 client keepalive 0; 9.1 client keepalive 1",
        ),
        plan("off for good", 8.0, client(2, 1, 4) + "4.5 client keepalive 0"),
        plan(
            "count lowered below the probes that are out",
            10.0,
            client(2, 1, 9) + "0.3 mute; 5.5 client count 2",
        ),
        plan(
            "interval changed between unanswered probes",
            20.0,
            client(2, 1, 6) + "0.3 mute; 3.6 client interval 3; 7.0 client interval 2",
        ),
        plan(
            "the prober sends data",
            16.0,
            client(4, 2, 3) + "1.7 client send 10; 3.9 client send 20; 6.3 client send 30",
        ),
        plan(
            "the prober receives data",
            16.0,
            client(4, 2, 3) + "1.7 server send 10; 3.9 server send 20; 6.3 server send 30",
        ),
        plan(
            "data outstanding while the peer is silent",
            22.0,
            client(3, 1, 3) + "1.0 mute; 1.5 client send 40; 9.0 unmute",
        ),
        plan(
            "data acknowledged between unanswered probes",
            16.0,
            client(2, 2, 9) + "0.5 mute; 7.0 unmute; 7.2 client send 12",
        ),
        plan("the peer is gone", 8.0, client(3, 1, 5) + "1.0 server forget"),
        plan("the peer goes between probes", 10.0, client(2, 2, 5) + "5.1 server forget"),
        plan("the peer has sent its FIN", 12.0, client(2, 1, 3) + "1.0 server shut; 7.0 mute"),
        plan(
            "both ends probe",
            18.0,
            client(4, 2, 3) + &on(0.1, "server", 3, 2, 3) + "6.0 server send 9; 9.0 client send 9",
        )
        .held(&[End::Client, End::Server]),
        plan(
            "both ends probe, idle and interval the same",
            14.0,
            client(2, 2, 3) + &on(0.1, "server", 2, 2, 3),
        )
        .held(&[End::Client, End::Server]),
        plan(
            "empty probes of the peer",
            14.0,
            client(5, 2, 3) + "2.0 server inject 0 0; 4.0 server inject 0 0; 9.3 server inject 0 0",
        ),
        plan(
            "one-octet probes of the peer",
            20.0,
            client(5, 2, 3) + "2.0 server inject 1 0; 6.0 server inject 1 0; 10.5 server inject 1 0",
        ),
        plan("empty probes, six in half a second", 6.0, burst(0, 0)),
        plan("one-octet probes, six in half a second", 6.0, burst(1, 0)),
        plan(
            "probes with an old timestamp",
            8.0,
            "1.0 server send 4; 3.0 server inject 0 2500; 4.0 server inject 1 2500; 5.0 server inject 0 0;\
             6.0 server inject 1 0; 7.0 server inject 0 9999"
                .to_owned(),
        ),
        plan(
            "one-octet probes with an old timestamp keep a prober quiet or not",
            16.0,
            client(4, 2, 3)
                + "1.0 server send 4; 3.0 server inject 1 2500; 6.5 server inject 1 2500; 8.0 server inject 0 2500",
        ),
        plan(
            "probes whose timestamps are one and two too old",
            9.0,
            "0.5 server send 4; 1.0 server inject 1 0; 2.0 server follow 0 1; 3.0 server inject 1 0;\
             4.0 server follow 0 2; 5.0 server inject 1 0; 6.0 server follow 1 1; 7.0 server follow 0 0"
                .to_owned(),
        ),
        plan("set before connecting", 10.0, "5.0 mute".to_owned()).before(&[
            ("keepalive", 1),
            ("idle", 3),
            ("interval", 1),
            ("count", 2),
        ]),
        plan("inherited from the listening socket", 14.0, String::new())
            .listener(&[("idle", 3), ("interval", 2), ("count", 2), ("keepalive", 1)])
            .held(&[End::Server]),
    ]
}

/// Probes of the peer every 100 ms, and one more second later.
fn burst(octets: u32, age: u32) -> String {
    let mut steps = "0.3 server send 4;".to_owned();
    for index in 0..6 {
        steps += &format!("{:.1} server inject {octets} {age};", 1.0 + f64::from(index) * 0.09);
    }
    steps + &format!("3.0 server inject {octets} {age}")
}
