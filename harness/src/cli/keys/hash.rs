//! `harness keys hash`.

use std::io::stdin;

use anyhow::bail;
use clap::Args;
use serde_json::json;

use crate::cli::{Usage, print};
use policy_tools::keys::{ApiKey, Checksum};

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
The key comes by stdin; as an argument, others on the machine could read it. A line feed at its end is not part of it.

Example:
  harness keys hash < key.txt

A placeholder such as $NAME, ${NAME} or {{NAME}} is rejected: its digest would make the placeholder itself a valid key.

Exit codes: 0 here it is; 1 the key was mistyped or cut, by its checksum; 2 stdin holds no key.")]
pub(in crate::cli) struct Typed {
    /// Hash the key even if it looks like a placeholder
    #[arg(long)]
    literal: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let key = match ApiKey::read(stdin()) {
        Ok(Ok(key)) => key,
        Ok(Err(none)) => return Err(Usage(vec![none.to_string()]).into()),
        Err(error) => return Err(Usage(vec![format!("{error:#}")]).into()),
    };
    if let Some(placeholder) = key.placeholder().filter(|_| !typed.literal) {
        let message = format!(
            "expected an API key on stdin, got a placeholder ({placeholder}): replace it with the key first; if this is the key itself, add --literal"
        );
        return Err(Usage(vec![message]).into());
    }
    if key.checksum() == Checksum::Wrong {
        bail!("this key was mistyped or cut: its checksum is wrong");
    }
    let sha256 = key.sha256();
    print(&match typed.json {
        true => format!("{:#}\n", json!({ "sha256": sha256 })),
        false => format!("{sha256}\n"),
    })
}
