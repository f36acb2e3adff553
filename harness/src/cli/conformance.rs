//! `harness conformance`: the same cases on every host, as a table.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::which_gateway::Drivers;
use super::{Usage, print};
use crate::conformance::{self, Lineup, Table};

/// What was typed.
#[derive(Args)]
#[command(
    after_help = "The policy's core and the module alone are always asked. A gateway that is not here is skipped, \
and said to be.

Examples:
  harness conformance
  harness conformance --gateway kong --kong-bin /usr/local/bin/kong --cases tests/conformance

Exit codes: 0 no unreasoned difference; 1 at least one; 2 could not ask."
)]
pub(super) struct Typed {
    /// Gateways to ask; `key-auth` is Kong's own [default: all]
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(conformance::others()))]
    gateway: Vec<String>,
    #[command(flatten)]
    drivers: Drivers,
    /// Directory of cases, TOPIC.yaml [default: those that the harness comes with]
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { gateway, drivers, cases } = typed;
    let Some(directory) = cases.or_else(conformance::shipped_suites) else {
        let message = "no tests/conformance above this executable: say by --cases where cases are";
        return Err(Usage(vec![message.to_owned()]).into());
    };
    let suites = conformance::suites(&directory).map_err(|error| Usage(vec![format!("{error:#}")]))?;
    let names: Vec<_> = conformance::others()
        .filter(|name| gateway.is_empty() || gateway.iter().any(|each| each == name))
        .collect();
    let lineup = Lineup::ask(&names, &drivers.options(), &suites)?;
    print(&Table(&lineup).to_string())?;
    match lineup.wrong() {
        0 => Ok(()),
        wrong => anyhow::bail!("{wrong} unreasoned differences"),
    }
}
