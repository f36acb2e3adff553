//! mtls-policy: checks the API key of a request, finds its consumer, and selects the client
//! certificate that the gateway presents to the upstream.
//!
//! [`policy`] is the core: pure, without a clock, without I/O. The shell around it is a proxy-wasm
//! filter; the harness uses the same core natively.
