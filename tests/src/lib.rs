//! What the suites share: one stack of PKI, Dogcatcher and the gateway that is asked for, and a client.
//!
//! A suite sees the gateway through [`harness::gateway::Running`] only.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod config;
mod done;
#[cfg(test)]
mod faults_table;
mod gateway;
pub mod grpc;
pub mod http2;
pub mod migration;
mod orders;
pub mod raw;
pub mod recorder;
pub mod rogue;
mod runner;
mod seen;
mod setting;

pub use done::Done;
pub use gateway::{absent, is_native, lacks, needs, request_id_header};
pub use orders::permutations;
pub use policy_tools::keys::digest;
pub use runner::{Test, run, skip};
pub use seen::Seen;
pub use setting::{Request, Setting, seconds_from_now};

/// The cases that every host is asked.
pub const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance");
