//! Many random conversations.

use std::collections::BTreeMap;

use crate::scenario;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// How often something was wrong, and the shortest capture in which it was.
#[derive(Default)]
struct Wrong {
    times: u64,
    frames: usize,
    example: String,
}

#[test]
fn random_conversations_are_told_as_they_were() {
    let count = number("KEEPSCOPE_SCENARIOS", 400);
    let first = number("KEEPSCOPE_SEED", 1);
    let strict = number("KEEPSCOPE_STRICT", 0) > 0;
    let mut wrong: BTreeMap<String, Wrong> = BTreeMap::new();
    let mut known: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut frames, mut probes) = (0, 0);
    for seed in first..first + count {
        let capture = scenario::capture(seed);
        let events = capture.events();
        // A part goes through a file of real octets; what is found must be the same.
        if seed % 8 == 0 {
            let differs = events.iter().zip(capture.events_from_octets()).find(|(one, two)| *one != two);
            assert!(differs.is_none(), "seed {seed} {differs:#?}\n{}", capture.trace());
        }
        frames += capture.frames.len();
        probes += crate::truth::Capture::found(&events).len();
        for (kind, index, detail) in capture.differences(&events) {
            if let Some(reason) = capture.known(kind, index).filter(|_| !strict) {
                *known.entry(reason).or_default() += 1;
                continue;
            }
            if strict {
                let (cut, number) = (capture.cut, index + 1);
                eprintln!("{kind} {cut:?}: seed {seed}, frame {number} of {}", capture.frames.len());
            }
            let digits = |c: &char| !c.is_ascii_digit();
            let key: String = format!("{kind} {detail} {:?}", capture.cut).chars().filter(digits).collect();
            let it = wrong.entry(key).or_default();
            it.times += 1;
            if it.frames == 0 || capture.frames.len() < it.frames {
                it.frames = capture.frames.len();
                let (cut, number) = (capture.cut, index + 1);
                it.example = format!("seed {seed}, {cut:?}, frame {number} {detail}\n{}", capture.trace());
            }
        }
    }
    eprintln!("{count} conversations, {frames} frames, {probes} probes found; known: {known:?}");
    for (kind, it) in &wrong {
        eprintln!("{kind}: {} times, for example {}", it.times, it.example);
    }
    assert!(wrong.is_empty(), "{:?}", wrong.iter().map(|(kind, it)| (kind, it.times)).collect::<Vec<_>>());
}
