//! The same packets at two places: which were seen at one of them only, and how long they took.

use std::collections::HashMap;

use super::pairing::{Draft, ends};
use super::{Mark, Party, Settings, Side, Tolerance};
use crate::analysis::{ConnectionRecord, ProbeRecord, ProberRecord};
use crate::segment::{Endpoint, TcpTimestamps};
use crate::time::{Span, Timestamp};
use crate::track::event::{Answer, Start};

/// How far packets may stray from one offset of the clocks and still be the same: delay that varies.
const STEADY: Span = Span::from_secs(1);

/// How near in time packets without timestamps must be to be the same.
const CLOSE: Span = Span::from_millis(50);

/// How much two clocks may drift apart, in nanoseconds per second: what cheap crystals do.
const DRIFT: i64 = 100_000;

/// What is the same of a probe wherever it is seen. Timestamps tell the probes of a run apart; IPv4
/// identification serves where there are none.
type Identity = (u32, u32, u8, Option<(u32, u32)>, Option<u16>);

/// One offset between the clocks that holds for most packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreement {
    offset: Span,
    within: Span,
}

/// What can be known of the two clocks and of the way between the captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// How many packets were seen in both captures.
    pub matched: usize,
    /// The median of the time in the second less that in the first: clocks and way together.
    pub offset: Span,
    /// What the fastest packets took there and back between the captures. Free of the clocks; each way alone
    /// took some part of it. Only where packets went both ways and their direction is known.
    pub there_and_back: Option<Span>,
    /// Between which bounds the second clock is ahead of the first, where that can be told.
    pub ahead: Option<(Span, Span)>,
}

/// What is to be thought of a packet that is in one capture only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It was seen where it came first and not where it should have come next.
    Lost,
    /// It was seen where it should have come last and not before: made on the way, or not captured before.
    Appeared,
    /// Which capture is nearer to its sender is not known.
    Unknown,
}

impl Fate {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Fate::Lost => "lost",
            Fate::Appeared => "appeared",
            Fate::Unknown => "unknown",
        }
    }
}

/// A probe or an answer that is in one capture only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Who probes, as the first capture has it.
    pub prober: Party,
    /// Whether it is an answer and not a probe.
    pub is_answer: bool,
    /// The capture that has it.
    pub seen_in: Side,
    /// Where it is there.
    pub at: Mark,
    /// For an answer: the probe, in both captures.
    pub probe: Option<(Mark, Mark)>,
    /// For a probe: it was answered where it was seen.
    pub answered: bool,
    /// What to think of it.
    pub fate: Fate,
    /// The other capture may not have begun yet or have ended, or it shows too little of the connection to
    /// recognise the packet: it may have been there.
    pub unsure: bool,
    /// The other capture left out packets: it says so, or octets were acknowledged that it does not have.
    pub left_out: bool,
}

/// A probe that took longer than the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// Who sent it, as the first capture has it.
    pub prober: Party,
    /// In the first capture.
    pub a: Mark,
    /// In the second.
    pub b: Mark,
    /// How much longer than the median, away from the sender; negative if it came sooner.
    pub by: Span,
}

/// What two captures show of one connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Views {
    /// The end to which the first capture is nearer, if that can be told.
    pub nearer_to_a: Option<Party>,
    /// Probes in both.
    pub probes: usize,
    /// Answers in both.
    pub answers: usize,
    /// Packets that are in one only, in the order of their times in their captures.
    pub missing: Vec<Missing>,
    /// Probes whose way took longer or shorter than the tolerance allows.
    pub late: Vec<Late>,
}

/// What can be compared of two sets of probes: a capture that cut the options has no timestamps.
#[derive(Clone, Copy)]
enum Marks {
    Timestamps,
    IpId,
    /// Sequence numbers only.
    Nothing,
}

impl Marks {
    fn of(a: &ProberRecord, b: &ProberRecord) -> Self {
        let all = |holds: &dyn Fn(&ProbeRecord) -> bool| a.probes.iter().chain(&b.probes).all(holds);
        if all(&|probe| probe.segment.timestamps.is_some()) {
            Marks::Timestamps
        } else if all(&|probe| probe.segment.ip_id.is_some_and(|id| id != 0)) {
            // Identification 0 is none: atomic packets (RFC 6864).
            Marks::IpId
        } else {
            Marks::Nothing
        }
    }

