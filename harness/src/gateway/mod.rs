//! Gateways under one interface, so that the same policy file and the same tests run on each.
//!
//! A suite sees [`Gateway`] and [`Running`] only; a driver knows its own gateway only.

mod ability;
mod ask;
pub mod docker;
pub mod embedded;
mod engine;
pub mod envoy;
pub mod kong;
mod wait;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;

use crate::shipped;

pub use ability::Ability;
pub use engine::{asked_for, native_library};
use policy_tools::Engine;

/// What a gateway is brought up with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Kong's declarative config (YAML or JSON).
    pub config: PathBuf,
    /// Directory of `NAME.wasm` and `NAME.meta.json`, as Kong's `wasm_filters_path`.
    pub filters: PathBuf,
    /// Where clients are served; port 0 lets the system choose.
    pub proxy: SocketAddr,
    /// Where status and metrics are served; absent: nowhere.
    pub status: Option<SocketAddr>,
}

/// Where one node listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub proxy: SocketAddr,
    /// Kong's Admin API: that of the control plane, in hybrid mode.
    pub admin: Option<SocketAddr>,
}

/// A kind of gateway that can be brought up.
pub trait Gateway: Send + Sync {
    /// The name by which `--gateway` knows it.
    fn name(&self) -> &'static str;

    /// Why this gateway does not do what others do; `None`: it does.
    fn lacks(&self, ability: Ability) -> Option<&'static str>;

    /// The header of a response that has the request's id, in lower case.
    fn request_id_header(&self) -> &'static str {
        "x-kong-request-id"
    }

    /// Brings a gateway up and returns once it serves.
    ///
    /// # Errors
    /// The config is refused (every problem with its line), or the gateway cannot run here.
    fn start(&self, setup: &Setup) -> anyhow::Result<Box<dyn Running>>;
}

/// A gateway that serves. Dropping it takes it down and removes what it left.
pub trait Running: Send + Sync {
    /// Where clients are served.
    fn proxy(&self) -> SocketAddr;

    /// Where status and metrics are served.
    fn status(&self) -> Option<SocketAddr>;

    /// Takes over the config file as it is now; requests go on being served meanwhile.
    ///
    /// # Errors
    /// The new config is refused; the one before stays in force.
    fn reload(&self) -> anyhow::Result<()>;

    /// Starts its workers anew, with the config file as it is now; requests go on being served meanwhile.
    ///
    /// # Errors
    /// It lacks [`Ability::RestartsWorkers`], or the config is refused.
    fn restart_workers(&self) -> anyhow::Result<()> {
        anyhow::bail!("this gateway cannot restart its workers")
    }

    /// The nodes that serve clients: more than one with [`Options::nodes`].
    fn nodes(&self) -> Vec<Addresses> {
        vec![Addresses { proxy: self.proxy(), admin: None }]
    }

    /// Waits until every worker of every node works with all that the Admin API has been told so far. Calls
    /// `plugins_are_current` when this holds for routes and Kong's own plugins, as key-auth; filters may come later.
    ///
    /// # Errors
    /// This gateway has no database, or its workers do not take the changes over.
    fn await_changes(&self, _plugins_are_current: &mut dyn FnMut()) -> anyhow::Result<()> {
        anyhow::bail!("this gateway has no database")
    }

    /// Ends the nodes' connections to their database and rejects new ones, or accepts them again.
    ///
    /// # Errors
    /// This gateway has no database.
    fn set_database_available(&self, _is_available: bool) -> anyhow::Result<()> {
        anyhow::bail!("this gateway has no database")
    }

    /// What the gateway has logged so far.
    fn log(&self) -> String;

    /// Ids of the processes that serve requests; none where that is this process.
    fn processes(&self) -> Vec<u32> {
        Vec::new()
    }
}

/// Where the filters are: `HARNESS_FILTERS`, else the nearest `target/filters` above this executable, where `make filter`
/// puts them and a release has them.
///
/// # Errors
/// There is no such directory.
pub fn filters() -> anyhow::Result<PathBuf> {
    if let Some(directory) = std::env::var_os("HARNESS_FILTERS") {
        return Ok(directory.into());
    }
    shipped::place("target/filters").context(
        "no target/filters above this executable: run `make filter`, or say by HARNESS_FILTERS where filters are",
    )
}

/// Gateways by the names that `--gateway` takes.
pub const NAMES: [&str; 4] = ["embedded", "envoy", "kong", "docker"];

/// What a driver may be told; what is absent it finds by itself.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The `envoy` to run. Absent: `ENVOY_BIN`, else `envoy` on PATH, else the one that `make envoy` has installed.
    pub envoy_bin: Option<PathBuf>,
    /// The `kong` to run. Absent: `KONG_BIN`, else `kong` on PATH.
    pub kong_bin: Option<PathBuf>,
    /// The image of Kong to run in a container. Absent: `HARNESS_KONG_IMAGE`, else [`docker::IMAGE`].
    pub image: Option<String>,
    /// In which shell Kong runs mtls-policy. Absent: `HARNESS_ENGINE`, else the filter where the Kong has wasm.
    pub engine: Option<Engine>,
    /// Where a local Kong gets its configuration from. Absent: `HARNESS_DATABASE`, else a declarative file.
    pub database: Option<kong::Database>,
    /// How many nodes of a local Kong share the database; 0 means 1.
    pub nodes: usize,
    /// Lua plugins, `NAME/handler.lua`. Absent: those of this source tree.
    pub plugins: Option<PathBuf>,
    /// Kong's settings beside the driver's own or instead of them, as in kong.conf: `nginx_worker_processes`, `1`.
    pub settings: Vec<(String, String)>,
    /// Whether the page is asked for, which the embedded gateway alone has.
    pub page: bool,
}

/// A gateway cannot run on this machine, whatever the config: what is missing, and the cure.
///
/// From [`by_name`] and [`Gateway::start`] it comes inside of an [`anyhow::Error`]; a suite that finds it there
/// is skipped with these words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable(pub String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

/// The gateway of a name.
///
/// # Errors
/// There is none of that name, or it is [`Unavailable`].
pub fn by_name(name: &str, options: &Options) -> anyhow::Result<Box<dyn Gateway>> {
    match name {
        "embedded" => Ok(Box::new(embedded::Embedded { page: options.page })),
        _ if options.page && NAMES.contains(&name) => Err(Unavailable(format!(
            "--ui: the page is the embedded gateway's, and {name} has none: leave --ui or --gateway {name} out"
        ))
        .into()),
        "envoy" => Ok(Box::new(envoy::Envoy::find(options)?)),
        "kong" => Ok(Box::new(kong::Kong::find(options)?)),
        "docker" => Ok(Box::new(docker::Docker::find(options)?)),
        _ => anyhow::bail!("no gateway is called {name:?}; there are: {}", NAMES.join(", ")),
    }
}
