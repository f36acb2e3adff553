//! `harness policy fmt`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::documents;
use crate::cli::{No, Usage, print};
use policy_tools::policy::{self, Setup, Staged};

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
Fields of policies stand in the order of the reference, lines and spaces in one style; comments stay where they belong, \
and all else in a config keeps its order. What a file means does not change: each is read again before it is replaced. \
A file whose anchors, aliases, tags or comments would be lost is refused and stays as it is.

Examples:
  harness policy fmt policy.yaml
  harness policy fmt --check kong.yml
  harness policy fmt - < policy.yaml

Exit codes: 0 done, or nothing to do; 1 with --check: some are written otherwise; 2 one could not be formatted.")]
pub(in crate::cli) struct Typed {
    /// Policies, or configs that hold some; `-` is stdin, and goes to stdout
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing, and name the files that would change
    #[arg(long)]
    check: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { files, check, json } = typed;
    let mut changed = Vec::new();
    // All of them, before the first is written.
    for file in &files {
        let documents = documents(std::slice::from_ref(file))?;
        let [document] = documents.as_slice() else { continue };
        if document.is_dump() {
            let message = format!("{}: what a gateway has told is not formatted", document.name);
            return Err(Usage(vec![message]).into());
        }
        let text = policy::format(document, &Setup::of(&documents))
            .map_err(|error| Usage(vec![format!("{error:#}")]))?;
        let stdin = file.as_os_str() == "-";
        if stdin && !check {
            print(&text)?;
        } else if text != document.text {
            let staged = if check { None } else { Some(Staged::new(file, &document.text, &text)?) };
            changed.push((document.name.clone(), staged));
        }
    }
    let names: Vec<_> = changed.iter().map(|(name, _)| name.clone()).collect();
    for (_, staged) in changed {
        staged.map(Staged::commit).transpose()?;
    }
    print(&match json {
        true => format!("{:#}\n", json!({ "changed": names })),
        false => names.iter().map(|name| format!("{name}\n")).collect(),
    })?;
    match names.len() {
        many if many > 0 && check => Err(No(format!("{many} to be formatted")).into()),
        _ => Ok(()),
    }
}
