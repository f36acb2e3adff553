//! Kongs with one database: nodes that read it themselves, or a control plane and its data planes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use http::Method;
use tempfile::NamedTempFile;

use super::entities::Entities;
use super::postgres::{Postgres, PostgresDatabase};
use super::probe::{self, Probe, Progress};
use super::process::{self, Process};
use super::served::{ATTEMPTS, Host, STARTING, TAKEN, await_ready, refused_by_filters, restart_workers};
use super::sync::{Sync, request};
use super::{Database, Directory, Listeners, Plugins, Settings};
use crate::gateway::wait::until;
use crate::gateway::{Addresses, Options, Running, Setup};
use crate::stack::ANY_PORT;

/// Kongs that serve one configuration.
pub struct Cluster {
    // In this order: nobody uses the database any more when it is dropped.
    /// Those that serve clients.
    nodes: Vec<Node>,
    control_plane: Option<Node>,
    config: PathBuf,
    has_status: bool,
    state: Mutex<State>,
    database: PostgresDatabase,
    /// Has the certificate that nodes are reloaded with.
    _scratch: Directory,
}

struct State {
    sync: Sync,
    /// Counts changes; every worker of every node tells which it has seen.
    generation: u64,
}

/// One Kong.
struct Node {
    process: Process,
    listeners: Listeners,
    workers: usize,
    probe: Probe,
    /// The file that nginx includes.
    _server: NamedTempFile,
}

/// What is demanded of filters when a configuration is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filters {
    /// That they log no error, and that all workers take their configuration over.
    Required,
    /// That they log no error: as without a database, Kong starts all the same when a filter does not.
    Checked,
    Ignored,
}

/// What a node does with the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Reads the database and serves clients.
    Traditional,
    ControlPlane,
    /// Gets the configuration from the control plane at this address.
    DataPlane(SocketAddr),
}

/// What nodes are started with.
struct Starter<'a> {
    bin: &'a Path,
    setup: &'a Setup,
    options: &'a Options,
    plugins: &'a Plugins,
    database: &'a PostgresDatabase,
    /// Certificate and key by which control plane and data planes know each other.
    certificate: Option<(PathBuf, PathBuf)>,
}

impl Cluster {
    /// Starts all nodes and returns once they serve the configuration.
    ///
    /// # Errors
    /// There is no Postgres here, or Kong does not start or rejects the configuration.
    pub fn start(
        bin: &Path,
        setup: &Setup,
        options: &Options,
        plugins: &Plugins,
        kind: Database,
    ) -> anyhow::Result<Self> {
        let config = setup.config.canonicalize()?;
        let server = Postgres::shared()?;
        let scratch = Directory::new(plugins)?;
        let settings = Settings::new(setup, &Listeners::choose(&any_port(setup))?, plugins)?;
        let mut settings = scratch.put_into(&settings, false);
        settings.remove("declarative_config");
        let migrate =
            |settings: &Settings| process::run(bin, &["migrations", "bootstrap"], settings, scratch.path());
        let database = server.database(plugins, migrate, &settings)?;

        let certificate = match kind {
            Database::Hybrid => {
                process::run(
                    bin,
                    &["hybrid", "gen_cert", "cluster.crt", "cluster.key"],
                    &settings,
                    scratch.path(),
                )?;
                Some((scratch.path().join("cluster.crt"), scratch.path().join("cluster.key")))
            }
            Database::Off | Database::Postgres => None,
        };
        let starter = Starter { bin, setup, options, plugins, database: &database, certificate };
        let mut control_plane = None;
        let role = match kind {
            Database::Hybrid => {
                let node = starter.start(Role::ControlPlane, true).context("the control plane")?;
                Role::DataPlane(control_plane.insert(node).listeners.cluster)
            }
            Database::Off | Database::Postgres => Role::Traditional,
        };
        let mut nodes = Vec::new();
        for number in 0..options.nodes.max(1) {
            nodes.push(starter.start(role, number == 0).context("Kong does not start")?);
        }

        let admin = control_plane.as_ref().unwrap_or(&nodes[0]).listeners.admin;
        let state = Mutex::new(State { sync: Sync::new(admin), generation: 0 });
        let has_status = setup.status.is_some();
        let cluster = Self { nodes, control_plane, config, has_status, state, database, _scratch: scratch };
        cluster.synchronize(Filters::Checked).context("Kong does not start")?;
        Ok(cluster)
    }

