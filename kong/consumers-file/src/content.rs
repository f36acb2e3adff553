//! A file's text, read within limits.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::problem::{Position, Problem};

/// The size in bytes that a consumers file may have: about 400,000 consumers with a key each.
pub const MAX_SIZE: u64 = 64 * 1024 * 1024;

/// The text of a consumers file, not parsed yet. No `Debug`: it may hold a secret in the wrong place.
pub struct Content {
    pub(crate) text: String,
    digest: [u8; 32],
    stamp: Stamp,
}

/// What tells without reading it whether a file has changed: device, inode, size and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    /// Whether the file may change without changing its stamp: it was written to just now, and a file system's clock has
    /// steps.
    fresh: bool,
}

impl Content {
    /// Reads a file. Symbolic links are followed. A file that is not a regular one is an error, and does not block. A file
    /// that changes while it is read is read again, for at most half a second.
    ///
    /// # Errors
    /// The file cannot be read, is not a regular file, changes while it is read, is larger than [`MAX_SIZE`], or is not
    /// text in UTF-8.
    pub fn load(path: &Path) -> Result<Self, Problem> {
        for _ in 0..TRIES {
            if let Some(content) = Self::try_load(path)? {
                return Ok(content);
            }
            // Whoever writes the file needs time; there is no condition to wait for.
            #[allow(clippy::disallowed_methods)]
            thread::sleep(PAUSE);
        }
        Err(Problem::of_file("the file changes while it is read"))
    }

    fn try_load(path: &Path) -> Result<Option<Self>, Problem> {
        let (file, stamp) = open(path)?;
        if stamp.size > MAX_SIZE {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(stamp.size).unwrap_or_default() + 1);
        (&file).take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_SIZE {
            return Err(too_large());
        }
        // Half of a new version may be a valid file.
        let after = Stamp::of(&file).map_err(unreadable)?;
        if !stamp.is_same(&after) || bytes.len() as u64 != stamp.size {
            return Ok(None);
        }
        Self::of(bytes, stamp).map(Some)
    }

    /// Takes a text that was read already.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn of_bytes(bytes: Vec<u8>) -> Result<Self, Problem> {
        if bytes.len() as u64 > MAX_SIZE {
            return Err(too_large());
        }
        Self::of(bytes, Stamp::NONE)
    }

    fn of(bytes: Vec<u8>, stamp: Stamp) -> Result<Self, Problem> {
        let digest = Sha256::digest(&bytes).into();
        Ok(Self { text: text(bytes)?, digest, stamp })
    }

    /// SHA-256 of the text.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The file's stamp before it was read.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }
}

impl Stamp {
    const NONE: Self = Self { device: 0, inode: 0, size: 0, modified: (0, 0), changed: (0, 0), fresh: true };

    /// Returns the stamp of a file as it is now, or `None` if the file cannot be opened.
    pub fn now(path: &Path) -> Option<Self> {
        open(path).ok().map(|(_, stamp)| stamp)
    }

    /// Returns whether a file with the stamp `now` has the content that it had with this one.
    pub fn is_current(&self, now: &Self) -> bool {
        !self.fresh && self.is_same(now)
    }

    fn is_same(&self, other: &Self) -> bool {
        Self { fresh: other.fresh, ..*self } == *other
    }

    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let age = SystemTime::now().duration_since(metadata.modified()?);
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            // A time in the future says nothing.
            fresh: age.is_ok_and(|age| age < SETTLED),
        })
    }
}

const TRIES: usize = 25;
const PAUSE: Duration = Duration::from_millis(20);

/// After this time a write to a file shows in its times, on any file system.
const SETTLED: Duration = Duration::from_secs(2);

fn open(path: &Path) -> Result<(File, Stamp), Problem> {
    // Opening a pipe blocks until a writer comes, reading a device may never end.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(unreadable)?;
    let kind = file.metadata().map_err(unreadable)?.file_type();
    if !kind.is_file() {
        let kind = if kind.is_dir() { "a directory" } else { "another kind of file" };
        return Err(Problem::of_file(format!("expected a regular file, got {kind}")));
    }
    let stamp = Stamp::of(&file).map_err(unreadable)?;
    Ok((file, stamp))
}

