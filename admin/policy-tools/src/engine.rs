//! In which runtime a Kong runs mtls-policy: the filter or the Lua plugin over the native library.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;

/// In which runtime a Kong runs mtls-policy.
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
        for (version, expected) in rows {
            assert_eq!(Engine::of_version(version), expected, "{version}");
        }
    }
}
