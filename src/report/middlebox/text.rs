//! The search for people: what will be done, how far it is, what came of it and what that means.

use std::io::{self, Write};

use super::{Asked, Result, connections, fitting, spoken};
use crate::printable::printable;
use crate::product::Product;
use crate::report::text::{Style, plural};
use crate::search::{
    AtExpiry, By, Confounder, Death, Finding, Form, Mode, NotOpened, Owner, Phase, Trial, Verdict, View,
    Wanted, Way, Why,
};
use crate::time::Span;

/// What will be done, before anything is.
///
/// # Errors
/// If `out` cannot be written to.
pub fn announce(out: &mut dyn Write, asked: &Asked) -> io::Result<()> {
    let address = asked.address.to_string();
    let target = asked.target();
    let target = if target == address { target } else { format!("{target} ({address})") };
    let who = match (&asked.simulated, asked.has_partner()) {
        (Some(path), _) => format!("SIMULATED: {path}"),
        (None, true) => "a partner (keepscope respond)".to_owned(),
        (None, false) => "a server that knows nothing of it".to_owned(),
    };
    writeln!(out, "target  {target}, {who}")?;
    for wanted in &asked.directions {
        writeln!(out, "plan    {}", plan(wanted))?;
    }
    if let Some(examination) = &asked.examination {
        writeln!(out, "plan    {}", super::examined::plan(examination))?;
    }
    Ok(())
}

fn plan(wanted: &Wanted) -> String {
    let what = match (wanted.way, wanted.form) {
        (Way::In, _) => "an octet from the partner ends each silence",
        (Way::Out, Form::Data) => "an octet from here ends each silence, and the partner answers",
        (Way::Out, Form::Keepalive) => "a keepalive probe from here ends each silence",
    };
    let range = match wanted.mode {
        Mode::Full => format!("silences of {} to {}", spoken(wanted.min), spoken(wanted.max)),
        Mode::Quick => {
            let most = wanted.max.min(crate::search::QUICK_LIMIT);
            format!("the values of known products, {} to {}", spoken(wanted.min), spoken(most))
        }
        Mode::Confirm(idle) => format!("does a connection survive {}?", spoken(idle)),
    };
    let longest = match wanted.mode {
        Mode::Full => wanted.max,
        Mode::Quick => wanted.max.min(crate::search::QUICK_LIMIT),
        Mode::Confirm(idle) => idle,
    };
    let most = Span::from_nanos(longest.as_nanos() / 100 * 102).plus(Span::from_secs(15));
    let most = wanted.budget.map_or(most, |budget| most.min(budget));
    format!(
        "{}: {what}; {range}; {} at once, at most {} opened a second; {} at most",
        wanted.way.name(),
        plural(u64::from(connections(wanted)), "connection"),
        wanted.opens_per_second,
        spoken(most)
    )
}

/// How far the searches are, in one line.
pub fn progress(views: &[View]) -> String {
    let one = |view: &View| {
        let bracket = match (view.longest_alive, view.shortest_dead, view.suspected_dead) {
            (None, None, None) => "nothing known yet".to_owned(),
            (alive, Some(dead), _) => {
                let alive = alive.map_or("0s".to_owned(), spoken);
                format!("{alive} lived, {} died", spoken(dead))
            }
            (alive, None, Some(dead)) => {
                let alive = alive.map_or("0s".to_owned(), spoken);
                format!("{alive} lived, {} died once", spoken(dead))
            }
            (Some(alive), None, None) => format!("{} lived", spoken(alive)),
        };
        let open = view.silences.len();
        let phase = match view.phase {
            Phase::Ladder => "",
            Phase::Refining => ", refining",
            Phase::Done => ", done",
        };
        format!("{}: {bracket}, {open} open{phase}", view.way.name())
    };
    let least = views.iter().map(|view| view.left.0).max().unwrap_or(Span::ZERO);
    let most = views.iter().map(|view| view.left.1).max().unwrap_or(Span::ZERO);
    let elapsed = views.iter().map(|view| view.elapsed).max().unwrap_or(Span::ZERO);
    let all: Vec<String> = views.iter().map(one).collect();
    let whole = |span: Span| spoken(Span::from_secs(span.as_nanos() / 1_000_000_000));
    format!("{}; {} so far, {} to {} left", all.join(" | "), whole(elapsed), whole(least), whole(most))
}

