//! Envoy's process.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use super::files::Files;
use crate::gateway::wait::until;

/// An Envoy in the background. Dropping it ends it.
pub struct Process {
    child: Mutex<Child>,
}

impl Process {
    /// Runs an Envoy on its files.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn start(bin: &Path, files: &Files) -> anyhow::Result<Self> {
        let mut command = Command::new(bin);
        command.arg("--config-path").arg(files.bootstrap());
        command.args(["--concurrency", "2", "--disable-hot-restart", "--log-level", "info"]);
        // A Ctrl-C is for whoever started it.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log(files)?);
        let child = command.spawn().with_context(|| format!("cannot run {}", bin.display()))?;
        Ok(Self { child: Mutex::new(child) })
    }

    pub fn id(&self) -> u32 {
        self.child().id()
    }

    pub fn runs(&self) -> bool {
        matches!(self.child().try_wait(), Ok(None))
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log, to write at its end.
pub fn log(files: &Files) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(files.log())
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child();
        // The id of a process that is gone may be another's.
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        let _ = kill_process(Pid::from_child(&child), Signal::TERM);
        if until(STOPPING, || child.try_wait().transpose()).is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Envoy ends at once when it is told to.
const STOPPING: Duration = Duration::from_secs(5);
