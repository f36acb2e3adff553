//! `harness policy schema`.

use clap::Args;

use crate::cli::print;
use policy_tools::policy::{reference, schema};

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
Editors complete and check by it. In the first line of a policy, for VS Code's YAML extension, Helix, Neovim and others:

  # yaml-language-server: $schema=./mtls-policy.schema.json

Examples:
  harness policy schema > mtls-policy.schema.json
  harness policy schema --kong > kong.schema.json
  harness policy schema --markdown

Exit codes: 0 here it is; 2 usage.")]
pub(in crate::cli) struct Typed {
    /// Of Kong's declarative config, with the policies in it, instead of a policy alone
    #[arg(long)]
    kong: bool,
    /// The fields of a policy as tables for people
    #[arg(long, conflicts_with = "kong")]
    markdown: bool,
    /// As every verb has it; a schema is JSON anyhow
    #[arg(long, hide = true)]
    json: bool,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { kong, markdown, json: _ } = typed;
    if markdown {
        return print(&reference());
    }
    let schema = if kong { schema::kong() } else { schema::policy() };
    print(&(serde_json::to_string_pretty(&schema)? + "\n"))
}
