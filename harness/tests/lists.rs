//! Empty lists, as Kong hands them to the filter.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use harness::gateway::embedded::wasm::{Filters, Properties, Unsettable, Worker};
use mtls_policy::policy::schema;

#[path = "../../filter/tests/lists/mod.rs"]
mod lists;

#[test]
fn an_empty_object_is_an_empty_list_in_every_field() {
    let filters = Filters::load(&harness::gateway::filters().unwrap()).unwrap();
    let worker = Worker::new(&filters, Silent);
    let problems = |document: &str| {
        let refused = worker.configure("mtls-policy", document.as_bytes()).map(drop);
        refused.map_err(|refused| refused.log)
    };
    for list in lists::all(&schema::policy()) {
        assert_eq!(problems(&list.object), problems(&list.array), "{}: {}", list.path, list.object);
    }
}

/// A host without properties, which logs nothing.
#[derive(Clone)]
struct Silent;

impl Properties for Silent {
    fn get(&mut self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn set(&mut self, _: &str, _: &[u8]) -> Result<(), Unsettable> {
        Err(Unsettable)
    }

    fn log(&mut self, _: log::Level, _: &str, _: &str) {}
}
