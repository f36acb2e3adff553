//! Another authority in the place of one, without a hop that fails on the way: trust both; issue from the new; drop the
//! old. All of the state is in the files, so that each step can be taken up again where it was broken off.
//!
//! | | ca.crt | ca.key | beside them |
//! |---|---|---|---|
//! | before, and after | one | its | |
//! | both are trusted | old, new | of the old | next-ca.crt, next-ca.key |
//! | issued from the new | new, old | of the new | old-ca.crt, old-ca.key |

mod hop;
mod scene;
mod steps;

use std::fmt;

pub use hop::Hop;
pub use scene::Scene;

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Step {
    /// Make the new authority; let everybody trust both
    Trust,
    /// Issue all identities anew, from the new authority
    Issue,
    /// Trust the new authority alone
    Drop,
}

/// Why a step would break something, one reason each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Vec<String>);

impl Step {
    pub const ALL: [Self; 3] = [Self::Trust, Self::Issue, Self::Drop];

    /// What it does, for a plan.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Self::Trust => "make a new authority, and let every ca.crt trust both",
            Self::Issue => "issue every identity anew, from the new authority, with a new key",
            Self::Drop => "take the old authority out of every ca.crt",
        }
    }

    /// What has to be so before the next.
    #[must_use]
    pub fn then(self) -> &'static str {
        match self {
            Self::Trust => "then wait until every peer has taken ca.crt over",
            Self::Issue => "then wait until every peer presents its new certificate",
            Self::Drop => "then it is done",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trust => "trust",
            Self::Issue => "issue",
            Self::Drop => "drop",
        })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n  "))
    }
}

impl std::error::Error for Refused {}
