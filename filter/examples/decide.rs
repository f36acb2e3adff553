//! The core by itself in wasm, without a host to call: what `harness bench --filter` measures a decision with.
#![cfg(target_arch = "wasm32")]
// Its entry points are exported by name, which counts as unsafe.
#![allow(unsafe_code)]

#[path = "../benches/asked/mod.rs"]
mod asked;

use std::cell::RefCell;

use mtls_policy::policy::{Decision, Policy};

use asked::{Asking, document};

thread_local! {
    static POLICY: RefCell<Option<(Policy, usize)>> = const { RefCell::new(None) };
}

/// Takes over a policy of so many keys, a multiple of 1,000.
#[unsafe(no_mangle)]
extern "C" fn prepare(keys: usize) {
    POLICY.set(Policy::compile(&document(keys)).ok().map(|policy| (policy, keys)));
}

/// Decides so often, on 1,000 of the keys in turn: how many were let in.
#[unsafe(no_mangle)]
extern "C" fn decide(times: usize) -> usize {
    POLICY.with_borrow(|policy| {
        let Some((policy, keys)) = policy else { return 0 };
        let mut asking = Asking::new();
        let mut numbers = (0..*keys).step_by(keys / 1_000).cycle();
        let mut one = || {
            let request = asking.request(numbers.next().unwrap_or_default());
            matches!(policy.decide(request), Decision::Allow(_))
        };
        (0..times).filter(|_| one()).count()
    })
}
