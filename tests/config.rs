//! The configuration file: every key acts, options and the environment come before it, and what is wrong is named.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{capture_path, scratch, skip, text};

/// A configuration file in a folder of its own.
struct Config {
    folder: PathBuf,
    file: PathBuf,
}

impl Config {
    fn new(name: &str, content: &str) -> Config {
        let folder = scratch(&format!("config-{name}"));
        let file = folder.join("config.toml");
        std::fs::write(&file, content).expect("a file");
        Config { folder, file }
    }

    /// Runs the binary with this file; the environment says nothing else.
    fn run(&self, arguments: &[&str]) -> Output {
        self.with(&[], arguments)
    }

    fn with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut command = bare();
        command.env("KEEPSCOPE_CONFIG", &self.file).envs(variables.iter().copied()).args(arguments);
        command.output().expect("keepscope runs")
    }

    fn stdout(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.run(arguments).stdout).expect("UTF-8")
    }
}

/// The binary in an environment that says nothing.
fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keepscope"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TERM", "xterm");
    command
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn color_acts_and_an_option_and_the_environment_come_before_it() {
    let config = Config::new("color", "color = \"always\"");
    let capture = capture_path("vanish.pcap");
    let coloured = |output: &Output| out(output).contains('\u{1b}');
    assert!(coloured(&config.run(&["analyze", &capture])));
    assert!(!coloured(&config.run(&["analyze", "--color", "never", &capture])));
    assert!(!coloured(&config.with(&[("KEEPSCOPE_COLOR", "never")], &["analyze", &capture])));
    assert!(!coloured(&config.with(&[("NO_COLOR", "1")], &["analyze", &capture])));
    assert!(coloured(&config.with(&[("NO_COLOR", "1")], &["analyze", "--color", "always", &capture])));
    assert!(!coloured(&config.run(&["--no-config", "analyze", &capture])));
}

#[test]
fn format_acts_where_a_command_has_that_form() {
    let config = Config::new("format", "format = \"csv\"");
    let capture = capture_path("vanish.pcap");
    let lines = config.stdout(&["analyze", &capture]);
    assert_eq!(lines, out(&bare().args(["analyze", "--format", "csv", &capture]).output().unwrap()));
    assert!(config.stdout(&["analyze", "--format", "json", &capture]).starts_with('{'));
    assert_eq!(config.stdout(&["stacks"]), out(&bare().arg("stacks").output().unwrap()));
    let json = config.with(&[("KEEPSCOPE_FORMAT", "json")], &["stacks"]);
    assert!(out(&json).starts_with('{'), "the environment comes before the file");
}

#[test]
fn plain_and_the_speed_of_a_replay_act() {
    let capture = capture_path("vanish.pcap");
    let config = Config::new("plain", "plain = true");
    let lines = config.stdout(&["replay", &capture]);
    assert_eq!(lines, out(&bare().args(["replay", "--plain", &capture]).output().unwrap()));
    assert!(lines.lines().count() > 4, "{lines}");
    assert_eq!(bare().args(["replay", &capture]).output().unwrap().status.code(), Some(2), "no terminal");
    // Both at once: another form than text is a form without a screen, too.
    let both = Config::new("plain-format", "plain = true\nformat = \"json\"");
    assert_eq!(both.run(&["stacks"]).status.code(), Some(0));

    let config = Config::new("speed", "plain = true\n[replay]\nspeed = \"10\"");
    let long = capture_path("lossy.pcap");
    #[expect(clippy::disallowed_methods, reason = "what is tested is that time goes by")]
    let began = std::time::Instant::now();
    assert_eq!(config.run(&["replay", &long]).status.code(), Some(0));
    assert!(began.elapsed().as_millis() > 800, "ten seconds ten times as fast");
}

