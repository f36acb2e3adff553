//! Consumers that policies have in common are kept once, as long as one of those is there.
//!
//! A gateway compiles a policy for each route, and many routes admit the same people. What is written the same is
//! recognised before it is read.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::policy::keyring::Keyring;

/// What a policy says of its consumers, by its SHA-256: whoever could write two of one digest could have a route admit
/// another one's people.
pub(super) struct Section([u8; 32]);

impl Section {
    pub(super) fn of(written: &[&RawValue]) -> Self {
        let mut digest = Sha256::new();
        for consumer in written {
            // A comma within a consumer is within braces, brackets or quotes.
            digest.update(consumer.get());
            digest.update(",");
        }
        Self(digest.finalize().into())
    }

    pub(super) fn known(&self) -> Option<Arc<Keyring>> {
        let all = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(section, _)| *section == self.0)?.1.upgrade()
    }

    pub(super) fn keep(self, keyring: &Arc<Keyring>) {
        let mut all = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(section, keyring)| *section != self.0 && keyring.strong_count() > 0);
        all.push((self.0, Arc::downgrade(keyring)));
    }
}

static KEPT: Mutex<Vec<([u8; 32], Weak<Keyring>)>> = Mutex::new(Vec::new());

#[cfg(test)]
mod tests {
    use std::sync::{Arc, PoisonError, Weak};

    use super::KEPT;
    use crate::policy::compile::Compiler;
    use crate::policy::keyring::Keyring;
    use crate::policy::read;

    fn keyring(document: &str) -> Arc<Keyring> {
        let mut problems = Vec::new();
        let (_, written) = read::config(document.as_bytes(), &mut problems);
        let consumers = Compiler { problems: &mut problems }.consumers(&written.unwrap_or_default());
        assert_eq!(problems, []);
        consumers.keyring()
    }

    #[test]
    fn policies_with_the_same_consumers_share_them_as_long_as_one_is_there() {
        let ann = r#"{"realm":"a","consumers":[{"username":"ann-of-this-test"}]}"#;
        let first = keyring(ann);
        let second = keyring(r#"{"consumers": [ {"username":"ann-of-this-test"} ], "key_names": ["k"]}"#);
        assert!(Arc::ptr_eq(&first, &second));
        let ben = keyring(&ann.replace("ann", "ben"));
        assert!(!Arc::ptr_eq(&first, &ben));
        assert_eq!(&*ben.consumers()[0].username, "ben-of-this-test");

        assert!(Arc::ptr_eq(&first, &keyring(ann)), "forgotten when others came");

        let gone = Arc::downgrade(&first);
        drop((first, second));
        assert!(gone.upgrade().is_none());
        // Nothing stays of what is gone once something else comes.
        let carl = keyring(&ann.replace("ann", "carl"));
        let is_kept = |one: &Weak<Keyring>| {
            KEPT.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|(_, each)| each.ptr_eq(one))
        };
        assert!(is_kept(&Arc::downgrade(&carl)) && !is_kept(&gone));
        assert_eq!(&*keyring(ann).consumers()[0].username, "ann-of-this-test");
    }
}
