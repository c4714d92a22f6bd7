//! Another program, in Python, that a test drives line by line.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// It runs. It ends with the value.
pub struct Python {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Python {
    /// Runs a script of `tests/`, in the namespace that is the first of these words and by those that follow it.
    pub fn run(words: &[&str], script: &str, arguments: &[&str]) -> Python {
        let mut child = Command::new("ip")
            .args(["netns", "exec"])
            .args(words)
            .arg("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Python { child, stdin, stdout }
    }

    /// Waits until it says that; what follows in the line.
    pub fn says(&mut self, word: &str) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        let said = line.strip_prefix(word).unwrap_or_else(|| panic!("{line:?} instead of {word}"));
        said.trim().to_owned()
    }

    /// Tells it to do something; what it answers.
    pub fn tell(&mut self, command: &str, answer: &str) -> String {
        writeln!(self.stdin, "{command}").expect("it lives");
        self.says(answer)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it.
    pub fn kill(&mut self) {
        self.child.kill().expect("it lives");
        self.child.wait().expect("its end");
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
