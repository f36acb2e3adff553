//! A Kong's processes, and the directory that they live in.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};
use tempfile::TempDir;

use super::{Host, Plugins, Settings};
use crate::gateway::wait::until;

/// A Kong in the background, as `kong start` leaves it. Dropping it ends it and removes its directory.
pub struct Process {
    bin: PathBuf,
    settings: Settings,
    directory: TempDir,
}

impl Process {
    /// # Errors
    /// `kong start` says no; its words.
    pub fn start(bin: &Path, settings: &Settings, plugins: &Plugins) -> anyhow::Result<Self> {
        let directory =
            tempfile::Builder::new().prefix("kong-").permissions(Permissions::from_mode(0o755)).tempdir()?;
        let mut process = Self { bin: bin.to_owned(), settings: settings.clone(), directory };
        let lua = process.directory.path().join("lua");
        fs::create_dir_all(lua.join("kong"))?;
        symlink(plugins.directory(), lua.join("kong/plugins"))?;
        fs::create_dir(process.prefix())?;

        process.settings.set("prefix", process.prefix().display().to_string());
        process.settings.set("lua_package_path", format!("{}/?.lua;;", lua.display()));
        if geteuid().is_root() {
            // Workers would be nobody, who can read none of the keys that the config names.
            process.settings.set("nginx_user", "root root");
        }
        process.run("start")?;
        Ok(process)
    }

    /// Runs a verb of Kong's command line.
    fn run(&self, verb: &str) -> anyhow::Result<()> {
        // Not a pipe: what a daemon keeps open would be waited for.
        let output = self.directory.path().join("output");
        let file = File::create(&output)?;
        let mut command = Command::new(&self.bin);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KONG_")) {
            command.env_remove(name);
        }
        // Kong's command line looks for modules in the working directory first.
        command
            .arg(verb)
            .envs(self.settings.environment())
            .current_dir(self.directory.path())
            .process_group(0);
        let mut child = command
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot run {}", self.bin.display()))?;
        let ended = until(PATIENCE, || child.try_wait().transpose());
        if ended.is_none() {
            kill_process_group(Pid::from_child(&child), Signal::KILL)?;
            child.wait()?;
        }
        let said = fs::read_to_string(output)?;
        match ended.transpose()? {
            Some(status) if ExitStatus::success(&status) => Ok(()),
            Some(_) => bail!("{}", essence(&said)),
            None => bail!("kong {verb} did not end: {}", essence(&said)),
        }
    }

    #[cfg(test)]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn prefix(&self) -> PathBuf {
        self.directory.path().join("prefix")
    }

    /// nginx's master process removes it as the last thing that it does.
    fn pid_file(&self) -> PathBuf {
        self.prefix().join("pids/nginx.pid")
    }

    fn stop(&self) -> anyhow::Result<()> {
        let Ok(text) = fs::read_to_string(self.pid_file()) else { return Ok(()) };
        let master = Pid::from_raw(text.trim().parse()?).context("no process has the id 0")?;
        kill_process(master, Signal::TERM)?;
        if until(STOPPING, || (!self.pid_file().exists()).then_some(())).is_none() {
            // A daemon leads a group of its own, its workers among it.
            kill_process_group(master, Signal::KILL)?;
        }
        Ok(())
    }
}

impl Host for Process {
    fn log(&self) -> String {
        let log = fs::read(self.prefix().join("logs/error.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn runs(&self) -> bool {
        self.pid_file().exists()
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

/// Kong's error without the places in its own source and without advice on its command line.
fn essence(said: &str) -> &str {
    let said = said.split("stack traceback:").next().unwrap_or_default();
    let said = said.split("Run with --v").next().unwrap_or_default();
    let first = said.lines().next().unwrap_or_default();
    let places = first.rmatch_indices(".lua:").next().map_or(0, |(at, dot)| at + dot.len());
    said[places..].trim_start_matches(|c: char| c.is_ascii_digit() || c == ':').trim()
}

/// A cold start takes seconds on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// nginx lets no request hold it up when it gets SIGTERM.
const STOPPING: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::essence;

    #[test]
    fn what_kong_says_is_kept_and_where_in_its_source_is_not() {
        let said = "Error: /a/start.lua:99: nginx: [error] init_by_lua error: /a/init.lua:731: error parsing \
                    declarative config file /x/kong.yml:\nin 'nonsense': unknown field\nstack traceback:\n\t[C]: \
                    in function 'error'\n\n\n  Run with --v (verbose) or --vv (debug) for more details\n";
        assert_eq!(
            essence(said),
            "error parsing declarative config file /x/kong.yml:\nin 'nonsense': unknown field"
        );
        assert_eq!(essence("sh: kong: not found\n"), "sh: kong: not found");
    }
}
