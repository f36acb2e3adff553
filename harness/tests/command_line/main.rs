//! The command line as people like it, held for every verb there is: clap's own tree is walked, so that a new verb is held
//! to it too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test says no")]

mod examples;
mod output;
mod scene;
mod verbs;
