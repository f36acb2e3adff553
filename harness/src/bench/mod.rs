//! What a gateway costs: variants of one route, measured in turn under the same load.
//!
//! Every variant is a route of its own ([`variants.yml`](variants)) to one upstream that demands mutual TLS. Variants
//! take turns within each round, so that what disturbs the machine disturbs all of them, and a ratio is that of two
//! neighbours in one round. Every answer is checked while it is counted: its status, and whom the upstream saw.
//!
//! By default all of them are routes of one gateway: the same worker with the same connections, compiled code and
//! caches, as in a gateway that serves many routes. [`Arrangement::Apart`] gives each a gateway of its own instead:
//! then none pays for what another one has loaded.

mod alone;
mod awake;
mod cores;
mod decision;
mod filters;
mod load;
mod measure;
mod report;
mod scene;
mod spread;
mod upstream;
mod variants;

#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::ensure;

use crate::gateway::Gateway;
use scene::Scene;

pub use alone::{Alone, alone};
pub use report::{Report, Row};
pub use spread::Spread;
pub use variants::{Variant, all};

/// How to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is measured, in this order.
    pub variants: Vec<Variant>,
    /// Names of variants that the others are compared with.
    pub baselines: Vec<String>,
    pub arrangement: Arrangement,
    pub rounds: usize,
    /// Of each variant in each round, after a tenth of it to warm up.
    pub time: Duration,
    /// Kept alive, each with one request under way.
    pub connections: usize,
}

/// Which routes share a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    Together,
    Apart,
}

/// Measures.
///
/// # Errors
/// A variant cannot be brought up, is not what it is said to be, or answered anything else than it should.
pub fn run(gateway: &dyn Gateway, plan: &Plan) -> anyhow::Result<Report> {
    ensure!(
        plan.rounds > 0 && plan.connections > 0 && !plan.variants.is_empty(),
        "there is nothing to measure"
    );
    let scene = Scene::up(gateway, &plan.variants, plan.arrangement)?;
    scene.check(&plan.variants)?;
    let rounds = measure::rounds(&scene, plan)?;
    Ok(Report::new(gateway.name(), plan, scene.cores(), &rounds))
}
