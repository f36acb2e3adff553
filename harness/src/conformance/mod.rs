//! One policy, one decision, on every host: the cases of `tests/conformance`, asked of each.
//!
//! A [`Host`] is whatever decides: the policy's core, the module alone in wasmtime, a whole gateway, and Kong's own
//! key-auth, which is asked what it has an option for and so vouches for what is owed. A host that owes something else
//! says so in the case, with the reason.

mod column;
mod core;
mod gateway;
mod key_auth;
mod lineup;
mod routes;
mod table;
mod wasm;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cases::{Case, Kind, Mistake, Outcome, Suite, load};
use crate::stack::Keys;

pub use column::{Column, Verdict};
pub use lineup::{Absent, Lineup, others};
pub use table::Table;
pub use wasm::Module;

/// Something that decides.
pub trait Host {
    fn name(&self) -> &str;

    /// The keys that it lets in.
    fn keys(&self) -> &Keys;

    /// # Errors
    /// It could not be asked at all.
    fn ask(&self, case: &Case) -> anyhow::Result<Asked>;

    /// Shows it a policy with mistakes.
    ///
    /// # Errors
    /// It could not be asked at all.
    fn show(&self, mistake: &Mistake) -> anyhow::Result<Shown>;
}

/// What asking came to.
pub enum Asked {
    Came(Outcome),
    /// Such a case means nothing to this host; why.
    Not(String),
}

/// What a host makes of a policy with mistakes.
pub enum Shown {
    Accepted,
    /// Such a mistake means nothing to this host; why.
    Not(String),
    /// Found, one by one.
    Problems(Vec<String>),
    /// Refused, in one text.
    Refused(String),
}

/// The suites of a directory, by their topics.
///
/// # Errors
/// There are none, or all that is wrong with one of them.
pub fn suites(directory: &Path) -> anyhow::Result<Vec<Suite>> {
    let within = || format!("no cases in {}", directory.display());
    let directory = directory.canonicalize().with_context(within)?;
    // As short as an admin would write it.
    let here = std::env::current_dir()?;
    let directory = directory.strip_prefix(&here).unwrap_or(&directory);
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(within)? {
        files.push(entry?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    anyhow::ensure!(!files.is_empty(), within());
    files.iter().map(|file| Ok(load(file, Kind::Conformance)?)).collect()
}

/// Where the suites are that come with the harness, if they are here.
pub fn shipped_suites() -> Option<PathBuf> {
    crate::shipped::place("tests/conformance")
}

/// Client certificates that are in force on every host.
pub const CERTIFICATES: [&str; 3] = ["kong-client", "kong-vet", "kong-intern"];
