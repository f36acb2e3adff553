//! `harness keys rotate`.

use std::io::{Write, stderr, stdout};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use time::{Duration, OffsetDateTime};

use super::end::{End, check_id};
use crate::cli::Usage;
use crate::cli::policy::documents;
use policy_tools::keys::{self, Plan, Succession};
use policy_tools::policy::{Setup, Staged};

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
The file is replaced at once and in whole; comments and all else in it stay as they are written. The key goes to \
stdout, once, all else to stderr. Load the file into the gateway before the key is handed over.

Example:
  harness keys rotate kong.yml --consumer model-citizen --overlap 14 > key.txt

Exit codes: 0 done; 1 the file could not be changed, and is as it was; 2 no such consumer or key, or usage.")]
pub(in crate::cli) struct Typed {
    /// A policy, or a config that holds some
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Whose key
    #[arg(long, value_name = "USERNAME")]
    consumer: String,
    /// The key to be succeeded [default: the one that is in force]
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// Name of the successor [default: today's date and the digest's first characters]
    #[arg(long)]
    id: Option<String>,
    /// Days for which the old key stays valid: 0 to 365
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    overlap: u32,
    // Without either, the successor lives as long as the old key.
    #[command(flatten)]
    end: End,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { file, consumer, key, id, overlap, end, json } = typed;
    let now = OffsetDateTime::now_utc().truncate_to_second();
    let mut wrong = Vec::new();
    check_id(id.as_ref(), &mut wrong);
    let not_after = end.after(now, &mut wrong);
    if overlap > 365 {
        wrong.push(format!("--overlap {overlap}: give 0 to 365"));
    }
    if file.as_os_str() == "-" {
        wrong.push("stdin cannot be changed: name a file".to_owned());
    }
    if !wrong.is_empty() {
        return Err(Usage(wrong).into());
    }
    let documents = documents(std::slice::from_ref(&file))?;
    let [document] = documents.as_slice() else { anyhow::bail!("one file, one document") };
    if document.is_dump() {
        let message = "what a gateway has told cannot be changed: name the file that it was told";
        return Err(Usage(vec![message.to_owned()]).into());
    }
    let plan = Plan {
        consumer: &consumer,
        key: key.as_deref(),
        id,
        now,
        overlap: Duration::days(overlap.into()),
        not_after,
    };
    let (key, done, text) = keys::succeed(document, &Setup::of(&documents), plan)
        .map_err(|error| Usage(vec![format!("{error:#}")]))?;
    // In force before it is told: of a key that was told and then is not in force somebody would make use.
    Staged::new(&file, &document.text, &text)?.commit()?;
    let told = match json {
        true => key.reveal_with(&done, stdout().lock()),
        false => say(&done, &file.display().to_string()).and_then(|()| key.reveal(stdout().lock())),
    };
    told.with_context(|| {
        format!("the key could not be told; take {:?} out of {} again", done.entry.id, file.display())
    })
}

fn say(done: &Succession, file: &str) -> std::io::Result<()> {
    let Succession { consumer, entry, old, old_not_after, places } = done;
    let places = if *places == 1 { String::new() } else { format!(", in {places} places") };
    let end = entry.not_after.as_deref().unwrap_or("it is taken out");
    writeln!(
        stderr(),
        "{file}: {consumer:?} has a new key {:?}, on stdout, shown this once; valid until {end}{places}.\n\
         The old one, {old:?}, is valid until {old_not_after}: hand the new one over until then, and take the old one \
         out after.",
        entry.id
    )
}
