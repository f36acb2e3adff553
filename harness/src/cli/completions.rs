//! `harness completions`: for a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, print};

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  harness completions bash > /etc/bash_completion.d/harness
  harness completions zsh > \"${fpath[1]}/_harness\"
  harness completions fish > ~/.config/fish/completions/harness.fish

Exit codes: 0 here they are; 2 usage.")]
pub(super) struct Typed {
    shell: Shell,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(typed.shell, &mut Cli::command(), "harness", &mut script);
    print(&String::from_utf8(script)?)
}
