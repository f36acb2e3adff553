//! The proxy-wasm filter: what the host calls, and what the policy says to it.
//!
//! Exported is what Kong 3.9.1 needs: ngx_wasm_module calls everything below for a request (that of the body for one
//! that has a body) without asking whether it is there, and its worker crashes where it is not. The rest of the ABI's
//! callbacks would only cost.
// Its entry points are exported by name, which counts as unsafe.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::abi::{self, Level, Status};
use crate::host::{self, Exchange};
use crate::policy::{Decision, Policy, Refusal};

/// All configurations of the filter, and all requests under way: they share one memory.
#[derive(Default)]
struct State {
    roots: Vec<Root>,
    /// Each with its configuration. Looked through from its end: the newest come and go.
    requests: Vec<(u32, u32)>,
}

/// One configuration of the filter.
struct Root {
    context: u32,
    /// The last good one.
    policy: Option<Rc<Policy>>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
    /// Whether there has been a request, or a pause between two configurations.
    static STARTED: Cell<bool> = const { Cell::new(false) };
    /// When the last configuration was taken over or refused.
    static CONFIGURED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Whether the host is at its start: it hands over all configurations in one go then. A worker that nobody has asked
/// anything yet is not, once it has paused.
fn is_starting() -> bool {
    let paused = |now: u64| CONFIGURED.get().is_some_and(|last| now.saturating_sub(last) > PAUSE_OF_A_START);
    if abi::nanoseconds().is_ok_and(paused) {
        STARTED.set(true);
    }
    !STARTED.get()
}

/// Nanoseconds between two configurations of one start, at most. nginx' clock stands still meanwhile.
const PAUSE_OF_A_START: u64 = 100_000_000;

impl State {
    fn root(&mut self, context: u32) -> Option<&mut Root> {
        self.roots.iter_mut().find(|root| root.context == context)
    }

    fn position(&self, request: u32) -> Option<usize> {
        self.requests.iter().rposition(|(context, _)| *context == request)
    }

    fn policy_for(&mut self, request: u32) -> Option<Rc<Policy>> {
        let (_, root) = self.requests[self.position(request)?];
        self.root(root)?.policy.clone()
    }

    /// Kong counts requests, and hashes configurations: one of each may be called the same.
    fn forget(&mut self, context: u32) {
        match self.position(context) {
            Some(request) => drop(self.requests.swap_remove(request)),
            None => self.roots.retain(|root| root.context != context),
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    STATE.with_borrow_mut(|state| match root {
        0 => state.roots.push(Root { context, policy: None }),
        root => state.requests.push((context, root)),
    });
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, _size: usize) -> bool {
    std::panic::set_hook(Box::new(|panic| abi::log(Level::Critical, &panic.to_string())));
    true
}

/// Takes a policy over, or names every problem in it.
///
/// A host is told that an invalid policy is refused, and keeps what it had. One that is only starting is not told: Kong
/// 3.9.1 would serve on without any filter on any route. There the policy's routes refuse everything, and the others are
/// let alone.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, size: usize) -> bool {
    let document = match abi::configuration(size) {
        Ok(document) => document,
        Err(status) => {
            abi::log(Level::Error, &format!("the host does not hand over the policy: {status:?}"));
            return false;
        }
    };
    let starting = is_starting();
    let outcome = Policy::compile(&document);
    CONFIGURED.set(abi::nanoseconds().ok());
    match outcome {
        Ok(policy) => {
            STATE.with_borrow_mut(|state| {
                if let Some(root) = state.root(root) {
                    root.policy = Some(Rc::new(policy));
                }
            });
            true
        }
        Err(problems) => {
            problems.iter().for_each(|problem| abi::log(Level::Error, &problem.to_string()));
            starting
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(request: u32, _count: u32, _end: u32) -> u32 {
    STARTED.set(true);
    let outcome = match STATE.with_borrow_mut(|state| state.policy_for(request)) {
        Some(policy) => serve(&policy),
        None => host::refuse_unread(&Refusal::NO_POLICY).map(|()| PAUSE),
    };
    outcome.unwrap_or_else(|status| {
        abi::log(Level::Error, &format!("the host failed ({status:?}); the request is refused"));
        // If even that fails there is nothing left but to stay paused.
        let _ = host::refuse_unread(&Refusal::NO_POLICY);
        PAUSE
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(_request: u32, _size: usize, _end: u32) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(_request: u32, _count: u32, _end: u32) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(_request: u32, _size: usize, _end: u32) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(_context: u32) -> bool {
    true
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(_request: u32) {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    STATE.with_borrow_mut(|state| state.forget(context));
}

fn serve(policy: &Policy) -> Result<u32, Status> {
    let exchange = Exchange::read(policy)?;
    let established = exchange.established();
    let refusal = match policy.decide(exchange.request(established.as_ref())) {
        Decision::Allow(allow) => match exchange.carry_out(&allow)? {
            Ok(()) => return Ok(CONTINUE),
            Err(refusal) => refusal,
        },
        Decision::Refuse(refusal) => refusal,
    };
    let level = if refusal.status == 503 { Level::Error } else { Level::Info };
    abi::log(level, &format!("{}: {}", refusal.status, refusal.reason));
    exchange.refuse(&refusal)?;
    Ok(PAUSE)
}

/// The ABI's actions.
const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;
