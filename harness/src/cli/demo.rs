//! `harness demo`: the whole path, once, as a table.

use clap::Args;

use super::which_gateway::WhichGateway;

/// What was typed.
#[derive(Args)]
pub(super) struct Typed {
    #[command(flatten)]
    gateway: WhichGateway,
}

pub(super) fn run(Typed { gateway }: Typed) -> anyhow::Result<()> {
    match crate::demo::run(&*gateway.find()?)? {
        true => Ok(()),
        false => anyhow::bail!("not all is as it should be"),
    }
}
