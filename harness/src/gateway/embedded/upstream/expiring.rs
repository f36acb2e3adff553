//! What is about to expire, told once for each version of it.

use std::fmt;

use time::OffsetDateTime;

use super::way::{Plugin, Upstreams};

/// Something in force that ends soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    scope: String,
    what: String,
    at: OffsetDateTime,
    now: OffsetDateTime,
}

impl Upstreams {
    /// What ends within its instance's `expiry_warning`, and was not told yet.
    pub fn expiring(&self, now: OffsetDateTime) -> Vec<Expiring> {
        self.plugins.iter().flat_map(|plugin| plugin.expiring(now)).collect()
    }
}

impl Plugin {
    fn expiring(&self, now: OffsetDateTime) -> Vec<Expiring> {
        let is_near = |at: OffsetDateTime| at - now < self.expiry_warning;
        let mut expiring = Vec::new();
        let mut add = |what, at| expiring.push(Expiring { scope: self.scope.clone(), what, at, now });
        for (name, watched) in &self.certificates {
            let Ok(certificate) = watched.in_force() else { continue };
            let at = certificate.leaf.not_after;
            if is_near(at) && watched.is_news(certificate.digest) {
                add(format!("client certificate {name:?}"), at);
            }
        }
        if let Some((watched, Ok(anchors))) = self.trust().map(|watched| (watched, watched.in_force()))
            && is_near(anchors.not_after)
            && watched.is_news(anchors.digest)
        {
            add("trust anchor".to_owned(), anchors.not_after);
        }
        expiring
    }
}

impl fmt::Display for Expiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, what, at, now } = self;
        let date = at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        let days = (*at - *now).whole_days();
        write!(f, "upstream-mtls ({scope}): {what} expires at {date}, in {days} days")
    }
}
