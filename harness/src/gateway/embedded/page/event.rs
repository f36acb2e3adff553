//! What happened to certificates, trust, config and consumers.

use std::fmt::Display;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::super::status::date;
use super::super::upstream::{Change, Upstreams};

/// Something was taken over, or was not.
pub(in super::super) struct Event {
    at: OffsetDateTime,
    /// `taken`; `kept`: the last good one stays in force; `out`: nothing is in force; `ending`.
    kind: &'static str,
    what: String,
    why: String,
}

impl Event {
    pub(in super::super) fn taken(what: &str, why: impl Display) -> Self {
        Self::new("taken", what, why)
    }

    pub(in super::super) fn kept(what: &str, why: impl Display) -> Self {
        Self::new("kept", what, why)
    }

    pub(in super::super) fn ending(what: impl Display) -> Self {
        Self::new("ending", "", what)
    }

    /// A change of files, by what the config calls them.
    pub(in super::super) fn of(change: &Change, upstreams: &Upstreams) -> Self {
        let what = names(change, upstreams);
        match &change.outcome {
            Ok(what_is_in_force) => Self::new("taken", &what, what_is_in_force),
            Err(why) if change.in_force => Self::new("kept", &what, why),
            Err(why) => Self::new("out", &what, why),
        }
    }

    fn new(kind: &'static str, what: &str, why: impl Display) -> Self {
        Self { at: OffsetDateTime::now_utc(), kind, what: what.to_owned(), why: why.to_string() }
    }

    pub(super) fn tell(&self, number: u64) -> Value {
        json!({ "number": number, "at": date(self.at), "kind": self.kind, "what": self.what, "why": self.why })
    }
}

fn names(change: &Change, upstreams: &Upstreams) -> String {
    let mut names = Vec::new();
    for plugin in &upstreams.plugins {
        let certificates = plugin.certificates.iter().filter(|(_, watched)| watched.paths() == change.files);
        names.extend(certificates.map(|(name, _)| name.as_str()));
        names.extend(
            plugin.trust().filter(|watched| watched.paths() == change.files).map(|_| "trust anchors"),
        );
        names.extend(
            plugin
                .revocations()
                .filter(|watched| watched.paths() == change.files)
                .map(|_| "revocation lists"),
        );
    }
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}
