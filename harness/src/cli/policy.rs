//! `harness policy`: policies as their authors handle them.

mod check;
mod explain;

use std::path::PathBuf;

use clap::Subcommand;

use super::Usage;
use crate::policy::{self, Document};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// All that is wrong with policies, each mistake with its place, and what is hardly meant
    Check(check::Typed),
    /// What becomes of a request, which rule decides, and why those before it do not
    Explain(Box<explain::Typed>),
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Check(typed) => check::run(typed),
        Verb::Explain(typed) => explain::run(*typed),
    }
}

/// The documents of files, where all of them are.
fn documents(files: &[PathBuf]) -> anyhow::Result<Vec<Document>> {
    match policy::read(files).map_err(|error| Usage(vec![format!("{error:#}")]))? {
        Ok(documents) => Ok(documents),
        Err(unread) => {
            anstream::eprint!("{}", policy::text(&unread.findings()));
            Err(Usage(vec![format!("{} is neither YAML nor JSON that a gateway reads", unread.name)]).into())
        }
    }
}
