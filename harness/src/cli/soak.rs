//! `harness soak`: everything at once, for long.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;

use super::which_gateway::WhichGateway;
use crate::progress;
use crate::soak::{self, Outcome, Plan};

/// What was typed.
#[derive(Args)]
#[command(after_help = "Example:
  harness soak --gateway kong --kong-bin /usr/local/bin/kong --requests 1000000 --svg soak.svg")]
pub(super) struct Typed {
    #[command(flatten)]
    gateway: WhichGateway,
    /// How many answers to get
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    requests: u64,
    /// Kept alive, each with one request under way
    #[arg(long, value_name = "COUNT", default_value_t = 16)]
    connections: usize,
    /// Where to draw answers per second, memory and descriptors over time
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

pub(super) fn run(Typed { gateway, requests, connections, svg }: Typed) -> anyhow::Result<()> {
    let outcome = soak::run(&*gateway.find()?, Plan { requests, connections }, |answers| {
        progress::at(format!("{answers} of {requests} answers"));
    })?;
    if let Some(file) = svg {
        soak::plot(&outcome.samples, &file)?;
    }
    super::print(&told(&outcome))?;
    let complaints = outcome.complaints();
    anyhow::ensure!(complaints.is_empty(), "not all is as it should be:\n  {}", complaints.join("\n  "));
    Ok(())
}

fn told(Outcome { time, tally, disturbances, samples }: &Outcome) -> String {
    let mut text = format!("{} answers in {:.0} s\n", tally.answers(), time.as_secs_f64());
    let counts = [
        (tally.allowed, "passed as the right identity"),
        (tally.refused, "refused, rightly"),
        (tally.failed, "failed while the upstream or a worker failed on purpose"),
        (tally.lost, "failed without a reason"),
        (tally.turned_away, "refused, wrongly"),
        (tally.mistaken, "passed as the wrong identity"),
        (tally.let_in, "passed that were to be refused"),
    ];
    for (count, what) in counts {
        let _ = writeln!(text, "{count:>10} {what}");
    }
    let _ =
        writeln!(text, "{:>10} sent again, for the gateway had ended the kept connection", tally.sent_again);
    let _ = writeln!(text, "disturbed by");
    for (what, count) in disturbances {
        let _ = writeln!(text, "{count:>10} × {what}");
    }
    if let (Some(first), Some(last)) = (samples.get(samples.len() / 4), samples.last()) {
        let _ = writeln!(
            text,
            "memory {} MB after a quarter of the time, {} MB at the end; descriptors {} and {}",
            first.memory / 1024,
            last.memory / 1024,
            first.descriptors,
            last.descriptors,
        );
    }
    text
}
