//! A Kong that serves, wherever it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};

use super::{Directory, Listeners, Plugins, Settings, admin};
use crate::gateway::wait::until;
use crate::gateway::{Addresses, Options, Running, Setup};

/// What a Kong runs in: processes, a container. Dropping it ends it and removes what it left.
pub trait Host: Send + Sync {
    /// Where it lives.
    fn directory(&self) -> &Directory;

    /// # Errors
    /// A config names files of this machine that are not seen from within.
    fn sees(&self, _config: &str) -> anyhow::Result<()> {
        Ok(())
    }

    /// Nothing while it runs; what became of it and its last words when it does no longer.
    fn ended(&self) -> Option<String>;

    /// Ids of nginx's worker processes, where they can be seen from here.
    fn workers(&self) -> Vec<u32> {
        Vec::new()
    }

    /// `kong reload`; returns when Kong has been told.
    ///
    /// # Errors
    /// The config is refused.
    fn restart_workers(&self) -> anyhow::Result<()>;
}

/// Brings a Kong up in a host, and returns once its workers serve.
///
/// # Errors
/// It doesn't; Kong's words, or the end of its log.
pub fn serve<H: Host>(
    setup: &Setup,
    plugins: &Plugins,
    options: &Options,
    launch: impl Fn(&Settings, &Listeners) -> anyhow::Result<H>,
) -> anyhow::Result<Served<H>> {
    let mut attempts = 1..=ATTEMPTS;
    loop {
        let listeners = Listeners::choose(setup)?;
        let mut settings = Settings::new(setup, &listeners, plugins)?;
        for (name, value) in &options.settings {
            settings.set(name, value);
        }
        let workers = settings.workers()?;
        let served = launch(&settings, &listeners).and_then(|host| {
            let config = setup.config.canonicalize()?;
            let served = Served { host, listeners, has_status: setup.status.is_some(), config, workers };
            served.await_ready()?;
            refused_by_filters(&served.log())?;
            Ok(served)
        });
        match served {
            // Somebody was faster between our choice of a port and Kong's use of it.
            Err(error) if format!("{error:#}").contains(TAKEN) && attempts.next().is_some() => {}
            served => return served.context("Kong does not start"),
        }
    }
}

/// A Kong that serves.
pub struct Served<H> {
    host: H,
    listeners: Listeners,
    has_status: bool,
    config: PathBuf,
    workers: usize,
}

impl<H: Host> Served<H> {
    #[cfg(test)]
    pub fn host(&self) -> &H {
        &self.host
    }

    fn await_ready(&self) -> anyhow::Result<()> {
        await_ready(&self.host, &self.listeners)
    }
}

/// Waits until all workers of a Kong serve.
///
/// # Errors
/// They do not; Kong's words, or the end of its log.
pub fn await_ready(host: &impl Host, listeners: &Listeners) -> anyhow::Result<()> {
    let mut said = anyhow!("nothing heard of it");
    let outcome = until(STARTING, || match admin::ready(listeners.status) {
        Ok(()) => Some(Ok(())),
        Err(error) => {
            said = error;
            host.ended().map(|words| Err(anyhow!("{words}")))
        }
    });
    outcome.unwrap_or_else(|| bail!("{said:#}; the end of its log:\n{}", host.directory().last_lines()))
}

/// Has a Kong replace its workers, and waits until the old ones are told to end and the new ones have started.
///
/// # Errors
/// Kong's words, or the end of its log.
pub fn restart_workers(host: &impl Host, workers: usize) -> anyhow::Result<()> {
    let directory = host.directory();
    let before = directory.log_end();
    host.restart_workers()?;
    let outcome = until(STARTING, || {
        let fresh = directory.log_since(before);
        (fresh.matches(WORKER_STARTED).count() >= workers && fresh.matches(WORKER_ENDED).count() >= workers)
            .then_some(())
    });
    outcome.with_context(|| {
        format!("not all workers of Kong are new; the end of its log:\n{}", directory.last_lines())
    })
}

