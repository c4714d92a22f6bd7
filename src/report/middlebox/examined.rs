//! What keeps a connection open, and where the box is: text and JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::spoken;
use crate::report::number::Seconds;
use crate::report::text::plural;
use crate::search::refresh::{Counts, Course, Form, Located, Location, Outcome, Refreshed, Sender, Verdict};

/// What is to be examined once a timeout is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examination {
    /// What keeps a connection open?
    pub refresh: bool,
    /// Where is the box?
    pub locate: bool,
    /// The timeout, if it is not searched for.
    pub timeout: Option<crate::time::Span>,
    /// Whether there is a partner.
    pub partner: bool,
    /// Connections at once, at most.
    pub most: u16,
}

/// What will be done, in one line.
pub(super) fn plan(examination: &Examination) -> String {
    let Examination { refresh, locate, timeout, partner, most } = *examination;
    let what = match (refresh, locate) {
        (true, true) => "refresh and locate: what keeps a connection open, and where the box is",
        (_, true) => "locate: where the box is",
        _ => "refresh: what keeps a connection open",
    };
    let since = timeout.map_or("after a timeout was found".to_owned(), |timeout| {
        format!("behind a timeout of {}", spoken(timeout))
    });
    let test = if partner { "an octet from the partner" } else { "a keepalive probe from here" };
    let takes = if refresh { "2.5" } else { "1.3" };
    format!("{what}, {since}; {test} tests each connection; at most {most} at once; {takes} timeouts long")
}

#[derive(Serialize)]
pub(super) struct RefreshModel {
    verdict: &'static str,
    text: &'static str,
    /// Whether packets that only go from here, and are not answered, count.
    one_way_out: &'static str,
    /// Whether packets that only come from the partner, and are not answered, count.
    one_way_in: &'static str,
    timeout_s: [Seconds; 2],
    every_s: Seconds,
    lasted_s: Seconds,
    tested_by: &'static str,
    control: FormModel,
    forms: Vec<FormModel>,
    left_out: Vec<&'static str>,
    interrupted: bool,
}

#[derive(Serialize)]
pub(super) struct LocateModel {
    verdict: &'static str,
    text: String,
    hop: Option<u8>,
    /// The routers at that hop, as they name themselves.
    addresses: Vec<String>,
    /// Routers to the far end, as its TTL shows.
    hops: Option<u8>,
    control: FormModel,
    at: Vec<HopModel>,
    sender: Option<SenderModel>,
    interrupted: bool,
}

#[derive(Serialize)]
struct FormModel {
    form: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u8>,
    both_ways: bool,
    counts: &'static str,
    once: Fates,
    kept: Fates,
    void: u32,
    sent: u32,
    answered: u32,
}

#[derive(Serialize)]
struct Fates {
    lived: u32,
    died: u32,
}

#[derive(Serialize)]
struct HopModel {
    hop: u8,
    addresses: Vec<String>,
    #[serde(flatten)]
    form: FormModel,
}

#[derive(Serialize)]
struct SenderModel {
    hop: Option<u8>,
    ttl: Option<u8>,
    usual_ttl: Option<u8>,
    delay_s: Option<Seconds>,
    usual_delay_s: Option<Seconds>,
}

impl From<&Refreshed> for FormModel {
    fn from(one: &Refreshed) -> Self {
        let fates = |(lived, died): (u32, u32)| Fates { lived, died };
        let ttl = match one.form {
            Form::Limited(ttl) => Some(ttl),
            _ => None,
        };
        Self {
            form: one.form.name(),
            ttl,
            both_ways: one.form.is_both_ways() || one.answered > 0,
            counts: one.counts.name(),
            once: fates(one.once),
            kept: fates(one.kept),
            void: one.void,
            sent: one.sent,
            answered: one.answered,
        }
    }
}

impl From<&Sender> for SenderModel {
    fn from(sender: &Sender) -> Self {
        Self {
            hop: sender.hop,
            ttl: sender.cue.ttl,
            usual_ttl: sender.cue.usual_ttl,
            delay_s: sender.cue.delay.map(Into::into),
            usual_delay_s: sender.cue.usual_delay.map(Into::into),
        }
    }
}

pub(super) fn refresh_model(outcome: &Outcome) -> Option<RefreshModel> {
    let (verdict, one_way, forms) = outcome.refresh.as_ref()?;
    let question = outcome.question;
    Some(RefreshModel {
        verdict: verdict.name(),
        text: verdict.sentence(),
        one_way_out: one_way.name(),
        one_way_in: outcome.one_way_in().name(),
        timeout_s: [question.alive.into(), question.dead.into()],
        every_s: question.every().into(),
        lasted_s: question.tested_after(Course::Kept).into(),
        tested_by: if question.partner { "partner" } else { "probe" },
        control: (&outcome.control).into(),
        forms: forms.iter().map(Into::into).collect(),
        left_out: outcome.left_out.iter().map(|form| form.name()).collect(),
        interrupted: outcome.interrupted,
    })
}

fn addresses(location: &Location, hop: u8) -> Vec<String> {
    location.reporters.get(&hop).into_iter().flatten().map(ToString::to_string).collect()
}

