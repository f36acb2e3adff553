//! `--gateway` and what goes with it, the same for every verb that brings a gateway up.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::gateway::kong::Database;
use crate::gateway::{self, Gateway, Options};
use policy_tools::Engine;

/// What was typed.
#[derive(Args)]
pub(super) struct WhichGateway {
    /// Which gateway
    #[arg(long, value_name = "KIND", default_value = "embedded", value_parser = PossibleValuesParser::new(gateway::NAMES))]
    gateway: String,
    #[command(flatten)]
    drivers: Drivers,
}

/// What drivers may be told.
#[derive(Args)]
pub(super) struct Drivers {
    /// The envoy to run, with --gateway envoy [default: envoy on PATH, else the one of `make envoy`]
    #[arg(long, value_name = "FILE", env = "ENVOY_BIN")]
    envoy_bin: Option<PathBuf>,
    /// The kong to run, with --gateway kong [default: kong on PATH]
    #[arg(long, value_name = "FILE", env = "KONG_BIN")]
    kong_bin: Option<PathBuf>,
    /// In which shell Kong runs mtls-policy [default: wasm where the Kong has it]
    #[arg(long, value_name = "ENGINE", env = "HARNESS_ENGINE", value_parser = PossibleValuesParser::new(Engine::NAMES).try_map(|name| name.parse::<Engine>()))]
    engine: Option<Engine>,
    /// Where Kong gets its configuration from, with --gateway kong [default: off]
    #[arg(long, value_name = "DATABASE", env = "HARNESS_DATABASE", value_parser = PossibleValuesParser::new(Database::NAMES).try_map(|name| name.parse::<Database>()))]
    database: Option<Database>,
    /// The image of Kong to run in a container, with --gateway docker [default: kong:3.9.3]
    #[arg(long, value_name = "IMAGE", env = "HARNESS_KONG_IMAGE")]
    image: Option<String>,
}

impl WhichGateway {
    /// # Errors
    /// It cannot run here.
    pub(super) fn find(self) -> anyhow::Result<Box<dyn Gateway>> {
        self.find_with(&[])
    }

    /// With the page, where it is asked for.
    ///
    /// # Errors
    /// It cannot run here, or has no page.
    pub(super) fn find_with_page(self, page: bool) -> anyhow::Result<Box<dyn Gateway>> {
        gateway::by_name(&self.gateway, &Options { page, ..self.drivers.options() })
    }

    /// With settings as in kong.conf, where it is a Kong.
    ///
    /// # Errors
    /// It cannot run here.
    pub(super) fn find_with(self, settings: &[(&str, &str)]) -> anyhow::Result<Box<dyn Gateway>> {
        let settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        gateway::by_name(&self.gateway, &Options { settings, ..self.drivers.options() })
    }
}

impl Drivers {
    pub(super) fn options(self) -> Options {
        let Self { envoy_bin, kong_bin, engine, database, image } = self;
        Options { envoy_bin, kong_bin, engine, database, image, ..Options::default() }
    }
}
