//! The core, natively.
#![cfg(not(target_arch = "wasm32"))]

#[path = "decisions/mod.rs"]
mod table;

#[test]
fn every_request_gets_the_decision_that_is_owed() {
    assert_eq!(table::wrong(table::core), [""; 0]);
}

#[test]
fn every_mistake_is_found_with_its_place() {
    assert_eq!(table::unnoticed(), [""; 0]);
}