    fn identity(self, probe: &ProbeRecord) -> Identity {
        let shown = &probe.segment;
        let stamps = shown.timestamps.map(|stamps| (stamps.value, stamps.echo));
        let (stamps, ip_id) = match self {
            Marks::Timestamps => (stamps, None),
            Marks::IpId => (None, shown.ip_id),
            Marks::Nothing => (None, None),
        };
        (shown.seq.0, shown.ack.0, shown.octets, stamps, ip_id)
    }

    /// The probes of a side by what is the same everywhere, in the order of their times.
    fn group(self, prober: &ProberRecord) -> HashMap<Identity, Vec<usize>> {
        let mut groups: HashMap<Identity, Vec<usize>> = HashMap::new();
        for (index, probe) in prober.probes.iter().enumerate() {
            groups.entry(self.identity(probe)).or_default().push(index);
        }
        for group in groups.values_mut() {
            group.sort_by_key(|&index| time_of(prober, index));
        }
        groups
    }
}

fn time_of(prober: &ProberRecord, index: usize) -> Timestamp {
    prober.probes.get(index).map_or(Timestamp::default(), |probe| probe.segment.at.time)
}

/// The place in a group of the probe nearest to a time.
fn nearest(prober: &ProberRecord, group: &[usize], time: Timestamp) -> Option<usize> {
    let after = group.partition_point(|&index| time_of(prober, index) < time);
    let places = [after.checked_sub(1), (after < group.len()).then_some(after)];
    places.into_iter().flatten().min_by_key(|&place| {
        group.get(place).map_or(Span::from_nanos(i64::MAX), |&index| time_of(prober, index).since(time).abs())
    })
}

/// The offset that most probes agree on, if they are the same packets at all.
///
/// Packets that cannot be told apart are taken for the same if they are nearest in time.
pub(super) fn agreement(drafts: &[Draft<'_>]) -> Option<Agreement> {
    let (mut single, mut any) = (Vec::new(), Vec::new());
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for draft in drafts {
        for party in [Party::Client, Party::Server] {
            let (a, b) = draft.probers(party);
            let marks = Marks::of(a, b);
            let (in_a, in_b) = (marks.group(a), marks.group(b));
            for probe in &a.probes {
                let key = marks.identity(probe);
                let Some(group) = in_b.get(&key) else { continue };
                let time = probe.segment.at.time;
                let Some(&index) = nearest(b, group, time).and_then(|place| group.get(place)) else {
                    continue;
                };
                let step = time_of(b, index).since(time);
                any.push(step);
                if group.len() == 1 && in_a.get(&key).is_some_and(|group| group.len() == 1) {
                    single.push(step);
                }
                first = first.min(time.as_nanos());
                last = last.max(time.as_nanos());
            }
        }
    }
    let mut steps = if single.is_empty() { any } else { single };
    steps.sort_unstable();
    let seconds = last.saturating_sub(first) / 1_000_000_000;
    let within = STEADY.plus(Span::from_nanos(seconds.saturating_mul(DRIFT)));
    let agreed = densest(&steps, within)?;
    (agreed.len() * 2 > steps.len()).then_some(())?;
    Some(Agreement { offset: crate::analysis::median(agreed)?, within })
}

/// The most of these sorted values that lie within a width.
fn densest(sorted: &[Span], width: Span) -> Option<&[Span]> {
    let run = |(start, from): (usize, &Span)| {
        let end = sorted.partition_point(|value| value.as_nanos() <= from.plus(width).as_nanos());
        sorted.get(start..end)
    };
    sorted.iter().enumerate().filter_map(run).max_by_key(|run| run.len())
}

/// The same packet in both captures.
#[derive(Clone, Copy, Debug)]
struct Match<'a> {
    a: &'a ProbeRecord,
    b: &'a ProbeRecord,
}

impl Match<'_> {
    fn step(&self) -> Span {
        self.b.segment.at.time.since(self.a.segment.at.time)
    }

    /// The answer in both, if it is the same.
    fn answer(&self) -> Option<(Answer, Answer)> {
        let (a, b) = self.a.answer.zip(self.b.answer)?;
        let stamps = a.timestamps.zip(b.timestamps);
        (a.kind == b.kind && stamps.is_none_or(|(a, b)| a == b)).then_some((a, b))
    }
}

/// What was found of one side's probes.
struct Matched<'a> {
    prober: Party,
    both: Vec<Match<'a>>,
    only_a: Vec<&'a ProbeRecord>,
    only_b: Vec<&'a ProbeRecord>,
}

