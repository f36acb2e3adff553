//! What is fuzzed: each target is a function of any bytes that must end, and must not panic.
//!
//! `fuzz.sh` runs them under libFuzzer, guided by coverage, on a stable compiler; `cargo test` runs them over their
//! corpora. A target asserts more than that nothing breaks: what it is compared with is written another way, or is another
//! shell around the same core.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "how a target says that something is wrong"
)]

mod oracle;
mod targets;

pub use targets::{TARGETS, Target};