    /// Brings the database to what the file says, and waits until all workers have taken it over.
    fn synchronize(&self, filters: Filters) -> anyhow::Result<()> {
        let config = fs::read_to_string(&self.config)
            .with_context(|| format!("cannot read {}", self.config.display()))?;
        let wanted = Entities::read(&config)?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.log_ends();
        // Also what was taken back is waited for.
        let applied = state.sync.apply(&wanted);
        let taken_over = self.await_workers(&mut state, &before, filters, &mut || {});
        applied.and(taken_over)
    }

    fn admin(&self) -> SocketAddr {
        self.control_plane.as_ref().unwrap_or(&self.nodes[0]).listeners.admin
    }

    fn all(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().chain(&self.control_plane)
    }

    fn log_ends(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.process.directory().log_end()).collect()
    }

    /// Waits until every worker works with all that the Admin API has been told so far.
    ///
    /// `before` is where the nodes' logs ended when the changes began.
    fn await_workers(
        &self,
        state: &mut State,
        before: &[u64],
        filters: Filters,
        plugins_are_current: &mut dyn FnMut(),
    ) -> anyhow::Result<()> {
        state.generation += 1;
        for (path, body) in probe::entities(state.generation) {
            request(self.admin(), Method::PUT, path, Some(&body))?;
        }
        let new_lines = || -> String {
            let nodes = self.nodes.iter().zip(before);
            nodes.map(|(node, before)| node.process.directory().log_since(*before)).collect()
        };
        let mut said = None;
        let began = Instant::now();
        let mut all_but_filters = None;
        let outcome = until(STARTING, || {
            let progress = self.nodes.iter().map(|node| node.probe.ask(state.generation));
            let progress: Vec<_> = match progress.collect() {
                Ok(progress) => progress,
                Err(error) => {
                    // A worker may be ending; whether its node is is found out below.
                    said = Some(error);
                    return self
                        .nodes
                        .iter()
                        .find_map(|node| node.process.ended())
                        .map(|words| bail!("{words}"));
                }
            };
            let is_behind = progress.contains(&Progress::Waiting);
            if !is_behind && all_but_filters.is_none() {
                all_but_filters = Some(Instant::now());
                plugins_are_current();
            }
            let is_done = progress.iter().all(|progress| *progress == Progress::Done);
            let is_over = all_but_filters.is_some_and(|since| since.elapsed() > REBUILD);
            // One that does not take its filters over, or, in a data plane, nothing at all.
            let gives_up = is_over || (is_behind && began.elapsed() > 2 * REBUILD);
            if !is_done && !gives_up {
                return None;
            }
            let lines = new_lines();
            let rejected = match filters {
                Filters::Ignored => Ok(()),
                Filters::Checked | Filters::Required => refused_by_filters(&lines),
            };
            let failed = lines.lines().rfind(|line| REBUILD_FAILED.iter().any(|words| line.contains(words)));
            match failed {
                _ if is_done || rejected.is_err() => Some(rejected),
                Some(line) if filters == Filters::Required => {
                    Some(Err(anyhow!("a worker of Kong does not take the config over: {line}")))
                }
                _ => is_over.then_some(Ok(())),
            }
        });
        outcome.unwrap_or_else(|| {
            let said = said.map(|error| format!(" ({error:#})")).unwrap_or_default();
            let ends: Vec<_> = self.all().map(|node| node.process.directory().last_lines()).collect();
            bail!(
                "Kong took the config, but not all workers{said}; the ends of its logs:\n{}",
                ends.join("\n\n")
            )
        })
    }
}

