//! Whether a gateway grows.

use std::fs;
use std::time::Duration;

use crate::gateway::Running;

/// A gateway at one time. Where it has no process of its own, this one.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Since the beginning.
    pub at: Duration,
    pub answers: u64,
    /// That is its processes' own, in kilobytes.
    pub memory: u64,
    /// Open ones of its processes.
    pub descriptors: u64,
}

/// All samples so far.
pub(super) struct Vitals<'g> {
    gateway: &'g dyn Running,
    pub(super) samples: Vec<Sample>,
}

impl<'g> Vitals<'g> {
    pub(super) fn of(gateway: &'g dyn Running) -> Self {
        Self { gateway, samples: Vec::new() }
    }

    pub(super) fn sample(&mut self, at: Duration, answers: u64) {
        let mut processes = self.gateway.processes();
        if processes.is_empty() {
            processes.push(std::process::id());
        }
        // One that has just ended counts for nothing.
        let memory = processes.iter().filter_map(|process| memory(*process)).sum();
        let descriptors = processes.iter().filter_map(|process| descriptors(*process)).sum();
        self.samples.push(Sample { at, answers, memory, descriptors });
    }
}

fn memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

fn descriptors(process: u32) -> Option<u64> {
    u64::try_from(fs::read_dir(format!("/proc/{process}/fd")).ok()?.count()).ok()
}

/// What is more in the last quarter of the time than in the second, in words.
pub(super) fn growth(samples: &[Sample]) -> Vec<String> {
    type Of = fn(&Sample) -> u64;
    let quarter = samples.len() / 4;
    if quarter < 10 {
        return Vec::new();
    }
    let middle = |samples: &[Sample], of: Of| {
        let mut all: Vec<_> = samples.iter().map(of).collect();
        all.sort_unstable();
        all[all.len() / 2]
    };
    let kinds: [(Of, &str, u64); 2] = [
        (|sample| sample.memory, "kB of memory", 4096),
        (|sample| sample.descriptors, "open descriptors", 32),
    ];
    let grown = kinds.into_iter().filter_map(|(of, what, tolerated)| {
        let before = middle(&samples[quarter..2 * quarter], of);
        let after = middle(&samples[3 * quarter..], of);
        (after > before + before / 10 + tolerated).then(|| format!("{before} {what} have become {after}"))
    });
    grown.collect()
}
