//! mtls-policy behind a C ABI: the same core as the filter's, for LuaJIT's FFI in any Kong.
//!
//! The functions are in [`exports`] and [`consumers_exports`]. What they take and give is flat: nothing is allocated for a request that passes,
//! unless a key has to be taken out of its query. `kong/plugins/mtls-policy/cdef.lua` is generated from here.
//!
//! **Whose memory.** What Lua hands in is borrowed for the call. What [`Decision`] points to belongs to the policy, to
//! the request, or to this thread until its next decision. A policy is freed once, by whoever compiled it; it keeps alive
//! the consumers that it was compiled with, so that those may be freed before it.
//!
//! **Threads.** A thread of the library reads a consumers file and frees old consumers. It is started by the first read,
//! never by loading the library: nginx loads that before it forks its workers.
//!
//! **Memory.** The C library's allocator has a lock for each thread's memory, and OpenResty takes all of them, one after the
//! other, every 1,000 requests (`lua_malloc_trim`). Requests would wait for the thread that reads a file. So this library
//! has an allocator of its own, whose threads share no lock.
//!
//! **Panics** end at the boundary: of a decision one makes a refusal (503), of a policy one that is not valid.

mod answer;
pub mod body;
pub mod body_exports;
mod consumers;
pub mod consumers_exports;
mod consumers_file;
mod decision;
pub mod exports;
mod handle;
mod request;
mod text;
mod thread;

#[cfg(feature = "allocator")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub use answer::Answer;
pub use body_exports::Body;
pub use consumers::Consumers;
pub use consumers_file::ConsumersFile;
pub use decision::Decision;
pub use handle::{Policy, Wants};
pub use request::{Established, Request};
pub use text::{Field, Text};
