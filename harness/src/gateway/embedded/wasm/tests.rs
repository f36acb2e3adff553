//! Real modules in real machines: each test writes the filter that it needs.

mod configuring;
mod loading;
mod requests;
mod safety;
pub(crate) mod wat;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Filters, Headers, Limits, Outcome, Properties, Root, Stream, Trap, Unsettable, Worker};
use wat::Wat;

// Requests move between threads.
const _: fn() = || {
    fn moves<T: Send + 'static>() {}
    moves::<(Filters, Worker, Root, Stream)>();
};

/// Properties of a map; what is not in it cannot be set.
#[derive(Clone, Default)]
struct Known(BTreeMap<String, Vec<u8>>);

impl Known {
    fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(path, value)| ((*path).to_owned(), value.as_bytes().to_vec())).collect())
    }
}

impl Properties for Known {
    fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }

    fn set(&mut self, path: &str, value: &[u8]) -> Result<(), Unsettable> {
        *self.0.get_mut(path).ok_or(Unsettable)? = value.to_vec();
        Ok(())
    }
}

/// Limits that a test can wait for.
const LIMITS: Limits =
    Limits { request: Duration::from_millis(300), configure: Duration::from_millis(300), memory: 1 << 20 };

fn filters(modules: &[(&str, &Wat)]) -> Filters {
    let directory = tempfile::tempdir().unwrap();
    for (name, module) in modules {
        std::fs::write(directory.path().join(format!("{name}.wasm")), module.build()).unwrap();
    }
    Filters::load_with(directory.path(), LIMITS).unwrap_or_else(|error| panic!("{error}"))
}

fn worker(filters: &Filters) -> Worker {
    Worker::new(filters, Known::default())
}

/// A worker with one filter `f` under one empty configuration.
fn single(module: &Wat) -> (Worker, Root) {
    let worker = worker(&filters(&[("f", module)]));
    let root = worker.configure("f", []).unwrap();
    (worker, root)
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

/// One whole request without headers or properties.
fn request<'a>(chain: impl IntoIterator<Item = &'a Root>) -> Result<Outcome, Trap> {
    let mut stream = Stream::start(chain);
    let outcome = stream.request_headers(&mut Headers::new(), &mut Known::default());
    stream.finish();
    outcome
}

/// The status with which a request is answered by a filter.
fn status<'a>(chain: impl IntoIterator<Item = &'a Root>) -> u16 {
    match request(chain) {
        Ok(Outcome::Respond(response)) => response.status,
        other => panic!("{other:?}"),
    }
}
