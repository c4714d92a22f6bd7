//! keepscope as a program that runs beside a test: what it says, line by line, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

/// A program that runs. It is killed with the value.
pub struct Program {
    child: Child,
    out: BufReader<ChildStdout>,
    said: String,
    /// Lines of standard error; they must not fill their pipe.
    complaints: Receiver<String>,
    complained: String,
}

/// How it ended, and everything it said.
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// On standard output.
    pub out: String,
    /// On standard error.
    pub complaints: String,
}

impl Program {
    /// Runs keepscope.
    pub fn keepscope(arguments: &[&str]) -> Program {
        // What the tests were started with (nohup, a shell's &) says nothing of what signals do to it.
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP,INT,QUIT", env!("CARGO_BIN_EXE_keepscope")]).args(arguments);
        Program::start(command)
    }

    /// Runs keepscope in a namespace as root without any capability, so without rights.
    pub fn without_rights(host: &str, arguments: &[&str]) -> Program {
        let mut command = Command::new("ip");
        command.args([
            "netns",
            "exec",
            host,
            "setpriv",
            "--bounding-set",
            "-all",
            "--inh-caps",
            "-all",
            "--",
        ]);
        command.arg(env!("CARGO_BIN_EXE_keepscope")).args(arguments);
        Program::start(command)
    }

    /// Its process id.
    #[allow(dead_code)]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Runs any program.
    pub fn start(mut command: Command) -> Program {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("keepscope runs");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (say, complaints) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // Nobody may be listening any more.
                let _ = say.send(line + "\n");
            }
        });
        Program { child, out, said: String::new(), complaints, complained: String::new() }
    }

    /// Waits until it complains of something with this in it; returns that line.
    pub fn wait_for_complaint(&mut self, wanted: &str) -> String {
        loop {
            let Ok(line) = self.complaints.recv() else {
                panic!("it ended before it complained of {wanted:?}:\n{}", self.complained)
            };
            self.complained.push_str(&line);
            if line.contains(wanted) {
                return line;
            }
        }
    }

    fn rest_of_complaints(&mut self) -> String {
        self.complained.extend(self.complaints.iter());
        std::mem::take(&mut self.complained)
    }

    /// Waits until it says a line with this in it; returns that line.
    pub fn wait_for(&mut self, wanted: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.out.read_line(&mut line).expect("UTF-8");
            self.said.push_str(&line);
            if read == 0 {
                let _ = self.child.kill();
                let complaints = self.rest_of_complaints();
                panic!("it ended before it said {wanted:?}:\n{}{complaints}", self.said);
            }
            if line.contains(wanted) {
                return line;
            }
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        self.out.read_to_string(&mut self.said).expect("UTF-8");
        let code = self.child.wait().expect("its end").code();
        let complaints = self.rest_of_complaints();
        Ended { code, out: std::mem::take(&mut self.said), complaints }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The JSON document on standard output.
    pub fn document(&self) -> serde_json::Value {
        let error = |error| panic!("{error}:\n{}{}", self.out, self.complaints);
        serde_json::from_str(&self.out).unwrap_or_else(error)
    }

    /// The last line of standard output, as JSON.
    pub fn last_line(&self) -> serde_json::Value {
        let last = self.out.lines().last().unwrap_or("");
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}:\n{}{}", self.out, self.complaints))
    }
}
