//! Command line: one file per verb.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs the command line of this process.
///
/// Exit codes: 0 yes; 1 the answer is no (invalid, refused, failed); 2 could not ask (usage, a missing file).
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.verb {}
}

#[derive(Parser)]
#[command(name = "harness", version, about)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {}
