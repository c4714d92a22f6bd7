//! The table of TCP stacks and applications, through the library and through the binary.
//!
//! The facts that are spelled out here were copied from the notes on each stack, not from the table.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use keepscope::stack::value::{
    Accepts, Amount, Answer, Datum, DontFragment, GiveUp, IdleReset, InboundProbes, IntervalShape,
    OctetValue, OnReceipt, Outstanding, ProbeFlags, ProbeOptions, RateLimit, Rearm, Reset, ResetSeq, Role,
    Rounding, SeqRule, TimestampEcho, Unit, UserTimeout,
};
use keepscope::stack::{Preset, Requirement, Shown, Stack, Status, preset::Asked};
use keepscope::time::Span;
use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keepscope"))
        .arg("stacks")
        .args(arguments)
        .output()
        .expect("the binary runs")
}

fn text(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn json(arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.extend(["--format", "json"]);
    serde_json::from_str(&text(&all)).expect("valid JSON")
}

fn stack(name: &str) -> &'static Stack {
    Stack::named(name).expect("a stack")
}

fn secs(seconds: i64) -> Span {
    Span::from_secs(seconds)
}

/// Every cell of everything, with where it stands.
fn all_cells() -> Vec<(String, Shown)> {
    let mut found = Vec::new();
    for stack in Stack::all() {
        for group in stack.groups() {
            for cell in group.cells {
                found.push((format!("{} {}.{}", stack.name, group.name, cell.column), cell));
            }
        }
        for option in stack.options.value.into_iter().flatten() {
            for cell in option.cells() {
                found.push((format!("{} {} {}", stack.name, option.name, cell.column), cell));
            }
        }
    }
    for preset in Preset::all() {
        for cell in preset.cells() {
            found.push((format!("{} {}", preset.name, cell.column), cell));
        }
    }
    found
}

