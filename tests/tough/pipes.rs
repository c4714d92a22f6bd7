//! Readers that have seen enough, and output that cannot be written.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::net::{Net, SERVER};
use crate::server::serve;

/// Commands that end by themselves, or by what they cannot write.
fn commands(net: &Net, server: &str) -> Vec<String> {
    let netns = &net.client;
    vec![
        format!("probe --netns {netns} {server} --idle 20ms --octets 1 --rounds 40 --format jsonl"),
        format!("probe --netns {netns} {server} --idle 20ms --octets 1 --rounds 40"),
        format!("probe --netns {netns} {server} --kernel --rounds 2"),
        format!("watch --netns {netns} --for 2s --format jsonl"),
        format!("middlebox --no-partner --netns {netns} {server} --mode confirm=3s --format jsonl"),
        format!("check --netns {netns} --format json"),
    ]
}

fn world() -> Option<(Net, Vec<String>)> {
    let net = Net::new()?;
    let server = serve(&net, SERVER[0]).to_string();
    let commands = commands(&net, &server);
    Some((net, commands))
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let Some((_net, commands)) = world() else { return };
    for words in commands {
        let mut child = Command::new(env!("CARGO_BIN_EXE_keepscope"))
            .args(words.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("keepscope runs");
        let mut line = String::new();
        BufReader::with_capacity(1, child.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("a line");
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked") && !said.contains("error:"), "{words}: {said}");
        // Where all was written before the reader went away, it is as if it had not.
        assert!(matches!(output.status.code(), Some(0 | 4)), "{words}: {:?} {said}", output.status);
    }
}

#[test]
fn closed_and_full_outputs_are_no_reason_to_crash() {
    let Some((_net, commands)) = world() else { return };
    for words in commands {
        for (to, code, says) in
            [("2>&-", None, ""), (">&- 2>&-", None, ""), (">/dev/full", Some(2), "No space left")]
        {
            let output = Command::new("sh")
                .args(["-c", &format!("exec '{}' {words} {to}", env!("CARGO_BIN_EXE_keepscope"))])
                .output()
                .expect("a shell");
            let said = String::from_utf8_lossy(&output.stderr);
            let found = output.status.code();
            let right = match code {
                Some(_) => found == code,
                None => matches!(found, Some(0 | 4)),
            };
            assert!(
                right && said.contains(says) && !said.contains("panicked"),
                "{words} {to}: {found:?} {said}"
            );
        }
    }
}
