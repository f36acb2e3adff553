//! A Kubernetes Secret as a pod sees it: files behind two symbolic links, replaced all at once.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A mounted Secret: `FILE -> ..data/FILE`, `..data -> ..GENERATION`.
#[derive(Clone, Debug)]
pub struct Secret {
    dir: PathBuf,
}

impl Secret {
    /// The Secret mounted at a directory, which [`replace`](Self::replace) makes if it is missing.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Where it is mounted.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Swaps in new content, as the kubelet does: written beside the old, then one rename of one link,
    /// so that no reader who opens both files of a pair after each other sees two generations for long.
    ///
    /// # Errors
    /// The directory cannot be written; the content before stays in place.
    pub fn replace(&self, files: &[(&str, &str)]) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let before = fs::read_link(self.dir.join("..data")).ok();
        let generation = tempfile::Builder::new().prefix("..").tempdir_in(&self.dir)?.keep();
        fs::set_permissions(&generation, Permissions::from_mode(0o755))?;
        for (name, content) in files {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(generation.join(name))?;
            file.write_all(content.as_bytes())?;
        }

        let Some(name) = generation.file_name() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let fresh = self.dir.join("..data_tmp");
        symlink(name, &fresh)?;
        fs::rename(&fresh, self.dir.join("..data"))?;
        for (name, _) in files {
            let link = self.dir.join(name);
            if fs::symlink_metadata(&link).is_err() {
                symlink(Path::new("..data").join(name), link)?;
            }
        }
        if let Some(before) = before {
            fs::remove_dir_all(self.dir.join(before))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_content_comes_whole_and_the_old_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let secret = Secret::at(dir.path().join("pair"));
        secret.replace(&[("tls.crt", "chain 1"), ("tls.key", "key 1")]).unwrap();
        secret.replace(&[("tls.crt", "chain 2"), ("tls.key", "key 2")]).unwrap();

        assert_eq!(fs::read_to_string(secret.dir().join("tls.crt")).unwrap(), "chain 2");
        assert_eq!(fs::read_to_string(secret.dir().join("tls.key")).unwrap(), "key 2");
        let generations = fs::read_dir(secret.dir()).unwrap().filter(|entry| {
            entry.as_ref().is_ok_and(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        });
        assert_eq!(generations.count(), 1);
    }

    #[test]
    fn a_key_is_readable_by_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let secret = Secret::at(dir.path());
        secret.replace(&[("tls.key", "key")]).unwrap();
        assert_eq!(fs::metadata(dir.path().join("tls.key")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
