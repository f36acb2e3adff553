//! Signals that end a verb, or have it reload.

use std::io::{self, Write};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, SIGINT and SIGHUP, caught from now on. A verb does so before it starts what has to be taken down again: a
/// signal that comes meanwhile is obeyed after that.
pub(super) struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// # Errors
    /// The system refuses.
    pub(super) fn catch() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let within = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let hang_up = signal(SignalKind::hangup())?;
        drop(within);
        Ok(Self { runtime, terminate, interrupt, hang_up })
    }

    /// Does something at once and then every `interval`, until SIGTERM or SIGINT; on SIGHUP sooner.
    pub(super) fn until_stopped_every(mut self, interval: Duration, mut act: impl FnMut()) {
        self.runtime.block_on(async {
            loop {
                act();
                tokio::select! {
                    _ = self.terminate.recv() => return,
                    _ = self.interrupt.recv() => return,
                    _ = self.hang_up.recv() => {}
                    () = tokio::time::sleep(interval) => {}
                }
            }
        });
    }

    /// Waits for SIGTERM or SIGINT. On each SIGHUP before, reloads, and says what came of it; a reload that fails
    /// ends nothing.
    pub(super) fn until_stopped(mut self, mut reload: impl FnMut() -> anyhow::Result<()>) {
        self.runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = self.terminate.recv() => return,
                    _ = self.interrupt.recv() => return,
                    _ = self.hang_up.recv() => {
                        // Nobody is left to be told when stderr is closed.
                        let _ = match reload() {
                            Ok(()) => writeln!(io::stderr(), "reloaded"),
                            Err(error) => writeln!(io::stderr(), "refused, all stays as it was: {error:#}"),
                        };
                    }
                }
            }
        });
    }
}
