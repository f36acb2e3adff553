//! Who runs on which processor core, and how much of its time a process has used.

use std::fs;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;

/// The core of one party; absent where there are too few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Core(Option<usize>);

/// Who runs where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cores {
    /// How many this process may use.
    pub usable: usize,
    gateway: Option<usize>,
    load: Option<usize>,
    upstream: Option<usize>,
}

impl Cores {
    /// One for each party where there are three; with two the gateway has one for itself.
    pub fn choose() -> Self {
        let allowed = sched_getaffinity(None).unwrap_or_default();
        let usable: Vec<_> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
        let [gateway, load, upstream] = match *usable {
            [] | [_] => [None; 3],
            [first, second] => [Some(first), Some(second), Some(second)],
            [first, second, third, ..] => [Some(first), Some(second), Some(third)],
        };
        Self { usable: usable.len(), gateway, load, upstream }
    }

    pub fn gateway(&self) -> Core {
        Core(self.gateway)
    }

    /// The upstream's, and the load's where that is another one.
    pub fn others(&self) -> impl Iterator<Item = Core> {
        let load = (self.load != self.upstream).then_some(self.load);
        std::iter::once(self.upstream).chain(load).map(Core)
    }

    /// Who runs where, in words.
    pub fn describe(&self) -> String {
        match (self.gateway, self.load, self.upstream) {
            (Some(gateway), Some(load), Some(upstream)) if load == upstream => format!(
                "{} cores: the gateway on core {gateway}, load and upstream together on core {load}",
                self.usable
            ),
            (Some(gateway), Some(load), Some(upstream)) => format!(
                "{} cores: the gateway on core {gateway}, load on core {load}, upstream on core {upstream}",
                self.usable
            ),
            _ => "1 core for the gateway, load and upstream".to_owned(),
        }
    }
}

impl Core {
    /// Binds this thread, and what it starts from now on. Where the system does not allow it, all stays as it is.
    pub fn take(self) {
        if let Some(core) = self.0 {
            let mut only = CpuSet::new();
            only.set(core);
            if let Err(reason) = sched_setaffinity(None, &only) {
                log::warn!("not bound to core {core}: {reason}");
            }
        }
    }
}

/// Processor time that processes have used so far, in nanoseconds. Absent where there are none to ask, or the system
/// does not say. (`/proc/PID/task/TID/schedstat`; the ticks of `/proc/PID/stat` are 10 ms long.)
pub fn processor_time(processes: &[u32]) -> Option<u64> {
    let of_thread = |path: &std::path::Path| -> Option<u64> {
        fs::read_to_string(path.join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
    };
    let of_process = |id: &u32| -> Option<u64> {
        fs::read_dir(format!("/proc/{id}/task")).ok()?.map(|task| of_thread(&task.ok()?.path())).sum()
    };
    if processes.is_empty() { None } else { processes.iter().map(of_process).sum() }
}
