//! Waiting for what another process does.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;

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

/// Waits for an answer. Callers may be within a runtime or not, so it has a thread of its own.
///
/// # Errors
/// Those of what is waited for.
pub(super) fn answer<T: Send>(of: impl Future<Output = anyhow::Result<T>> + Send) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::scope(|scope| scope.spawn(|| runtime.block_on(of)).join())
        .unwrap_or_else(|_| Err(anyhow!("panicked")))
}
