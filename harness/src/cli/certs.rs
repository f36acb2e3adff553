//! `harness certs`: certificates for mutual TLS.

mod generate;

use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Make an authority, a server certificate and client certificates, and Kubernetes Secrets of them
    Generate(generate::Generate),
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Generate(generate) => generate::run(generate),
    }
}
