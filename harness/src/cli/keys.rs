//! `harness keys`: API keys.

use anyhow::anyhow;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use clap::{Args, Subcommand};
use serde::Serialize;
use sha2::{Digest, Sha256};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime, UtcOffset};

use super::{Usage, is_plain_name, print, rfc3339};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Print a new API key, once, and the policy entry that admits it
    New(New),
}

/// What was typed.
#[derive(Args)]
pub(super) struct New {
    /// Name of the key in policy and logs [default: today's date and the digest's first characters]
    #[arg(long)]
    id: Option<String>,
    /// Last moment of the key: 2027-01-15 (that whole day, UTC) or 2027-01-15T08:00:00Z; without it, no end
    #[arg(long, value_name = "DATE", conflicts_with = "days")]
    not_after: Option<String>,
    /// End the key this many days from now: 1 to 3650
    #[arg(long)]
    days: Option<u32>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    let Verb::New(typed) = verb;
    let now = OffsetDateTime::now_utc().truncate_to_second();
    let not_after = check(&typed, now)?;
    let key = ApiKey::new()?;
    let sha256 = key.sha256();
    let entry = Entry {
        id: typed.id.unwrap_or_else(|| format!("{}-{}", now.date(), &sha256[..6])),
        sha256,
        not_before: rfc3339(now)?,
        not_after: not_after.map(rfc3339).transpose()?,
    };
    print(&if typed.json { json(key, &entry)? } else { text(key, &entry)? })
}

/// The end, if there is one; all that is wrong at once.
fn check(typed: &New, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, Usage> {
    let New { id, not_after, days, json: _ } = typed;
    let mut wrong = Vec::new();
    if let Some(id) = id.as_ref().filter(|id| !is_plain_name(id)) {
        wrong.push(format!("--id {id:?}: give 1 to 128 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\""));
    }
    let end = match (not_after, *days) {
        (Some(text), _) => {
            let end = OffsetDateTime::parse(text, &Rfc3339)
                .or_else(|_| OffsetDateTime::parse(&format!("{text}T23:59:59Z"), &Rfc3339));
            match end {
                Ok(end) if end > now => Some(end.to_offset(UtcOffset::UTC).truncate_to_second()),
                Ok(_) => {
                    wrong.push(format!("--not-after {text}: already past"));
                    None
                }
                Err(_) => {
                    wrong.push(format!("--not-after {text:?}: give 2027-01-15 or 2027-01-15T08:00:00Z"));
                    None
                }
            }
        }
        (None, Some(days @ 1..=3650)) => Some(now + Duration::days(days.into())),
        (None, Some(days)) => {
            wrong.push(format!("--days {days}: give 1 to 3650"));
            None
        }
        (None, None) => None,
    };
    if wrong.is_empty() { Ok(end) } else { Err(Usage(wrong)) }
}

/// A new key. No `Debug`, no `Display`: it comes out once, by [`ApiKey::reveal`].
struct ApiKey(String);

impl ApiKey {
    /// 32 bytes from the system's random source, as base64 for URLs (RFC 4648, section 5) without padding.
    fn new() -> anyhow::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|reason| anyhow!("the system gives no random bytes: {reason}"))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Lower-case hex, of the key as it is sent.
    fn sha256(&self) -> String {
        format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(&self.0)))
    }

    fn reveal(self) -> String {
        self.0
    }
}

/// An element of `consumers[].keys` in a policy.
#[derive(Serialize)]
struct Entry {
    id: String,
    sha256: String,
    not_before: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<String>,
}

fn text(key: ApiKey, entry: &Entry) -> anyhow::Result<String> {
    // JSON in one line is YAML too: it can be pasted into a policy of either kind.
    let end = entry.not_after.as_deref().unwrap_or("it is taken out of the policy");
    Ok(format!(
        "New API key (256 bits of entropy), shown here only; valid until {end}:\n\n  {}\n\n\
         Paste under the consumer's keys in the policy:\n\n  - {}\n",
        key.reveal(),
        serde_json::to_string(entry)?
    ))
}

fn json(key: ApiKey, entry: &Entry) -> anyhow::Result<String> {
    let document = serde_json::json!({ "key": key.reveal(), "entropy_bits": 256, "entry": entry });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
