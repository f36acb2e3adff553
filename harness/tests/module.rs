//! The wasm module as users get it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]

#[test]
fn the_module_is_small() {
    let module = harness::gateway::filters().unwrap().join("mtls-policy.wasm");
    let size = module.metadata().unwrap().len();
    assert!(size <= 290_000, "{size} bytes");
}
