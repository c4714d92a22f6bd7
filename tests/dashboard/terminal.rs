//! In a real terminal: a pseudo-terminal with an emulator behind it. Nothing here sleeps: a test waits for what
//! the screen should show, or for the end of the program.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::common::{Pcap, analyze_json, capture_path, keepscope, scratch, text};

/// Longer than any machine needs for a few packets.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal in which a program runs.
pub struct Terminal {
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    child: Box<dyn Child + Send + Sync>,
    pub parser: vt100::Parser,
    /// All that was written to it.
    pub raw: Vec<u8>,
}

impl Terminal {
    /// Runs `shell` words in a terminal of this size, in this folder.
    pub fn run(command: CommandBuilder, columns: u16, rows: u16) -> Terminal {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let child = pair.slave.spawn_command(command).expect("a program");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0_u8; 8192];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let writer = pair.master.take_writer().expect("a writer");
        let parser = vt100::Parser::new(some(rows), some(columns), 1000);
        Terminal { master: Some(pair.master), writer, output, child, parser, raw: Vec::new() }
    }

    pub fn keepscope(arguments: &[&str], columns: u16, rows: u16, folder: &Path) -> Terminal {
        let mut words = vec![env!("CARGO_BIN_EXE_keepscope")];
        words.extend(arguments);
        // What the terminal is like afterwards, the shell says.
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        Terminal::run(shell(&format!("{}; echo exit=$?; stty -a", quoted.join(" ")), folder), columns, rows)
    }

    pub fn send(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).expect("a terminal that takes keys");
        self.writer.flush().expect("a terminal that takes keys");
    }

    pub fn contents(&self) -> String {
        self.parser.screen().contents()
    }

    /// Waits until the screen passes; what is on it is in the message otherwise.
    pub fn wait(&mut self, what: &str, passes: impl Fn(&str) -> bool) {
        self.wait_until(what, |terminal| passes(&terminal.contents()));
    }

    /// Waits until these octets were written to it.
    pub fn wait_octets(&mut self, octets: &str) {
        let octets = octets.as_bytes();
        self.wait_until("an escape sequence", |terminal| {
            terminal.raw.windows(octets.len()).any(|window| window == octets)
        });
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a screen that keeps changing must not keep a test for ever"
    )]
    fn wait_until(&mut self, what: &str, passes: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !passes(self) {
            let left = PATIENCE.saturating_sub(began.elapsed());
            match self.output.recv_timeout(left) {
                Ok(octets) => {
                    self.parser.process(&octets);
                    self.raw.extend(octets);
                }
                Err(_) => panic!("{what} does not come:\n{}", self.contents()),
            }
        }
    }

    pub fn wait_for(&mut self, words: &str) {
        self.wait(words, |screen| screen.contains(words));
    }

    pub fn wait_gone(&mut self, words: &str) {
        self.wait(&format!("the end of {words}"), |screen| !screen.contains(words));
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().expect("a terminal").resize(size).expect("another size");
        self.parser.screen_mut().set_size(some(rows), some(columns));
    }

    /// The program and then the shell have ended; the terminal is as a shell wants it.
    pub fn expect_sane(&mut self) {
        self.wait_for("icanon");
        self.wait(" echo ", |screen| screen.contains(" echo ") && !screen.contains("-icanon"));
        let screen = self.parser.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor(), "{}", screen.contents());
        assert!(screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None);
    }

    /// The terminal goes away, as when its window is closed.
    pub fn close(&mut self) {
        self.output = channel().1;
        self.writer = Box::new(std::io::sink());
        self.master = None;
    }

    /// How the terminal is set, as `stty` says it.
    #[cfg(feature = "live")]
    pub fn settings(&self) -> String {
        let tty = self.master.as_ref().and_then(|master| master.tty_name()).expect("a terminal");
        let output = std::process::Command::new("stty").arg("-a").arg("-F").arg(tty).output().expect("stty");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until the screen of the emulator passes, not only what is on it.
    #[cfg(feature = "live")]
    pub fn wait_screen(&mut self, what: &str, passes: impl Fn(&vt100::Screen) -> bool) {
        self.wait_until(what, |terminal| passes(terminal.parser.screen()));
    }

    /// The process that the shell runs.
    pub fn program(&self) -> String {
        let shell = self.child.process_id().expect("a process");
        let children = format!("/proc/{shell}/task/{shell}/children");
        std::fs::read_to_string(children).expect("its children").trim().to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn some(size: u16) -> NonZero<u16> {
    NonZero::new(size).expect("a size")
}

/// A shell that runs a script in a folder.
pub fn shell(script: &str, folder: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new("sh");
    command.args(["-c", script]);
    command.cwd(folder);
    command.env("TERM", "xterm-256color");
    command.env("LC_ALL", "C.UTF-8");
    command.env_remove("NO_COLOR");
    // Who is told need not ask; the emulator would not answer.
    command.env("COLORFGBG", "15;0");
    command
}

#[test]
fn a_capture_is_replayed_scrubbed_filtered_exported_and_left() {
    let folder = scratch("dashboard_replay");
    let many = capture_path("many.pcap");
    let mut terminal = Terminal::keepscope(&["replay", &many], 100, 30, &folder);
    terminal.wait_for("END fit");
    terminal.wait_for("Connections 6 of 7");
    assert!(terminal.parser.screen().alternate_screen());
    // Scrub, by keys as a terminal sends them.
    terminal.send("\x1b[H");
    terminal.wait_for("0.000 s of 5.045 s");
    terminal.wait_for("NO KEEPALIVE");
    terminal.send("}}");
    terminal.wait_for("* ALIVE");
    terminal.send("\x1b[C");
    terminal.wait_gone("0.000 s of 5.045 s");
    terminal.send(":4.5s\r");
    terminal.wait_for("4.500 s of 5.045 s");
    // Every size is drawn anew.
    terminal.resize(60, 16);
    terminal.wait_for("Connections 6 of 7");
    terminal.resize(40, 10);
    terminal.wait_for("too small");
    terminal.resize(130, 40);
    terminal.wait_for("Scrubber");
    // Filter.
    terminal.send("/port:40083");
    terminal.wait_for("1 left");
    terminal.send("\r");
    terminal.wait_for("Ladder #3");
    // Export twice, beside each other.
    terminal.send("e");
    terminal.wait_for("Export to a new file");
    terminal.send("p");
    terminal.wait_for("wrote many-connection-3.pcapng");
    terminal.send("ep");
    terminal.wait_for("wrote many-connection-3-2.pcapng");
    terminal.send("ej");
    terminal.wait_for("wrote many-connection-3.json");
    terminal.send("q");
    terminal.expect_sane();
    let left = terminal.contents();
    for words in ["keepalives in 6 of 7 connections", "6 alive", "#3 ALIVE", "exit=0"] {
        assert!(left.contains(words), "{words} does not stay:\n{left}");
    }
    // What was exported is the connection, whole.
    let found = analyze_json(&[text(&folder.join("many-connection-3.pcapng"))]);
    let all = analyze_json(&[&many]);
    assert_eq!(found["connections"].as_array().map(Vec::len), Some(1));
    let truth = all["connections"].as_array().expect("connections").iter().find(|one| one["id"] == 3);
    assert_eq!(found["connections"][0]["client"], truth.expect("number 3")["client"]);
    assert_eq!(found["connections"][0]["probers"][0]["sent"], truth.expect("number 3")["probers"][0]["sent"]);
    let json = std::fs::read(folder.join("many-connection-3.json")).expect("a file");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(json["connections"][0]["id"], 3);
}

#[test]
fn playing_goes_on_by_the_clock_until_it_is_paused() {
    let folder = scratch("dashboard_play");
    let capture = capture_path("lossy.pcap");
    let mut terminal = Terminal::keepscope(&["replay", "--speed", "1", &capture], 80, 24, &folder);
    terminal.wait_for("PLAY 1x");
    terminal.wait_for("KA 1");
    // Ten seconds before the end, which is time enough for a busy machine.
    terminal.send(" ");
    terminal.wait_for("PAUSE 1x");
    // What stands still is not drawn: after this key the answer is the next thing that comes.
    terminal.send("y");
    terminal.wait_for("copied connection #1");
    let copied = String::from_utf8_lossy(&terminal.raw).into_owned();
    assert!(copied.contains("\x1b]52;c;"), "OSC 52");
    terminal.send(":12s\r");
    terminal.wait_for("12.000 s of");
    terminal.send(" ");
    terminal.wait_for("END 1x");
    terminal.send("q");
    terminal.expect_sane();
}

#[test]
fn whatever_ends_it_the_terminal_is_sane() {
    let folder = scratch("dashboard_ends");
    let capture = capture_path("vanish.pcap");
    for (name, end) in [("Ctrl-C", None), ("SIGTERM", Some("-TERM")), ("SIGHUP", Some("-HUP"))] {
        let mut terminal = Terminal::keepscope(&["replay", &capture], 80, 24, &folder);
        terminal.wait_for("TIMED OUT");
        terminal.send("m");
        terminal.wait_for("mouse on");
        match end {
            None => terminal.send("\x03"),
            Some(signal) => {
                let pid = terminal.program();
                let sent = std::process::Command::new("kill").args([signal, &pid]).status();
                assert!(sent.expect("kill").success());
            }
        }
        terminal.expect_sane();
        assert!(terminal.contents().contains("exit=130"), "{name}: {}", terminal.contents());
        assert!(terminal.contents().contains("#1 TIMED OUT"), "the summary stays: {name}");
    }
}

/// The program in a terminal of its own, when that goes away.
#[test]
fn a_closed_terminal_ends_it() {
    let folder = scratch("dashboard_closed");
    let capture = capture_path("vanish.pcap");
    let mut terminal = Terminal::run(
        {
            let mut command = shell("", &folder);
            command.get_argv_mut().clear();
            command.get_argv_mut().extend([
                env!("CARGO_BIN_EXE_keepscope").into(),
                "replay".into(),
                capture.into(),
            ]);
            command
        },
        80,
        24,
    );
    terminal.wait_for("TIMED OUT");
    // A hang-up comes with the end of the last descriptor. One is with the thread that reads, which ends when
    // nobody wants what it has read: a screen drawn anew.
    terminal.output = channel().1;
    terminal.send("\x0c");
    drop(terminal.master.take());
    terminal.writer = Box::new(std::io::sink());
    let (sender, ended) = channel();
    let mut killer = terminal.child.clone_killer();
    let mut child = std::mem::replace(&mut terminal.child, Box::new(Gone));
    std::thread::spawn(move || sender.send(child.wait().is_ok()));
    let result = ended.recv_timeout(PATIENCE);
    if result.is_err() {
        let _ = killer.kill();
    }
    assert_eq!(result, Ok(true), "it goes on without a terminal");
}

/// In place of a child that somebody else waits for.
#[derive(Debug)]
struct Gone;

impl portable_pty::ChildKiller for Gone {
    fn kill(&mut self) -> std::io::Result<()> {
        Ok(())
    }

    fn clone_killer(&self) -> Box<dyn portable_pty::ChildKiller + Send + Sync> {
        Box::new(Gone)
    }
}

impl Child for Gone {
    fn try_wait(&mut self) -> std::io::Result<Option<portable_pty::ExitStatus>> {
        Ok(None)
    }

    fn wait(&mut self) -> std::io::Result<portable_pty::ExitStatus> {
        Ok(portable_pty::ExitStatus::with_exit_code(0))
    }

    fn process_id(&self) -> Option<u32> {
        None
    }
}

/// Run by the next test in a terminal: takes it over and panics.
#[test]
#[ignore = "panics on purpose; run by another test"]
fn panics_with_the_terminal_taken_over() {
    let _guard = keepscope::dashboard::terminal::Guard::take().expect("a terminal");
    panic!("on purpose");
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_is_told() {
    let folder = scratch("dashboard_panic");
    let this = std::env::current_exe().expect("this test");
    let script = format!(
        "'{}' --exact terminal::panics_with_the_terminal_taken_over --ignored --nocapture; echo exit=$?; stty -a",
        this.display()
    );
    let mut command = shell(&script, &folder);
    command.env("RUST_BACKTRACE", "0");
    let mut terminal = Terminal::run(command, 100, 40);
    terminal.expect_sane();
    assert!(
        terminal.contents().contains("on purpose"),
        "the message is on the screen:\n{}",
        terminal.contents()
    );
    let raw = String::from_utf8_lossy(&terminal.raw).into_owned();
    let back = raw.find("\x1b[?1049l").expect("the way back");
    assert!(
        raw.find("on purpose").is_some_and(|message| message > back),
        "it was told on the screen that is gone"
    );
}

#[test]
fn without_a_command_a_terminal_gets_the_start_screen() {
    let folder = scratch("dashboard_start");
    let capture: PathBuf = folder.join("copy of.pcap");
    std::fs::write(&capture, Pcap::of("lossy.pcap").octets()).expect("a file");
    let mut terminal = Terminal::keepscope(&[], 80, 24, &folder);
    terminal.wait_for("Open a capture");
    terminal.send("j\r");
    terminal.wait_for("open ");
    terminal.send("no such file\r");
    terminal.wait_for("no such file: No such file");
    terminal.send("ocopy of.pcap\r");
    terminal.wait_for("* ALIVE");
    terminal.send("?");
    terminal.wait_for("Keys: Replay");
    terminal.send("\x1b");
    terminal.wait_gone("Keys: Replay");
    terminal.send("q");
    terminal.expect_sane();
    assert!(terminal.contents().contains("copy of.pcap: 17 packets"), "{}", terminal.contents());
}

#[test]
fn a_scenario_is_changed_compared_written_and_run_by_the_plain_command() {
    let folder = scratch("dashboard_simulate");
    let mut terminal =
        Terminal::keepscope(&["simulate", "linux-340s-behind-350s", "--tui"], 100, 30, &folder);
    terminal.wait_for("SIMULATED: no packets are sent");
    terminal.wait_for("its application gets ECONNRESET");
    terminal.send("D");
    terminal.wait_for("kept as the base");
    // The form begins at the idle time.
    terminal.send("\r\x15300s\r");
    terminal.wait_for("never expires");
    terminal.wait_for("* client");
    terminal.send("b");
    terminal.wait_for("1000 runs over all phases");
    terminal.wait_for("100.0 %");
    terminal.resize(60, 16);
    terminal.wait_for("[3 Simulate]");
    terminal.resize(130, 40);
    terminal.send("w");
    terminal.wait_for("wrote linux-340s-behind-350s.toml");
    terminal.send("w");
    terminal.wait_for("wrote linux-340s-behind-350s-2.toml");
    terminal.send("q");
    terminal.expect_sane();
    let left = terminal.contents();
    for words in ["client: open", "no packet was sent", "box entry: expires 350.013 s there", "exit=0"] {
        assert!(left.contains(words), "{words} does not stay:\n{left}");
    }
    let written = folder.join("linux-340s-behind-350s.toml");
    let output = keepscope(&["simulate", text(&written)]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("client: open"), "{said}");
    // And it opens again, by its name alone.
    let mut terminal = Terminal::keepscope(&["dashboard", "linux-340s-behind-350s.toml"], 100, 30, &folder);
    terminal.wait_for("client: open");
    terminal.wait_for("300s");
    terminal.send("\x03");
    terminal.expect_sane();
    assert!(terminal.contents().contains("exit=130"), "{}", terminal.contents());
}

#[test]
fn a_scenario_that_is_wrong_is_refused_before_the_terminal_is_taken() {
    let folder = scratch("dashboard_simulate_wrong");
    std::fs::write(folder.join("wrong.toml"), "title = \"x\"\nlength = \"1m\"\nnonsense = 1\n")
        .expect("a file");
    for arguments in [["dashboard", "wrong.toml"], ["simulate", "wrong.toml"]] {
        let mut all = arguments.to_vec();
        if arguments[0] == "simulate" {
            all.push("--tui");
        }
        let mut terminal = Terminal::keepscope(&all, 100, 30, &folder);
        terminal.wait_for("nonsense");
        terminal.wait_for("exit=2");
        assert!(!String::from_utf8_lossy(&terminal.raw).contains("\x1b[?1049h"));
    }
    let output = keepscope(&["simulate", "peer-gone", "--tui"]);
    assert_eq!(output.status.code(), Some(2), "there is no terminal");
    assert!(String::from_utf8_lossy(&output.stderr).contains("keepscope simulate peer-gone"));
}

#[test]
fn no_colour_is_written_where_none_is_wanted_and_the_chosen_line_still_shows() {
    let folder = scratch("dashboard_no_color");
    let capture = capture_path("many.pcap");
    let words = format!("'{}' replay '{capture}'", env!("CARGO_BIN_EXE_keepscope"));
    let mut command = shell(&words, &folder);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::run(command, 80, 24);
    terminal.wait_for("END fit");
    terminal.send("j");
    terminal.wait_for("Ladder #2");
    let screen = terminal.parser.screen();
    let cells = || (0..24).flat_map(|row| (0..80).filter_map(move |column| screen.cell(row, column)));
    assert!(
        cells()
            .all(|cell| cell.fgcolor() == vt100::Color::Default && cell.bgcolor() == vt100::Color::Default)
    );
    let line = (0..24).find(|row| screen.cell(*row, 1).is_some_and(|cell| cell.contents() == "▸"));
    let line = line.expect("a chosen line");
    assert!(screen.cell(line, 10).is_some_and(|cell| cell.inverse()), "the chosen line is reversed");
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let capture = capture_path("vanish.pcap");
    for arguments in [["replay", capture.as_str()], ["dashboard", capture.as_str()]] {
        let output = keepscope(&arguments);
        assert_eq!(output.status.code(), Some(2));
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(complaint.contains("terminal") && complaint.contains("keepscope analyze"), "{complaint}");
        assert!(output.stdout.is_empty());
    }
    let output = keepscope(&[]);
    assert_eq!(output.status.code(), Some(0), "without a command and a terminal there is the short help");
    assert!(String::from_utf8_lossy(&output.stdout).contains("keepscope analyze capture.pcapng"));
}

#[test]
fn what_cannot_be_replayed_is_said_before_the_terminal_is_taken() {
    let folder = scratch("dashboard_unreadable");
    for (name, words) in [("missing.pcap", "No such file"), ("-", "only once"), (".", "no file")] {
        let mut terminal = Terminal::keepscope(&["replay", name], 100, 30, &folder);
        terminal.wait_for(words);
        terminal.wait_for("exit=2");
        assert!(!String::from_utf8_lossy(&terminal.raw).contains("\x1b[?1049h"), "{name}");
    }
    // What is damaged is shown as far as it goes, and the end says so.
    let mut octets = Pcap::of("lossy.pcap").octets();
    octets.truncate(octets.len() - 7);
    std::fs::write(folder.join("cut.pcap"), octets).expect("a file");
    let mut terminal = Terminal::keepscope(&["replay", "cut.pcap"], 100, 30, &folder);
    terminal.wait_for("16 packets");
    terminal.send("q");
    terminal.expect_sane();
    let left = terminal.contents();
    assert!(left.contains("exit=2") && left.contains("error: cut.pcap"), "{left}");
}
