//! `harness bench`: what a gateway costs, as a table.

use std::time::Duration;

use clap::Args;

use super::which_gateway::WhichGateway;
use super::{Usage, print};
use crate::bench::{self, Arrangement, Plan, Variant};
use crate::gateway::Gateway;

/// What was typed.
#[derive(Args)]
#[command(after_help = "An answer that is not what is owed ends it with 1.

Example:
  harness bench --gateway kong --rounds 7 --variants bare,upstream-mtls --against bare")]
pub(super) struct Typed {
    #[command(flatten)]
    gateway: WhichGateway,
    /// What to measure, in this order [default: all that the gateway can be configured as]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    variants: Vec<String>,
    /// What to compare with
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_values = ["bare", "key-auth"])]
    against: Vec<String>,
    /// How often each variant has its turn
    #[arg(long, value_name = "COUNT", default_value = "5", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How long one turn lasts
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    seconds: Duration,
    /// Connections to the gateway, each with one request under way
    #[arg(long, value_name = "COUNT", default_value = "16", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// A gateway for each variant, instead of one that has all of them as routes
    #[arg(long)]
    apart: bool,
    /// The filter alone in wasmtime instead of a gateway: time, memory and host calls
    #[arg(long, conflicts_with_all = ["gateway", "variants", "apart"])]
    filter: bool,
    /// All figures as one JSON document instead of a table
    #[arg(long)]
    json: bool,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let Typed { gateway, variants, against, rounds, seconds, connections, apart, filter, json } = typed;
    if filter {
        let alone = bench::alone(rounds.into())?;
        return print(&if json { serde_json::to_string_pretty(&alone)? + "\n" } else { alone.markdown() });
    }
    let gateway = gateway.find_with(&ONE_QUIET_WORKER)?;
    let variants = choose(&bench::all()?, &variants, &*gateway)?;
    let plan = Plan {
        variants,
        baselines: against,
        arrangement: if apart { Arrangement::Apart } else { Arrangement::Together },
        rounds: rounds.into(),
        time: seconds,
        connections: connections.into(),
    };
    let report = bench::run(&*gateway, &plan)?;
    match json {
        true => print(&(serde_json::to_string_pretty(&report)? + "\n")),
        false => print(&report.markdown()),
    }
}

/// The variants of these names, or all that a gateway can be configured as.
fn choose(all: &[Variant], names: &[String], gateway: &dyn Gateway) -> Result<Vec<Variant>, Usage> {
    if names.is_empty() {
        return Ok(all.iter().filter(|variant| variant.lacked_by(gateway).is_none()).cloned().collect());
    }
    let (mut chosen, mut problems) = (Vec::new(), Vec::new());
    for name in names {
        let variant = all.iter().find(|variant| variant.name == *name);
        match variant.map(|variant| (variant, variant.lacked_by(gateway))) {
            Some((variant, None)) => chosen.push(variant.clone()),
            Some((_, Some(why))) => problems.push(format!("--variants: {name}: {why}")),
            None => {
                let known: Vec<_> = all.iter().map(|variant| variant.name.as_str()).collect();
                problems
                    .push(format!("--variants: none is called {name:?}; there are: {}", known.join(", ")));
            }
        }
    }
    if problems.is_empty() { Ok(chosen) } else { Err(Usage(problems)) }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("must be more than 0".to_owned()),
    }
}

/// Settings of a Kong, which others do without.
const ONE_QUIET_WORKER: [(&str, &str); 2] = [("nginx_worker_processes", "1"), ("log_level", "warn")];
