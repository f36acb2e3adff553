//! What was in force when: which policy, which certificates, and whether something was broken on purpose.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::people::CLIENTS;
use crate::stack::Stack;
use pki::Leaf;

/// What was in force when.
pub(super) struct History {
    pub(super) policy: Phases,
    pub(super) trouble: Phases,
    certificates: Mutex<BTreeMap<&'static str, Vec<Version>>>,
    /// Held by whoever replaces one: who comes last has to be in force, and a Secret has one writer.
    replacing: Mutex<()>,
}

/// Times at which something is settled, each followed by one at which it is changing.
#[derive(Default)]
pub(super) struct Phases(AtomicUsize);

struct Version {
    fingerprint: String,
    replaced: Option<Instant>,
}

/// When a request began.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    at: Instant,
    policy: usize,
    trouble: usize,
}

impl Phases {
    /// Runs what changes it.
    pub(super) fn change<T>(&self, change: impl FnOnce() -> T) -> T {
        self.0.fetch_add(1, Ordering::SeqCst);
        let outcome = change();
        self.0.fetch_add(1, Ordering::SeqCst);
        outcome
    }

    fn now(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// How many changes there were, if it has been settled since.
    fn settled_since(&self, then: usize) -> Option<usize> {
        (then.is_multiple_of(2) && self.now() == then).then_some(then / 2)
    }
}

impl History {
    /// # Errors
    /// A certificate is not there.
    pub(super) fn of(stack: &Stack) -> anyhow::Result<Self> {
        let first =
            |client| Ok((client, vec![Version { fingerprint: stack.fingerprint(client)?, replaced: None }]));
        let certificates = CLIENTS.into_iter().map(first).collect::<anyhow::Result<_>>()?;
        Ok(Self {
            policy: Phases::default(),
            trouble: Phases::default(),
            certificates: Mutex::new(certificates),
            replacing: Mutex::default(),
        })
    }

    pub(super) fn now(&self) -> Moment {
        Moment { at: Instant::now(), policy: self.policy.now(), trouble: self.trouble.now() }
    }

    /// Which of the two policies was in force all the time since then, if one was.
    pub(super) fn policy_since(&self, then: Moment) -> Option<usize> {
        self.policy.settled_since(then.policy).map(|changes| changes % 2)
    }

    /// Whether something was broken on purpose since then.
    pub(super) fn was_troubled_since(&self, then: Moment) -> bool {
        self.trouble.settled_since(then.trouble).is_none()
    }

    /// Whether a certificate could still be used for a request that began then.
    pub(super) fn is_current(&self, client: &str, fingerprint: &str, then: Moment) -> bool {
        self.with(|certificates| {
            let mut versions = certificates.get(client).into_iter().flatten();
            versions.any(|version| {
                version.fingerprint == fingerprint
                    && version.replaced.is_none_or(|replaced| then.at < replaced + GRACE)
            })
        })
    }

    /// Replaces a client certificate by another one with another key.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn rotate(&self, stack: &Stack, client: &'static str) -> anyhow::Result<()> {
        let issued = stack.authority().issue(&Leaf::client(client))?;
        let fingerprint = issued.fingerprint();
        let _alone = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        self.with(|certificates| {
            let versions = certificates.entry(client).or_default();
            versions.retain(|version| version.replaced.is_none_or(|replaced| replaced.elapsed() < 2 * GRACE));
            versions.push(Version { fingerprint: fingerprint.clone(), replaced: None });
        });
        stack.rotate(client, &issued)?;
        self.with(|certificates| {
            for version in certificates.entry(client).or_default() {
                if version.fingerprint != fingerprint && version.replaced.is_none() {
                    version.replaced = Some(Instant::now());
                }
            }
        });
        Ok(())
    }

    /// Puts something broken in a client certificate's place: what was there before stays in force.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn spoil(&self, stack: &Stack, client: &str) -> anyhow::Result<()> {
        let _alone = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        stack.put(client, "no certificate", "and no key", &stack.authority().pem())
    }

    /// Rotates one after the other until it is done.
    ///
    /// # Errors
    /// A certificate cannot be written.
    pub(super) fn rotate_each_second(&self, stack: &Stack, done: &AtomicBool) -> anyhow::Result<()> {
        for client in CLIENTS.into_iter().cycle() {
            let next = Instant::now() + Duration::from_secs(1);
            while Instant::now() < next {
                if done.load(Ordering::Relaxed) {
                    return Ok(());
                }
                thread::park_timeout(Duration::from_millis(100));
            }
            self.rotate(stack, client)?;
        }
        Ok(())
    }

    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<&'static str, Vec<Version>>) -> T) -> T {
        f(&mut self.certificates.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// So long after it was replaced a certificate may still be presented: files are looked at ten times a second, and one
/// that is broken for a second may hide the one before it.
const GRACE: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::embedded::Embedded;

    #[test]
    fn of_two_who_replace_a_certificate_at_once_the_last_one_counts() {
        let stack = crate::soak::stack(&Embedded::default()).unwrap();
        let history = History::of(&stack).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| (0..100).for_each(|_| history.rotate(&stack, CLIENTS[1]).unwrap()));
            scope.spawn(|| (0..100).for_each(|_| history.spoil(&stack, CLIENTS[1]).unwrap()));
            (0..100).for_each(|_| history.rotate(&stack, CLIENTS[1]).unwrap());
        });
        // The last thing that lies there may be spoilt.
        history.rotate(&stack, CLIENTS[1]).unwrap();

        let later = Moment { at: Instant::now() + 2 * GRACE, ..history.now() };
        assert!(history.is_current(CLIENTS[1], &stack.fingerprint(CLIENTS[1]).unwrap(), later));
    }
}
