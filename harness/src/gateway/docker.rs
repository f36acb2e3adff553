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
use super::{Ability, Gateway, Options, Running, Setup, Unavailable};

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

    /// In which shell mtls-policy runs: the one that is asked for, else by the version in the image's tag.
    fn shell(&self) -> anyhow::Result<super::Engine> {
        let tag = self.image.rsplit_once(':').map_or("", |(_, tag)| tag);
        Ok(super::engine::asked_for(&self.options)?.unwrap_or_else(|| super::Engine::of_version(tag)))
    }

    fn up(&self, setup: &Setup) -> anyhow::Result<Served<Container>> {
        let plugins = Plugins::find(&self.options, self.shell()?, &setup.filters)?;
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
        // One that is named wrongly is told when it is brought up.
        kong::lacks(ability, self.shell().unwrap_or(super::Engine::Native))
    }

    fn start(&self, setup: &Setup) -> anyhow::Result<Box<dyn Running>> {
        Ok(Box::new(self.up(setup)?))
    }
}

/// The newest Kong that has wasm.
pub const IMAGE: &str = "kong:3.9.3";

#[cfg(test)]
mod tests;