#[test]
fn netns_acts_but_not_where_a_process_says_it() {
    let config = Config::new("netns", "netns = \"keepscope-no-such\"");
    let refused = config.run(&["check"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(err(&refused).contains("keepscope-no-such"), "{}", err(&refused));
    let own = std::process::id().to_string();
    let entered = config.run(&["check", "--netns", &own]);
    assert!(!err(&entered).contains("keepscope-no-such"), "{}", err(&entered));
    let of_process = config.run(&["check", "--pid", &own]);
    assert!(!err(&of_process).contains("keepscope-no-such"), "{}", err(&of_process));
}

#[test]
fn timeout_is_what_advice_goes_by_where_nothing_else_is_said() {
    let config = Config::new("timeout", "timeout = \"350s\"");
    for command in ["recommend", "audit"] {
        let mut arguments = vec![command];
        let file = scratch("config-sysctl").join("sysctl.conf");
        std::fs::write(&file, "net.ipv4.tcp_keepalive_time = 340\n").unwrap();
        arguments.extend((command == "audit").then(|| text(&file)));
        let said: Vec<&str> = arguments.iter().copied().chain(["--timeout", "350s"]).collect();
        let wanted = out(&bare().args(&said).output().unwrap());
        assert!(wanted.len() > 40 && config.stdout(&arguments) == wanted, "{command}");
        let without = bare().args(&arguments).output().unwrap();
        assert_eq!(without.status.code(), Some(2));
        assert!(err(&without).contains("--timeout 350s"), "{}", err(&without));
    }
    // A product has a timeout of its own.
    let behind = ["recommend", "--behind", "azure-load-balancer"];
    assert_eq!(config.stdout(&behind), out(&bare().args(behind).output().unwrap()));
    let own = std::process::id().to_string();
    let judged = config.stdout(&["check", "--netns", &own]);
    assert_eq!(judged, out(&bare().args(["check", "--netns", &own, "--timeout", "350s"]).output().unwrap()));
}

#[test]
fn what_analyze_shows_can_be_set_and_one_connection_is_still_shown() {
    let capture = capture_path("vanish.pcap");
    let config = Config::new("filter", "[analyze]\nfilter = \"port:1\"");
    let none = config.stdout(&["analyze", &capture]);
    assert_eq!(none, out(&bare().args(["analyze", "--filter", "port:1", &capture]).output().unwrap()));
    assert!(!none.contains("#1 "), "{none}");
    assert!(config.stdout(&["analyze", "--filter", "port:7011", &capture]).contains("#1 "));
    assert!(config.stdout(&["analyze", "--connection", "1", &capture]).contains("#1 "));

    let none = capture_path("one_octet_writes.pcap");
    let all = Config::new("all", "[analyze]\nall = true").stdout(&["analyze", &none]);
    assert_eq!(all, out(&bare().args(["analyze", "--all", &none]).output().unwrap()));
    assert_ne!(all, out(&bare().args(["analyze", &none]).output().unwrap()));
}

#[test]
fn peers_are_probed_as_it_says() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let peer = listener.local_addr().unwrap().to_string();
    let config = Config::new(
        "probe",
        "format = \"json\"\n[probe]\nidle = \"300ms\"\ninterval = \"400ms\"\ncount = 2\noctets = \"1\"\n",
    );
    let output = config.run(&["probe", "--rounds", "1", "--interval", "600ms", &peer]);
    if output.status.code() == Some(3) {
        return skip("no right to probe");
    }
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
    let settings = &document["probe"]["settings"];
    let seconds = |name: &str| settings[name].as_f64().unwrap_or_default();
    assert_eq!((seconds("idle_s"), seconds("interval_s")), (0.3, 0.6), "{settings}");
    assert_eq!(settings["count"], 2);
    assert_eq!(document["connections"][0]["probers"][0]["probes"][0]["octets"], 1);
    // What conflicts with an option that was given is left out.
    let kernel =
        config.run(&["probe", "--kernel", "--rounds", "1", "--idle", "1s", "--interval", "1s", &peer]);
    assert_ne!(kernel.status.code(), Some(2), "{}", err(&kernel));
}

#[test]
fn what_is_watched_can_be_set() {
    let config = Config::new("watch", "[watch]\ninterface = [\"lo\"]\nfilter = \"port:47001\"\n");
    let output = config.run(&["watch", "--for", "100ms"]);
    if output.status.code() == Some(3) {
        return skip("no right to watch");
    }
    let said = err(&output);
    assert!(said.contains("watching lo for") && said.contains("47001"), "{said}");
}

/// Wrong in every way, and what is said of each line.
const WRONG: &[(&str, &str)] = &[
    ("colour = \"auto\"", "there is no key \"colour\"; did you mean color?"),
    ("timeout = 350", "timeout is a string, as \"350s\", not a whole number"),
    ("format = \"jsn\"", "did you mean json?"),
    ("idle = \"3s\"", "there is no key \"idle\"; did you mean probe.idle?"),
    ("[probe]", ""),
    ("idle = \"30\"", "probe.idle: \"30\": say the unit: 30s or 30ms"),
    ("count = 0", "probe.count: \"0\": 0 is not in 1..=1000"),
    ("[scren]", "there is no table \"scren\"; did you mean screen?"),
    ("[analyze]", ""),
    ("filter = \"alive or idle>60\"", "'60' is no duration"),
    ("all = \"yes\"", "analyze.all is true or false"),
];

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let content: Vec<&str> = WRONG.iter().map(|(line, _)| *line).collect();
    let config = Config::new("wrong", &content.join("\n"));
    let checked = bare().args(["config", "check", text(&config.file)]).output().unwrap();
    assert_eq!(checked.status.code(), Some(1), "{}", err(&checked));
    let refused = config.run(&["stacks"]);
    assert_eq!((refused.status.code(), out(&refused)), (Some(2), String::new()));
    let wanted = WRONG.iter().filter(|(_, said)| !said.is_empty()).count();
    for said in [out(&checked), err(&refused)] {
        assert_eq!(said.lines().count(), wanted, "{said}");
        for (number, (_, what)) in (1..).zip(WRONG).filter(|(_, (_, what))| !what.is_empty()) {
            let at = format!("{}:{number}: ", config.file.display());
            let line = said.lines().find(|line| line.contains(&at));
            assert!(line.is_some_and(|line| line.contains(what)), "{at}{what} is missing in\n{said}");
        }
    }
    // What mends it, and what explains it, still runs.
    for arguments in
        [&["config", "path"][..], &["--help"], &["completions", "bash"], &["stacks", "--no-config"]]
    {
        assert_eq!(config.run(arguments).status.code(), Some(0), "{arguments:?}");
    }
    let broken = Config::new("syntax", "color = \"auto\"\nformat = [1\n");
    let checked = bare().args(["config", "check", text(&broken.file)]).output().unwrap();
    assert!(
        out(&checked).contains("config.toml:2: ") && out(&checked).lines().count() == 1,
        "{}",
        out(&checked)
    );
    let variable = Config::new("variable", "").with(&[("KEEPSCOPE_PROBE_IDLE", "30")], &["stacks"]);
    assert!(err(&variable).contains("KEEPSCOPE_PROBE_IDLE: \"30\": say the unit"), "{}", err(&variable));
}

