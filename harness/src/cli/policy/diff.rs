//! `harness policy diff`.

use std::path::PathBuf;

use clap::Args;

use super::documents;
use crate::cli::{No, Usage, print};
use crate::progress;
use policy_tools::policy::{self, Setup};

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
Both are asked what becomes of one request of each kind that their rules can tell apart, for every consumer; that is \
compared, and never lines. OLD and NEW are as FILE is for `harness policy check`.

Examples:
  harness policy diff kong.yml kong-new.yml
  git show main:kong.yml | harness policy diff - kong.yml
  curl -s http://127.0.0.1:8001/config | harness policy diff - kong.yml

Exit codes: 0 nothing becomes other for anybody; 1 something does; 2 could not compare.")]
pub(in crate::cli) struct Typed {
    old: PathBuf,
    new: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { old, new, json } = typed;
    let (old, new) = (documents(&[old])?, documents(&[new])?);
    progress::at("comparing");
    let diff = policy::diff(&Setup::of(&old), &Setup::of(&new))
        .map_err(|error| Usage(vec![format!("{error:#}")]))?;
    print(&match json {
        true => serde_json::to_string_pretty(&diff)? + "\n",
        false => policy::diff_text(&diff),
    })?;
    match diff.count() {
        0 => Ok(()),
        1 => Err(No("1 change".to_owned()).into()),
        many => Err(No(format!("{many} changes")).into()),
    }
}
