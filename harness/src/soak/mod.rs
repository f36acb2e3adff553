//! Everything at once, for long: requests of all kinds, while certificates rotate, policies change, files break, the
//! upstream fails and workers start anew.
//!
//! Two things must never happen: that the upstream sees another identity than was selected, and that a request passes
//! which is to be refused. A request may fail while the upstream fails on purpose, and never otherwise.

mod disturbances;
mod history;
mod load;
mod people;
mod plot;
mod tally;
mod vitals;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::gateway::Gateway;
use crate::stack::{ANY_PORT, Plan as StackPlan, Stack};

use disturbances::Disturbances;
use history::History;
use load::Load;
use people::CLIENTS;
use vitals::Vitals;

pub use plot::plot;
pub use tally::Tally;
pub use vitals::Sample;

/// How long, and how hard.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Answers to get.
    pub requests: u64,
    /// Kept alive, each with one request under way.
    pub connections: usize,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub time: Duration,
    pub tally: Tally,
    /// How often each kind of disturbance was made.
    pub disturbances: Vec<(&'static str, u64)>,
    /// Once a second.
    pub samples: Vec<Sample>,
}

impl Outcome {
    /// What is not as it has to be, in words; nothing if all is.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = self.tally.complaints();
        complaints.extend(vitals::growth(&self.samples));
        complaints
    }
}

/// Brings a gateway up and does all of it; tells `progress` once a second how many answers there are.
///
/// # Errors
/// Something cannot be brought up, or a disturbance cannot be made. What answers are wrong is no error but counted.
pub fn run(gateway: &dyn Gateway, plan: Plan, mut progress: impl FnMut(u64)) -> anyhow::Result<Outcome> {
    let stack = stack(gateway)?;
    let history = History::of(&stack)?;
    let disturbances = Disturbances::of(&stack, gateway, &history);
    let (done, began) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        let disturbing = scope.spawn(|| disturbances.go_on(&done));
        let rotating = scope.spawn(|| history.rotate_each_second(&stack, &done));
        let load = Load::start(&stack, &history, plan, scope);
        let mut vitals = Vitals::of(stack.gateway());
        let tally = load.map(|load| {
            while !load.is_finished_within(SECOND) && !disturbing.is_finished() && !rotating.is_finished() {
                vitals.sample(began.elapsed(), load.answers());
                progress(load.answers());
            }
            load.end()
        });
        let time = began.elapsed();
        done.store(true, Ordering::Relaxed);
        for thread in [disturbing, rotating] {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("panicked")))?;
        }
        Ok(Outcome { time, tally: tally?, disturbances: disturbances.counts(), samples: vitals.samples })
    })
}

/// Under the first policy.
fn stack(gateway: &dyn Gateway) -> anyhow::Result<Stack> {
    let plan = StackPlan { config: &people::config(0), clients: &CLIENTS, proxy: ANY_PORT, status: None };
    Stack::up(gateway, &plan)
}

const SECOND: Duration = Duration::from_secs(1);
