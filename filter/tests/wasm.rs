//! The core inside wasm decides as it does outside: the same table.
#![cfg(target_arch = "wasm32")]

use wasm_bindgen_test::wasm_bindgen_test;

#[path = "decisions/mod.rs"]
mod table;

#[wasm_bindgen_test]
fn every_request_gets_the_decision_that_is_owed() {
    assert_eq!(table::wrong(table::core), [""; 0]);
}

#[wasm_bindgen_test]
fn every_mistake_is_found_with_its_place() {
    assert_eq!(table::unnoticed(), [""; 0]);
}
