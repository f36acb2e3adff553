//! `harness migrate`, as it is typed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test says no")]

mod apisix;
mod envoy;
mod kong;
mod placeholders;
#[path = "../plain_envoy/mod.rs"]
mod plain_envoy;
mod refused;
#[path = "../policy/said.rs"]
mod said;

use std::path::Path;

use said::Said;

/// `harness migrate …`, in a directory with these files.
fn migrate(directory: &Path, files: &[(&str, &str)], arguments: &[&str]) -> Said {
    for (name, text) in files {
        std::fs::write(directory.join(name), text).unwrap();
    }
    said::harness(directory, &[&["migrate"], arguments].concat(), "")
}

/// One config, to stdout.
fn of(config: &str, arguments: &[&str]) -> Said {
    let directory = tempfile::tempdir().unwrap();
    migrate(directory.path(), &[("old.yml", config)], &[&["old.yml"], arguments].concat())
}
