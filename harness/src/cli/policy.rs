//! `harness policy`: policies as their authors handle them.

mod check;
mod diff;
mod explain;
mod fmt;
mod schema;

use std::path::PathBuf;

use clap::Subcommand;

use super::{Usage, tell};
use policy_tools::policy::{self, Document, Finding};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// All that is wrong with policies, each mistake with its place, and what is hardly meant
    Check(check::Typed),
    /// What becomes other between two policies or configs, and for whom
    Diff(diff::Typed),
    /// What becomes of a request, which rule decides, and why those before it do not
    Explain(Box<explain::Typed>),
    /// Policies written in the one way, comments kept
    Fmt(fmt::Typed),
    /// The JSON Schema of policies, for editors
    Schema(schema::Typed),
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Check(typed) => check::run(typed),
        Verb::Diff(typed) => diff::run(typed),
        Verb::Explain(typed) => explain::run(*typed),
        Verb::Fmt(typed) => fmt::run(typed),
        Verb::Schema(typed) => schema::run(typed),
    }
}

/// The documents of files, where all of them are.
pub(super) fn documents(files: &[PathBuf]) -> anyhow::Result<Vec<Document>> {
    let refused = |findings: &[Finding<'_>]| {
        tell(&policy::text(findings));
        let name = findings.first().map(|one| one.name).unwrap_or_default();
        Err(Usage(vec![format!("{name} is no document that a gateway reads")]).into())
    };
    let documents = match policy::read(files).map_err(|error| Usage(vec![format!("{error:#}")]))? {
        Ok(documents) => documents,
        Err(unread) => return refused(&unread.findings()),
    };
    match documents.iter().map(Document::findings).find(|findings| !findings.is_empty()) {
        None => Ok(documents),
        Some(findings) => refused(&findings),
    }
}