impl Starter<'_> {
    fn start(&self, role: Role, is_first: bool) -> anyhow::Result<Node> {
        // Only one node can have the ports that the caller asks for.
        let setup = match (role, is_first) {
            (Role::Traditional | Role::DataPlane(_), true) => self.setup.clone(),
            _ => any_port(self.setup),
        };
        let mut attempts = 1..=ATTEMPTS;
        loop {
            let listeners = Listeners::choose(&setup)?;
            match self.try_start(role, &setup, listeners) {
                Err(error) if format!("{error:#}").contains(TAKEN) && attempts.next().is_some() => {}
                outcome => return outcome,
            }
        }
    }

    fn try_start(&self, role: Role, setup: &Setup, listeners: Listeners) -> anyhow::Result<Node> {
        let mut settings = Settings::new(setup, &listeners, self.plugins)?;
        settings.remove("declarative_config");
        self.database.put_into(&mut settings);
        settings.set("db_update_frequency", FREQUENCY);
        settings.set("worker_state_update_frequency", FREQUENCY);
        settings.set("db_update_propagation", PROPAGATION);
        let Listeners { probe, cluster, .. } = listeners;
        let server = tempfile::Builder::new().prefix("probe-").suffix(".conf").tempfile()?;
        fs::write(server.path(), probe::server(probe))?;
        settings.set("nginx_http_include", server.path().display().to_string());
        match role {
            Role::Traditional => {}
            Role::ControlPlane => {
                settings.set("role", "control_plane");
                settings.set("proxy_listen", "off");
                settings.set("cluster_listen", cluster.to_string());
            }
            Role::DataPlane(control_plane) => {
                settings.set("role", "data_plane");
                settings.set("database", "off");
                settings.set("admin_listen", "off");
                settings.set("cluster_control_plane", control_plane.to_string());
            }
        }
        if let Some((certificate, key)) = &self.certificate {
            settings.set("cluster_cert", certificate.display().to_string());
            settings.set("cluster_cert_key", key.display().to_string());
        }
        for (name, value) in &self.options.settings {
            settings.set(name, value);
        }
        let workers = settings.workers()?;
        let process = Process::start(self.bin, &settings, self.plugins)?;
        let probe = Probe::new(listeners.probe, workers);
        let node = Node { process, listeners, workers, probe, _server: server };
        // A data plane is not ready before it has a configuration.
        if !matches!(role, Role::DataPlane(_)) {
            await_ready(&node.process, &node.listeners)?;
        }
        Ok(node)
    }
}

fn any_port(setup: &Setup) -> Setup {
    Setup { proxy: ANY_PORT, status: setup.status.map(|_| ANY_PORT), ..setup.clone() }
}

impl Running for Cluster {
    fn proxy(&self) -> SocketAddr {
        self.nodes[0].listeners.proxy
    }

    fn status(&self) -> Option<SocketAddr> {
        self.has_status.then_some(self.nodes[0].listeners.status)
    }

    fn nodes(&self) -> Vec<Addresses> {
        let control_plane = self.control_plane.as_ref().map(|node| node.listeners.admin);
        let addresses = |node: &Node| Addresses {
            proxy: node.listeners.proxy,
            admin: Some(control_plane.unwrap_or(node.listeners.admin)),
        };
        self.nodes.iter().map(addresses).collect()
    }

    fn reload(&self) -> anyhow::Result<()> {
        self.synchronize(Filters::Required)
    }

    fn await_changes(&self, plugins_are_current: &mut dyn FnMut()) -> anyhow::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.await_workers(&mut state, &self.log_ends(), Filters::Ignored, plugins_are_current)
    }

    fn set_database_available(&self, is_available: bool) -> anyhow::Result<()> {
        self.database.set_available(is_available)
    }

    fn restart_workers(&self) -> anyhow::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.log_ends();
        for node in &self.nodes {
            restart_workers(&node.process, node.workers)?;
            await_ready(&node.process, &node.listeners)?;
        }
        self.await_workers(&mut state, &before, Filters::Ignored, &mut || {})
    }

    fn log(&self) -> String {
        self.all().map(|node| node.process.directory().log()).collect()
    }

    fn processes(&self) -> Vec<u32> {
        self.nodes.iter().flat_map(|node| node.process.workers()).collect()
    }
}

/// Filter chains that a worker has not rebuilt after this time it cannot rebuild.
const REBUILD: Duration = Duration::from_secs(2);

/// How often nodes and their workers look for changes, in seconds.
const FREQUENCY: &str = "0.1";

/// How long an event may take to become visible in the database, in seconds. With Kong's default of 0, a node that polls
/// while another one commits an event never sees it: seen with Kong 3.9.3 on a busy machine, where a node kept its old
/// plugins for 30 s and more.
const PROPAGATION: &str = "0.1";

/// Kong's words for a worker that keeps its old state (kong/runloop/handler.lua and wasm.lua of Kong 3.9.3).
const REBUILD_FAILED: [&str; 2] = ["declarative reconfigure failed", "failed rebuilding filter chain state"];