fn text(bytes: Vec<u8>) -> Result<String, Problem> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let position = position(&String::from_utf8_lossy(&error.as_bytes()[..valid]));
        Problem::at(position, "expected UTF-8, got other bytes; save the file as UTF-8")
    })?;
    if text.starts_with('\u{feff}') {
        let message = "expected UTF-8 without a byte order mark; save the file without it";
        return Err(Problem::at(position(""), message));
    }
    // YAML forbids control characters but for these (YAML 1.2.2, section 5.1).
    let forbidden = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    if let Some(at) = text.find(forbidden) {
        let what = if text[at..].starts_with('\0') { "a NUL" } else { "a control character" };
        return Err(Problem::at(position(&text[..at]), format!("expected text, got {what}")));
    }
    Ok(text)
}

/// The position right behind a text.
fn position(before: &str) -> Position {
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Position {
        line: 1 + before.bytes().filter(|byte| *byte == b'\n').count(),
        column: 1 + before[line_start..].chars().count(),
    }
}

fn unreadable(error: io::Error) -> Problem {
    Problem::of_file(format!("cannot read the file: {error}"))
}

fn too_large() -> Problem {
    Problem::of_file(format!("expected at most {} MiB, got a larger file", MAX_SIZE >> 20))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    fn error(bytes: &[u8]) -> String {
        Content::of_bytes(bytes.to_vec()).err().unwrap().to_string()
    }

    #[test]
    fn text_is_utf8_without_nul_and_byte_order_mark() {
        assert_eq!(
            error(b"a: \xff"),
            "line 1, column 4: expected UTF-8, got other bytes; save the file as UTF-8"
        );
        assert_eq!(
            error(b"\xff\xfec\0"),
            "line 1, column 1: expected UTF-8, got other bytes; save the file as UTF-8"
        );
        assert_eq!(
            error("\u{feff}consumers: []".as_bytes()),
            "line 1, column 1: expected UTF-8 without a byte order mark; save the file without it"
        );
        assert_eq!(error("a\nbä\0c".as_bytes()), "line 2, column 3: expected text, got a NUL");
        assert_eq!(error(b"a: \"\x1b\""), "line 1, column 5: expected text, got a control character");
        assert!(Content::of_bytes(b"a:\t1\r\n".to_vec()).is_ok());
    }

    #[test]
    fn only_a_regular_file_is_read_and_none_blocks() {
        let directory = tempfile::tempdir().unwrap();
        let load = |name: &str| Content::load(&directory.path().join(name)).err().map(|why| why.to_string());
        let fifo = directory.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let began = Instant::now();
        assert_eq!(load("fifo").unwrap(), "expected a regular file, got another kind of file");
        assert!(began.elapsed() < Duration::from_secs(10));
        assert_eq!(load("").unwrap(), "expected a regular file, got a directory");
        assert_eq!(load("missing").unwrap(), "cannot read the file: No such file or directory (os error 2)");
    }

    #[test]
    fn symbolic_links_are_followed_as_kubernetes_lays_them_out() {
        let directory = tempfile::tempdir().unwrap();
        let (data, file) = (directory.path().join("..data"), directory.path().join("consumers.yml"));
        symlink("..data/consumers.yml", &file).unwrap();
        let mut stamps = Vec::new();
        for version in ["..1", "..2"] {
            let version = directory.path().join(version);
            fs::create_dir(&version).unwrap();
            fs::write(version.join("consumers.yml"), "consumers: []").unwrap();
            let _ = fs::remove_file(&data);
            symlink(&version, &data).unwrap();
            stamps.push(Content::load(&file).ok().unwrap().stamp());
        }
        assert_ne!(stamps[0], stamps[1]);
    }

    #[test]
    fn a_file_larger_than_the_limit_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("large");
        File::create(&file).unwrap().set_len(MAX_SIZE + 1).unwrap();
        assert_eq!(
            Content::load(&file).err().unwrap().to_string(),
            "expected at most 64 MiB, got a larger file"
        );
    }

    #[test]
    fn a_stamp_is_trusted_only_when_the_file_has_settled() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "a").unwrap();
        let written = Stamp::now(&file).unwrap();
        assert!(!written.is_current(&written), "written within {SETTLED:?}");
        let deadline = Instant::now() + Duration::from_secs(30);
        let settled = loop {
            let stamp = Stamp::now(&file).unwrap();
            if stamp.is_current(&stamp) {
                break stamp;
            }
            assert!(Instant::now() < deadline);
            // The clock has to move on.
            #[allow(clippy::disallowed_methods)]
            thread::sleep(Duration::from_millis(50));
        };
        fs::write(&file, "b").unwrap();
        assert!(!settled.is_current(&Stamp::now(&file).unwrap()));
    }
}
