//! Consumers that several policies share, and freeing them.
//!
//! Freeing a hundred thousand consumers takes tens of milliseconds, which the thread of requests does not have. So this
//! library keeps a reference to all consumers that it has read, and a thread of its own drops those that nothing else
//! refers to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use mtls_policy::policy;

use crate::thread;

/// The consumers of a consumers file, compiled. Opaque outside.
pub struct Consumers(policy::Consumers);

impl Consumers {
    pub(crate) fn new(consumers: policy::Consumers) -> Self {
        all().push(consumers.clone());
        Self(consumers)
    }

    pub(crate) fn inner(&self) -> &policy::Consumers {
        &self.0
    }

    pub(crate) fn keys(&self) -> usize {
        self.0.keys()
    }
}

/// Frees consumers that are not used any more, in a thread of its own. Takes no time to speak of.
pub(crate) fn reclaim() {
    let unused = unused();
    if !unused.is_empty() {
        // Without a thread they are freed here.
        let _ = thread::spawn(move || reclaim_now(unused));
    }
}

/// Frees consumers that are not used any more, in this thread.
pub(crate) fn reclaim_here() {
    reclaim_now(unused());
}

fn reclaim_now(unused: Vec<policy::Consumers>) {
    // Whatever a destructor may do: no panic leaves.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(unused)));
}

fn unused() -> Vec<policy::Consumers> {
    let mut all = all();
    all.extract_if(.., |consumers| consumers.is_unshared()).collect()
}

fn all() -> std::sync::MutexGuard<'static, Vec<policy::Consumers>> {
    static ALL: Mutex<Vec<policy::Consumers>> = Mutex::new(Vec::new());
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(keys: usize) -> usize {
        all().iter().filter(|consumers| consumers.keys() == keys).count()
    }

    #[test]
    fn consumers_are_freed_when_nothing_else_refers_to_them() {
        // A number of keys that no other test has.
        const KEYS: usize = 7;
        let consumer = |number: usize| policy::ConsumerConfig {
            username: number.to_string(),
            keys: vec![policy::KeyConfig {
                id: "1".to_owned(),
                sha256: format!("{number:064}"),
                ..policy::KeyConfig::default()
            }],
            ..policy::ConsumerConfig::default()
        };
        let consumers = Consumers::new(policy::Consumers::from_configs((0..KEYS).map(consumer)).unwrap());
        let consumers_file = policy::ConsumersFile::Read(consumers.inner());
        let host = policy::Host { reads_bodies: true, consumers_file };
        let policy = policy::Policy::compile_for(&host, br#"{"consumers_file":"/x"}"#).unwrap();
        reclaim_here();
        assert_eq!(number(KEYS), 1);
        drop(consumers);
        reclaim_here();
        assert_eq!(number(KEYS), 1, "a policy refers to them");
        drop(policy);
        reclaim_here();
        assert_eq!(number(KEYS), 0);
    }
}
