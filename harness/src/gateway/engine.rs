//! In which shell a Kong runs mtls-policy: the filter or the Lua plugin over the native library.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};

use super::Options;
use crate::shipped;

/// In which shell a Kong runs mtls-policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The Lua plugin over the native library: every Kong.
    Native,
    /// The filter: Kong 3.4 to 3.9.
    Wasm,
}

impl Engine {
    /// The names that `--engine` takes.
    pub const NAMES: [&str; 2] = ["wasm", "native"];

    /// What a driver is told, or `HARNESS_ENGINE` says, if either says anything.
    ///
    /// # Errors
    /// `HARNESS_ENGINE` is no engine's name.
    pub fn asked_for(options: &Options) -> anyhow::Result<Option<Self>> {
        if options.engine.is_some() {
            return Ok(options.engine);
        }
        let named = std::env::var("HARNESS_ENGINE").ok().filter(|name| !name.is_empty());
        named.map(|name| name.parse()).transpose()
    }

    /// That of a Kong by its version, `3.9.1`: wasm as long as Kong's own builds had it.
    pub fn of_version(version: &str) -> Self {
        let mut numbers = version.split('.').map_while(|number| number.trim().parse::<u32>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(3), Some(minor)) if minor < 10 => Self::Wasm,
            _ => Self::Native,
        }
    }
}

impl FromStr for Engine {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        match name {
            "native" => Ok(Self::Native),
            "wasm" => Ok(Self::Wasm),
            _ => bail!("no engine is called {name:?}; there are: {}", Self::NAMES.join(", ")),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Wasm => "wasm",
        })
    }
}

/// The directory of the library: `HARNESS_NATIVE`, else the nearest `target/native` above this executable that has it,
/// where `make native` puts it and a release has it.
///
/// # Errors
/// There is none.
pub fn native_library() -> anyhow::Result<PathBuf> {
    if let Some(directory) = std::env::var_os("HARNESS_NATIVE") {
        return Ok(directory.into());
    }
    shipped::place(LIBRARY).and_then(|library| library.parent().map(Path::to_path_buf)).with_context(|| {
        format!("no {LIBRARY} above this executable: run `make native`, or say by HARNESS_NATIVE which directory has it")
    })
}

const LIBRARY: &str = "target/native/libmtls_policy_native.so";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kong_without_wasm_gets_the_native_library() {
        let rows = [
            ("3.4.2", Engine::Wasm),
            ("3.9.1\n", Engine::Wasm),
            ("3.10.0", Engine::Native),
            ("3.10.0.1-enterprise-edition", Engine::Native),
            ("4.0.0", Engine::Native),
            ("nonsense", Engine::Native),
        ];
        for (version, owed) in rows {
            assert_eq!(Engine::of_version(version), owed, "{version}");
        }
    }
}
