//! The Lua plugins that a Kong is given, and the library of one of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::probe;
use crate::gateway::{Engine, Options, native_library};
use crate::shipped;

/// Those of a directory, `NAME/handler.lua`, that a Kong is to load.
#[derive(Clone, Debug)]
pub struct Plugins {
    directory: PathBuf,
    names: Vec<String>,
    engine: Engine,
    library: Option<PathBuf>,
    has_probe: bool,
}

impl Plugins {
    /// All but those of which there is a filter, where filters are loaded: Kong starts with no plugin and filter of one
    /// name.
    ///
    /// # Errors
    /// There is no such directory, or no plugin in it, or no library where one is needed.
    pub fn find(options: &Options, engine: Engine, filters: &Path) -> anyhow::Result<Self> {
        let shipped = || shipped::place("kong/plugins");
        let directory = options.plugins.clone().or_else(shipped).context(
            "no kong/plugins above this executable: run the harness of a source tree, or of an unpacked release",
        )?;
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
        names.retain(|name| engine == Engine::Native || !filters.join(format!("{name}.wasm")).is_file());
        names.sort();
        let library = match engine {
            Engine::Native => Some(native_library()?.canonicalize()?),
            Engine::Wasm => None,
        };
        Ok(Self { directory, names, engine, library, has_probe: false })
    }

    /// With the driver's own plugin ([`probe`]).
    pub fn with_probe(self) -> Self {
        Self { has_probe: true, ..self }
    }

    pub fn has_probe(&self) -> bool {
        self.has_probe
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Where the native library is, if the plugins need it.
    pub fn library(&self) -> Option<&Path> {
        self.library.as_deref()
    }

    /// Their names, sorted.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Value of Kong's setting `plugins`.
    pub fn setting(&self) -> String {
        let probe = self.has_probe.then_some(probe::NAME);
        let names: Vec<_> = self.names.iter().map(String::as_str).chain(probe).collect();
        format!("bundled,{}", names.join(","))
    }
}
