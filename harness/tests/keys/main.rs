//! `harness keys`, as it is typed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test says no")]

mod gateway;
mod list;
mod new;
mod rotate;
#[path = "../policy/said.rs"]
mod said;

use said::Said;

/// `harness keys …`, with something on stdin.
fn keys(arguments: &[&str], stdin: &str) -> Said {
    said::harness(std::path::Path::new("."), &[&["keys"], arguments].concat(), stdin)
}
