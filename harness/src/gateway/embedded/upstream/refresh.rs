//! A look at all certificate files, and what follows from it.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use time::OffsetDateTime;

use super::certificate::Unusable;
use super::client::Pools;
use super::watched::{Finding, Material, Watched};
use super::way::Upstreams;

/// One change of one certificate or CA file since the look before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub files: Vec<PathBuf>,
    /// What is in force now; or why the change was not taken.
    pub outcome: Result<String, Unusable>,
    /// Whether something is in force, then.
    pub in_force: bool,
}

/// Puts in force what is new and good in the files; closes what was connected under terms that are out
/// of force by that or by time. Reads files: not for the request path.
///
/// The caller sees to it that `upstreams` are the ones in force until this returns.
pub fn refresh(upstreams: &Upstreams, pools: &Pools, now: OffsetDateTime) -> Vec<Change> {
    publish(upstreams, pools, now, || ())
}

/// Puts `upstreams` in force by `swap`, in one step with what is new and good in their files.
pub fn publish(
    upstreams: &Upstreams,
    pools: &Pools,
    now: OffsetDateTime,
    swap: impl FnOnce(),
) -> Vec<Change> {
    let certificates = look(&upstreams.certificates, now);
    let anchors = look(&upstreams.anchors, now);
    let revocations = look(&upstreams.revocations, now);
    let mut changes = Vec::new();
    pools.change(|| {
        swap();
        changes.extend(certificates.into_iter().map(|(watched, finding)| {
            take(&watched, finding, |certificate| {
                let leaf = &certificate.leaf;
                format!("{}, fingerprint {}, until {}", leaf.subject, leaf.fingerprint, date(leaf.not_after))
            })
        }));
        changes.extend(anchors.into_iter().map(|(watched, finding)| {
            take(&watched, finding, |anchors| {
                format!("trust anchors, the first until {}", date(anchors.not_after))
            })
        }));
        changes.extend(revocations.into_iter().map(|(watched, finding)| {
            take(&watched, finding, |lists| {
                format!("lists of what is revoked, the first until {}", date(lists.not_after))
            })
        }));
        upstreams.pool_keys(now)
    });
    changes
}

fn look<T: Material>(all: &[Arc<Watched<T>>], now: OffsetDateTime) -> Vec<(Arc<Watched<T>>, Finding<T>)> {
    all.iter().filter_map(|watched| Some((watched.clone(), watched.look(now)?))).collect()
}

fn take<T: Material>(watched: &Watched<T>, finding: Finding<T>, tell: impl Fn(&T) -> String) -> Change {
    let outcome = watched.take(finding).map(|value| tell(&value));
    Change { files: watched.paths().to_vec(), outcome, in_force: watched.in_force().is_ok() }
}

fn date(at: OffsetDateTime) -> impl Display {
    at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}

impl Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files: Vec<_> = self.files.iter().map(|path| path.display().to_string()).collect();
        let files = files.join(", ");
        match &self.outcome {
            Ok(what) => write!(f, "upstream-mtls: {files}: in force: {what}"),
            Err(why) if self.in_force => {
                write!(f, "upstream-mtls: {files}: {why}; the last good one stays in force")
            }
            Err(why) => write!(f, "upstream-mtls: {files}: {why}; nothing is in force"),
        }
    }
}
