//! Who is asked, and who is not here to be asked.

use super::core::Core;
use super::gateway::Whole;
use super::key_auth::KeyAuth;
use super::wasm::Module;
use super::{Column, Host};
use crate::cases::Suite;
use crate::gateway::{self, Gateway, Options, Unavailable};
use crate::progress;
use policy_tools::Engine;

/// Everybody's answers.
#[derive(Default)]
pub struct Lineup {
    pub columns: Vec<Column>,
    pub absent: Vec<Absent>,
}

/// A host that is not here.
pub struct Absent {
    pub host: String,
    pub why: String,
}

impl Lineup {
    /// Asks the core and the module, and of the other hosts those of these names.
    ///
    /// # Errors
    /// A host that is here could not be asked.
    pub fn ask(names: &[&str], options: &Options, suites: &[Suite]) -> anyhow::Result<Self> {
        let mut lineup = Self::default();
        progress::at("asking the core");
        lineup.add(&Core::default(), suites)?;
        progress::at("asking the module");
        lineup.add(&Module::load()?, suites)?;
        for name in names {
            progress::at(format!("asking {name}"));
            let found = gateway_of(name, options);
            let asked = found.and_then(|gateway| lineup.gateway(name, &*gateway, suites));
            match asked {
                Err(error) if error.is::<Unavailable>() => {
                    lineup.absent.push(Absent { host: (*name).to_owned(), why: format!("{error:#}") });
                }
                asked => asked?,
            }
        }
        Ok(lineup)
    }

    fn gateway(&mut self, name: &str, gateway: &dyn Gateway, suites: &[Suite]) -> anyhow::Result<()> {
        match name {
            KEY_AUTH => self.add(&KeyAuth::up(gateway, suites)?, suites),
            _ => self.add(&Whole::up(name, gateway, suites)?, suites),
        }
    }

    fn add(&mut self, host: &dyn Host, suites: &[Suite]) -> anyhow::Result<()> {
        self.columns.push(Column::of(host, suites)?);
        Ok(())
    }

    /// How many answers are neither as owed nor a difference with a reason.
    pub fn wrong(&self) -> usize {
        self.columns.iter().map(|column| column.wrong().count()).sum()
    }
}

/// A Kong is asked once in each of its engines, and key-auth is Kong's.
fn gateway_of(name: &str, options: &Options) -> anyhow::Result<Box<dyn Gateway>> {
    let with = |engine| Options { engine: Some(engine), ..options.clone() };
    match name {
        "kong" | KEY_AUTH => gateway::by_name("kong", &with(Engine::Wasm)),
        KONG_NATIVE => gateway::by_name("kong", &with(Engine::Native)),
        DOCKER_NATIVE => gateway::by_name("docker", &with(Engine::Native)),
        _ => gateway::by_name(name, options),
    }
}

/// All who may be asked beside the core and the module.
pub fn others() -> impl Iterator<Item = &'static str> {
    gateway::NAMES.into_iter().chain([KONG_NATIVE, DOCKER_NATIVE, KEY_AUTH])
}

/// A Kong with the native engine, whatever else it can carry.
const KONG_NATIVE: &str = "kong-native";

/// Likewise in a container.
const DOCKER_NATIVE: &str = "docker-native";

const KEY_AUTH: &str = "key-auth";
