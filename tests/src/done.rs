//! The end of what threads do in the background of a test.

use std::sync::atomic::{AtomicBool, Ordering};

/// Sets what such threads look at when it is dropped: after a failed assertion too, or they would be waited for forever.
pub struct Done<'a>(pub &'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
