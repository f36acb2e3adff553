//! `harness keys new`.

use std::io::stdout;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::end::{End, check_id};
use crate::cli::{Usage, tell};
use policy_tools::keys::{ApiKey, ENTROPY_BITS, Entry};

/// What was typed.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(in crate::cli) struct Typed {
    /// Name of the key in policy and logs [default: today's date and the digest's first characters]
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    end: End,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

const AFTER: &str = r"The key goes to stdout, all else to stderr. It is mtlsk_, 43 letters and digits from the system's \
random source, which have 256 bits of entropy, and 6 that are their CRC-32 in base 62. Secret scanners know it by
  \bmtlsk_[0-9A-Za-z]{49}\b

Examples:
  harness keys new --id 2027-q1 --days 90 > key.txt
  harness keys new --json | jq .entry

Exit codes: 0 here it is; 1 it could not be made; 2 usage.";

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { id, end, json } = typed;
    let now = OffsetDateTime::now_utc().truncate_to_second();
    let mut wrong = Vec::new();
    check_id(id.as_ref(), &mut wrong);
    let not_after = end.after(now, &mut wrong);
    if !wrong.is_empty() {
        return Err(Usage(wrong).into());
    }
    let key = ApiKey::new()?;
    let entry = Entry::of(&key, id, now, not_after)?;
    if json {
        let more = json!({ "entropy_bits": ENTROPY_BITS, "entry": entry });
        return key.reveal_with(&more, stdout().lock()).context("cannot write to stdout");
    }
    // JSON in one line is YAML too: it can be pasted into a policy of either kind.
    let end = entry.not_after.as_deref().unwrap_or("it is taken out of the policy");
    tell(&format!(
        "New API key ({ENTROPY_BITS} bits of entropy), on stdout, shown this once; valid until {end}.\n\
         Paste under the consumer's keys in the policy:\n\n  - {}\n\n",
        serde_json::to_string(&entry)?
    ));
    key.reveal(stdout().lock()).context("cannot write to stdout")
}
