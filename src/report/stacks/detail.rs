//! One row of the table for people: every cell with its status and its sources.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{WIDTH, words};
use crate::stack::{Cell, Preset, Shown, SocketOption, Source, Stack};

/// Where values begin.
const INDENT: usize = 27;

/// The sources named so far, to be spelled out at the end.
pub(in crate::report) type Named = BTreeMap<&'static str, &'static str>;

pub(super) fn stack(out: &mut dyn Write, stack: &Stack) -> io::Result<()> {
    let mut named = Named::new();
    heading(out, stack.title, stack.name, stack.aliases)?;
    for group in stack.groups() {
        writeln!(out, "\n{}", group.title)?;
        for shown in &group.cells {
            cell(out, 2, shown, &mut named)?;
        }
    }
    options(out, &stack.options, &mut named)?;
    sources(out, &named)
}

pub(super) fn application(out: &mut dyn Write, preset: &Preset) -> io::Result<()> {
    let mut named = Named::new();
    heading(out, preset.title, preset.name, preset.aliases)?;
    wrapped(out, 0, 0, preset.note)?;
    writeln!(out)?;
    for shown in &preset.cells() {
        cell(out, 2, shown, &mut named)?;
    }
    sources(out, &named)
}

pub(in crate::report) fn heading(
    out: &mut dyn Write,
    title: &str,
    name: &str,
    aliases: &[&str],
) -> io::Result<()> {
    let also = if aliases.is_empty() { String::new() } else { format!("; also {}", aliases.join(", ")) };
    wrapped(out, 0, 0, &format!("{title} ({name}{also})"))
}

pub(in crate::report) fn cell(
    out: &mut dyn Write,
    at: usize,
    shown: &Shown,
    named: &mut Named,
) -> io::Result<()> {
    let value = shown.value.as_ref().map_or_else(|| "unknown".to_owned(), words);
    write!(out, "{:at$}{:<width$}", "", shown.title, width = INDENT - at)?;
    let proof = proof(shown.status.title(), shown.sources, named);
    wrapped(out, INDENT, INDENT, &format!("{value} {proof}"))?;
    wrapped_after(out, INDENT, shown.note)
}

/// Status and sources in brackets.
fn proof(status: &str, sources: &[Source], named: &mut Named) -> String {
    let mut tags = Vec::new();
    for source in sources {
        named.insert(source.tag, source.reference);
        tags.push(source.tag);
    }
    if tags.is_empty() { format!("[{status}]") } else { format!("[{status}: {}]", tags.join(", ")) }
}

fn options(
    out: &mut dyn Write,
    options: &Cell<&'static [SocketOption]>,
    named: &mut Named,
) -> io::Result<()> {
    writeln!(out, "\nOptions")?;
    let what = match options.value {
        None => "unknown",
        Some([]) => "none",
        Some(_) => "as follows",
    };
    let proof = proof(options.status.title(), options.sources, named);
    write!(out, "  ")?;
    wrapped(out, 2, 4, &format!("{what} {proof}"))?;
    wrapped_after(out, 4, options.note)?;
    for option in options.value.into_iter().flatten() {
        write!(out, "  ")?;
        wrapped(out, 2, 4, &format!("{} sets: {}", option.name, option.role.title()))?;
        for shown in &option.cells() {
            cell(out, 4, shown, named)?;
        }
    }
    Ok(())
}

pub(in crate::report) fn sources(out: &mut dyn Write, named: &Named) -> io::Result<()> {
    if named.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nSources")?;
    for (tag, reference) in named {
        write!(out, "  {tag:<width$}", width = INDENT - 2)?;
        wrapped(out, INDENT, INDENT, reference)?;
    }
    Ok(())
}

/// A remark on lines of its own, if there is one.
fn wrapped_after(out: &mut dyn Write, indent: usize, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    write!(out, "{:indent$}", "")?;
    wrapped(out, indent, indent, text)
}

/// Writes words and ends the line; `at` columns are taken already, further lines begin at `indent`.
pub(in crate::report) fn wrapped(
    out: &mut dyn Write,
    at: usize,
    indent: usize,
    text: &str,
) -> io::Result<()> {
    let mut column = at;
    let mut begun = false;
    for word in text.split(' ') {
        let length = word.chars().count();
        if begun && column + 1 + length > WIDTH {
            write!(out, "\n{:indent$}", "")?;
            column = indent;
        } else if begun {
            write!(out, " ")?;
            column += 1;
        }
        write!(out, "{word}")?;
        column += length;
        begun = true;
    }
    writeln!(out)
}