fn matched<'a>(draft: &Draft<'a>, prober: Party, agreement: &Agreement) -> Matched<'a> {
    let (a, b) = draft.probers(prober);
    let marks = Marks::of(a, b);
    let (alike, mut left) = (marks.group(a), marks.group(b));
    let mut found = Matched { prober, both: Vec::new(), only_a: Vec::new(), only_b: Vec::new() };
    for probe in &a.probes {
        let (key, time) = (marks.identity(probe), probe.segment.at.time);
        let due = time.plus(agreement.offset);
        let within = agreement.within.min(half_way(a, alike.get(&key), time));
        let other = left.get_mut(&key).and_then(|group| {
            let place = nearest(b, group, due)?;
            let index = *group.get(place)?;
            let near = time_of(b, index).since(due).abs() <= within;
            near.then(|| group.remove(place))
        });
        match other.and_then(|index| b.probes.get(index)) {
            Some(other) => found.both.push(Match { a: probe, b: other }),
            None => found.only_a.push(probe),
        }
    }
    let mut rest: Vec<usize> = left.into_values().flatten().collect();
    rest.sort_unstable();
    found.only_b = rest.into_iter().filter_map(|index| b.probes.get(index)).collect();
    found
}

/// The end to which the first capture is nearer. Routers count hops down, so a packet has more of them left
/// where it came first; where there is no router between, a prober sees the longer round trip.
fn nearer_to_a(sides: &[Matched<'_>]) -> Option<Party> {
    let sign = |difference: i64, near_if_more: Party| match difference {
        0 => None,
        1.. => Some(near_if_more),
        _ => Some(near_if_more.peer()),
    };
    let hops = sides.iter().flat_map(|side| {
        side.both.iter().flat_map(move |both| {
            let probe = sign(i64::from(both.a.segment.ttl) - i64::from(both.b.segment.ttl), side.prober);
            let answer = both
                .answer()
                .and_then(|(a, b)| sign(i64::from(a.ttl) - i64::from(b.ttl), side.prober.peer()));
            [probe, answer].into_iter().flatten()
        })
    });
    let trips = sides.iter().flat_map(|side| {
        side.both.iter().filter_map(move |both| {
            let (a, b) = both.answer()?;
            sign(a.rtt.as_nanos() - b.rtt.as_nanos(), side.prober)
        })
    });
    unanimous(hops).or_else(|| unanimous(trips))
}

fn unanimous(mut votes: impl Iterator<Item = Party>) -> Option<Party> {
    let first = votes.next()?;
    votes.all(|vote| vote == first).then_some(first)
}

/// Half of the time to the nearest probe of the same side that looks the same: what is nearer than that is not
/// the other one.
fn half_way(prober: &ProberRecord, group: Option<&Vec<usize>>, time: Timestamp) -> Span {
    let far = Span::from_nanos(i64::MAX);
    let Some(group) = group else { return far };
    let place = group.partition_point(|&index| time_of(prober, index) < time);
    let neighbours = [place.checked_sub(1), place.checked_add(1)];
    let distance = |index: &usize| time_of(prober, *index).since(time).abs();
    let nearest = neighbours.into_iter().flatten().filter_map(|place| group.get(place)).map(distance).min();
    nearest.map_or(far, |nearest| Span::from_nanos(nearest.as_nanos() / 2))
}

/// From when to when a capture has packets.
#[derive(Clone, Copy)]
struct Period {
    first: Timestamp,
    last: Timestamp,
}

impl Period {
    fn of(records: &[ConnectionRecord]) -> Self {
        let first = records.iter().map(|record| record.opened.first.time).min();
        let last = records.iter().map(|record| record.summary.seen_until).max();
        Self { first: first.unwrap_or_default(), last: last.unwrap_or_default() }
    }

    fn misses(&self, time: Timestamp) -> bool {
        time < self.first || time > self.last
    }
}

/// Looks for every packet of the pairs in the other capture. Returns what is known of the clocks, and what was
/// found of each pair.
pub(super) fn look(
    drafts: &[Draft<'_>],
    agreement: &Agreement,
    captures: (&[ConnectionRecord], &[ConnectionRecord]),
    settings: Settings,
) -> (Clocks, Vec<Views>) {
    let periods = (Period::of(captures.0), Period::of(captures.1));
    let lives = (by_ends(captures.0), by_ends(captures.1));
    let mut ways = Ways::default();
    let mut found = Vec::new();
    for draft in drafts {
        let sides = [Party::Client, Party::Server].map(|party| matched(draft, party, agreement));
        let near = nearer_to_a(&sides);
        let mut views =
            Views { nearer_to_a: near, probes: 0, answers: 0, missing: Vec::new(), late: Vec::new() };
        for side in &sides {
            ways.add(side, near);
            views.probes += side.both.len();
            views.answers += side.both.iter().filter(|both| both.answer().is_some()).count();
            let lookout = Lookout {
                draft,
                prober: side.prober,
                near,
                periods,
                lives: &lives,
                agreement: *agreement,
                dropped: settings.dropped,
            };
            lookout.probes(side, &mut views.missing);
            side.both.iter().for_each(|both| lookout.answers(both, &mut views.missing));
            lookout.late(side, settings.tolerance, &mut views.late);
        }
        // On one clock, or what is lost at the one and the other could not be read in order.
        views.missing.sort_by_key(|missing| match missing.seen_in {
            Side::A => missing.at.time.plus(agreement.offset),
            Side::B => missing.at.time,
        });
        found.push(views);
    }
    (ways.clocks(agreement.offset), found)
}

/// What decides how a packet that is in one capture only is to be taken.
struct Lookout<'a> {
    draft: &'a Draft<'a>,
    prober: Party,
    near: Option<Party>,
    periods: (Period, Period),
    lives: &'a (Lives<'a>, Lives<'a>),
    agreement: Agreement,
    /// Whether the captures say that they dropped packets.
    dropped: (bool, bool),
}

/// All connections of a capture by their ends.
type Lives<'a> = HashMap<(Endpoint, Endpoint), Vec<&'a ConnectionRecord>>;

fn by_ends(records: &[ConnectionRecord]) -> Lives<'_> {
    let mut lives: Lives<'_> = HashMap::new();
    for record in records {
        lives.entry(ends(record)).or_default().push(record);
    }
    lives
}