#[test]
fn the_file_is_found_as_xdg_says_or_named() {
    let home = scratch("config-home");
    let at = |folder: &str, content: &str| {
        let folder = home.join(folder).join("keepscope");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), content).unwrap();
        folder.join("config.toml")
    };
    let in_home = at(".config", "color = \"always\"");
    let in_xdg = at("xdg", "color = \"always\"");
    let named = home.join("named.toml");
    std::fs::write(&named, "color = \"always\"").unwrap();
    let run = |variables: &[(&str, &Path)], arguments: &[&str]| {
        let output =
            bare().env("HOME", &home).envs(variables.iter().copied()).args(arguments).output().unwrap();
        out(&output)
    };
    let xdg = ("XDG_CONFIG_HOME", home.join("xdg"));
    let xdg = (xdg.0, xdg.1.as_path());
    let variable = ("KEEPSCOPE_CONFIG", named.as_path());
    let path = ["config", "path"];
    assert_eq!(run(&[], &path).trim(), text(&in_home));
    assert_eq!(run(&[("XDG_CONFIG_HOME", Path::new("relative"))], &path).trim(), text(&in_home));
    assert_eq!(run(&[xdg], &path).trim(), text(&in_xdg));
    assert_eq!(run(&[xdg, variable], &path).trim(), text(&named));
    assert_eq!(run(&[xdg, variable], &["--config", text(&in_home), "config", "path"]).trim(), text(&in_home));
    // Where it is looked for there need not be one; where it is named there must.
    let missing = home.join("missing");
    let run = |variable: &str| bare().env(variable, &missing).arg("stacks").output().unwrap();
    assert_eq!(run("XDG_CONFIG_HOME").status.code(), Some(0));
    let refused = run("KEEPSCOPE_CONFIG");
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        err(&refused).contains("missing") && err(&refused).contains("KEEPSCOPE_CONFIG"),
        "{}",
        err(&refused)
    );
}

