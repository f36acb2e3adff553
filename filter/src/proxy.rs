//! The proxy-wasm filter: what the host calls, and what the policy says to it.
//!
//! Exported is what Kong 3.9.1 needs: ngx_wasm_module calls everything below for a request (that of the body for one
//! that has a body) without asking whether it is there, and its worker crashes where it is not. The rest of the ABI's
//! callbacks would only cost.
// Its entry points are exported by name, which counts as unsafe.
#![allow(unsafe_code)]

use std::cell::RefCell;
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

/// One configuration of the filter: a root context.
struct Root {
    context: u32,
    policy: Configured,
}

/// A policy, or why a root context is closed: each of its requests is rejected.
type Configured = Result<Rc<Policy>, Rc<str>>;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

impl State {
    fn root(&mut self, context: u32) -> Option<&mut Root> {
        self.roots.iter_mut().find(|root| root.context == context)
    }

    /// A root context is closed until it has a valid policy, whatever had its number before.
    fn open(&mut self, context: u32) {
        let policy = Err(Rc::from(UNCONFIGURED));
        match self.root(context) {
            Some(root) => root.policy = policy,
            None => self.roots.push(Root { context, policy }),
        }
    }

    fn position(&self, request: u32) -> Option<usize> {
        self.requests.iter().rposition(|(context, _)| *context == request)
    }

    fn policy_for(&mut self, request: u32) -> Configured {
        let root = self.position(request).map(|position| self.requests[position].1);
        let root = root.and_then(|root| self.root(root));
        root.map_or_else(|| Err(Rc::from(UNCONFIGURED)), |root| root.policy.clone())
    }

    /// Kong counts requests, and hashes configurations: one of each may be called the same.
    fn forget(&mut self, context: u32) {
        match self.position(context) {
            Some(request) => drop(self.requests.swap_remove(request)),
            None => self.roots.retain(|root| root.context != context),
        }
    }
}

const UNCONFIGURED: &str = "the host has handed none over";

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    STATE.with_borrow_mut(|state| match root {
        0 => state.open(context),
        root => state.requests.push((context, root)),
    });
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, _size: usize) -> bool {
    std::panic::set_hook(Box::new(|panic| abi::log(Level::Critical, &panic.to_string())));
    true
}

/// Compiles a policy, and logs every problem in it.
///
/// A host that keeps its last configuration is told that an invalid one is rejected. Kong is not: it would stop
/// rebuilding the filter chains of all routes until the policy is repaired. There the root context is closed instead,
/// and every other change takes effect.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, size: usize) -> bool {
    let (keeps_last, policy) = match compile(size) {
        Ok(policy) => (false, Ok(Rc::new(policy))),
        Err(problems) => {
            let keeps_last = host::keeps_last_configuration();
            let problem = log_problems(&problems, keeps_last);
            (keeps_last, Err(problem.into()))
        }
    };
    STATE.with_borrow_mut(|state| match state.root(root) {
        Some(Root { policy: Ok(_), .. }) if keeps_last => {}
        Some(root) => root.policy = policy,
        None => {}
    });
    !keeps_last
}

/// # Errors
/// What is wrong with the policy, one problem a line.
fn compile(size: usize) -> Result<Policy, String> {
    let document =
        abi::configuration(size).map_err(|status| format!("the host does not hand it over: {status:?}"))?;
    Policy::compile(&document).map_err(|problems| problems.to_string())
}

/// Logs each problem, and returns the first, which the log repeats for each rejected request.
fn log_problems(problems: &str, keeps_last: bool) -> &str {
    let invalid = if keeps_last { INVALID } else { CLOSED };
    for problem in problems.lines().take(MOST_LOGGED) {
        abi::log(Level::Error, &[invalid, problem].concat());
    }
    let more = problems.lines().skip(MOST_LOGGED).count();
    if more > 0 {
        abi::log(Level::Error, &format!("{invalid}there are {more} more problems"));
    }
    problems.lines().next().unwrap_or_default()
}

/// Every worker logs them for every filter chain, which takes time.
const MOST_LOGGED: usize = 100;

/// Before each problem in the log of a host that keeps its last configuration.
const INVALID: &str = "policy invalid: ";
/// Before each problem in the log of every other host.
const CLOSED: &str = "policy invalid, its requests are rejected with status 503: ";

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(request: u32, _count: u32, _end: u32) -> u32 {
    let outcome = match STATE.with_borrow_mut(|state| state.policy_for(request)) {
        Ok(policy) => serve(&policy),
        Err(problem) => reject_without_policy(&problem),
    };
    outcome.unwrap_or_else(|status| {
        abi::log(Level::Error, &format!("the host failed ({status:?}); the request is refused"));
        // If even that fails there is nothing left but to stay paused.
        let _ = host::refuse_unread(&Refusal::NO_POLICY);
        PAUSE
    })
}

fn reject_without_policy(problem: &str) -> Result<u32, Status> {
    host::count_invalid_policy();
    let refusal = Refusal::invalid_policy(problem);
    abi::log(Level::Error, &format!("{}: {}", refusal.status, refusal.reason));
    host::refuse_unread(&refusal)?;
    Ok(PAUSE)
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
