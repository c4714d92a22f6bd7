//! The whole table for people, a line for each stack and each application.

use std::io::{self, Write};

use super::words;
use crate::stack::value::{GiveUp, Reset, Value};
use crate::stack::{Cell, Preset, Stack, Status};

pub(super) fn write(out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<16} {:<4} {:<12} {:<12} {:<7} {:<6} {:<11} GIVES UP",
        "TCP STACK", "ON", "IDLE", "INTERVAL", "COUNT", "OCTETS", "DEAD AFTER",
    )?;
    for stack in Stack::all() {
        let timing = &stack.timing;
        let line = format!(
            "{:<16} {:<4} {:<12} {:<12} {:<7} {:<6} {:<11} {}",
            stack.name,
            short(&timing.on_by_default),
            short(&timing.idle),
            interval(stack),
            short(&timing.count),
            short(&stack.probe.octets),
            short(&timing.detects_after),
            gives_up(stack),
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "{:<17} {:<4} {:<8} {:<8} {:<8} {:<12} WHAT",
        "APPLICATION", "ON", "IDLE", "INTERVAL", "COUNT", "USER TIMEOUT",
    )?;
    for preset in Preset::all() {
        application(out, preset)?;
    }
    out.write_all(LEGEND.as_bytes())
}

const LEGEND: &str = "
A ? marks what nobody has verified; alone, what nobody knows.
ON: connections are kept alive without anybody asking. none: there is no such thing.
app: the application says. user: whoever uses it says. system: the default of the system stays.
'keepscope stacks NAME' shows everything about one, each fact with its source.
";

fn application(out: &mut dyn Write, preset: &Preset) -> io::Result<()> {
    let line = format!(
        "{:<17} {:<4} {:<8} {:<8} {:<8} {:<12} {}",
        preset.name,
        short(&preset.on_by_default),
        short(&preset.idle),
        short(&preset.interval),
        short(&preset.count),
        short(&preset.user_timeout),
        preset.title,
    );
    writeln!(out, "{}", line.trim_end())
}

/// A cell in as few letters as possible.
fn short<T: Value>(cell: &Cell<T>) -> String {
    let Some(value) = cell.value else {
        return "?".to_owned();
    };
    let full = words(&value.datum());
    let text = match full.as_str() {
        "set by the application" => "app",
        "system default" => "system",
        "as configured" => "user",
        other => other,
    };
    format!("{text}{}", mark(cell.status))
}

pub(in crate::report) fn mark(status: Status) -> &'static str {
    match status {
        Status::Unverified => "?",
        Status::Measured | Status::VerifiedBySource => "",
    }
}

fn interval(stack: &Stack) -> String {
    use crate::stack::value::IntervalShape;
    match stack.timing.shape.value {
        Some(IntervalShape::BackOffFromRto { .. }) => {
            format!("backs off{}", mark(stack.timing.shape.status))
        }
        Some(IntervalShape::Constant) | None => short(&stack.timing.interval),
    }
}

fn gives_up(stack: &Stack) -> String {
    let rule = &stack.giving_up.rule;
    let reset = &stack.giving_up.reset;
    let by = rule.value.map_or("?", |rule| match rule {
        GiveUp::Counted { .. } => "by count",
        GiveUp::Elapsed { .. } => "by time",
        GiveUp::AbortThreshold { .. } => "by threshold",
        GiveUp::UserTimeoutOnly => "by user timeout",
        GiveUp::ReportsOnly => "only tells",
        GiveUp::Never => "never",
    });
    let with = reset.value.map_or("?", |reset| match reset {
        Reset::Nothing => "no RST",
        Reset::RstAck { .. } => "RST",
    });
    let marked =
        |text: &str, status| if text == "?" { "?".to_owned() } else { format!("{text}{}", mark(status)) };
    format!("{}, {}", marked(by, rule.status), marked(with, reset.status))
}
