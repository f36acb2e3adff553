//! What each step writes. Every file is replaced whole; a step that is broken off is done again from its beginning, and
//! does no more than what is left.

use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Step;
use super::scene::{FORMER, NEXT, Scene, own};
use crate::{Access, Authority, AuthorityFiles, Batch, Ca, Existing, IdentityFiles, Revocations, Validity};
use crate::{issued, placed};

impl Scene {
    /// Does a step; the files that it wrote.
    ///
    /// # Errors
    /// [`Refused`](super::Refused): it would break something, and nothing is written; or a file cannot be.
    pub fn take(self, step: Step, common_name: &str, validity: Validity) -> anyhow::Result<Vec<PathBuf>> {
        self.check(step)?;
        match step {
            Step::Trust => self.trust(common_name, validity),
            Step::Issue => self.issue(),
            Step::Drop => self.drop_former(),
        }
    }

    fn trust(self, common_name: &str, validity: Validity) -> anyhow::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        let next = match &self.next {
            Some(next) => {
                AuthorityFiles::at(self.home()).named(NEXT).ok().filter(|read| read.der() == next.der())
            }
            None => None,
        };
        let next = match next {
            Some(next) => next,
            None => {
                let next = Authority::root(&Ca::named(common_name).valid(validity))?;
                let mut batch = Batch::new(self.home());
                batch.add(&format!("{NEXT}.key"), Access::Owner, next.key().pem());
                batch.add(&format!("{NEXT}.crt"), Access::Public, next.pem());
                batch.write(Existing::Keep)?;
                paths.extend(batch.paths());
                next
            }
        };
        paths.extend(self.lists(&[&self.current, &next])?);
        let new = next.pem();
        paths.extend(self.bundles(|kept| if kept.contains(&new) { kept } else { kept + &new })?);
        Ok(paths)
    }

    fn issue(self) -> anyhow::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        let Some(next) = &self.next else { return Ok(paths) };
        let signer = own(next);
        for (path, leaf) in self.identities.iter().filter(|(_, leaf)| !leaf.is_issued_by(&signer)) {
            let renewed = next.renew(leaf, None).with_context(|| path.display().to_string())?;
            let files = IdentityFiles::beside(path)?;
            let [chain, key] = [files.certificate(), files.key()].map(std::fs::read_to_string);
            files.replace(&renewed)?;
            paths.push(path.clone());
            paths
                .extend(self.manifests(path, &[(chain?, renewed.chain_pem()), (key?, renewed.key().pem())])?);
        }
        // The new one first in the bundles, for whoever reads no further.
        let new = next.pem();
        paths.extend(self.bundles(|kept| new.clone() + &kept.replace(&new, ""))?);
        let mut batch = Batch::new(self.home());
        batch.add(&format!("{FORMER}.crt"), Access::Public, self.current.pem());
        batch.add(&format!("{FORMER}.key"), Access::Owner, self.current.key().pem());
        batch.add("ca.key", Access::Owner, next.key().pem());
        batch.write(Existing::Replace)?;
        paths.extend(batch.paths());
        self.remove(NEXT)?;
        Ok(paths)
    }

    fn drop_former(self) -> anyhow::Result<Vec<PathBuf>> {
        let Some(former) = &self.former else { return Ok(Vec::new()) };
        let former = issued::pem(&former.der);
        let mut paths = self.bundles(|kept| kept.replace(&former, ""))?;
        paths.extend(self.lists(&[&self.current])?);
        self.remove(FORMER)?;
        // Left over where the step before was broken off at its end.
        if self.home().join(format!("{NEXT}.crt")).is_file() {
            self.remove(NEXT)?;
        }
        Ok(paths)
    }

    fn home(&self) -> &Path {
        &self.directories[0]
    }

    /// Every ca.crt, changed; what others have put into it stays.
    fn bundles(&self, change: impl Fn(String) -> String) -> anyhow::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for (path, certificates) in &self.trust {
            let kept: String = certificates.iter().map(|one| issued::pem(&one.der)).collect();
            let changed = change(kept.clone());
            if changed == kept {
                continue;
            }
            let before = std::fs::read_to_string(path)?;
            placed::write(directory_of(path), vec![("ca.crt".to_owned(), Access::Public, changed.clone())])?;
            paths.push(path.clone());
            paths.extend(self.manifests(path, &[(before, changed)])?);
        }
        Ok(paths)
    }

    /// Every ca.crl: who checks revocation wants a list of each authority that it trusts.
    fn lists(&self, authorities: &[&Authority]) -> anyhow::Result<Vec<PathBuf>> {
        let lists: Vec<_> = (self.directories.iter().map(|directory| directory.join("ca.crl")))
            .filter(|path| path.is_file())
            .collect();
        let Some(first) = lists.first() else { return Ok(lists) };
        let before = std::fs::read_to_string(first)?;
        let mut text = String::new();
        for authority in authorities {
            text += &Revocations::read(&before, authority)?.sign(authority, Revocations::validity()?)?;
        }
        for path in &lists {
            placed::write(directory_of(path), vec![("ca.crl".to_owned(), Access::Public, text.clone())])?;
        }
        Ok(lists)
    }

    /// Secrets beside a file that hold what it held (`certs generate` makes such) follow it.
    fn manifests(&self, beside: &Path, changes: &[(String, String)]) -> anyhow::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(directory_of(beside))? {
            let path = entry?.path();
            let is_manifest = path.extension().is_some_and(|extension| extension == "yaml");
            let Some(text) = is_manifest.then(|| std::fs::read_to_string(&path).ok()).flatten() else {
                continue;
            };
            let follow = |text: String, (before, now): &(String, String)| {
                text.replace(&STANDARD.encode(before), &STANDARD.encode(now))
            };
            let changed = changes.iter().fold(text.clone(), follow);
            if changed != text {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                placed::write(directory_of(&path), vec![(name, Access::Owner, changed)])?;
                paths.push(path);
            }
        }
        Ok(paths)
    }

    fn remove(&self, name: &str) -> anyhow::Result<()> {
        for extension in ["crt", "key"] {
            let path = self.home().join(format!("{name}.{extension}"));
            std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}
