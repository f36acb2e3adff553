//! Where a Kong gets its configuration from.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;

use crate::gateway::Options;

/// Where a Kong gets its configuration from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// A declarative file: `database = off`.
    Off,
    /// Postgres, which every node reads.
    Postgres,
    /// A control plane that reads Postgres and sends the configuration to data planes.
    Hybrid,
}

impl Database {
    /// The names that `--database` and `HARNESS_DATABASE` take.
    pub const NAMES: [&str; 3] = ["off", "postgres", "hybrid"];

    /// Returns the database of the options, else of `HARNESS_DATABASE`, else [`Database::Off`].
    ///
    /// # Errors
    /// `HARNESS_DATABASE` is set to an unknown name.
    pub fn selected(options: &Options) -> anyhow::Result<Self> {
        if let Some(database) = options.database {
            return Ok(database);
        }
        let name = std::env::var("HARNESS_DATABASE").ok().filter(|name| !name.is_empty());
        name.map_or(Ok(Self::Off), |name| name.parse())
    }
}

impl FromStr for Database {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        match name {
            "off" => Ok(Self::Off),
            "postgres" => Ok(Self::Postgres),
            "hybrid" => Ok(Self::Hybrid),
            _ => bail!("unknown database {name:?}; expected one of: {}", Self::NAMES.join(", ")),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Postgres => "postgres",
            Self::Hybrid => "hybrid",
        })
    }
}