/// What came of it.
///
/// # Errors
/// If `out` cannot be written to.
pub fn summary(out: &mut dyn Write, asked: &Asked, result: &Result, style: Style) -> io::Result<()> {
    for (wanted, finding) in &result.findings {
        writeln!(out)?;
        direction(out, wanted, finding, result, style)?;
    }
    if let Some(outcome) = &result.examined {
        super::examined::text(out, outcome)?;
    }
    if let Some(why) = &result.not_examined {
        writeln!(out, "\nnot examined: {why}")?;
    }
    writeln!(out)?;
    if let Some((ours, seen)) = result.translation {
        let text = match (ours == seen, ours.port == seen.port) {
            (true, _) => format!("nobody translates: the partner sees {seen}, as we do"),
            (false, true) => format!("translated: our {ours} is {seen} for the partner; the port is kept"),
            (false, false) => format!("translated: our {ours} is {seen} for the partner"),
        };
        writeln!(out, "{text}")?;
    }
    let used: u32 = result.findings.iter().map(|(wanted, _)| connections(wanted)).sum();
    let examined = result.examined.as_ref().map_or(0, |outcome| outcome.connections);
    let used = used.max(u32::try_from(examined).unwrap_or(u32::MAX));
    writeln!(
        out,
        "{} at once, {}, {}",
        plural(u64::from(used), "connection"),
        plural(result.packets, "packet"),
        spoken(result.wall)
    )?;
    if result.dropped > 0 {
        writeln!(out, "{} not seen: the system dropped them", plural(result.dropped, "packet"))?;
    }
    if let Some(path) = &asked.recording {
        writeln!(out, "packets in {}", printable(path, '?'))?;
    }
    if let Some(safe) = safe(result) {
        let safe = spoken(safe);
        writeln!(
            out,
            "what to set, and where: keepscope recommend --timeout {safe} (or --from the JSON of this run)"
        )?;
    }
    Ok(())
}

/// The longest silence, in whole seconds, that is safe in each direction in which a timeout was found.
fn safe(result: &Result) -> Option<Span> {
    let found = result.findings.iter().map(|(_, finding)| finding).filter(|one| one.shortest_dead.is_some());
    let least = found.filter_map(Finding::interval).map(|(low, high)| low.min(high)).min()?;
    let seconds = least.as_nanos() / 1_000_000_000;
    (seconds > 0).then(|| Span::from_secs(seconds))
}

fn direction(
    out: &mut dyn Write,
    wanted: &Wanted,
    finding: &Finding,
    result: &Result,
    style: Style,
) -> io::Result<()> {
    writeln!(out, "{}", dressed(&sentence(wanted, finding), finding, style))?;
    let mut row = |name: &str, text: &str| writeln!(out, "  {name:<12}{text}");
    let bracket = match (finding.longest_alive, finding.shortest_dead) {
        (Some(alive), Some(dead)) => Some(format!("{} survived, {} not", spoken(alive), spoken(dead))),
        (Some(alive), None) => Some(format!("{} survived", spoken(alive))),
        (None, Some(dead)) => Some(format!("{} not survived", spoken(dead))),
        (None, None) => None,
    };
    if let Some(bracket) = &bracket {
        row("bracket", bracket)?;
    }
    if finding.shortest_dead.is_some() {
        row("at expiry", expiry(finding.at_expiry, finding.way))?;
        row("who", &who(finding))?;
        let confidence = finding.confidence;
        row(
            "confidence",
            &format!(
                "{}: {} died, {} lived, {} against it; at most {:.0} % of connections behave otherwise",
                confidence.name(),
                confidence.died,
                confidence.lived,
                confidence.otherwise,
                confidence.otherwise_at_most * 100.0
            ),
        )?;
    }
    let products = fitting(finding);
    if !products.is_empty() {
        row("fits", &fits(&products))?;
    }
    for evidence in &finding.evidence {
        row("evidence", &evidence.rule)?;
    }
    for caveat in &finding.caveats {
        row("caveat", &caution(caveat))?;
    }
    let inward = result.findings.iter().any(|(wanted, _)| wanted.way == Way::In);
    for line in advice(wanted, finding, inward) {
        row("more", &line)?;
    }
    Ok(())
}

