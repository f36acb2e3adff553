//! A Kong's processes on this machine.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};

use super::last_words::essence;
use super::{Directory, Host, Plugins, Settings};
use crate::gateway::wait::until;
use crate::shipped;

/// A Kong in the background, as `kong start` leaves it. Dropping it ends it and removes its directory.
pub struct Process {
    bin: PathBuf,
    settings: Settings,
    directory: Directory,
}

impl Process {
    /// # Errors
    /// `kong start` says no; its words.
    pub fn start(bin: &Path, settings: &Settings, plugins: &Plugins) -> anyhow::Result<Self> {
        let directory = Directory::new(plugins)?;
        share_compiled_filters(&directory)?;
        let settings = directory.put_into(settings, geteuid().is_root());
        let process = Self { bin: bin.to_owned(), settings, directory };
        process.run("start")?;
        Ok(process)
    }

    /// Runs a subcommand of Kong's.
    fn run(&self, subcommand: &str) -> anyhow::Result<()> {
        run(&self.bin, &[subcommand], &self.settings, self.directory.path())
    }

    /// nginx's master process removes it as the last thing that it does.
    fn pid_file(&self) -> PathBuf {
        self.directory.prefix().join("pids/nginx.pid")
    }

    /// nginx's master process, unless there is none any more.
    fn master(&self) -> anyhow::Result<Option<Pid>> {
        let Ok(text) = fs::read_to_string(self.pid_file()) else { return Ok(None) };
        Ok(Some(Pid::from_raw(text.trim().parse()?).context("no process has the id 0")?))
    }

    fn stop(&self) -> anyhow::Result<()> {
        let Some(master) = self.master()? else { return Ok(()) };
        kill_process(master, Signal::TERM)?;
        if until(STOPPING, || (!self.pid_file().exists()).then_some(())).is_none() {
            // A daemon leads a group of its own, its workers among it.
            kill_process_group(master, Signal::KILL)?;
        }
        Ok(())
    }
}

/// Lets all Kongs keep the machine code of filters in one directory beside these. Otherwise each worker of each Kong
/// compiles them for itself.
fn share_compiled_filters(directory: &Directory) -> anyhow::Result<()> {
    let Some(filters) = shipped::place("target/filters") else { return Ok(()) };
    let cache = filters.with_file_name("wasmtime-cache");
    // An installed release may be in a place that cannot be written.
    if fs::create_dir_all(&cache).is_ok() {
        // Where Kong puts it (kong/conf_loader/init.lua of Kong 3.9.3).
        symlink(cache, directory.prefix().join(".wasmtime_cache"))?;
    }
    Ok(())
}

/// Runs a subcommand of Kong's in a directory.
///
/// # Errors
/// Kong's words, when it fails.
pub fn run(bin: &Path, arguments: &[&str], settings: &Settings, directory: &Path) -> anyhow::Result<()> {
    // Not a pipe: what a daemon keeps open would be waited for.
    let output = directory.join("output");
    let file = File::create(&output)?;
    let mut command = Command::new(bin);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KONG_")) {
        command.env_remove(name);
    }
    // Kong's command line looks for modules in the working directory first.
    command.args(arguments).envs(settings.environment()).current_dir(directory).process_group(0);
    let mut child = command
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("cannot run {}", bin.display()))?;
    let ended = until(PATIENCE, || child.try_wait().transpose());
    if ended.is_none() {
        kill_process_group(Pid::from_child(&child), Signal::KILL)?;
        child.wait()?;
    }
    let said = fs::read_to_string(output)?;
    match ended.transpose()? {
        Some(status) if ExitStatus::success(&status) => Ok(()),
        Some(_) => bail!("{}", essence(&said)),
        None => bail!("kong {} did not end: {}", arguments.join(" "), essence(&said)),
    }
}

impl Host for Process {
    fn directory(&self) -> &Directory {
        &self.directory
    }

    fn ended(&self) -> Option<String> {
        (!self.pid_file().exists())
            .then(|| format!("it ended; the end of its log:\n{}", self.directory.last_lines()))
    }

    fn workers(&self) -> Vec<u32> {
        let Ok(Some(master)) = self.master() else { return Vec::new() };
        let master = master.as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children"));
        let children = children.unwrap_or_default();
        let is_worker = |id: &u32| {
            fs::read_to_string(format!("/proc/{id}/cmdline"))
                .is_ok_and(|title| title.starts_with("nginx: worker process"))
        };
        children.split_whitespace().filter_map(|id| id.parse().ok()).filter(is_worker).collect()
    }

    fn restart_workers(&self) -> anyhow::Result<()> {
        self.run("reload")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            log::error!("cannot stop the Kong in {}: {error:#}", self.directory.path().display());
        }
    }
}

/// A cold start takes seconds on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// nginx lets no request hold it up when it gets SIGTERM.
const STOPPING: Duration = Duration::from_secs(10);