#[test]
fn what_is_known_has_a_source_and_what_is_not_is_unverified() {
    let mut wrong = Vec::new();
    for (place, cell) in all_cells() {
        if cell.value.is_some() && cell.sources.is_empty() {
            wrong.push(format!("{place}: no source"));
        }
        if cell.value.is_none() && cell.status != Status::Unverified {
            wrong.push(format!("{place}: nobody knows, and it is verified"));
        }
        let believed = cell.sources.iter().all(|source| source.tag == "believed");
        if cell.status != Status::Unverified && believed {
            wrong.push(format!("{place}: verified by belief"));
        }
        let measured = cell.sources.iter().any(|source| source.reference.starts_with("measured on"));
        if (cell.status == Status::Measured) != measured {
            wrong.push(format!("{place}: measured, and its sources do not agree"));
        }
        if cell.sources.iter().any(|source| source.tag.is_empty() || source.reference.len() < 10) {
            wrong.push(format!("{place}: an empty source"));
        }
        let texts = [cell.note, cell.title, cell.column];
        if texts.iter().any(|text| text.contains('\n') || text.trim() != *text) {
            wrong.push(format!("{place}: text with blanks around it"));
        }
    }
    for stack in Stack::all().iter().filter(|stack| stack.options.value.is_some()) {
        if stack.options.sources.is_empty() {
            wrong.push(format!("{} options: no source", stack.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_tag_means_one_source() {
    let mut meaning: BTreeMap<&str, &str> = BTreeMap::new();
    for (place, cell) in all_cells() {
        for source in cell.sources {
            let known = meaning.insert(source.tag, source.reference);
            assert!(known.is_none_or(|known| known == source.reference), "{place}: {}", source.tag);
        }
    }
}

#[test]
fn names_and_aliases_are_unique_over_both_tables() {
    let mut seen = BTreeSet::new();
    let stacks = Stack::all().iter().map(|stack| (stack.name, stack.aliases, stack.title));
    let presets = Preset::all().iter().map(|preset| (preset.name, preset.aliases, preset.title));
    for (name, aliases, title) in stacks.chain(presets) {
        assert!(!title.is_empty(), "{name}");
        for name in std::iter::once(&name).chain(aliases) {
            assert!(seen.insert(*name), "{name} is there twice");
            assert_eq!(*name, name.to_ascii_lowercase());
            assert!(!name.is_empty() && !name.contains(' '), "{name:?}");
        }
        assert!(name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-'), "{name}");
    }
}

#[test]
fn the_expected_rows_are_there() {
    let running: Vec<&str> = Stack::all().iter().filter(|stack| stack.runs).map(|stack| stack.name).collect();
    assert_eq!(
        running,
        [
            "linux",
            "windows-10-1709",
            "windows-vista",
            "windows-2003",
            "freebsd",
            "macos",
            "openbsd",
            "netbsd",
            "illumos",
            "gvisor",
            "smoltcp",
            "lwip"
        ]
    );
    for name in ["freertos", "picotcp", "dragonfly", "nuttx", "uip", "zvm", "pytcp", "macos-offload"] {
        assert!(!stack(name).runs, "{name}");
    }
    for (alias, name) in [
        ("windows", "windows-10-1709"),
        ("darwin", "macos"),
        ("xnu", "macos"),
        ("ios", "macos"),
        ("solaris", "illumos"),
        ("LINUX", "linux"),
    ] {
        assert_eq!(stack(alias).name, name);
    }
    let applications = "go chrome firefox curl libcurl libpq postgresql pgjdbc mysql redis redis-cli mongodb \
                        nginx haproxy envoy openssh node libuv urllib3 botocore hyper-util reqwest dotnet \
                        grpc kafka rabbitmq docker kubelet";
    for name in applications.split_whitespace() {
        assert!(Preset::named(name).is_ok(), "{name}");
    }
}

#[test]
fn what_runs_has_what_a_machine_needs() {
    for stack in Stack::all().iter().filter(|stack| stack.runs) {
        let name = stack.name;
        assert!(stack.timing.idle.value.is_some(), "{name} idle");
        assert!(stack.timing.interval.value.is_some(), "{name} interval");
        assert!(stack.timing.count.value.is_some(), "{name} count");
        assert!(stack.timing.shape.value.is_some(), "{name} shape");
        assert!(stack.probe.octets.value.is_some(), "{name} octets");
        assert!(stack.probe.seq.value.is_some(), "{name} seq");
        assert!(stack.probe.flags.value.is_some(), "{name} flags");
        assert!(stack.giving_up.rule.value.is_some(), "{name} rule");
    }
}

/// idle, interval, count, time to detect, octets; nothing where the stack has no default.
#[test]
fn numbers_are_those_of_the_notes() {
    type Row = (&'static str, Option<i64>, Option<i64>, Option<u32>, Option<i64>, u8);
    let truth: &[Row] = &[
        ("linux", Some(7200), Some(75), Some(9), Some(7875), 0),
        ("freebsd", Some(7200), Some(75), Some(8), Some(7800), 0),
        ("macos", Some(7200), Some(75), Some(8), Some(7800), 0),
        ("openbsd", Some(7200), Some(75), Some(8), Some(7800), 0),
        ("netbsd", Some(7200), Some(75), Some(8), Some(7800), 0),
        ("illumos", Some(7200), None, None, Some(7680), 1),
        ("windows-2003", Some(7200), Some(1), Some(5), Some(7205), 1),
        ("windows-vista", Some(7200), Some(1), Some(10), Some(7210), 1),
        ("windows-10-1709", Some(7200), Some(1), Some(10), Some(7210), 1),
        ("gvisor", Some(7200), Some(75), Some(9), Some(7875), 0),
        ("smoltcp", None, None, None, None, 1),
        ("lwip", Some(7200), Some(75), Some(9), Some(7875), 0),
        ("freertos", Some(20), Some(3), Some(4), Some(32), 0),
        ("picotcp", None, None, None, None, 0),
    ];
    for (name, idle, interval, count, detects, octets) in truth {
        let row = stack(name);
        let span = |cell: &keepscope::stack::Cell<Amount<Span>>| cell.value.expect("known").get();
        assert_eq!(span(&row.timing.idle), idle.map(secs), "{name} idle");
        assert_eq!(span(&row.timing.interval), interval.map(secs), "{name} interval");
        assert_eq!(row.timing.count.value.expect("known").get(), *count, "{name} count");
        assert_eq!(span(&row.timing.detects_after), detects.map(secs), "{name} detects after");
        assert_eq!(row.probe.octets.value, Some(*octets), "{name} octets");
        if let (Some(idle), Some(interval), Some(count), Some(detects)) = (idle, interval, count, detects) {
            assert_eq!(idle + interval * i64::from(*count), *detects, "{name} adds up");
        }
    }
    let on: Vec<&str> = Stack::all()
        .iter()
        .filter(|stack| stack.timing.on_by_default.value == Some(true))
        .map(|stack| stack.name)
        .collect();
    assert_eq!(on, ["freebsd"]);
}

#[test]
fn probes_are_those_of_the_notes() {
    let una: Vec<&str> = Stack::all()
        .iter()
        .filter(|stack| stack.probe.seq.value == Some(SeqRule::BelowSndUna))
        .map(|stack| stack.name)
        .collect();
    assert_eq!(una, ["linux", "freebsd", "macos", "openbsd", "netbsd", "illumos", "macos-offload"]);
    assert_eq!(stack("picotcp").probe.flags.value, Some(ProbeFlags::PshAck));
    assert_eq!(stack("smoltcp").probe.octet_value.value, Some(OctetValue::Zero));
    let mac = &stack("macos").probe;
    assert_eq!(mac.options.trusted(), Some(ProbeOptions::Nothing));
    assert_eq!(mac.dont_fragment.trusted(), Some(DontFragment::Clear));
    assert_eq!(stack("linux").probe.dont_fragment.trusted(), Some(DontFragment::Set));
    // A report from the field is no verification.
    assert_eq!(stack("windows").probe.octets.trusted(), None);
    assert_eq!(stack("windows").probe.octets.value_or(0), 1);
    assert_eq!(stack("windows").probe.ttl.value, None);
}

#[test]
fn rules_are_those_of_the_notes() {
    let linux = stack("linux");
    assert_eq!(
        linux.giving_up.rule.value,
        Some(GiveUp::Counted { user_timeout: UserTimeout::ReplacesCount })
    );
    assert_eq!(
        linux.giving_up.reset.value,
        Some(Reset::RstAck { seq: Some(ResetSeq::SndNxt), timestamps: Some(true) })
    );
    assert_eq!(linux.timing.rounding.value, Some(Rounding::TimerWheel { hz: 250 }));
    assert_eq!(linux.idle_clock.reset_by.value, Some(IdleReset::InOrderDataOrValidAck));
    assert_eq!(linux.idle_clock.reset_by_probes.value, Some(InboundProbes::OneOctet));
    assert_eq!(linux.idle_clock.outstanding.value, Some(Outstanding::RearmIdle));
    assert_eq!(linux.rearming.enabling.value, Some(Rearm::IdleFromNow));
    assert_eq!(linux.rearming.setting_idle.value, Some(Rearm::IdleSinceReceipt));
    let answers = &linux.responder;
    assert_eq!(answers.zero_octets.value, Some(Answer::AckLimited));
    assert_eq!(answers.one_octet.value, Some(Answer::Ack));
    assert_eq!(answers.rate_limit.value, Some(RateLimit::PerSocket { gap: Span::from_millis(500) }));
    assert_eq!(answers.dsack.value, Some(true));
    assert_eq!(answers.echo_zero_octets.value, Some(TimestampEcho::Older));
    assert_eq!(answers.old_timestamp_zero_octets.value, Some(Answer::Silence));

    for name in ["freebsd", "macos", "openbsd", "netbsd"] {
        assert_eq!(stack(name).giving_up.rule.value, Some(GiveUp::Elapsed { strict: false }), "{name}");
        assert_eq!(stack(name).idle_clock.outstanding.value, Some(Outstanding::NotChecked), "{name}");
    }
    assert_eq!(stack("lwip").giving_up.rule.value, Some(GiveUp::Elapsed { strict: true }));
    assert_eq!(stack("freebsd").idle_clock.on_receipt.value, Some(OnReceipt::Untouched));
    assert_eq!(stack("macos").idle_clock.on_receipt.value, Some(OnReceipt::Restarted));
    assert_eq!(stack("macos").responder.dsack.value, Some(false));
    assert_eq!(
        stack("illumos").timing.shape.value,
        Some(IntervalShape::BackOffFromRto { factor: 2, cap: secs(60) })
    );
    assert_eq!(stack("illumos").giving_up.rule.value, Some(GiveUp::AbortThreshold { threshold: secs(480) }));
    assert_eq!(stack("smoltcp").giving_up.rule.value, Some(GiveUp::UserTimeoutOnly));
    assert_eq!(stack("smoltcp").idle_clock.reset_by_sending.value, Some(true));
    assert_eq!(stack("gvisor").rearming.setting_interval.value, Some(Rearm::IdleFromNow));
    assert_eq!(stack("uip").responder.zero_octets.value, Some(Answer::Silence));
    for name in ["freertos", "picotcp"] {
        assert_eq!(stack(name).giving_up.reset.value, Some(Reset::Nothing), "{name}");
    }
}

#[test]
fn options_are_those_of_the_notes() {
    let range = |name: &str, role| {
        let option = stack(name).option(role).expect("an option");
        let Some(Accepts::Range { least, most, zero_is_default }) = option.accepts.value else {
            panic!("{name}: no range")
        };
        (option.name, option.unit.value, least, most, zero_is_default)
    };
    for name in ["linux", "gvisor"] {
        let (s, n) = (Some(Unit::Seconds), Some(Unit::Probes));
        assert_eq!(range(name, Role::Idle), ("TCP_KEEPIDLE", s, 1, Some(32_767), false));
        assert_eq!(range(name, Role::Interval), ("TCP_KEEPINTVL", s, 1, Some(32_767), false));
        assert_eq!(range(name, Role::Count), ("TCP_KEEPCNT", n, 1, Some(127), false));
    }
    let mac = range("macos", Role::Idle);
    assert_eq!(mac, ("TCP_KEEPALIVE", Some(Unit::Seconds), 0, Some(4_294_967), true));
    assert_eq!(stack("dragonfly").option(Role::Idle).expect("one").unit.value, Some(Unit::Milliseconds));
    assert_eq!(stack("lwip").option(Role::Idle).expect("one").accepts.value, Some(Accepts::Anything));
    assert_eq!(stack("openbsd").options.value, Some(&[][..]));
    assert_eq!(stack("windows-vista").option(Role::Count), None);
}

#[test]
fn applications_are_those_of_the_notes() {
    type Row = (&'static str, bool, Option<i64>, Option<i64>, Option<u32>, Option<i64>);
    let truth: &[Row] = &[
        ("go", true, Some(15), Some(15), Some(9), None),
        ("chrome", true, Some(45), Some(45), None, None),
        ("firefox", true, Some(10), Some(1), Some(4), None),
        ("firefox-long", true, Some(600), Some(1), Some(4), None),
        ("curl", true, Some(60), Some(60), Some(9), None),
        ("libcurl", false, Some(60), Some(60), Some(9), None),
        ("redis", true, Some(300), Some(100), Some(3), None),
        ("redis-cli", true, Some(15), Some(5), Some(3), None),
        ("mongodb", true, Some(300), Some(10), Some(9), None),
        ("node-http", true, Some(1), Some(1), Some(10), None),
        ("node", false, None, Some(1), Some(10), None),
        ("reqwest", true, Some(15), Some(15), Some(3), Some(30)),
        ("openssh", true, None, None, None, None),
        ("hyper-util", false, None, None, None, None),
        ("kumomta", true, Some(300), Some(30), Some(3), None),
        ("docker", true, Some(30), Some(15), Some(9), None),
    ];
    for (name, on, idle, interval, count, user_timeout) in truth {
        let row = Preset::named(name).expect("an application");
        assert_eq!(row.on_by_default.value, Some(*on), "{name} on");
        assert_eq!(row.idle.value.and_then(Asked::get), idle.map(secs), "{name} idle");
        assert_eq!(row.interval.value.and_then(Asked::get), interval.map(secs), "{name} interval");
        assert_eq!(row.count.value.and_then(Asked::get), *count, "{name} count");
        assert_eq!(row.user_timeout.value.and_then(Asked::get), user_timeout.map(secs), "{name} timeout");
    }
    for name in ["kafka", "rabbitmq", "docker", "tokio", "mysql-connector-j", "envoy"] {
        let row = Preset::named(name).expect("an application");
        assert_eq!(row.on_by_default.status, Status::Unverified, "{name}");
    }
}

#[test]
fn requirements_are_all_there() {
    let ids: BTreeSet<&str> = Requirement::all().iter().map(|requirement| requirement.id).collect();
    assert_eq!(ids.len(), Requirement::all().len());
    let of_9293 =
        ["MAY-5", "MUST-24", "MUST-25", "MUST-26", "MUST-27", "MUST-28", "MUST-29", "SHLD-12", "MAY-6"];
    for id in of_9293 {
        assert_eq!(Requirement::named(id).expect("a requirement").source, "RFC 9293 section 3.8.4");
    }
    assert!(Requirement::named("must-26").is_some() && Requirement::named("MUST-1").is_none());
}

/// Walks cells of the document; each must be whole.
fn check_cell(place: &str, cell: &Value) {
    let object = cell.as_object().unwrap_or_else(|| panic!("{place} is no cell"));
    assert!(object.contains_key("value") || object.contains_key("value_s"), "{place}: no value");
    let known = ["value", "value_s"].iter().any(|key| object.get(*key).is_some_and(|value| !value.is_null()));
    let sources = object["sources"].as_array().expect("sources");
    assert!(!known || !sources.is_empty(), "{place}: no source");
    for source in sources {
        assert!(source["tag"].is_string() && source["reference"].is_string(), "{place}");
    }
    let status = object["status"].as_str().expect("a status");
    assert!(["measured", "verified_by_source", "unverified"].contains(&status), "{place}: {status}");
    assert!(known || status == "unverified", "{place}: unknown and {status}");
    assert!(object.contains_key("note"), "{place}: no note");
}

#[test]
fn the_document_has_every_column_of_every_row() {
    let document = json(&[]);
    assert_eq!(document["schema"], "keepscope.stacks/1");
    let stacks = document["stacks"].as_array().expect("stacks");
    assert_eq!(stacks.len(), Stack::all().len());
    for (row, stack) in stacks.iter().zip(Stack::all()) {
        assert_eq!(row["name"], stack.name);
        for group in stack.groups() {
            let cells = row[group.name].as_object().expect("a group");
            assert_eq!(cells.len(), group.cells.len());
            for shown in group.cells {
                let place = format!("{} {}.{}", stack.name, group.name, shown.column);
                let cell = &cells[shown.column];
                check_cell(&place, cell);
                assert_eq!(cell["status"], shown.status.name(), "{place}");
                match &shown.value {
                    Some(Datum::Word(name, _)) => assert_eq!(cell["value"], *name, "{place}"),
                    Some(Datum::Fields(kind, ..)) => assert_eq!(cell["value"]["kind"], *kind, "{place}"),
                    Some(Datum::Duration(_)) => assert!(cell["value_s"].is_number(), "{place}"),
                    None => assert!(cell["value"].is_null(), "{place}"),
                    Some(_) => assert!(!cell["value"].is_null(), "{place}"),
                }
            }
        }
        check_cell(&format!("{} options", stack.name), &row["options"]);
        for option in row["options"]["value"].as_array().into_iter().flatten() {
            for column in ["unit", "accepts", "bad_value"] {
                check_cell(&format!("{} {} {column}", stack.name, option["name"]), &option[column]);
            }
        }
    }
    let applications = document["applications"].as_array().expect("applications");
    assert_eq!(applications.len(), Preset::all().len());
    for (row, preset) in applications.iter().zip(Preset::all()) {
        for cell in preset.cells() {
            check_cell(&format!("{} {}", preset.name, cell.column), &row[cell.column]);
        }
    }
    assert_eq!(document["requirements"].as_array().expect("requirements").len(), Requirement::all().len());
}

#[test]
fn durations_have_nine_digits() {
    let text = text(&["linux", "--format", "json"]);
    assert!(text.contains("\"value_s\": 7200.000000000,"), "{text}");
    assert!(text.contains("\"gap_s\": 0.500000000"), "{text}");
    let document = json(&["smoltcp"]);
    let idle = &document["stacks"][0]["timing"]["idle"];
    assert!(idle["value_s"].is_null());
    assert_eq!(idle["value"], "by_application");
}

#[test]
fn a_name_shows_every_cell_with_its_status_and_sources() {
    let names = Stack::all().iter().map(|stack| stack.name).chain(Preset::all().iter().map(|one| one.name));
    for name in names {
        let shown = text(&[name]);
        for line in shown.lines() {
            assert!(line.chars().count() <= 100, "{name}: {line}");
            assert_eq!(line.trim_end(), line, "{name}: {line:?}");
        }
    }
    let shown = text(&["linux"]);
    // Lines are wrapped, so compare the words.
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = flat(&shown);
    for group in stack("linux").groups() {
        for cell in group.cells {
            assert!(words.contains(&flat(cell.title)), "{}", cell.title);
            assert!(words.contains(&flat(cell.note)), "{}", cell.note);
            for source in cell.sources {
                assert!(words.contains(source.tag) && words.contains(&flat(source.reference)));
            }
        }
    }
    assert!(words.contains("idle 7200 s [Verified by source: L-h]"), "{shown}");
    assert!(words.contains("accepts 1 to 32767 [Measured: L-h, L-measured]"), "{shown}");
    let windows = flat(&text(&["windows"]));
    assert!(windows.contains("octets 1 [Unverified: contiki-558]"), "{windows}");
    assert!(windows.contains("IP DF unknown [Unverified]"), "{windows}");
}

#[test]
fn without_a_name_there_is_a_line_for_each() {
    let shown = text(&[]);
    for line in shown.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    let line = |name: &str| {
        let found = shown.lines().find(|line| line.split_whitespace().next() == Some(name));
        found.unwrap_or_else(|| panic!("{name}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for stack in Stack::all() {
        line(stack.name);
    }
    for preset in Preset::all() {
        assert!(line(preset.name).ends_with(preset.title), "{}", preset.title);
    }
    assert_eq!(line("linux"), "linux no 7200 s 75 s 9 0 7875 s by count, RST");
    assert_eq!(line("freebsd"), "freebsd yes 7200 s 75 s 8 0 7800 s by time, RST");
    assert_eq!(line("illumos"), "illumos no 7200 s backs off none 1 7680 s by threshold, ?");
    // What nobody verified is marked here too.
    assert_eq!(line("windows-vista"), "windows-vista no 7200 s 1 s 10 1? 7210 s? by count, ?");
    assert!(line("kafka").starts_with("kafka yes? system? system? system?"), "{}", line("kafka"));
    assert!(line("go").starts_with("go yes 15 s 15 s 9 ? Go net"), "{}", line("go"));
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    for (name, suggested) in
        [("linx", "linux"), ("freebds", "freebsd"), ("postgress", "postgres"), ("windows-1", "windows")]
    {
        let output = run(&[name]);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let message = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(message.starts_with("keepscope: error: "), "{message}");
        assert!(message.contains(name) && message.contains(suggested), "{message}");
    }
    let output = run(&["\u{1b}[31mred\n"]);
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(message.lines().count(), 1);
    assert!(!message.contains('\u{1b}') && message.contains("lists all names"), "{message:?}");
}

#[test]
fn the_format_must_be_one_there_is() {
    assert_eq!(run(&["--format", "csv"]).status.code(), Some(2));
    assert_eq!(run(&["linux", "go"]).status.code(), Some(2));
}
