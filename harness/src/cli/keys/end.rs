//! When a new key ends, as it is typed.

use clap::Args;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime, UtcOffset};

/// What was typed.
#[derive(Args)]
pub(super) struct End {
    /// Last moment of the key: 2027-01-15 (that whole day, UTC) or 2027-01-15T08:00:00Z
    #[arg(long, value_name = "DATE", conflicts_with = "days")]
    not_after: Option<String>,
    /// End the key this many days from now: 1 to 3650
    #[arg(long)]
    days: Option<u32>,
}

impl End {
    /// What it means, if something was typed; what is wrong goes to the others.
    pub(super) fn after(&self, now: OffsetDateTime, wrong: &mut Vec<String>) -> Option<OffsetDateTime> {
        match (&self.not_after, self.days) {
            (Some(text), _) => {
                let end = OffsetDateTime::parse(text, &Rfc3339)
                    .or_else(|_| OffsetDateTime::parse(&format!("{text}T23:59:59Z"), &Rfc3339));
                match end {
                    Ok(end) if end > now => return Some(end.to_offset(UtcOffset::UTC).truncate_to_second()),
                    Ok(_) => wrong.push(format!("--not-after {text}: already past")),
                    Err(_) => {
                        wrong.push(format!("--not-after {text:?}: give 2027-01-15 or 2027-01-15T08:00:00Z"))
                    }
                }
                None
            }
            (None, Some(days @ 1..=3650)) => Some(now + Duration::days(days.into())),
            (None, Some(days)) => {
                wrong.push(format!("--days {days}: give 1 to 3650"));
                None
            }
            (None, None) => None,
        }
    }
}

/// What is wrong with a key's name, if anything is.
pub(super) fn check_id(id: Option<&String>, wrong: &mut Vec<String>) {
    if let Some(id) = id.filter(|id| !crate::cli::is_plain_name(id)) {
        wrong.push(format!("--id {id:?}: give 1 to 128 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\""));
    }
}
