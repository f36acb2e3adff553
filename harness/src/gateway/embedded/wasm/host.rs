//! What a filter's virtual machine knows of the outside: the data beside its linear memory.

use std::sync::Arc;

use scoped_tls_hkt::scoped_thread_local;
use wasmtime::{Memory, StoreLimits, TypedFunc};

use super::calls::Calls;
use super::filters::Identity;
use super::metrics::Metric;
use super::{Headers, LocalResponse, Properties, Unsettable};

// A store owns its data, so it cannot hold what is lent for one callback. The thread can: a callback runs on one.
scoped_thread_local!(pub(super) static mut PROPERTIES: for<'a> &'a mut (dyn Properties + 'a));

/// The data of one virtual machine.
pub(super) struct Host {
    pub(super) identity: Arc<Identity>,
    pub(super) limits: StoreLimits,
    /// Set once the module is instantiated.
    pub(super) memory: Option<Memory>,
    /// The guest's allocator; away while it runs.
    pub(super) allocate: Option<TypedFunc<u32, u32>>,

    pub(super) step: Step,
    /// The configuration of the root whose callback runs.
    pub(super) config: Arc<[u8]>,
    /// Lent for a callback; empty else.
    pub(super) request: Headers,
    /// Lent for a callback; empty else.
    pub(super) response: Headers,
    pub(super) reply: Option<LocalResponse>,
    pub(super) calls: Calls,
    /// What the filter logs while somebody wants to hear it.
    pub(super) heard: Option<Vec<(log::Level, String)>>,
    /// By the number that the filter knows them by.
    pub(super) metrics: Vec<Arc<Metric>>,
    /// The path of a property in its dotted form; kept to be written over.
    pub(super) path: String,
}

/// Where in a request the filter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Configuring, or a request's end.
    Outside,
    RequestHeaders,
    ResponseHeaders,
}

/// Nothing to ask and nothing to set.
pub(super) struct NoProperties;

impl Properties for NoProperties {
    fn get(&mut self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn set(&mut self, _: &str, _: &[u8]) -> Result<(), Unsettable> {
        Err(Unsettable)
    }
}

impl Host {
    pub(super) fn new(identity: Arc<Identity>) -> Self {
        Self {
            limits: identity.limits.store(),
            identity,
            memory: None,
            allocate: None,
            step: Step::Outside,
            config: Arc::default(),
            request: Headers::new(),
            response: Headers::new(),
            reply: None,
            calls: Calls::default(),
            heard: None,
            metrics: Vec::new(),
            path: String::new(),
        }
    }

    /// The map that a step is about.
    pub(super) fn headers_of(&mut self, step: Step) -> &mut Headers {
        match step {
            Step::ResponseHeaders => &mut self.response,
            Step::RequestHeaders | Step::Outside => &mut self.request,
        }
    }

    /// Logs one line: what a client sent may be in it, and must not look like a line of ours.
    pub(super) fn log(&mut self, level: log::Level, message: &[u8]) {
        let message = String::from_utf8_lossy(message).replace(char::is_control, " ");
        PROPERTIES.with(|properties| properties.log(level, &self.identity.name, &message));
        if let Some(heard) = &mut self.heard {
            heard.push((level, message));
        }
    }
}
