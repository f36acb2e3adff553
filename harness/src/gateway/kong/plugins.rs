//! The Lua plugins that a Kong is given.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::gateway::Options;

/// A directory of Lua plugins: `NAME/handler.lua`.
#[derive(Clone, Debug)]
pub struct Plugins {
    directory: PathBuf,
    names: Vec<String>,
}

impl Plugins {
    /// # Errors
    /// There is no such directory, or no plugin in it.
    pub fn find(options: &Options) -> anyhow::Result<Self> {
        let directory = options.plugins.clone().unwrap_or_else(|| SOURCES.into());
        let within = || format!("no Lua plugins in {}", directory.display());
        let directory = directory.canonicalize().with_context(within)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&directory).with_context(within)? {
            let entry = entry?;
            if entry.path().join("handler.lua").is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        ensure!(!names.is_empty(), within());
        names.sort();
        Ok(Self { directory, names })
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Value of Kong's setting `plugins`, where these filters are loaded: Kong starts with no two of one name, and
    /// where it has wasm the filter is the one that is meant.
    pub fn setting(&self, filters: &Path) -> String {
        let mut value = "bundled".to_owned();
        for name in self.names.iter().filter(|name| !filters.join(format!("{name}.wasm")).is_file()) {
            value = value + "," + name;
        }
        value
    }
}

/// `kong/plugins` of the tree that this was built from.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kong/plugins");
