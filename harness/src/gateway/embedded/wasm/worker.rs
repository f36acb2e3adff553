//! What one thread that serves requests needs to run filters.

use std::fmt;
use std::sync::Arc;

use super::Properties;
use super::filters::Filters;
use super::roots::{Root, Shared};
use super::slot::Slot;

/// A place for each filter, with a memory of its own there. Usable from several threads, a filter by one at a time.
pub struct Worker {
    slots: Vec<(Arc<str>, Arc<Shared>)>,
    // Keeps the clock running by which an endless loop ends.
    _filters: Filters,
}

impl Worker {
    /// `outside` answers what filters ask while no request runs: when they are configured, and at a request's end.
    #[must_use]
    pub fn new(filters: &Filters, outside: impl Properties + Clone + Send + 'static) -> Self {
        let slot = |filter| Arc::new(Shared::new(Slot::new(filter, Box::new(outside.clone()))));
        let slots =
            filters.iter().map(|filter| (Arc::clone(&filter.identity.name), slot(Arc::clone(filter))));
        Self { slots: slots.collect(), _filters: filters.clone() }
    }

    /// Gives a filter one more root context.
    ///
    /// # Errors
    /// There is no such filter, it refuses the configuration, or it traps.
    pub fn configure(&self, filter: &str, config: impl Into<Arc<[u8]>>) -> Result<Root, ConfigureError> {
        let Some((_, shared)) = self.slots.iter().find(|(name, _)| **name == *filter) else {
            let reason = "there is no filter of that name".to_owned();
            return Err(ConfigureError { filter: filter.into(), reason, log: Vec::new(), root: None });
        };
        shared.enter().configure(shared, config.into())
    }

    /// Bytes of a filter's linear memory. It never shrinks: what the filter gave back lies in it for other use. `None`:
    /// there is no such filter, or it has not been configured.
    #[must_use]
    pub fn memory(&self, filter: &str) -> Option<usize> {
        let (_, shared) = self.slots.iter().find(|(name, _)| **name == *filter)?;
        shared.enter().memory()
    }
}

/// A configuration that a filter did not take.
pub struct ConfigureError {
    pub filter: Arc<str>,
    pub reason: String,
    /// What the filter logged meanwhile, line by line.
    pub log: Vec<String>,
    pub(super) root: Option<Root>,
}

impl ConfigureError {
    /// The root as the filter left it, for a host that starts a refused filter all the same, as some do: what becomes
    /// of requests is then the filter's to say. `None` if the filter trapped.
    #[must_use]
    pub fn into_root(self) -> Option<Root> {
        self.root
    }
}

impl fmt::Display for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "filter \"{}\": {}", self.filter, self.reason)?;
        self.log.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl fmt::Debug for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigureError {}
