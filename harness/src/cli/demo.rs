//! `harness demo`: the whole path, once, as a table.

use clap::Args;

use crate::gateway::embedded::Embedded;

/// What was typed.
#[derive(Args)]
pub(super) struct Typed {}

pub(super) fn run(Typed {}: Typed) -> anyhow::Result<()> {
    match crate::demo::run(&Embedded)? {
        true => Ok(()),
        false => anyhow::bail!("not all is as it should be"),
    }
}
