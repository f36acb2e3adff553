//! Kong in a container, run without a database by the Docker or Podman of this machine.
//!
//! The container sees this host's network and, at their own paths, the directories that it needs, so that one config
//! is right on both sides. What a harness leaves that is killed can be told by its label, [`container::LABEL`].

mod container;
mod engine;
mod image;
mod mounts;

use std::env;

use container::Container;
use engine::ContainerEngine;

use super::kong::{self, Plugins, Served, serve};
use super::{Ability, Engine, Gateway, Options, Running, Setup, Unavailable};

/// Runs a Kong's image.
pub struct Docker {
    engine: ContainerEngine,
    image: String,
    options: Options,
}

impl Docker {
    /// # Errors
    /// No engine of this machine answers, or it cannot get the image.
    pub fn find(options: &Options) -> Result<Self, Unavailable> {
        let named = || env::var("HARNESS_KONG_IMAGE").ok().filter(|value| !value.is_empty());
        let image = options.image.clone().or_else(named).unwrap_or_else(|| IMAGE.to_owned());
        let engine = ContainerEngine::find()?;
        image::provide(&engine, &image)?;
        Ok(Self { engine, image, options: options.clone() })
    }

    /// The one that is asked for, else the one that [`IMAGE`] can carry.
    fn shell(&self) -> anyhow::Result<Engine> {
        let asked = self.options.engine.map_or_else(Engine::of_environment, |engine| Ok(Some(engine)))?;
        Ok(asked.unwrap_or(Engine::Wasm))
    }

    fn up(&self, setup: &Setup) -> anyhow::Result<Served<Container>> {
        let plugins = Plugins::find(&self.options, self.shell()?)?;
        serve(setup, &plugins, &self.options, |settings, _| {
            Container::start(&self.engine, &self.image, setup, settings, &plugins)
        })
    }
}

impl Gateway for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn lacks(&self, ability: Ability) -> Option<&'static str> {
        kong::lacks(ability)
    }

    fn start(&self, setup: &Setup) -> anyhow::Result<Box<dyn Running>> {
        Ok(Box::new(self.up(setup)?))
    }
}

/// The newest Kong that has wasm.
pub const IMAGE: &str = "kong:3.9.1";

#[cfg(test)]
mod tests;
