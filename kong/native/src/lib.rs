//! mtls-policy behind a C ABI: the same core as the filter's, for LuaJIT's FFI in any Kong.
//!
//! The functions are in [`exports`]. What they take and give is flat: nothing is allocated for a request that passes,
//! unless a key has to be taken out of its query. `kong/plugins/mtls-policy/cdef.lua` is generated from here.
//!
//! **Whose memory.** What Lua hands in is borrowed for the call. What [`Decision`] points to belongs to the policy, to
//! the request, or to this thread until its next decision. A policy is freed once, by whoever compiled it; it keeps alive
//! the consumers that it was compiled with, so that those may be freed before it.
//!
//! **Panics** end at the boundary: of a decision one makes a refusal (503), of a policy one that is not valid.

mod answer;
mod decision;
pub mod exports;
mod handle;
mod request;
mod text;

pub use answer::Answer;
pub use decision::Decision;
pub use handle::{Consumers, Policy, Wants};
pub use request::{Established, Request};
pub use text::{Field, Text};
