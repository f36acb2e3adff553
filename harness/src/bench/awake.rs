//! Threads that do not sleep while there is load, so that a gateway does not pay for waking them.
//!
//! Waking a sleeping core is charged to who wakes it: on a virtual machine up to half of what a gateway's own work
//! costs, and the more the slower the gateway is, for then the others sleep more often. A client and an upstream on
//! machines of their own cost a gateway nothing of that kind.

use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::cores::Core;

/// A thread on a core, for tasks. Dropping it ends them.
pub struct Thread {
    tasks: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// As long as it is there, its thread looks for what has come in without ever sleeping.
pub struct Awake(AbortHandle);

impl Thread {
    /// # Errors
    /// The system gives no thread.
    pub fn on(core: Core, name: &str) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let tasks = runtime.handle().clone();
        let run = move || {
            core.take();
            let _ = runtime.block_on(stopped);
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { tasks, stop: Some(stop), thread: Some(thread) })
    }

    /// Where tasks for it are spawned.
    pub fn tasks(&self) -> &Handle {
        &self.tasks
    }

    pub fn keep_awake(&self) -> Awake {
        // A task that yields is run again when sockets have been looked at; who waits for nothing else does not sleep.
        let watch = async {
            loop {
                tokio::task::yield_now().await;
            }
        };
        Awake(self.tasks.spawn(watch).abort_handle())
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.abort();
    }
}
