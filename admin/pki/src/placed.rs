use std::fs::Permissions;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::{Access, Authority, Batch, Existing, Issued, inspect};

/// The files of an identity: a chain, its key, and both together where that is there too (NAME.pem beside NAME.crt).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFiles {
    certificate: PathBuf,
    key: PathBuf,
    both: Option<PathBuf>,
}

impl IdentityFiles {
    /// Those that belong to a certificate file, by the names that [`inspect::read`] knows.
    ///
    /// # Errors
    /// There is no key beside it.
    pub fn beside(certificate: &Path) -> Result<Self> {
        let no_key = || {
            let message =
                format!("{}: no key lies beside it (NAME.key, NAME_key.pem)", certificate.display());
            Error::new(ErrorKind::NotFound, message)
        };
        let key = inspect::key_beside(certificate).ok_or_else(no_key)?;
        let both = certificate.with_extension("pem");
        let both = (both != certificate && both.is_file()).then_some(both);
        Ok(Self { certificate: certificate.to_owned(), key, both })
    }

    #[must_use]
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    #[must_use]
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// Puts another identity in the place of what is there. In a directory that Kubernetes keeps (`..data`) all files
    /// change in one step; elsewhere each by a rename of its own, so that a reader can meet the new chain beside the
    /// old key for an instant.
    ///
    /// # Errors
    /// The directory cannot be written; then what was there is untouched.
    pub fn replace(&self, issued: &Issued) -> Result<()> {
        let name = |path: &Path| {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let mut files = vec![
            (name(&self.certificate), Access::Public, issued.chain_pem()),
            (name(&self.key), Access::Owner, issued.key().pem()),
        ];
        if let Some(both) = &self.both {
            files.push((name(both), Access::Owner, issued.chain_pem() + &issued.key().pem()));
        }
        write(self.certificate.parent().unwrap_or(Path::new(".")), files)
    }
}

/// An authority's directory: ca.crt (what its clients trust, its own certificate among it), ca.key, perhaps ca.crl.
pub struct AuthorityFiles {
    directory: PathBuf,
}

impl AuthorityFiles {
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The authority whose key lies there.
    ///
    /// # Errors
    /// A file is not there or not readable, or no certificate of ca.crt is the key's.
    pub fn authority(&self) -> anyhow::Result<Authority> {
        self.named("ca")
    }

    /// The same of NAME.crt and NAME.key.
    pub(super) fn named(&self, name: &str) -> anyhow::Result<Authority> {
        use anyhow::Context;
        let read = |extension: &str| {
            let path = self.directory.join(format!("{name}.{extension}"));
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let (certificates, key) = (read("crt")?, read("key")?);
        // A bundle that is trusted in a rotation holds two; the key says which of them is meant.
        let mut outcome = Err(super::Error::NotPem { wanted: "CERTIFICATE" });
        for certificate in certificates.split_inclusive("-----END CERTIFICATE-----\n") {
            outcome = Authority::from_pem(&format!("{certificate}{certificates}"), &key);
            if outcome.is_ok() {
                break;
            }
        }
        outcome.with_context(|| format!("{}", self.directory.join(format!("{name}.crt")).display()))
    }

    #[must_use]
    pub fn revocations(&self) -> PathBuf {
        self.directory.join("ca.crl")
    }
}

/// Replaces files of a directory, in one step if Kubernetes keeps it.
pub(super) fn write(directory: &Path, files: Vec<(String, Access, String)>) -> Result<()> {
    let data = directory.join("..data");
    if std::fs::read_link(&data).is_err() {
        let mut batch = Batch::new(directory);
        files.into_iter().for_each(|(name, access, content)| batch.add(&name, access, content));
        return batch.write(Existing::Replace);
    }
    swap(directory, &data, files)
}

/// As the kubelet's atomic writer does: a new directory with all files, and one rename of the link to it.
fn swap(directory: &Path, data: &Path, files: Vec<(String, Access, String)>) -> Result<()> {
    let old = directory.join(std::fs::read_link(data)?);
    let readable = Permissions::from_mode(0o755);
    let new = tempfile::Builder::new().prefix("..").permissions(readable).tempdir_in(directory)?;
    for entry in std::fs::read_dir(&old)? {
        let entry = entry?;
        std::fs::copy(entry.path(), new.path().join(entry.file_name()))?;
    }
    let mut batch = Batch::new(new.path());
    files.into_iter().for_each(|(name, access, content)| batch.add(&name, access, content));
    batch.write(Existing::Replace)?;
    let link = directory.join("..data_tmp");
    let target = new.path().file_name().unwrap_or_default().to_owned();
    match std::fs::remove_file(&link) {
        Err(reason) if reason.kind() != ErrorKind::NotFound => return Err(reason),
        _ => symlink(&target, &link)?,
    }
    std::fs::rename(&link, data)?;
    // From here on it is in use; what goes is the one before.
    let _ = new.keep();
    std::fs::remove_dir_all(old)
}
