use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Hop, Refused, Step};
use crate::inspect::{self, Certificate};
use crate::{Authority, AuthorityFiles};

/// An authority and the directories of those who trust it and whom it vouches for, as they are now.
pub struct Scene {
    /// The authority's directory first.
    pub(super) directories: Vec<PathBuf>,
    /// Whose key signs now.
    pub(super) current: Authority,
    pub(super) next: Option<Authority>,
    /// The one before, while it is still trusted.
    pub(super) former: Option<Certificate>,
    /// Every ca.crt.
    pub(super) trust: Vec<(PathBuf, Vec<Certificate>)>,
    /// Every identity that the authority or the one before vouches for.
    pub(super) identities: Vec<(PathBuf, Certificate)>,
    hops: Vec<Hop>,
}

impl Scene {
    /// Reads it. `directory` is the authority's; `others` hold `tls.crt, tls.key, ca.crt` or NAME.crt, NAME.key.
    ///
    /// # Errors
    /// Something cannot be read: the first that cannot.
    pub fn read(directory: &Path, others: &[PathBuf], hops: Vec<Hop>) -> anyhow::Result<Self> {
        let files = AuthorityFiles::at(directory);
        let current = files.authority()?;
        let there = |name: &str| directory.join(format!("{name}.crt")).is_file();
        let next = there(NEXT).then(|| files.named(NEXT)).transpose()?;
        // Broken off when the new key had its place already: what is left over of it says nothing any more.
        let next = next.filter(|next| next.der() != current.der());
        let former = match there(FORMER) {
            true => Some(certificates(&directory.join(format!("{FORMER}.crt")))?.swap_remove(0)),
            false => None,
        };
        let directories: Vec<_> =
            std::iter::once(directory.to_owned()).chain(others.iter().cloned()).collect();
        let mut scene =
            Self { directories, current, next, former, trust: Vec::new(), identities: Vec::new(), hops };
        for directory in scene.directories.clone() {
            scene.look_into(&directory)?;
        }
        Ok(scene)
    }

    /// The step that is due; `None` where nothing has begun, or all is done: the same.
    #[must_use]
    pub fn due(&self) -> Option<Step> {
        match (&self.next, &self.former) {
            (_, Some(_)) => Some(Step::Drop),
            (Some(_), None) if !self.untrusting().is_empty() => Some(Step::Trust),
            (Some(_), None) => Some(Step::Issue),
            (None, None) => None,
        }
    }

    /// Whether a step may be done now. One that was broken off may be done again.
    ///
    /// # Errors
    /// Everything that it would break.
    pub fn check(&self, step: Step) -> Result<(), Refused> {
        let mut reasons = Vec::new();
        match step {
            Step::Trust if self.former.is_some() => {
                reasons.push("the rotation before is not finished: drop its old authority first".into());
            }
            Step::Trust if !self.current_is_root() => {
                reasons.push(format!(
                    "{} is not a root: issue another from the authority above it",
                    self.name()
                ));
            }
            Step::Trust => {}
            Step::Issue => match &self.next {
                None if self.former.is_some() => {}
                None => reasons.push("there is no new authority yet: trust it first".into()),
                Some(next) => {
                    reasons.extend(self.untrusting());
                    let next = own(next);
                    reasons.extend(self.hops.iter().filter_map(|hop| hop.trusts(&next).err()));
                }
            },
            Step::Drop if self.former.is_none() => {
                reasons.push("nothing is issued from a new authority yet: do that first".into());
            }
            Step::Drop => {
                reasons.extend(
                    self.left().map(|path| format!("{} is still the old authority's", path.display())),
                );
                let current = own(&self.current);
                reasons.extend(self.hops.iter().filter_map(|hop| hop.shows(&current).err()));
            }
        }
        if reasons.is_empty() { Ok(()) } else { Err(Refused(reasons)) }
    }

    /// Identities that the next step but one would leave without anybody who trusts them.
    pub(super) fn left(&self) -> impl Iterator<Item = &Path> {
        let signer = match &self.next {
            Some(next) => own(next),
            None => own(&self.current),
        };
        let is_left = move |certificate: &Certificate| !certificate.is_issued_by(&signer);
        self.identities.iter().filter(move |(_, leaf)| is_left(leaf)).map(|(path, _)| path.as_path())
    }

    fn name(&self) -> String {
        own(&self.current).subject
    }

    fn current_is_root(&self) -> bool {
        own(&self.current).is_self_issued()
    }

    /// Why not everybody trusts both.
    fn untrusting(&self) -> Vec<String> {
        let Some(next) = self.next.as_ref().map(own) else { return Vec::new() };
        let without = self.trust.iter().filter(|(_, trusted)| !trusted.contains(&next));
        without.map(|(path, _)| format!("{} does not trust {} yet", path.display(), next.subject)).collect()
    }

    fn look_into(&mut self, directory: &Path) -> anyhow::Result<()> {
        let bundle = directory.join("ca.crt");
        if bundle.is_file() {
            self.trust.push((bundle.clone(), certificates(&bundle)?));
        }
        let ours: Vec<_> = std::iter::once(own(&self.current))
            .chain(self.next.iter().map(own))
            .chain(self.former.clone())
            .collect();
        for material in inspect::read(directory)? {
            let material = material?;
            let Some((path, leaf)) = material.identity() else { continue };
            if ours.iter().any(|authority| leaf.is_issued_by(authority)) {
                self.identities.push((path.to_owned(), leaf.clone()));
            }
        }
        Ok(())
    }
}

pub(super) fn own(authority: &Authority) -> Certificate {
    authority.certificate().clone()
}

pub(super) fn certificates(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    let mut read = inspect::read(path)?;
    Ok(read.pop().context("nothing was read")??.certificates)
}

pub(super) const NEXT: &str = "next-ca";
pub(super) const FORMER: &str = "old-ca";
