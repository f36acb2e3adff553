//! What a policy holds of a key.

use anyhow::Context;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ApiKey;

/// An element of `consumers[].keys` in a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub id: String,
    pub sha256: String,
    pub not_before: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
}

impl Entry {
    /// The entry that admits a key from a moment on. Without an id, it is called after the day and its digest.
    ///
    /// # Errors
    /// The moment is beyond the years that RFC 3339 can write.
    pub fn of(
        key: &ApiKey,
        id: Option<String>,
        not_before: OffsetDateTime,
        not_after: Option<OffsetDateTime>,
    ) -> anyhow::Result<Self> {
        let sha256 = key.sha256();
        Ok(Self {
            id: id.unwrap_or_else(|| format!("{}-{}", not_before.date(), &sha256[..6])),
            sha256,
            not_before: time(not_before)?,
            not_after: not_after.map(time).transpose()?,
        })
    }
}

/// As policies have times.
///
/// # Errors
/// It is beyond the years that RFC 3339 can write.
pub fn time(moment: OffsetDateTime) -> anyhow::Result<String> {
    moment.format(&Rfc3339).context("cannot write a date")
}
