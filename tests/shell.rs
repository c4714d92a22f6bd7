//! Completions and manual pages: every command and option is there, shells complete, and pages are well formed.

mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{has, keepscope, scratch, text};

/// Each command, also inside of others, with its long options.
fn definition() -> BTreeMap<Vec<String>, Vec<String>> {
    fn gather(command: &clap::Command, path: &[String], all: &mut BTreeMap<Vec<String>, Vec<String>>) {
        let options = command.get_arguments().filter_map(|one| Some(format!("--{}", one.get_long()?)));
        all.insert(path.to_vec(), options.collect());
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            let path: Vec<String> = path.iter().cloned().chain([inner.get_name().to_owned()]).collect();
            gather(inner, &path, all);
        }
    }
    let mut command = keepscope::cli::definition();
    command.build();
    let mut all = BTreeMap::new();
    gather(&command, &[], &mut all);
    assert!(all.len() > 20 && all.values().all(|options| options.contains(&"--help".to_owned())));
    all
}

fn script(shell: &str) -> String {
    let output = keepscope(&["completions", shell]);
    assert!(output.status.success(), "{shell}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What bash offers for the last of these words.
fn bash(file: &Path, words: &[&str]) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let place = words.len() - 1;
    let (last, before) = (words[place], words[place - 1]);
    let line = format!(
        "compopt() {{ :; }}; source '{}'; COMP_WORDS=({}); COMP_CWORD={place}; $(complete -p keepscope | sed 's/.*-F \\([^ ]*\\).*/\\1/') \
         keepscope '{last}' '{before}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        text(file),
        quoted.join(" "),
    );
    let output = Command::new("bash").args(["--norc", "-c", &line]).output().expect("bash");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{words:?}: {complaint}");
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_every_command_and_option() {
    if !has("bash") {
        return;
    }
    let file = scratch("shell-bash").join("keepscope.bash");
    std::fs::write(&file, script("bash")).expect("a file");
    for (path, options) in definition() {
        let path: Vec<&str> = ["keepscope"].into_iter().chain(path.iter().map(String::as_str)).collect();
        if let [before @ .., last] = path.as_slice()
            && !before.is_empty()
        {
            let (begin, _) = last.split_at(3);
            let offered = bash(&file, &[before, &[begin]].concat());
            assert!(offered.contains(&(*last).to_owned()), "{path:?}: {offered:?}");
        }
        let offered = bash(&file, &[&path[..], &["--"]].concat());
        for option in options {
            assert!(offered.contains(&option), "{path:?} {option}: {offered:?}");
        }
    }
}

#[test]
fn bash_completes_names_values_and_files() {
    if !has("bash") {
        return;
    }
    let folder = scratch("shell-names");
    let file = folder.join("keepscope.bash");
    std::fs::write(&file, script("bash")).expect("a file");
    let one = |words: &[&str], wanted: &str| {
        let offered = bash(&file, words);
        assert!(offered.contains(&wanted.to_owned()), "{words:?}: {offered:?}");
    };
    one(&["keepscope", "products", "aws-n"], "aws-nlb");
    one(&["keepscope", "recommend", "--behind", "aws-n"], "aws-nlb");
    one(&["keepscope", "stacks", "free"], "freebsd");
    one(&["keepscope", "predict", "--preset", "postgres"], "postgresql");
    one(&["keepscope", "analyze", "--format", "js"], "jsonl");
    one(&["keepscope", "completions", "el"], "elvish");
    let settings = folder.join("settings.toml");
    std::fs::write(&settings, "").expect("a file");
    let begin = folder.join("sett");
    one(&["keepscope", "analyze", "--config", text(&begin)], text(&settings));
    // Where nothing is offered, bash itself completes names of files.
    assert_eq!(bash(&file, &["keepscope", "analyze", text(&begin)]), [""]);
    assert!(script("bash").contains("-o bashdefault -o default"));
}

#[test]
fn fish_completes_and_zsh_reads_its_script() {
    let folder = scratch("shell-others");
    if has("fish") {
        let file = folder.join("keepscope.fish");
        std::fs::write(&file, script("fish")).expect("a file");
        let offered = |line: &str| {
            let words = format!("source '{}'; complete -C '{line}'", text(&file));
            common::run("fish", &["--no-config", "-c", &words])
        };
        assert!(offered("keepscope ana").starts_with("analyze"), "{}", offered("keepscope ana"));
        assert!(offered("keepscope recommend --behind aws-n").contains("aws-nlb"));
        assert!(offered("keepscope analyze --fo").contains("--format"));
    }
    if has("zsh") {
        let file = folder.join("_keepscope");
        std::fs::write(&file, script("zsh")).expect("a file");
        common::run("zsh", &["-n", text(&file)]);
    }
}

#[test]
fn scripts_for_all_shells_have_every_option() {
    let all = definition();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = script(shell);
        for (path, options) in &all {
            for option in options {
                // fish writes them without their dashes.
                let option = if shell == "fish" { option.trim_start_matches('-') } else { option };
                assert!(script.contains(option), "{shell}: {path:?} {option}");
            }
        }
    }
}

/// The pages of all commands.
fn pages(name: &str) -> PathBuf {
    let folder = scratch(name);
    let output = keepscope(&["man", text(&folder)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

#[test]
fn there_is_a_page_for_each_command_with_every_option() {
    let folder = pages("shell-man");
    let all = definition();
    for (path, options) in &all {
        let name: Vec<&str> = ["keepscope"].into_iter().chain(path.iter().map(String::as_str)).collect();
        let page = std::fs::read_to_string(folder.join(format!("{}.1", name.join("-")))).expect("a page");
        for option in options {
            let written = option.replace('-', "\\-");
            assert!(page.contains(&written), "{path:?} {option}");
        }
    }
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), all.len());
    let main = keepscope(&["man"]).stdout;
    assert_eq!(main, std::fs::read(folder.join("keepscope.1")).expect("a page"));
    assert_eq!(keepscope(&["man", "-"]).stdout, main);
    let refused = keepscope(&["man", "/proc/no/such"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn pages_are_well_formed_and_keep_examples_as_they_are() {
    let folder = pages("shell-man-checked");
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let page = entry.expect("a page").path();
        if has("groff") {
            let arguments = ["-man", "-ww", "-b", "-z", "-K", "utf8", "-T", "utf8", text(&page)];
            let output = Command::new("groff").args(arguments).output().expect("groff");
            assert!(
                output.stderr.is_empty(),
                "{}: {}",
                page.display(),
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    if has("groff") {
        let mut shown = Command::new("groff")
            .args(["-man", "-K", "utf8", "-T", "utf8", "-P", "-c", "-P", "-b", "-P", "-u"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("groff");
        let page = std::fs::read(folder.join("keepscope-analyze.1")).expect("a page");
        shown.stdin.take().expect("a pipe").write_all(&page).expect("written");
        let shown = String::from_utf8_lossy(&shown.wait_with_output().expect("a page").stdout).into_owned();
        let help = String::from_utf8(keepscope(&["analyze", "--help"]).stdout).expect("UTF-8");
        let examples: Vec<&str> =
            help.lines().filter(|line| line.trim_start().starts_with("keepscope ")).collect();
        assert!(examples.len() > 2);
        for example in examples {
            assert!(shown.contains(example.trim()), "{example}\n{shown}");
        }
    }
}
