//! Our reader against capinfos and tshark, over captures in every form, damaged in every way.
//!
//! Each file must have the same number of packets, the same octets on the wire and the same first and last time
//! with both, or a [`Reason`] why not. A reason is never taken on trust: the file is mended in that one thing,
//! what we read of it must not change, and then the two must agree. `KEEPSCOPE_DIFFERENTIAL=N` runs N campaigns
//! of another seed each, over all forms.

mod common;
#[path = "differential/mend.rs"]
mod mend;
#[path = "differential/mutate.rs"]
mod mutate;
#[path = "differential/reading.rs"]
mod reading;
#[path = "differential/reference.rs"]
mod reference;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{capture_path, has, indexed, scratch};
use mend::{Effect, Mended, Reason, holds, mend};
use mutate::{DAMAGES, Dice, FORMS, Form, damage_packed, damaged, gunzip, gzip, lay_out, packets};
use reading::Ours;
use reference::{Told, capinfos, tshark};

/// Mends of one file before it counts as a difference without a reason; each packet of it may need one.
const ROUNDS: usize = 200;
/// Files of each campaign that tshark lists packet by packet; it takes long to start.
const LISTED: usize = 16;
/// Reasons that every campaign must meet, so that none stands there for nothing.
const MET: [Reason; 14] = [
    Reason::LinkType,
    Reason::Version,
    Reason::Trailer,
    Reason::Undeclared,
    Reason::Options,
    Reason::BadBlock,
    Reason::Zeros,
    Reason::NoFigures,
    Reason::WireLength,
    Reason::NoTime,
    Reason::TimeRange,
    Reason::Digits,
    Reason::OtherFormat,
    Reason::Compressed,
];

/// One file of a campaign.
struct Case {
    name: String,
    octets: Vec<u8>,
    /// The same in gzip, where it is stored so, perhaps damaged there as well.
    packed: Option<Vec<u8>>,
    reasons: Vec<Reason>,
}

impl Case {
    fn read(&self, folder: &Path) -> Ours {
        let path = folder.join(&self.name);
        std::fs::write(&path, self.packed.as_ref().unwrap_or(&self.octets)).expect("a file");
        Ours::read(&path)
    }

    /// Mends it in one thing; an error says why that explains nothing.
    fn mend(&mut self, folder: &Path, told: &Told, ours: &Ours) -> Result<(), String> {
        let mended = match self.packed.take() {
            Some(packed) => {
                Mended { reason: Reason::Compressed, octets: gunzip(&packed), effect: Effect::Nothing }
            }
            None => mend(&self.octets, told, ours).ok_or("there is no reason")?,
        };
        self.reasons.push(mended.reason);
        self.octets = mended.octets;
        let after = self.read(folder);
        let changed = || format!("mending {:?} changes what we read", mended.reason);
        holds(mended.effect, &ours.frames, &after.frames).then_some(()).ok_or_else(changed)
    }
}

/// The files of a campaign.
fn cases(seed: u64, forms: impl Fn(usize) -> Vec<Form>) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let sets: Vec<_> = indexed(&folder).iter().map(|name| packets(&capture_path(name))).collect();
    let mut dice = Dice::new(seed);
    let mut cases = Vec::new();
    for (index, set) in sets.iter().enumerate() {
        for (number, form) in forms(index).into_iter().enumerate() {
            let laid = lay_out(set, form);
            let foreign = lay_out(&sets[dice.below(sets.len())], form);
            for damage in DAMAGES {
                let octets = damaged(&laid, &foreign, damage, &mut dice);
                let mut packed = (dice.below(4) == 0).then(|| gzip(&octets));
                if let Some(packed) = packed.as_mut().filter(|_| dice.below(2) == 0) {
                    damage_packed(packed, &mut dice);
                }
                let name = format!("{seed}-{index}-{number}-{damage:?}");
                cases.push(Case { name, octets, packed, reasons: Vec::new() });
            }
        }
    }
    cases
}

