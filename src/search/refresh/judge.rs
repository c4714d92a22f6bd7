//! What the connections of an experiment came to.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Connection, Course, Experiment, Fate, Form, Question};
use crate::search::message::{Cue, Origin};
use crate::search::trial::{Death, Outcome as Tried, Trial};

/// Whether a form counts for the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counts {
    /// Connections were kept open by it.
    Yes,
    /// They died as if it had not been sent.
    No,
    /// It came too late or did not count, but made forgotten connections anew.
    MadeAnew,
    /// Some lived, and some died.
    Mixed,
    /// Nothing can be said.
    Unknown,
}

impl Counts {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Counts::Yes => "yes",
            Counts::No => "no",
            Counts::MadeAnew => "made_anew",
            Counts::Mixed => "mixed",
            Counts::Unknown => "unknown",
        }
    }
}

/// What became of the connections that were kept open with one form.
#[derive(Clone, Debug, PartialEq)]
pub struct Refreshed {
    /// With what.
    pub form: Form,
    /// Of those with one packet: lived, died.
    pub once: (u32, u32),
    /// Of those with packets all the time: lived, died.
    pub kept: (u32, u32),
    /// Connections that tell nothing.
    pub void: u32,
    /// Packets that were sent to refresh.
    pub sent: u32,
    /// Of those, how many were answered.
    pub answered: u32,
    /// Whether it counts; of the control: whether it lived.
    pub counts: Counts,
}

/// Whether keepalives help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// They do: with an idle time below the timeout connections stay open.
    KeepalivesCount,
    /// Those with one octet do, those without data do not.
    OctetNeeded,
    /// Keepalives do not count here, data does: a proxy, or a box that looks at data only.
    OnlyData,
    /// Keepalives do not count here, and there was nobody to exchange data with.
    NotKeepalives,
    /// Nothing that was sent helps: connections end at an age of their own, or for another reason.
    Nothing,
    /// The far end ended connections on which nothing was said: a timer of its own.
    EndedByPeer,
    /// Somebody did, and it does not show who.
    EndedByUnknown,
    /// Connections outlived the timeout without any packet.
    NoTimeout,
    /// Connections of one kind did not end alike.
    Mixed,
    /// Too little was tried.
    Unknown,
}

impl Verdict {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::KeepalivesCount => "keepalives_count",
            Verdict::OctetNeeded => "octet_needed",
            Verdict::OnlyData => "only_data",
            Verdict::NotKeepalives => "not_keepalives",
            Verdict::Nothing => "nothing_counts",
            Verdict::EndedByPeer => "ended_by_peer",
            Verdict::EndedByUnknown => "ended_by_unknown",
            Verdict::NoTimeout => "no_timeout",
            Verdict::Mixed => "mixed",
            Verdict::Unknown => "unknown",
        }
    }

    /// What it means, for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Verdict::KeepalivesCount => "Keepalives count here: set their idle time below the timeout.",
            Verdict::OctetNeeded => {
                "Keepalives with one octet count here, those without data, as most systems send them, do not: a shorter \
                 idle time does not help; a heartbeat of the application does."
            }
            Verdict::OnlyData => {
                "Keepalives do not count here, data does: a shorter idle time does not help; a heartbeat of the \
                 application does, or a longer timeout of the proxy."
            }
            Verdict::NotKeepalives => {
                "Keepalives do not count here: a shorter idle time does not help. Whether data does takes a partner."
            }
            Verdict::Nothing => {
                "Nothing that was sent kept a connection open: they end at an age of their own, or for another reason."
            }
            Verdict::EndedByPeer => {
                "The far end itself ended connections on which nothing was said: that is a timer of its own (or of a \
                 proxy in its place), which keepalives never reach, and no box that forgets. Whether keepalives count \
                 for a box cannot be told here; a partner shows it."
            }
            Verdict::EndedByUnknown => {
                "Connections on which nothing was said were ended, and it does not show by whom: the far end or a box. \
                 Whether keepalives count cannot be told so; a partner shows it."
            }
            Verdict::NoTimeout => {
                "Connections outlived this timeout without any packet, so it cannot be said what keeps them open."
            }
            Verdict::Mixed => "Connections that were treated alike did not end alike: it cannot be said.",
            Verdict::Unknown => "Too little could be tried to say.",
        }
    }

    /// Whether it answers the question.
    pub const fn is_answer(self) -> bool {
        use Verdict::{EndedByPeer, EndedByUnknown, Mixed, NoTimeout, Unknown};
        !matches!(self, EndedByPeer | EndedByUnknown | NoTimeout | Mixed | Unknown)
    }
}