/// The products that fit, a few by name.
fn fits(products: &[(&'static Product, Span)]) -> String {
    const SHOWN: usize = 6;
    let one = |(product, idle): &(&Product, Span)| format!("{} ({})", product.title, spoken(*idle));
    let shown: Vec<String> = products.iter().take(SHOWN).map(one).collect();
    let more = products.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(", and {more} more (keepscope products)") } else { String::new() };
    shown.join(", ") + &more
}

/// The answer in a sentence: at what silence, which direction, what happens, who.
pub fn sentence(wanted: &Wanted, finding: &Finding) -> String {
    let up_to = |span: Option<Span>| span.map_or("any length".to_owned(), spoken);
    let seen = match (finding.way, finding.form) {
        (Way::In, _) => "a packet from the far end",
        (Way::Out, _) => "a packet from here",
    };
    match finding.verdict {
        Verdict::Found => found(finding, seen),
        Verdict::NoneBelowMax => {
            let longest = up_to(finding.longest_alive);
            format!("No timeout up to {longest}: {seen} still arrived after that silence.")
        }
        Verdict::CannotKnow => format!(
            "It cannot be known from this side alone: {seen} still worked after {} of silence, but such a packet \
             may make the path remember what it had forgotten.",
            up_to(finding.longest_alive)
        ),
        Verdict::KeptOpenByPeer { period } => format!(
            "The far end breaks every silence after {}, so no longer one can be tried: its own packets keep the \
             connections open.",
            spoken(period)
        ),
        Verdict::EndedByPeer { after } => format!(
            "The far end itself, not the path, closes connections that were silent for {}, as far as the packets \
             show.",
            spoken(after)
        ),
        Verdict::Inconclusive(why) => {
            let so_far = match (finding.longest_alive, finding.shortest_dead) {
                (Some(alive), _) => format!("; so far {} was survived", spoken(alive)),
                _ => String::new(),
            };
            let asked = match wanted.mode {
                Mode::Confirm(idle) => format!("Whether {} is survived is not known", spoken(idle)),
                Mode::Full | Mode::Quick => "It was not found out".to_owned(),
            };
            format!("{asked}: {}{so_far}.", reason(why))
        }
    }
}

fn reason(why: Why) -> String {
    match why {
        Why::CannotOpen(how) => {
            let how = match how {
                NotOpened::Refused => "it was refused (RST)",
                NotOpened::TimedOut => "nothing answered",
                NotOpened::Unreachable => "no way leads there",
                NotOpened::Reset => "it was reset before it was usable",
                NotOpened::Partner => "the partner did not accept it",
                NotOpened::Other => "this system could not open it",
            };
            format!("no connection could be opened: {how}")
        }
        other => other.sentence().to_owned(),
    }
}

fn found(finding: &Finding, seen: &str) -> String {
    let subject = match (finding.by, finding.owner) {
        (By::Path, Owner::Proxy) => "A proxy on the path",
        (By::Path, _) => "The path",
        (By::Peer, _) => "The far end",
        (By::Unknown, _) => "The path or the far end",
    };
    let unasked =
        finding.trials.iter().filter_map(Trial::death).any(|death| matches!(death, Death::Unasked(..)));
    let when = match finding.interval() {
        Some((low, high)) if finding.is_range() => {
            format!("between {} and {}, not always the same,", spoken(low), spoken(high))
        }
        Some((low, high)) => format!("between {} and {}", spoken(low), spoken(high)),
        None => "some time".to_owned(),
    };
    let then = match (finding.at_expiry, finding.way) {
        (AtExpiry::Silent, _) => format!("forgets it; {seen} is then dropped without a word"),
        (AtExpiry::Reset, _) if unasked => "ends it by a RST".to_owned(),
        (AtExpiry::Reset, _) => format!("forgets it; {seen} is then answered by a RST"),
        (AtExpiry::Fin, _) => "closes it by a FIN".to_owned(),
        (AtExpiry::Icmp, _) => format!("forgets it; {seen} is then answered by an ICMP error"),
        (AtExpiry::NewPort, _) => {
            format!(
                "forgets it; {seen} then leaves from another port, and the far end resets what it does not know"
            )
        }
        (AtExpiry::Unknown, _) => "ends it".to_owned(),
    };
    format!("{subject} keeps an idle connection for {when}, then {then}.")
}

fn expiry(expiry: AtExpiry, way: Way) -> &'static str {
    match (expiry, way) {
        (AtExpiry::Silent, Way::Out) => "silent: packets from here go nowhere",
        (AtExpiry::Silent, Way::In) => "silent: packets from the far end go nowhere",
        (AtExpiry::Reset, _) => "RST",
        (AtExpiry::Fin, _) => "FIN",
        (AtExpiry::Icmp, _) => "an ICMP error",
        (AtExpiry::NewPort, _) => "a new port: the far end does not know the connection any more",
        (AtExpiry::Unknown, _) => "nothing died",
    }
}