/// Holds all files against capinfos, round after round as they are mended. Gives how often each reason was met.
fn compare(folder: &Path, mut cases: Vec<Case>) -> BTreeMap<Reason, usize> {
    let mut tally = BTreeMap::new();
    let mut wrong = Vec::new();
    for _ in 0..ROUNDS {
        let ours: Vec<Ours> = cases.iter().map(|case| case.read(folder)).collect();
        let names: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
        let told = capinfos(folder, &names);
        let mut left = Vec::new();
        for (mut case, ours) in cases.into_iter().zip(ours) {
            let told = &told[&case.name];
            if let Some(reasons) = ours.agrees(told) {
                case.reasons
                    .iter()
                    .chain(&reasons)
                    .for_each(|reason| *tally.entry(*reason).or_default() += 1);
                continue;
            }
            match case.mend(folder, told, &ours) {
                Ok(()) => left.push(case),
                Err(why) => wrong.push(format!(
                    "{}: {why}, after {:?}; capinfos: {told:?}; we: {} packets, {} octets, {:?}",
                    case.name,
                    case.reasons,
                    ours.frames.len(),
                    ours.octets(),
                    ours.problems.iter().map(|problem| problem.kind).collect::<Vec<_>>()
                )),
            }
        }
        cases = left;
        if cases.is_empty() {
            break;
        }
    }
    wrong.extend(cases.iter().map(|case| format!("{}: no end of reasons", case.name)));
    assert!(wrong.is_empty(), "{} of them\n{}", wrong.len(), wrong.join("\n"));
    tally
}

/// Holds some files packet by packet against tshark's list. One on which capinfos differs is left out.
fn list(folder: &Path, cases: &[Case], dice: &mut Dice) {
    let mut listed = 0;
    for _ in 0..LISTED * 20 {
        let case = &cases[dice.below(cases.len())];
        let ours = case.read(folder);
        let told = capinfos(folder, std::slice::from_ref(&case.name));
        if listed == LISTED || ours.frames.is_empty() || ours.agrees(&told[&case.name]).is_none() {
            continue;
        }
        listed += 1;
        let theirs = tshark(&folder.join(&case.name));
        // What is listed without being a packet has no time; its number counts.
        let theirs: Vec<_> = theirs.iter().filter(|packet| packet.time.is_some()).collect();
        assert_eq!(theirs.len(), ours.frames.len(), "{}", case.name);
        for (theirs, ours) in theirs.iter().zip(&ours.frames) {
            let sizes =
                (theirs.wire_len, theirs.captured) == (u64::from(ours.wire_len), ours.captured as u64);
            let time = theirs.time.is_some_and(|time| time.is(ours.nanos));
            assert!(sizes && time && theirs.number == ours.number, "{}: {theirs:?}, {ours:?}", case.name);
        }
    }
    assert_eq!(listed, LISTED, "too few files on which the two agree");
}

fn campaign(seed: u64, forms: impl Fn(usize) -> Vec<Form>) -> BTreeMap<Reason, usize> {
    let folder: PathBuf = scratch("differential");
    let all = cases(seed, &forms);
    let count = all.len();
    list(&folder, &all, &mut Dice::new(seed));
    let tally = compare(&folder, all);
    eprintln!("seed {seed}: {count} files; differences with a reason: {tally:?}");
    std::fs::remove_dir_all(&folder).expect("a folder");
    tally
}

#[test]
fn damaged_captures_read_alike_or_there_is_a_reason() {
    if !(has("capinfos") && has("tshark")) {
        return;
    }
    let wanted = std::env::var("KEEPSCOPE_DIFFERENTIAL").ok();
    let Some(campaigns) = wanted.map(|count| count.parse::<u64>().expect("a number of campaigns")) else {
        // Each form with every fourth capture.
        let two = |index: usize| vec![FORMS[index % 4], FORMS[4 + index % 4]];
        let tally = campaign(0, two);
        let unmet: Vec<Reason> = MET.into_iter().filter(|reason| !tally.contains_key(reason)).collect();
        assert!(unmet.is_empty(), "{unmet:?}");
        return;
    };
    for seed in 1..=campaigns {
        campaign(seed, |_| FORMS.to_vec());
    }
}
