//! Root contexts as their owners hold them, and what is left to clean up when they let go.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::worker::Inner;

/// A filter with one configuration in one worker. Where its last holder lets go, the filter's memory of it is given
/// back before the worker's next work; a [`super::Stream`] is a holder.
#[derive(Clone)]
pub struct Root(Arc<Held>);

struct Held {
    shared: Arc<Shared>,
    filter: usize,
    id: u32,
    config: Arc<[u8]>,
}

/// A worker, as its roots and streams know it.
pub(super) struct Shared {
    inner: Mutex<Inner>,
    /// Apart from the rest, so that anything can be dropped anywhere, in a property's getter too.
    leavings: Mutex<Vec<Leaving>>,
}

/// A context that nobody will use any more.
pub(super) enum Leaving {
    Root { filter: usize, id: u32 },
    Request { filter: usize, context: Context },
}

/// A request's context. Its number means something in the machine of that generation only.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) generation: u64,
    pub(super) id: u32,
}

impl Root {
    pub(super) fn new(shared: &Arc<Shared>, filter: usize, id: u32, config: Arc<[u8]>) -> Self {
        Self(Arc::new(Held { shared: Arc::clone(shared), filter, id, config }))
    }

    /// The number of its filter in the worker.
    pub(super) fn filter(&self) -> usize {
        self.0.filter
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id
    }

    pub(super) fn config(&self) -> &Arc<[u8]> {
        &self.0.config
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    pub(super) fn downgrade(&self) -> WeakRoot {
        WeakRoot(Arc::downgrade(&self.0))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.leave(Leaving::Root { filter: self.filter, id: self.id });
    }
}

/// A root that may have gone.
pub(super) struct WeakRoot(Weak<Held>);

impl WeakRoot {
    pub(super) fn upgrade(&self) -> Option<Root> {
        self.0.upgrade().map(Root)
    }

    pub(super) fn is_held(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl Shared {
    pub(super) fn new(inner: Inner) -> Self {
        Self { inner: Mutex::new(inner), leavings: Mutex::default() }
    }

    /// The worker, with all cleaned up that was left. A panic in it leaves no machine that was entered.
    pub(super) fn enter(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let leavings = std::mem::take(&mut *self.leavings.lock().unwrap_or_else(PoisonError::into_inner));
        leavings.into_iter().for_each(|leaving| inner.clean_up(leaving));
        inner
    }

    pub(super) fn leave(&self, leaving: Leaving) {
        self.leavings.lock().unwrap_or_else(PoisonError::into_inner).push(leaving);
    }
}
