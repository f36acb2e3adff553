//! The native side of mtls-policy: PKI, a mock upstream that demands mutual TLS, gateways to run
//! the filter in, and all of them together as one stack.
#![forbid(unsafe_code)]
// They panic when nobody reads what they print: `cli::print` and `cli::tell` do not.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod bench;
pub mod cases;
pub mod cli;
pub mod conformance;
pub mod demo;
pub mod doctor;
pub mod dogcatcher;
pub mod e2e;
pub mod gateway;
mod http1;
pub mod kubernetes;
pub mod progress;
mod shipped;
pub mod soak;
pub mod stack;
