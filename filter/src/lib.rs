//! mtls-policy: checks the API key of a request, finds its consumer, and selects the client certificate that the
//! gateway presents to the upstream.
//!
//! [`policy`] is the core: pure, without a clock, without I/O. The shell around it, a proxy-wasm filter, exists on
//! wasm32 only (feature `proxy`); everyone else uses the core as a library.

#[cfg(all(target_arch = "wasm32", feature = "proxy"))]
mod abi;
pub mod envoy;
#[cfg(all(target_arch = "wasm32", feature = "proxy"))]
mod host;
pub mod pairs;
pub mod policy;
#[cfg(all(target_arch = "wasm32", feature = "proxy"))]
mod proxy;