impl Lookout<'_> {
    fn missing(&self, is_answer: bool, seen_in: Side, at: Mark) -> Missing {
        let sender = if is_answer { self.prober.peer() } else { self.prober };
        let first = self.near.map(|near| if near == sender { Side::A } else { Side::B });
        let fate = match first {
            None => Fate::Unknown,
            Some(first) if first == seen_in => Fate::Lost,
            Some(_) => Fate::Appeared,
        };
        let due = self.due(seen_in, at);
        let (other, period, dropped) = match seen_in {
            Side::A => (self.draft.b, self.periods.1, self.dropped.1),
            Side::B => (self.draft.a, self.periods.0, self.dropped.0),
        };
        let summary = &other.summary;
        let left_out = dropped || summary.client.octets_missing || summary.server.octets_missing;
        let unsure = left_out || period.misses(due) || self.may_hide(other, due);
        Missing {
            prober: self.prober,
            is_answer,
            seen_in,
            at,
            probe: None,
            answered: false,
            fate,
            unsure,
            left_out,
        }
    }

    /// Whether a capture of the connection may have a packet of this time without our knowing what it is: before
    /// the first probe where its start was not captured, and where something looks like a probe.
    fn may_hide(&self, record: &ConnectionRecord, due: Timestamp) -> bool {
        let first = record.probers().filter_map(|(_, prober)| prober.probes.first());
        let first = first.map(|probe| probe.segment.at.time).min();
        let is_early = first.is_none_or(|first| due <= first.plus(self.agreement.within));
        (record.opened.start == Start::Midstream && is_early)
            || record.lookalikes.iter().any(|seen| seen.at.time.since(due).abs() <= self.agreement.within)
    }

    /// When a packet of one capture should be in the other.
    fn due(&self, seen_in: Side, at: Mark) -> Timestamp {
        match seen_in {
            Side::A => at.time.plus(self.agreement.offset),
            Side::B => at.time.plus(Span::from_nanos(self.agreement.offset.as_nanos().saturating_neg())),
        }
    }

    /// Whether the other capture has, among the probes and answers of the same ends, one that is the same but
    /// was taken for a part of another life or for the answer to another probe: what is missing elsewhere in a
    /// capture changes how it reads.
    fn is_elsewhere(&self, seen_in: Side, is_same: impl Fn(&ProbeRecord) -> bool) -> bool {
        let lives = match seen_in {
            Side::A => self.lives.1.get(&ends(self.draft.b)),
            Side::B => self.lives.0.get(&ends(self.draft.a)),
        };
        let probers = lives.into_iter().flatten().flat_map(|record| record.probers());
        probers.flat_map(|(_, prober)| &prober.probes).any(is_same)
    }

    /// Whether two packets that are alike otherwise are the same by their timestamps, or without those by time.
    fn is_same(&self, stamps: [Option<TcpTimestamps>; 2], time: Timestamp, due: Timestamp) -> bool {
        let apart = time.since(due).abs();
        match stamps {
            [Some(one), Some(other)] => one == other && apart <= self.agreement.within,
            _ => apart <= CLOSE,
        }
    }

    fn probes(&self, side: &Matched<'_>, missing: &mut Vec<Missing>) {
        for (seen_in, probes) in [(Side::A, &side.only_a), (Side::B, &side.only_b)] {
            for probe in probes {
                let shown = &probe.segment;
                let due = self.due(seen_in, shown.at);
                let is_there = self.is_elsewhere(seen_in, |other| {
                    let other = &other.segment;
                    (other.seq, other.ack) == (shown.seq, shown.ack)
                        && self.is_same([shown.timestamps, other.timestamps], other.at.time, due)
                });
                if !is_there {
                    let answered = probe.is_answered_by_peer();
                    missing.push(Missing { answered, ..self.missing(false, seen_in, shown.at) });
                }
            }
        }
    }

    fn answers(&self, both: &Match<'_>, missing: &mut Vec<Missing>) {
        if both.answer().is_some() {
            return;
        }
        let probe = Some((both.a.segment.at, both.b.segment.at));
        let of_side = |seen_in, answer: Option<Answer>| answer.map(|answer| (seen_in, answer));
        let mut answers: Vec<(Side, Answer)> =
            [of_side(Side::A, both.a.answer), of_side(Side::B, both.b.answer)]
                .into_iter()
                .flatten()
                .collect();
        // Where the answer is missing, the next packet that could be one passes for it.
        if let [(_, one), (_, other)] = answers.as_slice() {
            let a_is_first = self.due(Side::A, one.at) <= other.at.time;
            answers.retain(|(side, _)| (*side == Side::A) == a_is_first);
        }
        for (seen_in, answer) in answers {
            let due = self.due(seen_in, answer.at);
            let is_there = self.is_elsewhere(seen_in, |other| {
                other.answer.is_some_and(|other| {
                    other.kind == answer.kind
                        && self.is_same([answer.timestamps, other.timestamps], other.at.time, due)
                })
            });
            if !is_there {
                missing.push(Missing { probe, ..self.missing(true, seen_in, answer.at) });
            }
        }
    }

    fn late(&self, side: &Matched<'_>, tolerance: Tolerance, late: &mut Vec<Late>) {
        let mut steps: Vec<Span> = side.both.iter().map(Match::step).collect();
        steps.sort_unstable();
        let Some(usual) = crate::analysis::median(&steps) else { return };
        // From the second to the first, a longer way makes the step smaller.
        let away = if self.near == Some(self.prober.peer()) { -1 } else { 1 };
        for both in &side.both {
            let by = both.step().as_nanos().saturating_sub(usual.as_nanos());
            if by.saturating_abs() > tolerance.absolute.as_nanos() {
                let by = Span::from_nanos(by.saturating_mul(away));
                late.push(Late { prober: side.prober, a: both.a.segment.at, b: both.b.segment.at, by });
            }
        }
    }
}

