//! `harness certs`: certificates for mutual TLS.

mod generate;
mod inspect;
mod secrets;

use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Make an authority, a server certificate and client certificates, and Kubernetes Secrets of them
    Generate(generate::Generate),
    /// What there is to know about certificates in files, directories and Secrets, or of a server
    Inspect(inspect::Inspect),
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Generate(generate) => generate::run(generate),
        Verb::Inspect(inspect) => inspect::run(inspect),
    }
}
