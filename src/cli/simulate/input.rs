//! The scenario that is meant: one that comes with the program, a file, or standard input.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use crate::simulate::scenario::{Override, Plan, Scenario, built_in};
use crate::stack::nearest;

/// What the command line changes in it.
pub(in crate::cli) struct Given<'a> {
    pub(in crate::cli) seed: Option<u64>,
    pub(in crate::cli) set: &'a [Override],
}

/// The longest document that is read, and one octet more, so that a longer one is refused and not cut.
const MOST_OCTETS: u64 = (1 << 20) + 1;

/// Reads and checks it.
pub(in crate::cli) fn read(name: &str, given: &Given<'_>) -> Result<Plan, String> {
    let text = document(name)?;
    let place = if name == "-" { "standard input" } else { name };
    read_text(&text, place, given)
}

/// Reads and checks a document that stands in that place.
pub(super) fn read_text(text: &str, place: &str, given: &Given<'_>) -> Result<Plan, String> {
    let mut changes = given.set.to_vec();
    if let Some(seed) = given.seed {
        changes.push(format!("seed={seed}").parse()?);
    }
    Scenario::read(text, &changes).map_err(|error| match error {
        crate::simulate::scenario::ScenarioError::Override { .. } => error.to_string(),
        error => format!("{place}: {error}"),
    })
}

fn document(name: &str) -> Result<String, String> {
    if name == "-" {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Err("standard input is a terminal; pipe a scenario into it, or name one".to_owned());
        }
        return text_of(stdin.lock()).map_err(|problem| format!("standard input: {problem}"));
    }
    if let Some(found) = built_in::named(name) {
        return Ok(found.text.to_owned());
    }
    let file = match File::open(Path::new(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !name.contains(['/', '.']) => {
            let known = built_in::ALL.iter().map(|found| found.name);
            let meant =
                nearest(name, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(format!(
                "there is no scenario and no file {name:?}{meant} (--list shows the scenarios)"
            ));
        }
        Err(error) => return Err(format!("{name}: {error}")),
    };
    text_of(file).map_err(|problem| format!("{name}: {problem}"))
}

fn text_of(from: impl Read) -> Result<String, String> {
    let mut octets = Vec::new();
    from.take(MOST_OCTETS).read_to_end(&mut octets).map_err(|error| error.to_string())?;
    String::from_utf8(octets).map_err(|_| "this is no text (UTF-8)".to_owned())
}
