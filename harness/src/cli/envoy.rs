//! `harness envoy`: Kong's declarative config for an Envoy that runs without this harness.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{Usage, print};
use crate::gateway;
use crate::gateway::envoy::{VERSION, translate};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Print the config that Envoy takes for a declarative config of Kong's
    Config(Typed),
}

/// What was typed.
#[derive(Args)]
#[command(
    after_help = "What is printed is YAML, to be written to a .yaml file: envoy --mode validate -c envoy.yaml accepts it.
What Envoy does not do by itself stands in its first lines.

Example:
  harness envoy config kong.yml --sds secrets > envoy.yaml"
)]
pub(super) struct Typed {
    /// Kong's declarative config, YAML or JSON
    #[arg(value_name = "FILE")]
    config: PathBuf,
    /// Write secrets to this directory, one file each, for Envoy to take over what changes in them (SDS)
    #[arg(long, value_name = "DIR")]
    sds: Option<PathBuf>,
    /// Where Envoy is to serve clients
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    proxy: SocketAddr,
    /// Directory of NAME.wasm, where Envoy finds it too [default: HARNESS_FILTERS, else where `make filter` puts them]
    #[arg(long, value_name = "DIR")]
    filters: Option<PathBuf>,
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    let Verb::Config(Typed { config, sds, proxy, filters }) = verb;
    if !config.is_file() {
        return Err(Usage(vec![format!("{}: no such file", config.display())]).into());
    }
    let filters = filters.map_or_else(gateway::filters, Ok)?;
    let translated = translate(&config, &filters, proxy, sds.as_deref())?;
    let document = serde_json::to_string_pretty(&translated).context("cannot write JSON")?;
    let rotation = if sds.is_some() { ROTATES } else { FIXED };
    print(&format!("# {} for Envoy {VERSION}\n{rotation}{LIMITS}{document}\n", config.display()))
}

const ROTATES: &str = "#
# Certificates, keys and trust anchors are taken over when their files change, chain and key together; what is broken
# leaves the last good ones in force. Connections that are open go on under those before.
";

const FIXED: &str = "#
# Certificates, keys and trust anchors are read once, at start: with --sds Envoy takes over new ones.
";

const LIMITS: &str = "# Envoy does not look at the dates of what it presents: an expired client certificate is presented until its files
# change, unlike under `harness gateway --gateway envoy`, and on Kong.
";