/// The smallest steps of the clocks in each direction.
#[derive(Default)]
struct Ways {
    steps: Vec<Span>,
    /// From the first to the second: time there less time here.
    onward: Option<Span>,
    /// The other way round, also what it took by the clocks.
    back: Option<Span>,
}

impl Ways {
    fn add(&mut self, side: &Matched<'_>, near: Option<Party>) {
        for both in &side.both {
            self.packet(both.step(), near.map(|near| near == side.prober));
            if let Some((a, b)) = both.answer() {
                self.packet(b.at.time.since(a.at.time), near.map(|near| near != side.prober));
            }
        }
    }

    fn packet(&mut self, step: Span, is_onward: Option<bool>) {
        self.steps.push(step);
        let least = |known: Option<Span>, step: Span| Some(known.map_or(step, |known| known.min(step)));
        match is_onward {
            Some(true) => self.onward = least(self.onward, step),
            Some(false) => {
                self.back = least(self.back, Span::from_nanos(step.as_nanos().saturating_neg()));
            }
            None => {}
        }
    }

    fn clocks(mut self, agreed: Span) -> Clocks {
        self.steps.sort_unstable();
        // A way that took less than nothing shows clocks that do not run alike.
        let both = self.onward.zip(self.back).filter(|(onward, back)| onward.plus(*back) >= Span::ZERO);
        Clocks {
            matched: self.steps.len(),
            offset: crate::analysis::median(&self.steps).unwrap_or(agreed),
            there_and_back: both.map(|(onward, back)| onward.plus(back)),
            ahead: both.map(|(onward, back)| (Span::from_nanos(back.as_nanos().saturating_neg()), onward)),
        }
    }
}