/// Where the box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Located {
    /// Packets count from the one on that ends at this hop; 1 is the first router.
    Hop(u8),
    /// None of them counts, though packets that go all the way do: behind the last router.
    Beyond,
    /// The far end is no router away: it is the box (a proxy), or nothing is between.
    NoHops,
    /// Packets that draw no answer do not count for it.
    OneWay,
    /// The far end ended connections on which nothing was said.
    EndedByPeer,
    /// Somebody did, and it does not show who.
    EndedByUnknown,
    /// Connections outlived the timeout without any packet.
    NoTimeout,
    /// Hops further away count less than nearer ones, or connections did not end alike.
    Mixed,
    /// Too little could be tried.
    Unknown,
}

impl Located {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Located::Hop(_) => "located",
            Located::Beyond => "beyond_last_hop",
            Located::NoHops => "no_hops",
            Located::OneWay => "one_way_does_not_count",
            Located::EndedByPeer => "ended_by_peer",
            Located::EndedByUnknown => "ended_by_unknown",
            Located::NoTimeout => "no_timeout",
            Located::Mixed => "mixed",
            Located::Unknown => "unknown",
        }
    }

    /// What it means, for people.
    pub fn sentence(self) -> String {
        match self {
            Located::Hop(1) => {
                "The box is at hop 1 or before it (a box that counts only what it forwards would be before it).".to_owned()
            }
            Located::Hop(hop) => format!(
                "The box is at hop {hop}, or on the link before it; one that counts only what it forwards is at hop {}.",
                hop - 1
            ),
            Located::Beyond => {
                "The box is behind the last router, or at it if it counts only what it forwards.".to_owned()
            }
            Located::NoHops => {
                "It cannot be told where: no router is between here and the end of the connection. Either that end is \
                 the box, as a proxy is, or the box is on this link."
                    .to_owned()
            }
            Located::OneWay => {
                "It cannot be told where: packets that draw no answer do not count for this box.".to_owned()
            }
            Located::EndedByPeer => {
                "It cannot be told where: the far end itself ended connections on which nothing was said.".to_owned()
            }
            Located::EndedByUnknown => {
                "It cannot be told where: connections on which nothing was said were ended, nobody knows by whom."
                    .to_owned()
            }
            Located::NoTimeout => {
                "It cannot be told where: connections outlived this timeout without any packet.".to_owned()
            }
            Located::Mixed => {
                "It cannot be told where: connections that were treated alike did not end alike.".to_owned()
            }
            Located::Unknown => "It cannot be told where: too little could be tried.".to_owned(),
        }
    }
}

/// Who ended connections, as the RST, FIN or ICMP error shows: a second cue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sender {
    /// Its TTL and delay against the peer's.
    pub cue: Cue,
    /// Hops to it, if it set the TTL as systems do (64, 128, 255); 1 is the first router.
    pub hop: Option<u8>,
}

impl Sender {
    /// From what its packet looked like.
    pub fn of(cue: Cue) -> Self {
        Self { cue, hop: cue.ttl.and_then(|ttl| routers(ttl).checked_add(1)) }
    }
}

/// Routers that a packet with this TTL passed, if its sender set 64, 128 or 255.
pub const fn routers(ttl: u8) -> u8 {
    match ttl {
        0..=64 => 64 - ttl,
        65..=128 => 128 - ttl,
        129.. => 255 - ttl,
    }
}

/// Where the box is, and what that rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// In one word.
    pub located: Located,
    /// Routers to the far end, as its TTL shows.
    pub hops: Option<u8>,
    /// What became of the connections whose packets ended at each hop.
    pub at: Vec<Refreshed>,
    /// Which routers said that a packet ended there.
    pub reporters: BTreeMap<u8, Vec<IpAddr>>,
    /// Who ended connections that died.
    pub sender: Option<Sender>,
}

/// What an experiment came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What was asked.
    pub question: Question,
    /// Connections at once.
    pub connections: usize,
    /// The control.
    pub control: Refreshed,
    /// If what counts was asked: the answer, whether packets from here alone count, and each form.
    pub refresh: Option<(Verdict, Counts, Vec<Refreshed>)>,
    /// If it was asked where it is.
    pub location: Option<Location>,
    /// Forms for which there was no room.
    pub left_out: Vec<Form>,
    /// It was ended before it was over.
    pub interrupted: bool,
}

