//! Signals that end a verb, or have it reload.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::tell;

/// SIGTERM, SIGINT and SIGHUP, caught from now on. A verb does so before it starts what has to be taken down again: a
/// signal that comes meanwhile is obeyed after that.
pub(super) struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// SIGUSR1, where a verb has a use for it.
    switch: Option<Signal>,
}

/// What a verb is woken for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// To look after what it looks after: time has passed, or SIGHUP came.
    Look,
    /// To switch what SIGUSR1 switches.
    Switch,
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
        Ok(Self { runtime, terminate, interrupt, hang_up, switch: None })
    }

    /// SIGUSR1 too.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn with_switch(mut self) -> anyhow::Result<Self> {
        let within = self.runtime.enter();
        let switch = signal(SignalKind::user_defined1())?;
        drop(within);
        self.switch = Some(switch);
        Ok(self)
    }

    /// Does something at once and then every `interval`, until SIGTERM or SIGINT; on SIGHUP sooner, and on SIGUSR1.
    pub(super) fn until_stopped_every(mut self, interval: Duration, mut act: impl FnMut(Woken)) {
        self.runtime.block_on(async {
            let mut woken = Woken::Look;
            loop {
                act(woken);
                woken = tokio::select! {
                    _ = self.terminate.recv() => return,
                    _ = self.interrupt.recv() => return,
                    _ = self.hang_up.recv() => Woken::Look,
                    () = came(&mut self.switch) => Woken::Switch,
                    () = tokio::time::sleep(interval) => Woken::Look,
                };
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
                        tell(&match reload() {
                            Ok(()) => "reloaded\n".to_owned(),
                            Err(error) => format!("refused, all stays as it was: {error:#}\n"),
                        });
                    }
                }
            }
        });
    }
}

/// Never, where it is not caught.
async fn came(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