impl<H: Host> Running for Served<H> {
    fn proxy(&self) -> SocketAddr {
        self.listeners.proxy
    }

    fn status(&self) -> Option<SocketAddr> {
        self.has_status.then_some(self.listeners.status)
    }

    fn nodes(&self) -> Vec<Addresses> {
        vec![Addresses { proxy: self.listeners.proxy, admin: Some(self.listeners.admin) }]
    }

    fn reload(&self) -> anyhow::Result<()> {
        let config = fs::read_to_string(&self.config)
            .with_context(|| format!("cannot read {}", self.config.display()))?;
        self.host.sees(&config)?;
        let directory = self.host.directory();
        let before = directory.log_end();
        admin::post_config(self.listeners.admin, &config)?;
        let outcome = until(STARTING, || taken_over(&directory.log_since(before), self.workers).transpose());
        match outcome {
            Some(outcome) => outcome.and_then(|()| closed_by_filters(&directory.log_since(before))),
            None => bail!("Kong took the config, but not all workers; its log:\n{}", directory.last_lines()),
        }
    }

    fn restart_workers(&self) -> anyhow::Result<()> {
        restart_workers(&self.host, self.workers)?;
        self.await_ready()
    }

    fn log(&self) -> String {
        self.host.directory().log()
    }

    fn processes(&self) -> Vec<u32> {
        self.host.workers()
    }
}

/// Kong starts all the same when a filter cannot use its config; what the filter said of it is in the log.
///
/// # Errors
/// A filter has logged errors before the first request.
pub fn refused_by_filters(log: &str) -> anyhow::Result<()> {
    let said: BTreeSet<_> = log
        .lines()
        // What is said of a request is not said of a config.
        .filter(|line| !line.contains(", request: \""))
        .filter_map(|line| line.split_once("[error]")?.1.split_once("[proxy-wasm][\"")?.1.split_once("] "))
        .map(|(_, words)| words)
        .collect();
    ensure!(
        said.is_empty(),
        "a filter refuses its config:\n{}",
        said.into_iter().collect::<Vec<_>>().join("\n")
    );
    Ok(())
}

/// Kong takes a config over whose policy is invalid for a filter: the filter rejects that route's requests.
///
/// # Errors
/// What the filter has said of the policy.
fn closed_by_filters(log: &str) -> anyhow::Result<()> {
    let lines: Vec<_> = log.lines().filter(|line| line.contains("policy invalid, ")).collect();
    refused_by_filters(&lines.join("\n"))
}

/// Whether all workers have taken a config over, by what they have logged since it was given. (kong/runloop/handler.lua
/// of Kong 3.9.1, `reconfigure_handler`.) Nothing, as long as one of them is still at it: what it says later would be
/// taken for a word on the next config.
///
/// # Errors
/// One of them cannot, a filter having refused its own config, say. The others may.
fn taken_over(log: &str, workers: usize) -> anyhow::Result<Option<()>> {
    let mut done = BTreeMap::new();
    for (_, line) in log.lines().filter_map(|line| line.split_once("declarative reconfigure ")) {
        let worker = line.split_once("worker #").map_or("", |(_, rest)| rest);
        let worker = worker.split(|c: char| !c.is_ascii_digit()).next();
        let failed = line.starts_with("failed");
        if failed || line.starts_with("took") {
            done.insert(worker, failed.then_some(line));
        }
    }
    if done.len() < workers {
        return Ok(None);
    }
    let failed = done.into_values().flatten().next();
    ensure!(
        failed.is_none(),
        "a worker of Kong does not take the config over: {}",
        failed.unwrap_or_default()
    );
    Ok(Some(()))
}

/// nginx' words for it, from `strerror(EADDRINUSE)`.
pub const TAKEN: &str = "Address already in use";

/// nginx' words for them (src/os/unix/ngx_process_cycle.c).
const WORKER_STARTED: &str = "start worker process ";
const WORKER_ENDED: &str = "gracefully shutting down";

pub const ATTEMPTS: usize = 5;

pub const STARTING: Duration = Duration::from_secs(30);
