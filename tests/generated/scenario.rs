//! Random worlds.

use crate::model::{Action, Ids, Leg, MS, Rng, SEC, Stack, Time, World, play};
use crate::truth::{Capture, Cut};

fn stack(rng: &mut Rng, trip: Time) -> Stack {
    let mut stack = rng.pick(&[
        Stack::linux(),
        Stack::linux(),
        Stack::freebsd(),
        Stack::macos(),
        Stack::windows(),
        Stack::illumos(),
        Stack::smoltcp(),
        Stack::gvisor(),
        Stack::lwip(),
        Stack::picotcp(),
    ]);
    stack.garbage_zero = rng.chance(50);
    if rng.chance(20) {
        stack.push = !stack.push;
    }
    if rng.chance(20) {
        stack.ids = rng.pick(&[Ids::Counting, Ids::Constant, Ids::Zero, Ids::Random]);
    }
    stack.delayed_ack = rng.pick(&[0, 10 * MS, 40 * MS, 200 * MS]);
    stack.idle = rng.pick(&[1, 2, 5, 10, 15, 60, 7200]) * SEC + rng.range(0, 200 * MS);
    stack.interval = rng.pick(&[1, 1, 2, 3, 5, 15, 75]) * SEC + rng.range(0, 200 * MS);
    // Nobody waits less than a round trip.
    stack.idle = stack.idle.max(2 * trip);
    stack.interval = stack.interval.max(trip + SEC);
    stack.count = rng.pick(&[1, 2, 3, 4, 8, 9, 10]);
    stack
}

fn script(rng: &mut Rng, trip: Time) -> (Vec<(Time, usize, Action)>, Time) {
    let mut script = vec![(0, 0, Action::Open)];
    let mut now = 3 * trip + rng.decades(MS, 5 * SEC);
    let steps = 1 + rng.below(6);
    for _ in 0..steps {
        let host = rng.below(2) as usize;
        match rng.below(14) {
            0..=3 => script.push((now, host, Action::Write(rng.decades(1, 12_000) as u32))),
            4..=6 => {
                for _ in 0..=rng.below(4) {
                    script.push((now, host, Action::Write(1)));
                    now += rng.decades(MS, 3 * SEC);
                }
            }
            7 => {
                script.push((now, host, Action::StopReading));
                now += rng.range(0, SEC);
                script.push((now, 1 - host, Action::Write(rng.pick(&[8_000, 16_000, 20_000, 40_000]))));
                now += rng.decades(SEC, 100 * SEC);
                script.push((now, host, Action::StartReading));
            }
            8 => script.push((now, host, Action::Close)),
            9 => script.push((now, host, Action::Cut { before_tap: rng.chance(50), icmp: rng.chance(40) })),
            10 => script.push((now, host, Action::Mend)),
            11 => script.push((now, host, Action::ForgeReset(rng.pick(&[-5, 7, 100, 2_000_000])))),
            12 => script.push((now, host, Action::ForgeSyn)),
            _ => {
                let last = rng.pick(&[Action::Forget, Action::Abort, Action::Close, Action::Open]);
                script.push((now, if matches!(last, Action::Open) { 0 } else { host }, last));
            }
        }
        now += rng.decades(10 * MS, 60 * SEC);
    }
    (script, now + rng.decades(5 * SEC, 500 * SEC))
}

/// The capture of a random world.
pub fn capture(seed: u64) -> Capture {
    let mut rng = Rng(seed);
    let trip = rng.decades(10_000, 3 * SEC);
    let place = rng.pick(&[0, 1, 20, 50, 80, 99, 100]);
    let jitter = if rng.chance(30) { rng.decades(1_000, 200 * MS).min(trip) } else { 0 };
    let loss = if rng.chance(40) { rng.pick(&[10, 50, 200, 400]) } else { 0 };
    let twice = if rng.chance(10) { rng.pick(&[20, 200]) } else { 0 };
    let mut legs = [[Leg::default(); 2]; 2];
    for (host, pair) in legs.iter_mut().enumerate() {
        for (part, leg) in pair.iter_mut().enumerate() {
            let share = if (host == 0) == (part == 0) { place } else { 100 - place };
            leg.delay = trip / 2 * share / 100 + 1_000;
            leg.jitter = if share > 0 { jitter } else { 0 };
            leg.loss = if share > 0 { loss } else { 0 };
            leg.twice = if share > 0 { twice } else { 0 };
        }
    }
    let longest = trip + 4 * jitter + 10_000;
    let mut stacks = [stack(&mut rng, longest), stack(&mut rng, longest)];
    match rng.below(3) {
        0 => stacks[0] = stacks[0].quiet(),
        1 => stacks[1] = stacks[1].quiet(),
        _ => {}
    }
    let (script, until) = script(&mut rng, longest);
    let written = rng.below(20) as u32;
    let isn = [0, 1].map(|_| rng.pick(&[1_000, u32::MAX - written, u32::MAX, 0, 0x7fff_fff0, 77]));
    let stamps = rng.chance(50);
    let ipv6 = rng.chance(25);
    // Not every packet bears timestamps; without a mark of its own a late copy is another packet.
    let unmarked = ipv6 || stacks.iter().any(|stack| stack.ids == Ids::Zero);
    let second_tap =
        rng.chance(10).then(|| if unmarked { rng.range(1_000, 2 * MS) } else { rng.range(1_000, 100 * MS) });
    let world = World {
        stacks,
        isn,
        legs,
        stamps,
        room: rng.pick(&[8_000, 16_000, 60_000]),
        segment_size: rng.pick(&[536, 1_000, 1_448]),
        constant_octet: if rng.chance(30) { Some(rng.pick(&[0, b'x'])) } else { None },
        second_tap,
        script,
        until,
    };
    let story = play(&world, rng.word());
    let frames = story.seen.len() as u64;
    let cut = match rng.below(10) {
        0..=5 => Cut::Whole,
        6 | 7 => Cut::From(1 + rng.below(frames.max(2) - 1) as usize),
        8 => Cut::Holes(rng.pick(&[3, 10, 30])),
        _ => Cut::OneWay(rng.below(2) as usize),
    };
    Capture::new(story, cut, ipv6, (trip, longest), &mut |n| rng.below(n))
}
