//! `harness policy`, as it is typed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test says no")]

mod check;
mod diff;
mod explain;
mod fmt;
mod said;

use std::path::Path;

use said::Said;

/// `harness policy …`, beside these files.
fn policy(arguments: &[&str], files: &[(&str, &str)]) -> Said {
    policy_in(tempfile::tempdir().unwrap().path(), arguments, files, "")
}

/// The same, in a directory and with something on stdin.
fn policy_in(directory: &Path, arguments: &[&str], files: &[(&str, &str)], stdin: &str) -> Said {
    for (name, text) in files {
        std::fs::write(directory.join(name), text).unwrap();
    }
    said::harness(directory, &[&["policy"], arguments].concat(), stdin)
}
