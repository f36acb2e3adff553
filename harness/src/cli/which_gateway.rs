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
    /// The kong to run, with --gateway kong [default: kong on PATH]
    #[arg(long, value_name = "FILE", env = "KONG_BIN")]
    kong_bin: Option<PathBuf>,
    /// The image of Kong to run in a container, with --gateway docker [default: kong:3.9.1]
    #[arg(long, value_name = "IMAGE", env = "HARNESS_KONG_IMAGE")]
    image: Option<String>,
}

impl WhichGateway {
    /// # Errors
    /// It cannot run here.
    pub(super) fn find(self) -> anyhow::Result<Box<dyn Gateway>> {
        let Self { gateway, kong_bin, image } = self;
        gateway::by_name(&gateway, &Options { kong_bin, image, ..Options::default() })
    }
}