pub(super) fn outcome(experiment: &Experiment) -> Outcome {
    let Experiment { question, connections, hops, .. } = experiment;
    let control = refreshed(connections, Form::Silence);
    // Of the control one death of two would be enough to doubt, so all must die.
    let valid = control.counts == Counts::No;
    let hops = *hops;
    let ended = ended(experiment);
    let refresh = question.refresh.then(|| {
        let mut forms = vec![Form::Keepalive, Form::KeepaliveOctet, Form::Ack];
        forms.extend(hops.filter(|hops| *hops > 0).map(Form::Limited));
        forms.extend([Form::Inward, Form::Data]);
        let all: Vec<Refreshed> = forms.into_iter().map(|form| refreshed(connections, form)).collect();
        let tried: Vec<Refreshed> =
            all.into_iter().filter(|one| lived_died(one) != (0, 0) || one.void > 0).collect();
        let verdict = verdict(&control, &tried);
        let one_way = one_way(valid && ended.is_none(), &tried);
        match ended.filter(|_| matches!(verdict, Verdict::NotKeepalives | Verdict::Unknown)) {
            None => (verdict, one_way, tried),
            // What died would have died so or so.
            Some((verdict, _)) => (verdict, one_way, tried.into_iter().map(Refreshed::untold).collect()),
        }
    });
    let location = question.locate.then(|| {
        let found = location(experiment, &control);
        let untold =
            matches!(found.located, Located::OneWay | Located::NoHops | Located::Beyond | Located::Unknown);
        let located = ended.filter(|_| untold).map_or(found.located, |(_, located)| located);
        Location { located, ..found }
    });
    Outcome {
        question: *question,
        connections: connections.len(),
        control,
        refresh,
        location,
        left_out: experiment.left_out.clone(),
        interrupted: experiment.interrupted,
    }
}

/// Who ended connections before anything was said on them, unless it was a box. A partner ends nothing by itself, so with
/// one there is no doubt.
fn ended(experiment: &Experiment) -> Option<(Verdict, Located)> {
    let unasked = experiment.connections.iter().filter(|one| one.unasked);
    let origins: Vec<Origin> = unasked
        .filter_map(|one| match one.fate {
            Some(Fate::Ended(_, origin)) if !experiment.question.partner => Some(origin),
            _ => None,
        })
        .collect();
    let any = |wanted: fn(&Origin) -> bool| origins.iter().any(wanted);
    if any(|origin| matches!(origin, Origin::Peer(_))) {
        return Some((Verdict::EndedByPeer, Located::EndedByPeer));
    }
    any(|origin| *origin == Origin::Unknown).then_some((Verdict::EndedByUnknown, Located::EndedByUnknown))
}

fn lived_died(one: &Refreshed) -> (u32, u32) {
    (one.once.0 + one.kept.0, one.once.1 + one.kept.1)
}

fn refreshed(connections: &[Connection], form: Form) -> Refreshed {
    let mut one = Refreshed {
        form,
        once: (0, 0),
        kept: (0, 0),
        void: 0,
        sent: 0,
        answered: 0,
        counts: Counts::Unknown,
    };
    for connection in connections.iter().filter(|connection| connection.form == form) {
        let Some(fate) = connection.fate else { continue };
        (one.sent, one.answered) = (one.sent + connection.sent, one.answered + connection.answered);
        let place = match connection.course {
            Course::Once => &mut one.once,
            Course::Kept => &mut one.kept,
        };
        match fate {
            Fate::Void => one.void += 1,
            fate if fate.died() => place.1 += 1,
            _ => place.0 += 1,
        }
    }
    one.counts = match (one.once, one.kept) {
        ((0, 0), (0, 0)) => Counts::Unknown,
        ((_, 0), (_, 0)) => Counts::Yes,
        ((0, _), (0, _)) => Counts::No,
        ((0, 1..), (1.., 0)) => Counts::MadeAnew,
        _ => Counts::Mixed,
    };
    one
}

impl Refreshed {
    /// Its deaths say nothing.
    fn untold(self) -> Self {
        let counts = if self.counts == Counts::Yes { Counts::Yes } else { Counts::Unknown };
        Self { counts, ..self }
    }
}

fn counts(tried: &[Refreshed], wanted: impl Fn(Form) -> bool) -> Counts {
    tried.iter().find(|one| wanted(one.form)).map_or(Counts::Unknown, |one| one.counts)
}

fn verdict(control: &Refreshed, tried: &[Refreshed]) -> Verdict {
    match control.counts {
        Counts::No => {}
        Counts::Yes => return Verdict::NoTimeout,
        Counts::Mixed | Counts::MadeAnew => return Verdict::Mixed,
        Counts::Unknown => return Verdict::Unknown,
    }
    let of = |wanted: Form| counts(tried, |form| form == wanted);
    let refuses = |counts: Counts| matches!(counts, Counts::No | Counts::MadeAnew);
    match (of(Form::Keepalive), of(Form::KeepaliveOctet), of(Form::Data)) {
        (Counts::Yes, ..) => Verdict::KeepalivesCount,
        (Counts::Mixed, ..) | (_, Counts::Mixed, _) => Verdict::Mixed,
        (none, Counts::Yes, _) if refuses(none) => Verdict::OctetNeeded,
        (none, _, Counts::Yes) if refuses(none) => Verdict::OnlyData,
        (none, _, Counts::Unknown) if refuses(none) => Verdict::NotKeepalives,
        (none, _, data) if refuses(none) && refuses(data) => Verdict::Nothing,
        (none, _, Counts::Mixed) if refuses(none) => Verdict::Mixed,
        _ => Verdict::Unknown,
    }
}

