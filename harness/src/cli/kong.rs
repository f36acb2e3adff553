//! `harness kong`: a real Kong.

mod configure;

use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Write what a Kong on Kubernetes needs to call an upstream by mutual TLS
    Configure(configure::Configure),
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Configure(typed) => configure::run(typed),
    }
}
