//! `harness man`: manual pages.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};

use super::Cli;

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
Example:
  harness man /usr/local/share/man/man1

Exit codes: 0 they are written; 1 they could not be; 2 usage.")]
pub(super) struct Typed {
    /// Where to write them: harness.1 and one for each verb, harness-VERB.1
    directory: PathBuf,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { directory } = typed;
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    clap_mangen::generate_to(Cli::command(), &directory)
        .with_context(|| format!("cannot write into {}", directory.display()))
}
