//! What a machine allows, for people and as JSON (`keepscope.doctor/1`).

use std::io::{self, Write};

use serde::Serialize;

use crate::live::doctor::{Access, Examination, Held, InterfaceState, Lack, Verdict};
use crate::printable::printable;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    probing: &'static str,
    program: String,
    kernel: &'a str,
    hz: Option<u32>,
    capabilities: Capabilities,
    sockets: Sockets,
    interfaces: Vec<Interface<'a>>,
    settings: Settings,
    lacks: Vec<LackOut<'a>>,
}

#[derive(Serialize)]
struct Capabilities {
    cap_net_raw: HeldOut,
    cap_sys_admin: HeldOut,
    no_new_privs: bool,
}

#[derive(Serialize)]
struct HeldOut {
    effective: bool,
    permitted: bool,
    bounding: bool,
}

impl From<Held> for HeldOut {
    fn from(held: Held) -> Self {
        Self { effective: held.effective, permitted: held.permitted, bounding: held.bounding }
    }
}

#[derive(Serialize)]
struct Sockets {
    packet: &'static str,
    raw_ipv4: &'static str,
    raw_ipv6: &'static str,
}

#[derive(Serialize)]
struct Interface<'a> {
    name: &'a str,
    up: bool,
    kind: &'static str,
    mtu: Option<u32>,
    addresses: Vec<String>,
    offloads: std::collections::BTreeMap<&'static str, Option<bool>>,
}

#[derive(Serialize)]
struct Settings {
    keepalive_idle_s: Option<u32>,
    keepalive_interval_s: Option<u32>,
    keepalive_count: Option<u32>,
    timestamps: Option<u32>,
    sack: Option<u32>,
    dsack: Option<u32>,
}

#[derive(Serialize)]
struct LackOut<'a> {
    what: &'a str,
    mend: &'a str,
    needed: bool,
}

impl<'a> From<&'a Lack> for LackOut<'a> {
    fn from(lack: &'a Lack) -> Self {
        Self { what: &lack.what, mend: &lack.mend, needed: lack.needed }
    }
}

fn verdict(examination: &Examination) -> &'static str {
    match examination.verdict() {
        Verdict::Works => "works",
        Verdict::RightsMissing => "rights_missing",
        Verdict::Unusable => "unusable",
    }
}

fn access(access: &Access) -> &'static str {
    match access {
        Access::Allowed => "allowed",
        Access::Denied => "denied",
        Access::Absent => "absent",
        Access::Failed(_) => "failed",
    }
}

fn addresses(state: &InterfaceState) -> Vec<String> {
    state.interface.networks().map(|(address, prefix)| format!("{address}/{prefix}")).collect()
}

