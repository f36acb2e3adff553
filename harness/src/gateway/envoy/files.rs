//! The files that a driven Envoy lives on, in a directory of their own.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::plan::Secret;

/// A directory that is gone with this.
pub struct Files(TempDir);

impl Files {
    /// # Errors
    /// There is no place for a temporary directory.
    pub fn new() -> io::Result<Self> {
        let directory =
            tempfile::Builder::new().prefix("envoy-").permissions(Permissions::from_mode(0o700)).tempdir()?;
        fs::create_dir(directory.path().join(SECRETS))?;
        Ok(Self(directory))
    }

    pub fn bootstrap(&self) -> PathBuf {
        self.at("bootstrap.json")
    }

    pub fn clusters(&self) -> PathBuf {
        self.at("clusters.json")
    }

    pub fn routes(&self) -> PathBuf {
        self.at("routes.json")
    }

    pub fn secrets(&self) -> PathBuf {
        self.at(SECRETS)
    }

    pub fn admin(&self) -> PathBuf {
        self.at("admin.sock")
    }

    pub fn log(&self) -> PathBuf {
        self.at("log")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Takes away every secret but these.
    ///
    /// # Errors
    /// The directory cannot be changed.
    pub fn keep_secrets(&self, kept: &BTreeMap<&str, &Secret>) -> io::Result<()> {
        let kept: Vec<_> = kept.values().map(|secret| secret.file_name()).collect();
        for entry in fs::read_dir(self.secrets())? {
            let entry = entry?;
            if !kept.iter().any(|name| entry.file_name() == **name) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Resources as a file source serves them. Envoy says under this version what became of them.
pub fn discovery(version: &str, resources: Vec<Value>) -> Value {
    json!({ "version_info": version, "resources": resources })
}

/// Puts a document in its place in one step, readable by its owner only. Envoy looks when a file is moved there.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, document: &Value) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(document.to_string().as_bytes())?;
    fs::rename(fresh, path)
}

const SECRETS: &str = "secrets";
