//! `harness certs`: certificates for mutual TLS.

mod generate;
mod inspect;
mod renew;
mod revoke;
mod rotate_ca;
mod watch;

use std::path::Path;

use clap::Subcommand;

use super::Usage;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Make an authority, a server certificate and client certificates, and Kubernetes Secrets of them
    Generate(generate::Generate),
    /// What there is to know about certificates in files, directories and Secrets, or of a server
    Inspect(inspect::Inspect),
    /// New keys and certificates in the place of some, from the same authority and under the same names
    Renew(renew::Renew),
    /// Say that certificates are not vouched for any more, in a list that servers and gateways check (ca.crl)
    Revoke(revoke::Revoke),
    /// Another authority in the place of one, in three steps without a hop that fails
    RotateCa(rotate_ca::RotateCa),
    /// Renew certificates before they expire, again and again or once
    Watch(watch::Watch),
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Generate(generate) => generate::run(generate),
        Verb::Inspect(inspect) => inspect::run(inspect),
        Verb::Renew(renew) => renew::run(renew),
        Verb::Revoke(revoke) => revoke::run(revoke),
        Verb::RotateCa(rotate) => rotate_ca::run(rotate),
        Verb::Watch(watch) => watch::run(watch),
    }
}

/// What is done in an authority's name needs one.
fn need_authority(directory: &Path) -> Result<(), Usage> {
    match directory.join("ca.crt").is_file() {
        true => Ok(()),
        false => Err(Usage(vec![format!(
            "no ca.crt in {}: `harness certs generate` makes an authority, and --ca-dir says where one is",
            directory.display()
        )])),
    }
}
