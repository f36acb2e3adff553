//! Waiting for what another process does.

use std::thread;
use std::time::{Duration, Instant};

/// Looks until there is something, but not beyond `patience`.
pub(super) fn until<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        let seen = look();
        if seen.is_some() || Instant::now() >= deadline {
            return seen;
        }
        #[expect(clippy::disallowed_methods, reason = "between two looks at a condition")]
        thread::sleep(Duration::from_millis(20));
    }
}
