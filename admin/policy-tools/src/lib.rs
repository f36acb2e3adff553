//! What an administrator does with policies: check, explain, compare and format them ([`policy`]), make and rotate API
//! keys ([`keys`]), and bring them from other gateways' configurations ([`migrate`]).
#![forbid(unsafe_code)]

pub mod consumers_file;
mod engine;
pub mod keys;
pub mod migrate;
pub mod policy;

pub use engine::Engine;
