//! A local `kong` in a directory of its own: without a database, with Postgres, or in hybrid mode.

mod admin;
mod cluster;
mod database;
mod directory;
mod entities;
mod last_words;
mod listeners;
mod plugins;
mod postgres;
mod probe;
mod process;
mod served;
mod settings;
mod sync;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use cluster::Cluster;
use process::Process;

use super::{Ability, Engine, Gateway, Options, Running, Setup, Unavailable};

pub use database::Database;
pub(super) use directory::Directory;
pub(super) use last_words::essence;
pub(super) use listeners::Listeners;
pub(super) use plugins::Plugins;
pub(super) use served::{Host, Served, serve};
pub(super) use settings::Settings;

/// Runs a `kong` of this machine.
#[derive(Clone, Debug)]
pub struct Kong {
    bin: PathBuf,
    options: Options,
}

impl Kong {
    /// # Errors
    /// There is no `kong` here.
    pub fn find(options: &Options) -> Result<Self, Unavailable> {
        let named = options
            .kong_bin
            .clone()
            .or_else(|| env::var_os("KONG_BIN").filter(|value| !value.is_empty()).map(PathBuf::from));
        let bin = named.or_else(on_path).ok_or_else(|| {
            Unavailable("no kong on PATH: install Kong, or set KONG_BIN or --kong-bin".to_owned())
        })?;
        match bin.canonicalize() {
            Ok(found) if found.is_file() => Ok(Self { bin: found, options: options.clone() }),
            _ => Err(Unavailable(format!("{} is no kong: set KONG_BIN or --kong-bin", bin.display()))),
        }
    }
}

impl Gateway for Kong {
    fn name(&self) -> &'static str {
        "kong"
    }

    fn lacks(&self, ability: Ability) -> Option<&'static str> {
        if Database::selected(&self.options).unwrap_or(Database::Off) != Database::Off {
            match ability {
                Ability::SharesDatabase => return None,
                Ability::ForgetsPolicies => {
                    return Some(
                        "LuaJIT's allocator keeps what a worker needed for the Admin API, so that its memory tells nothing \
                         of policies",
                    );
                }
                _ => {}
            }
        }
        // One that is named wrongly is told when it is brought up.
        lacks(ability, self.engine().unwrap_or(Engine::Native))
    }

    fn start(&self, setup: &Setup) -> anyhow::Result<Box<dyn Running>> {
        let database = Database::selected(&self.options)?;
        if database == Database::Off {
            let several =
                "several nodes need a database that they share: HARNESS_DATABASE=postgres or hybrid";
            ensure!(self.options.nodes <= 1, Unavailable(several.to_owned()));
            return Ok(Box::new(self.up(setup)?));
        }
        let plugins = Plugins::find(&self.options, self.engine()?, &setup.filters)?.with_probe();
        Ok(Box::new(Cluster::start(&self.bin, setup, &self.options, &plugins, database)?))
    }
}

impl Kong {
    /// The one that is asked for, else the one that this Kong can carry.
    fn engine(&self) -> anyhow::Result<Engine> {
        if let Some(engine) = super::engine::asked_for(&self.options)? {
            return Ok(engine);
        }
        let output = Command::new(&self.bin).arg("version").current_dir("/").output();
        let output = output.with_context(|| format!("cannot run {} version", self.bin.display()))?;
        Ok(Engine::of_version(&String::from_utf8_lossy(&output.stdout)))
    }

    fn up(&self, setup: &Setup) -> anyhow::Result<Served<Process>> {
        let plugins = Plugins::find(&self.options, self.engine()?, &setup.filters)?;
        serve(setup, &plugins, &self.options, |settings, _| Process::start(&self.bin, settings, &plugins))
    }
}

/// As seen of Kong 3.9.1.
pub(super) fn lacks(ability: Ability, engine: Engine) -> Option<&'static str> {
    match ability {
        Ability::NamesConsumers | Ability::ReadsBodies | Ability::ReadsConsumersFiles
            if engine == Engine::Wasm =>
        {
            Some("a filter sees no body before it has to decide, has no files, and tells Kong of no consumer")
        }
        Ability::ForgetsPolicies if engine == Engine::Wasm => Some(
            "Kong's wasm keeps every config that a filter ever had, and tells a filter of none that is gone",
        ),
        Ability::KeepsLastPolicy if engine == Engine::Wasm => {
            Some("an invalid policy closes its route: Kong's wasm keeps no last good one")
        }
        Ability::AnswersEarly => Some("nginx sends no more of a request's body once the response has begun"),
        Ability::RefusesCommonNames => {
            Some("nginx takes the subject's common name where a certificate has no other (X509_check_host)")
        }
        Ability::RefusesEarlyPlaintext => {
            Some("the nginx of Kong 3.9 takes plain HTTP before the handshake for an answer (CVE-2026-1642)")
        }
        Ability::ChecksNames => Some("nginx compares an upstream's certificate with the host alone"),
        Ability::SeesRequests => Some("nginx does not tell whether an upstream has asked for a certificate"),
        Ability::ResumesSessions => Some("Kong resumes no TLS session towards upstreams"),
        Ability::EnvoysOwn => Some("Kong has none of Envoy's own filters"),
        Ability::DecidesLast if engine == Engine::Native => {
            Some("the plugin decides where key-auth does, before most of Kong's own")
        }
        Ability::SharesDatabase => {
            Some("this Kong has no database: set HARNESS_DATABASE to postgres or hybrid")
        }
        Ability::RunsFilters if engine == Engine::Native => Some("a plugin decides here, and no filter runs"),
        Ability::BoundsChains
        | Ability::DecidesLast
        | Ability::ForgetsPolicies
        | Ability::KeepsLastPolicy
        | Ability::KongsOwn
        | Ability::NamesConsumers
        | Ability::ReadsBodies
        | Ability::ReadsConsumersFiles
        | Ability::RepeatsSafeRequests
        | Ability::RestartsWorkers
        | Ability::RunsFilters
        | Ability::StreamsProtocols
        | Ability::TellsMetrics
        | Ability::TellsSlowHandshakes => None,
    }
}

fn on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join("kong")).find(|bin| Path::is_file(bin))
}

#[cfg(test)]
pub(super) mod door;
#[cfg(test)]
mod tests;