/// Writes the document.
///
/// # Errors
/// If `out` cannot be written to.
pub fn json(out: &mut dyn Write, examination: &Examination) -> io::Result<()> {
    let document = Document {
        schema: "keepscope.doctor/1",
        probing: verdict(examination),
        program: examination.program.display().to_string(),
        kernel: &examination.kernel,
        hz: examination.hz,
        capabilities: Capabilities {
            cap_net_raw: examination.net_raw.into(),
            cap_sys_admin: examination.sys_admin.into(),
            no_new_privs: examination.no_new_privs,
        },
        sockets: Sockets {
            packet: access(&examination.packet),
            raw_ipv4: access(&examination.raw_v4),
            raw_ipv6: access(&examination.raw_v6),
        },
        interfaces: examination
            .interfaces
            .iter()
            .map(|state| Interface {
                name: state.interface.name(),
                up: state.interface.is_up(),
                kind: state.interface.kind(),
                mtu: state.interface.mtu,
                addresses: addresses(state),
                offloads: state.offloads.iter().copied().collect(),
            })
            .collect(),
        settings: Settings {
            keepalive_idle_s: examination.settings.keepalive_time,
            keepalive_interval_s: examination.settings.keepalive_intvl,
            keepalive_count: examination.settings.keepalive_probes,
            timestamps: examination.settings.timestamps,
            sack: examination.settings.sack,
            dsack: examination.settings.dsack,
        },
        lacks: examination.lacks.iter().map(LackOut::from).collect(),
    };
    crate::report::escaped::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// Writes it for people.
///
/// # Errors
/// If `out` cannot be written to.
pub fn text(out: &mut dyn Write, examination: &Examination) -> io::Result<()> {
    let headline = match examination.verdict() {
        Verdict::Works => "probing works here",
        Verdict::RightsMissing => "probing does not work here: rights are missing",
        Verdict::Unusable => "probing does not work here",
    };
    writeln!(out, "{headline}")?;
    rights(out, examination)?;
    writeln!(out, "\ninterfaces")?;
    for state in &examination.interfaces {
        interface(out, state)?;
    }
    kernel(out, examination)?;
    if !examination.lacks.is_empty() {
        writeln!(out, "\nmissing")?;
        for lack in &examination.lacks {
            let weight = if lack.needed { "" } else { " (not needed for probing)" };
            let (what, mend) = (printable(&lack.what, '?'), printable(&lack.mend, '?'));
            writeln!(out, "  {what}{weight}\n      {mend}")?;
        }
    }
    Ok(())
}

fn rights(out: &mut dyn Write, examination: &Examination) -> io::Result<()> {
    writeln!(out, "\nrights")?;
    for (name, held) in [("CAP_NET_RAW", examination.net_raw), ("CAP_SYS_ADMIN", examination.sys_admin)] {
        let text = match held {
            Held { effective: true, .. } => "in effect",
            Held { permitted: true, .. } => "permitted",
            Held { bounding: true, .. } => "not held; a program that is started can have it",
            Held { bounding: false, .. } => "not held, and no program can have it here",
        };
        line(out, name, text)?;
    }
    for (name, access) in [
        ("packet sockets", &examination.packet),
        ("raw IPv4 sockets", &examination.raw_v4),
        ("raw IPv6 sockets", &examination.raw_v6),
    ] {
        let text = match access {
            Access::Allowed => "allowed",
            Access::Denied => "denied",
            Access::Absent => "this system has none",
            Access::Failed(error) => error,
        };
        line(out, name, text)?;
    }
    Ok(())
}

fn interface(out: &mut dyn Write, state: &InterfaceState) -> io::Result<()> {
    let interface = &state.interface;
    let up = if interface.is_up() { "up" } else { "down" };
    let mtu = interface.mtu.map_or_else(String::new, |mtu| format!(", MTU {mtu}"));
    line(out, interface.name(), &format!("{up}, {}{mtu}", interface.kind().replace('_', " ")))?;
    let addresses = addresses(state);
    if !addresses.is_empty() {
        line(out, "", &addresses.join(", "))?;
    }
    let on: Vec<String> = state
        .offloads
        .iter()
        .filter(|(_, on)| *on == Some(true))
        .map(|(name, _)| name.replace('_', " "))
        .collect();
    if !on.is_empty() && interface.is_up() {
        line(out, "", &format!("offloads: {}", on.join(", ")))?;
    }
    Ok(())
}

fn kernel(out: &mut dyn Write, examination: &Examination) -> io::Result<()> {
    let number = |value: Option<u32>, unit: &str| {
        value.map_or_else(|| "unknown".to_owned(), |value| format!("{value}{unit}"))
    };
    let settings = &examination.settings;
    writeln!(out, "\nkernel")?;
    line(out, "release", &examination.kernel)?;
    line(out, "HZ", &number(examination.hz, ""))?;
    let keepalive = format!(
        "idle {}, interval {}, count {}",
        number(settings.keepalive_time, " s"),
        number(settings.keepalive_intvl, " s"),
        number(settings.keepalive_probes, ""),
    );
    line(out, "keepalive", &keepalive)?;
    for (name, value) in
        [("timestamps", settings.timestamps), ("SACK", settings.sack), ("D-SACK", settings.dsack)]
    {
        line(out, name, value.map_or("unknown", |value| if value == 0 { "off" } else { "on" }))?;
    }
    Ok(())
}

fn line(out: &mut dyn Write, name: &str, text: &str) -> io::Result<()> {
    writeln!(out, "  {:<17} {}", printable(name, '?'), printable(text, '?'))
}
