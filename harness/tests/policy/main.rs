//! `harness policy`, as it is typed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test says no")]

mod check;
mod diff;
mod explain;
mod fmt;
mod manifests;
mod placeholders;
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

/// A policy whose consumers are in a file of their own, and what is to be written there.
fn with_consumers_in(file: &Path, policy: &str) -> (String, String) {
    let (start, rest) = policy.split_once("consumers:\n").unwrap();
    let (people, rest) = rest.split_once("client_certificate:").unwrap();
    let moved = format!("{start}consumers_file: {}\nclient_certificate:{rest}", file.display());
    (moved, format!("consumers:\n{people}"))
}
