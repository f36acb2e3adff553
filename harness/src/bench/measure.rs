//! Rounds: in each, every variant has its turn.

use std::time::{Duration, Instant};

use super::Plan;
use super::cores::processor_time;
use super::load::{Load, Target};
use super::scene::Scene;
use crate::progress;

/// One turn of one variant.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    pub requests_per_second: f64,
    /// Of the gateway's processes for one request. Absent where they cannot be told from this one.
    pub processor_microseconds: Option<f64>,
}

/// One round.
#[derive(Clone, Debug)]
pub struct Round {
    /// Without a gateway.
    pub limit: Turn,
    /// In the order of the plan's variants.
    pub turns: Vec<Turn>,
}

/// Measures.
///
/// # Errors
/// An answer was not what is owed.
pub fn rounds(scene: &Scene, plan: &Plan) -> anyhow::Result<Vec<Round>> {
    (0..plan.rounds)
        .map(|number| {
            let round = round(scene, plan, number)?;
            let turns = plan.variants.iter().zip(&round.turns);
            let said: Vec<_> = turns
                .map(|(variant, turn)| format!("{} {:.0}", variant.name, turn.requests_per_second))
                .collect();
            progress::at(format!("round {} of {}, requests/s: {}", number + 1, plan.rounds, said.join(", ")));
            Ok(round)
        })
        .collect()
}

/// Each round begins with another variant: none always follows the same one.
fn round(scene: &Scene, plan: &Plan, number: usize) -> anyhow::Result<Round> {
    let limit = turn(scene, plan, &scene.limit(), &[])?;
    let count = plan.variants.len();
    let mut turns = vec![None; count];
    for index in (0..count).map(|step| (step + number) % count) {
        let target = scene.target(index, &plan.variants[index]);
        turns[index] = Some(turn(scene, plan, &target, &scene.gateway(index).processes())?);
    }
    Ok(Round { limit, turns: turns.into_iter().flatten().collect() })
}

fn turn(scene: &Scene, plan: &Plan, target: &Target, processes: &[u32]) -> anyhow::Result<Turn> {
    let _awake = scene.keep_awake();
    let load = Load::start(target, plan.connections, scene.load());
    load.go_on(plan.time / 10)?;
    let before = Reading::take(&load, processes);
    load.go_on(plan.time)?;
    Ok(Reading::take(&load, processes).since(&before))
}

struct Reading {
    at: Instant,
    answered: u64,
    processor: Option<u64>,
}

impl Reading {
    fn take(load: &Load, processes: &[u32]) -> Self {
        Self { answered: load.answered(), processor: processor_time(processes), at: Instant::now() }
    }

    fn since(&self, before: &Self) -> Turn {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let [answered, nanoseconds] = [
            self.answered - before.answered,
            self.processor.zip(before.processor).map_or(0, |(after, before)| after.saturating_sub(before)),
        ]
        .map(|count| count as f64);
        let time = Duration::as_secs_f64(&self.at.duration_since(before.at));
        Turn {
            requests_per_second: answered / time,
            processor_microseconds: self.processor.map(|_| nanoseconds / 1000.0 / answered),
        }
    }
}
