//! An Envoy that serves, and what keeps its certificates fresh.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, anyhow, bail};
use time::OffsetDateTime;

use super::admin::Admin;
use super::files::{self, Files};
use super::listener::{PROXY, STATUS};
use super::plan::Plan;
use super::process::{self, Process};
use super::published::Published;
use super::{bootstrap, translation};
use crate::gateway::embedded::upstream::{Pools, Upstreams, refresh};
use crate::gateway::wait::until;
use crate::gateway::{Running, Setup};
use kong_config::declarative::Config;

/// An Envoy that serves. Dropping it ends it and removes its directory.
pub struct Served {
    core: Arc<Core>,
    proxy: SocketAddr,
    status: Option<SocketAddr>,
    stop: Option<Sender<()>>,
    watching: Option<JoinHandle<()>>,
}

/// What the watching thread shares.
struct Core {
    // In this order: the process is gone before its directory.
    process: Process,
    admin: Admin,
    files: Files,
    config: PathBuf,
    filters: PathBuf,
    /// Held by whoever changes what is in force, from what it looks at until it is done.
    in_force: Mutex<InForce>,
}

struct InForce {
    config: Config,
    upstreams: Upstreams,
    published: Published,
    /// When the files were last looked at.
    looked: Instant,
}

impl Served {
    /// Brings an Envoy up, and returns once it serves.
    ///
    /// # Errors
    /// The config is refused, or Envoy doesn't serve; the end of its log.
    pub fn start(bin: &Path, setup: &Setup) -> anyhow::Result<Self> {
        let absolute =
            |path: &Path| path.canonicalize().with_context(|| format!("cannot read {}", path.display()));
        let (file, filters) = (absolute(&setup.config)?, absolute(&setup.filters)?);
        let files = Files::new()?;
        let (config, upstreams) = load(&file, &filters, None)?;
        let mut published = Published::default();
        look(&upstreams, &files);
        let plan = Plan::in_force(&config, &upstreams, OffsetDateTime::now_utc());
        published.write(&config, &plan, &filters, &files)?;
        files::write(&files.bootstrap(), &bootstrap::driven(setup.proxy, setup.status, &files))?;

        let core = Arc::new(Core {
            process: Process::start(bin, &files)?,
            admin: Admin::at(files.admin()),
            files,
            config: file,
            filters,
            in_force: Mutex::new(InForce { config, upstreams, published, looked: Instant::now() }),
        });
        core.await_ready()
            .with_context(|| format!("Envoy does not start; the end of its log:\n{}", core.last_lines(0)))?;
        let proxy = core.admin.listener(PROXY)?;
        let status = setup.status.map(|_| core.admin.listener(STATUS)).transpose()?;
        let (stop, stopped) = channel();
        let watched = core.clone();
        let watching = thread::Builder::new().name("envoy".into()).spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(watched.pause()) {
                watched.refresh();
            }
        })?;
        Ok(Self { core, proxy, status, stop: Some(stop), watching: Some(watching) })
    }
}

#[cfg(test)]
impl Served {
    pub fn directory(&self) -> PathBuf {
        self.core.files.secrets().parent().map(Path::to_owned).unwrap_or_default()
    }
}

impl Running for Served {
    fn proxy(&self) -> SocketAddr {
        self.proxy
    }

    fn status(&self) -> Option<SocketAddr> {
        self.status
    }

    fn reload(&self) -> anyhow::Result<()> {
        self.core.reload()
    }

    fn log(&self) -> String {
        self.core.log()
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.core.process.id()]
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(watching) = self.watching.take() {
            let _ = watching.join();
        }
    }
}

impl Core {
    fn await_ready(&self) -> anyhow::Result<()> {
        match until(STARTING, || {
            if self.admin.is_ready() { Some(true) } else { (!self.process.runs()).then_some(false) }
        }) {
            Some(true) => Ok(()),
            Some(false) => bail!("it ended"),
            None => bail!("it is not ready"),
        }
    }

    fn reload(&self) -> anyhow::Result<()> {
        let mut in_force = self.in_force();
        let (config, upstreams) = load(&self.config, &self.filters, Some(&in_force.upstreams))?;
        look(&upstreams, &self.files);
        let plan = Plan::in_force(&config, &upstreams, OffsetDateTime::now_utc());
        let before = self.log().len();
        (in_force.published)
            .replace(&config, &plan, &self.filters, &self.files, &self.admin)
            .map_err(|error| anyhow!("{error:#}; the end of its log:\n{}", self.last_lines(before)))?;
        (in_force.config, in_force.upstreams, in_force.looked) = (config, upstreams, Instant::now());
        Ok(())
    }

    /// Looks at the clock, and at the certificate files where it is time for that.
    fn refresh(&self) {
        let mut in_force = self.in_force();
        let InForce { config, upstreams, published, looked } = &mut *in_force;
        if upstreams.interval.is_some_and(|interval| looked.elapsed() >= interval) {
            look(upstreams, &self.files);
            *looked = Instant::now();
        }
        let plan = Plan::in_force(config, upstreams, OffsetDateTime::now_utc());
        if let Err(error) = published.replace(config, &plan, &self.filters, &self.files, &self.admin) {
            note(&self.files, &format!("upstream-mtls: what is new is not in force: {error:#}"));
        }
    }

    /// Until there is something to look at.
    fn pause(&self) -> Duration {
        let in_force = self.in_force();
        let interval = in_force.upstreams.interval.unwrap_or(CLOCK);
        interval.saturating_sub(in_force.looked.elapsed()).clamp(SHORTEST, CLOCK)
    }

    fn in_force(&self) -> MutexGuard<'_, InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.files.log()).unwrap_or_default()).into_owned()
    }

    /// The end of what was logged from a place on.
    fn last_lines(&self, from: usize) -> String {
        let log = self.log();
        let lines: Vec<_> = log.get(from..).unwrap_or_default().lines().collect();
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }
}

fn load(file: &Path, filters: &Path, before: Option<&Upstreams>) -> anyhow::Result<(Config, Upstreams)> {
    let config = translation::load(file, filters)?;
    let upstreams = Upstreams::compile(&config, before)
        .map_err(|problems| anyhow!(problems.join("\n")))
        .with_context(|| file.display().to_string())?;
    Ok((config, upstreams))
}

/// Takes what is new and good in the files, and logs what has changed in them, and what ends soon.
fn look(upstreams: &Upstreams, files: &Files) {
    let now = OffsetDateTime::now_utc();
    // Connections are Envoy's, here are none to close.
    for change in refresh(upstreams, &Pools::default(), now) {
        note(files, &change.to_string());
    }
    for what in upstreams.expiring(now) {
        note(files, &what.to_string());
    }
}

/// Adds a line of the driver's own to Envoy's log.
fn note(files: &Files, text: &str) {
    let written = process::log(files).and_then(|mut log| log.write_all(format!("{text}\n").as_bytes()));
    if let Err(error) = written {
        log::error!("{text} (and this cannot be logged: {error})");
    }
}

const STARTING: Duration = Duration::from_secs(30);

/// Between looks at the clock, for certificates that no filter selects: of those the filter knows the end itself.
const CLOCK: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_millis(10);

/// Lines of the log that an error shows.
const SHOWN: usize = 15;
