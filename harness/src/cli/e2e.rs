//! `harness e2e`: a user's own config and cases, with a mock upstream.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::which_gateway::WhichGateway;
use super::{Usage, print};
use crate::cases::{self, Kind};
use crate::e2e::{self, Own, Report};

/// What was typed.
#[derive(Args)]
#[command(
    after_help = "Upstreams are replaced by a mock that tells what it heard, client certificates by made-up ones \
whose common names are their names in the config, and keys by new ones: in a case, <ann> is a key of the consumer \
ann, <ann/2026-q4> the one of that id. No report holds a key.

Example:
  harness e2e --config kong.yml --suite cases.yaml --junit report.xml

Exit codes: 0 all as it is owed; 1 something is not; 2 could not ask."
)]
pub(super) struct Typed {
    #[command(flatten)]
    gateway: WhichGateway,
    /// Kong's declarative config, YAML or JSON
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Cases, YAML
    #[arg(long, value_name = "FILE")]
    suite: PathBuf,
    /// Write a report as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a report as one page of HTML
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { gateway, config, suite, junit, html } = typed;
    // Until the first case is asked, whatever goes wrong is a question that could not be put.
    let report = (|| {
        let suite = cases::load(&suite, Kind::OwnConfig)?;
        let own = Own::read(&read(&config)?, &config.display().to_string())?;
        let gateway = gateway.find()?;
        e2e::run(&*gateway, (&config.display().to_string(), own), &suite)
    })()
    .map_err(|error: anyhow::Error| Usage(vec![format!("{error:#}")]))?;
    if let Some(path) = junit {
        write(&path, &e2e::junit(&report)?)?;
    }
    if let Some(path) = html {
        write(&path, &e2e::html(&report))?;
    }
    print(&summary(&report))?;
    match report.failed() {
        0 => Ok(()),
        failed => anyhow::bail!("{failed} of {} are not as they are owed", report.cases.len()),
    }
}

fn summary(report: &Report) -> String {
    let good = report.cases.len() - report.failed();
    let seconds = report.took.as_secs_f64();
    format!(
        "{}\n{good} of {} as they are owed, in {seconds:.1} s\n",
        e2e::failures(report),
        report.cases.len()
    )
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
