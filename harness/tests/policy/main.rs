//! `harness policy`, as it is typed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test says no")]

mod check;
mod explain;
mod said;
