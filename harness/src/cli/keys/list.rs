//! `harness keys list`.

use std::path::PathBuf;

use clap::Args;
use time::OffsetDateTime;

use crate::cli::policy::documents;
use crate::cli::{No, print};
use kong_config::document::visible;
use policy_tools::keys::{self, Held, State};
use policy_tools::policy::Setup;

/// What was typed.
#[derive(Args)]
#[command(after_help = "\
FILE is as for `harness policy check`, or a consumers file.

Examples:
  harness keys list kong.yml
  curl -s http://127.0.0.1:8001/config | harness keys list - --warn-days 14

Exit codes: 0 here they are; 1 one ends within --warn-days, or has ended; 2 could not ask.")]
pub(in crate::cli) struct Typed {
    /// Policies, or configs that hold some
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Exit with 1 where a key ends within so many days
    #[arg(long, value_name = "DAYS")]
    warn_days: Option<u32>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(typed: Typed) -> anyhow::Result<()> {
    let Typed { files, warn_days, json } = typed;
    let documents = documents(&files)?;
    let held = keys::list(&Setup::of(&documents), OffsetDateTime::now_utc());
    print(&match json {
        true => serde_json::to_string_pretty(&serde_json::json!({ "keys": held }))? + "\n",
        false => visible(&table(&held)),
    })?;
    let soon = |held: &&Held| held.days_left.zip(warn_days).is_some_and(|(left, warn)| left < warn.into());
    match held.iter().filter(soon).count() {
        0 => Ok(()),
        1 => Err(No("1 key ends soon, or has ended".to_owned()).into()),
        many => Err(No(format!("{many} keys end soon, or have ended")).into()),
    }
}

fn table(held: &[Held]) -> String {
    let head = ["consumer", "key", "from", "until", "days left", "state", "place"].map(str::to_owned);
    let rows = held.iter().map(|held| {
        [
            held.consumer.clone(),
            held.id.clone(),
            held.not_before.clone().unwrap_or_else(|| "-".to_owned()),
            held.not_after.clone().unwrap_or_else(|| "-".to_owned()),
            held.days_left.map_or("-".to_owned(), |left| left.to_string()),
            match held.state {
                State::Expired => "expired".to_owned(),
                State::InForce => "in force".to_owned(),
                State::NotYetValid => "not valid yet".to_owned(),
            },
            held.place.clone(),
        ]
    });
    let rows: Vec<_> = [head].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..7).map(width).collect();
    let line = |row: &[String; 7]| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