pub(super) fn locate_model(outcome: &Outcome) -> Option<LocateModel> {
    let location = outcome.location.as_ref()?;
    let hop = match location.located {
        Located::Hop(hop) => Some(hop),
        _ => None,
    };
    let at = (1..=u8::MAX).zip(&location.at);
    Some(LocateModel {
        verdict: location.located.name(),
        text: location.located.sentence(),
        hop,
        addresses: hop.map(|hop| addresses(location, hop)).unwrap_or_default(),
        hops: location.hops,
        control: (&outcome.control).into(),
        at: at
            .map(|(hop, one)| HopModel { hop, addresses: addresses(location, hop), form: one.into() })
            .collect(),
        sender: location.sender.as_ref().map(Into::into),
        interrupted: outcome.interrupted,
    })
}

/// What came of it, for people.
pub(super) fn text(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    if let Some((verdict, one_way, forms)) = &outcome.refresh {
        writeln!(out)?;
        writeln!(out, "{}", verdict.sentence())?;
        let question = outcome.question;
        let every = spoken(question.every());
        writeln!(
            out,
            "  {:<20}{every} apart, for {}",
            "packets",
            spoken(question.tested_after(Course::Kept))
        )?;
        for one in std::iter::once(&outcome.control).chain(forms) {
            writeln!(out, "  {:<20}{}", label(one), fates(one))?;
        }
        for line in remarks(*verdict, *one_way, outcome) {
            writeln!(out, "  {:<20}{line}", "more")?;
        }
    }
    if let Some(location) = &outcome.location {
        writeln!(out)?;
        writeln!(out, "{}", location.located.sentence())?;
        for (hop, one) in (1..=u8::MAX).zip(&location.at) {
            let names = addresses(location, hop);
            let names = if names.is_empty() { "does not say who it is".to_owned() } else { names.join(", ") };
            writeln!(out, "  {:<20}{names}: {}", format!("hop {hop}"), fates(one))?;
        }
        if let Some(sender) = &location.sender {
            writeln!(out, "  {:<20}{}", "ended by", ended_by(sender))?;
        }
    }
    if outcome.interrupted {
        writeln!(out, "  {:<20}it was ended before it was over", "caveat")?;
    }
    Ok(())
}

fn label(one: &Refreshed) -> String {
    match one.form {
        Form::Silence => "nothing".to_owned(),
        Form::Keepalive => "keepalive".to_owned(),
        Form::KeepaliveOctet => "keepalive, 1 octet".to_owned(),
        Form::Ack => "pure ACK".to_owned(),
        Form::Limited(ttl) => format!("keepalive, TTL {ttl}"),
        Form::Inward => "from the partner".to_owned(),
        Form::Data => "data".to_owned(),
    }
}

fn fates(one: &Refreshed) -> String {
    let word = match (one.form, one.counts) {
        (_, Counts::Unknown) => "not tried to the end",
        (_, Counts::Mixed) => "some lived, some died",
        (Form::Silence, Counts::Yes) => "lived",
        (Form::Silence, _) => "died",
        (_, Counts::Yes) => "counts",
        (_, Counts::No) => "does not count",
        (_, Counts::MadeAnew) => "makes forgotten connections anew, but does not keep them",
    };
    let (lived, died) = (one.once.0 + one.kept.0, one.once.1 + one.kept.1);
    let ways = match (one.form, one.form.is_both_ways(), one.answered) {
        (Form::Silence, ..) => "",
        (_, true, _) => "; both ways: it is answered",
        (_, false, 0) => "; one way: it is not answered",
        (_, false, _) => "; it was answered, so both ways",
    };
    format!("{word} ({lived} lived, {died} died){ways}")
}

fn remarks(verdict: Verdict, one_way: Counts, outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    let answers = match (verdict, one_way) {
        (Verdict::KeepalivesCount | Verdict::OctetNeeded, Counts::Yes) => {
            Some("packets from here alone count")
        }
        (Verdict::KeepalivesCount | Verdict::OctetNeeded, Counts::No) => Some(
            "packets from here alone do not count: it is the answers that do, so a far end that is silent is forgotten",
        ),
        _ => None,
    };
    lines.extend(answers.map(ToOwned::to_owned));
    let inward = match (verdict, outcome.one_way_in()) {
        (Verdict::NoTimeout | Verdict::Mixed | Verdict::Unknown, _) => None,
        (_, Counts::Yes) => Some("packets from the other side alone count"),
        (_, Counts::No | Counts::MadeAnew) => Some("packets from the other side alone do not count"),
        _ => None,
    };
    lines.extend(inward.map(ToOwned::to_owned));
    if !outcome.question.partner {
        lines.push(
            "without a partner nothing was sent from the other side, and no data: whether it would get through is not \
             known"
                .to_owned(),
        );
    }
    if !outcome.left_out.is_empty() {
        let names: Vec<&str> = outcome.left_out.iter().map(|form| form.name()).collect();
        let kinds = plural(u64::try_from(names.len()).unwrap_or(u64::MAX), "form");
        lines.push(format!("not enough connections for {kinds}: {}", names.join(", ")));
    }
    lines
}

fn ended_by(sender: &Sender) -> String {
    let ttl = |ttl: Option<u8>| ttl.map_or("unknown".to_owned(), |ttl| ttl.to_string());
    let hop = sender.hop.map_or(String::new(), |hop| format!(": hop {hop}, if it began as systems do"));
    let delay = |span: Option<crate::time::Span>| {
        span.map_or("unknown".to_owned(), |span| format!("{} ms", span.as_nanos() / 1_000_000))
    };
    format!(
        "a packet with TTL {} (the far end's: {}){hop}; after {} (the far end: {})",
        ttl(sender.cue.ttl),
        ttl(sender.cue.usual_ttl),
        delay(sender.cue.delay),
        delay(sender.cue.usual_delay),
    )
}
