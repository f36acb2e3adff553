//! `harness demo`: the whole path, once, as a table.

use clap::Args;

use super::which_gateway::WhichGateway;

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  harness demo
  harness demo --gateway kong --kong-bin /usr/local/bin/kong")]
pub(super) struct Typed {
    #[command(flatten)]
    gateway: WhichGateway,
}

pub(super) fn run(Typed { gateway }: Typed) -> anyhow::Result<()> {
    match crate::demo::run(&*gateway.find()?, super::print)? {
        true => Ok(()),
        false => anyhow::bail!("not all is as it should be"),
    }
}
