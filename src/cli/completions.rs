//! `keepscope completions`: what a shell completes, from the definition of the command line.

use std::io::{self, Write};

use clap::Args;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap_complete::Shell;

use super::Exit;
use crate::product::Product;
use crate::stack::{Preset, Stack};

const EXAMPLES: &str = "\
Examples:
  keepscope completions bash > ~/.local/share/bash-completion/completions/keepscope
  keepscope completions fish > ~/.config/fish/completions/keepscope.fish
  keepscope completions zsh > ~/.zfunc/_keepscope           with fpath+=~/.zfunc before compinit in ~/.zshrc";

/// For which shell.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Writes the completions to standard output.
pub(super) fn run(arguments: &Arguments) -> io::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::definition(), "keepscope", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(Exit::Done)
}

/// A name out of a table: shells complete it, and any text is taken, so that the command itself can say which names
/// come nearest to one that is not there.
#[derive(Clone)]
pub(super) struct Names(fn() -> Vec<&'static str>);

impl Names {
    /// Of the products.
    pub(super) fn of_products() -> Self {
        Names(|| Product::all().iter().map(|product| product.name).collect())
    }

    /// Of the stacks.
    pub(super) fn of_stacks() -> Self {
        Names(|| Stack::all().iter().map(|stack| stack.name).collect())
    }

    /// Of the applications.
    pub(super) fn of_presets() -> Self {
        Names(|| Preset::all().iter().map(|preset| preset.name).collect())
    }

    /// Of stacks and applications.
    pub(super) fn of_stacks_and_presets() -> Self {
        Names(|| {
            let stacks = Stack::all().iter().map(|stack| stack.name);
            stacks.chain(Preset::all().iter().map(|preset| preset.name)).collect()
        })
    }
}

impl TypedValueParser for Names {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.0)().into_iter().map(PossibleValue::new)))
    }
}
