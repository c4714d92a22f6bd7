//! `keepscope man`: the manual pages, from the definition of the command line.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap_mangen::Man;
use roff::{Roff, roman};

use super::{Exit, complain};

const EXAMPLES: &str = "\
Examples:
  keepscope man | man -l -                        the page of keepscope itself
  keepscope man ~/.local/share/man/man1           a page for each command too: man keepscope-analyze";

/// Where to.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A folder for the pages of all commands, or - for the first page on standard output
    #[arg(value_name = "DIR", default_value = "-")]
    folder: PathBuf,
}

/// Writes the pages.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    let mut command = super::definition().disable_help_subcommand(true);
    command.build();
    if arguments.folder == Path::new("-") {
        io::stdout().lock().write_all(&page(&command)?)?;
        return Ok(Exit::Done);
    }
    let written =
        std::fs::create_dir_all(&arguments.folder).and_then(|()| write_all(&command, &arguments.folder));
    match written {
        Ok(()) => Ok(Exit::Done),
        Err(error) => {
            complain(&format!("error: {}: {error}", arguments.folder.display()));
            Ok(Exit::BadInput)
        }
    }
}

/// The page of a command and those of the commands inside it.
fn write_all(command: &clap::Command, folder: &Path) -> io::Result<()> {
    command.get_subcommands().try_for_each(|inner| write_all(inner, folder))?;
    std::fs::write(folder.join(format!("{}.1", name(command))), page(command)?)
}

/// keepscope-config-check for the command check inside config.
fn name(command: &clap::Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// A page; what stands after the help as sections of its own, with its lines as they are.
fn page(command: &clap::Command) -> io::Result<Vec<u8>> {
    let after = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string);
    let bare = command.clone().after_help("").after_long_help("");
    let man = Man::new(bare)
        .title(name(command).to_uppercase())
        .source(concat!("keepscope ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)?;
    }
    sections(after.as_deref().unwrap_or_default()).to_writer(&mut out)?;
    Ok(out)
}

/// Text with indented lines, which stay as they are, and paragraphs; one that is named before indented lines, as
/// examples are, begins a section.
fn sections(text: &str) -> Roff {
    let mut page = Roff::new();
    let mut lines = text.lines().peekable();
    let mut in_section = false;
    let mut begin = |page: &mut Roff, title: &str| {
        if !std::mem::replace(&mut in_section, true) || title != "NOTES" {
            page.control("SH", [title]);
        } else {
            page.control("PP", []);
        }
    };
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let indented = |line: &str| line.starts_with(' ');
        if indented(line) {
            page.control("RS", ["0"]).control("nf", []);
            let mut next = Some(line);
            while let Some(line) = next {
                page.text([roman(line)]);
                next = lines.next_if(|line| indented(line) || line.is_empty());
            }
            page.control("fi", []).control("RE", []);
            continue;
        }
        let title = line.strip_suffix(':').filter(|title| title.len() < 20);
        match title.filter(|_| lines.peek().is_some_and(|line| indented(line))) {
            Some(title) => begin(&mut page, &title.to_uppercase()),
            None => {
                begin(&mut page, "NOTES");
                page.text([roman(line)]);
                while let Some(line) = lines.next_if(|line| !indented(line) && !line.is_empty()) {
                    page.text([roman(line)]);
                }
            }
        }
    }
    page
}
