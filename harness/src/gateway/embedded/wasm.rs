//! proxy-wasm filters in wasmtime, under the ABI as a real Kong 3.9 was seen to offer it.
//!
//! [`Filters`] are compiled once. Each thread that serves requests has a [`Worker`], in which all root contexts of one
//! filter share one linear memory, as on Kong. A [`Root`] is a filter with one configuration, a [`Stream`] is one
//! request on its way through a chain of them.
//!
//! Offered is what a filter needs that decides on headers: ABI 0.2.1 without bodies, calls to elsewhere, shared data
//! and queues, and timers. Those answer `Unimplemented`. Modules that export ABI 0.1.0 or 0.2.0 are taken as well.
//! A filter that traps, loops or outgrows its memory fails its own request and nothing else: its memory is thrown away
//! and built anew, with all its roots, before the next request enters it.

mod calls;
mod env;
mod exports;
mod filters;
mod guest;
mod headers;
mod host;
mod map;
mod metrics;
mod roots;
mod slot;
mod stream;
mod vm;
mod wasi;
mod worker;

#[cfg(test)]
pub(crate) mod tests;

pub use filters::{Filters, Limits, LoadError};
pub use metrics::{Kind as MetricKind, Reading};
pub use roots::Root;
pub use stream::Stream;
pub use worker::{ConfigureError, Worker};

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// Names and values as they travel, `:method`, `:path`, `:scheme` and `:authority` of a request among them.
/// Names are lower case where the host made them; a lookup is without regard to case.
pub type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// What a filter may ask, change and tell beside headers, for one request.
pub trait Properties {
    /// The value at a path whose segments are joined by `.`, as ngx_wasm_module does. `None` is no error to a filter.
    fn get(&mut self, path: &str) -> Option<Vec<u8>>;

    /// Sets a property.
    ///
    /// # Errors
    /// There is no such property to set, or its owner refuses the value: the filter traps, as on Kong.
    fn set(&mut self, path: &str, value: &[u8]) -> Result<(), Unsettable>;

    /// What a filter's clock says.
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Takes a line that a filter logs.
    fn log(&mut self, level: log::Level, filter: &str, message: &str) {
        log::log!(target: "filter", level, "{filter}: {message}");
    }
}

/// A property that cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsettable;

/// What a chain of filters made of a request's headers.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The request goes on, with the headers and properties as the filters left them.
    Continue,
    /// A filter answers the request itself; no later filter saw it and nothing may go upstream.
    Respond(LocalResponse),
}

/// An answer that a filter gives itself.
#[derive(Debug, PartialEq, Eq)]
pub struct LocalResponse {
    /// 100 to 999.
    pub status: u16,
    /// Names are tokens, values are free of NUL, CR and LF.
    pub headers: Headers,
    pub body: Vec<u8>,
    /// Of a gRPC answer, else absent.
    pub grpc_status: Option<u32>,
}

/// A filter failed; its request is to be answered with a 500. Nothing about it has been logged yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    pub filter: Arc<str>,
    /// The callback it was in.
    pub callback: &'static str,
    pub reason: String,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "filter \"{}\" failed in {}: {}", self.filter, self.callback, self.reason)
    }
}

impl std::error::Error for Trap {}
