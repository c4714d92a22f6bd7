//! The bounds for people.

use std::io::{self, Write};

use super::{DIRECTIONS, Found, cautions, contradictions, fitting, range};
use crate::analysis::bounds::{Bracket, Doubt, Fate, Opener, Path, Silence, Way};
use crate::report::middlebox::spoken;
use crate::report::text::{Style, captures_read, plural};
use crate::track::event::Party;

/// Products named on a line.
const NAMED: usize = 8;

/// Writes what was read, and what it shows path by path.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write(out: &mut dyn Write, found: &Found<'_>, style: Style) -> io::Result<()> {
    captures_read(out, found.captures)?;
    let connections = plural(found.connections, "connection");
    let least = spoken(found.least);
    if found.paths.is_empty() {
        writeln!(
            out,
            "{connections}; no silence of {least} or more shows anything (--min takes shorter ones)"
        )?;
    } else {
        let paths = plural(found.paths.len() as u64, "path");
        writeln!(out, "{connections}; silences of {least} and more on {paths}")?;
    }
    for (_, text) in cautions(found) {
        writeln!(out, "caution: {text}")?;
    }
    for path in found.paths {
        writeln!(out)?;
        one(out, path, style)?;
    }
    Ok(())
}

fn one(out: &mut dyn Write, path: &Path, style: Style) -> io::Result<()> {
    let midstream = match path.midstream {
        0 => String::new(),
        some => format!(", {some} without its start"),
    };
    let connections = plural(path.connections, "connection");
    writeln!(out, "{} -> {}  ({connections}{midstream})", path.key.client, path.key.server)?;
    for (by, name) in DIRECTIONS {
        direction(out, path.way(by), by, name, style)?;
    }
    Ok(())
}

fn direction(out: &mut dyn Write, way: &Way, by: Party, name: &str, style: Style) -> io::Result<()> {
    let bracket = way.bracket();
    let who = by.name();
    if way.survived + way.died > 0 {
        let sentence = dressed(&sentence(&bracket, who), &bracket, style);
        writeln!(out, "  {name:<4} {sentence}")?;
        writeln!(out, "       {} survived, {} not{}", way.survived, way.died, others(way))?;
        for (label, silence) in [("survived", bracket.lower), ("not", bracket.upper)] {
            if let Some(silence) = silence {
                writeln!(out, "       {label:<9} {}", evidence(&silence))?;
            }
        }
        for (_, text) in contradictions(&bracket) {
            writeln!(out, "       but       {text}")?;
        }
        fits(out, &bracket)?;
    }
    keepalives(out, way, who)?;
    closings(out, way, who)
}

fn fits(out: &mut dyn Write, bracket: &Bracket) -> io::Result<()> {
    let fitting = fitting(bracket);
    if fitting.is_empty() {
        return Ok(());
    }
    let first = fitting.iter().take(NAMED);
    let names: Vec<String> =
        first.map(|(product, idle)| format!("{} ({})", product.name, spoken(*idle))).collect();
    let more = match fitting.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    writeln!(out, "       fits      {}{more}", names.join(", "))
}

fn sentence(bracket: &Bracket, who: &str) -> String {
    let weak = |silence: Silence| if silence.doubts.is_empty() { "" } else { " (weak)" };
    let what = format!("when the {who} breaks the silence");
    if let (Some(upper), Some(beyond)) = (bracket.upper, bracket.beyond.most) {
        let (died, lived) = (spoken(upper.idle), spoken(beyond.idle));
        let (died, lived) = (format!("{died}{}", weak(upper)), format!("{lived}{}", weak(beyond)));
        return format!("no one timeout {what}: {died} was not survived, {lived} was");
    }
    match (bracket.lower, bracket.upper) {
        (Some(lower), Some(upper)) => {
            let (low, high) = (spoken(lower.idle), spoken(upper.idle));
            format!("timeout between {low}{} and {high}{} {what}", weak(lower), weak(upper))
        }
        (Some(lower), None) => format!("timeout above {}{} {what}", spoken(lower.idle), weak(lower)),
        (None, Some(upper)) => format!("timeout of {} or less{} {what}", spoken(upper.idle), weak(upper)),
        (None, None) => format!("no bound {what}"),
    }
}

fn dressed(sentence: &str, bracket: &Bracket, style: Style) -> String {
    let code = match (style.color, bracket.upper, bracket.is_contradicted()) {
        (false, ..) => return sentence.to_owned(),
        (true, _, true) => "1;33",
        (true, Some(_), false) => "1;31",
        (true, None, false) => "1;32",
    };
    format!("\x1b[{code}m{sentence}\x1b[0m")
}

fn others(way: &Way) -> String {
    let mut text = String::new();
    if way.undecided > 0 {
        text += &format!(", {} undecided", way.undecided);
    }
    if way.not_captured > 0 {
        text += &format!(", {} across a time without a capture", way.not_captured);
    }
    text
}

fn evidence(silence: &Silence) -> String {
    let form = match silence.form {
        Opener::Keepalive => "a keepalive",
        Opener::Data => "data",
        Opener::Fin => "a FIN",
        Opener::Reset => "a RST",
    };
    let tries = if silence.tries > 1 { format!(", {} tries", silence.tries) } else { String::new() };
    let end = silence.end.frame;
    let fate = match silence.fate {
        Fate::Survived => format!("answered in frame {end}"),
        Fate::Reset => format!("RST in frame {end}"),
        Fate::Unasked => "unasked".to_owned(),
        Fate::Icmp => format!("ICMP error in frame {end}"),
        Fate::Unanswered => format!("no answer up to frame {end}"),
        Fate::NewConnection => format!("no answer, new connection in frame {end}"),
    };
    let doubts: Vec<&str> = silence.doubts.iter().map(Doubt::sentence).collect();
    let weak = if doubts.is_empty() { String::new() } else { format!("; weak: {}", doubts.join("; ")) };
    format!(
        "{}: #{}, silent from frame {} to {} ({form}{tries}), {fate}{weak}",
        spoken(silence.idle),
        silence.connection,
        silence.before.frame,
        silence.opener.frame
    )
}

fn keepalives(out: &mut dyn Write, way: &Way, who: &str) -> io::Result<()> {
    let keepalives = way.keepalives;
    let Some((least, most)) = keepalives.idle else { return Ok(()) };
    let (asked, answered) = (keepalives.asked, keepalives.answered);
    writeln!(
        out,
        "  keepalives of the {who} after {}, {answered} of {asked} answered: enough for a path that forgets after more than {}",
        range(least, most),
        spoken(most)
    )
}

fn closings(out: &mut dyn Write, way: &Way, who: &str) -> io::Result<()> {
    let closings = way.closings;
    let (Some((least, first)), Some((most, _))) = (closings.least, closings.most) else { return Ok(()) };
    let meaning = if closings.is_regular() {
        "; always the same: a timer of the application or of a proxy, for which keepalives do not count"
    } else {
        ""
    };
    writeln!(
        out,
        "  closed unasked by the {who} after {} without data ({}, frame {}){meaning}",
        range(least, most),
        plural(closings.count, "time"),
        first.frame
    )
}