/// Whether packets that only go from here count.
fn one_way(valid: bool, tried: &[Refreshed]) -> Counts {
    if !valid {
        return Counts::Unknown;
    }
    let silent = |form: Form| {
        let one = tried.iter().find(|one| one.form == form);
        one.filter(|one| one.answered == 0).map_or(Counts::Unknown, |one| one.counts)
    };
    let limited = tried.iter().map(|one| one.form).find(|form| matches!(form, Form::Limited(_)));
    match (silent(Form::Ack), limited.map_or(Counts::Unknown, silent)) {
        (Counts::Yes, _) | (_, Counts::Yes) => Counts::Yes,
        (Counts::Unknown, other) | (other, _) => other,
    }
}

fn location(experiment: &Experiment, control: &Refreshed) -> Location {
    let Experiment { connections, hops, reporters, .. } = experiment;
    let at: Vec<Refreshed> =
        (1..=hops.unwrap_or(0)).map(|hop| refreshed(connections, Form::Limited(hop))).collect();
    let cue = connections.iter().find_map(|connection| match connection.fate {
        Some(Fate::Ended(_, Origin::Path(cue) | Origin::Peer(cue))) if cue.ttl.is_some() => Some(cue),
        _ => None,
    });
    let all_the_way = refreshed(connections, Form::Ack);
    let all_the_way = if all_the_way.answered == 0 { all_the_way.counts } else { Counts::Unknown };
    let located = match (control.counts, hops) {
        (Counts::Yes, _) => Located::NoTimeout,
        (Counts::Unknown, _) | (_, None) => Located::Unknown,
        (Counts::Mixed | Counts::MadeAnew, _) => Located::Mixed,
        (Counts::No, Some(0)) => Located::NoHops,
        (Counts::No, Some(_)) => {
            let of: Vec<Counts> = at.iter().map(|one| one.counts).collect();
            along(&of, all_the_way)
        }
    };
    Location { located, hops: *hops, at, reporters: reporters.clone(), sender: cue.map(Sender::of) }
}

/// Reads the hops in their order: those before the box do not count, it and all behind it do.
fn along(hops: &[Counts], all_the_way: Counts) -> Located {
    let before = hops.iter().take_while(|counts| **counts == Counts::No).count();
    let behind = hops.iter().skip(before);
    if behind.clone().any(|counts| *counts == Counts::Unknown) {
        return Located::Unknown;
    }
    if behind.clone().any(|counts| *counts != Counts::Yes) {
        return Located::Mixed;
    }
    match (before == hops.len(), all_the_way) {
        (false, _) => u8::try_from(before + 1).map_or(Located::Unknown, Located::Hop),
        (true, Counts::Yes) => Located::Beyond,
        (true, Counts::No | Counts::MadeAnew) => Located::OneWay,
        (true, Counts::Mixed) => Located::Mixed,
        (true, Counts::Unknown) => Located::Unknown,
    }
}

impl Outcome {
    /// Takes who ended connections of the search that went before, where none of these showed it.
    pub fn learn_from(&mut self, trials: &[Trial]) {
        let cue = trials.iter().find_map(|trial| match trial.result {
            Tried::Died(Death::Ended(_, origin) | Death::Unasked(_, origin)) => match origin {
                Origin::Path(cue) | Origin::Peer(cue) if cue.ttl.is_some() => Some(cue),
                _ => None,
            },
            _ => None,
        });
        if let Some(location) = &mut self.location
            && location.sender.is_none()
        {
            location.sender = cue.map(Sender::of);
        }
    }

    /// Whether packets that only come from the partner, and are not answered, count; unknown where none were sent.
    pub fn one_way_in(&self) -> Counts {
        let forms = self.refresh.iter().flat_map(|(_, _, forms)| forms);
        let inward = forms.into_iter().find(|one| one.form == Form::Inward);
        let valid = self.control.counts == Counts::No;
        inward.filter(|one| valid && one.answered == 0).map_or(Counts::Unknown, |one| one.counts)
    }

    /// Whether all that was asked is answered.
    pub fn is_answer(&self) -> bool {
        let refresh = self.refresh.as_ref().is_none_or(|(verdict, ..)| verdict.is_answer());
        let located = self.location.as_ref().map(|location| location.located);
        refresh && located.is_none_or(|located| matches!(located, Located::Hop(_) | Located::Beyond))
    }
}