#[test]
fn what_holds_is_shown_with_where_it_comes_from_and_can_be_read_again() {
    let config =
        Config::new("show", "color = \"always\"\ntimeout = \"350s\"\n[probe]\nidle = \"5s\"\ncount = 7\n");
    let output = config.with(&[("KEEPSCOPE_PROBE_IDLE", "9s"), ("NO_COLOR", "1")], &["config", "show"]);
    let shown = out(&output);
    let line =
        |begins: &str| shown.lines().find(|line| line.starts_with(begins)).unwrap_or_default().to_owned();
    assert!(line("idle = \"9s\"").ends_with("# KEEPSCOPE_PROBE_IDLE"), "{shown}");
    assert!(line("count = 7").ends_with("config.toml:5"), "{shown}");
    assert!(line("timeout = \"350s\"").ends_with("config.toml:2"), "{shown}");
    assert!(line("color = \"auto\"").ends_with("# built in"), "NO_COLOR comes before the file: {shown}");
    assert!(line("interval = \"1s\"").ends_with("# built in"), "{shown}");
    let again = Config::new("shown", &shown);
    assert_eq!(
        again.run(&["config", "check"]).status.code(),
        Some(0),
        "{}",
        again.stdout(&["config", "check"])
    );

    // The example says nothing by itself, and is right when it does.
    let example = out(&bare().args(["config", "example"]).output().unwrap());
    let as_is = Config::new("example", &example);
    let built_in = Config::new("nothing", "");
    let without_places = |text: String| -> Vec<String> {
        text.lines().map(|line| line.split("  # ").next().unwrap_or_default().trim_end().to_owned()).collect()
    };
    let shown = |config: &Config| without_places(config.stdout(&["config", "show"]));
    assert_eq!(shown(&as_is), shown(&built_in));
    let uncommented: Vec<&str> = example
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .collect();
    let all = Config::new("uncommented", &uncommented.join("\n"));
    let checked = all.run(&["config", "check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", out(&checked));
    let differing: Vec<String> =
        shown(&all).into_iter().filter(|line| !shown(&built_in).contains(line)).collect();
    for line in &differing {
        // What has nothing built in has an example instead.
        let name = line.split(' ').next().unwrap_or_default();
        assert!(["netns", "timeout", "filter", "interface"].contains(&name), "{line}");
    }
    assert!(all.folder.exists());
}

/// Under sudo the file is that of who asked, if nobody else can write to it.
#[test]
fn under_sudo_it_is_the_file_of_who_asked() {
    let is_root =
        std::fs::metadata("/proc/self").is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0);
    if !is_root {
        return skip("not root");
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let nobody = lines.find(|fields| fields.first() == Some(&"nobody")).expect("a user called nobody");
    let asked =
        bare().env("HOME", "/root").env("SUDO_UID", nobody[2]).args(["config", "path"]).output().unwrap();
    assert_eq!(out(&asked).trim(), format!("{}/.config/keepscope/config.toml", nobody[5]));
    let config = Config::new("sudo", "color = \"always\"");
    let folder = config.folder.join("keepscope");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("config.toml");
    std::fs::write(&file, "color = \"always\"").unwrap();
    let run = || {
        bare()
            .env("XDG_CONFIG_HOME", &config.folder)
            .env("SUDO_UID", nobody[2])
            .arg("stacks")
            .output()
            .unwrap()
    };
    assert_eq!(run().status.code(), Some(0), "root's own");
    std::os::unix::fs::chown(&file, Some(nobody[2].parse::<u32>().unwrap() - 1), None).unwrap();
    assert_eq!(run().status.code(), Some(2));
    assert!(err(&run()).contains("not read under sudo"), "{}", err(&run()));
}
