//! `--gateway` and what goes with it, the same for every verb that brings a gateway up.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::gateway::{self, Gateway, Options};

/// What was typed.
#[derive(Args)]
pub(super) struct WhichGateway {
    /// Which gateway
    #[arg(long, value_name = "KIND", default_value = "embedded", value_parser = PossibleValuesParser::new(gateway::NAMES))]
    gateway: String,
    /// The envoy to run, with --gateway envoy [default: envoy on PATH, else the one of `make envoy`]
    #[arg(long, value_name = "FILE", env = "ENVOY_BIN")]
    envoy_bin: Option<PathBuf>,
    /// The kong to run, with --gateway kong [default: kong on PATH]
    #[arg(long, value_name = "FILE", env = "KONG_BIN")]
    kong_bin: Option<PathBuf>,
}

impl WhichGateway {
    /// # Errors
    /// It cannot run here.
    pub(super) fn find(self) -> anyhow::Result<Box<dyn Gateway>> {
        let Self { gateway, envoy_bin, kong_bin } = self;
        gateway::by_name(&gateway, &Options { envoy_bin, kong_bin, ..Options::default() })
    }
}
