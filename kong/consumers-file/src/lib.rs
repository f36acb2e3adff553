//! The reader of consumers files: the files that `consumers_file` in a policy names.
//!
//! ```text
//! path ─ Content::load ─▶ Content ─ consumers() ─▶ policy::Consumers
//!                                 └ configs() ───▶ Vec<policy::ConsumerConfig>
//! ```
//!
//! A consumers file is a map with the one field `consumers`, in YAML or JSON. The native library (for Kong), the embedded
//! gateway and the tools all read it with this crate.
//!
//! A file is data from outside of the configuration that may change at any time, so that reading it is bounded:
//! [`MAX_SIZE`], [`MAX_DEPTH`], no aliases, and memory in proportion to the file's size. All problems of a file are
//! reported together, each with its path and its line and column. A message about a value of a wrong
//! type does not quote it: it may be a secret in the wrong place.

mod content;
mod json;
mod problem;
mod read;
mod scalar;
mod yaml;

pub use content::{Content, MAX_SIZE, Stamp};
pub use problem::{Position, Problem, Problems};
pub use yaml::MAX_DEPTH;
