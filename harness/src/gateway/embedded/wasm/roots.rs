//! Root contexts as their owners hold them, and what is left to clean up when they let go.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::slot::Slot;

/// A filter with one configuration in one worker. Once its last holder lets go, the filter's memory of it is given back
/// before the filter's next work; a [`super::Stream`] is a holder.
#[derive(Clone)]
pub struct Root(Arc<Held>);

struct Held {
    shared: Arc<Shared>,
    id: u32,
    config: Arc<[u8]>,
}

/// A filter's place in a worker, as its roots and streams know it.
pub(super) struct Shared {
    slot: Mutex<Slot>,
    /// Apart from the rest, so that anything can be dropped anywhere, in a property's getter too.
    leavings: Mutex<Vec<Leaving>>,
}

/// A context that nobody will use any more.
pub(super) enum Leaving {
    Request(Context),
    Root(u32),
}

/// A request's context. Its number means something in the machine of that generation only.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) generation: u64,
    pub(super) id: u32,
}

impl Root {
    pub(super) fn new(shared: &Arc<Shared>, id: u32, config: Arc<[u8]>) -> Self {
        Self(Arc::new(Held { shared: Arc::clone(shared), id, config }))
    }

    /// Lets go, and gives back at once what nobody holds any more.
    pub fn release(self) {
        let shared = Arc::clone(&self.0.shared);
        drop(self);
        drop(shared.enter());
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id
    }

    pub(super) fn config(&self) -> &Arc<[u8]> {
        &self.0.config
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    pub(super) fn downgrade(&self) -> WeakRoot {
        WeakRoot(Arc::downgrade(&self.0))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.leave(Leaving::Root(self.id));
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
    pub(super) fn new(slot: Slot) -> Self {
        Self { slot: Mutex::new(slot), leavings: Mutex::default() }
    }

    /// The slot, with all cleaned up that was left. A panic in it has left no machine that was entered.
    pub(super) fn enter(&self) -> MutexGuard<'_, Slot> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let leavings = std::mem::take(&mut *self.leavings.lock().unwrap_or_else(PoisonError::into_inner));
        for leaving in leavings {
            match leaving {
                Leaving::Request(context) => slot.end_context(context),
                Leaving::Root(id) => slot.end_root(id),
            }
        }
        slot
    }

    pub(super) fn leave(&self, leaving: Leaving) {
        self.leavings.lock().unwrap_or_else(PoisonError::into_inner).push(leaving);
    }
}
