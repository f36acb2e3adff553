//! A file with new content, all of it or nothing.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tempfile::NamedTempFile;

/// New content that lies beside its file, on disk, and is not in force yet.
pub struct Staged {
    file: NamedTempFile,
    path: PathBuf,
    before: String,
}

impl Staged {
    /// Writes the content beside the file, with the same owner and the same permissions. A link is followed.
    ///
    /// # Errors
    /// The directory cannot be written, or the owner cannot be kept.
    pub fn new(path: &Path, before: &str, content: &str) -> anyhow::Result<Self> {
        let named = path.display();
        let path = fs::canonicalize(path).with_context(|| format!("cannot find {named}"))?;
        let was = fs::metadata(&path).with_context(|| format!("cannot read {named}"))?;
        let directory = path.parent().with_context(|| format!("{named} is in no directory"))?;
        let mut file = tempfile::Builder::new()
            .permissions(was.permissions())
            .tempfile_in(directory)
            .with_context(|| format!("cannot write beside {named}"))?;
        // The umask may have taken some of them away.
        file.as_file().set_permissions(was.permissions())?;
        let is = file.as_file().metadata()?;
        if (is.uid(), is.gid()) != (was.uid(), was.gid()) {
            fchown(file.as_file(), Some(was.uid()), Some(was.gid()))
                .with_context(|| format!("cannot keep the owner of {named}"))?;
        }
        file.write_all(content.as_bytes())?;
        file.as_file().sync_all()?;
        Ok(Self { file, path, before: before.to_owned() })
    }

    /// Puts it in the file's place.
    ///
    /// # Errors
    /// Somebody has changed the file meanwhile, or the system refuses; the file is as it was.
    pub fn commit(self) -> anyhow::Result<()> {
        let Self { file, path, before } = self;
        let named = path.display();
        let is = fs::read_to_string(&path).with_context(|| format!("cannot read {named}"))?;
        ensure!(is == before, "{named} has changed meanwhile: nothing is written");
        file.persist(&path).with_context(|| format!("cannot replace {named}"))?;
        Ok(())
    }
}
