//! `--gateway` and what goes with it, the same for every verb that brings a gateway up.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::gateway::{self, Engine, Gateway, Options};

/// What was typed.
#[derive(Args)]
pub(super) struct WhichGateway {
    /// Which gateway
    #[arg(long, value_name = "KIND", default_value = "embedded", value_parser = PossibleValuesParser::new(gateway::NAMES))]
    gateway: String,
    /// The kong to run, with --gateway kong [default: kong on PATH]
    #[arg(long, value_name = "FILE", env = "KONG_BIN")]
    kong_bin: Option<PathBuf>,
    /// In which shell Kong runs mtls-policy [default: wasm where the Kong has it]
    #[arg(long, value_name = "ENGINE", env = "HARNESS_ENGINE", value_parser = PossibleValuesParser::new(Engine::NAMES))]
    engine: Option<String>,
}

impl WhichGateway {
    /// # Errors
    /// It cannot run here.
    pub(super) fn find(self) -> anyhow::Result<Box<dyn Gateway>> {
        let engine = self.engine.map(|name| name.parse()).transpose()?;
        gateway::by_name(&self.gateway, &Options { kong_bin: self.kong_bin, engine, ..Options::default() })
    }
}
