//! The rules of `tests/fuzz` with the seeds of every target and a fixed number of mutations of them: the same each
//! time, without libFuzzer. What a campaign finds becomes a seed, so that it is held here from then on.

#[path = "fuzz/src/lib.rs"]
#[allow(dead_code, reason = "a library of its own; here its targets are called by name")]
mod bodies;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The targets with the folders their seeds are in, and how many mutations of them are tried: what fits in a few
/// seconds each without optimisation.
const TARGETS: [(&str, &[&str], usize); 10] = [
    ("analyze", &["captures"], 300),
    ("audit", &[], 1_500),
    ("decode", &[], 4_000),
    ("filter", &[], 2_500),
    ("machine", &[], 1_500),
    ("options", &[], 8_000),
    ("partner", &[], 1_500),
    ("reader", &["captures"], 1_200),
    ("scenario", &["src/simulate/scenarios", "tests/scenario"], 250),
    ("tracker", &[], 600),
];

/// Larger seeds are not mutated: most of what they say is said again.
const MOST_OCTETS: usize = 4_096;

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The seeds of a target, in an order that does not depend on the file system.
fn seeds(target: &str, more: &[&str]) -> Vec<(String, Vec<u8>)> {
    let own = format!("tests/fuzz/seeds/{target}");
    let mut seeds = Vec::new();
    for place in std::iter::once(own.as_str()).chain(more.iter().copied()) {
        let entries = std::fs::read_dir(folder(place)).unwrap_or_else(|error| panic!("{place}: {error}"));
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let octets = std::fs::read(&path).expect("a readable seed");
                seeds.push((path.display().to_string(), octets));
            }
        }
    }
    seeds.sort();
    seeds
}

/// Holds the rules of a target against an input, and shows the input if they do not hold.
fn hold(target: &str, name: &str, input: &[u8]) {
    let held = catch_unwind(AssertUnwindSafe(|| assert!(bodies::hold(target, input), "no target {target}")));
    if let Err(problem) = held {
        let shown: String = input.escape_ascii().to_string();
        eprintln!("{target}: {name} breaks a rule; the input, as printf '%b' takes it:\n{shown}");
        std::panic::resume_unwind(problem);
    }
}

fn below(random: &mut ChaCha8Rng, limit: usize) -> usize {
    usize::try_from(random.next_u64() % limit.max(1) as u64).unwrap_or(0)
}

/// One change: of an octet, a number, a part that goes, comes again or comes from another seed.
fn change(octets: &mut Vec<u8>, other: &[u8], random: &mut ChaCha8Rng) {
    const SPECIAL: [u8; 10] = [0, 1, 0x7f, 0x80, 0xff, 0x10, b'"', b'\n', 0x1b, b'9'];
    let at = below(random, octets.len());
    let most = below(random, 32) + 1;
    let end = (at + most).min(octets.len());
    match below(random, 8) {
        0 | 1 if !octets.is_empty() => octets[at] ^= 1 << below(random, 8),
        2 if !octets.is_empty() => octets[at] = SPECIAL[below(random, SPECIAL.len())],
        3 => octets[at..end].fill(SPECIAL[below(random, 5)]),
        4 => drop(octets.drain(at..end)),
        5 => {
            let part = octets[at..end].to_vec();
            let to = below(random, octets.len() + 1);
            octets.splice(to..to, part);
        }
        6 => octets.truncate(at),
        _ => {
            let from = below(random, other.len());
            let part = &other[from..(from + most).min(other.len())];
            octets.splice(at..at, part.iter().copied());
        }
    }
}

fn smoke(target: &str) {
    let (_, more, mutations) = TARGETS.iter().find(|(name, ..)| *name == target).expect("a target");
    let seeds = seeds(target, more);
    assert!(!seeds.is_empty(), "{target} has no seeds");
    for (name, octets) in &seeds {
        hold(target, name, octets);
    }
    let small: Vec<_> = seeds.iter().filter(|(_, octets)| octets.len() <= MOST_OCTETS).collect();
    let mut random = ChaCha8Rng::seed_from_u64(0x6b65_6570);
    for round in 0..*mutations {
        let (name, seed) = small[below(&mut random, small.len())];
        let (_, other) = small[below(&mut random, small.len())];
        let mut octets = seed.clone();
        for _ in 0..=below(&mut random, 4) {
            change(&mut octets, other, &mut random);
        }
        hold(target, &format!("mutation {round}, of {name}"), &octets);
    }
}

/// A test for each, so that they run side by side and one that fails hides no other.
macro_rules! targets {
    ($($target:ident)*) => {
        $(
            #[test]
            fn $target() {
                smoke(stringify!($target));
            }
        )*

        #[test]
        fn every_target_is_here() {
            let here = [$(stringify!($target)),*];
            assert_eq!(TARGETS.map(|(target, ..)| target), here);
            let mut there: Vec<String> = std::fs::read_dir(folder("tests/fuzz/targets"))
                .expect("the targets of libFuzzer")
                .map(|entry| entry.expect("an entry").path().file_stem().expect("a name").display().to_string())
                .collect();
            there.sort();
            assert_eq!(there, here);
        }
    };
}

targets! { analyze audit decode filter machine options partner reader scenario tracker }