fn who(finding: &Finding) -> String {
    let by = match finding.by {
        By::Path => "the path",
        By::Peer => "the far end",
        By::Unknown => "it does not show",
    };
    match finding.owner {
        Owner::Tracker => {
            format!("{by}; likely a packet tracker (NAT, firewall): keepalive probes count for it")
        }
        Owner::Proxy => format!("{by}; likely a proxy: keepalive probes do not count for it"),
        Owner::Unknown => by.to_owned(),
    }
}

/// A caveat with its numbers.
pub fn caution(caveat: &Confounder) -> String {
    let text = caveat.sentence();
    match caveat {
        Confounder::Loss { lost, tries } => format!("{text} ({lost} of {tries})"),
        Confounder::Range { dead_from, alive_to } => {
            format!("{text} ({} died, {} lived)", spoken(*dead_from), spoken(*alive_to))
        }
        Confounder::Groups { died, lived } => format!("{text} ({died} died, {lived} lived)"),
        Confounder::Evicted { opened } => format!("{text} (after {opened} others)"),
        Confounder::PeerSpeaks { period, times } => {
            format!("{text}, after {} ({})", spoken(*period), plural(u64::from(*times), "time"))
        }
        Confounder::OwnKernel { times } => format!("{text} ({})", plural(u64::from(*times), "time")),
        Confounder::Unasked { from, to, times } => {
            let times = plural(u64::from(*times), "time");
            format!("{text}, after {} to {} ({times})", spoken(*from), spoken(*to))
        }
        Confounder::Lifetime { after } => format!("{text}: {}", spoken(*after)),
        Confounder::ClockGap { gap } => format!("{text} ({})", spoken(*gap)),
        Confounder::NotOpened { times, .. } => format!("{text} ({times})"),
        Confounder::NearThreeHundred | Confounder::OutboundOnly | Confounder::Wide => text.to_owned(),
    }
}

/// The port on which a partner listens where none is given.
const PORT: u16 = crate::partner::PORT;

/// What would tell more, and what follows.
/// `inward`: the other direction was searched too.
pub fn advice(wanted: &Wanted, finding: &Finding, inward: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let partner = || {
        format!(
            "run 'keepscope respond' behind the box and 'keepscope middlebox --partner HOST:{PORT}' here: packets \
             from outside do not make anything anew"
        )
    };
    match finding.verdict {
        Verdict::Found => lines.extend(keepalives(finding)),
        Verdict::CannotKnow if !wanted.partner => lines.push(partner()),
        Verdict::CannotKnow if inward => {}
        Verdict::CannotKnow => lines.push("--direction in: let the partner send".to_owned()),
        Verdict::KeptOpenByPeer { .. } => {
            lines.push("switch off the keepalives of that server, or ask another one".to_owned());
            lines.extend((!wanted.partner).then(partner));
        }
        Verdict::EndedByPeer { .. } if !wanted.partner => {
            lines.push("the path may keep them longer: ask a server that does not close".to_owned());
            lines.push(partner());
        }
        Verdict::Inconclusive(Why::Budget) if !wanted.partner => {
            lines.push("--own-target lets it take longer, with more connections".to_owned());
        }
        Verdict::Inconclusive(Why::Interrupted | Why::InterfaceLost) => {
            lines.push("with --journal FILE and --resume a run goes on where it was ended".to_owned());
        }
        Verdict::NoneBelowMax | Verdict::EndedByPeer { .. } | Verdict::Inconclusive(_) => {}
    }
    lines
}

/// What keeps a connection open there: two chances before the path forgets it, and four if the first is lost.
fn keepalives(finding: &Finding) -> Option<String> {
    let (low, high) = finding.interval()?;
    let half = low.min(high).as_nanos() / 2_000_000_000;
    let interval = spoken(Span::from_secs((half / 4).clamp(1, 30)));
    let idle = spoken(Span::from_secs(half));
    (half > 0).then(|| match finding.owner {
        Owner::Proxy => {
            format!("application data every {idle} or less keeps a connection open; keepalive probes do not")
        }
        Owner::Tracker | Owner::Unknown => format!(
            "keepalives with an idle time of {idle} and an interval of {interval} keep a connection open, lost \
             probes included"
        ),
    })
}

fn dressed(sentence: &str, finding: &Finding, style: Style) -> String {
    if !style.color {
        return sentence.to_owned();
    }
    let code = match finding.verdict {
        Verdict::Found => "1;31",
        Verdict::NoneBelowMax => "1;32",
        Verdict::KeptOpenByPeer { .. } | Verdict::EndedByPeer { .. } => "1",
        Verdict::CannotKnow | Verdict::Inconclusive(_) => "1;33",
    };
    format!("\x1b[{code}m{sentence}\x1b[0m")
}
