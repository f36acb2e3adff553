//! The directory that one Kong lives in, whatever its host is.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Plugins, Settings, probe};

/// Kong's prefix, its error log, and Lua modules by their names. Dropping it removes it.
pub struct Directory(TempDir);

impl Directory {
    /// # Errors
    /// The system's temporary directory cannot be written.
    pub fn new(plugins: &Plugins) -> io::Result<Self> {
        let permissions = Permissions::from_mode(0o755);
        let directory = tempfile::Builder::new().prefix("kong-").permissions(permissions).tempdir()?;
        let lua = directory.path().join("lua/kong/plugins");
        fs::create_dir_all(&lua)?;
        // No others: Kong looks for a handler in Lua first, also for what is configured by a filter's name.
        for name in plugins.names() {
            symlink(plugins.directory().join(name), lua.join(name))?;
        }
        if plugins.has_probe() {
            let plugin = lua.join(probe::NAME);
            fs::create_dir(&plugin)?;
            fs::write(plugin.join("handler.lua"), probe::HANDLER)?;
            fs::write(plugin.join("schema.lua"), probe::SCHEMA)?;
        }
        fs::create_dir(directory.path().join("prefix"))?;
        Ok(Self(directory))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn prefix(&self) -> PathBuf {
        self.path().join("prefix")
    }

    /// Settings with this directory's places in them. With `as_root`, Kong is started by root.
    pub fn put_into(&self, settings: &Settings, as_root: bool) -> Settings {
        let mut settings = settings.clone();
        settings.set("prefix", self.prefix().display().to_string());
        settings.set("lua_package_path", format!("{}/lua/?.lua;;", self.path().display()));
        // A file, whatever an image makes of the usual one in the prefix: it outlives the processes that write it.
        for listener in ["proxy", "admin", "status"] {
            settings.set(&format!("{listener}_error_log"), self.error_log().display().to_string());
        }
        if as_root {
            // Workers would be another user, who can read none of the keys that the config names.
            settings.set("nginx_user", "root root");
        }
        settings
    }

    /// What is in Kong's error log so far.
    pub fn log(&self) -> String {
        self.log_since(0)
    }

    /// Where the log ends now, in bytes.
    pub fn log_end(&self) -> u64 {
        fs::metadata(self.error_log()).map_or(0, |log| log.len())
    }

    /// What came into the log since it ended there. Under load it grows by megabytes: who waits for a line does not read
    /// all of it at each look.
    pub fn log_since(&self, end: u64) -> String {
        let mut log = Vec::new();
        let read = |mut file: File| {
            file.seek(SeekFrom::Start(end))?;
            file.read_to_end(&mut log)
        };
        // No log, no lines.
        let _ = File::open(self.error_log()).and_then(read);
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The end of it, as much as an error shows.
    pub fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }

    fn error_log(&self) -> PathBuf {
        self.path().join("error.log")
    }
}

/// Lines of the log that an error shows.
const SHOWN: usize = 15;
