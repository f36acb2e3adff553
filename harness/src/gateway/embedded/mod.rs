//! A gateway of our own that does what a real Kong 3.9 was seen to do, in one process.

mod body;
mod failure;
mod headers;
mod log;
mod properties;
pub mod upstream;
pub mod wasm;
