use std::fs::{Permissions, hard_link};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Files of one directory that are written together: all of them lie there in full, under other names, before the first
/// takes its own. Holds keys, so no `Debug`.
pub struct Batch {
    directory: PathBuf,
    files: Vec<File>,
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Mode 0644, less what the process' umask takes away.
    Public,
    /// Mode 0600 from its creation on.
    Owner,
}

/// What becomes of files that exist already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Keep,
    Replace,
}

struct File {
    name: String,
    access: Access,
    content: String,
}

impl Batch {
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), files: Vec::new() }
    }

    pub fn add(&mut self, name: &str, access: Access, content: String) {
        self.files.push(File { name: name.to_owned(), access, content });
    }

    /// The files of this batch, in order.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.files.iter().map(|file| self.directory.join(&file.name))
    }

    /// Writes all files; the directory is made if it is not there.
    ///
    /// # Errors
    /// With [`Existing::Keep`], one error (`AlreadyExists`) names all files that exist. Whatever fails, every file is as
    /// it was before; if that too fails, the error says which is not.
    pub fn write(&self, existing: Existing) -> Result<()> {
        if existing == Existing::Keep {
            self.check_absent()?;
        }
        std::fs::create_dir_all(&self.directory).map_err(|reason| at(&self.directory, &reason))?;
        let staged = self.files.iter().map(|file| self.stage(file)).collect::<Result<Vec<_>>>()?;
        let mut done = Vec::new();
        for (file, path) in staged {
            match self.take_name(file, &path, existing) {
                Ok(before) => done.push((path, before)),
                Err(reason) => {
                    undo(done)?;
                    return Err(at(&path, &reason));
                }
            }
        }
        Ok(())
    }

    fn check_absent(&self) -> Result<()> {
        let there: Vec<_> = (self.paths().filter(|path| path.symlink_metadata().is_ok()))
            .map(|path| path.display().to_string())
            .collect();
        if there.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::AlreadyExists, format!("already there: {}", there.join(", "))))
    }

    /// Gives a file its name; what had the name before stays reachable, by a second link, as long as the result lives.
    fn take_name(
        &self,
        file: NamedTempFile,
        path: &Path,
        existing: Existing,
    ) -> Result<Option<NamedTempFile<()>>> {
        if existing == Existing::Keep {
            // Refused here once more, by the system: someone may have been faster than the check.
            file.persist_noclobber(path)?;
            return Ok(None);
        }
        let before = match tempfile::Builder::new().make_in(&self.directory, |link| hard_link(path, link)) {
            Ok(before) => Some(before),
            Err(reason) if reason.kind() == ErrorKind::NotFound => None,
            Err(reason) => return Err(reason),
        };
        file.persist(path)?;
        Ok(before)
    }

    fn stage(&self, file: &File) -> Result<(NamedTempFile, PathBuf)> {
        let path = self.directory.join(&file.name);
        let mode = match file.access {
            Access::Public => 0o644,
            Access::Owner => 0o600,
        };
        let write = || {
            let mut temporary = tempfile::Builder::new()
                .permissions(Permissions::from_mode(mode))
                .tempfile_in(&self.directory)?;
            temporary.write_all(file.content.as_bytes())?;
            temporary.as_file().sync_all()?;
            Ok(temporary)
        };
        write().map(|temporary| (temporary, path.clone())).map_err(|reason: Error| at(&path, &reason))
    }
}

/// Puts back what was there, as much of it as can be.
fn undo(done: Vec<(PathBuf, Option<NamedTempFile<()>>)>) -> Result<()> {
    let mut outcome = Ok(());
    for (path, before) in done {
        let undone = match before {
            Some(before) => before.persist(&path).map_err(|failed| failed.error),
            None => std::fs::remove_file(&path),
        };
        if let Err(reason) = undone {
            let message = format!("{} is new and could not be put back: {reason}", path.display());
            outcome = outcome.and(Err(Error::new(reason.kind(), message)));
        }
    }
    outcome
}

fn at(path: &Path, reason: &Error) -> Error {
    Error::new(reason.kind(), format!("{}: {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_fails_late_leaves_everything_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("old"), "old").unwrap();
        // What cannot be renamed to, after the files before it have taken their names.
        std::fs::create_dir(directory.path().join("in the way")).unwrap();
        for last in ["in the way", "absent/file"] {
            let error = batch(directory.path(), &["old", "new", last]).write(Existing::Replace).unwrap_err();
            assert!(error.to_string().contains(last), "{error}");
            assert_eq!(listing(directory.path()), [("in the way", None), ("old", Some("old"))].map(owned));
        }
    }

    #[test]
    fn existing_files_are_named_together_and_kept_unless_they_are_to_be_replaced() {
        let directory = tempfile::tempdir().unwrap();
        batch(directory.path(), &["one", "two"]).write(Existing::Keep).unwrap();
        let error = batch(directory.path(), &["new", "one", "two"]).write(Existing::Keep).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("/one, ") && error.to_string().ends_with("/two"), "{error}");
        assert_eq!(listing(directory.path()).len(), 2);
        batch(directory.path(), &["new", "one", "two"]).write(Existing::Replace).unwrap();
        let new = |name| owned((name, Some("content")));
        assert_eq!(listing(directory.path()), ["new", "one", "two"].map(new));
    }

    fn batch(directory: &Path, names: &[&str]) -> Batch {
        let mut batch = Batch::new(directory);
        for name in names {
            batch.add(name, Access::Owner, "content".to_owned());
        }
        batch
    }

    /// Names in order, with contents of what is no directory.
    fn listing(directory: &Path) -> Vec<(String, Option<String>)> {
        let mut entries: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).ok())
            })
            .collect();
        entries.sort();
        entries
    }

    fn owned((name, content): (&str, Option<&str>)) -> (String, Option<String>) {
        (name.to_owned(), content.map(str::to_owned))
    }
}
